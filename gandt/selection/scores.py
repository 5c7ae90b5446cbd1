"""Arithmetic that strategies share: making scores comparable, letting classes compete.

Scores here are `(nodes, c)` float64, one column per class; a node is a candidate or a seed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gandt.types import FloatArray

__all__ = [
    "Scores",
    "as_result",
    "log_ranks",
    "margins",
    "seed_weights",
    "some_rows",
    "standardize",
]

Scores = npt.NDArray[np.float64]

_LOWEST, _HIGHEST = -5.0, 12.0  # standard deviations: one odd row must not set the scale
_CHANCE_ROWS = 4096  # of the background: enough for a share to two digits
_RANK_OFFSET = 10  # how much the very first ranks count; the 60 of retrieval blurs them


def standardize(scores: Scores) -> Scores:
    """Bring each column to mean 0 and deviation 1, cut to [-5, 12]; a constant column to 0."""
    deviation = scores.std(axis=0)
    usable = deviation > 1e-9 * np.maximum(np.abs(scores).max(axis=0, initial=0.0), 1e-30)
    scaled = (scores - scores.mean(axis=0)) / np.where(usable, deviation, 1.0)
    return np.clip(np.where(usable, scaled, 0.0), _LOWEST, _HIGHEST)


def margins(scores: Scores, targets: int, weight: float) -> Scores:
    """Take `weight` times the best other class from each target; `(nodes, targets)`.

    The contrast class, where there is one, is a column after the targets and competes like any
    other. Subtracting it from the *query* instead was measured to hurt: what is not wanted is
    seldom one thing, and its mean lies near the pool's.
    """
    if scores.shape[1] < 2:
        return scores[:, :targets]
    ordered = np.partition(scores, -2, axis=1)
    best, second = ordered[:, -1:], ordered[:, -2:-1]
    own = scores[:, :targets]
    return np.asarray(own - weight * np.where(own == best, second, best))


def log_ranks(scores: Scores) -> Scores:
    """Replace each column by `-log(rank + 10)`, rank 0 for the best, ties by the lower row.

    Sums of it fuse rankings whose scores have nothing in common (a form of reciprocal rank
    fusion: Cormack, Clarke & Buettcher, SIGIR 2009).
    """
    order = np.argsort(-scores, axis=0, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(len(scores))[:, None], axis=0)
    return np.asarray(-np.log(ranks + float(_RANK_OFFSET)), np.float64)


def some_rows(background: FloatArray) -> FloatArray:
    """Evenly spaced rows of the background, as many as `seed_weights` looks at or fewer."""
    return background[:: max(1, -(-len(background) // _CHANCE_ROWS))]


def seed_weights(seeds: FloatArray, background: FloatArray) -> Scores:
    """Weigh each seed by how well the other seeds of its class vouch for it; `(k,)`, sum 1.

    The weight is the share of background rows that are less similar to the mean of the other
    seeds than this seed is, plus 0.05. A mislabeled seed looks like any row of the pool to the
    others; that makes it count a half, and often far less. With fewer than three seeds nobody can
    tell which is the odd one out and all weigh the same. Rows are centered unit rows.
    """
    k = len(seeds)
    if k < 3 or not len(background):
        return np.full(k, 1 / k)
    others = (seeds.sum(axis=0) - seeds) / np.float32(k - 1)
    agreement = np.einsum("kd,kd->k", seeds, others)
    chance = some_rows(background) @ others.T
    weights = (chance < agreement).mean(axis=0) + 0.05
    return np.asarray(weights / weights.sum(), np.float64)


def as_result(scores: Scores, candidates: int) -> FloatArray:
    """Turn `(nodes, t)` into what a strategy returns: `(t, candidates)` float32."""
    return np.ascontiguousarray(scores[:candidates].T, np.float32)
