"""Small JPEGs of images, for pages that carry their pictures inside.

Takes the bytes of a file in any format that Pillow reads and gives a small, upright sRGB-like
JPEG. JPEG files are decoded at a fraction of their size where they are large (libjpeg scales in
the frequency domain), which makes a thumbnail of a 12-megapixel photo several times cheaper.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from gandt.errors import BadImage
from gandt.pool.containers import SNIFF, container_kind, orientation, reason
from gandt.types import Pixels

__all__ = ["Thumbnail", "make_thumbnail"]

_MATTE = (255, 255, 255)  # under transparent parts, in light and dark pages alike
_ROWS = 256  # of a 16-bit image that are scaled at once
_GAP = 1.5  # a JPEG is decoded to at least this many times the size needed
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPPING = (5, 6, 7, 8)  # orientations in which width and height change places


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small JPEG and the sizes that go with it, in pixels."""

    jpeg: bytes
    width: int
    height: int
    full_width: int  # of the image it shows, upright
    full_height: int

    @property
    def data_uri(self) -> str:
        """The JPEG as the address of an HTML image."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode()}"


def make_thumbnail(
    data: bytes, side: int, quality: int = 80, *, max_pixels: int | None = None
) -> Thumbnail:
    """Shrink an image so that its longer side is at most `side` pixels; never enlarge it.

    EXIF orientation is applied; of an animation the first frame is taken. Any number of threads
    may do this at once.

    Parameters
    ----------
    max_pixels
        Larger images are refused before they are unpacked; Pillow's own limit where None.

    Raises
    ------
    BadImage
        With a short reason where the bytes are not an image that can be decoded.
    """
    if not data:
        raise BadImage("the file is empty")
    limit = Image.MAX_IMAGE_PIXELS if max_pixels is None else max_pixels
    try:
        kind = container_kind(data[:SNIFF])
    except BadImage as error:
        raise BadImage("it is not an image of a known format") from error
    try:
        with kind(io.BytesIO(data)) as image:
            if limit is not None and image.width * image.height > limit:
                raise BadImage(
                    f"it has too many pixels: {image.width} x {image.height}, the limit is {limit}"
                )
            return _shrink(image, side, quality)
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise whatever their format makes them raise
        raise BadImage(f"it cannot be decoded ({reason(error)})") from error


def _shrink(image: ImageFile, side: int, quality: int) -> Thumbnail:
    full = image.size
    scale = min(1.0, side / max(full))
    box = None
    if isinstance(image, JpegImageFile) and scale < 1:
        least = (max(1, int(full[0] * scale * _GAP)), max(1, int(full[1] * scale * _GAP)))
        drafted = image.draft(None, least)
        box = drafted and drafted[1]  # the last column may be partly padding
    image.load()
    if isinstance(image, TiffImageFile):
        full = image.size  # Pillow has turned it while loading
    turn = orientation(image)
    flat = _even(image)
    if scale < 1:
        size = (max(1, round(full[0] * scale)), max(1, round(full[1] * scale)))
        flat = flat.resize(size, Image.Resampling.BICUBIC, box, reducing_gap=2.0)
    small = _on_white(flat)
    if turn in _TURNS:
        small = small.transpose(_TURNS[turn])
        full = (full[1], full[0]) if turn in _SWAPPING else full
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=quality, optimize=True)
    return Thumbnail(stream.getvalue(), small.width, small.height, *full)


def _even(image: Image.Image) -> Image.Image:
    """Bring an image to a mode whose values can be averaged."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bits(np.asarray(image)))
    if image.mode in {"RGB", "L", "RGBA", "LA", "CMYK"} and "transparency" not in image.info:
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _to_8_bits(values: np.ndarray) -> Pixels:
    """Show what is between the darkest and the brightest pixel of 16 or 32 bits."""
    blocks = [values[row : row + _ROWS] for row in range(0, len(values), _ROWS)]
    finite = [block[np.isfinite(block)] for block in blocks]
    low = min((float(block.min()) for block in finite if block.size), default=0.0)
    high = max((float(block.max()) for block in finite if block.size), default=0.0)
    factor = 255 / (high - low) if high > low else 0.0
    out = np.empty(values.shape, np.uint8)
    for number, block in enumerate(blocks):  # in float64 the whole may be larger than the memory
        known = np.where(np.isfinite(block), block, low).astype(np.float64)
        out[number * _ROWS : number * _ROWS + len(block)] = (known - low) * factor
    return out


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in {"RGBA", "LA"}:
        layer = image.convert("RGBA")
        matte = Image.new("RGBA", layer.size, (*_MATTE, 255))
        return Image.alpha_composite(matte, layer).convert("RGB")
    return image.convert("RGB")
