"""Strategy `prototype`: a centered, partly whitened mean, smoothed over the neighbor graph.

Each class is one point, the mean of its seeds in a space where the pool's common direction is
gone and its main directions are evened out; a candidate's score is mixed with its neighbors'
(see spaces.py and graph.py for the sources). Few seeds bear little whitening, many bear more.
"""

from __future__ import annotations

import numpy as np

from gandt.selection.context import Context
from gandt.selection.graph import graph, smooth
from gandt.selection.scores import as_result, margins, standardize
from gandt.selection.spaces import whiten
from gandt.types import FloatArray

__all__ = ["score"]

_FEW = 10  # seeds of a class up to which the weaker whitening is used
_POWER_FEW, _POWER_MANY = 0.3, 0.5
_NEIGHBOR_SHARE = 0.7
_MARGIN = 0.5


def score(context: Context) -> FloatArray:
    """Score `(t, n)`: smoothed cosine to the class mean, in deviations, less half the best rival's.

    Rivals are the other targets and the contrast class; with one class alone there is no margin.
    """
    nodes = np.concatenate([context.candidates, *context.classes])
    pool = context.moments
    columns = []
    for power in (_POWER_FEW, _POWER_MANY):
        mapped = whiten(nodes, pool, power)
        means = [whiten(seeds, pool, power).mean(axis=0) for seeds in context.classes]
        columns.append(mapped @ np.stack(means).T)
    many = np.array([len(seeds) > _FEW for seeds in context.classes])
    raw = np.where(many, columns[1], columns[0]).astype(np.float64)
    smoothed = standardize(smooth(standardize(raw), graph(context), _NEIGHBOR_SHARE))
    return as_result(margins(smoothed, len(context.targets), _MARGIN), len(context.candidates))
