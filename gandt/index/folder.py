"""An index folder, opened for reading.

Reads the layout that clip-retrieval and autofaiss share::

    index.json                       what made the vectors (absent in folders of those tools)
    img_emb/img_emb_0000.npy         float16 (n, d), unit rows
    metadata/metadata_0000.parquet   image_path, size, version, sha256, width, height
    rejected/rejected_0000.parquet   uri, size, version, reason
    dead.npy                         int64, sorted rows that no search may return

A shard exists when its `.npy` exists. Only the headers of the shards are read when a folder is
opened, so opening takes milliseconds whatever the size; vectors are memory-mapped when needed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gandt import storage
from gandt.errors import IndexFolderError
from gandt.index.card import IndexCard, read_card
from gandt.index.columns import Columns
from gandt.index.remote import mirror, named
from gandt.types import FloatArray, HalfArray, IntArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DEAD_NAME", "Index", "Rejected", "Shard", "list_shards", "open_index"]

DEAD_NAME = "dead.npy"
_SHARD = re.compile(r"img_emb_(\d+)\.npy")


@dataclass(frozen=True, slots=True)
class Shard:
    """One committed pair of files: vectors and what is known of their images."""

    number: int
    vectors: Path
    metadata: Path
    start: int  # row number of its first vector
    rows: int
    dimension: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """An image that could not be embedded, and why."""

    uri: str
    size: int  # bytes; -1 where unknown
    version: str
    reason: str


def _header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran_order, dtype = read(file)
        missing = file.tell() + int(np.prod(shape)) * dtype.itemsize - path.stat().st_size
    if fortran_order or len(shape) != 2 or dtype not in (np.float16, np.float32):
        raise ValueError(f"holds {dtype} of shape {shape}, not rows of float16")
    if missing > 0:
        raise ValueError(f"its last {missing:,} bytes are missing")
    return shape, dtype


def list_shards(folder: Path) -> tuple[Shard, ...]:
    """Every committed shard of a folder, by number.

    Raises
    ------
    IndexFolderError
        A shard is damaged, has another dimension than the first, or lacks its metadata.
    """
    numbered = []
    directory = folder / "img_emb"
    if directory.is_dir():
        for path in directory.iterdir():
            match = _SHARD.fullmatch(path.name)
            if match:
                numbered.append((int(match[1]), match[1], path))
    shards: list[Shard] = []
    start = 0
    for number, digits, path in sorted(numbered):
        try:
            (rows, dimension), _ = _header(path)
        except (OSError, ValueError) as error:
            raise IndexFolderError(
                f"{path} is no shard of vectors ({error}); restore it from a copy, or embed into a "
                "new folder."
            ) from error
        metadata = folder / "metadata" / f"metadata_{digits}.parquet"
        if shards and dimension != shards[0].dimension:
            raise IndexFolderError(
                f"{path} has {dimension} dimensions and {shards[0].vectors.name} has "
                f"{shards[0].dimension}; an index holds the vectors of one model only."
            )
        shards.append(Shard(number, path, metadata, start, rows, dimension))
        start += rows
    return tuple(shards)


@lru_cache(maxsize=64)  # each map holds a file descriptor; a large index has thousands of shards
def _map(path: Path, modified: int) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.load(path, mmap_mode="r")
    return array


class Index:
    """The vectors of a pool and what is known of its images. Implements `types.VectorStore`.

    Parameters
    ----------
    folder
        An index folder written by `gandt embed`, or by clip-retrieval.
    uri
        Where the index lies, if `folder` is a copy of it.
    """

    def __init__(self, folder: Path, uri: str | None = None) -> None:
        self.folder = folder
        self.uri = uri or str(folder)
        if not folder.is_dir():
            there = "is a file, not an index folder" if folder.exists() else "does not exist"
            raise IndexFolderError(
                f"{folder} {there}; name an index folder, or create one with `gandt embed PHOTOS "
                "--index FOLDER`."
            )
        self.card: IndexCard | None = read_card(folder)
        self.shards = list_shards(folder)
        if not self.shards and self.card is None:
            raise IndexFolderError(
                f"{folder} holds neither index.json nor img_emb/; name an index folder, or create "
                "one with `gandt embed`."
            )
        self._starts = np.array([shard.start for shard in self.shards], dtype=np.int64)
        self._dead = _read_dead(folder, self.rows)
        self._columns = Columns()
        if self.card is None:
            self._check_unit_rows()
        elif self.shards and self.dimension != self.card.model.dimension:
            raise IndexFolderError(
                f"{folder}/index.json says {self.card.model.dimension} dimensions and the shards "
                f"hold {self.dimension}; the folder mixes two indexes."
            )

    def _check_unit_rows(self) -> None:
        for _, block in self.blocks():
            lengths = np.linalg.norm(block[:256].astype(np.float32), axis=1)
            if len(lengths) and np.abs(lengths - 1).max() > 0.02:
                raise IndexFolderError(
                    f"{self.folder} holds vectors that are not of unit length; normalize them "
                    "before selecting."
                )
            break

    def __repr__(self) -> str:
        return f"Index({self.uri!r}, rows={self.rows}, dimension={self.dimension})"

    @property
    def rows(self) -> int:
        """Number of rows, dead ones included."""
        return self.shards[-1].start + self.shards[-1].rows if self.shards else 0

    @property
    def live_rows(self) -> int:
        """Number of rows that a search may return."""
        return self.rows - len(self._dead)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        if self.shards:
            return self.shards[0].dimension
        assert self.card is not None
        return self.card.model.dimension

    @property
    def dead(self) -> IntArray:
        """Sorted rows whose images are gone from the pool or were replaced."""
        return self._dead

    def _vectors(self, shard: Shard) -> npt.NDArray[Any]:
        return _map(shard.vectors, shard.vectors.stat().st_mtime_ns)

    def blocks(self) -> Iterator[tuple[int, HalfArray]]:
        """Yield `(first row, (b, d) float16)` for every shard in order, memory-mapped."""
        for shard in self.shards:
            if shard.rows:
                yield shard.start, self._vectors(shard)

    def take(self, rows: IntArray) -> FloatArray:
        """`(len(rows), d)` float32 unit vectors of these rows, in the order asked for."""
        rows = np.asarray(rows, dtype=np.int64)
        import torch  # widens float16 ten times as fast as numpy

        out = torch.empty((len(rows), self.dimension), dtype=torch.float32)
        for shard, where in self._by_shard(rows):
            stored = self._vectors(shard)[rows[where] - shard.start]
            out[torch.from_numpy(where)] = torch.from_numpy(stored).float()
        # float16 storage leaves lengths off by up to 0.0005; cosines should not show that.
        vectors: FloatArray = torch.nn.functional.normalize(out, dim=1).numpy()
        return vectors

    def _by_shard(self, rows: IntArray) -> Iterator[tuple[Shard, IntArray]]:
        if len(rows) == 0:
            return
        if rows.min() < 0 or rows.max() >= self.rows:
            raise IndexError(f"row numbers must be in [0, {self.rows})")
        owner = np.searchsorted(self._starts, rows, side="right") - 1
        order = np.argsort(owner, kind="stable")
        bounds = np.flatnonzero(np.diff(owner[order])) + 1
        for where in np.split(order, bounds):
            yield self.shards[int(owner[where[0]])], where

    def column(self, name: str) -> Iterator[tuple[int, pa.ChunkedArray]]:
        """Yield `(first row, values)` of one metadata column, a shard at a time.

        Folders of clip-retrieval lack columns that gandt writes; nulls stand for them.
        """
        for shard in self.shards:
            yield shard.start, self._columns.read(shard, name, scanning=True)

    def values(self, name: str, rows: IntArray) -> list[Any]:
        """Values of one metadata column for these rows, in the order asked for."""
        rows = np.asarray(rows, dtype=np.int64)
        out: list[Any] = [None] * len(rows)
        for shard, where in self._by_shard(rows):
            column = self._columns.read(shard, name)
            found = column.take(rows[where] - shard.start).to_pylist()
            for position, value in zip(where.tolist(), found, strict=True):
                out[position] = value
        return out

    def keep_columns(self, limit: int) -> None:
        """Keep up to so many bytes of metadata columns in memory, for whoever asks often."""
        self._columns.limit = limit

    def uris(self, rows: IntArray) -> list[str]:
        """URIs of these rows' images, in the order asked for."""
        found: list[str] = self.values("image_path", rows)
        return found

    def find(self, column: str, wanted: Sequence[str]) -> IntArray:
        """Sorted rows whose value in `column` is one of `wanted`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        values = pa.array(sorted({value for value in wanted if value}), type=pa.string())
        rows = []
        if len(values):
            for start, chunked in self.column(column):
                text = chunked if chunked.type == values.type else chunked.cast(values.type)
                mask = pc.is_in(text, value_set=values)
                rows.append(np.flatnonzero(mask.to_numpy()) + start)
        return np.concatenate(rows).astype(np.int64) if rows else np.empty(0, dtype=np.int64)

    def rejected(self) -> Iterator[Rejected]:
        """Every image that is rejected at present, once each, in the order of their last try."""
        latest: dict[str, Rejected] = {}
        for path in sorted_numbered(self.folder / "rejected", "rejected"):
            import pyarrow.parquet as pq

            try:
                rows = pq.read_table(path).to_pylist()
            except (OSError, ValueError) as error:
                raise IndexFolderError(
                    f"{path} cannot be read ({error}); restore it from a copy, or delete it: its "
                    "images are then tried again."
                ) from error
            for row in rows:
                latest.pop(row["uri"], None)
                if row["reason"]:  # an empty reason says that a later try went well
                    latest[row["uri"]] = Rejected(**row)
        yield from latest.values()


def sorted_numbered(directory: Path, stem: str) -> list[Path]:
    """Files `<stem>_<number>.parquet` of a directory, by number."""
    pattern = re.compile(rf"{stem}_(\d+)\.parquet")
    found = []
    if directory.is_dir():
        for path in directory.iterdir():
            match = pattern.fullmatch(path.name)
            if match:
                found.append((int(match[1]), path))
    return [path for _, path in sorted(found)]


def _read_dead(folder: Path, rows: int) -> IntArray:
    try:
        dead: IntArray = np.load(folder / DEAD_NAME, allow_pickle=False)
    except FileNotFoundError:
        return np.empty(0, dtype=np.int64)
    except (OSError, ValueError) as error:
        raise IndexFolderError(
            f"{folder / DEAD_NAME} cannot be read ({error}); delete it and run gandt embed again."
        ) from error
    return dead[dead < rows]


def open_index(index: str | os.PathLike[str]) -> Index:
    """Open an index folder, or an index on S3, for reading.

    Of an index on S3 there is a copy on this machine, which is brought up to date; see
    `gandt.index.remote`.

    Raises
    ------
    IndexFolderError
        The index is missing, damaged, or none.
    StorageError
        It cannot be fetched from S3.
    """
    if not storage.is_remote(index):
        return Index(Path(index))
    uri = storage.normalize(index).rstrip("/")
    folder = mirror(uri)
    with named(folder, uri):
        return Index(folder, uri)
