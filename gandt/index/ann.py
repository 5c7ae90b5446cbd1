"""Approximate search by FAISS with exact re-ranking, and the choice between it and exact search.

`search.faiss` beside the stored vectors holds an inverted file with compressed codes (see
`plan.py`); its settings live in `index.json` under `search`. The codes only say which rows are
worth a look: those are ranked by their stored vectors, so every score is the same bits that exact
search gives, and only a row that was never looked at can be missing.

What is guaranteed: no dead or excluded row is returned; rows appended after the build are found
(they are searched exactly); a query gets `k` rows wherever that many are allowed; ties go to the
lower row number. The recall that was measured at the build is in the settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from gandt.errors import IndexFolderError
from gandt.index import search as exact
from gandt.index.kernel import exact_scores, unit_rows
from gandt.types import BoolArray, FloatArray, IntArray, Neighbors, VectorStore

__all__ = [
    "FILE_NAME",
    "AnnIndex",
    "ExactIndex",
    "NeighborIndex",
    "SearchSettings",
    "load_faiss",
    "open_ann",
    "open_search",
]

FILE_NAME = "search.faiss"
_PAIRS = 1 << 20  # (query, row) pairs looked at together; bounds memory
# Measured on two server cores, to choose between the two ways of searching:
_LOOK_SECONDS = 1e-6  # to rank one found row by its stored vector
_SCAN_SECONDS = 2e-10  # to read and widen one stored number
_MULTIPLY_SECONDS = 2e-11  # and to multiply it with one query's


class NeighborIndex(Protocol):
    """Anything that finds the stored rows nearest to a vector."""

    def search(self, queries: FloatArray, k: int, *, exclude: BoolArray | None = None) -> Neighbors:
        """The `k` nearest rows of each query; see `index.search.search`."""

    def shortlist(
        self, groups: Sequence[FloatArray], count: int, *, exclude: BoolArray | None = None
    ) -> IntArray:
        """The union of the `count` best rows of each group; see `index.search.shortlist`."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What `index.json` says of `search.faiss`."""

    factory: str
    rows: int  # of the store when it was built; later rows are searched exactly
    vectors: int  # in the index: rows that were alive then
    dimension: int
    nprobe: int
    oversampling: int  # rows looked at per row wanted, of `recall_at` at least
    recall: float  # measured
    recall_at: int  # rows per query in that measurement
    recall_wanted: float

    def as_json(self) -> dict[str, Any]:
        """Plain values for `index.json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SearchSettings:
        """Parse what `as_json` gave.

        Raises
        ------
        IndexFolderError
            A field is missing or no number.
        """
        try:
            return cls(
                factory=str(values["factory"]),
                rows=int(values["rows"]),
                vectors=int(values["vectors"]),
                dimension=int(values["dimension"]),
                nprobe=int(values["nprobe"]),
                oversampling=int(values["oversampling"]),
                recall=float(values["recall"]),
                recall_at=int(values["recall_at"]),
                recall_wanted=float(values["recall_wanted"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise IndexFolderError(
                f"The search settings in index.json lack or garble a field ({error}); "
                "build the search index again."
            ) from error


@dataclass(frozen=True, slots=True)
class ExactIndex:
    """Exact search over all rows of a store."""

    store: VectorStore

    def search(self, queries: FloatArray, k: int, *, exclude: BoolArray | None = None) -> Neighbors:
        """The `k` nearest rows of each query; see `index.search.search`."""
        return exact.search(self.store, queries, k, exclude=exclude)

    def shortlist(
        self, groups: Sequence[FloatArray], count: int, *, exclude: BoolArray | None = None
    ) -> IntArray:
        """The union of the `count` best rows of each group; see `index.search.shortlist`."""
        return exact.shortlist(self.store, groups, count, exclude=exclude)


class AnnIndex:
    """Search through `search.faiss`; see the module for what it guarantees.

    Parameters
    ----------
    index
        A faiss IVF index over unit vectors by inner product, whose ids are row numbers.
    settings
        Rows of the index from `settings.rows` on are left to exact search.
    """

    def __init__(self, store: VectorStore, index: Any, settings: SearchSettings) -> None:
        self.store = store
        self.settings = settings
        self._index = index

    def search(self, queries: FloatArray, k: int, *, exclude: BoolArray | None = None) -> Neighbors:
        """The `k` nearest rows of each query, `(q, k)`, as far as the index finds them.

        So many rows are asked for at times that looking each up costs more than scanning the
        whole pool; then the search is exact.
        """
        unit = unit_rows(queries, self.store.dimension)
        wanted = self._depth(k)
        if k <= 0 or len(unit) == 0 or self._scan_is_cheaper(len(unit), wanted):
            return exact.search(self.store, unit, k, exclude=exclude)
        tail = exact.search(self.store, unit, k, exclude=exclude, first_row=self.settings.rows)
        selector, allowed = self._selector(exclude)
        step = max(1, _PAIRS // wanted)
        parts = [
            self.ranked(unit[at : at + step], k, wanted, selector, allowed)
            for at in range(0, len(unit), step)
        ]
        found = Neighbors(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )
        return exact.merge_neighbors(found, tail, k)

    def shortlist(
        self, groups: Sequence[FloatArray], count: int, *, exclude: BoolArray | None = None
    ) -> IntArray:
        """The union of the `count` rows most similar to any vector of each group, sorted.

        A row among a group's best is among the best of the vector that it is most similar to, so
        searching for each vector's best misses only what the index misses.
        """
        total = sum(len(group) for group in groups)
        if count <= 0 or self._scan_is_cheaper(total, self._depth(count)):
            return exact.shortlist(self.store, groups, count, exclude=exclude)
        chosen: list[IntArray] = []
        for group in groups:
            if len(group):
                found = self.search(group, count, exclude=exclude)
                real = found.ids >= 0
                ids, scores = found.ids[real], found.scores[real]
                order = np.lexsort((ids, -scores))
                _, first = np.unique(ids[order], return_index=True)
                chosen.append(ids[order][np.sort(first)[:count]])
        return np.unique(np.concatenate(chosen)) if chosen else np.empty(0, dtype=np.int64)

    def _depth(self, k: int) -> int:
        """Rows to look at for `k` results: no fewer than in the measurement of the recall.

        Coarse codes tell near rows from far ones, not the nearest from the near, so a few results
        need as deep a look as a hundred.
        """
        return max(k, self.settings.recall_at) * self.settings.oversampling

    def _scan_is_cheaper(self, queries: int, wanted: int) -> bool:
        """Whether looking up that many rows costs more than one exact pass over the store."""
        scanned = self.settings.rows * self.settings.dimension
        scan = scanned * (_SCAN_SECONDS + queries * _MULTIPLY_SECONDS)
        return queries * wanted * _LOOK_SECONDS >= scan

    def ranked(
        self, unit: FloatArray, k: int, wanted: int, selector: Any, allowed: int
    ) -> Neighbors:
        """Look up `wanted` rows per query and keep the `k` best by their stored vectors.

        Where a query's lists hold fewer allowed rows than it should get, more lists are read.
        """
        nprobe = self.settings.nprobe
        wanted = min(wanted, allowed)
        ids = self.candidates(unit, wanted, nprobe, selector)
        lists = int(self._index.nlist)
        while nprobe < lists:
            short = np.flatnonzero((ids >= 0).sum(axis=1) < min(k, allowed))
            if len(short) == 0:
                break
            nprobe = min(2 * nprobe, lists)
            ids[short] = self.candidates(unit[short], wanted, nprobe, selector)
        which, place = np.nonzero(ids >= 0)
        scores = np.full(ids.shape, -np.inf, dtype=np.float32)
        scores[which, place] = exact_scores(self.store, unit, which, ids[which, place])
        blank = Neighbors(
            np.full((len(unit), max(0, k - wanted)), -1, dtype=np.int64),
            np.full((len(unit), max(0, k - wanted)), -np.inf, dtype=np.float32),
        )
        return exact.merge_neighbors(Neighbors(ids, scores), blank, k)

    def candidates(
        self, unit: FloatArray, wanted: int, nprobe: int, selector: Any = None
    ) -> IntArray:
        """`(q, wanted)` row numbers as the codes rank them, -1 where there are no more."""
        if wanted == 0 or len(unit) == 0:
            return np.empty((len(unit), wanted), dtype=np.int64)
        faiss = load_faiss()
        parameters = {"nprobe": nprobe}
        if selector is not None:
            parameters["sel"] = selector
        if "_HNSW" in self.settings.factory:
            walk = faiss.SearchParametersHNSW(efSearch=max(64, 2 * nprobe))
            parameters["quantizer_params"] = walk
        ids: IntArray = self._index.search(
            unit, wanted, params=faiss.SearchParametersIVF(**parameters)
        )[1]
        return ids

    def _selector(self, exclude: BoolArray | None) -> tuple[Any, int]:
        """What faiss may return, and how many rows that is; None where that is all it holds."""
        built = self.settings.rows
        dead = self.store.dead[: int(np.searchsorted(self.store.dead, built))]
        held = int(self._index.ntotal)
        if exclude is None and built - len(dead) == held:
            return None, held
        allowed = np.ones(built, dtype=bool) if exclude is None else ~exclude[:built]
        allowed[dead] = False
        bits = np.packbits(allowed, bitorder="little")
        return load_faiss().IDSelectorBitmap(bits), int(np.count_nonzero(allowed))


def load_faiss() -> Any:
    """Import faiss, set so that a batch of queries is one matrix product.

    The wheel of faiss-cpu 1.15 compares up to 250 queries of 512 dimensions one after another with
    every centroid (`distance_compute_blas_threshold` is 128,000), 14 times slower than it can.
    """
    import faiss

    if faiss.cvar.distance_compute_blas_threshold > 1000:
        faiss.cvar.distance_compute_blas_threshold = 1000
    return faiss


def open_ann(path: Path, store: VectorStore, settings: Mapping[str, Any]) -> AnnIndex:
    """Open `search.faiss`, memory-mapped.

    Raises
    ------
    IndexFolderError
        The file is missing or damaged, or belongs to other vectors or settings.
    """
    parsed = SearchSettings.from_json(settings)
    faiss = load_faiss()
    again = "build the search index again, or remove its settings from index.json."
    if not path.is_file():
        raise IndexFolderError(f"{path} is missing though index.json names it; {again}")
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise IndexFolderError(f"{path} cannot be read ({reason}); {again}") from error
    if index.d != store.dimension or parsed.rows > store.rows or not hasattr(index, "nprobe"):
        raise IndexFolderError(
            f"{path} indexes {parsed.rows:,} vectors of {index.d} dimensions and the store holds "
            f"{store.rows:,} of {store.dimension}; {again}"
        )
    return AnnIndex(store, index, parsed)


def open_search(store: VectorStore, folder: Path, settings: Mapping[str, Any]) -> NeighborIndex:
    """The search that suits an index folder: through `search.faiss` where its settings name it.

    Parameters
    ----------
    folder
        Where `search.faiss` lies.
    settings
        The `search` part of `index.json`; empty means exact search.
    """
    if not settings:
        return ExactIndex(store)
    return open_ann(folder / FILE_NAME, store, settings)
