"""Folds that a probe can be tested on: copies stay together, rare classes are spread.

A picture that is in the pool twice would be predicted from itself, and the prediction would look
better than it is. Copies are told as in selection: cosine after centering on the mean at least
0.95 (measured in `gandt.selection.duplicates`; raw cosines have no safe threshold).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gandt.selection.duplicates import THRESHOLD
from gandt.selection.spaces import unit
from gandt.types import FloatArray, IntArray

__all__ = ["copy_groups", "deal_folds"]

_BLOCK = 1024  # rows compared at a time
_QUADRATIC = 150_000  # rows up to which every pair is compared: 100 s of one core
_PAIRS_PER_ROW = 20  # more than that are no copies but a space too narrow for the threshold
_LARGEST = 0.1  # share of all rows that one group may hold before the threshold is too loose
_STRICTER = 0.99  # the second try
_ROUNDING = 1e-4  # a projection may seem this much farther than it is


def copy_groups(
    vectors: FloatArray, mean: FloatArray, axes: FloatArray, *, threshold: float = THRESHOLD
) -> IntArray:
    """Group near-copies, directly or through others; `(n,)` a group number per row.

    Where the threshold would pull unlike images together (a space of few dimensions), a stricter
    one is tried, then only equal vectors count; so too in sets of more than 150,000 rows, where
    comparing all pairs takes too long.

    Parameters
    ----------
    vectors
        `(n, d)` unit rows.
    mean, axes
        `(d,)` and `(d, r)`: the mean and the leading principal axes. The distance along some axes
        is never more than along all, so pairs are first compared in `r` dimensions.
    threshold
        Centered cosine from which two rows are copies.
    """
    if len(vectors) <= _QUADRATIC:
        centered = unit(vectors - mean)
        for bound in (threshold, max(threshold, _STRICTER)):
            pairs = _near_pairs(centered, axes, bound)
            if pairs is None:
                continue
            groups = _components(pairs, len(vectors))
            if len(groups) == 0 or np.bincount(groups).max() <= max(_LARGEST * len(groups), 2):
                return groups
    equal = np.unique(np.ascontiguousarray(vectors, np.float16), axis=0, return_inverse=True)[1]
    return np.asarray(equal, np.int64).reshape(-1)


def deal_folds(
    groups: IntArray, strata: IntArray, folds: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Deal whole groups to folds, those of one stratum evenly; `(n,)` a fold per row.

    Parameters
    ----------
    groups
        `(n,)` group numbers from 0 on, without gaps.
    strata
        `(n,)` what to spread evenly, such as the likeliest class; a group counts as its first row.
    folds
        At most so many; with fewer groups each is a fold of its own.
    """
    _, first = np.unique(groups, return_index=True)
    shuffled = rng.permutation(len(first))
    order = shuffled[np.argsort(strata[first[shuffled]], kind="stable")]
    fold_of_group = np.empty(len(first), np.int64)
    fold_of_group[order] = np.arange(len(first)) % folds
    return np.asarray(fold_of_group[groups])


def _near_pairs(
    centered: FloatArray, axes: FloatArray, threshold: float
) -> tuple[IntArray, IntArray] | None:
    """List pairs of unit rows with a cosine of at least `threshold`; None where they are many."""
    flat = centered @ axes
    half = 0.5 * np.square(flat).sum(axis=1)
    reach = (1 - threshold) + _ROUNDING  # half the squared distance of two copies
    left: list[IntArray] = []
    right: list[IntArray] = []
    found = 0
    for start in range(0, len(flat), _BLOCK):
        block = flat[start : start + _BLOCK]
        # Half the squared distance is at most `reach`, and each pair is looked at once.
        near = block @ flat[start:].T
        near -= half[start:]
        rows, columns = np.nonzero(near >= (half[start : start + _BLOCK] - reach)[:, None])
        once = rows < columns
        rows, columns = rows[once] + start, columns[once] + start
        if len(rows) > 16 * _PAIRS_PER_ROW * _BLOCK:
            return None
        cosines = np.einsum("ij,ij->i", centered[rows], centered[columns])
        close = cosines >= threshold
        left.append(rows[close])
        right.append(columns[close])
        found += int(close.sum())
        if found > _PAIRS_PER_ROW * len(flat):
            return None
    if not left:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(left), np.concatenate(right)


def _components(pairs: tuple[IntArray, IntArray], rows: int) -> IntArray:
    graph = coo_array((np.ones(len(pairs[0]), np.bool_), pairs), shape=(rows, rows))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
