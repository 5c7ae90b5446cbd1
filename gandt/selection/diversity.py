"""Candidates that differ from one another: maximal marginal relevance and k-center.

Both pick one row at a time and remember for each row only how near it is to its nearest pick, so a
pick costs one product of `n x d` and memory is `n`, whatever the number of picks.
"""

from __future__ import annotations

import numpy as np

from gandt.errors import UsageError
from gandt.types import FloatArray, IntArray

__all__ = ["k_center", "marginal_relevance"]


def marginal_relevance(
    relevance: FloatArray, vectors: FloatArray, count: int, weight: float = 0.3
) -> IntArray:
    """Pick rows that are relevant and unlike what was picked before; `(min(count, n),)`.

    Maximal marginal relevance: Carbonell & Goldstein, "The use of MMR, diversity-based reranking
    for reordering documents and producing summaries", SIGIR 1998. Each pick maximizes
    `(1 - weight) * relevance - weight * (cosine to the nearest pick)`, with relevance brought to
    [0, 1] over the rows given. Ties by the lower row; `weight` 0 is the plain ranking.

    Parameters
    ----------
    relevance
        `(n,)`, higher is better, finite.
    vectors
        `(n, d)` unit rows, best centered on the pool's mean.
    count
        How many to pick.
    weight
        Of the difference, in [0, 1].

    Raises
    ------
    UsageError
        Where the weight is outside [0, 1].
    """
    if not 0 <= weight <= 1:
        raise UsageError(f"A diversity of {weight} makes no sense: use a value from 0 to 1.")
    spread = float(np.ptp(relevance)) if len(relevance) else 0.0
    lowest = relevance.min(initial=np.inf)
    scaled = (relevance - lowest) / spread if spread > 0 else np.zeros(len(relevance))
    worth = ((1 - weight) * scaled).astype(np.float32)
    nearest = np.full(len(vectors), -1.0, np.float32)  # cosine to the nearest pick
    picks: list[int] = []
    for _ in range(min(count, len(vectors))):
        pick = int((worth - np.float32(weight) * nearest).argmax())
        picks.append(pick)
        worth[pick] = -np.inf
        np.maximum(nearest, vectors @ vectors[pick], out=nearest)
    return np.array(picks, np.int64)


def k_center(
    vectors: FloatArray, count: int, first: int = 0, covered: FloatArray | None = None
) -> IntArray:
    """Pick rows so that no row is far from its nearest pick; `(min(count, n),)`.

    Farthest-first traversal, at most twice the best possible radius: Gonzalez, "Clustering to
    minimize the maximum intercluster distance", 1985; for choosing what to label: Sener &
    Savarese, "Active learning for convolutional neural networks: a core-set approach", ICLR 2018.
    It knows no relevance: give it a shortlist. Ties by the lower row.

    Parameters
    ----------
    vectors
        `(n, d)` unit rows, best centered on the pool's mean.
    count
        How many to pick.
    first
        The row to begin with, e.g. the best of the ranking; unused where `covered` has rows.
    covered
        `(k, d)` unit rows that count as picked already, such as seeds.
    """
    nearest = np.full(len(vectors), -2.0, np.float32)
    if covered is not None and len(covered):
        for row in covered:
            np.maximum(nearest, vectors @ row, out=nearest)
    elif len(vectors):
        nearest[first] = -3.0
    picks: list[int] = []
    for _ in range(min(count, len(vectors))):
        pick = int(nearest.argmin())
        picks.append(pick)
        np.maximum(nearest, vectors @ vectors[pick], out=nearest)
        nearest[pick] = np.inf  # also where its own cosine came out under 1 by rounding
    return np.array(picks, np.int64)
