"""Where the pictures of an index lie now, and their bytes.

An id is a row of the index; from it follow the URI, and the SHA-256 and version of the file that
was embedded. Nothing of a request ever becomes part of a path. Files lie on a disk, inside tar
shards (`<tar>#<member>`) or on S3; of a tar the directory is read once and kept.

What is found may have been replaced since it was embedded. A local file says so by its version, an
object on S3 only when it is fetched; `Original.identity` names the bytes that are meant, so that
whatever is made of them can be kept under it and never be taken for something else.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gandt import storage
from gandt.errors import StorageError
from gandt.pool import tar
from gandt.serving.service.explore.engine import Engine
from gandt.serving.service.explore.keyed import OneAtATime, Recent
from gandt.serving.service.explore.pictures.disk_cache import DiskCache
from gandt.serving.service.images import MAX_BYTES, NotShown, open_regular, unreadable
from gandt.storage import StoredObject

__all__ = ["Original", "Originals"]

_ROWS = 20_000  # whose URI and version are remembered: some 10 MB
_MEMBERS = 300_000  # of tar shards whose places are remembered: some 60 MB
_TARS = 200_000_000  # bytes that the directories of tar shards may take on disk
_CHANGED = 20_000  # replaced files whose real SHA-256 is remembered


Directory = dict[str, tuple[int, int]]  # member -> offset and size in bytes


@dataclass(frozen=True, slots=True)
class Original:
    """The file of a picture.

    Attributes
    ----------
    sha256
        Of the bytes that are meant; None where the index does not say, or other bytes are there.
    version
        Of the file, or of the tar that holds it: as it is now on a disk, as the index says on S3.
    """

    uri: str
    sha256: str | None
    version: str

    @property
    def identity(self) -> str:
        """Names the bytes: another text wherever they may be others."""
        return f"sha256 {self.sha256}" if self.sha256 else f"file {self.uri} {self.version}"


class Originals:
    """The files of an engine's pictures."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rows: Recent[int, tuple[str, str, str]] = Recent(_ROWS)
        self._directories: Recent[str, Directory] = Recent(_MEMBERS, len)
        self._tars: DiskCache | None = None
        self._changed: Recent[tuple[str, str], str] = Recent(_CHANGED)
        self._listing: OneAtATime[str] = OneAtATime()

    def keep_in(self, cache_folder: Path) -> None:
        """Keep directories of tar shards there: a large tar has to be read whole for its own."""
        self._tars = DiskCache(cache_folder / "tars", _TARS)

    def uri(self, number: int) -> str:
        """The URI of an id.

        Raises
        ------
        NoSuchImage
            The id is of no live row.
        """
        return self._row(number)[0]

    def find(self, number: int) -> Original:
        """Tell which bytes are the picture of an id, without reading them.

        On a disk this looks at the file; on S3, where the index knows the bytes, at nothing.

        Raises
        ------
        NoSuchImage
            The id is of no live row.
        NotShown
            There is no file any more.
        """
        uri, sha256, version = self._row(number)
        if not storage.is_remote(uri) or not sha256:
            found = _stored(uri)
            now = f"{found.version} {found.size}"
            sha256 = sha256 if found.version == version else ""
            version = now
        changed = self._changed.get((uri, version))
        return Original(uri, changed or sha256 or None, version)

    def _row(self, number: int) -> tuple[str, str, str]:
        row = self._rows.get(number)
        if row is None:
            uri = self._engine.pictures([number])[0].uri
            rows = np.array([number], dtype=np.int64)
            sha256, version = (self._engine.index.values(n, rows)[0] for n in ("sha256", "version"))
            row = (uri, sha256 or "", version or "")
            self._rows.put(number, row)
        return row

    def place(self, uri: str) -> tuple[str, tuple[int, int] | None]:
        """Tell where the bytes of a listed URI lie: the file, and offset and size within a tar.

        Raises
        ------
        NotShown
            The tar that held it is gone or damaged, or has no such member any more.
        """
        split = tar.split_uri(uri)
        if split is None:
            return uri, None
        try:
            # A file may be called so itself; on S3 a look at that costs a request, so comes last.
            if not storage.is_remote(uri) and storage.find(uri) is not None:
                return uri, None
            shard = storage.find(split[0])
            member = None if shard is None else self._directory(shard).get(split[1])
            if shard is None and storage.find(uri) is not None:
                return uri, None
        except StorageError as error:
            raise unreadable(error) from error
        if member is None:
            raise NotShown("The picture is no longer in its tar file.", 404)
        return split[0], member

    def _directory(self, shard: StoredObject) -> Directory:
        key = f"tar {shard.uri} {shard.version} {shard.size}"
        with self._listing.on(key):  # once, whichever thread comes first
            directory = self._directories.get(key)
            if directory is None:
                kept = None if self._tars is None else self._tars.get(key)
                if kept is not None:
                    directory = {
                        name: (place[0], place[1]) for name, place in json.loads(kept).items()
                    }
                else:
                    directory = {m.name: (m.offset, m.size) for m in tar.members(shard)}
                    if self._tars is not None:
                        self._tars.put(key, json.dumps(directory).encode())
                self._directories.put(key, directory)
            return directory

    def read(self, original: Original) -> tuple[bytes, Original]:
        """Read the bytes, and tell what they really are: other ones than meant, perhaps.

        Raises
        ------
        NotShown
            They cannot be had, are no regular file's, or too many.
        """
        uri, part = self.place(original.uri)
        try:
            data = _read(uri, part)
        except (OSError, ValueError, StorageError) as error:
            raise unreadable(error) from error
        if original.sha256 is None:
            now = original if storage.is_remote(uri) else replace(original, version=_version(uri))
            return data, now
        sha256 = hashlib.sha256(data).hexdigest()
        if original.sha256 != sha256:
            self._changed.put((original.uri, original.version), sha256)
        return data, replace(original, sha256=sha256)


def _version(uri: str) -> str:
    found = _stored(uri)
    return f"{found.version} {found.size}"


def _stored(uri: str) -> StoredObject:
    split = tar.split_uri(uri)
    try:
        found = storage.find(uri)
        if found is None and split is not None:
            found = storage.find(split[0])
    except StorageError as error:
        raise unreadable(error) from error
    if found is None:
        raise NotShown("The picture is no longer where it was: its file is gone.", 404)
    return found


def _read(uri: str, part: tuple[int, int] | None) -> bytes:
    offset, size = part or (0, MAX_BYTES + 1)
    if size <= MAX_BYTES + (part is None):
        if storage.is_remote(uri):
            data = storage.read_bytes(uri, offset=offset, size=size)
        else:
            file, _ = open_regular(uri)
            with file:
                file.seek(offset)
                data = file.read(size)
        if len(data) <= MAX_BYTES:
            return data
    raise NotShown(f"The picture has more than {MAX_BYTES // 1_000_000} MB.", 413)
