"""Images by names that tell nothing, and only those that were listed.

The page asks for `/image/<id>`; the id is a keyed hash of the image's URI, looked up in a table
that was made when the service started. No part of a URL ever becomes part of a path, so there is
nothing that `..` or an encoded slash could lead to. What is found under a listed name is sent only
where it is a file that begins as an image does: a name that was made to lead to something else
(a link to a key, a pipe) gives nothing away. Files on S3 come through the service, piece by piece.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gandt import storage
from gandt.errors import BadImage, StorageError
from gandt.storage import PassingFailure, ServiceFailure

__all__ = [
    "MAX_BYTES",
    "ImageShelf",
    "NotShown",
    "OpenImage",
    "image_type",
    "open_image",
    "open_regular",
    "unreadable",
]

MAX_BYTES = 200_000_000  # five times what Ground Truth takes
_CHUNK = 1 << 20
_HEAD = 32  # bytes that tell the format
_BMP_HEADERS = [size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124)]
_UNSHOWN = (".tif", ".tiff")
_NO_IMAGE = "This is no image that a browser can show."


def image_type(head: bytes) -> str | None:
    """Tell the media type of an image by its first bytes; None where browsers know no such image.

    SVG is not among them: it can hold scripts.
    """
    for mark, kind in (
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"\x00\x00\x01\x00", "image/x-icon"),
    ):
        if head.startswith(mark):
            return kind
    if head[:2] == b"BM" and head[6:10] == bytes(4) and head[14:18] in _BMP_HEADERS:
        return "image/bmp"  # two letters alone could begin any text
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    return None


class NotShown(BadImage):
    """A picture cannot be shown; the message is a sentence for whoever wanted to see it.

    Attributes
    ----------
    status : int
        Of HTTP: 404 where it cannot be had, 503 where that may pass, 415 where it is no image,
        413 where it is too large.
    """

    def __init__(self, message: str, status: int = 415) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class OpenImage:
    """An image that browsers show, opened: iterate over `chunks` or close them."""

    kind: str  # media type
    size: int  # bytes
    etag: str  # with its quotes; another one whenever the bytes may have changed
    chunks: Chunks


class Chunks:
    """The bytes of an opened file, piece by piece; the file is closed behind the last one."""

    def __init__(self, pieces: Iterator[bytes], file: BinaryIO | None = None) -> None:
        self._pieces, self._file = pieces, file

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Send no more."""
        if self._file is not None:
            self._file.close()

    def __del__(self) -> None:  # whoever wanted it went away before the first piece
        with contextlib.suppress(Exception):
            self.close()


class ImageShelf:
    """The images that may be shown.

    Parameters
    ----------
    uris
        Local paths or `s3://`.
    secret
        Makes the ids; with the same one they are the same again, so that browsers may keep images.
    """

    def __init__(self, uris: Iterable[str], secret: str) -> None:
        self._key = secret.encode()
        self._uris = {self._id(uri): uri for uri in uris}

    def _id(self, uri: str) -> str:
        return hmac.new(self._key, uri.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]

    def __len__(self) -> int:
        return len(self._uris)

    def address(self, uri: str) -> str:
        """The address of an image for a page; of one that was not listed, an address of nothing."""
        name = self._id(uri)
        return f"/image/{name}" if name in self._uris else "/image/none"

    def missing(self) -> list[str]:
        """The local images that are not there."""
        return [
            uri
            for uri in self._uris.values()
            if not storage.is_remote(uri) and not os.path.isfile(storage.normalize(uri))  # noqa: PTH113
        ]

    def unshown(self) -> list[str]:
        """The images that no browser shows, by their names: TIFF, which a pool may hold."""
        return [uri for uri in self._uris.values() if uri.lower().endswith(_UNSHOWN)]

    def respond(self, request: Request) -> Response:
        """Answer a request for an image; `id` is a parameter of the path."""
        uri = self._uris.get(request.path_params["id"])
        if uri is None:
            raise HTTPException(404, "There is no such image.")
        try:
            opened = open_image(uri)
        except NotShown as error:
            raise HTTPException(error.status, str(error)) from None
        headers = {
            "Cache-Control": "private, max-age=86400",
            "Content-Length": str(opened.size),
            "Content-Disposition": "inline",
            "ETag": opened.etag,
        }
        if request.headers.get("if-none-match") == opened.etag:
            opened.chunks.close()
            del headers["Content-Length"]
            return Response(status_code=304, headers=headers, media_type=opened.kind)
        if request.method == "HEAD":
            opened.chunks.close()
            return Response(headers=headers, media_type=opened.kind)
        return StreamingResponse(opened.chunks, headers=headers, media_type=opened.kind)


