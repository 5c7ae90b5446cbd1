"""Files that appear together: names, what is in the way, two at once, and a kill at every step."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.errors import StorageError, UsageError
from gandt.serving.service.explore.saving.file_set import (
    PARTS,
    FileExists,
    check_free,
    file_set,
    finish_saves,
)

UPLOAD = f"{'a' * 64}.png"


def save(folder: Path, name: str, what: str, *, replace: bool = False, aside: bool = True) -> None:
    """Save files that all say `what`."""
    with file_set(folder, name, replace=replace) as staging:
        (staging / f"{name}.uploads").mkdir()
        (staging / f"{name}.uploads" / UPLOAD).write_text(what)
        for part in PARTS[1:]:
            if aside or part != ".set-aside.csv":
                (staging / f"{name}{part}").write_text(what)


def found(folder: Path) -> dict[str, str]:
    """What is in a folder but the lock, links not followed."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.name != ".gandt-save.lock"
    }


def whole(name: str, what: str) -> dict[str, str]:
    return {**{f"{name}{part}": what for part in PARTS[1:]}, f"{name}.uploads/{UPLOAD}": what}


def test_all_files_appear_and_nothing_else_stays(tmp_path: Path) -> None:
    save(tmp_path, "round1", "new")
    assert found(tmp_path) == whole("round1", "new")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["round1.uploads"]


@pytest.mark.parametrize(
    "name",
    ["round1", "a", "A-b_c.d", "9", "_", "x" * 64, "con1", "manifest", "selection", "a..b", "a."],
)
def test_ordinary_names_are_taken(tmp_path: Path, name: str) -> None:
    save(tmp_path, name, "new")
    assert found(tmp_path) == whole(name, "new")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ".",
            "..",
            ".hidden",
            "a/b",
            "../a",
            "/a",
            "a\\b",
            "a b",
            "a\n",
            "a\0",
            "ä",
            "\uff11",
        ),
        *("x" * 65, "con", "NUL", "Com7", "lpt0", "aux.txt", "a:b", "~", "a*", "a%2fb"),
        *("round1.manifest", "round1.seeds.csv", "ROUND1.Uploads", "x.selection.parquet"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        check_free(tmp_path, name)
    with pytest.raises(UsageError):
        save(tmp_path, name, "new")
    assert found(tmp_path) == {}


@given(st.text(max_size=70))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    folder = Path("/somewhere")
    try:
        check_free(folder, name)
    except UsageError:
        return
    for part in PARTS:
        assert (folder / f"{name}{part}").resolve().parent == folder.resolve()


@pytest.mark.parametrize("part", PARTS[1:])
def test_what_is_there_stays_unless_it_may_be_replaced(tmp_path: Path, part: str) -> None:
    (tmp_path / f"round1{part}").write_text("mine")
    with pytest.raises(FileExists, match=r"is there already: take another name, or say"):
        save(tmp_path, "round1", "new")
    assert found(tmp_path) == {f"round1{part}": "mine"}
    save(tmp_path, "round1", "new", replace=True)
    assert found(tmp_path) == whole("round1", "new")


def test_a_replaced_set_loses_what_the_new_one_does_not_have(tmp_path: Path) -> None:
    save(tmp_path, "round1", "old")
    save(tmp_path, "round1", "new", replace=True, aside=False)
    expected = whole("round1", "new")
    del expected["round1.set-aside.csv"]
    assert found(tmp_path) == expected


def test_links_are_replaced_and_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (outside / "key").write_text("secret")
    for part in PARTS[1:]:
        (folder / f"round1{part}").symlink_to(outside / ("key" if part < ".set" else "not there"))
    with pytest.raises(FileExists):
        save(folder, "round1", "new")
    save(folder, "round1", "new", replace=True)
    assert found(folder) == whole("round1", "new")
    assert found(outside) == {"key": "secret"}


def test_a_link_in_place_of_uploads_or_of_the_lock_is_refused(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (folder / "round1.uploads").symlink_to(outside)
    with pytest.raises(UsageError, match="is no folder"):
        save(folder, "round1", "new", replace=True)
    (folder / ".gandt-save.lock").unlink()
    (folder / ".gandt-save.lock").symlink_to(outside / "key")
    with pytest.raises(StorageError, match="is a link"):
        save(folder, "round2", "new")
    assert found(outside) == {}


def test_a_link_among_the_uploads_is_replaced(tmp_path: Path) -> None:
    save(tmp_path, "round1", "old")
    (tmp_path / "key").write_text("secret")
    (tmp_path / "round1.uploads" / UPLOAD).unlink()
    (tmp_path / "round1.uploads" / UPLOAD).symlink_to(tmp_path / "key")
    save(tmp_path, "round1", "new", replace=True)
    assert found(tmp_path) == {**whole("round1", "new"), "key": "secret"}


def test_a_folder_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "round1.manifest").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        save(tmp_path, "round1", "new", replace=True)


def test_where_the_block_fails_everything_is_as_it_was(tmp_path: Path) -> None:
    save(tmp_path, "round1", "old")
    with pytest.raises(ZeroDivisionError), file_set(tmp_path, "round1", replace=True) as staging:
        (staging / "round1.manifest").write_text("new")
        raise ZeroDivisionError
    assert found(tmp_path) == whole("round1", "old")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".gandt-save-")]


