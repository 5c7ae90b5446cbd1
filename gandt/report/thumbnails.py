"""Small JPEGs of images, for pages that carry their pictures inside.

Takes the bytes of a file in any format that Pillow reads and gives a small, upright sRGB-like
JPEG. JPEG files are decoded at a fraction of their size where they are large (libjpeg scales in
the frequency domain), which makes a thumbnail of a 12-megapixel photo several times cheaper.
"""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from gandt.errors import BadImage

__all__ = ["Thumbnail", "make_thumbnail"]

_MATTE = (255, 255, 255)  # under transparent parts, in light and dark pages alike


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


def make_thumbnail(data: bytes, side: int, quality: int = 80) -> Thumbnail:
    """Shrink an image so that its longer side is at most `side` pixels; never enlarge it.

    EXIF orientation is applied; of an animation the first frame is taken.

    Raises
    ------
    BadImage
        With a short reason where the bytes are not an image that can be decoded.
    """
    if not data:
        raise BadImage("the file is empty")
    try:
        with warnings.catch_warnings():
            # Pillow warns about images beyond its pixel limit and about odd EXIF; the one is
            # refused as an error, the other does not concern a thumbnail.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _shrink(data, side, quality)
    except MemoryError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage("it has too many pixels") from error
    except UnidentifiedImageError as error:
        raise BadImage("it is not an image of a known format") from error
    except Exception as error:  # Pillow's decoders raise whatever their format makes them raise
        raise BadImage(f"it cannot be decoded ({error})") from error


def _shrink(data: bytes, side: int, quality: int) -> Thumbnail:
    with Image.open(io.BytesIO(data)) as image:
        full = image.size
        image.draft("RGB", (2 * side, 2 * side))
        turned = ImageOps.exif_transpose(image)
        if (image.width > image.height) != (turned.width > turned.height):
            full = (full[1], full[0])
        turned.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
        small = _to_rgb(turned)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=quality, optimize=True)
    return Thumbnail(stream.getvalue(), small.width, small.height, *full)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        # 16 and 32 bits: what is between the darkest and the brightest pixel is shown.
        values = np.asarray(image, dtype=np.float64)
        low, high = float(values.min()), float(values.max())
        scaled = (values - low) * (255 / (high - low)) if high > low else values * 0
        return Image.fromarray(scaled.astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        matte = Image.new("RGBA", layer.size, (*_MATTE, 255))
        return Image.alpha_composite(matte, layer).convert("RGB")
    return image.convert("RGB")
