"""The arithmetic of exact search: stored rows widened to float32, multiplied block by block.

Reads a `VectorStore`, writes nothing. A block is small enough to stay in the processor's cache
between widening and multiplying, so that memory is read once, as float16; that makes the product
over stored rows about as fast as one over float32 rows already in memory.

Blocks are cut by row number alone, are filled across the borders of shards, and always have the
same shape (the last one is padded). A row's scores therefore do not depend on how the rows are
split into shards, nor on rows appended later.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gandt.embedding.threads import one_thread
from gandt.errors import UsageError
from gandt.types import FloatArray, IntArray, VectorStore

if TYPE_CHECKING:
    import torch

__all__ = [
    "BLOCK_ROWS",
    "Block",
    "exact_scores",
    "score_error",
    "scored_blocks",
    "unit_rows",
    "widened_blocks",
]

BLOCK_ROWS = 8192  # 16 MB at 512 dimensions; measured faster than 1,024 to 4,096
_QUERIES = 4096  # at a time; bounds the scores held to 64 MB
_CELLS = 1 << 19  # numbers a side when pairs are scored one by one: 2 MB, to stay in the cache


@dataclass(frozen=True, slots=True)
class Block:
    """Scores of a run of rows against some queries; valid until the next block is asked for.

    Cosine similarity is `products / lengths`. The division is left to the reader, who may first
    take a maximum over queries and so divide a hundredth as often.
    """

    first_row: int
    first_query: int
    products: torch.Tensor  # (q, b) float32 dot products of unit queries and stored rows
    lengths: torch.Tensor  # (b,) float32 lengths of the stored rows, 1 for rows of zeros


def unit_rows(queries: npt.ArrayLike, dimension: int) -> FloatArray:
    """`(q, d)` float32 rows of unit length; rows of zeros stay zeros.

    Raises
    ------
    UsageError
        The queries have another shape than `(q, dimension)`, or hold NaN or infinity.
    """
    values = np.asarray(queries, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != dimension:
        raise UsageError(
            f"Queries of shape {values.shape} cannot search vectors of {dimension} dimensions; "
            "embed them with the model that made the index."
        )
    if not np.isfinite(values).all():
        raise UsageError("A query vector holds NaN or infinity; leave it out or embed it anew.")
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    unit: FloatArray = (values / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return unit


def score_error(dimension: int) -> float:
    """How far a float32 product may lie from the exact cosine, for unit vectors.

    Rounding errors of a sum of `d` terms grow like `sqrt(d) * u` (Higham and Mary, 2019, "A new
    approach to probabilistic rounding error analysis"); the factor 4 makes a miss negligible.
    """
    return 4 * float(np.sqrt(dimension)) * 2.0**-24 + 1e-6


def _tensor(array: npt.NDArray[Any]) -> torch.Tensor:
    """The array's own memory as a tensor; the caller keeps the array alive."""
    import torch

    if array.flags.writeable or not array.flags.c_contiguous or array.size == 0:
        array = np.require(array, requirements=("C", "W"))
        return torch.from_numpy(array)
    # torch.from_numpy warns about read-only maps, process-wide and only once: neither a warning
    # for the user nor one to silence for others. The tensor is only ever read.
    memory = (ctypes.c_uint8 * array.nbytes).from_address(array.ctypes.data)
    kind = {"float16": torch.float16, "float32": torch.float32}[array.dtype.name]
    return torch.frombuffer(memory, dtype=kind).view(array.shape)


def widened_blocks(
    store: VectorStore, start: int, buffer: torch.Tensor
) -> Iterator[tuple[int, int, torch.Tensor]]:
    """Yield `(first row, rows, buffer)`: the stored rows from `start` on, widened to float32.

    `buffer`, `(b, d)` float32, is filled anew each time, across the borders of shards; where fewer
    rows are left, zeros follow them.
    """
    size = len(buffer)
    first, filled = start, 0
    for shard_first, shard in store.blocks():
        rows = len(shard)
        position = max(0, start - shard_first)
        if position >= rows:
            continue
        source = _tensor(shard)
        while position < rows:
            count = min(size - filled, rows - position)
            buffer[filled : filled + count].copy_(source[position : position + count])
            filled += count
            position += count
            if filled == size:
                yield first, size, buffer
                first, filled = first + size, 0
    if filled:
        buffer[filled:].zero_()
        yield first, filled, buffer


def scored_blocks(store: VectorStore, queries: FloatArray, *, start: int = 0) -> Iterator[Block]:
    """Multiply every stored row from `start` on with every query, block by block.

    Parameters
    ----------
    store
        Its rows are of nearly unit length: float16 leaves lengths off by up to 0.0005, which
        the blocks' `lengths` undo.
    queries
        `(q, d)` float32 unit rows.
    start
        A multiple of `BLOCK_ROWS` gives the same bits as a scan from 0.

    Yields
    ------
    Block
        For each run of rows all groups of queries, in order. The scores live in one buffer that
        is used again.
    """
    import torch

    if len(queries) == 0 or store.rows <= start:
        return
    chunks = [
        (at, torch.from_numpy(np.ascontiguousarray(queries[at : at + _QUERIES])))
        for at in range(0, len(queries), _QUERIES)
    ]
    buffer = torch.zeros((BLOCK_ROWS, store.dimension), dtype=torch.float32)
    lengths = torch.empty(BLOCK_ROWS, dtype=torch.float32)
    outputs = {
        len(chunk): torch.empty((len(chunk), BLOCK_ROWS), dtype=torch.float32)
        for _, chunk in chunks
    }
    for first, rows, block in widened_blocks(store, start, buffer):
        torch.linalg.vector_norm(block, dim=1, out=lengths)
        lengths[lengths == 0] = 1
        for at, chunk in chunks:
            products = outputs[len(chunk)]
            torch.mm(chunk, block.T, out=products)
            yield Block(first, at, products[:, :rows], lengths[:rows])


def exact_scores(
    store: VectorStore, queries: FloatArray, which: IntArray, rows: IntArray
) -> FloatArray:
    """Cosine similarity of single pairs, each summed in the same order of terms.

    The score of a pair depends on nothing but its two vectors: not on the other pairs, the shards
    or the place of a row. Equal rows have equal scores.

    Parameters
    ----------
    queries
        `(q, d)` float32 unit rows.
    which, rows
        `(p,)` int64: pair `i` is query `which[i]` and stored row `rows[i]`.

    Returns
    -------
    `(p,)` float32 in [-1, 1], within `score_error` of the exact value.
    """
    import torch

    out = np.empty(len(rows), dtype=np.float32)
    if len(rows) == 0:
        return out
    order = np.argsort(rows, kind="stable")  # so that the disk is read forward
    sorted_rows, sorted_which = rows[order], which[order]
    table = torch.from_numpy(queries)
    step = max(1, _CELLS // store.dimension)

    def score(first: int, shard: npt.NDArray[Any], low: int, high: int) -> None:
        with one_thread():
            score_pieces(first, _tensor(shard), low, high)

    def score_pieces(first: int, source: torch.Tensor, low: int, high: int) -> None:
        left = torch.empty((step, store.dimension), dtype=torch.float32)
        right = torch.empty_like(left)
        for at in range(low, high, step):
            stop = min(at + step, high)
            x, y = left[: stop - at], right[: stop - at]
            x.copy_(source.index_select(0, torch.from_numpy(sorted_rows[at:stop] - first)))
            torch.index_select(table, 0, torch.from_numpy(sorted_which[at:stop]), out=y)
            # A row-wise sum, unlike a matrix product, adds every row's terms in one order.
            dots = y.mul_(x).sum(dim=1)
            lengths = x.mul_(x).sum(dim=1).sqrt_()
            lengths[lengths == 0] = 1
            out[order[at:stop]] = dots.div_(lengths).numpy()

    # The time goes into waiting for memory; pairs are independent, so threads wait side by side.
    count = torch.get_num_threads()
    with ThreadPoolExecutor(count) as lookers:
        pending = []
        for first, shard in store.blocks():
            low, high = np.searchsorted(sorted_rows, (first, first + len(shard))).tolist()
            part = max(step, -(-(high - low) // count))
            pending += [
                lookers.submit(score, first, shard, at, min(at + part, high))
                for at in range(low, high, part)
            ]
        for task in pending:
            task.result()
    np.clip(out, -1, 1, out=out)
    return out
