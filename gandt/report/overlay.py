"""Boxes and masks over images: what workers drew, in the color of its class.

Gives boxes as SVG in the image's own pixels, and masks as small transparent PNGs of the size of a
thumbnail. Colors are light and strong, since most photos are neither; every line has a dark edge.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from gandt import rle, storage
from gandt.answers import Box
from gandt.errors import BadImage
from gandt.groundtruth.mask_images import decode_output_mask
from gandt.report.charts import fit
from gandt.report.contact_sheet_parts import safe
from gandt.report.results.model import MaskSource

__all__ = [
    "COLORS",
    "MOST_TAGS",
    "box_words",
    "boxes_svg",
    "clip",
    "color_number",
    "paint_mask",
    "palette",
]

COLORS = (
    "#ffb000",
    "#4cc2ff",
    "#ff7a6b",
    "#37d39b",
    "#c792ff",
    "#f2ec4e",
    "#ff8ad8",
    "#a8e05a",
    "#9db2ff",
    "#e3d5c0",
)
MOST_TAGS = 6  # boxes on an image that still carry their name
_FILL, _EDGE = 110, 255  # opacity of a mask, of 255

Pixels = npt.NDArray[np.uint8]


def palette(classes: Sequence[str]) -> dict[str, str]:
    """Give each class a color, by its place; ten colors, then again from the first."""
    return {name: COLORS[place % len(COLORS)] for place, name in enumerate(classes)}


def color_number(color: str) -> int:
    """Give the place of a color in `COLORS`; the last for any other."""
    return COLORS.index(color) if color in COLORS else len(COLORS) - 1


def clip(box: Box, width: float, height: float) -> tuple[float, float, float, float]:
    """Cut a box at the border of its image; returns left, top, width and height."""
    left, top = min(max(box.left, 0.0), width), min(max(box.top, 0.0), height)
    right = min(max(box.left + box.width, 0.0), width)
    bottom = min(max(box.top + box.height, 0.0), height)
    return left, top, max(right - left, 0.0), max(bottom - top, 0.0)


def boxes_svg(
    boxes: Sequence[Box],
    size: tuple[int, int],
    colors: Mapping[str, str],
    *,
    others: Sequence[Box] = (),
) -> str:
    """Draw boxes over an image that fills its frame as `object-fit: contain` does.

    Parameters
    ----------
    size
        (width, height) of the image that the boxes refer to, in pixels.
    others
        Boxes of single workers, drawn thin and without a name.
    """
    width, height = size
    unit = max(width, height) / 160  # about a pixel on the page
    marks = []
    for box in others:
        left, top, wide, high = clip(box, width, height)
        marks.append(f'<rect class="b thin" {_frame(left, top, wide, high)}/>')
    tagged = len(boxes) <= MOST_TAGS
    for box in boxes:
        left, top, wide, high = clip(box, width, height)
        color = colors.get(box.label, COLORS[-1])
        frame = _frame(left, top, wide, high)
        said = safe(box_words(box))
        marks.append(f'<rect class="b halo" {frame}/>')
        marks.append(f'<rect class="b" stroke="{color}" {frame}><title>{said}</title></rect>')
        if tagged:
            text = 8.5 * unit
            word = fit(_tag(box), 8.5, max(wide / unit, 34))
            base = max(top, 10.5 * unit)
            plate = (0.58 * len(word) + 0.7) * text
            x = min(left, max(width - plate, 0))
            marks.append(
                f'<rect fill="{color}" x="{x:.1f}" y="{base - 10.5 * unit:.1f}" '
                f'width="{plate:.1f}" height="{10.5 * unit:.1f}"/>'
                f'<text x="{x + 3 * unit:.1f}" y="{base - 3 * unit:.1f}" '
                f'font-size="{text:.1f}">{safe(word)}</text>'
            )
    return (
        f'<svg class="over" viewBox="0 0 {width} {height}" aria-hidden="true">'
        f"{''.join(marks)}</svg>"
    )


def box_words(box: Box) -> str:
    """Name a box and its confidence."""
    return box.label if not box.confidence else f"{box.label} {box.confidence:.2f}"


def _tag(box: Box) -> str:
    return box.label if not box.confidence else f"{box.label} {100 * box.confidence:.0f}"


def _frame(left: float, top: float, width: float, height: float) -> str:
    return f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'


# ----------------------------------------------------------------------------------- masks


def paint_mask(mask: MaskSource, size: tuple[int, int], colors: Mapping[str, str]) -> bytes:
    """Paint a mask as a transparent PNG of `size` (width, height), its edges stronger.

    Raises
    ------
    BadImage
        Where its file cannot be read as a mask.
    StorageError
        Where there is no file.
    """
    labels = _from_runs(mask, size) if mask.runs is not None else _from_png(mask, size)
    rgba = np.zeros((*labels.shape, 4), np.uint8)
    for place, name in enumerate(mask.classes, start=1):
        rgba[labels == place] = (*_rgb(colors.get(name, COLORS[-1])), _FILL)
    rgba[_edges(labels) & (labels > 0), 3] = _EDGE
    stream = io.BytesIO()
    Image.fromarray(rgba).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _from_runs(mask: MaskSource, size: tuple[int, int]) -> Pixels:
    runs = mask.runs or {}
    shape, counts = runs.get("size"), runs.get("counts")
    if not isinstance(shape, list) or len(shape) != 2 or not isinstance(counts, dict):
        raise BadImage("its mask has no size or no run lengths")
    labels = np.zeros(size[::-1], np.uint8)
    for place, name in enumerate(mask.classes, start=1):
        try:
            height, width = int(shape[0]), int(shape[1])
            listed = [int(count) for count in counts[name]]
            if min(listed, default=0) < 0 or sum(listed) != height * width > 0:
                raise ValueError(f"they cover {sum(listed)} of {height} x {width} pixels")
            binary = rle.decode(listed, (height, width))
        except (ValueError, KeyError, TypeError, MemoryError) as error:
            raise BadImage(f"the run lengths of its mask do not fit ({error})") from error
        labels[_nearest(binary, size)] = place
    return labels


def _from_png(mask: MaskSource, size: tuple[int, int]) -> Pixels:
    if mask.uri is None:
        raise BadImage("its label names no mask")
    found = decode_output_mask(storage.read_bytes(mask.uri), mask.color_map)
    places = {name: place for place, name in enumerate(mask.classes, start=1)}
    table = np.zeros(256, np.uint8)
    for number, name in enumerate(found.classes):
        table[number] = places.get(name, 0)
    labels: Pixels = table[_nearest(found.pixels, size)]
    return labels


def _nearest(pixels: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    height, width = pixels.shape
    rows = np.minimum(((np.arange(size[1]) + 0.5) * height / size[1]).astype(int), height - 1)
    columns = np.minimum(((np.arange(size[0]) + 0.5) * width / size[0]).astype(int), width - 1)
    picked: npt.NDArray[Any] = pixels[rows][:, columns]
    return picked


def _edges(labels: Pixels) -> npt.NDArray[np.bool_]:
    edge = np.zeros(labels.shape, bool)
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue
