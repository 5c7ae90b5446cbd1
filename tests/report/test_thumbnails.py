"""Thumbnails show the image upright and whole, whatever format it came in."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

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


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_orientation_comes_out_as_pillow_turns_it(orientation: int, kind: str) -> None:
    image = Image.new("RGB", (600, 300), "red")
    image.paste("blue", (300, 0, 600, 150))
    image.paste("lime", (300, 150, 600, 300))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, kind, exif=exif)
    with Image.open(io.BytesIO(data)) as opened:
        upright = ImageOps.exif_transpose(opened)
        upright.thumbnail((100, 100))
    made = make_thumbnail(data, 100)
    assert (made.width, made.height) == upright.size
    assert (made.full_width, made.full_height) == tuple(6 * side for side in upright.size)
    small = np.asarray(shown(data, 100), dtype=int)
    assert np.abs(small - np.asarray(upright.convert("RGB"), dtype=int)).mean() < 4


@pytest.mark.parametrize("size", [(4032, 3024), (1999, 1), (1, 1999), (1601, 1201), (257, 255)])
def test_a_jpeg_shrunk_by_its_decoder_is_not_shifted(size: tuple[int, int]) -> None:
    x = np.linspace(0, 255, size[0])[None, :, None]
    y = np.linspace(0, 255, size[1])[:, None, None]
    values = np.concatenate([x + 0 * y, 0 * x + y, 0 * x + 0 * y], axis=2).astype(np.uint8)
    image = Image.fromarray(values)
    small = np.asarray(shown(encoded(image, "JPEG", quality=95), 128), dtype=int)
    assert max(small.shape[:2]) == 128
    reference = np.asarray(image.resize(small.shape[1::-1], Image.Resampling.BOX), dtype=int)
    assert np.abs(small - reference).mean() < 3


def test_a_palette_is_averaged_and_not_picked_from() -> None:
    stripes = np.zeros((400, 400), np.uint8)
    stripes[::2] = 255
    for mode in ("P", "1"):
        image = Image.fromarray(stripes).convert(mode)
        small = np.asarray(shown(encoded(image), 100).convert("L"), dtype=int)
        assert np.abs(small - 128).max() < 30, mode


def test_a_large_image_of_16_bits_shows_all_its_range() -> None:
    levels = np.linspace(1000, 5000, 900).astype(np.uint16)
    small = np.asarray(shown(encoded(Image.fromarray(np.tile(levels, (700, 1))), "TIFF"), 90))
    assert small[35, 0].max() < 12
    assert small[35, -1].min() > 243


def test_floats_that_are_no_numbers_do_not_spoil_the_others() -> None:
    values = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    values[0, :3] = (np.nan, np.inf, -np.inf)
    small = np.asarray(shown(encoded(Image.fromarray(values), "TIFF")).convert("L"), dtype=int)
    assert small[32, 60] - small[32, 3] > 150


def test_the_limit_of_pixels_can_be_given() -> None:
    data = encoded(Image.new("RGB", (100, 100)))
    assert make_thumbnail(data, 50, max_pixels=10_000).width == 50
    with pytest.raises(BadImage, match="too many pixels: 100 x 100, the limit is 9999"):
        make_thumbnail(data, 50, max_pixels=9_999)
