"""`gandt label` as a program: what it refuses, and what it says in the end."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from desk_program import (
    PROGRAM,
    DeskProgram,
    DeskThread,
    Visitor,
    first_line,
    write_manifest,
)
from PIL import Image

Start = Callable[..., DeskThread]


def run(folder: Path, *arguments: str, code: int) -> str:
    done = subprocess.run(
        [str(PROGRAM), "label", *arguments, "--no-browser"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def entered(link: str, name: str) -> Visitor:
    """Come as somebody to a desk that runs as a program, by the link that it printed."""
    origin = link.partition("/enter")[0]
    port = int(origin.rpartition(":")[2])
    where: Any = SimpleNamespace(host="127.0.0.1", port=port, origin=origin, links={name: link})
    visitor = Visitor(where)
    visitor.enter(name)
    return visitor


def test_a_port_that_is_taken_is_an_error_with_a_remedy(start: Start, tmp_path: Path) -> None:
    port = str(start().port)
    labels = ("--labels", "a,b", "--out", "other.answers")
    said = run(tmp_path, "round1.manifest", *labels, "--port", port, code=2)
    assert f"Port {port} is taken: name another (--port)" in said


def test_a_folder_that_is_open_elsewhere_is_an_error(start: Start, tmp_path: Path) -> None:
    start()
    said = run(tmp_path, "round1.manifest", "--labels", "cat,dog,Other", code=1)
    assert "round1.answers is open in another `gandt label`" in said


def test_others_are_let_in_by_links_only(tmp_path: Path) -> None:
    said = run(tmp_path, "round1.manifest", "--host", "0.0.0.0", code=2)
    assert "--people ann,ben makes a link for each" in said
    said = run(tmp_path, "round1.manifest", "--people", "ann,ben,Ann", code=2)
    assert "names somebody twice" in said


def test_no_manifest_no_labels(tmp_path: Path) -> None:
    assert "There is no file" in run(tmp_path, code=1)
    write_manifest(tmp_path / "selection.manifest", [{"source": "words"}])
    assert "needs labels to offer" in run(tmp_path, code=2)
    assert "holds an empty name" in run(tmp_path, "--labels", "a,,b", code=2)
    assert not (tmp_path / "selection.answers").exists()


def test_a_page_that_could_send_nothing_is_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path / "round1.manifest", [{"source": "words"}])
    (tmp_path / "own.html").write_text("<p>{{ task.input.source }}</p>")
    said = run(tmp_path, "round1.manifest", "--template", "own.html", code=1)
    assert "Nothing could be answered on the page own.html: there is no <crowd-form>" in said


def test_seeds_are_examples_on_the_page(tmp_path: Path, lines: list[dict[str, object]]) -> None:
    """The first three of each class; a class that is no label is what is not wanted."""
    write_manifest(tmp_path / "round1.manifest", lines)
    for label in ("cat", "dog", "hamster"):
        folder = tmp_path / "seeds" / label
        folder.mkdir(parents=True)
        for number in range(4):
            (folder / f"{number}.png").write_bytes(
                Path(str(lines[number]["source-ref"])).read_bytes()
            )
    with DeskProgram(
        tmp_path, "round1.manifest", "--labels", "cat,dog", "--examples", "seeds"
    ) as desk:
        text = desk.visitor("ann").get().text
        desk.stop()
    shown = re.findall(r'data-kind="(good|bad)" data-src="/image/[0-9a-f]{32}"', text)
    assert shown == ["good"] * 6 + ["bad"] * 3
    assert "hamster" not in text
    assert str(tmp_path) not in text
    said = run(
        *(tmp_path, "round1.manifest", "--labels", "cat,dog", "--examples", "gone", "--out", "new"),
        code=1,
    )
    assert "there is nothing at gone" in said
    assert not (tmp_path / "new").exists()


def test_what_will_not_go_well_is_said_before_anybody_sits_down(tmp_path: Path) -> None:
    scan = tmp_path / "scan.TIF"
    Image.new("RGB", (4, 4)).save(scan)
    images = [{"source-ref": "/gone/1.png"}, {"source-ref": str(scan)}]
    write_manifest(tmp_path / "round1.manifest", images)
    with DeskProgram(tmp_path, "round1.manifest", "--labels", "a,b") as desk:
        desk.stop(signal.SIGTERM)
    assert "1 image cannot be found (/gone/1.png); the page says so." in desk.said
    assert f"1 image of the kind TIFF, which browsers do not show ({scan})" in desk.said


def test_ctrl_c_prints_what_was_labeled_and_what_comes_next(
    tmp_path: Path, lines: list[dict[str, object]]
) -> None:
    write_manifest(tmp_path / "round1.manifest", lines)
    with subprocess.Popen(
        [
            *(str(PROGRAM), "label", "round1.manifest", "--labels", "cat,dog,Other"),
            *("--no-browser", "--port", "0", "--people", "ann,ben"),
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = [first_line(process), *(process.stdout.readline() for _ in range(3))]
        assert printed[0] == "tasks     6 tasks, on the page image-classification\n"
        assert printed[1] == "labels    cat, dog, Other\n"
        name, link = printed[2].split()
        assert (name, link.rpartition("/")[0].endswith("/enter")) == ("ann", True)
        ann = entered(link, "ann")
        ann.answer("cat")
        ann.connection.close()
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert rest.splitlines() == [
        "answers   1 (1 new) by 1 person",
        "finished  1 of 6 tasks",
        "missing   5 answers; run the same command to go on",
        "next      gandt aggregate round1.answers --out round1/",
    ]


@pytest.mark.parametrize("folder", ["round 1/", ""])
def test_what_is_asked_again_is_counted_with_what_was_said_before(
    tmp_path: Path, lines: list[dict[str, object]], folder: str
) -> None:
    """The command that the program prints in the end makes one round of both."""
    (tmp_path / folder).mkdir(exist_ok=True)
    said = "".join(f"{line['source-ref']},{who},cat\n" for line in lines for who in ("ann", "ben"))
    doubted = f"{lines[0]['source-ref']},cleo,dog\n"
    (tmp_path / "said.csv").write_text(f"task,worker,label\n{said}{doubted}")
    first = str(tmp_path / folder) if folder else str(tmp_path / "made")
    gandt = [str(PROGRAM), "aggregate"]
    made = [*gandt, "said.csv", "--out", first, "--classes", "cat,dog", "--min-answers", "3"]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    there = tmp_path / folder if folder else tmp_path / "made"
    manifest = f"{folder}relabel.manifest"
    with subprocess.Popen(
        [
            *(str(PROGRAM), "label", manifest, "--labels", "cat,dog", "--out", f"{tmp_path}/again"),
            *("--no-browser", "--port", "0", "--people", "dan"),
        ],
        cwd=tmp_path if folder else there,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        link = [first_line(process), *(process.stdout.readline() for _ in range(2))][2].split()[1]
        dan = entered(link, "dan")
        dan.answer("cat")
        dan.connection.close()
        process.send_signal(signal.SIGINT)
        rest, complaints = process.communicate(timeout=30)
    assert process.returncode == 0, complaints
    command = shlex.split(rest.splitlines()[-1].removeprefix("next"))
    home = folder or "./"
    assert command == ["gandt", "aggregate", home, f"{tmp_path}/again", "--out", home]
    done = subprocess.run(
        [*gandt, *command[2:]],
        cwd=tmp_path if folder else there,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.splitlines()[1].split()[:2] == ["answers", "14"]


def test_others_come_in_by_links_that_name_this_machine(
    tmp_path: Path, lines: list[dict[str, object]]
) -> None:
    write_manifest(tmp_path / "round1.manifest", lines)
    arguments = ("round1.manifest", "--labels", "a,b", "--host", "0.0.0.0", "--people", "ann")
    with DeskProgram(tmp_path, *arguments) as desk:
        assert desk.host not in ("0.0.0.0", "127.0.0.1", "localhost")
        named, desk.host = f"{desk.host}:{desk.port}", "127.0.0.1"
        ann = desk.visitor()
        reply = ann.get(urlsplit(desk.links["ann"]).path, {"Host": named})
        assert reply.status == 200
        desk.stop()
    assert "travel unencrypted" in desk.said


def test_a_full_disk_is_said_and_what_was_accepted_is_kept(tmp_path: Path) -> None:
    """The program may write files of 400 kB at most, which the database soon wants to exceed."""
    resource = pytest.importorskip("resource")

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    write_manifest(tmp_path / "round1.manifest", [{"source": "words"}] * 400)
    accepted = 0
    with DeskProgram(tmp_path, "round1.manifest", "--labels", "a,b", before=little) as desk:
        ann = desk.visitor("ann")
        while (reply := ann.get()).status == 200 and accepted < 400:
            reply = ann.answer("a", reply.desk)
            if reply.status != 200:
                break
            accepted += 1
        assert reply.status == 500
        assert "tell whoever runs it" in reply.text
        assert str(tmp_path) not in reply.text
        ann.connection.close()
        desk.process.kill()
        assert "make room or give access" in desk.process.communicate(timeout=120)[1]
    assert 0 < accepted < 400
    with DeskProgram(tmp_path, "round1.manifest", "--labels", "a,b") as desk:
        assert accepted <= desk.stop()["answers"] <= accepted + 1


def test_fewer_people_than_answers_wanted_could_never_finish(tmp_path: Path) -> None:
    write_manifest(tmp_path / "round1.manifest", [{"source": "one"}])
    words = ["--people", "ann", "--workers-per-task", "2", "--labels", "a,b"]
    done = subprocess.run(
        [PROGRAM, "label", "round1.manifest", *words, "--no-browser"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 2
    assert "wants more people than --people names (1)" in done.stderr
    assert not (tmp_path / "round1.answers").exists()
