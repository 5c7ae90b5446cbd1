"""Which search suits a pool: exact, or which FAISS index, by pool size, memory and recall.

Pure functions from numbers to an `IndexPlan`; reads and writes nothing. The rules follow the FAISS
wiki, "Guidelines to choose an index" (IVF with 4 to 16 times sqrt(n) lists, 30 to 256 training
points a list, an HNSW coarse quantizer for very many lists), with constants measured on
EfficientNet-Lite0 vectors of photos (BENCHMARKS.md). Codes may be coarse because the found rows
are ranked again by their stored vectors: they decide which rows are looked at, not their order.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from gandt.errors import UsageError

__all__ = [
    "CODES",
    "Code",
    "IndexPlan",
    "coarse_lists",
    "format_bytes",
    "parse_bytes",
    "plan_code",
    "plan_index",
]

Code = Literal["sq8", "sq4", "rabitq", "pq"]
CODES: tuple[Code, ...] = ("sq8", "sq4", "rabitq", "pq")  # largest and most exact first

TRAINING_POINTS = 40  # a list; faiss asks for 39 at least, and more changed recall little
TRAINING_ROUNDS = 10  # of k-means
EXACT_WORK = (
    2_000_000 * 512
)  # rows x dimension that two cores scan for 100 seeds in a second or two
HNSW_LISTS = 32_768  # from here on, walking a graph of the centroids beats comparing with them all
_ROW_NUMBER = 8  # bytes beside each code
_GROWTH = 1.25  # lists grow in steps while rows are added
_MULTIPLY_ADDS = 25e9  # float32, a second and core; measured 27 on an AVX-512 server core
_HNSW_VISITS = 2_000  # centroids compared per row, each about ten times dearer than in a product
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """A way to search a pool, and what it costs."""

    kind: Literal["exact", "ivf"]
    rows: int
    dimension: int
    factory: str  # for faiss.index_factory; "" for exact search
    lists: int  # coarse clusters; 0 for exact search
    training_rows: int
    memory_bytes: int  # at the most, while it is built
    disk_bytes: int  # of search.faiss, beside the stored vectors
    build_seconds: float  # estimated
    nprobe: int  # lists looked into at first; the build tunes it
    oversampling: int  # rows fetched per row wanted, at first
    recall: float  # wanted
    why: str


def plan_index(
    rows: int, dimension: int, *, memory_bytes: int, recall: float = 0.95, cores: int = 2
) -> IndexPlan:
    """Choose how to search `rows` vectors of `dimension` float numbers.

    Exact while that takes about a second or two; beyond, the most exact codes that fit.

    Parameters
    ----------
    memory_bytes
        What the build may hold at once.
    recall
        Wanted share of the true nearest 100 rows that a search finds, in (0, 1].

    Raises
    ------
    UsageError
        No index fits into the memory, or a number is out of range.
    """
    _check(rows, dimension, memory_bytes, recall, cores)
    if rows * dimension <= EXACT_WORK:
        return IndexPlan(
            "exact", rows, dimension, "", 0, 0, 0, 0, 0.0, 0, 1, recall,
            f"Exact search: {rows:,} vectors of {dimension} dimensions are scanned in about "
            f"{_exact_seconds(rows, dimension, cores):.1f} s for 100 seeds, so no index is needed.",
        )  # fmt: skip
    for code in CODES:
        plan = plan_code(
            rows, dimension, code, memory_bytes=memory_bytes, recall=recall, cores=cores
        )
        if _fits(rows, dimension, code, memory_bytes):
            return plan
    needed = min(_code_memory(rows, dimension, code) for code in CODES) / 0.9
    raise UsageError(
        f"An index over {rows:,} vectors of {dimension} dimensions needs {format_bytes(needed)} of "
        f"memory and {format_bytes(memory_bytes)} are allowed; pass "
        f"--memory {math.ceil(needed / _SIZES['M'])}M, or search without an index, which takes "
        f"about {_exact_seconds(rows, dimension, cores):,.0f} s for 100 seeds."
    )


def plan_code(
    rows: int,
    dimension: int,
    code: Code,
    *,
    memory_bytes: int = 1 << 40,
    recall: float = 0.95,
    cores: int = 2,
) -> IndexPlan:
    """The plan of an IVF index with one kind of codes, whether or not it fits or pays."""
    _check(rows, dimension, memory_bytes, recall, cores)
    lists = coarse_lists(rows, dimension, memory_bytes)
    training = min(rows, TRAINING_POINTS * lists)
    size = _code_bytes(dimension, code) + _ROW_NUMBER
    graph = "_HNSW32" if lists >= HNSW_LISTS else ""
    coarse = lists * dimension * 4
    disk = rows * size + coarse + (lists * 300 if graph else 0)
    memory = max(2 * training * dimension * 4, _code_memory(rows, dimension, code) + coarse)
    compared = min(lists, 10 * _HNSW_VISITS) if graph else lists
    work = dimension * (TRAINING_ROUNDS * training * lists + rows * compared)
    return IndexPlan(
        kind="ivf",
        rows=rows,
        dimension=dimension,
        factory=f"IVF{lists}{graph},{_factory_code(dimension, code)}",
        lists=lists,
        training_rows=training,
        memory_bytes=memory,
        disk_bytes=disk,
        build_seconds=work / (_MULTIPLY_ADDS * cores),
        nprobe=_first_probes(lists, recall),
        oversampling={"sq8": 1, "sq4": 2, "rabitq": 4, "pq": 8}[code],
        recall=recall,
        why=f"{lists:,} lists for {rows:,} vectors (4 times the square root, by the FAISS "
        f"guidelines), with {_WORDS[code]} of {size - _ROW_NUMBER} bytes a vector; what is found "
        "is ranked again by the stored vectors.",
    )


_WORDS: dict[Code, str] = {
    "sq8": "8-bit codes",
    "sq4": "4-bit codes, as 8-bit ones do not fit into the memory allowed,",
    "rabitq": "1-bit RaBitQ codes, as 4-bit ones do not fit into the memory allowed,",
    "pq": "product-quantized codes, as larger ones do not fit into the memory allowed,",
}


def coarse_lists(rows: int, dimension: int, memory_bytes: int) -> int:
    """Number of coarse clusters: the power of two nearest to 4 sqrt(rows).

    Fewer where the training sample, which faiss may copy once, would not fit into the memory, or
    would be larger than the pool.
    """
    wanted = 1 << round(math.log2(max(4 * math.sqrt(rows), 1)))
    affordable = min(memory_bytes // (2 * TRAINING_POINTS * dimension * 4), rows // TRAINING_POINTS)
    return min(wanted, 1 << (max(affordable, 1).bit_length() - 1))


def parse_bytes(text: str) -> int:
    """Read a size such as `4G`, `512MB`, `1.5 GiB` or `1000000`; K, M, G, T are powers of 1024.

    Raises
    ------
    UsageError
        The text is no positive size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    size = int(float(match[1]) * _SIZES[match[2].upper()]) if match else 0
    if size <= 0:
        raise UsageError(f"{text!r} is not a size in bytes; write it like 4G, 512M or 1.5GB.")
    return size


