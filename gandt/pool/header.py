"""What the header of an image says, without reading the rest of the file.

The file may lie on S3: it is read in pieces, of which most images need one. Metadata before the
size (a large color profile, a depth map) make the pieces grow, up to a limit. Pixels are never
unpacked. WebP is parsed here, by "WebP Container Specification" (Google, 2023), since Pillow's
plugin reads the whole file.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from gandt.errors import BadImage, StorageError
from gandt.pool.containers import SNIFF, container_kind, open_container, orientation

__all__ = ["PIECE", "Header", "read_header"]

PIECE = 1 << 15  # bytes: the headers of most photos, their thumbnail included
_MOST = 1 << 23  # bytes that are read of one image; depth maps of phones stand before the size
_PNG_EXIF = {"exif", "Raw profile type exif"}
_ORIENTATION = 0x0112  # the EXIF tag
_FIRST_SWAPPING = 5  # the orientation from which on width and height change places
_EXIF_FLAG = 0x08  # of WebP's VP8X
_TAG = 8  # bytes before the data of a RIFF chunk: its name and size

Fetch = Callable[[int, int], bytes]  # offset and size; fewer bytes where the file ends before


@dataclass(frozen=True, slots=True)
class Header:
    """What an image says of itself."""

    format: str  # Pillow's name: "JPEG", "PNG"
    width: int  # pixels, as stored
    height: int
    orientation: int  # EXIF, 1 to 8


def read_header(start: bytes, size: int, fetch: Fetch) -> Header:
    """Read the header of one image.

    Parameters
    ----------
    start
        The first `PIECE` bytes of the file, or all of a shorter one.
    size
        Bytes of the whole file.
    fetch
        Reads more of it, where the start is not enough.

    Raises
    ------
    BadImage
        With a short reason: empty, not an image, truncated, damaged, metadata without end.
    StorageError
        As `fetch` raises.
    """
    file = io.BufferedReader(_Pieces(start, size, fetch), PIECE)
    if start and container_kind(start[:SNIFF]) is WebPImageFile:
        return _read_webp(file)
    image = open_container(start[:SNIFF], file)
    try:
        # Pillow would unpack the pixels of a PNG to see whether a turn is noted behind them.
        silent = isinstance(image, PngImageFile) and not _PNG_EXIF & image.info.keys()
        turn = 1 if silent else orientation(image)
        turn = turn if 1 <= turn <= 8 else 1
        width, height = image.size
        if isinstance(image, TiffImageFile) and turn >= _FIRST_SWAPPING:
            width, height = height, width  # Pillow gives the size as displayed, of TIFF alone
        return _checked(Header(str(image.format), width, height, turn))
    finally:
        image.close()


def _checked(header: Header) -> Header:
    if header.width <= 0 or header.height <= 0:
        raise BadImage(f"damaged: it claims to be {header.width} x {header.height} pixels")
    return header


class _Pieces(io.RawIOBase):
    """A file of which only what is looked at is fetched; what follows on it, in growing pieces."""

    def __init__(self, start: bytes, size: int, fetch: Fetch) -> None:
        self._size = size
        self._fetch = fetch
        self._left = _MOST - len(start)
        self._pieces = _cut(start, 0)
        self._next = len(self._pieces)  # the piece behind what was fetched last
        self._ahead = 1  # pieces fetched at once
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        self._position = max(0, base[whence] + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        number, offset = divmod(self._position, PIECE)
        # No more than this piece: the buffered reader would fetch the next one for nothing.
        data = self._piece(number)[offset : offset + len(buffer)]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _piece(self, number: int) -> bytes:
        if number * PIECE >= self._size:
            return b""
        if number not in self._pieces:
            if self._left <= 0:
                raise BadImage("its metadata take more room than any image needs")
            self._ahead = self._ahead * 2 if number == self._next else 1
            data = self._fetch(number * PIECE, min(self._ahead * PIECE, self._left))
            self._left -= max(len(data), 1)
            self._next = number + self._ahead
            self._pieces |= {number: b""} | _cut(data, number)
        return self._pieces[number]


def _cut(data: bytes, first: int) -> dict[int, bytes]:
    starts = range(0, len(data), PIECE)
    return {first + place: data[at : at + PIECE] for place, at in enumerate(starts)}


def _read_webp(file: BinaryIO) -> Header:
    head = file.read(30)
    kind = head[12:16]
    if len(head) < 30 and not (kind == b"VP8L" and len(head) >= 25):
        raise BadImage("truncated")
    turn = 1
    if kind == b"VP8X":
        width = 1 + int.from_bytes(head[24:27], "little")
        height = 1 + int.from_bytes(head[27:30], "little")
        if head[20] & _EXIF_FLAG:
            turn = _webp_turn(file)
    elif kind == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width = int.from_bytes(head[26:28], "little") & 0x3FFF
        height = int.from_bytes(head[28:30], "little") & 0x3FFF
    else:
        raise BadImage("damaged: not a WebP image")
    return _checked(Header("WEBP", width, height, turn))


def _webp_turn(file: BinaryIO) -> int:
    """Look for the orientation, which stands behind the pixels; 1 where it cannot be had."""
    position = 12
    try:
        while True:
            file.seek(position)
            tag = file.read(_TAG)
            if len(tag) < _TAG:
                return 1
            size = int.from_bytes(tag[4:], "little")
            if tag[:4] == b"EXIF":
                break
            position += _TAG + size + size % 2
        exif = Image.Exif()
        exif.load(file.read(size))
        turn = exif.get(_ORIENTATION, 1)
    except StorageError:
        raise
    except Exception:  # broken metadata, or too far away, does not spoil the pixels
        return 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1
