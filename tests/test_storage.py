"""What storage promises on a disk: one spelling of names, whole listings, whole files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gandt import storage
from gandt.errors import StorageError

# ----------------------------------------------------------------------------------- names


def test_normalize_makes_paths_absolute_and_keeps_links(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert storage.normalize("a/../b.jpg") == str(tmp_path / "b.jpg")
    assert storage.normalize("link/x.jpg") == str(tmp_path / "link/x.jpg")
    assert storage.normalize("~/x.jpg") == str(tmp_path / "home/x.jpg")
    assert storage.normalize("~nobody-of-this-name.jpg") == str(
        tmp_path / "~nobody-of-this-name.jpg"
    )
    assert storage.normalize("file:///pictures/a%20b.jpg") == "/pictures/a b.jpg"
    assert storage.normalize("file://localhost/pictures/a.jpg") == "/pictures/a.jpg"
    assert storage.normalize("/pictures/100%25+1.jpg") == "/pictures/100%25+1.jpg"


def test_the_start_of_a_file_comes_with_what_it_is(tmp_path):
    (tmp_path / "x").write_bytes(b"0123456789")
    assert storage.read_start(tmp_path / "x", 4) == (storage.stat(tmp_path / "x"), b"0123")
    with pytest.raises(StorageError, match="There is no file"):
        storage.read_start(tmp_path / "gone", 4)
    storage.put(tmp_path / "new" / "y", b"bytes", content_type="image/png")
    assert (tmp_path / "new" / "y").read_bytes() == b"bytes"


def test_s3_names_stay_verbatim():
    assert storage.normalize("s3://b/a//../ü +%20.jpg") == "s3://b/a//../ü +%20.jpg"
    assert storage.is_remote("s3://b/k") and not storage.is_remote("/s3/b")


# -------------------------------------------------------------------------------- listings


def _entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _tree(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def _names(root: Path, **kwargs) -> list[str]:
    return [found.uri.removeprefix(f"{root}/") for found in storage.list_folder(root, **kwargs)]


def test_listing_is_in_the_byte_order_of_full_names_and_skips_hidden(tmp_path):
    _tree(tmp_path, "a/b.jpg", "a.jpg", "a-b.jpg", ".hidden", ".git/x.jpg", "Z", "ü/1", "a/.x/y")
    assert _names(tmp_path) == ["Z", "a-b.jpg", "a.jpg", "a/b.jpg", "ü/1"]


def test_size_and_version_are_those_of_the_file(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    os.utime(tmp_path / "a", ns=(1, 1234567890))
    [found] = storage.list_folder(tmp_path)
    assert found == storage.StoredObject(str(tmp_path / "a"), 5, "1234567890")
    assert storage.stat(tmp_path / "a") == found


def test_symlink_loops_end_and_nothing_comes_twice(tmp_path):
    root = tmp_path / "root"
    _tree(root, "b/1.jpg", "b/c/2.jpg")
    (root / "a").symlink_to(root / "b")  # sorts before its target, which keeps its own name
    (root / "b/c/up").symlink_to(root)
    (root / "b/self").symlink_to(root / "b")
    assert _names(root) == ["b/1.jpg", "b/c/2.jpg"]


def test_a_linked_folder_outside_is_followed_once(tmp_path):
    _tree(tmp_path, "elsewhere/1.jpg", "root/0.jpg")
    (tmp_path / "root/one").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root/two").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "root")
    assert _names(tmp_path / "root") == ["0.jpg", "one/1.jpg"]


def test_what_cannot_be_listed_is_reported_and_the_rest_is_listed(tmp_path):
    _tree(tmp_path, "good.jpg")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "itself.jpg").symlink_to(tmp_path / "itself.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    problems: dict[str, str] = {}
    assert _names(tmp_path, on_error=problems.__setitem__) == ["good.jpg"]
    assert {Path(uri).name for uri in problems} == {"dangling.jpg", "itself.jpg", "pipe.jpg"}
    assert problems[str(tmp_path / "dangling.jpg")] == "its link leads nowhere"


def test_without_a_callback_the_first_problem_raises(tmp_path):
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(StorageError, match=r"dangling\.jpg cannot be listed: its link leads no"):
        list(storage.list_folder(tmp_path))


def test_names_that_are_no_utf8_are_reported(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    try:
        Path(os.fsdecode(path)).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system only takes UTF-8 names")
    problems: list[tuple[str, str]] = []
    assert list(storage.list_folder(tmp_path, lambda *problem: problems.append(problem))) == []
    assert "not valid UTF-8" in problems[0][1]
    problems[0][0].encode()  # can be printed


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_folders_are_reported(tmp_path):
    _tree(tmp_path, "locked/1.jpg", "open/2.jpg")
    (tmp_path / "locked").chmod(0)
    problems: dict[str, str] = {}
    try:
        assert _names(tmp_path, on_error=problems.__setitem__) == ["open/2.jpg"]
    finally:
        (tmp_path / "locked").chmod(0o755)
    assert problems == {str(tmp_path / "locked"): "you have no permission for it"}


def test_a_missing_folder_raises_at_once(tmp_path):
    with pytest.raises(StorageError, match=r"There is no folder .*nowhere"):
        storage.list_folder(tmp_path / "nowhere")


# --------------------------------------------------------------------------------- reading


def test_find_and_exists(tmp_path):
    _tree(tmp_path, "a.jpg")
    assert storage.find(tmp_path / "a.jpg") is not None
    assert storage.find(tmp_path) is None
    assert storage.find(tmp_path / "a.jpg/b") is None
    assert storage.exists(tmp_path) and storage.exists(tmp_path / "a.jpg")
    assert not storage.exists(tmp_path / "b.jpg")
    assert storage.is_folder(tmp_path) and not storage.is_folder(tmp_path / "a.jpg")


def test_errors_name_the_thing_and_the_remedy(tmp_path):
    with pytest.raises(StorageError, match=r"There is no file .*nope\.jpg: check the name"):
        storage.read_bytes(tmp_path / "nope.jpg")
    with pytest.raises(StorageError, match="is a folder: name a file"):
        storage.read_bytes(tmp_path)
    with pytest.raises(StorageError, match="is a folder: name a file"):
        storage.stat(tmp_path)
    with pytest.raises(StorageError, match="check the name"):
        list(storage.open_lines(tmp_path / "nope.txt"))
    with pytest.raises(StorageError):
        storage.read_bytes("/a\0b")


@given(data=st.binary(max_size=50), offset=st.integers(0, 60), size=st.integers(0, 60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_ranges_are_slices(tmp_path, data, offset, size):
    storage.write_bytes(tmp_path / "x", data)
    assert storage.read_bytes(tmp_path / "x") == data
    assert storage.read_bytes(tmp_path / "x", offset=offset) == data[offset:]
    assert (
        storage.read_bytes(tmp_path / "x", offset=offset, size=size)
        == (data[offset : offset + size])
    )


@given(st.lists(st.binary(max_size=8).map(lambda b: b.replace(b"\n", b"").rstrip(b"\r"))))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_lines_come_back_whatever_ends_them(tmp_path, lines):
    for end in (b"\n", b"\r\n"):
        storage.write_bytes(tmp_path / "x", b"".join(line + end for line in lines))
        assert list(storage.open_lines(tmp_path / "x")) == lines


def test_lines_longer_than_a_chunk(tmp_path):
    lines = [b"a" * 3_000_000, b"", b"b" * 1_048_576, b"end"]
    storage.write_bytes(tmp_path / "x", b"\n".join(lines))
    assert list(storage.open_lines(tmp_path / "x")) == lines


# --------------------------------------------------------------------------------- writing


def test_writing_creates_folders_and_leaves_no_other_file(tmp_path):
    storage.write_bytes(tmp_path / "new/deep/x.bin", b"1")
    storage.write_bytes(tmp_path / "new/deep/x.bin", b"22")
    assert (tmp_path / "new/deep/x.bin").read_bytes() == b"22"
    assert _entries(tmp_path / "new/deep") == ["x.bin"]


@pytest.mark.parametrize("error", [RuntimeError("broke"), KeyboardInterrupt(), OSError("x")])
def test_a_failed_write_keeps_the_old_file_and_no_temporary(tmp_path, error):
    target = tmp_path / "x.npy"
    target.write_bytes(b"old")
    with pytest.raises(type(error)), storage.atomic_path(target) as temporary:
        temporary.write_bytes(b"half of the n")
        raise error
    assert target.read_bytes() == b"old"
    assert _entries(tmp_path) == ["x.npy"]


def test_the_old_file_is_seen_until_the_block_ends(tmp_path):
    target = tmp_path / "x.npy"
    target.write_bytes(b"old")
    with storage.atomic_path(target) as temporary:
        temporary.write_bytes(b"new")
        assert target.read_bytes() == b"old"
        assert temporary.parent == tmp_path and temporary.suffix == ".npy"
        assert list(storage.list_folder(tmp_path)) == [storage.stat(target)]
    assert target.read_bytes() == b"new"


def test_the_new_file_has_ordinary_permissions(tmp_path):
    storage.write_bytes(tmp_path / "x", b"1")
    (tmp_path / "plain").write_bytes(b"1")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_stays_a_link(tmp_path):
    _tree(tmp_path, "real.txt")
    (tmp_path / "link.txt").symlink_to("real.txt")
    storage.write_bytes(tmp_path / "link.txt", b"new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_bytes() == b"new"


def test_a_folder_or_device_is_never_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="is not a file"):
        storage.write_bytes(tmp_path / "folder", b"1")
    with pytest.raises(StorageError, match="is not a file"), storage.atomic_path("/dev/null"):
        pass
    storage.write_bytes("/dev/null", b"1")  # is written into
    assert Path("/dev/null").is_char_device()


def test_unwritable_places_are_storage_errors(tmp_path):
    _tree(tmp_path, "file")
    with pytest.raises(StorageError, match="cannot be written"):
        storage.write_bytes(tmp_path / "file/below/x", b"1")
    with (
        pytest.raises(StorageError, match="cannot be written"),
        storage.atomic_path(tmp_path / "never"),
    ):
        pass  # the block made no file
    assert _entries(tmp_path) == ["file"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_sentence():
    with pytest.raises(StorageError, match="the disk is full; make room"):
        storage.write_bytes("/dev/full", b"1" * 100_000)
