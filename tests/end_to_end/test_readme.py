"""Every command in the README runs as written and prints what the README shows."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from console_blocks import blocks, run_blocks
from serve_program import Serving

if TYPE_CHECKING:
    from aws_fixtures import Aws

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def round_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory with photos/ and seeds/, as a reader would have them; the truth beside."""
    pytest.importorskip("conformal_clip_data")
    pytest.importorskip("openvino")
    folder = tmp_path_factory.mktemp("readme") / "round"
    subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo_pool.py", folder], check=True, timeout=600
    )
    (folder / "truth.csv").rename(folder.parent / "truth.csv")
    return folder


LATER = ("--without=eve", "--seed=3")
ANSWERED = {  # what people label before a command of the README, and who is not asked
    "gandt aggregate answers/": ("round1.manifest", "answers", ()),
    "gandt aggregate round2.answers/": ("round2.manifest", "round2.answers", LATER),
    "gandt aggregate auto-audit.answers/": ("auto/audit.manifest", "auto-audit.answers", LATER),
}


def answer(folder: Path, manifest: str, answers: str, options: Iterable[str]) -> None:
    """What the reader waits for between two blocks: people answer."""
    workers = [sys.executable, ROOT / "scripts" / "demo_workers.py"]
    paths = [folder / manifest, folder.parent / "truth.csv", folder / answers]
    subprocess.run([*workers, *paths, *options], check=True, timeout=600)


def go_on(folder: Path, command: str) -> None:
    """Do what a command waits for."""
    for start, asked in ANSWERED.items():
        if command.startswith(start):
            answer(folder, *asked)
    if "known.csv" in command:
        shutil.copy(folder.parent / "truth.csv", folder / "known.csv")


def through_ground_truth(folder: Path, aws: Aws) -> None:
    """Run the commands of the block on Ground Truth, and say yes to the question."""
    aws.bucket("my-bucket")
    aws.iam.role("GroundTruth")
    aws.sagemaker.add_team("inspectors")
    (block,) = (block for block in blocks(README, "sh") if block.startswith("gandt launch"))
    for command in block.replace("--out answers/", "--out fetched/").splitlines():
        ours, theirs = pty.openpty()
        os.write(ours, b"y\n")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        os.close(ours)
        os.close(theirs)
        assert done.returncode == 0, done.stdout + done.stderr
        if command.startswith("gandt launch"):
            assert "Create the job round1? [y/N]" in done.stderr
            aws.sagemaker.work("round1", truth=lambda line: "defect", over=1.0)
    assert list((folder / "fetched").rglob("worker-response/**/*.json"))


def over_http(folder: Path) -> None:
    """Run `gandt serve` as written, and ask it as written, on a port that is free."""
    (command,) = (block for block in blocks(README, "sh") if block.startswith("gandt serve"))
    (question,) = (block for block in blocks(README, "sh") if block.startswith("curl"))
    with Serving(folder, *command.split()[2:]) as serving:
        said = json.loads(shlex.split(question)[-1])
        found = serving.post("/v1/select", said)["candidates"]
        assert len(found) == 20
        if shutil.which("curl"):
            asked = question.replace(":8485/", f":{serving.port}/")
            done = subprocess.run(
                ["bash", "-c", asked], capture_output=True, text=True, check=True, timeout=120
            )
            assert json.loads(done.stdout)["candidates"] == found


@pytest.mark.slow
def test_the_commands_run_in_order(round_folder: Path, aws: Aws) -> None:
    def between(command: str) -> None:
        if command.startswith("gandt aggregate answers/"):
            through_ground_truth(round_folder, aws)
        go_on(round_folder, command)

    assert run_blocks(README, round_folder, between) >= 5

    over_http(round_folder)
    python = "\n".join(blocks(README, "python"))
    done = subprocess.run(
        [sys.executable, "-c", python],
        cwd=round_folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    shown = re.findall(r"^# (.*)$", python, flags=re.MULTILINE)
    assert (done.returncode, done.stdout.splitlines()) == (0, shown), done.stderr


def test_files_and_commands_that_it_names_exist() -> None:
    for name in re.findall(r"\]\(([\w./-]+)\)", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`(scripts/[\w./-]+)`", README):
        assert (ROOT / name).exists(), name