def open_image(uri: str, part: tuple[int, int] | None = None) -> OpenImage:
    """Open what lies at a listed URI, where it is an image that browsers show.

    Parameters
    ----------
    uri
        A local path or `s3://`, never of a request.
    part
        Offset and size in bytes of the image within the file, where it is a member of a tar.

    Raises
    ------
    NotShown
        It cannot be read, is no regular file, does not begin as an image does, or is too large.
    """
    try:
        return _open_remote(uri, part) if storage.is_remote(uri) else _open_local(uri, part)
    except (OSError, ValueError, StorageError) as error:
        raise unreadable(error) from error


def unreadable(error: Exception) -> NotShown:
    """Say of a failure to read a listed image what those who look at it should know.

    The failure itself may name folders and accounts, which are none of their business.
    """
    if isinstance(error, (PassingFailure, ServiceFailure)):
        return NotShown("The image cannot be had from S3 at present: try again later.", 503)
    return NotShown("The image cannot be read.", 404)


def open_regular(uri: str) -> tuple[BinaryIO, os.stat_result]:
    """Open a local file for reading, where it is a regular file and nothing else.

    Raises
    ------
    NotShown
        It is a folder, a pipe or a device.
    OSError, ValueError
        It cannot be opened, or no file can have such a name.
    """
    # A pipe would wait for ever for whoever writes into it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(storage.normalize(uri), flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotShown(_NO_IMAGE)
        return os.fdopen(descriptor, "rb"), status
    except BaseException:
        os.close(descriptor)
        raise


def _check(head: bytes, size: int) -> str:
    kind = image_type(head)
    if kind is None:
        raise NotShown(_NO_IMAGE)
    if size > MAX_BYTES:
        raise NotShown(f"The image has {size:,} bytes, more than can be shown.", 413)
    return kind


def _etag(*parts: object) -> str:
    text = " ".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return f'"{hashlib.sha256(text).hexdigest()[:24]}"'


def _open_local(uri: str, part: tuple[int, int] | None) -> OpenImage:
    file, status = open_regular(uri)
    try:
        offset, size = part or (0, status.st_size)
        file.seek(offset)
        kind = _check(file.read(min(_HEAD, size)), size)
        file.seek(offset)
    except BaseException:
        file.close()
        raise

    def pieces() -> Iterator[bytes]:
        left = size  # what grows meanwhile is not what was promised
        while left > 0 and (data := file.read(min(_CHUNK, left))):
            left -= len(data)
            yield data

    etag = _etag(uri, status.st_mtime_ns, status.st_size, offset)
    return OpenImage(kind, size, etag, Chunks(pieces(), file))


def _open_remote(uri: str, part: tuple[int, int] | None) -> OpenImage:
    found = storage.stat(uri)
    start, size = part or (0, found.size)
    first = storage.read_bytes(uri, offset=start, size=min(_CHUNK, size))
    kind = _check(first[:_HEAD], size)

    def pieces() -> Iterator[bytes]:
        yield first
        for offset in range(len(first), size, _CHUNK):
            yield storage.read_bytes(uri, offset=start + offset, size=min(_CHUNK, size - offset))

    return OpenImage(kind, size, _etag(uri, found.version, found.size, start), Chunks(pieces()))
