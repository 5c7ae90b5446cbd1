"""Append to an index folder so that a process killed at any moment leaves whole shards.

A shard is committed by writing its metadata, then its vectors, each beside its place, fsynced and
renamed; a shard whose `.npy` is absent does not exist. Rejected images are committed before the
shard of their neighbors. What a killed run had not committed, the next run embeds again, so every
image is in the index or in `rejected/` exactly once.

Rows are never rewritten. An image that changed gets a new row and its old one is listed in
`dead.npy`, as are the rows of images that left the pool; an image that returns unchanged has its
row taken off that list.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

import filelock
import numpy as np
import numpy.typing as npt

from gandt.errors import IndexFolderError, ModelMismatch
from gandt.index.card import CARD_NAME, IndexCard, read_card, write_card
from gandt.index.columns import read_metadata
from gandt.index.folder import DEAD_NAME, Index, Rejected, sorted_numbered
from gandt.storage import atomic_path
from gandt.types import BoolArray, Embedded, FloatArray, Item

__all__ = ["IndexWriter", "writer_lock"]

KeyArray = npt.NDArray[np.uint64]

SHARD_ROWS = 100_000
SHARD_SECONDS = 60.0  # work that a SIGKILL may cost


def _key(*parts: str) -> int:
    """64 bits of a hash: 100 million images collide with a probability of 0.0003."""
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def _item_key(uri: str, size: int, version: str) -> int:
    return _key(uri, str(size), version)


class _Keys:
    """A multimap from 64-bit keys to row numbers in 16 bytes an entry."""

    def __init__(self, keys: KeyArray) -> None:
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]

    def rows(self, key: int) -> npt.NDArray[np.intp]:
        low = np.searchsorted(self._sorted, np.uint64(key), "left")
        high = np.searchsorted(self._sorted, np.uint64(key), "right")
        found: npt.NDArray[np.intp] = self._order[low:high]
        return found


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Keep every other writer out of an index folder; readers go on.

    Raises
    ------
    IndexFolderError
        Another process holds the lock.
    """
    lock = filelock.FileLock(folder / "writer.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise IndexFolderError(
            f"{folder} is being written by another process; wait for it to finish, or stop it."
        ) from None
    try:
        yield
    finally:
        lock.release()


