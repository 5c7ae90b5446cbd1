"""Exact search over stored vectors: nearest rows, best similarity per class, shortlists.

Reads a `VectorStore` (memory-mapped float16 shards), writes nothing, and needs no index. Every
function streams the rows once, whatever the pool's size, in a few dozen megabytes.

What is guaranteed: `search` returns exactly the `k` best rows by the scores of
`kernel.exact_scores`, ties by the lower row number; a score depends on its two vectors alone.
`best_similarity` and `shortlist` work on float32 matrix products, whose last digit may change with
the number of queries in a call, never with how the rows are split into shards. Another processor
may round the last digit of either differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from gandt.errors import UsageError
from gandt.index.kernel import exact_scores, score_error, scored_blocks, unit_rows
from gandt.types import BoolArray, FloatArray, IntArray, Neighbors, VectorStore

__all__ = ["best_similarity", "merge_neighbors", "sample_rows", "search", "shortlist"]

_LOWEST = float(np.finfo(np.float32).min)  # above -inf, which marks rows that must not be found
_SLACK = 4096  # rows kept beyond k for one query before their order is settled exactly


def search(
    store: VectorStore,
    queries: FloatArray,
    k: int,
    *,
    exclude: BoolArray | None = None,
    first_row: int = 0,
) -> Neighbors:
    """Exactly the `k` nearest rows of each query.

    Parameters
    ----------
    queries
        `(q, d)` float32; normalized here.
    exclude
        `(rows,)` bool; True rows are not returned. Dead rows never are.
    first_row
        Search only rows from here on.

    Returns
    -------
    Neighbors
        `(q, k)`, best first, ties by the lower row; padded with -1 and -inf.

    Raises
    ------
    UsageError
        `k` is negative, or a shape does not fit the store.
    """
    unit = unit_rows(queries, store.dimension)
    hidden = _Hidden(store, exclude)
    best = _Best(store, unit, _checked(k))
    if k:
        for block in scored_blocks(store, unit, start=first_row):
            scores: FloatArray = block.products.div_(block.lengths).numpy()
            hidden.mask(scores, block.first_row)
            best.offer(scores, block.first_query, block.first_row)
    return best.neighbors()


def best_similarity(store: VectorStore, groups: Sequence[FloatArray]) -> FloatArray:
    """Each row's similarity to the most similar vector of each group.

    Parameters
    ----------
    groups
        Per class `(k, d)` float32 seed vectors.

    Returns
    -------
    `(t, rows)` float32 cosine similarity; -inf on dead rows and for a group without vectors.
    """
    out = np.full((len(groups), store.rows), -np.inf, dtype=np.float32)
    for first, best in _group_best(store, groups):
        out[:, first : first + best.shape[1]] = best
    out[:, store.dead] = -np.inf
    return out


def shortlist(
    store: VectorStore,
    groups: Sequence[FloatArray],
    count: int,
    *,
    exclude: BoolArray | None = None,
) -> IntArray:
    """The rows worth a closer look: the `count` most similar to each group, in one sorted union.

    Parameters
    ----------
    groups
        Per class `(k, d)` float32 seed vectors; a row's score is its best over the group.
    count
        Rows per group.
    exclude
        `(rows,)` bool; True rows are not returned. Dead rows never are.

    Returns
    -------
    Sorted row numbers, at most `len(groups) * count`.
    """
    hidden = _Hidden(store, exclude)
    best = _Best(store, None, _checked(count), queries_count=len(groups))
    if count:
        for first, scores in _group_best(store, groups):
            hidden.mask(scores, first)
            best.offer(scores, 0, first)
    rows: IntArray = np.unique(best.neighbors().ids)
    return rows[rows >= 0]


def sample_rows(store: VectorStore, count: int, rng: np.random.Generator) -> IntArray:
    """`count` different live rows, uniformly at random and sorted; all of them if there are fewer.

    Dead rows cost no memory: positions among the live rows are drawn, then moved past dead ones.
    """
    dead = store.dead
    live = store.rows - len(dead)
    drawn = np.sort(rng.choice(live, size=min(count, live), replace=False, shuffle=False))
    # dead[i] - i live rows precede dead row i, so a position at or beyond that lies behind it.
    behind = np.searchsorted(dead - np.arange(len(dead)), drawn, side="right")
    rows: IntArray = (drawn + behind).astype(np.int64)
    return rows


def merge_neighbors(left: Neighbors, right: Neighbors, k: int) -> Neighbors:
    """The `k` best of two results over different rows, ties by the lower row number."""
    ids = np.concatenate([left.ids, right.ids], axis=1)
    scores = np.concatenate([left.scores, right.scores], axis=1)
    order = np.lexsort((np.where(ids < 0, np.iinfo(np.int64).max, ids), -scores))[:, :k]
    return Neighbors(np.take_along_axis(ids, order, 1), np.take_along_axis(scores, order, 1))


def _checked(k: int) -> int:
    if k < 0:
        raise UsageError(f"A search for {k} rows makes no sense; ask for 0 or more.")
    return k


def _group_best(
    store: VectorStore, groups: Sequence[FloatArray]
) -> Iterator[tuple[int, FloatArray]]:
    """Yield `(first row, (t, b) float32)`: the maximum over each group, for runs of rows."""
    import torch

    filled = [number for number, group in enumerate(groups) if len(group)]
    if not filled:
        return
    queries = unit_rows(np.concatenate([groups[number] for number in filled]), store.dimension)
    ends = np.cumsum([len(groups[number]) for number in filled]).tolist()
    spans = list(zip(filled, [0, *ends[:-1]], ends, strict=True))
    best = torch.empty((len(groups), 0), dtype=torch.float32)
    for block in scored_blocks(store, queries):
        if block.first_query == 0:
            best = torch.full((len(groups), len(block.lengths)), -torch.inf)
        stop = block.first_query + len(block.products)
        for number, low, high in spans:
            low, high = max(low, block.first_query), min(high, stop)
            if low < high:
                part = block.products[low - block.first_query : high - block.first_query]
                torch.maximum(best[number], part.amax(dim=0), out=best[number])
        if stop == len(queries):
            yield block.first_row, best.div_(block.lengths).numpy()


class _Hidden:
    """Rows that no result may hold: dead ones, and those that the caller excludes."""

    def __init__(self, store: VectorStore, exclude: BoolArray | None) -> None:
        if exclude is not None and exclude.shape != (store.rows,):
            raise UsageError(
                f"`exclude` has shape {exclude.shape} and the store {store.rows} rows; "
                "give one value per row."
            )
        self._dead = store.dead
        self._exclude = exclude

    def mask(self, scores: FloatArray, first: int) -> None:
        """Set the columns of hidden rows to -inf; `scores` is `(q, b)` from row `first` on."""
        stop = first + scores.shape[1]
        low, high = np.searchsorted(self._dead, (first, stop))
        if low < high:
            scores[:, self._dead[low:high] - first] = -np.inf
        if self._exclude is not None:
            part = self._exclude[first:stop]
            if part.any():
                scores[:, part] = -np.inf


class _Best:
    """The best rows so far of several queries, over scores that arrive in blocks of rows.

    Block scores may be off by `score_error`, so rows within twice that of the k-th best stay until
    the end, when `exact_scores` settles the order. Where a crowd of near-equal rows (thousands of
    copies of one image) would pile up there, it is settled early, and memory stays bounded.
    Without `queries` the block scores are final.
    """

    def __init__(
        self, store: VectorStore, queries: FloatArray | None, k: int, *, queries_count: int = 0
    ) -> None:
        self._store = store
        self._queries = queries
        self._k = k
        self._count = queries_count if queries is None else len(queries)
        self._margin = 0.0 if queries is None else 2 * score_error(store.dimension)
        self._threshold = np.full(self._count, _LOWEST, dtype=np.float32)
        self._which: IntArray = np.empty(0, dtype=np.int64)
        self._rows: IntArray = np.empty(0, dtype=np.int64)
        self._scores: FloatArray = np.empty(0, dtype=np.float32)
        self._new: list[tuple[IntArray, IntArray, FloatArray]] = []
        self._waiting = 0

    def offer(self, scores: FloatArray, first_query: int, first_row: int) -> None:
        """Take in `(q, b)` float32 scores; -inf is never kept."""
        count, width = scores.shape
        threshold = self._threshold[first_query : first_query + count]
        if 0 < self._k <= width and (threshold == _LOWEST).any():
            kth = np.partition(scores, width - self._k, axis=1)[:, width - self._k]
            np.maximum(threshold, kth - self._margin, out=threshold)
        hits = np.flatnonzero(scores >= threshold[:, None])
        if len(hits) == 0:
            return
        which, column = np.divmod(hits, width)
        self._new.append((which + first_query, column + first_row, scores[which, column]))
        self._waiting += len(hits)
        if self._waiting > max(2 * self._count * self._k, 1 << 16):
            self._prune()

    def neighbors(self) -> Neighbors:
        """The result, best first, ties by the lower row."""
        self._prune()
        if self._queries is not None:
            self._scores = exact_scores(self._store, self._queries, self._which, self._rows)
        self._sort()
        place = self._places()
        keep = place < self._k
        ids = np.full((self._count, self._k), -1, dtype=np.int64)
        scores = np.full((self._count, self._k), -np.inf, dtype=np.float32)
        ids[self._which[keep], place[keep]] = self._rows[keep]
        scores[self._which[keep], place[keep]] = self._scores[keep]
        return Neighbors(ids, scores)

    def _prune(self) -> None:
        if self._new:
            self._which = np.concatenate([self._which, *(new[0] for new in self._new)])
            self._rows = np.concatenate([self._rows, *(new[1] for new in self._new)])
            self._scores = np.concatenate([self._scores, *(new[2] for new in self._new)])
            self._new.clear()
            self._waiting = 0
        self._sort()
        self._raise_threshold()
        self._keep(self._scores >= self._threshold[self._which])
        if self._queries is None:
            self._keep(self._places() < self._k)
            return
        crowded = np.bincount(self._which, minlength=self._count) > self._k + _SLACK
        if crowded.any():
            pairs = crowded[self._which]
            self._scores[pairs] = exact_scores(
                self._store, self._queries, self._which[pairs], self._rows[pairs]
            )
            self._sort()
            self._keep(~crowded[self._which] | (self._places() < self._k))
            self._raise_threshold()

    def _raise_threshold(self) -> None:
        kth = np.flatnonzero(self._places() == self._k - 1)
        which = self._which[kth]
        self._threshold[which] = np.maximum(
            self._threshold[which], self._scores[kth] - np.float32(self._margin)
        )

    def _sort(self) -> None:
        order = np.lexsort((self._rows, -self._scores, self._which))
        self._which, self._rows = self._which[order], self._rows[order]
        self._scores = self._scores[order]

    def _keep(self, mask: npt.NDArray[np.bool_]) -> None:
        self._which, self._rows = self._which[mask], self._rows[mask]
        self._scores = self._scores[mask]

    def _places(self) -> IntArray:
        """Each entry's place within its query, from 0; entries are sorted by query."""
        starts = np.searchsorted(self._which, np.arange(self._count))
        places: IntArray = np.arange(len(self._which)) - starts[self._which]
        return places
