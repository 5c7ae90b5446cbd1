"""Where a span begins and ends, when workers disagree: the offset that most exact workers chose.

Each end is settled by itself. A worker has a rate of hitting an end exactly, learned together with
the ends by expectation maximization; misses fall on any of a few neighbors. With equal rates the
most probable offset is the mode, as Ground Truth documents for spans; where no offset is more
probable than all others together, the weighted median is shown, as there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gandt.aggregation.shapes.matching import Codes
from gandt.aggregation.shapes.overlap import Floats

__all__ = ["Ends", "settle_ends"]

_MISSES = 4.0  # offsets that a miss is spread over
_PRIOR = (8.0, 2.0)  # hits and misses that the prior of the crowd counts for
_OWN = 4.0  # ends that the crowd's rate counts for in a worker's
_STEPS = 30
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Ends:
    """One offset per site, and how probably it and each answer are right."""

    offset: Codes  # (n,)
    sure: Floats  # (n,)
    own: Floats  # (m,) of each answer


def settle_ends(
    offset: Codes, site: Codes, worker: Codes, real: Floats, sites: int, workers: int
) -> Ends:
    """Choose an offset for each site.

    Parameters
    ----------
    offset, site, worker
        (m,) what was answered, where, by whom.
    real
        (m,) probability that the site is of something: what it teaches about workers.
    """
    if not len(offset):
        return Ends(np.zeros(sites, np.int64), np.ones(sites), np.ones(0))
    pairs, pair = np.unique(np.column_stack([site, offset]), axis=0, return_inverse=True)
    pair = pair.ravel()
    exact = np.full(workers, _PRIOR[0] / sum(_PRIOR))
    several = np.bincount(site, minlength=sites)[site] > 1
    weight = real * several
    amount = np.bincount(worker, weight, minlength=workers)
    chance = np.zeros(len(pairs))
    for _ in range(_STEPS):
        chance = _chances(pairs[:, 0], pair, np.log(exact / (1 - exact) * _MISSES)[worker], sites)
        hits = np.bincount(worker, weight * chance[pair], minlength=workers)
        crowd = (hits.sum() + _PRIOR[0]) / (amount.sum() + sum(_PRIOR))
        fresh = np.clip((hits + _OWN * crowd) / (amount + _OWN), 0.25, 0.99)
        done = np.abs(fresh - exact).max() < 1e-4
        exact = fresh
        if done:
            break
    return _chosen(pairs, chance, pair, np.log(exact / (1 - exact) * _MISSES)[worker], sites)


def _chances(pair_site: Codes, pair: Codes, evidence: Floats, sites: int) -> Floats:
    """Probability of each offset of a site; the rest is for offsets that nobody chose."""
    logs = np.bincount(pair, evidence, minlength=len(pair_site))
    top = np.zeros(sites)
    np.maximum.at(top, pair_site, logs)
    values = np.exp(logs - top[pair_site])
    total = np.bincount(pair_site, values, minlength=sites) + np.exp(-top)
    return np.asarray(values / total[pair_site])


def _chosen(pairs: Codes, chance: Floats, pair: Codes, evidence: Floats, sites: int) -> Ends:
    """The most probable offset; the weighted median (the lower one) where that is not clear."""
    # By site, the most probable first, the lowest of equals: `pairs` are in order already.
    order = np.lexsort((-np.round(chance, 9), pairs[:, 0]))
    first = np.searchsorted(pairs[order, 0], np.arange(sites))
    there = np.bincount(pairs[:, 0], minlength=sites) > 0
    best = order[np.minimum(first, len(order) - 1)]
    offset, sure = pairs[best, 1].copy(), chance[best].copy()
    offset[~there], sure[~there] = 0, 1.0
    # Below zero an answer would count against its own offset; the median knows no such votes.
    mass = np.bincount(pair, np.maximum(evidence, 1e-3), minlength=len(pairs))
    for site in np.flatnonzero(there & (sure <= 0.5 + _TIE)):
        mine = np.arange(*np.searchsorted(pairs[:, 0], [site, site + 1]))
        half = np.cumsum(mass[mine]) >= mass[mine].sum() / 2 - _TIE
        middle = mine[int(half.argmax())]
        offset[site], sure[site] = pairs[middle, 1], chance[middle]
    return Ends(offset, sure, chance[pair])
