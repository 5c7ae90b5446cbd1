"""Candidates that differ from one another: maximal marginal relevance and k-center.

Both pick the row of highest value, and a row's value only ever falls as others are picked. So the
next picks come from a working set of the highest values as long as one there is above all values
outside, and the whole pool is brought up to date for many picks at once (lazy greedy: Minoux,
"Accelerated greedy algorithms", 1978). The picks are those of the plain greedy rule; memory is `n`
numbers and the working set, whatever the number of picks.
"""

from __future__ import annotations

import numpy as np

from gandt.errors import UsageError
from gandt.types import FloatArray, IntArray

_WORKING = 4096  # rows that picks come from between two passes over all
_PICKS = 64  # between two passes at most
_BLOCK = 8192  # rows of a pass at a time

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
    return _greedy(worth, weight, vectors, count, np.full(len(vectors), -1.0, np.float32))


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
        _bring_up_to_date(nearest, vectors, covered)
    elif len(vectors):
        nearest[first] = -3.0
    return _greedy(np.zeros(len(vectors), np.float32), 1.0, vectors, count, nearest)


def _greedy(
    worth: FloatArray, weight: float, vectors: FloatArray, count: int, nearest: FloatArray
) -> IntArray:
    """Pick the highest `worth - weight * nearest`, where `nearest` is a row's best cosine so far.

    Changes `worth` and `nearest`, both `(n,)`.
    """
    n, scale = len(vectors), np.float32(weight)
    picks: list[int] = []
    while len(picks) < min(count, n):
        value = worth - scale * nearest
        working = np.arange(n)
        outside = -np.inf  # the highest value that is not in the working set
        if n > _WORKING:
            parted = np.argpartition(-value, _WORKING)
            outside = float(value[parted[_WORKING:]].max())
            # The very best is in it even where many rows tie; in row order, so ties go by row.
            working = np.unique(np.append(parted[:_WORKING], value.argmax()))
        rows, near, own = vectors[working], nearest[working], worth[working]
        fresh: list[int] = []
        while len(fresh) < min(_PICKS, count - len(picks), len(working)):
            current = own - scale * near
            best = int(current.argmax())
            if fresh and current[best] <= outside:
                break
            fresh.append(int(working[best]))
            own[best] = -np.inf
            np.maximum(near, rows @ rows[best], out=near)
        worth[fresh] = -np.inf
        _bring_up_to_date(nearest, vectors, vectors[fresh])
        picks += fresh
    return np.array(picks, np.int64)


def _bring_up_to_date(nearest: FloatArray, vectors: FloatArray, added: FloatArray) -> None:
    for start in range(0, len(vectors), _BLOCK):
        part = nearest[start : start + _BLOCK]
        np.maximum(part, (vectors[start : start + _BLOCK] @ added.T).max(axis=1), out=part)
