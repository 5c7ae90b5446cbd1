"""Masks go to Ground Truth's color-mapped PNG and come back, whatever a browser did to them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from gandt.answers import BACKGROUND, Mask
from gandt.errors import AnswerError, UsageError
from gandt.groundtruth.mask_images import (
    decode_output_mask,
    default_colors,
    encode_mask,
    examine_output_mask,
    examine_worker_mask,
)

CLASSES = (BACKGROUND, "house", "road")
MAPPINGS = {"house": {"color": "#2ca02c"}, "road": {"color": "#1f77b4"}}
GREEN, BLUE, WHITE, RED = (44, 160, 44), (31, 119, 180), (255, 255, 255), (255, 0, 0)


def png(rows: list[list[tuple[int, ...]]], mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.array(rows, np.uint8)).convert(mode).save(stream, "PNG")
    return stream.getvalue()


def test_a_workers_mask_is_read_by_its_colors() -> None:
    mask = examine_worker_mask(MAPPINGS, png([[WHITE, GREEN], [BLUE, WHITE]])).mask
    assert mask.classes == CLASSES
    assert mask.pixels.tolist() == [[0, 1], [2, 0]]
    assert mask.confidence is None


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_the_layout_of_channels_does_not_matter(mode: str) -> None:
    data = io.BytesIO()
    image = Image.fromarray(np.array([[WHITE, GREEN], [BLUE, WHITE]], np.uint8))
    palette = image.convert("P", palette=Image.Palette.ADAPTIVE) if mode == "P" else None
    (palette or image.convert(mode)).save(data, "PNG")
    assert examine_worker_mask(MAPPINGS, data.getvalue()).mask.pixels.tolist() == [[0, 1], [2, 0]]


def test_transparent_pixels_are_background() -> None:
    clear = png([[(*GREEN, 255), (*GREEN, 0), (0, 0, 0, 0)]], "RGBA")
    found = examine_worker_mask(MAPPINGS, clear)
    assert found.mask.pixels.tolist() == [[1, 0, 0]]
    assert found.note is None


def test_softened_colors_go_to_the_nearest_and_strange_ones_are_counted() -> None:
    near = (50, 150, 60)
    between = tuple((a + b) // 2 for a, b in zip(GREEN, WHITE, strict=True))
    found = examine_worker_mask(MAPPINGS, png([[GREEN, near, between, RED, (250, 250, 250)]]))
    assert found.mask.pixels.tolist() == [[1, 1, 0, 0, 0]]
    assert (found.softened, found.strange) == (2, 2)
    assert found.note == "2 pixels of a color without a name count as background"


def test_a_mask_of_another_size_is_brought_to_the_images() -> None:
    small = png([[GREEN, BLUE]])
    found = examine_worker_mask(MAPPINGS, small, width=4, height=2)
    assert found.mask.pixels.tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]
    assert found.note == "the mask was 2 x 1 pixels and was brought to the image's size"
    same = examine_worker_mask(MAPPINGS, small, width=2, height=1)
    assert same.resized_from is None


def test_a_background_of_its_own_color() -> None:
    black = {BACKGROUND: {"color": "#000"}, **MAPPINGS}
    mask = examine_worker_mask(black, png([[(0, 0, 0), GREEN, WHITE]])).mask
    assert mask.classes == CLASSES
    assert mask.pixels.tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("color", [None, "green", "#12345", "#gggggg", 7])
def test_a_label_without_a_color_is_refused(color: object) -> None:
    with pytest.raises(AnswerError, match="'house' has the color"):
        examine_worker_mask({"house": {"color": color}}, png([[GREEN]]))


def test_colors_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(AnswerError, match="the same color"):
        examine_worker_mask({"a": {"color": "#2ca02c"}, "b": {"color": "#2CA02C"}}, png([[GREEN]]))
    with pytest.raises(AnswerError, match="white like the background"):
        examine_worker_mask({"a": {"color": "#fff"}}, png([[GREEN]]))


@pytest.mark.parametrize("data", [b"", b"no image", png([[GREEN]])[:40]])
def test_bytes_that_are_no_image_are_refused(data: bytes) -> None:
    with pytest.raises(AnswerError, match="cannot be read as an image"):
        examine_worker_mask(MAPPINGS, data)


def test_an_image_beyond_all_limits_is_not_decoded() -> None:
    stream = io.BytesIO()
    Image.new("1", (20_000, 8_000)).save(stream, "PNG")
    with pytest.raises(AnswerError, match="20000 x 8000"):
        examine_worker_mask(MAPPINGS, stream.getvalue())


def test_a_photograph_in_place_of_a_mask_is_counted() -> None:
    values = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    found = examine_worker_mask(MAPPINGS, stream.getvalue())
    assert found.strange > 80_000


def test_the_color_map_is_that_of_ground_truth() -> None:
    mask = Mask(np.array([[0, 1, 2]], np.uint8), CLASSES, 0.75)
    data, color_map = encode_mask(mask)
    assert color_map == {
        "0": {"class-name": BACKGROUND, "hex-color": "#ffffff", "confidence": 0.75},
        "1": {"class-name": "house", "hex-color": "#2ca02c", "confidence": 0.75},
        "2": {"class-name": "road", "hex-color": "#1f77b4", "confidence": 0.75},
    }
    image = Image.open(io.BytesIO(data))
    assert image.mode == "P"
    assert np.asarray(image).tolist() == [[0, 1, 2]]
    assert np.asarray(image.convert("RGB")).tolist() == [[[*WHITE], [*GREEN], [*BLUE]]]
    assert decode_output_mask(data, color_map) == mask


def test_an_unknown_confidence_is_absent() -> None:
    _, color_map = encode_mask(Mask(np.zeros((1, 1), np.uint8), CLASSES))
    assert "confidence" not in color_map["0"]


def test_colors_can_be_chosen() -> None:
    mask = Mask(np.array([[0, 1, 2]], np.uint8), CLASSES)
    for colors in (["#ff0000"], {"house": "#ff0000", "other": "#2ca02c"}):
        data, color_map = encode_mask(mask, colors)
        assert color_map["1"]["hex-color"] == "#ff0000"
        assert color_map["2"]["hex-color"] == "#1f77b4"
        assert decode_output_mask(data, color_map) == mask


def test_masks_that_could_not_be_read_again_are_not_written() -> None:
    pixels = np.array([[0, 1, 2]], np.uint8)
    with pytest.raises(UsageError, match="the same color"):
        encode_mask(Mask(pixels, CLASSES), ["#ff0000", "#ff0000"])
    with pytest.raises(UsageError, match="written like"):
        encode_mask(Mask(pixels, CLASSES), ["red"])
    with pytest.raises(UsageError, match="class 2"):
        encode_mask(Mask(pixels, CLASSES[:2]))
    with pytest.raises(UsageError, match="BACKGROUND"):
        encode_mask(Mask(pixels, ("house", "road", "x")))
    with pytest.raises(UsageError, match="no pixels"):
        encode_mask(Mask(pixels[:0], CLASSES))


def test_an_output_manifest_gives_what_its_mask_needs() -> None:
    lines = (Path(__file__).parent / "golden" / "output.others.manifest").read_text().splitlines()
    metadata = (json.loads(line).get("parts-ref-metadata", {}) for line in lines)
    color_map = next(found["internal-color-map"] for found in metadata if found)
    mask = decode_output_mask(png([[WHITE, GREEN]]), color_map)
    assert mask.classes == (BACKGROUND, "house")
    assert mask.pixels.tolist() == [[0, 1]]
    assert mask.confidence == 0.78638


def test_a_color_map_without_names_is_refused() -> None:
    for broken in ({"1": {"hex-color": "#ff0000"}}, {"x": {"class-name": "a"}}, {"1": "house"}):
        with pytest.raises(AnswerError, match="no class-name"):
            examine_output_mask(png([[GREEN]]), broken)


def test_there_is_a_color_for_every_class() -> None:
    colors = default_colors(255)
    assert colors[:3] == ("#2ca02c", "#1f77b4", "#ff7f0e")
    assert len(set(colors)) == 255
    assert "#ffffff" not in colors


@given(
    arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 14))
)
def test_masks_come_back(pixels: np.ndarray) -> None:
    mask = Mask(pixels, (BACKGROUND, *(f"class {number}" for number in range(14))))
    data, color_map = encode_mask(mask)
    assert decode_output_mask(data, color_map) == mask
    mappings = {entry["class-name"]: {"color": entry["hex-color"]} for entry in color_map.values()}
    assert examine_worker_mask(mappings, data).mask == mask  # type: ignore[arg-type]
