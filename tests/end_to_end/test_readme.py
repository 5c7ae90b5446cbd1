"""Every command in the README runs as written and prints what the README shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
DURATION = r"(\d+ h )?(\d+ min )?\d+ s\b"
PROGRESS = re.compile(r"images/s, .* rejected, model waited")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", README, flags=re.DOTALL)


def masked(line: str) -> str:
    """What must agree: the words; figures of time and score may differ."""
    return re.sub(r"\d[\d,.]*", "#", re.sub(DURATION, "T", line)).rstrip()


@pytest.fixture(scope="module")
def round_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory with photos/ and seeds/, as a reader would have them; the truth beside."""
    pytest.importorskip("conformal_clip_data")
    pytest.importorskip("openvino")
    folder = tmp_path_factory.mktemp("readme") / "round"
    subprocess.run([sys.executable, ROOT / "scripts" / "demo_pool.py", folder], check=True)
    (folder / "truth.csv").rename(folder.parent / "truth.csv")
    return folder


def answer(folder: Path) -> None:
    """What the reader waits for between two blocks: people answer."""
    workers = [sys.executable, ROOT / "scripts" / "demo_workers.py"]
    paths = [folder / "round1.manifest", folder.parent / "truth.csv", folder / "answers"]
    subprocess.run([*workers, *paths], check=True)


@pytest.mark.slow
def test_the_console_blocks_run_in_order(round_folder: Path) -> None:
    program = shutil.which("gandt", path=str(Path(sys.executable).parent))
    assert program, "the gandt program is not installed beside python"
    path = f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}"
    commands = 0
    for block in blocks("console"):
        first, *shown = block.strip().splitlines()
        assert first.startswith("$ "), "a console block is one command and what it prints"
        if first.startswith("$ gandt aggregate answers/"):
            answer(round_folder)
        done = subprocess.run(
            ["bash", "-c", first.removeprefix("$ ")],
            cwd=round_folder,
            env={**os.environ, "PATH": path, "PWD": str(round_folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        printed = [line for line in done.stdout.splitlines() if not PROGRESS.search(line)]
        # Notes go to standard error and may come before or after the results.
        assert sorted(map(masked, printed)) == sorted(map(masked, shown)), first
        commands += 1
    assert commands >= 5

    python = "\n".join(blocks("python"))
    done = subprocess.run(
        [sys.executable, "-c", python],
        cwd=round_folder,
        capture_output=True,
        text=True,
        check=False,
    )
    shown = re.findall(r"^# (.*)$", python, flags=re.MULTILINE)
    assert (done.returncode, done.stdout.splitlines()) == (0, shown), done.stderr


def test_files_and_commands_that_it_names_exist() -> None:
    for name in re.findall(r"\]\(([\w./-]+)\)", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`(scripts/[\w./-]+)`", README):
        assert (ROOT / name).exists(), name
