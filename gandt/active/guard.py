"""What automatic labels must keep away from, and what needs no probe at all.

A probe knows the classes that it was shown and gives one of them to anything. The thresholds hold
for images drawn as the labeled ones were; an image of a class that nobody labeled is none of those.
So an image is labeled automatically only where it lies as near to some labeled image as labeled
images usually lie to each other: at or above the 20th percentile of their leave-one-out nearest
similarities (after centering: raw cosines cost three times the coverage). Where the thresholds
refuse much, what is far is mostly refused already. Where they allow all, that would cost a fifth of
it, so the limit is never higher than costs 8 % of what they allow. That keeps out what is wholly
unlike, and part of what is akin; it promises nothing about any single class that was never labeled:
where nobody labeled shorts, they are taken for pants.

Of one cost, on clothing of which two or three kinds were labeled, other measures keep out a little
more of the rest (virtual logits: Wang et al., "ViM", 2022; the ratio of distances to the nearest of
another class and of its own: Jiang et al., "To trust or not to trust a classifier", 2018), the
fifth neighbor (Sun et al., "Deep nearest neighbors", 2022) hardly any. But ViM keeps out less where
all kinds were labeled but one, and the ratio calls every cat a dog where the rest is cloth.

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
_COST = 0.4  # of the percentile: the most percent of what is allowed that the guard may cost
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


def fit_guard(
    labeled: FloatArray,
    percentile: float = PERCENTILE,
    *,
    usual: BoolArray | None = None,
    allowed: BoolArray | None = None,
) -> Guard:
    """Measure how near labeled images lie to each other.

    Parameters
    ----------
    labeled
        `(m, d)` unit rows of labeled images; with fewer than two, nothing is allowed.
    percentile
        Of their leave-one-out nearest similarities, 0 to 100; higher keeps out more.
    usual
        `(m,)` those whose similarities count for it, such as those of the pool; default: all.
    allowed
        `(m,)` those that thresholds would allow out of fold. The limit is lowered until it keeps
        out no more of them than two fifths of `percentile`, in percent; default: it is not.

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
    of_usual = nearest if usual is None else nearest[usual]
    least = float(np.percentile(of_usual, percentile)) if len(of_usual) else np.inf
    if allowed is not None and allowed.any():
        least = min(least, float(np.percentile(nearest[allowed], _COST * percentile)))
    return Guard(centered, mean, least)


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
