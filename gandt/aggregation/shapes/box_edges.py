"""One box from the boxes of several workers: an average that loose and stray boxes move little.

Edges are averaged with weights. A worker's weight is the precision with which that worker's edges
fall where the others' do; a single stray edge counts less the farther out it lies, as under
Student's t distribution (Lange, Little and Taylor, "Robust statistical modeling using the t
distribution", 1989). Both are learned together with the boxes in a few rounds.
"""

from __future__ import annotations

import numpy as np

from gandt.aggregation.shapes.answers import Crowd
from gandt.aggregation.shapes.detection import Detection
from gandt.aggregation.shapes.matching import Codes
from gandt.aggregation.shapes.overlap import Floats
from gandt.aggregation.shapes.sites import Places

__all__ = ["average"]

_ROUNDS = 8
_FREEDOM = 4.0  # degrees of freedom: how heavy the tails are
_OWN = 4.0  # edges that the crowd's spread counts for in a worker's
_SPREAD = 0.05  # of edges, as a share of the side, before anything is known
_LEAST = 0.005  # nobody is more exact than half a percent of the side


def average(crowd: Crowd, places: Places, model: Detection) -> tuple[Floats, Floats]:
    """Lower corner and size of each site: `(n, 2)` each.

    Sites that were drawn by one worker, or by several in the same way, keep these edges to the
    last bit.
    """
    shapes, site, count = crowd.shapes, places.site, len(places.sites)
    if not len(shapes):
        return np.zeros((count, 2)), np.zeros((count, 2))
    # Differences from one of the boxes, so that equal boxes average to exactly themselves.
    first = np.zeros(count, np.int64)
    first[site[::-1]] = np.arange(len(site))[::-1]
    low, size = shapes.low[first], shapes.size[first]
    shift = shapes.low - low[site]
    moved = np.concatenate([shift, shift + (shapes.size - size[site])], axis=1)
    real = 1 - model.posterior[site, 0]
    drawn = np.bincount(site, minlength=count)
    weight = np.ones_like(moved)
    offset = np.zeros((count, 4))
    for _ in range(_ROUNDS):
        total = _by(site, weight, count)
        offset = _by(site, weight * moved, count) / np.where(total > 0, total, 1)
        side = np.tile(np.maximum(size + offset[:, 2:] - offset[:, :2], 1e-9), 2)
        share = weight / np.where(total > 0, total, 1)[site]
        # An average that a box is part of lies nearer to it than it should.
        far = (moved - offset[site]) / side[site] / np.sqrt(np.maximum(1 - share, 0.05))
        scale = _scale(crowd, far, share, real * (drawn[site] > 1))
        distance = far**2 / scale**2
        weight = (_FREEDOM + 1) / (_FREEDOM + distance) / scale**2
    return low + offset[:, :2], size + (offset[:, 2:] - offset[:, :2])


def _by(site: Codes, values: Floats, count: int) -> Floats:
    return np.stack([np.bincount(site, column, count) for column in values.T], axis=1)


def _scale(crowd: Crowd, far: Floats, share: Floats, real: Floats) -> Floats:
    """Spread of each shape's worker, `(m, 1)`, as a share of the side; shrunk to the crowd's."""
    workers = len(crowd.workers)
    # Where a box makes most of the average, it says little about itself.
    counts = real * np.clip(1 - share.max(1), 0, 1)
    spread = np.minimum(np.abs(far), 0.5) ** 2
    amount = np.bincount(crowd.shapes.worker, 4 * counts, minlength=workers)
    squares = np.bincount(crowd.shapes.worker, counts * spread.sum(1), minlength=workers)
    crowd_spread = (squares.sum() + _OWN * _SPREAD**2) / (amount.sum() + _OWN)
    own = (squares + _OWN * crowd_spread) / (amount + _OWN)
    return np.asarray(np.sqrt(np.maximum(own, _LEAST**2))[crowd.shapes.worker][:, None])
