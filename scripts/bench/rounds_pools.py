"""Pools for measuring rounds: one class thinned to be rare, and large ones made by jittering."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from quality_pools import Pool

from gandt.index.ann import ExactIndex, NeighborIndex, open_ann
from gandt.index.arrays import ArrayStore
from gandt.index.build import build
from gandt.index.plan import plan_code
from gandt.selection.spaces import moments
from gandt.types import HalfArray, IntArray

__all__ = ["Hunt", "held_out_hunts", "jittered", "names_of", "thinned", "tuned_hunts"]

_DIMENSION = 256  # of jittered pools: a million of them in half a gigabyte
_BLOCK = 50_000


def names_of(pool: Pool) -> tuple[tuple[str, ...], IntArray]:
    """All class names of a pool, leftovers too, and each image's as a number."""
    names, codes = np.unique(pool.labels, return_inverse=True)
    return tuple(names.tolist()), codes.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Hunt:
    """A rare class of a pool, and how it is looked for."""

    pool: Pool
    name: str
    share: float | None  # that the class is thinned to; None: as it is
    step: float  # share of the pool that is labeled per round
    marks: tuple[float, ...]  # shares labeled at which recall is told

    @property
    def key(self) -> str:
        """What it is called in a table."""
        return f"{self.pool.name}, {self.name}"

    def draw(self, redraw: int) -> tuple[HalfArray, IntArray]:
        """Vectors, and the truth: 0 is the class, 1 all else."""
        share = self.share
        if share is None:
            share = float((self.pool.labels == self.name).mean())
        return thinned(self.pool, self.name, share, redraw)


def tuned_hunts(pool: Pool) -> list[Hunt]:
    """Each class of 60 images or more, thinned to 1 %: the pool that rounds were tuned on."""
    wide = [name for name in pool.classes if (pool.labels == name).sum() >= 60]
    return [Hunt(pool, name, 0.01, 0.005, (0.02, 0.05, 0.10)) for name in sorted(wide)]


def held_out_hunts(pools: dict[str, Pool]) -> list[Hunt]:
    """Classes of pools that nothing was tuned on; these are small, so 5 and 6.7 % is rare."""
    marks = (0.05, 0.10, 0.20)
    animals = [Hunt(pools["cats_dogs"], name, 0.05, 0.025, marks) for name in ("cat", "dog")]
    weaves = [
        Hunt(pools["textile_defects"], each, None, 0.025, marks) for each in ("global", "local")
    ]
    return animals + weaves


def thinned(pool: Pool, name: str, share: float, redraw: int) -> tuple[HalfArray, IntArray]:
    """Drop images of a class until it is that share of the pool; class 0 is it, 1 all else."""
    rng = np.random.default_rng([redraw, 1])
    mine, others = np.flatnonzero(pool.labels == name), np.flatnonzero(pool.labels != name)
    count = min(round(len(others) * share / (1 - share)), len(mine))
    rows = np.sort(np.concatenate([others, rng.choice(mine, count, replace=False)]))
    truth: npt.NDArray[np.int64] = np.where(pool.labels[rows] == name, 0, 1).astype(np.int64)
    return pool.vectors[rows].astype(np.float16), truth


def jittered(
    pool: Pool, size: int, share: float, work: Path, name: str = "Hat"
) -> tuple[ArrayStore, IntArray, str, NeighborIndex]:
    """Make a large pool: each vector lies between an image and another of its class, with noise.

    In the leading 256 principal axes of the real pool. From 100,000 on an approximate index is
    built, and kept in the work folder.
    """
    rng = np.random.default_rng([size, 5])
    space = moments(pool.vectors)
    flat = (pool.vectors - space.mean) @ space.axes
    mean = space.mean @ space.axes  # the common direction stays: raw cosines are what is searched
    _, codes = names_of(pool)
    mine = np.flatnonzero(pool.labels == name)
    others = np.flatnonzero(pool.labels != name)
    rare = round(share * size)
    base = np.concatenate([rng.choice(mine, rare), rng.choice(others, size - rare)])
    order = rng.permutation(size)
    base = base[order]
    truth = np.where(order < rare, 0, 1).astype(np.int64)
    by_class = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[by_class], np.arange(codes.max() + 2))
    noise = 0.5 * flat.std(axis=0)
    vectors = np.empty((size, flat.shape[1]), np.float16)
    for at in range(0, size, _BLOCK):
        rows = base[at : at + _BLOCK]
        of = codes[rows]
        mate = by_class[rng.integers(starts[of], starts[of + 1])]
        weight = rng.uniform(0, 0.4, (len(rows), 1)).astype(np.float32)
        mixed = (1 - weight) * flat[rows] + weight * flat[mate] + mean
        mixed += noise * rng.standard_normal(mixed.shape, dtype=np.float32)
        mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
        vectors[at : at + _BLOCK] = mixed
    store = ArrayStore(vectors)
    if size < 100_000:
        return store, truth, name, ExactIndex(store)
    folder = work / f"jittered-{size}"
    folder.mkdir(parents=True, exist_ok=True)
    report = build(store, plan_code(size, _DIMENSION, "sq8"), folder)
    search = open_ann(folder / "search.faiss", store, report.as_json())
    return store, truth, name, search
