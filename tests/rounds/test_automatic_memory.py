"""Automatic labels of a large pool: what is held at a time does not grow with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from clustered_pools import clusters
from rounds_files import write_index

# A process tells its peak only once, so each pool is labeled and measured by its own.
PROGRAM = """
import resource, sys
from datetime import datetime, timezone
from gandt.active.autolabel import AutoOptions
from gandt.rounds.automatic.audit import measure
from gandt.rounds.automatic.automatic import Sources, label_automatically

folder, now = sys.argv[1], datetime.now(timezone.utc)
sources = Sources([f"{folder}/labels.csv"])
label_automatically(f"{folder}/pool.index", sources, f"{folder}/auto", AutoOptions(), now=now)
measure(f"{folder}/auto", [f"{folder}/truth.csv"], now=now)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(folder: Path, size: int) -> float:
    """Label and audit a pool; the most that the process held, in megabytes."""
    vectors, truth = clusters((size // 2, size // 2), d=16, spread=0.6)
    uris = [f"/pool/of/many/images/{row // 1000:05d}/{row:012d}.jpg" for row in range(size)]
    write_index(folder / "pool.index", vectors, uris, shards=size // 20_000)
    told = [f"{uri},{'ab'[code]}\n" for uri, code in zip(uris, truth, strict=True)]
    rows = np.random.default_rng(0).choice(size, 150, replace=False)
    (folder / "labels.csv").write_text("task,label\n" + "".join(told[row] for row in rows))
    (folder / "truth.csv").write_text("task,label\n" + "".join(told[:20_000]))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)], capture_output=True, text=True, check=True
    )
    return int(done.stdout) / 1024


@pytest.mark.slow
def test_peak_memory_is_bounded(tmp_path: Path) -> None:
    """Ten times the pool takes a few numbers more for each image, but never the files' text."""
    small, large = peak(tmp_path / "small", 20_000), peak(tmp_path / "large", 200_000)
    folder = tmp_path / "large" / "auto"
    written = sum(path.stat().st_size for path in folder.iterdir())
    assert written > 55e6
    assert large - small < 80
    lines = 0
    for name in ("output.manifest", "rest.manifest"):
        with (folder / name).open("rb") as file:
            lines += sum(1 for _ in file)
    assert lines == 200_000 - 150
