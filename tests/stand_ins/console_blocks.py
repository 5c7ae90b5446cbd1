"""Runs the console blocks of a document: each is one command, and all that it prints."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

DURATION = r"(\d+ h )?(\d+ min )?\d+ s\b"
PROGRESS = re.compile(  # lines that appear only where something takes long
    r"images.*, .* rejected, model waited|^\d\d:\d\d:\d\d UTC |labeled, \d+%(, .* left)?$"
    r"|^[\d,]+ of [\d,]+ (files sent|images looked at|files?( so far)?, .* new)"
)


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", text, flags=re.DOTALL)


def masked(line: str) -> str:
    """What must agree: the words; figures of time and score may differ."""
    line = re.sub(r"\[[#.]+\]", "[#]", line)  # a bar
    return re.sub(r"\d[\d,.:-]*", "#", re.sub(DURATION, "T", line)).rstrip()


def run_blocks(text: str, folder: Path, before: Callable[[str], None]) -> int:
    """Run the console blocks in order in a folder; returns how many there were.

    `before` is called with each command, for what happens between two of them.
    """
    program = shutil.which("gandt", path=str(Path(sys.executable).parent))
    assert program, "the gandt program is not installed beside python"
    path = f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}"
    found = blocks(text, "console")
    for block in found:
        first, *shown = block.strip().splitlines()
        assert first.startswith("$ "), "a console block is one command and what it prints"
        before(first.removeprefix("$ "))
        done = subprocess.run(
            ["bash", "-c", first.removeprefix("$ ")],
            cwd=folder,
            env={**os.environ, "PATH": path, "PWD": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )
        printed = [line for line in done.stdout.splitlines() if not PROGRESS.search(line)]
        # Notes go to standard error and may come before or after the results.
        said, wanted = (sorted(map(masked, lines)) for lines in (printed, shown))
        assert said == wanted, f"{first} printed:\n" + "\n".join(printed)
        assert done.returncode == 0 or "failed" in done.stdout, done.stdout
    return len(found)