def format_bytes(size: float) -> str:
    """A size for people, such as `3.8 GB`; powers of 1024 as in `parse_bytes`."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def _check(rows: int, dimension: int, memory_bytes: int, recall: float, cores: int) -> None:
    if rows < 0 or dimension < 1 or memory_bytes < 1 or cores < 1:
        raise UsageError(
            "A plan needs a pool, a dimension, memory and cores; got "
            f"{rows} rows, {dimension} dimensions, {memory_bytes} bytes, {cores} cores."
        )
    if not 0 < recall <= 1:
        raise UsageError(f"A recall of {recall} is impossible; give a share such as 0.95.")


def _code_bytes(dimension: int, code: Code) -> int:
    if code == "sq8":
        return dimension
    if code == "sq4":
        return (dimension + 1) // 2
    if code == "rabitq":
        return (dimension + 7) // 8 + 8  # the bits, and two float32 factors
    return (_subspaces(dimension) + 1) // 2  # 4 bits a subspace


def _factory_code(dimension: int, code: Code) -> str:
    if code == "pq":
        return f"PQ{_subspaces(dimension)}x4fs"
    return {"sq8": "SQ8", "sq4": "SQ4", "rabitq": "RaBitQ"}[code]


def _subspaces(dimension: int) -> int:
    """The largest number of equal subspaces of at least 8 dimensions each (or one)."""
    return next(count for count in range(max(dimension // 8, 1), 0, -1) if dimension % count == 0)


def _code_memory(rows: int, dimension: int, code: Code) -> int:
    return math.ceil(rows * (_code_bytes(dimension, code) + _ROW_NUMBER) * _GROWTH)


def _fits(rows: int, dimension: int, code: Code, memory_bytes: int) -> bool:
    # A tenth is left for centroids (an eightieth at most, by `coarse_lists`) and buffers.
    return _code_memory(rows, dimension, code) <= 0.9 * memory_bytes


def _first_probes(lists: int, recall: float) -> int:
    """Lists to look into at first; 1 of 64 found 0.95 and 1 of 16 found 0.99 on photos."""
    share = 16 if recall >= 0.985 else 32 if recall >= 0.97 else 64
    return max(1, lists // share)


def _exact_seconds(rows: int, dimension: int, cores: int) -> float:
    return rows * dimension * 100 / (_MULTIPLY_ADDS * cores)
