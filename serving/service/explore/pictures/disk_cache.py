"""Small files that can be made again, kept in a folder up to a number of bytes.

Each entry is a file of its own, named by the hash of its key, in one of 256 folders; behind the
bytes stands a checksum of key and bytes, so that a damaged file, or one of another key, counts as
none. An entry is written beside its place and renamed, so any number of processes may share a
folder. When it is used its time is set, at most once an hour; where there is too much, those used
longest ago go.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["DiskCache"]

_LOG = logging.getLogger(__name__)
_CHECKSUM = 16  # bytes
_TOUCH_AFTER = 3600.0  # seconds
_KEEP = 0.9  # of the bytes allowed, after clearing
_RECOUNT = 0.05  # of the bytes allowed, written here before it is looked what others wrote
_STRAY = 3600.0  # seconds after which a file that was never renamed is of a killed process


class DiskCache:
    """A bounded cache in a folder.

    Parameters
    ----------
    folder
        Created when the first entry is written. Nothing else should lie in it.
    max_bytes
        That the entries may take together; a little more for a moment.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._counting, self._clearing = threading.Lock(), threading.Lock()
        self._counted = -1  # bytes there were when last counted; negative before the first time
        self._written = 0  # bytes since
        self._complained = False

    def get(self, key: str) -> bytes | None:
        """The bytes kept under a key; None where there are none, or they are damaged."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    return None
                data = file.read()
        except OSError:
            return None
        body, checksum = data[:-_CHECKSUM], data[-_CHECKSUM:]
        if checksum != _checksum(key, body):
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        if time.time() - status.st_mtime > _TOUCH_AFTER:
            with contextlib.suppress(OSError):
                os.utime(path)
        return body

    def put(self, key: str, data: bytes) -> None:
        """Keep bytes; where the disk does not take them this is said once, and all goes on."""
        path = self._path(key)
        temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(data + _checksum(key, data))
                temporary.replace(path)
            finally:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
        except OSError as error:
            if not self._complained:
                self._complained = True
                _LOG.warning(
                    "gandt: the cache %s cannot be written (%s); it goes on without.",
                    self._folder,
                    error.strerror or error,
                )
            return
        self._bound(len(data) + _CHECKSUM)

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / name[:2] / name[2:]

    def _bound(self, written: int) -> None:
        with self._counting:
            self._written += written
            due = self._counted + self._written > self._max_bytes
            due = due or self._counted < 0 or self._written > _RECOUNT * self._max_bytes
        if due and self._clearing.acquire(blocking=False):  # one clears, the others go on
            try:
                self._clear()
            finally:
                self._clearing.release()

    def _clear(self) -> None:
        with self._counting:
            self._written = 0
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        if total > self._max_bytes:
            for _, size, path in entries:
                if total <= _KEEP * self._max_bytes:
                    break
                with contextlib.suppress(OSError):  # another process may have been quicker
                    os.unlink(path)  # noqa: PTH108
                total -= size
        with self._counting:
            self._counted = total

    def _entries(self) -> Iterator[tuple[float, int, str]]:
        """Time of last use, size and path of each entry."""
        stale = time.time() - _STRAY
        with contextlib.suppress(OSError), os.scandir(self._folder) as folders:
            for folder in folders:
                with contextlib.suppress(OSError), os.scandir(folder) as files:
                    for file in files:
                        with contextlib.suppress(OSError):
                            status = file.stat(follow_symlinks=False)
                            if not file.name.startswith("."):
                                yield status.st_mtime, status.st_size, file.path
                            elif status.st_mtime < stale:
                                os.unlink(file.path)  # noqa: PTH108


def _checksum(key: str, data: bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=_CHECKSUM)
    digest.update(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest())
    digest.update(data)
    return digest.digest()
