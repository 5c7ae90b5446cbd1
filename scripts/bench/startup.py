"""Time `gandt --help` against the floor that its libraries set, and print a Markdown row.

Both are started in turn, so that what else the machine does falls on both; the best run of each
counts, for it is the one least disturbed.

    python scripts/bench/startup.py
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

FLOOR = "import typer, rich.table"


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs: int = parser.parse_args().runs
    program = [str(Path(sys.executable).parent / "gandt"), "--help"]
    floor = [sys.executable, "-c", FLOOR]
    pairs = [(seconds(program), seconds(floor)) for _ in range(runs + 1)][1:]  # the first is cold
    ours, theirs = (min(times) for times in zip(*pairs, strict=True))
    print(f"| `gandt --help` | `python -c '{FLOOR}'` | ratio |")
    print("|---|---|---|")
    print(f"| {ours * 1000:.0f} ms | {theirs * 1000:.0f} ms | {ours / theirs:.2f} |")


if __name__ == "__main__":
    main()
