"""Thumbnails show the image upright and whole, whatever format it came in."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from gandt.errors import BadImage
from gandt.report.thumbnails import make_thumbnail


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def shown(data: bytes, side: int = 160) -> Image.Image:
    return Image.open(io.BytesIO(make_thumbnail(data, side).jpeg))


def test_the_longer_side_is_shrunk_and_the_shape_kept() -> None:
    thumbnail = make_thumbnail(encoded(Image.new("RGB", (800, 400), "red"), "JPEG"), 160)
    assert (thumbnail.width, thumbnail.height) == (160, 80)
    assert (thumbnail.full_width, thumbnail.full_height) == (800, 400)
    assert thumbnail.data_uri.startswith("data:image/jpeg;base64,/9j/")


def test_a_small_image_is_not_enlarged() -> None:
    thumbnail = make_thumbnail(encoded(Image.new("RGB", (20, 10))), 160)
    assert (thumbnail.width, thumbnail.height) == (20, 10)


def test_exif_orientation_is_applied() -> None:
    image = Image.new("RGB", (600, 300), "red")
    image.paste("blue", (300, 0, 600, 300))  # right half
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise: the right half comes to the bottom
    thumbnail = make_thumbnail(encoded(image, "JPEG", exif=exif), 100)
    assert (thumbnail.width, thumbnail.height) == (50, 100)
    assert (thumbnail.full_width, thumbnail.full_height) == (300, 600)
    small = Image.open(io.BytesIO(thumbnail.jpeg))
    assert small.getpixel((25, 10))[0] > 200
    assert small.getpixel((25, 90))[2] > 200


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I", "F", "I;16"])
def test_every_mode_becomes_a_picture(mode: str) -> None:
    levels = np.tile(np.linspace(0, 255, 64, dtype=np.uint8), (64, 1))
    image = Image.fromarray(levels)
    if mode == "I;16":
        image = Image.fromarray(levels.astype(np.uint16) * 257)
    elif mode != "L":
        image = image.convert(mode)
    small = np.asarray(shown(encoded(image, "TIFF")).convert("L")).astype(int)
    assert small[32, 60] - small[32, 3] > 150


def test_what_is_transparent_becomes_white() -> None:
    assert min(shown(encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 0)))).getpixel((4, 4))) > 250


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"GIF89a", "not an image|cannot be decoded"),
        (b"<html>", "not an image"),
        (encoded(Image.effect_noise((64, 64), 90), "JPEG")[:900], "cannot be decoded"),
    ],
)
def test_what_cannot_be_shown_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(BadImage, match=reason):
        make_thumbnail(data, 160)


def test_a_decompression_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(BadImage, match="too many pixels"):
        make_thumbnail(encoded(Image.new("RGB", (40, 40))), 160)
    with pytest.raises(BadImage, match="too many pixels"):
        make_thumbnail(encoded(Image.new("RGB", (90, 90))), 160)
