"""What belongs to a pool rather than to a question asked of it, kept from one question to the next.

The rows that stand for the whole pool, its mean and principal axes, the open search index and, of
a pool that is looked at whole, all vectors and their neighbors cost more than a question does.
Reads an index folder, writes nothing. What is kept is what would be computed anew, to the bit.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar, cast

import numpy as np

from gandt.index.ann import NeighborIndex, open_search
from gandt.index.folder import Index
from gandt.index.search import sample_rows
from gandt.selection.graph import candidate_neighbors
from gandt.selection.spaces import Moments, moments
from gandt.types import FloatArray, IntArray, Neighbors

__all__ = ["PoolMemory", "Sight"]

Value = TypeVar("Value")

BACKGROUND = 10_000  # rows that stand for the whole pool where it is not looked at whole
_SAMPLES = 2  # one for each random seed that was asked for last


@dataclass(frozen=True, slots=True)
class Sight:
    """What strategies look at; read-only, since others look at it too."""

    rows: IntArray  # (n,) of the index
    candidates: FloatArray  # (n, d), their vectors
    background: FloatArray  # (b, d): uniform random sample of the pool, or all of it
    moments: Moments  # of `background`
    neighbors: Callable[[], Neighbors] | None = None  # of the candidates, where they are kept


@dataclass(frozen=True, slots=True)
class _Sample:
    vectors: FloatArray
    moments: Moments


class PoolMemory:
    """Keeps what selections from one index share. Safe to use from several threads.

    It holds nothing before the first selection, and then with vectors of 1,280 dimensions some
    100 MB: the vectors of a pool that is looked at whole, or two samples of a larger one.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self._once = _Once()
        self._samples: OrderedDict[int, _Sample] = OrderedDict()
        self._sampling = threading.Lock()

    def search(self) -> NeighborIndex:
        """The search that suits the index.

        Raises
        ------
        IndexFolderError
            `search.faiss` is missing or damaged.
        """
        settings = self.index.card.search if self.index.card else {}
        return self._once.get(
            "search", lambda: open_search(self.index, self.index.folder, settings)
        )

    def whole(self) -> Sight:
        """All live rows: those that may not be chosen still shape the neighbor graph."""
        return self._once.get("whole", self._whole)

    def _whole(self) -> Sight:
        index = self.index
        rows = np.setdiff1d(np.arange(index.rows, dtype=np.int64), index.dead)
        vectors = index.take(rows)
        found = moments(vectors)

        def neighbors() -> Neighbors:
            return self._once.get("neighbors", lambda: candidate_neighbors(vectors, found))

        return Sight(rows, vectors, vectors, found, neighbors)

    def part(self, rows: IntArray, random_seed: int) -> Sight:
        """These rows of a larger pool, before a random sample of it."""
        sample = self._sample(random_seed)
        return Sight(rows, self.index.take(rows), sample.vectors, sample.moments)

    def _sample(self, random_seed: int) -> _Sample:
        with self._sampling:
            if random_seed not in self._samples:
                rng = np.random.default_rng([random_seed, 1])
                vectors = self.index.take(sample_rows(self.index, BACKGROUND, rng))
                self._samples[random_seed] = _Sample(vectors, moments(vectors))
                while len(self._samples) > _SAMPLES:
                    self._samples.popitem(last=False)
            self._samples.move_to_end(random_seed)
            return self._samples[random_seed]


@dataclass(slots=True)
class _Once:
    """Values that are made when first asked for; one is made while others are had."""

    _values: dict[Hashable, object] = field(default_factory=dict)
    _locks: dict[Hashable, threading.Lock] = field(default_factory=dict)

    def get(self, name: Hashable, make: Callable[[], Value]) -> Value:
        with self._locks.setdefault(name, threading.Lock()):
            if name not in self._values:
                self._values[name] = make()
            return cast("Value", self._values[name])
