"""Masks as Ground Truth stores them: a PNG whose colors stand for classes, and the colors' names.

A worker's answer brings its colors in `labelMappings`, an output manifest in `internal-color-map`.
Both are read by color, never by palette position or channel. Pixels of a color that was not named
(a browser softens edges) go to the nearest named color if one is near; all others count as
background and are counted, so that a reader can say so.
"""

from __future__ import annotations

import colorsys
import io
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from gandt.answers import BACKGROUND, Mask
from gandt.errors import AnswerError, UsageError

__all__ = [
    "DecodedMask",
    "decode_output_mask",
    "default_colors",
    "encode_mask",
    "examine_output_mask",
    "examine_worker_mask",
]

_WHITE = (255, 255, 255)
# The first three as seen in real jobs; the others go on in the palette that these are from.
_COLORS = (
    "#2ca02c",
    "#1f77b4",
    "#ff7f0e",
    "#d62728",
    "#9467bd",
    "#8c564b",
    "#e377c2",
    "#7f7f7f",
    "#bcbd22",
    "#17becf",
)
_NEAR = 48.0  # farthest that a softened color may be from its own, in steps of 256 per channel
_MAX_PIXELS = 150_000_000  # half more than Ground Truth takes
Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class DecodedMask:
    """A mask, and what had to be done to read it."""

    mask: Mask
    softened: int = 0  # pixels that took the nearest named color
    strange: int = 0  # pixels of no named color, now background
    resized_from: tuple[int, int] | None = None  # width, height of the PNG, if it was another

    @property
    def note(self) -> str | None:
        """What a person should know, one sentence; None where all was as it should be."""
        said = []
        if self.strange:
            said.append(f"{self.strange:,} pixels of a color without a name count as background")
        if self.resized_from:
            width, height = self.resized_from
            said.append(
                f"the mask was {width} x {height} pixels and was brought to the image's size"
            )
        return "; ".join(said) or None


def examine_worker_mask(
    label_mappings: Mapping[str, object],
    png: bytes,
    *,
    width: int | None = None,
    height: int | None = None,
) -> DecodedMask:
    """Read a worker's mask.

    Parameters
    ----------
    label_mappings
        `{label: {"color": "#2ca02c"}}`; classes are the background and then these, in order.
    png
        The decoded `pngImageData`. Transparent and white pixels are background.
    width, height
        Of the image that was shown (`inputImageProperties`); a mask of another size is scaled.

    Raises
    ------
    AnswerError
        Where the bytes are no image, or a label has no color of its own.
    """
    colors = {label: _color_of(label, value) for label, value in label_mappings.items()}
    background = colors.pop(BACKGROUND, _WHITE)
    return _decode(png, (BACKGROUND, *colors), (background, *colors.values()), width, height)


def decode_output_mask(png: bytes, internal_color_map: Mapping[str, object]) -> Mask:
    """Read a mask of an output manifest; see `examine_output_mask`."""
    return examine_output_mask(png, internal_color_map).mask


def examine_output_mask(png: bytes, internal_color_map: Mapping[str, object]) -> DecodedMask:
    """Read a mask of an output manifest.

    Parameters
    ----------
    internal_color_map
        `{"1": {"class-name": "house", "hex-color": "#2ca02c", "confidence": 0.79}}`; classes are
        the background and then these, by number. The least confidence becomes the mask's.

    Raises
    ------
    AnswerError
        Where the bytes are no image, or an entry has no name or color.
    """
    entries: list[tuple[int, str, Color]] = []
    confidences: list[float] = []
    for key, entry in internal_color_map.items():
        name = entry.get("class-name") if isinstance(entry, Mapping) else None
        if not isinstance(entry, Mapping) or not isinstance(name, str) or not _is_number(key):
            raise AnswerError(
                f"The internal-color-map has no class-name for {key!r}: take it from the output "
                "manifest as it is."
            )
        entries.append((int(key), name, _parse_color(name, entry.get("hex-color"))))
        value = entry.get("confidence")
        if isinstance(value, (int, float)) and math.isfinite(value):
            confidences.append(float(value))
    colors = {name: color for _, name, color in sorted(entries)}
    background = colors.pop(BACKGROUND, _WHITE)
    confidence = min(confidences) if confidences else None
    classes = (BACKGROUND, *colors)
    return _decode(png, classes, (background, *colors.values()), None, None, confidence)


def encode_mask(
    mask: Mask, colors: Mapping[str, str] | Sequence[str] | None = None
) -> tuple[bytes, dict[str, dict[str, object]]]:
    """Write a mask as a color-mapped PNG, and name its colors.

    Parameters
    ----------
    colors
        By class, or of the classes after the background in order; Ground Truth's where not given.
        The background is white.

    Returns
    -------
    tuple
        The PNG, and the `internal-color-map` with every class of the mask; its `confidence` is
        the mask's, and absent where that is unknown.

    Raises
    ------
    UsageError
        Where two classes would have one color, or the background is not first.
    """
    if not mask.classes or mask.classes[0] != BACKGROUND:
        raise UsageError(f"The first class of the mask is not {BACKGROUND}: put it first.")
    names = mask.classes[1:]
    chosen = dict(zip(names, default_colors(len(names)), strict=True))
    if isinstance(colors, Mapping):
        chosen.update({name: colors[name] for name in names if name in colors})
    elif colors is not None:
        chosen.update(zip(names, colors, strict=False))
    try:
        palette = [_WHITE, *(_parse_color(name, chosen[name]) for name in names)]
    except AnswerError as error:
        raise UsageError(str(error)) from error
    if len(set(palette)) < len(palette):
        raise UsageError(
            "Two classes of a mask have the same color, or one is white like the background: give "
            "each its own."
        )
    if mask.pixels.ndim != 2 or mask.pixels.size == 0:
        raise UsageError(f"A mask of shape {mask.pixels.shape} has no pixels: there is no image.")
    if int(mask.pixels.max()) >= len(palette):
        raise UsageError(
            f"The mask has pixels of class {int(mask.pixels.max())}: name all classes."
        )
    image = Image.fromarray(np.ascontiguousarray(mask.pixels, np.uint8))
    image.putpalette([channel for color in palette for channel in color])
    stream = io.BytesIO()
    image.save(stream, "PNG")
    color_map: dict[str, dict[str, object]] = {}
    for code, (name, color) in enumerate(zip(mask.classes, palette, strict=True)):
        color_map[str(code)] = {
            "class-name": name,
            "hex-color": "#{:02x}{:02x}{:02x}".format(*color),
        }
        if mask.confidence is not None:
            color_map[str(code)]["confidence"] = mask.confidence
    return stream.getvalue(), color_map


