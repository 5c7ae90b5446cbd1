"""Every command in the README runs as written and prints what the README shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from console_blocks import blocks, run_blocks

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


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
    def between(command: str) -> None:
        if command.startswith("gandt aggregate answers/"):
            answer(round_folder)

    assert run_blocks(README, round_folder, between) >= 5

    python = "\n".join(blocks(README, "python"))
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
