"""The neighbor graph of the candidates and the seeds, and what flows along it.

Each row is joined to its 20 nearest by cosine in partly whitened space (power 0.25, which measured
as good as or better than centered vectors everywhere, while full whitening is much worse); an edge
weighs that cosine cubed. Edges go both ways and weights are normalized by degree, because cosine
graphs have hubs: without that a few rows head every list. Nodes are the candidates, then the seeds
of each class, then the contrast.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from gandt.selection.context import Context
from gandt.selection.spaces import Moments, center, whiten
from gandt.types import FloatArray, IntArray, Neighbors

__all__ = [
    "NEIGHBORS",
    "Graph",
    "candidate_neighbors",
    "comparable",
    "graph",
    "nearest_rows",
    "smooth",
]

NEIGHBORS = 20
_POWER = 3  # of the cosine: weak ties count for little
_WHITENING = 0.25
_BLOCK = 1024


class Graph:
    """A symmetric weighted graph of `n` nodes, in the two normalizations that are used."""

    __slots__ = ("averaging", "diffusing")

    def __init__(self, sources: IntArray, ends: IntArray, weights: FloatArray, nodes: int) -> None:
        """Join `sources[i]` and `ends[i]` with `weights[i] >= 0`, in both directions."""
        one_way = sparse.csr_matrix((weights, (sources, ends)), shape=(nodes, nodes))
        both = one_way.maximum(one_way.T).tocsr()
        degree = np.asarray(both.sum(axis=1), np.float64).ravel()
        # A node without neighbors keeps zero rows; `smooth` and diffusion leave it as it is.
        inverse = np.divide(1.0, degree, out=np.zeros_like(degree), where=degree > 0)
        self.averaging = sparse.diags(inverse) @ both  # rows sum to 1: the mean of the neighbors
        root = sparse.diags(np.sqrt(inverse))
        self.diffusing = root @ both @ root  # symmetric: what flows out comes back in

    def average(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Mean over each node's neighbors, of `(nodes, c)`; a lonely node keeps its own values."""
        means = np.asarray(self.averaging @ values)
        lonely = np.asarray(self.averaging.getnnz(axis=1)) == 0
        means[lonely] = values[lonely]
        return means

    def flow(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """One step of diffusion of `(nodes, c)`."""
        return np.asarray(self.diffusing @ values)


def nearest_rows(queries: FloatArray, rows: FloatArray, count: int, first: int = -1) -> Neighbors:
    """Find for each query the `count` rows of highest dot product, exactly, block by block.

    `queries` `(q, d)` and `rows` `(n, d)` are unit rows. With `first >= 0` the queries are
    themselves nodes `first, first + 1, …` of `rows`, and none is its own neighbor. Where fewer
    rows exist, ids are padded with -1 and scores with -inf.
    """
    import torch

    ids = np.full((len(queries), count), -1, np.int64)
    scores = np.full((len(queries), count), -np.inf, np.float32)
    usable = min(count, len(rows) - (1 if first >= 0 else 0))
    if usable <= 0 or not len(queries):
        return Neighbors(ids, scores)
    table = torch.from_numpy(np.ascontiguousarray(rows))
    asked = torch.from_numpy(np.ascontiguousarray(queries))
    with torch.inference_mode():
        for start in range(0, len(queries), _BLOCK):
            products = asked[start : start + _BLOCK] @ table.T
            stop = start + len(products)
            if first >= 0:
                own = torch.arange(start, stop) + first
                products[torch.arange(len(products)), own] = -torch.inf
            best = products.topk(usable, dim=1)
            found, values = best.indices.numpy(), best.values.numpy()
            order = np.lexsort((found, -values), axis=1)
            ids[start:stop, :usable] = np.take_along_axis(found, order, axis=1)
            scores[start:stop, :usable] = np.take_along_axis(values, order, axis=1)
    return Neighbors(ids, scores)


def comparable(rows: FloatArray, pool: Moments) -> FloatArray:
    """Map `(n, d)` unit rows to where neighbors are looked for: partly whitened, unit length.

    At most 256 dimensions, so 50,000 rows are listed in seconds. A pool without any spread has no
    axes, and its rows are only centered.
    """
    return whiten(rows, pool, _WHITENING) if len(pool.variances) else center(rows, pool)


def candidate_neighbors(rows: FloatArray, pool: Moments, count: int = NEIGHBORS) -> Neighbors:
    """Find the `count` nearest other rows of each row, exactly; `(n, count)`."""
    mapped = comparable(rows, pool)
    return nearest_rows(mapped, mapped, count, first=0)


def graph(context: Context) -> Graph:
    """Build the graph over candidates, seeds and contrast of a context, once."""
    return context.once("graph", lambda: _build(context))


def _build(context: Context) -> Graph:
    pool, candidates = context.moments, context.candidates
    listed = context.neighbors or candidate_neighbors(candidates, pool)
    if not isinstance(listed, Neighbors):
        listed = listed()
    n = len(candidates)
    mapped = np.concatenate([comparable(rows, pool) for rows in (candidates, *context.classes)])
    nodes = len(mapped)
    of_seeds = nearest_rows(mapped[n:], mapped, NEIGHBORS, first=n)
    width = min(NEIGHBORS, listed.ids.shape[1])
    sources = np.concatenate(
        [np.repeat(np.arange(n), width), np.repeat(np.arange(n, nodes), NEIGHBORS)]
    )
    ends = np.concatenate([listed.ids[:, :width].ravel(), of_seeds.ids.ravel()])
    cosines = np.concatenate([listed.scores[:, :width].ravel(), of_seeds.scores.ravel()])
    joined = (ends >= 0) & (cosines > 0)
    weights = cosines[joined].astype(np.float32) ** _POWER
    return Graph(sources[joined], ends[joined], weights, nodes)


def smooth(scores: npt.NDArray[np.float64], over: Graph, share: float) -> npt.NDArray[np.float64]:
    """Mix each node's scores with the mean of its neighbors; `(nodes, c)`.

    `share` is the weight of the neighbors. What looks like a class among images that do not is
    more often an accident than what looks like it among its like (regularization on graphs:
    Zhou et al., "Learning with local and global consistency", NIPS 2004).
    """
    mixed = over.average(scores)
    mixed *= share
    mixed += (1 - share) * scores
    return mixed