def default_colors(count: int) -> tuple[str, ...]:
    """Colors of the classes after the background: Ground Truth's, then others far from them."""
    found = list(_COLORS[:count])
    step = 0
    while len(found) < count:
        # Steps of the golden ratio never come back to a hue.
        hue, step = (0.11 + step * 0.618034) % 1, step + 1
        value = 0.95 - 0.25 * (step % 3)
        rgb = colorsys.hsv_to_rgb(hue, 0.65 + 0.3 * (step % 2), value)
        color = "#{:02x}{:02x}{:02x}".format(*(round(channel * 255) for channel in rgb))
        if color not in found:
            found.append(color)
    return tuple(found)


def _decode(
    png: bytes,
    classes: tuple[str, ...],
    colors: tuple[Color, ...],
    width: int | None,
    height: int | None,
    confidence: float | None = None,
) -> DecodedMask:
    if len(classes) > 256:
        raise AnswerError(f"A mask has {len(classes)} classes, and 256 fit into one.")
    if len(set(colors)) < len(colors):
        raise AnswerError(
            "Two labels of a mask have the same color, or one is white like the background: give "
            "each label its own color in the template, or their pixels cannot be told apart."
        )
    pixels = _open(png)
    packed = _packed(pixels[..., 0], pixels[..., 1], pixels[..., 2])
    codes: npt.NDArray[np.uint8] = np.zeros(packed.shape, np.uint8)
    clear = pixels[..., 3] < 128
    settled = clear.copy()
    for code, color in enumerate(colors):
        same = (packed == _packed(*(np.uint32(channel) for channel in color))) & ~clear
        codes[same] = code
        settled |= same
    others, inverse, counts = np.unique(packed[~settled], return_inverse=True, return_counts=True)
    softened = strange = 0
    if len(others):
        # White is background whatever color the background was given.
        known = np.array([*colors, _WHITE], np.float64)
        channels = np.stack([others >> 16, (others >> 8) & 255, others & 255], axis=1)
        nearest = np.empty(len(others), np.int64)
        distance = np.empty(len(others))
        for start in range(0, len(others), 65_536):  # a photograph may come instead of a mask
            part = channels[start : start + 65_536].astype(np.float64)
            far = np.sqrt(((part[:, None] - known[None]) ** 2).sum(2))
            nearest[start : start + len(part)] = far.argmin(1)
            distance[start : start + len(part)] = far.min(1)
        near = distance <= _NEAR
        softened = int(counts[near & (distance > 0)].sum())
        strange = int(counts[~near].sum())
        code_of = np.where(near & (nearest < len(colors)), nearest, 0).astype(np.uint8)
        codes[~settled] = code_of[inverse.ravel()]
    size = (pixels.shape[1], pixels.shape[0])
    wanted = width or size[0], height or size[1]
    if wanted != size:
        codes = np.asarray(Image.fromarray(codes).resize(wanted, Image.Resampling.NEAREST))
    return DecodedMask(
        Mask(codes, classes, confidence),
        softened,
        strange,
        size if wanted != size else None,
    )


def _open(png: bytes) -> npt.NDArray[np.uint8]:
    """Pixels as red, green, blue, opacity: `(height, width, 4)`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(png)) as image:
                if image.width * image.height > _MAX_PIXELS:
                    raise AnswerError(
                        f"A mask of {image.width} x {image.height} pixels is larger than Ground "
                        "Truth allows: it is not read."
                    )
                return np.array(image.convert("RGBA"), np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise AnswerError(
            f"A mask cannot be read as an image ({error}): look at its `pngImageData` or file."
        ) from error


def _packed(
    red: npt.NDArray[np.integer] | np.integer,
    green: npt.NDArray[np.integer] | np.integer,
    blue: npt.NDArray[np.integer] | np.integer,
) -> npt.NDArray[np.uint32]:
    r, g, b = (np.asarray(channel, np.uint32) for channel in (red, green, blue))
    return np.asarray((r << 16) | (g << 8) | b)


def _color_of(label: str, value: object) -> Color:
    return _parse_color(label, value.get("color") if isinstance(value, Mapping) else value)


def _parse_color(label: str, value: object) -> Color:
    digits = value.strip().lstrip("#").lower() if isinstance(value, str) else ""
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    if len(digits) != 6 or set(digits) - set("0123456789abcdef"):
        raise AnswerError(
            f"The label {label!r} has the color {value!r}: a color is written like '#2ca02c'."
        )
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def _is_number(key: object) -> bool:
    return isinstance(key, int) or (isinstance(key, str) and key.isascii() and key.isdigit())
