"""`gandt simulate` as a person runs it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from clustered_pools import clusters
from rounds_files import write_index

from gandt.cli.simulate import SIMULATE_EXAMPLE

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Say = Callable[..., tuple[str, str]]
QUICK = ("--rounds", "2", "--repeat", "1", "--workers", "0", "--target-accuracy", "0")


@pytest.fixture
def rare(tmp_path: Path) -> Path:
    """A folder with `pool.index` of 300 images, 20 of them of a defect, and `truth.csv`."""
    vectors, which = clusters((20, 280), spread=1.2)
    uris = [f"{tmp_path}/photos/{number:03d}.jpg" for number in range(len(vectors))]
    write_index(tmp_path / "pool.index", vectors, uris)
    names = ("defect", "nominal")
    rows = "".join(f"{uri[-7:]},{names[code]}\n" for uri, code in zip(uris, which, strict=True))
    (tmp_path / "truth.csv").write_text(f"name,label\n{rows}")
    return tmp_path


def test_the_example_runs_and_says_what_was_reached(rare: Path, gandt: Run) -> None:
    done = gandt(*shlex.split(SIMULATE_EXAMPLE)[1:])
    lines = done.stdout.splitlines()
    assert lines[0] == ("sought       20 images are defect, 6.7% of 300: 5 are seeds, 15 to find")
    assert lines[1].startswith("played       10 rounds of 10 images, 3 answers each by 5 workers")
    assert re.match(r"found        .* within \d+ labels \(\d+ answers\), where nearest", lines[2])
    rows = [line.split("   ")[0] for line in lines[5:8]]
    assert rows == ["gandt", "nearest neighbor", "random order"]
    assert lines[-4].startswith("stop         would ")
    assert lines[-1] == "page         simulation/simulation.html"
    for name in ("history.csv", "found.svg", "accuracy.svg", "simulation.html"):
        assert (rare / "simulation" / name).stat().st_size > 500


def test_machines_get_one_object_and_no_progress(rare: Path, say: Say) -> None:
    out, err = say("simulate", "--truth", "truth.csv", "--json", "--target", "defect", *QUICK)
    told = json.loads(out)
    assert err == ""
    assert told["targets"] == {"defect": 15}
    assert told["strategies"]["rounds"]["labels"] == 20
    assert told["files"]["page"] == "simulation/simulation.html"


def test_what_stands_beside_can_be_chosen(rare: Path, say: Say) -> None:
    out, _ = say("simulate", "--truth", "truth.csv", "--beside", "scan", *QUICK)
    assert "full scan" in out
    assert "random" not in out
    out, _ = say("simulate", "--truth", "truth.csv", "--beside", "none", *QUICK)
    assert "full scan" not in out
    assert (rare / "simulation" / "found.svg").is_file()


@pytest.mark.parametrize("learn", ["learn=0.3", "learn"])
def test_goals_are_mixed_by_share_as_next_mixes_them(rare: Path, say: Say, learn: str) -> None:
    goals = ("--goal", "find=0.7", "--goal", learn)
    out, _ = say("simulate", "--truth", "truth.csv", "--beside", "none", *goals, *QUICK)
    assert "goals find 0.7, learn 0.3" in out


def test_a_table_of_the_positives_alone_serves(rare: Path, say: Say) -> None:
    table = (rare / "truth.csv").read_text().splitlines()
    kept = "\n".join(line for line in table if "nominal" not in line)
    (rare / "positives.csv").write_text(kept + "\n")
    out, err = say("simulate", "--truth", "positives.csv", *QUICK)
    assert "20 images are defect, 6.7% of 300: 5 are seeds, 15 to find" in out
    assert "note: 280 images of the pool have no label in positives.csv: they count as" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--truth", "nothing.csv"], "--truth nothing.csv: there is no such file"),
        (["--truth", "truth.csv", "--target", "bear"], "no class 'bear'"),
        (["--truth", "truth.csv", "--target", "defect", "--seeds", "20"], "leave none to find"),
        (["--truth", "truth.csv", "--answers", "6"], "as many workers, and there are 5"),
        (["--truth", "truth.csv", "--goal", "seek"], "write find, learn or balance"),
        (["--truth", "truth.csv", "--goal", "find=much"], "--goal 'find=much': write"),
        (["--truth", "truth.csv", "--goal", "find=nan"], "--goal 'find=nan': write"),
        (["--truth", "truth.csv", "--goal", "find", "--goal", "find=1"], "names find twice"),
        (["--truth", "truth.csv", "--beside", "luck"], "there is no 'luck'"),
        (["--truth", "truth.csv", "--target-accuracy", "1"], "cannot be kept or proven"),
        (["--truth", "truth.csv", "--out", "truth.csv"], "is a file; name a folder"),
        (["--truth", "truth.csv", "--out", "pool.index/"], "--out pool.index/ holds other files ("),
    ],
)
def test_wrong_calls_are_told_in_a_sentence(
    rare: Path, say: Say, arguments: list[str], said: str
) -> None:
    out, err = say("simulate", *arguments, code=2)
    assert said in err
    assert out == ""
    assert not (rare / "simulation").exists()


def test_an_interrupt_leaves_nothing_half_written(rare: Path, program: Path) -> None:
    command = [program, "simulate", "--truth", "truth.csv", "--rounds", "28", "--repeat", "99"]
    screen, terminal = pty.openpty()  # on a terminal progress is shown from the first round on
    with (
        subprocess.Popen(command, cwd=rare, stderr=terminal) as running,
        os.fdopen(screen, "rb") as seen,
    ):
        os.close(terminal)
        said = b""
        while b"gandt, draw 1, round " not in said:
            said += seen.read1()
        running.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # Linux ends a terminal that nobody holds by an error
            while more := seen.read1():
                said += more
    assert running.returncode == 130
    assert said.decode().splitlines()[-1].endswith("nothing was written to simulation/.")
    assert not (rare / "simulation").exists()
