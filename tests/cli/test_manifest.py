"""`gandt manifest`, as typed: a whole pool, a sample, tiles, texts, and what is refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_folder_becomes_a_manifest(gandt: Run, colors: Path, tmp_path: Path) -> None:
    (colors / "notes.md").write_text("no image")
    done = gandt("manifest", "pool", "--out", "all.manifest")
    assert done.stdout == "manifest  all.manifest: 60 images\n"
    assert "note: 1 .md files are no images." in done.stderr
    lines = [json.loads(line) for line in (tmp_path / "all.manifest").read_text().splitlines()]
    assert [line["source-ref"] for line in lines] == sorted(map(str, colors.glob("*.png")))
    assert gandt("validate", "all.manifest").returncode == 0


def test_a_sample_in_tiles(gandt: Run, colors: Path, tmp_path: Path) -> None:
    done = gandt(
        *("manifest", "pool", "--sample", "20", "--group-size", "8", "--labels", "red,blue"),
        *("--json",),
    )
    assert json.loads(done.stdout)["tasks"] == 3
    assert json.loads(done.stdout)["images"] == 20


def test_texts_come_from_tables_and_lines(gandt: Run, tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text('id,Review\n1,"good, really"\n2,bad\n')
    (tmp_path / "more.txt").write_text("so-so\n\nfine\n")
    done = gandt("manifest", "--text", "reviews.csv", "more.txt")
    assert done.stdout == "manifest  all.manifest: 4 texts\n"
    lines = (tmp_path / "all.manifest").read_text().splitlines()
    assert [json.loads(line)["source"] for line in lines] == [
        *("good, really", "bad", "so-so", "fine")
    ]


def test_what_makes_no_sense_is_refused(gandt: Run, colors: Path, tmp_path: Path) -> None:
    assert (
        "--group-size and --labels together"
        in gandt("manifest", "pool", "--group-size", "8", code=2).stderr
    )
    assert "is a folder; name a file" in gandt("manifest", "pool", "--out", "x/", code=2).stderr
    assert "nowhere" in gandt("manifest", "nowhere", code=1).stderr
    (tmp_path / "gaps.csv").write_text('text\na\n""\nb\n')
    assert (
        "1 row without a text, the first is row 2"
        in gandt("manifest", "--text", "gaps.csv", code=2).stderr
    )
