"""A vector store over real float16 shards on disk, for the tests of search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gandt.types import FloatArray, HalfArray, IntArray


class ShardStore:
    """Implements `types.VectorStore` over `.npy` files."""

    def __init__(self, folder: Path, dimension: int, dead: Sequence[int] = ()) -> None:
        self.folder = folder
        self.dimension = dimension
        self._dead = np.unique(np.asarray(dead, dtype=np.int64))
        self._shards: list[tuple[int, Path]] = []
        self.rows = 0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def dead(self) -> IntArray:
        return self._dead

    def kill(self, rows: Sequence[int]) -> None:
        self._dead = np.union1d(self._dead, np.asarray(rows, dtype=np.int64))

    def append(self, vectors: FloatArray) -> None:
        path = self.folder / f"img_emb_{len(self._shards):04d}.npy"
        np.save(path, vectors.astype(np.float16))
        self._shards.append((self.rows, path))
        self.rows += len(vectors)

    def blocks(self) -> Iterator[tuple[int, HalfArray]]:
        for first, path in self._shards:
            yield first, np.load(path, mmap_mode="r")

    def take(self, rows: IntArray) -> FloatArray:
        out = np.empty((len(rows), self.dimension), dtype=np.float32)
        for first, block in self.blocks():
            here = (rows >= first) & (rows < first + len(block))
            out[here] = block[rows[here] - first]
        lengths = np.linalg.norm(out, axis=1, keepdims=True)
        out /= np.where(lengths == 0, 1, lengths)
        return out


def write_store(
    folder: Path, vectors: FloatArray, cuts: Sequence[int] = (), dead: Sequence[int] = ()
) -> ShardStore:
    """A store of these vectors, split into shards at the given rows."""
    store = ShardStore(folder, vectors.shape[1], dead)
    for part in np.split(vectors, sorted(cuts)):
        store.append(part)
    return store


def unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)


def topics(
    rows: int, dimension: int, rng: np.random.Generator, *, spread: float = 0.5, count: int = 50
) -> FloatArray:
    """Unit vectors around a few topics, as embeddings of real pools are."""
    centers = unit(rng.standard_normal((count, dimension)).astype(np.float32))
    noise = rng.standard_normal((rows, dimension)).astype(np.float32) / np.sqrt(dimension)
    return unit(centers[rng.integers(0, count, rows)] + spread * noise)


def exact_oracle(store: ShardStore, queries: FloatArray) -> np.ndarray:
    """`(q, rows)` float64 cosine similarity; -inf on dead rows."""
    rows = store.take(np.arange(store.rows)).astype(np.float64)
    scores = unit(queries).astype(np.float64) @ rows.T
    scores[:, store.dead] = -np.inf
    return scores
