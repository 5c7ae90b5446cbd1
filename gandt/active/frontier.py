"""Candidates without a pass over the pool: the neighbors of what was labeled, and of the probe.

What is rare lies among its like, so the images near those labeled so far are the only ones worth
a score (SEALS: Coleman et al., "Similarity search for efficient active learning and search of rare
concepts", AAAI 2022). The candidates are kept between rounds and extended by what is new. Two ways
to extend them, both questions to the index:

- the nearest neighbors of labeled images, each asked for once;
- the nearest rows of a probe: a linear score ranks rows as a search by its weights does, so the
  index can name the rows that the probe likes best, whether or not anything near was labeled.

Measured on 15 clothing classes of 1 % each (5 seeds, batches of half a percent of the pool): 50
neighbors of everything labeled, as in the paper, lose .01 to .02 of the recall of a full scan and
have scored two thirds of 5,000 images by the time that a tenth is labeled; 50 neighbors of the
positives alone score 15 % and lose .09; with the probe's own rows beside those, nothing is lost at
20 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gandt.errors import UsageError
from gandt.index.ann import NeighborIndex
from gandt.types import BoolArray, FloatArray, IntArray, VectorStore

__all__ = ["NEIGHBORS", "Frontier", "ask_probe", "extend"]

NEIGHBORS = 50


def _none() -> IntArray:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Frontier:
    """The rows of an index that were ever worth a score; grows and never shrinks."""

    rows: IntArray = field(default_factory=_none)  # (c,) sorted; labeled ones among them
    asked: IntArray = field(
        default_factory=_none
    )  # (a,) sorted rows whose neighbors are among `rows`

    def __len__(self) -> int:
        return len(self.rows)

    def share(self, live_rows: int) -> float:
        """Share of a pool of `live_rows` images that was ever scored."""
        return len(self.rows) / live_rows if live_rows else 0.0

    def with_rows(self, rows: IntArray) -> Frontier:
        """Return the frontier with more rows; -1, the padding of searches, is left out."""
        flat = rows.ravel()
        return Frontier(np.union1d(self.rows, flat[flat >= 0]), self.asked)

    def open_rows(self, closed: IntArray) -> IntArray:
        """Sorted rows that are not among `closed`, such as those labeled or dead."""
        return np.setdiff1d(self.rows, closed)

    def to_arrays(self) -> dict[str, IntArray]:
        """Plain arrays, to be kept in a file between rounds."""
        return {"rows": self.rows, "asked": self.asked}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.int64]], pool_rows: int) -> Frontier:
        """Restore what `to_arrays` gave, for an index of `pool_rows` rows.

        Raises
        ------
        UsageError
            An array is missing or garbled, or names rows that the index does not have.
        """
        again = "delete the file; the frontier is then found anew from the labels."
        parts = []
        for name in ("rows", "asked"):
            values = arrays.get(name)
            if values is None or values.ndim != 1 or values.dtype.kind not in "iu":
                raise UsageError(f"The frontier lacks a list of row numbers {name!r}; {again}")
            if len(values) and (values.min() < 0 or values.max() >= pool_rows):
                raise UsageError(
                    f"The frontier names rows that an index of {pool_rows:,} does not have; {again}"
                )
            parts.append(np.unique(values).astype(np.int64))
        return cls(*parts)


def extend(
    frontier: Frontier,
    search: NeighborIndex,
    store: VectorStore,
    rows: IntArray,
    *,
    k: int = NEIGHBORS,
) -> Frontier:
    """Add the `k` nearest neighbors of rows that were not asked about before, and the rows.

    Parameters
    ----------
    search
        Of the same store; `gandt.index.ann.open_search` opens it.
    rows
        Row numbers of labeled images, in any order.
    k
        Neighbors per row, the row itself not counted.

    Raises
    ------
    UsageError
        `k` is negative.
    """
    if k < 0:
        raise UsageError(f"{k} neighbors make no sense; ask for 0 or more.")
    fresh = np.setdiff1d(rows, frontier.asked)
    if not len(fresh):
        return frontier
    grown = frontier.with_rows(fresh)
    if k:
        grown = grown.with_rows(search.search(store.take(fresh), k + 1).ids)
    return Frontier(grown.rows, np.union1d(frontier.asked, fresh))


def ask_probe(
    frontier: Frontier,
    search: NeighborIndex,
    directions: FloatArray,
    count: int,
    *,
    exclude: BoolArray | None = None,
) -> Frontier:
    """Add the `count` rows that each linear probe ranks highest.

    Parameters
    ----------
    directions
        `(t, d)` weights of the probes on unit vectors; their length and bias change no ranking.
        A probe of zeros ranks nothing and is left out.
    exclude
        `(rows,)` bool; True rows, such as labeled ones, are not returned.
    """
    told = directions[np.abs(directions).max(axis=1, initial=0) > 0]
    if not len(told) or count <= 0:
        return frontier
    return frontier.with_rows(search.search(told, count, exclude=exclude).ids)
