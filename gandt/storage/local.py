"""Local files: looking, walking, reading, and writing that never shows half a file.

New bytes go to a hidden file beside the target, are flushed to the disk, and then renamed over it
(the rename is atomic within a folder by POSIX, and the folder is flushed after it, so that the new
name survives a power cut as well).
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from gandt.errors import StorageError
from gandt.storage.objects import CHUNK, OnError, StoredObject

__all__ = ["chunks", "find", "read", "replacing", "walk", "write"]

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
_NO_SUCH_FILE = (FileNotFoundError, NotADirectoryError)


def find(path: str) -> StoredObject | None:
    """Look up a regular file; None where there is none of that name."""
    try:
        status = Path(path).stat()
    except _NO_SUCH_FILE:
        return None
    except (OSError, ValueError) as error:
        _raise("read", path, error)
    if not stat.S_ISREG(status.st_mode):
        return None
    return StoredObject(path, status.st_size, str(status.st_mtime_ns))


def read(path: str, offset: int, size: int | None) -> bytes:
    """Read `size` bytes from `offset` on, or all the rest."""
    try:
        with Path(path).open("rb") as file:
            if offset:
                file.seek(offset)
            return file.read() if size is None else file.read(size)
    except (OSError, ValueError) as error:
        _raise("read", path, error)


def chunks(path: str) -> Iterator[bytes]:
    """Stream a file in chunks of 1 MiB."""
    try:
        with Path(path).open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except (OSError, ValueError) as error:
        _raise("read", path, error)


def write(path: str, data: bytes) -> None:
    """Replace a file whole, or write into a pipe or device."""
    target = Path(path)
    try:
        if target.exists() and not target.is_file() and not target.is_dir():
            target.write_bytes(data)
            return
    except OSError as error:
        _raise("written", path, error)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def replacing(path: str) -> Iterator[Path]:
    """Yield a temporary path that takes the place of `path` if the block succeeds."""
    # A link stays a link: what it leads to is replaced.
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{secrets.token_hex(6)}.tmp{target.suffix}")
    try:
        if target.exists() and not target.is_file():
            raise StorageError(f"{path} is not a file and cannot be replaced: choose another name.")
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _raise("written", path, error)
    try:
        try:
            yield temporary
        except OSError as error:
            if error.errno in _DISK_ERRORS or error.filename == str(temporary):
                _raise("written", path, error)
            raise
        try:
            _flush(temporary)
            temporary.replace(target)
            _flush(target.parent)
        except OSError as error:
            _raise("written", path, error)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def walk(path: str, on_error: OnError) -> Iterator[StoredObject]:
    """Yield the files below a folder in the byte order of their full names."""
    root = Path(path)
    if not root.is_dir():
        raise StorageError(f"There is no folder {path}: check the name.")
    if not os.access(root, os.R_OK | os.X_OK):
        raise StorageError(f"{path} may not be listed: you have no permission to read this folder.")
    return _walk(root, on_error)


def _walk(root: Path, on_error: OnError) -> Iterator[StoredObject]:
    real_root = Path(os.path.realpath(root))
    visited: set[tuple[int, int]] = set()

    def listed_by_its_own_name(link: Path) -> bool:
        target = Path(os.path.realpath(link))
        if not target.is_relative_to(real_root):
            return False
        return not any(part.startswith(".") for part in target.relative_to(real_root).parts)

    def below(folder: Path) -> Iterator[StoredObject]:
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in visited:
                return
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as scan:
                entries = [entry for entry in scan if not entry.name.startswith(".")]
        except OSError as error:
            on_error(str(folder), _reason(error))
            return
        # With "/" after the names of folders, this order is that of the full names, as S3's is.
        named = [(os.fsencode(e.name) + (b"/" if _is_dir(e) else b""), e) for e in entries]
        for key, entry in sorted(named, key=lambda pair: pair[0]):
            path = folder / entry.name
            try:
                if not _is_utf8(entry.name):
                    on_error(ascii(str(path)), "its name is not valid UTF-8; rename it")
                elif key.endswith(b"/"):
                    if not (entry.is_symlink() and listed_by_its_own_name(path)):
                        yield from below(path)
                else:
                    status = entry.stat()
                    if stat.S_ISREG(status.st_mode):
                        yield StoredObject(str(path), status.st_size, str(status.st_mtime_ns))
                    else:
                        on_error(str(path), "it is neither a file nor a folder")
            except OSError as error:
                dangling = entry.is_symlink() and isinstance(error, _NO_SUCH_FILE)
                on_error(str(path), "its link leads nowhere" if dangling else _reason(error))

    yield from below(root)


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into a folder without permission
        return False


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _raise(verb: str, path: str, error: Exception) -> NoReturn:
    if isinstance(error, _NO_SUCH_FILE) and verb == "read":
        raise StorageError(f"There is no file {path}: check the name.") from error
    if isinstance(error, IsADirectoryError):
        raise StorageError(f"{path} is a folder: name a file.") from error
    raise StorageError(f"{path} cannot be {verb}: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "you have no permission for it"
    if isinstance(error, OSError):
        if error.errno == errno.ENOSPC:
            return "the disk is full; make room and run again"
        if error.errno == errno.EROFS:
            return "the disk is read-only; choose another place"
        return (error.strerror or str(error)).lower()
    return str(error)