def test_what_cannot_be_put_in_place_does_not_come_up_again(tmp_path: Path) -> None:
    """A folder takes one of the names in the last moment."""
    with (
        pytest.raises(StorageError, match="cannot be written to"),
        file_set(tmp_path, "round1") as staging,
    ):
        for part in (".seeds.csv", ".manifest"):
            (staging / f"round1{part}").write_text("new")
        (tmp_path / "round1.seeds.csv").mkdir()
    assert found(tmp_path) == {}
    assert not list(tmp_path.glob(".gandt-save-*/"))
    save(tmp_path, "round2", "new")
    (tmp_path / "round1.seeds.csv").rmdir()
    save(tmp_path, "round1", "newer")
    assert found(tmp_path) == {**whole("round2", "new"), **whole("round1", "newer")}


def test_what_a_killed_save_cannot_finish_stops_no_other(tmp_path: Path) -> None:
    staging = tmp_path / ".gandt-save-0"
    staging.mkdir()
    (staging / "round1.manifest").write_text("old")
    (staging / "complete.json").write_text('{"name": "round1", "parts": [".manifest"]}')
    (tmp_path / "round1.manifest").mkdir()
    save(tmp_path, "round2", "new")
    assert found(tmp_path) == whole("round2", "new")


def test_what_cannot_be_written_is_called_by_its_own_name(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=rf"{tmp_path}/round1\.manifest cannot be written"),
        file_set(tmp_path, "round1") as staging,
    ):
        raise StorageError(f"{staging}/round1.manifest cannot be written: the disk is full.")
    assert not list(tmp_path.glob(".gandt-save-*/"))


def test_a_folder_that_is_gone_or_read_only_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="There is no folder"):
        save(tmp_path / "gone", "round1", "new")
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="cannot be written to: permission denied"):
            save(tmp_path, "round1", "new")
    finally:
        tmp_path.chmod(0o700)


def test_what_others_left_in_hidden_folders_leads_nowhere(tmp_path: Path) -> None:
    """A mark that is no mark of ours, or names files elsewhere, is cleared away."""
    folder = tmp_path / "folder"
    for number, mark in enumerate(
        (
            *("{", "[]", '{"name": 3, "parts": []}', '{"name": "../out", "parts": [".manifest"]}'),
            *('{"name": "a"}', '{"name": "a", "parts": 7}', ""),
        )
    ):
        staging = folder / f".gandt-save-{number}"
        staging.mkdir(parents=True)
        (staging / "complete.json").write_text(mark)
        (staging / "../out.manifest").resolve().write_text("mine")
    finish_saves(folder)
    assert found(tmp_path) == {"folder/out.manifest": "mine"}