class IndexWriter:
    """The one writer of an index folder; use it as a context manager.

    Parameters
    ----------
    folder
        Created where absent. Its lock file keeps a second writer out, readers go on.
    card
        What makes the vectors; must equal the card of a folder that exists.
    shard_rows, shard_seconds
        A shard is committed when it has this many rows, or is this old.
    publish
        Called with each file right after it is committed. Where it raises, the file counts as
        not committed, and is committed again with the next ones.

    Raises
    ------
    ModelMismatch
        The folder holds the vectors of another model, or of another preprocessing.
    IndexFolderError
        Another process writes to the folder, or it was written by another tool.
    """

    def __init__(
        self,
        folder: Path,
        card: IndexCard,
        *,
        shard_rows: int = SHARD_ROWS,
        shard_seconds: float = SHARD_SECONDS,
        publish: Callable[[Path], None] = lambda path: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._publish = publish
        self._card = card
        self._shard_rows = shard_rows
        self._shard_seconds = shard_seconds
        self._clock = clock
        self._held = ExitStack()

    def __enter__(self) -> IndexWriter:
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            held.enter_context(writer_lock(self.folder))
            self._open()
            self._held = held.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # An interrupted run (Ctrl-C, a full disk elsewhere) still keeps what it has embedded.
        with self._held:
            self.flush()

    def _open(self) -> None:
        known = read_card(self.folder)
        if known is None:
            if (self.folder / "img_emb").is_dir():
                raise IndexFolderError(
                    f"{self.folder} holds vectors and no index.json, so another tool wrote it; "
                    "select from it, or name a new folder for --index."
                )
            write_card(self.folder, self._card)
            self._publish(self.folder / CARD_NAME)
        else:
            _require_same(known, self._card, self.folder)
        self._sweep()
        index = Index(self.folder)
        self._numbers = 1 + max((shard.number for shard in index.shards), default=-1)
        self._committed = index.rows
        self._keys, self._uris = self._read_keys(index)
        self._by_key, self._by_uri = _Keys(self._keys), _Keys(self._uris)
        self._dead: set[int] = set(index.dead.tolist())
        self._seen: BoolArray = np.zeros(index.rows, dtype=np.bool_)
        self._index = index
        self._read_rejected(index)
        self._new_rows: dict[int, int] = {}  # URI key -> row, of rows that this run committed
        self._buffer: list[tuple[Embedded, FloatArray]] = []
        self._rejects: list[tuple[str, int, str, str]] = []
        self._opened = self._clock()
        self._repair_replaced()

    def _sweep(self) -> None:
        """Remove the temporary files that a killed writer left."""
        for name in (".", "img_emb", "metadata", "rejected"):
            for path in (self.folder / name).glob(".*.tmp*"):
                path.unlink()

    @staticmethod
    def _read_keys(index: Index) -> tuple[KeyArray, KeyArray]:
        keys = np.zeros(index.rows, dtype=np.uint64)
        uris = np.zeros(index.rows, dtype=np.uint64)
        for shard in index.shards:
            table = read_metadata(shard, ("image_path", "size", "version"))
            columns = (table[name].to_pylist() for name in ("image_path", "size", "version"))
            for row, (uri, size, version) in enumerate(zip(*columns, strict=True), shard.start):
                keys[row] = _item_key(uri, size, version)
                uris[row] = _key(uri)
        return keys, uris

    def _read_rejected(self, index: Index) -> None:
        self._rejected = {record.uri: record for record in index.rejected()}
        self._rejected_seen: set[str] = set()

    def _repair_replaced(self) -> None:
        """Kill between a shard and its `dead.npy`: two rows of one URI live. Keep the later."""
        live = np.ones(self._committed, dtype=np.bool_)
        live[list(self._dead)] = False
        rows = np.flatnonzero(live)[::-1]
        _, first = np.unique(self._uris[rows], return_index=True)
        if len(first) < len(rows):
            keep = set(rows[first].tolist())
            self._set_dead(self._dead | {row for row in rows.tolist() if row not in keep})

    def _set_dead(self, dead: set[int]) -> None:
        path = self.folder / DEAD_NAME
        if dead != self._dead or not path.exists():
            self._dead = dead
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.save(file, np.array(sorted(dead), dtype=np.int64))
            self._publish(path)

    @property
    def rejected(self) -> int:
        """How many images are rejected at present, those of earlier runs included."""
        return len(self._rejected)

    def status(self, item: Item) -> str:
        """`"embedded"`, `"rejected"` or `"new"`; remembers that the pool still has the image."""
        rows = self._by_key.rows(_item_key(item.uri, item.size, item.version))
        if len(rows):
            row = int(rows[-1])
            self._seen[row] = True
            return "embedded"
        record = self._rejected.get(item.uri)
        if record is not None:
            self._rejected_seen.add(item.uri)
            if (record.size, record.version) == (item.size, item.version):
                return "rejected"
        return "new"

    def add(self, images: Sequence[Embedded], vectors: FloatArray) -> None:
        """Take embedded images; they are committed with their shard.

        `vectors`: `(len(images), d)` float32 unit rows.
        """
        if vectors.shape != (len(images), self._card.model.dimension):
            raise ValueError(f"{len(images)} images and vectors of shape {vectors.shape}")
        self._buffer.extend(zip(images, vectors, strict=True))
        self._commit_when_due()

    def reject(self, item: Item, reason: str) -> None:
        """Record an image that could not be embedded, and why."""
        self._rejects.append((item.uri, item.size, item.version, reason))
        self._commit_when_due()

    def _commit_when_due(self) -> None:
        waiting = len(self._buffer) + len(self._rejects)
        if waiting >= self._shard_rows or self._clock() - self._opened >= self._shard_seconds:
            self.flush()

    def flush(self) -> None:
        """Commit everything taken so far."""
        recovered = [
            (image.item.uri, image.item.size, image.item.version, "")
            for image, _ in self._buffer
            if image.item.uri in self._rejected
        ]
        self._commit_rejected(self._rejects)
        self._rejects = []
        while self._buffer:
            self._commit_shard(self._buffer[: self._shard_rows])
            self._buffer = self._buffer[self._shard_rows :]
        self._commit_rejected(recovered)
        self._opened = self._clock()

    def _commit_rejected(self, records: Sequence[tuple[str, int, str, str]]) -> None:
        if not records:
            return
        import pyarrow as pa

        existing = sorted_numbered(self.folder / "rejected", "rejected")
        number = 1 + int(existing[-1].stem.split("_")[1]) if existing else 0
        uris, sizes, versions, reasons = zip(*records, strict=True)
        table = pa.table(
            {
                "uri": pa.array(uris, pa.string()),
                "size": pa.array(sizes, pa.int64()),
                "version": pa.array(versions, pa.string()),
                "reason": pa.array(reasons, pa.string()),
            }
        )
        self._write_parquet(table, self.folder / "rejected" / f"rejected_{number:04d}.parquet")
        for uri, size, version, reason in records:
            self._rejected.pop(uri, None)
            if reason:
                self._rejected[uri] = Rejected(uri, size, version, reason)
                self._rejected_seen.add(uri)

    def _commit_shard(self, rows: Sequence[tuple[Embedded, FloatArray]]) -> None:
        import pyarrow as pa

        images = [image for image, _ in rows]
        table = pa.table(
            {
                "image_path": pa.array([image.item.uri for image in images], pa.string()),
                "size": pa.array([image.item.size for image in images], pa.int64()),
                "version": pa.array([image.item.version for image in images], pa.string()),
                "sha256": pa.array([image.sha256 for image in images], pa.string()),
                "width": pa.array([image.width for image in images], pa.int32()),
                "height": pa.array([image.height for image in images], pa.int32()),
            }
        )
        name = f"{self._numbers:04d}"
        self._write_parquet(table, self.folder / "metadata" / f"metadata_{name}.parquet")
        path = self.folder / "img_emb" / f"img_emb_{name}.npy"
        path.parent.mkdir(exist_ok=True)
        matrix = np.stack([vector for _, vector in rows]).astype(np.float16)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, matrix)
        self._publish(path)
        dead = set(self._dead)
        for row, image in enumerate(images, self._committed):
            uri = _key(image.item.uri)
            dead.update(self._by_uri.rows(uri).tolist())
            if uri in self._new_rows:
                dead.add(self._new_rows[uri])
            self._new_rows[uri] = row
        self._numbers += 1
        self._committed += len(rows)
        if dead != self._dead:
            self._set_dead(dead)

    def _write_parquet(self, table: object, path: Path) -> None:
        import pyarrow.parquet as pq

        path.parent.mkdir(exist_ok=True)
        with atomic_path(path) as temporary:
            pq.write_table(table, temporary)
        self._publish(path)

    def finish(self, covers: Callable[[str], bool]) -> int:
        """Close a run that listed its whole pool; returns how many images left the pool.

        `covers(uri)` tells whether the listing would have met the image, so that not having met
        it means that it is gone. Rows that were met again come back to life.
        """
        self.flush()
        dead = set(self._dead)
        for row in np.flatnonzero(self._seen).tolist():
            newer = self._new_rows.get(int(self._uris[row]))
            if newer is None:
                dead.discard(row)
                dead.update(set(self._by_uri.rows(int(self._uris[row])).tolist()) - {row})
        gone = 0
        for start, column in self._index.column("image_path"):
            for row, uri in enumerate(column.to_pylist(), start):
                if row not in dead and not self._seen[row] and covers(uri):
                    dead.add(row)
                    gone += 1
        self._set_dead(dead)
        self._commit_rejected(
            [
                (record.uri, record.size, record.version, "")
                for record in list(self._rejected.values())
                if record.uri not in self._rejected_seen and covers(record.uri)
            ]
        )
        return gone


def _require_same(known: IndexCard, wanted: IndexCard, folder: Path) -> None:
    def differs(names: Iterable[str]) -> list[str]:
        return [
            f"{name} {getattr(known.model, name)!r} there, {getattr(wanted.model, name)!r} now"
            for name in names
            if getattr(known.model, name) != getattr(wanted.model, name)
        ]

    # A model may be named in two ways (a path that moved); its weights say whether it is the same.
    found = differs(("weights_sha256", "dimension", "preprocessing"))
    if found:
        raise ModelMismatch(
            f"{folder} was made by {known.model.model} and this run uses {wanted.model.model} "
            f"({'; '.join(found)}); pass --model {known.model.model}, or name a new folder "
            "for --index."
        )
    if known.decoding != wanted.decoding:
        raise ModelMismatch(
            f"{folder} was made with {known.decoding} decoding and this run uses "
            f"{wanted.decoding}; "
            + ("pass" if known.decoding == "exact" else "leave out")
            + " --exact, or name a new folder for --index."
        )
