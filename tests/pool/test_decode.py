"""What decoding promises: the right colors of every kind of image, or one reason why not."""

from __future__ import annotations

import io
import math
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps

from gandt.errors import BadImage
from gandt.pool.decode import Geometry, decode, geometry
from gandt.types import Preprocessing


def preparation(
    size: int = 32, resize: str = "crop", fraction: float = 1.0, interpolation: str = "bicubic"
) -> Preprocessing:
    half = (0.5, 0.5, 0.5)
    return Preprocessing(size, resize, fraction, interpolation, half, half)  # type: ignore[arg-type]


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """A smooth picture with some sensor noise, so that resizing has something to do."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    noisy = smooth + rng.normal(0, 5, smooth.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def color(data: bytes, **options) -> tuple[int, int, int]:
    """The one color of an image that has only one."""
    pixels = decode(data, preparation(), **options).pixels
    assert pixels.shape == (32, 32, 3) and pixels.dtype == np.uint8
    assert np.ptp(pixels.reshape(-1, 3), axis=0).max() == 0
    red, green, blue = (int(value) for value in pixels[0, 0])
    return red, green, blue


def near(actual: tuple[int, int, int], expected: tuple[int, int, int], within: int = 2) -> bool:
    return max(abs(a - e) for a, e in zip(actual, expected, strict=True)) <= within


# -------------------------------------------------------------------------------- geometry


def reference(image: Image.Image, prep: Preprocessing) -> np.ndarray:
    """The evaluation transform that torchvision and timm document, written out."""
    resample = getattr(Image.Resampling, prep.interpolation.upper())
    if prep.resize == "squash":
        return np.asarray(image.resize((prep.size, prep.size), resample))
    short = math.floor(prep.size / prep.crop_fraction)
    width, height = image.size
    if width <= height:
        new = short, int(short * height / width)
    else:
        new = int(short * width / height), short
    image = image.resize(new, resample)
    left, top = round((new[0] - prep.size) / 2), round((new[1] - prep.size) / 2)
    return np.asarray(image.crop((left, top, left + prep.size, top + prep.size)))


SHAPES = [(640, 480), (333, 501), (101, 77), (224, 224), (32, 32), (7, 5), (1, 300), (300, 1)]
PREPARATIONS = [
    preparation(),
    preparation(fraction=0.875),
    preparation(33, fraction=0.9, interpolation="bilinear"),
    preparation(resize="squash"),
]


@pytest.mark.parametrize("prep", PREPARATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_exact_is_the_reference_and_fast_differs_by_rounding(shape, prep):
    data = encoded(photo(*shape), "PNG")
    expected = reference(photo(*shape), prep)
    np.testing.assert_array_equal(decode(data, prep, exact=True).pixels, expected)
    fast = decode(data, prep).pixels
    assert np.abs(fast.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("exact", [False, True])
def test_the_reference_is_torchvisions(exact):
    transforms = pytest.importorskip("torchvision.transforms")
    prep = preparation(32, fraction=0.9)
    bicubic = transforms.InterpolationMode.BICUBIC
    theirs = transforms.Compose([transforms.Resize(35, bicubic), transforms.CenterCrop(32)])
    for seed, shape in enumerate(SHAPES):
        image = photo(*shape, seed)
        ours = decode(encoded(image, "PNG"), prep, exact=exact).pixels.astype(int)
        assert np.abs(ours - np.asarray(theirs(image))).max() <= (0 if exact else 2)


def test_geometry_rounds_as_the_reference_does():
    assert geometry(640, 480, preparation(224)) == Geometry(298, 224, 37, 0)
    assert geometry(480, 641, preparation(224)) == Geometry(224, 299, 0, 38)  # 37.5, half to even
    assert geometry(480, 480, preparation(224, fraction=0.875)) == Geometry(256, 256, 16, 16)
    assert geometry(480, 100, preparation(224, "squash")) == Geometry(224, 224, 0, 0)


@given(
    width=st.integers(1, 700),
    height=st.integers(1, 700),
    fraction=st.sampled_from([1.0, 0.95, 0.875]),
)
@settings(max_examples=25, deadline=None)
def test_a_shrunk_jpeg_is_nearly_the_whole_one(width, height, fraction):
    prep = preparation(24, fraction=fraction)
    data = encoded(photo(width, height), "JPEG", quality=90)
    exact = decode(data, prep, exact=True)
    fast = decode(data, prep)
    assert (fast.width, fast.height) == (exact.width, exact.height) == (width, height)
    assert np.abs(fast.pixels.astype(float) - exact.pixels).mean() < 2.5


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1), (2, 9000)])
def test_extreme_shapes_do_not_explode(shape, exact):
    decoded = decode(encoded(photo(*shape), "JPEG"), preparation(224), exact=exact)
    assert decoded.pixels.shape == (224, 224, 3)
    assert (decoded.width, decoded.height) == shape


def test_pixels_may_be_written_to():
    assert decode(encoded(photo(50, 40), "PNG"), preparation()).pixels.flags.writeable


# ----------------------------------------------------------------------------- orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("shape", [(181, 120), (119, 150)])
def test_exif_orientation(kind, orientation, shape):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(photo(*shape), kind, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    prep = preparation(fraction=0.875)
    expected = reference(upright, prep)
    exact, fast = decode(data, prep, exact=True), decode(data, prep)
    assert (exact.width, exact.height) == (fast.width, fast.height) == upright.size
    np.testing.assert_array_equal(exact.pixels, expected)
    assert np.abs(fast.pixels.astype(int) - expected).max() <= 3


def test_a_corner_ends_up_where_a_viewer_shows_it():
    image = Image.new("RGB", (64, 32), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 16, 16))  # top left as stored
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise to display"
    decoded = decode(encoded(image, "PNG", exif=exif), preparation(32, "squash"))
    assert (decoded.width, decoded.height) == (32, 64)
    assert decoded.pixels[2, 29].tolist() == [255, 255, 255]  # top right
    assert decoded.pixels[29, 2].tolist() == [0, 0, 0]


def test_broken_exif_does_not_spoil_the_image():
    plain = encoded(photo(50, 40), "JPEG")
    junk = b"Exif\0\0II*\0\xff\xff\xff\x7f"
    data = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(junk) + 2) + junk + plain[2:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decoded = decode(data, preparation())
    np.testing.assert_array_equal(decoded.pixels, decode(plain, preparation()).pixels)


# ----------------------------------------------------------------------------------- color

ORANGE = (230, 120, 30)


def plain(mode: str, value: object) -> Image.Image:
    return Image.new(mode, (40, 30), value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (plain("RGB", ORANGE), "JPEG", ORANGE),
        (plain("RGB", ORANGE), "PNG", ORANGE),
        (plain("RGB", ORANGE), "TIFF", ORANGE),
        (plain("RGB", ORANGE), "BMP", ORANGE),
        (plain("RGB", ORANGE), "GIF", ORANGE),
        (plain("L", 90), "JPEG", (90, 90, 90)),
        (plain("L", 90), "PNG", (90, 90, 90)),
        (plain("L", 90), "BMP", (90, 90, 90)),
        (plain("1", 1), "PNG", (255, 255, 255)),
        (plain("1", 0), "TIFF", (0, 0, 0)),
        (plain("1", 1), "BMP", (255, 255, 255)),
        (plain("RGB", ORANGE).quantize(4), "PNG", ORANGE),
        (plain("RGB", ORANGE).quantize(4), "TIFF", ORANGE),
        (plain("LA", (90, 255)), "PNG", (90, 90, 90)),
        (plain("LA", (100, 0)), "PNG", (255, 255, 255)),
        (plain("LA", (0, 51)), "PNG", (204, 204, 204)),
        (plain("RGBA", (0, 0, 0, 0)), "PNG", (255, 255, 255)),
        (plain("RGBA", (*ORANGE, 255)), "PNG", ORANGE),
        (plain("RGBA", (255, 0, 0, 102)), "PNG", (255, 153, 153)),
        (plain("RGBA", (255, 0, 0, 102)), "TIFF", (255, 153, 153)),
        (plain("RGBA", (0, 0, 0, 0)), "WEBP", (255, 255, 255)),
        (plain("CMYK", (255, 0, 0, 0)), "TIFF", (0, 255, 255)),
        (plain("CMYK", (0, 255, 255, 0)), "TIFF", (255, 0, 0)),
        (plain("CMYK", (0, 0, 0, 255)), "TIFF", (0, 0, 0)),
        (plain("CMYK", (0, 255, 255, 0)), "JPEG", (255, 0, 0)),  # inverted, as Adobe writes it
        (plain("YCbCr", (128, 128, 128)), "TIFF", (128, 128, 128)),
        (plain("LAB", (255, 128, 128)), "TIFF", (255, 255, 255)),
        (plain("LAB", (0, 128, 128)), "TIFF", (0, 0, 0)),
        (plain("I;16", 0), "PNG", (0, 0, 0)),
        (plain("I;16", 65535), "PNG", (255, 255, 255)),
        (plain("I;16", 0x8040), "PNG", (128, 128, 128)),
        (plain("I;16", 0x8040), "TIFF", (128, 128, 128)),
        (plain("I;16", 300), "TIFF", (1, 1, 1)),  # by the full scale, not clipped to white
        (plain("F", 0.5), "TIFF", (128, 128, 128)),
        (plain("F", 200.0), "TIFF", (200, 200, 200)),
        (plain("F", 65535.0), "TIFF", (255, 255, 255)),
        (plain("F", float("nan")), "TIFF", (0, 0, 0)),
        (plain("I", 0x8040), "TIFF", (128, 128, 128)),
    ],
)
@pytest.mark.parametrize("exact", [False, True])
def test_every_mode_becomes_right_rgb(image, kind, expected, exact):
    assert near(color(encoded(image, kind), exact=exact), expected)


def test_lossless_webp_and_its_colors():
    assert color(encoded(plain("RGB", ORANGE), "WEBP", lossless=True)) == ORANGE


def test_big_endian_16_bit_tiff():
    values = np.full((30, 40), 0x8040, ">u2").tobytes()
    tags = {256: 40, 257: 30, 258: 16, 259: 1, 262: 1, 273: 8, 277: 1, 278: 30, 279: len(values)}
    entries = b"".join(
        struct.pack(">HHII", tag, 4, 1, value) for tag, value in sorted(tags.items())
    )
    directory = struct.pack(">H", len(tags)) + entries + struct.pack(">I", 0)
    data = b"MM\0*" + struct.pack(">I", 8 + len(values)) + values + directory
    assert color(data) == (128, 128, 128)


def png(width: int, height: int, depth: int, color_type: int, rows: bytes, *chunks: bytes) -> bytes:
    """A PNG built by hand, for what Pillow does not write."""

    def chunk(name: bytes, body: bytes) -> bytes:
        checked = name + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    middle = b"".join(chunk(extra[:4], extra[4:]) for extra in chunks)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + middle
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_16_bit_rgb_png_is_brought_to_8_bits():
    row = b"\0" + struct.pack(">HHH", 0xE6AA, 0x78AA, 0x1EAA) * 4
    assert color(png(4, 4, 16, 2, row * 4)) == (0xE6, 0x78, 0x1E)


def test_the_transparent_color_of_an_rgb_png_is_white():
    row = b"\0" + bytes((1, 2, 3)) * 4
    assert color(png(4, 4, 8, 2, row * 4, b"tRNS" + struct.pack(">HHH", 1, 2, 3))) == (
        (255, 255, 255)
    )
    assert color(png(4, 4, 8, 2, row * 4)) == (1, 2, 3)


def test_transparency_of_palettes():
    palette = b"PLTE" + bytes((200, 0, 0)) + bytes((0, 0, 0))
    row = b"\0" + bytes((0,)) * 4
    assert color(png(4, 4, 8, 3, row * 4, palette)) == (200, 0, 0)
    assert color(png(4, 4, 8, 3, row * 4, palette, b"tRNS" + b"\x00")) == (255, 255, 255)
    half = color(png(4, 4, 8, 3, row * 4, palette, b"tRNS" + b"\x80"))
    assert near(half, (227, 127, 127))


def test_transparent_gif():
    image = plain("P", 0)
    image.putpalette([10, 20, 30, 255, 0, 0])
    assert color(encoded(image, "GIF")) == (10, 20, 30)
    assert color(encoded(image, "GIF", transparency=0)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_or_page_counts(kind):
    later = [plain("RGB", (0, 0, 255)), plain("RGB", (0, 255, 0))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(plain("RGB", ORANGE), kind, save_all=True, append_images=later, **options)
    assert near(color(data), ORANGE)


def test_gray_stretches_that_fit_no_scale():
    values = np.linspace(-10, 10, 40 * 30, dtype=np.float32).reshape(30, 40)
    pixels = decode(encoded(Image.fromarray(values), "TIFF"), preparation(30)).pixels
    assert pixels[0].max() < 20 and pixels[-1].min() > 235


# --------------------------------------------------------------------------------- hostile


WHOLE = {
    "JPEG": encoded(photo(200, 150), "JPEG"),
    "progressive": encoded(photo(200, 150), "JPEG", progressive=True),
    "shrunk": encoded(photo(700, 500), "JPEG"),
    "PNG": encoded(photo(60, 50), "PNG"),
    "WEBP": encoded(photo(60, 50), "WEBP"),
    "BMP": encoded(photo(60, 50), "BMP"),
    "GIF": encoded(photo(60, 50), "GIF"),
    "TIFF": encoded(photo(60, 50), "TIFF"),
    "LZW": encoded(photo(60, 50), "TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("kind", WHOLE)
@given(data=st.data())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_truncated_file_is_rejected_unless_all_its_pixels_are_there(kind, data):
    whole = WHOLE[kind]
    end = data.draw(
        st.one_of(st.integers(0, len(whole) - 1), st.integers(1, 30).map(len(whole).__sub__))
    )
    try:
        decoded = decode(whole[:end], preparation())
    except BadImage as error:
        assert str(error) and len(str(error)) < 200
    else:
        np.testing.assert_array_equal(decoded.pixels, decode(whole, preparation()).pixels)


@pytest.mark.parametrize("kind", ["JPEG", "progressive", "shrunk"])
@pytest.mark.parametrize("missing", [1, 2, 3, 50, 2000])
@pytest.mark.parametrize("exact", [False, True])
def test_a_truncated_jpeg_is_always_rejected(kind, missing, exact):
    with pytest.raises(BadImage, match="truncated"):
        decode(WHOLE[kind][:-missing], preparation(), exact=exact)


@pytest.mark.parametrize("kind", WHOLE)
@given(data=st.data())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_flipped_bytes_give_pixels_or_a_reason_never_another_error(kind, data):
    broken = bytearray(WHOLE[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, min(len(broken) - 1, 600)))] = data.draw(
            st.integers(0, 255)
        )
    try:
        decoded = decode(bytes(broken), preparation(), max_pixels=10_000_000)
    except BadImage as error:
        assert str(error)
    else:
        assert decoded.pixels.shape == (32, 32, 3)


@given(st.binary(max_size=300))
@settings(max_examples=60)
def test_random_bytes_are_no_image(data):
    with pytest.raises(BadImage):
        decode(data, preparation())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"\n<!DOCTYPE html><html><body>404", "a web page"),
        (b"\xef\xbb\xbf<HTML>", "a web page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied', "XML or SVG"),
        (b"%PDF-1.7", "a PDF"),
        (b"\0\0\0\x20ftypheic\0\0", "convert it to JPEG"),
        (b"\0" * 4096, "begins with zeros only"),
        (b"PK\3\4", "no JPEG, PNG, WebP, TIFF, BMP or GIF"),
        (b"\xff\xd8\xff", "truncated|damaged"),
        (b"\x89PNG\r\n\x1a\n", "truncated|damaged"),
        (b"GIF89a", "truncated|damaged"),
        (b"II*\0", "truncated|damaged"),
        (b"BM", "truncated|damaged"),
        (b"RIFF\0\0\0\0WEBP", "truncated|damaged"),
    ],
)
def test_foreign_files_say_what_they_are(data, reason):
    with pytest.raises(BadImage, match=reason):
        decode(data, preparation())


def test_trailing_garbage_does_not_matter():
    for kind in ("JPEG", "PNG", "GIF"):
        same = decode(WHOLE[kind] + b"\0\1\2garbage" * 99, preparation())
        np.testing.assert_array_equal(same.pixels, decode(WHOLE[kind], preparation()).pixels)


def test_the_suffix_of_the_content_wins():
    """Bytes decide, so a PNG named .jpg is read as what it is."""
    assert color(encoded(plain("RGB", ORANGE), "PNG")) == ORANGE


@pytest.mark.parametrize("side", [20_000, 60_000, 2_000_000_000])
def test_bombs_are_refused_before_they_unpack(side):
    bomb = png(side, side, 8, 2, b"\0" * 1000)
    with pytest.raises(BadImage, match=f"too many pixels: {side} x {side}, the limit is 200000000"):
        decode(bomb, preparation())


def test_the_limit_is_the_callers():
    data = encoded(photo(100, 100), "JPEG")
    with pytest.raises(BadImage, match="too many pixels: 100 x 100, the limit is 9999"):
        decode(data, preparation(), max_pixels=9999)
    assert decode(data, preparation(), max_pixels=10_000).width == 100


def test_an_image_above_pillows_own_limit_is_read_without_a_warning():
    side = 9_600  # 92 megapixels; Pillow warns from 89 on
    row = b"\0" + b"\xaa" * (side // 8)
    decoded = decode(png(side, side, 1, 0, row * side), preparation(8))
    assert decoded.width == side
    assert decoded.pixels.mean() == pytest.approx(127.5, abs=2)


def test_a_bomb_of_text_in_a_png_is_refused():
    text = b"iTXtk\0\1\0\0\0" + zlib.compress(b"x" * (80 << 20), 9)
    with pytest.raises(BadImage):
        decode(png(4, 4, 8, 0, b"\0\1\1\1\1" * 4, text), preparation())


def test_pillows_globals_stay_as_they_were():
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    for data in (WHOLE["JPEG"], WHOLE["PNG"][:100], png(60_000, 60_000, 8, 2, b"")):
        try:
            decode(data, preparation())
        except BadImage:
            continue
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_threads_may_decode_at_once():
    expected = {kind: decode(data, preparation()).pixels for kind, data in WHOLE.items()}
    wrong: list[str] = []

    def work() -> None:
        for _ in range(5):
            for kind, data in WHOLE.items():
                if not np.array_equal(decode(data, preparation()).pixels, expected[kind]):
                    wrong.append(kind)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert wrong == []
