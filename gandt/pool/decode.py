"""From the bytes of one image to the square of RGB pixels that a model takes.

Reads JPEG, PNG, WebP, TIFF, BMP and GIF (the first frame or page of each) and gives what a person
would see: turned as EXIF says, transparent parts on white, 16-bit and float gray brought down to
8 bits by their full scale. Everything that cannot be read whole raises `BadImage` with a short
reason. Nothing of Pillow's global state is changed, so any number of threads may decode.

Two ways lead to the same picture. The exact one does literally what torchvision's and timm's
evaluation transforms do: decode, resize the whole image, cut the central square. The fast one lets
the JPEG decoder shrink by 2, 4 or 8 in the DCT domain (as described for libjpeg by T. Lane, in its
`libjpeg.txt`, 1998) to no less than twice the size needed, and then makes one resize of just the
part of the source that ends up in the square. That part is computed from the rounded size and the
rounded crop offset of the exact way; without that, the two differ by up to half a pixel.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from gandt.errors import BadImage
from gandt.pool.containers import SNIFF, open_container, orientation, reason
from gandt.types import Pixels, Preprocessing

__all__ = ["Decoded", "Geometry", "decode", "geometry"]

_OVERSAMPLING = 2  # the fast way decodes to at least this many times the size needed
_WHOLE_RESIZE_LIMIT = 50_000_000  # pixels; above, also the exact way resizes the cropped part only
_FLOAT_SCALES = (1.0, 255.0, 65535.0)  # what "white" is in the float images people write

_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image as the model wants it, and what it was."""

    pixels: Pixels  # (size, size, 3) uint8 RGB
    width: int  # pixels of the original as displayed, after EXIF orientation
    height: int


@dataclass(frozen=True, slots=True)
class Geometry:
    """The size to which the whole image is resized, and where the central square begins in it."""

    width: int
    height: int
    left: int
    top: int


@dataclass(frozen=True, slots=True)
class _Turn:
    """What an EXIF orientation means: the transposition, and how it maps the axes."""

    operation: Image.Transpose
    swaps: bool  # x as displayed is y as stored
    flips_x: bool  # of the stored image
    flips_y: bool


_TURNS = {
    2: _Turn(Image.Transpose.FLIP_LEFT_RIGHT, False, True, False),
    3: _Turn(Image.Transpose.ROTATE_180, False, True, True),
    4: _Turn(Image.Transpose.FLIP_TOP_BOTTOM, False, False, True),
    5: _Turn(Image.Transpose.TRANSPOSE, True, False, False),
    6: _Turn(Image.Transpose.ROTATE_270, True, False, True),
    7: _Turn(Image.Transpose.TRANSVERSE, True, True, True),
    8: _Turn(Image.Transpose.ROTATE_90, True, True, False),
}


def geometry(width: int, height: int, preprocessing: Preprocessing) -> Geometry:
    """Compute the resized size and crop offset as torchvision and timm round them.

    `width` and `height` are those of the image as displayed. The shorter side becomes
    `floor(size / crop_fraction)` (timm), the longer is cut down to an integer and the offset
    rounded half to even (torchvision).
    """
    size = preprocessing.size
    if preprocessing.resize == "squash":
        return Geometry(size, size, 0, 0)
    short = max(size, math.floor(size / preprocessing.crop_fraction))
    if width <= height:
        new_width, new_height = short, int(short * height / width)
    else:
        new_width, new_height = int(short * width / height), short
    left, top = round((new_width - size) / 2.0), round((new_height - size) / 2.0)
    return Geometry(new_width, new_height, left, top)


