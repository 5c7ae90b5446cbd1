"""Bytes by URI: local paths and `s3://` objects behind the same few functions.

Reads and writes whole objects, ranges of them, lines of them, and listings of folders. A URI is an
absolute local path (`~` and `file://` are understood, see `normalize`) or `s3://bucket/key`, kept
as written. `local` knows the disk; `s3` and its two helpers are the only modules that know boto3,
and import it on the first `s3://` URI.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePath
from urllib.parse import unquote

from gandt.errors import StorageError
from gandt.storage import local, s3
from gandt.storage.objects import (
    MissingObject,
    OnError,
    PassingFailure,
    ServiceFailure,
    StoredObject,
)

__all__ = [
    "MissingObject",
    "OnError",
    "PassingFailure",
    "ServiceFailure",
    "StoredObject",
    "atomic_path",
    "cache_folder",
    "exists",
    "find",
    "is_folder",
    "is_remote",
    "list_folder",
    "normalize",
    "open_lines",
    "put",
    "read_bytes",
    "read_chunks",
    "read_start",
    "stat",
    "write_bytes",
]


def cache_folder() -> Path:
    """Where what can be made again is kept: `$XDG_CACHE_HOME/gandt`, or below `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gandt"


def is_remote(uri: str | os.PathLike[str]) -> bool:
    """Whether this names an S3 object or prefix rather than a local path."""
    return _text(uri).startswith(s3.PREFIX)


def _text(uri: str | os.PathLike[str]) -> str:
    text = os.fspath(uri)
    # A Path makes one slash of two.
    if isinstance(uri, PurePath) and text.startswith("s3:/") and not text.startswith(s3.PREFIX):
        return s3.PREFIX + text[len("s3:/") :]
    return text


def normalize(uri: str | os.PathLike[str]) -> str:
    """Give the one spelling of a URI: an absolute path, or the `s3://` URI as written.

    Symbolic links are kept: the name under which the user knows an image stays its name.
    """
    text = _text(uri)
    if text.startswith(s3.PREFIX):
        return text
    if text.startswith("file://"):
        path = text[len("file://") :]
        text = unquote(path[path.index("/") :] if "/" in path else path)
    # A name such as "~backup" with no user of that name is an ordinary file name.
    with contextlib.suppress(RuntimeError):
        text = str(Path(text).expanduser())
    return os.path.normpath(Path(text).absolute())


def find(uri: str | os.PathLike[str]) -> StoredObject | None:
    """Look up one object; None where there is none, or where a folder has that name.

    Raises
    ------
    StorageError
        Where it cannot be found out, for want of permission or connection.
    """
    text = normalize(uri)
    return s3.find(text) if is_remote(text) else local.find(text)


def stat(uri: str | os.PathLike[str]) -> StoredObject:
    """Like `find`, for an object that has to be there.

    Raises
    ------
    StorageError
        Where it is missing, is a folder, or may not be read.
    """
    found = find(uri)
    if found is None:
        text = normalize(uri)
        if not is_remote(text) and Path(text).is_dir():
            raise StorageError(f"{text} is a folder: name a file.")
        raise StorageError(f"There is no file {text}: check the name.")
    return found


def is_folder(uri: str | os.PathLike[str]) -> bool:
    """Whether this is a local folder, or an S3 prefix under which any object lies."""
    text = normalize(uri)
    return s3.any_below(text) if is_remote(text) else Path(text).is_dir()


def exists(uri: str | os.PathLike[str]) -> bool:
    """Whether an object or a folder has this name."""
    text = normalize(uri)
    if is_remote(text):
        return s3.find(text) is not None or s3.any_below(text)
    return Path(text).exists()


def list_folder(
    uri: str | os.PathLike[str], on_error: OnError | None = None
) -> Iterator[StoredObject]:
    """Every file below a folder or S3 prefix, in the byte order of the full names.

    Names that begin with a dot are skipped. A link to a folder is followed unless its target is
    listed anyway or was listed before, so that loops end and no file comes twice by a link.

    Parameters
    ----------
    on_error
        Called with `(URI, reason)` for each file or folder below that cannot be listed, such as
        a folder without permission or a dangling link. Without it the first one raises.

    Raises
    ------
    StorageError
        Where the folder itself is missing or unreadable.
    """
    text = normalize(uri)
    return s3.walk(text) if is_remote(text) else local.walk(text, on_error or _raise_on_error)


def _raise_on_error(uri: str, reason: str) -> None:
    raise StorageError(f"{uri} cannot be listed: {reason}.")


def read_bytes(uri: str | os.PathLike[str], *, offset: int = 0, size: int | None = None) -> bytes:
    """Read an object, or `size` bytes of it from `offset` on (fewer where it ends before).

    Raises
    ------
    StorageError
        Where it is missing, is a folder, or may not be read.
    """
    text = normalize(uri)
    if size == 0:
        return b""
    return s3.read(text, offset, size) if is_remote(text) else local.read(text, offset, size)


def read_start(uri: str | os.PathLike[str], size: int) -> tuple[StoredObject, bytes]:
    """Read the first `size` bytes of an object, and what it is; on S3 in one request.

    Raises
    ------
    StorageError
        Where it is missing, is a folder, or may not be read.
    """
    text = normalize(uri)
    if is_remote(text):
        return s3.read_start(text, size)
    return stat(text), local.read(text, 0, size)


def read_chunks(uri: str | os.PathLike[str]) -> Iterator[bytes]:
    """Stream an object, in chunks of up to 1 MiB.

    Raises
    ------
    StorageError
        Where it is missing, is a folder, or may not be read.
    """
    text = normalize(uri)
    return s3.chunks(text) if is_remote(text) else local.chunks(text)


def open_lines(uri: str | os.PathLike[str]) -> Iterator[bytes]:
    r"""Stream the lines of an object, without their `\n` or `\r\n`.

    Raises
    ------
    StorageError
        Where it is missing, is a folder, or may not be read.
    """
    chunks = read_chunks(uri)
    begun: list[bytes] = []  # pieces of the line that the last chunk left open
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        begun.append(first)
        for line in others:
            yield b"".join(begun).removesuffix(b"\r")
            begun = [line]
    if any(begun):
        yield b"".join(begun).removesuffix(b"\r")


def write_bytes(uri: str | os.PathLike[str], data: bytes) -> None:
    """Write an object whole; readers see the old bytes or the new ones, nothing between.

    Folders on the way are created. A pipe or device, such as `/dev/stdout`, is written into.

    Raises
    ------
    StorageError
        Where it may not be written; a file that was there before is then untouched.
    """
    text = normalize(uri)
    (s3 if is_remote(text) else local).write(text, data)


def put(uri: str | os.PathLike[str], data: bytes, *, content_type: str) -> None:
    """Write an object that browsers will load, whole and with proof that it arrived unchanged.

    S3 keeps the SHA-256 of the bytes with it and refuses others. A local file has no content type.

    Raises
    ------
    StorageError
        Where it may not be written, or was damaged on the way at every try.
    """
    text = normalize(uri)
    if is_remote(text):
        s3.put(text, data, content_type)
    else:
        local.write(text, data)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path that takes the place of `path` if the block succeeds.

    The block creates the file. It has the suffix of `path`, since some writers choose or append
    one by it. On a disk it lies beside `path` under a hidden name, which listings skip, and file
    and folder are flushed; for S3 it lies in the machine's folder for temporary files, and is
    uploaded. Where the block fails, the temporary file is removed and `path` stays as it was.

    Raises
    ------
    StorageError
        Where the file cannot be written, flushed, renamed or uploaded.
    """
    text = normalize(path)
    if not is_remote(text):
        with local.replacing(text) as temporary:
            yield temporary
        return
    with tempfile.TemporaryDirectory(prefix="gandt-") as folder:
        temporary = Path(folder) / f"upload{Path(text).suffix}"
        yield temporary
        s3.upload(temporary, text)