def test_many_saves_at_once_do_not_mix(tmp_path: Path) -> None:
    failed: list[str] = []

    def work(number: int) -> None:
        for turn in range(6):
            try:
                save(tmp_path, "round1", f"{number}-{turn}", replace=turn > 0)
            except FileExists:
                failed.append(f"{number}-{turn}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = set(found(tmp_path).values())
    assert len(values) == 1
    assert found(tmp_path) == whole("round1", values.pop())
    assert len(failed) == 3, "one of them was the first"
    assert all(what.endswith("-0") for what in failed)


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_file_set import save

folder, step, replace = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "replace"
EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "shutil.rmtree")

def strike(event, arguments):
    global step
    if event in EVENTS and str(folder) in str(arguments):
        step -= 1
        if step == 0:
            os.kill(os.getpid(), signal.SIGKILL)

while True:
    # One process for each step would take a second each to start; a child is as dead when killed.
    child = os.fork()
    if child == 0:
        sys.addaudithook(strike)
        save(folder, "round1", "new", replace=replace, aside=False)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
    line = sys.stdin.readline()
    if not line:
        break
    step = int(line)
"""


def complete(folder: Path, what: str) -> bool:
    expected = whole("round1", what)
    if what == "new":
        del expected["round1.set-aside.csv"]
    return {name: text for name, text in found(folder).items() if name[0] != "."} == expected


@pytest.mark.parametrize("replace", [False, True], ids=["first", "again"])
def test_killed_at_any_step_the_set_is_the_old_or_the_new(tmp_path: Path, replace: bool) -> None:
    """A process is killed at its first look at the folder, at its second, and so on to the end."""
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(tests=str(Path(__file__).parent)))
    folder = tmp_path / "folder"
    folder.mkdir()
    how = "replace" if replace else "first"
    child = subprocess.Popen(
        [sys.executable, str(script), str(folder), "1", how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None and child.stdout is not None
    seen = {"old": 0, "new": 0, "nothing": 0, "to finish": 0}
    try:
        for step in range(1, 1000):
            for path in sorted(folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            if replace:
                save(folder, "round1", "old")
            child.stdin.write(f"{step}\n") if step > 1 else None
            child.stdin.flush()
            code = int(child.stdout.readline())
            if step == 1 and replace:  # the first came before there was something to replace
                continue
            look(folder, replace, seen)
            if code == 0:
                break
            assert code == -9
    finally:
        child.stdin.close()
        child.wait(20)
        child.stdout.close()
    assert code == 0
    assert step > 30
    assert seen["to finish"] > 4, seen
    assert seen["old" if replace else "nothing"] > 4, seen
    assert seen["new"] >= 1


def look(folder: Path, replace: bool, seen: dict[str, int]) -> None:
    """What a kill left: whole files, a manifest only with its own set, and a way on."""
    left = found(folder)
    shown = {name: text for name, text in left.items() if not name.startswith(".")}
    assert set(shown.values()) <= {"old", "new"}
    if "round1.manifest" in shown:
        what = shown["round1.manifest"]
        assert complete(folder, what)
        seen[what] += 1
    elif shown:
        seen["to finish"] += 1
    finish_saves(folder)
    assert complete(folder, "new") or (complete(folder, "old") if replace else not found(folder))
    if not found(folder):
        seen["nothing"] += 1
    assert not [name for name in found(folder) if name.startswith(".")]
    save(folder, "round1", "newer", replace=True)
    assert found(folder) == whole("round1", "newer")


def test_a_dead_process_holds_no_lock_and_a_living_one_does(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\n"
        "from gandt.serving.service.explore.saving.file_set import file_set\n"
        "with file_set(Path(sys.argv[1]), 'other') as staging:\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    saved = threading.Event()

    def wait() -> None:
        save(tmp_path, "round1", "new")
        saved.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not saved.wait(0.4)
    child.kill()
    child.wait()
    child.stdout.close()
    assert saved.wait(20)
    thread.join()
    assert found(tmp_path) == whole("round1", "new")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["round1.uploads"]