def decode(
    data: bytes,
    preprocessing: Preprocessing,
    *,
    exact: bool = False,
    max_pixels: int = 200_000_000,
) -> Decoded:
    """Decode, turn, resize and crop one image.

    Parameters
    ----------
    data
        The whole file.
    exact
        Do literally what the reference transform does. The fast way differs by the rounding of
        single gray levels, and for large JPEGs by the filter of the DCT-domain shrinking.
    max_pixels
        Larger images are refused before they are unpacked.

    Raises
    ------
    BadImage
        With a short reason: empty, not an image, truncated, damaged, too many pixels.
    """
    image = open_container(data[:SNIFF], io.BytesIO(data))
    try:
        width, height = image.size
        if width * height > max_pixels:
            raise BadImage(f"too many pixels: {width} x {height}, the limit is {max_pixels}")
        if width == 0 or height == 0:
            raise BadImage(f"damaged: it claims to be {width} x {height} pixels")
        shrunk_by = 1.0
        if isinstance(image, JpegImageFile) and not exact:
            target = geometry(width, height, preprocessing)
            at_least = (target.width * _OVERSAMPLING, target.height * _OVERSAMPLING)
            drafted = image.draft(image.mode, at_least)
            if drafted is not None:
                shrunk_by = width / drafted[1][2]
        image.load()
        if isinstance(image, TiffImageFile):
            width, height = image.size  # Pillow has turned it while loading
        turn = _TURNS.get(orientation(image))
        flat = _flatten(image)
        if turn is not None and exact:
            flat = flat.transpose(turn.operation)
            if turn.swaps:
                width, height = height, width
            turn = None
        square = _square(flat, width, height, shrunk_by, turn, preprocessing, exact)
        if turn is not None:
            square = square.transpose(turn.operation)
            if turn.swaps:
                width, height = height, width
        pixels = np.array(square if square.mode == "RGB" else square.convert("RGB"))
    except BadImage:
        raise
    except Exception as error:
        raise BadImage(reason(error)) from error
    finally:
        image.close()
    return Decoded(pixels, width, height)


def _square(
    image: Image.Image,
    width: int,
    height: int,
    shrunk_by: float,
    turn: _Turn | None,
    preprocessing: Preprocessing,
    exact: bool,
) -> Image.Image:
    """Cut the central square out of `image`, which shows `width` x `height` source pixels.

    `image` is as stored, and so is the square; `turn` says how it will be displayed. The decoder
    may have made `image` smaller by `shrunk_by`.
    """
    size = preprocessing.size
    filter_ = _RESAMPLING[preprocessing.interpolation]
    if turn is not None and turn.swaps:
        shown = geometry(height, width, preprocessing)
        whole_width, whole_height = shown.height, shown.width
        left, top = shown.top, shown.left
    else:
        shown = geometry(width, height, preprocessing)
        whole_width, whole_height = shown.width, shown.height
        left, top = shown.left, shown.top
    # The offset is rounded in the picture as displayed, so a flip moves the odd pixel over.
    if turn is not None and turn.flips_x:
        left = whole_width - size - left
    if turn is not None and turn.flips_y:
        top = whole_height - size - top

    if exact and whole_width * whole_height <= _WHOLE_RESIZE_LIMIT:
        if (whole_width, whole_height) != image.size:
            image = image.resize((whole_width, whole_height), filter_)
        return image.crop((left, top, left + size, top + size))

    # A decoder that shrinks by s gives ceil(width / s) columns: the last may be partly padding, so
    # the scale is that of the source, not that of the columns.
    scale_x = width / shrunk_by / whole_width
    scale_y = height / shrunk_by / whole_height
    box = (
        left * scale_x,
        top * scale_y,
        min((left + size) * scale_x, image.width),
        min((top + size) * scale_y, image.height),
    )
    return image.resize((size, size), filter_, box=box)


# ------------------------------------------------------------------------------------ color


def _flatten(image: Image.Image) -> Image.Image:
    """Bring any color mode to `RGB` or, for gray images, to `L`."""
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        return Image.fromarray(_to_8_bits(np.asarray(image)))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        if rgba.getchannel("A").getextrema() == (255, 255):
            return rgba.convert("RGB")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        white.alpha_composite(rgba)
        return white.convert("RGB")
    if mode in {"RGB", "L"}:
        return image
    return image.convert("L" if mode == "1" else "RGB")


def _to_8_bits(values: np.ndarray) -> Pixels:
    """Scale gray values of 16 or more bits by their full scale.

    Unsigned 16 bits lose their lower byte. Floats take the smallest of the customary full scales
    (1, 255, 65535) that holds them. Whatever does not fit is stretched from its least to its
    greatest value. Values that are no number become black.
    """
    if values.dtype == np.uint16:
        return (values >> 8).astype(np.uint8)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    low, high = float(values[finite].min()), float(values[finite].max())
    if low >= 0 and np.issubdtype(values.dtype, np.integer) and high <= 65535:
        return (values >> 8).astype(np.uint8)
    scale = next((full for full in _FLOAT_SCALES if low >= 0 and high <= full), None)
    if scale is not None:
        low, high = 0.0, scale
    span = high - low if high > low else 1.0
    scaled = (np.where(finite, values, low).astype(np.float64) - low) * (255.0 / span)
    return np.rint(scaled).astype(np.uint8)
