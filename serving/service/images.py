"""Images by names that tell nothing, and only those that were listed.

The page asks for `/image/<id>`; the id is a keyed hash of the image's URI, looked up in a table
that was made when the service started. No part of a URL ever becomes part of a path, so there is
nothing that `..` or an encoded slash could lead to. What is found under a listed name is sent only
where it is a file that begins as an image does: a name that was made to lead to something else
(a link to a key, a pipe) gives nothing away. Files on S3 come through the service, piece by piece.
"""

from __future__ import annotations

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
from gandt.errors import StorageError

__all__ = ["ImageShelf", "image_type"]

MAX_BYTES = 200_000_000  # five times what Ground Truth takes
_CHUNK = 1 << 20
_HEAD = 32  # bytes that tell the format
_BMP_HEADERS = [size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124)]
_UNSHOWN = (".tif", ".tiff")


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


@dataclass(frozen=True, slots=True)
class _Opened:
    kind: str
    size: int
    version: str
    chunks: Iterator[bytes]
    close: BinaryIO | None = None


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
            opened = _open_remote(uri) if storage.is_remote(uri) else _open_local(uri)
        except (OSError, StorageError):
            raise HTTPException(404, "The image cannot be read.") from None
        headers = {
            "Cache-Control": "private, max-age=86400",
            "Content-Length": str(opened.size),
            "Content-Disposition": "inline",
            "ETag": f'"{hashlib.sha256(opened.version.encode()).hexdigest()[:24]}"',
        }
        if request.headers.get("if-none-match") == headers["ETag"]:
            _finish(opened)
            del headers["Content-Length"]
            return Response(status_code=304, headers=headers, media_type=opened.kind)
        if request.method == "HEAD":
            _finish(opened)
            return Response(headers=headers, media_type=opened.kind)
        return StreamingResponse(opened.chunks, headers=headers, media_type=opened.kind)


def _finish(opened: _Opened) -> None:
    if opened.close is not None:
        opened.close.close()


def _check(head: bytes, size: int) -> str:
    kind = image_type(head)
    if kind is None:
        raise HTTPException(415, "This is no image that a browser can show.")
    if size > MAX_BYTES:
        raise HTTPException(413, f"The image has {size:,} bytes, more than can be shown.")
    return kind


def _open_local(uri: str) -> _Opened:
    # A pipe would wait for ever for whoever writes into it.
    descriptor = os.open(storage.normalize(uri), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    file = os.fdopen(descriptor, "rb")
    try:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise HTTPException(415, "This is no image that a browser can show.")
        kind = _check(file.read(_HEAD), status.st_size)
        file.seek(0)
    except BaseException:
        file.close()
        raise

    def chunks() -> Iterator[bytes]:
        left = status.st_size  # what grows meanwhile is not what was promised
        with file:
            while left > 0 and (data := file.read(min(_CHUNK, left))):
                left -= len(data)
                yield data

    version = f"{uri} {status.st_mtime_ns} {status.st_size}"
    return _Opened(kind, status.st_size, version, chunks(), file)


def _open_remote(uri: str) -> _Opened:
    found = storage.stat(uri)
    first = storage.read_bytes(uri, size=_CHUNK)
    kind = _check(first[:_HEAD], found.size)

    def chunks() -> Iterator[bytes]:
        yield first
        for offset in range(len(first), found.size, _CHUNK):
            yield storage.read_bytes(uri, offset=offset, size=_CHUNK)

    return _Opened(kind, found.size, f"{uri} {found.version}", chunks())
