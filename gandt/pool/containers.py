"""The file formats of images: told apart by their first bytes, and opened without unpacking.

JPEG, PNG, WebP, TIFF, BMP and GIF, each by Pillow's own plugin. Nothing of Pillow's global state is
used or changed, so any number of threads may open images.
"""

from __future__ import annotations

import struct
from typing import IO

from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from gandt.errors import BadImage

__all__ = ["SNIFF", "container_kind", "open_container", "orientation", "reason"]

SNIFF = 512  # bytes, by which a format is told
_ORIENTATION = 0x0112  # the EXIF tag


def open_container(start: bytes, file: IO[bytes]) -> ImageFile.ImageFile:
    """Read the header with the one plugin that fits the first bytes.

    `Image.open` is not used: it warns of large images through the process-wide `warnings`, and
    its limit on their size is a global.

    Parameters
    ----------
    start
        The first `SNIFF` bytes of the file; fewer where it ends before.
    file
        The whole file.

    Raises
    ------
    BadImage
        With a short reason.
    """
    kind = container_kind(start)
    try:
        return kind(file)
    except BadImage:
        raise
    except Exception as error:
        raise BadImage(reason(error)) from error


def container_kind(start: bytes) -> type[ImageFile.ImageFile]:
    """Tell the format by the first bytes.

    Raises
    ------
    BadImage
        Where it is none of them, with what it is instead.
    """
    if not start:
        raise BadImage("empty file")
    if start.startswith(b"\xff\xd8\xff"):
        return JpegImageFile
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return WebPImageFile
    if start[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
        return TiffImageFile
    if start[:6] in {b"GIF87a", b"GIF89a"}:
        return GifImageFile
    if start.startswith(b"BM"):
        return BmpImageFile
    raise BadImage(_foreign(start))


def _foreign(start: bytes) -> str:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "not an image: a web page (HTML)"
    if text.startswith((b"<svg", b"<?xml")):
        return "not an image in pixels: XML or SVG"
    if text.startswith(b"%pdf"):
        return "not an image: a PDF"
    if start[4:8] == b"ftyp" and start[8:12] in {b"heic", b"heix", b"mif1", b"msf1", b"avif"}:
        return "a HEIC or AVIF image, which is not supported: convert it to JPEG"
    if start.count(0) == len(start):
        return "not an image: it begins with zeros only"
    return "not an image: no JPEG, PNG, WebP, TIFF, BMP or GIF"


def reason(error: Exception) -> str:
    """Say in a few words why a file could not be opened or decoded."""
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    text = " ".join(str(error).split())
    if isinstance(error, EOFError | struct.error | IndexError) or "truncated" in text.lower():
        return "truncated"
    # libtiff's codes mean nothing to a person; -2 is what it says of a strip that ends early.
    if text in {"-2", "decoder error -2"}:
        return "truncated or damaged"
    return f"damaged: {text}" if text else f"damaged: {type(error).__name__}"


def orientation(image: Image.Image) -> int:
    """Give the EXIF orientation of an image, 1 where it has none.

    Of a PNG that keeps it behind its pixels, these are unpacked.
    """
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken metadata does not spoil the pixels
        return 1
    return value if isinstance(value, int) else 1
