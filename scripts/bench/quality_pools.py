"""Labeled image pools for measuring selection, embedded by G&T itself under neutral names.

Reads `<data>/<pool>/labels.csv` and `<data>/<pool>/pool/`; writes copies named by a shuffled number
and an index per pool into a work folder, which the next run finds again.
"""

from __future__ import annotations

import csv
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import gandt
from gandt.types import FloatArray, IntArray

__all__ = ["POOLS", "Pool", "data_folder", "load_pool"]

# Pool -> what is not scored as a target: leftovers of the source, and what is simply normal.
POOLS = {
    "clothing": frozenset({"Not_sure", "Other", "Skip"}),
    "cats_dogs": frozenset[str](),
    "textile_defects": frozenset({"nominal"}),
}


@dataclass(frozen=True, slots=True)
class Pool:
    """Vectors and hidden labels of one pool."""

    name: str
    vectors: FloatArray  # (n, d) unit rows, in shuffled order
    labels: npt.NDArray[np.str_]  # (n,)
    classes: tuple[str, ...]  # those that are scored

    def draw(self, count: int, repeat: int) -> dict[str, IntArray]:
        """Rows of `count` random seeds per class; from 20 on, classes of 40 images or more."""
        rng = np.random.default_rng([count, repeat])
        drawn = {}
        for name in self.classes:
            rows = np.flatnonzero(self.labels == name)
            if count < 20 or len(rows) >= 40:
                drawn[name] = np.sort(rng.choice(rows, count, replace=False))
        return drawn

    def mislabel(self, drawn: dict[str, IntArray], repeat: int) -> dict[str, IntArray]:
        """Replace one seed of each class by a random image that is not of the class."""
        rng = np.random.default_rng([977, repeat])
        spoiled = {}
        for name, rows in drawn.items():
            wrong = rng.choice(np.flatnonzero(self.labels != name), 1)
            spoiled[name] = np.concatenate([wrong, rows[1:]])
        return spoiled


def data_folder() -> Path:
    """Where the image sets lie: `$GANDT_DATA`, or `shared/data` beside the checkout."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    return Path(os.environ.get("GANDT_DATA", beside))


def load_pool(name: str, data: Path, work: Path, model: str) -> Pool:
    """Copy a pool under neutral names and embed it with G&T's public API."""
    with (data / name / "labels.csv").open(newline="") as file:
        listed = [(row["file"], row["label"]) for row in csv.DictReader(file)]
    order = np.random.default_rng(20).permutation(len(listed))
    labels_by_name = {}
    photos = work / f"{name}.photos"
    photos.mkdir(parents=True, exist_ok=True)
    for number, position in enumerate(order):
        file_name, label = listed[position]
        neutral = photos / f"{number:06d}.jpg"
        if not neutral.exists():
            shutil.copyfile(data / name / "pool" / file_name, neutral)
        labels_by_name[neutral.name] = label
    folder = work / f"{name}.{model.replace('/', '_').replace(':', '_')}.index"
    gandt.embed(photos, index=folder, model=model)
    index = gandt.open_index(folder)
    rows = np.setdiff1d(np.arange(index.rows), index.dead)
    labels = np.array([labels_by_name[Path(uri).name] for uri in index.uris(rows)])
    scored = sorted(set(labels.tolist()) - POOLS[name])
    return Pool(name, index.take(rows), labels, tuple(scored))
