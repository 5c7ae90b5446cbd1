"""Strategy `diffusion`: labels flow from the seeds along the neighbor graph.

Zhou et al., "Learning with local and global consistency", NIPS 2004; for retrieval Iscen et al.,
"Efficient diffusion on region manifolds", CVPR 2017. Follows a class through a chain of look-alikes
that no single direction covers: the best rule measured at one seed per class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gandt.selection.context import Context
from gandt.selection.graph import Graph, graph
from gandt.selection.scores import Scores, as_result
from gandt.selection.spaces import center, centered_products
from gandt.types import FloatArray

__all__ = ["score", "spread"]

_KEPT = 0.9  # share that flows on at each step; the rest returns to the seeds
_STEPS = 15
_FAINT = 1e-9  # weight of the cosine that orders what the flow never reached


def score(context: Context) -> FloatArray:
    """Score `(t, n)`: label mass that reached each candidate; rows it never reached by cosine."""
    weights = [np.full(len(seeds), 1 / len(seeds)) for seeds in context.classes]
    mass = spread(context, graph(context), weights)
    return as_result(mass[:, : len(context.targets)], len(context.candidates))


def spread(context: Context, over: Graph, weights: Sequence[Scores]) -> Scores:
    """Let every class flow from its seeds at once; `(nodes, classes)`, highest is 1.

    `weights` per class `(k,)`: how the class's unit of mass is split among its seeds. Where there
    are rivals, a node's mass of a class counts by its share of all mass there, `f^2 / sum f`.
    """
    n = len(context.candidates)
    classes = context.classes
    nodes = n + sum(len(seeds) for seeds in classes)
    source = np.zeros((nodes, len(classes)))
    start = n
    for column, weight in enumerate(weights):
        source[start : start + len(weight), column] = weight
        start += len(weight)
    mass = source
    for _ in range(_STEPS):
        mass = _KEPT * over.flow(mass) + (1 - _KEPT) * source
    if len(classes) > 1:
        mass = mass**2 / np.maximum(mass.sum(axis=1, keepdims=True), 1e-300)
    mass = mass / np.maximum(mass.max(axis=0), 1e-300)
    pool = context.moments
    means = np.stack([w @ center(s, pool) for w, s in zip(weights, classes, strict=True)]).T
    cosines = [centered_products(rows, pool, means) for rows in (context.candidates, *classes)]
    return np.asarray(mass + _FAINT * np.concatenate(cosines), np.float64)
