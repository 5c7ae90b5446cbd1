"""What automatic labels must keep away from, and what needs no probe at all.

A probe knows the classes that it was shown and gives one of them to anything. The thresholds hold
for images drawn as the labeled ones were; an image of a class that nobody labeled is none of those.
So an image is labeled automatically only where it lies as near to some labeled image as labeled
images usually lie to each other: at or above the 20th percentile of their leave-one-out nearest
similarities (after centering: raw cosines cost three times the coverage). That keeps out part of
the unknown and costs little of what is known, but it promises nothing about any single class that
was never labeled: where nobody labeled shorts, they are taken for pants.

Near-copies of a labeled image have its label already, by the copies rule of selection: equal bytes,
or a centered cosine of at least 0.95.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gandt.errors import UsageError
from gandt.selection.duplicates import THRESHOLD
from gandt.selection.spaces import unit
from gandt.types import BoolArray, FloatArray, IntArray

__all__ = ["PERCENTILE", "Guard", "fit_guard", "inherit"]

PERCENTILE = 20.0
_BLOCK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Guard:
    """Tells what lies as near to the labeled images as they lie to each other."""

    labeled: FloatArray  # (m, d) unit rows of the labeled images, centered on their mean
    mean: FloatArray  # (d,)
    least: float  # centered cosine to the nearest labeled image

    def similarity(self, vectors: FloatArray) -> FloatArray:
        """`(n,)` centered cosine of each of `(n, d)` unit rows to its nearest labeled image."""
        return _nearest(unit(vectors - self.mean), self.labeled)

    def allows(self, vectors: FloatArray) -> BoolArray:
        """Tell which of `(n, d)` unit rows may be labeled automatically; `(n,)`."""
        allowed: BoolArray = self.similarity(vectors) >= self.least
        return allowed


def fit_guard(labeled: FloatArray, percentile: float = PERCENTILE) -> Guard:
    """Measure how near labeled images lie to each other.

    Parameters
    ----------
    labeled
        `(m, d)` unit rows of labeled images; with fewer than two, nothing is allowed.
    percentile
        Of their leave-one-out nearest similarities, 0 to 100; higher keeps out more.

    Raises
    ------
    UsageError
        The percentile is outside 0 to 100.
    """
    if not 0 <= percentile <= 100:
        raise UsageError(f"Percentile {percentile} is outside 0 to 100; 20 is the default.")
    if len(labeled) < 2:
        return Guard(labeled, np.zeros(labeled.shape[1], np.float32), np.inf)
    mean = labeled.mean(axis=0, dtype=np.float64).astype(np.float32)
    centered = unit(labeled - mean)
    nearest = _nearest(centered, centered, own=True)
    return Guard(centered, mean, float(np.percentile(nearest, percentile)))


def inherit(
    vectors: FloatArray,
    labeled: FloatArray,
    mean: FloatArray,
    *,
    threshold: float = THRESHOLD,
) -> IntArray:
    """Find for each image the labeled one that it is a copy of; `(n,)` places, -1 where none.

    Parameters
    ----------
    vectors, labeled
        `(n, d)` and `(m, d)` unit rows.
    mean
        `(d,)` of the pool.
    threshold
        Centered cosine from which two images are copies.
    """
    found = np.full(len(vectors), -1, np.int64)
    if len(labeled):
        known = unit(labeled - mean)
        for start in range(0, len(vectors), _BLOCK):
            cosines = unit(vectors[start : start + _BLOCK] - mean) @ known.T
            best = cosines.argmax(axis=1)
            near = cosines[np.arange(len(best)), best] >= threshold
            found[start : start + _BLOCK] = np.where(near, best, -1)
    return found


def _nearest(rows: FloatArray, known: FloatArray, *, own: bool = False) -> FloatArray:
    """Highest cosine to any known row; with `own`, the rows are those and leave out themselves."""
    out = np.full(len(rows), -np.inf, np.float32)
    for start in range(0, len(rows), _BLOCK):
        cosines = rows[start : start + _BLOCK] @ known.T
        if own:
            here = np.arange(len(cosines))
            cosines[here, here + start] = -np.inf
        out[start : start + _BLOCK] = cosines.max(axis=1, initial=-np.inf)
    return out
