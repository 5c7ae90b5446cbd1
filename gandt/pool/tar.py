"""Images inside uncompressed tar files, read by range without unpacking.

A shard as WebDataset writes them (Aizman, Maltzahn and Breuel, "High Performance I/O For Large
Scale Deep Learning", 2019) is an ordinary tar: each member lies whole at some offset, so that its
bytes can be fetched from a disk or from S3 with one read. A member's URI is `<tar>#<member>`.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from gandt import storage
from gandt.errors import StorageError
from gandt.storage import StoredObject

__all__ = ["COMPRESSED_SUFFIXES", "Member", "members", "split_uri"]

COMPRESSED_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")

_BUFFER = 1 << 18  # bytes; headers of small members arrive several at a time
_HEADER = 1 << 12  # bytes; a header with its extensions, where members are larger than that


@dataclass(frozen=True, slots=True)
class Member:
    """Where the bytes of one file lie in a tar."""

    name: str
    offset: int  # bytes from the start of the tar
    size: int  # bytes


def split_uri(uri: str) -> tuple[str, str] | None:
    """Split `<tar>#<member>`; None where this is not the URI of a member."""
    end = uri.lower().find(".tar#")
    if end < 0:
        return None
    return uri[: end + 4], uri[end + 5 :]


def members(shard: StoredObject) -> Iterator[Member]:
    """Yield the regular files of a tar in its order; hidden names are skipped.

    Of members with equal names the first counts.

    Raises
    ------
    StorageError
        Where the tar is damaged or cut off; what lies before the damage was yielded by then.
    """
    seen: set[str] = set()
    last = "its beginning"
    try:
        with (
            io.BufferedReader(_Ranges(shard), _BUFFER) as file,
            tarfile.open(fileobj=file, mode="r:") as archive,
        ):
            for entry in archive:
                if not entry.isreg() or entry.issparse():
                    continue
                if entry.offset_data + entry.size > shard.size:
                    raise StorageError(f"{shard.uri} is cut off within {entry.name}: copy it anew.")
                hidden = any(part.startswith(".") for part in _parts(entry.name))
                if not hidden and entry.name not in seen:
                    seen.add(entry.name)
                    yield Member(entry.name, entry.offset_data, entry.size)
                last = entry.name
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise StorageError(
            f"{shard.uri} is not a whole uncompressed tar ({error}, after {last}): copy it anew."
        ) from error


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part != "."]


class _Ranges(io.RawIOBase):
    """A stored object as a seekable file, read by ranges."""

    def __init__(self, source: StoredObject) -> None:
        self._source = source
        self._position = 0
        self._read_to = 0  # the end of the last range

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._source.size}
        self._position = start[whence] + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = max(0, min(len(buffer), self._source.size - self._position))
        # After a leap over a large member only a header is wanted, not the image behind it.
        if not 0 <= self._position - self._read_to < _BUFFER:
            wanted = min(wanted, _HEADER)
        data = storage.read_bytes(self._source.uri, offset=self._position, size=wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        self._read_to = self._position
        return len(data)
