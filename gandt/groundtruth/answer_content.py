"""The part of a worker's `answerContent` that is the answer: one field, or a field for each tile.

Ground Truth stores what the worker's form sent: an object of fields by name. The widgets give
objects (`{"label": …}`, `{"labels": […]}`, `{"boundingBoxes": […]}`, `{"entities": […]}`, a mask),
plain inputs give maps of ticks or text, and hidden inputs text with JSON in it. The names of fields
are whatever the template says, so they are known by their shape. Fields `labels-<index>` are those
of the tiled tasks of G&T: one answer for each image.

Which field is the label, where nobody says it: the only one of a widget (a name that AWS's own
templates use goes first), else the only one with choices, else the only text that is no comment.
`answer_labels` makes the label of it. Pure functions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from gandt.groundtruth.label_values import LeftOut, brief, number, unpack

__all__ = [
    "Content",
    "SeveralFields",
    "Shape",
    "decode_content",
    "image_size",
]

# What a field holds: one label, several, a map of ticks (one or several), free text, or more.
Shape = Literal["single", "multi", "ticks", "text", "boxes", "spans", "mask"]

_TILE_FIELD = re.compile(r"(?:labels?|tiles?)[-_ ]?(\d{1,9})", re.IGNORECASE)
_COMMENT = re.compile(r"comment|note|remark|feedback|reason|explanation|suggestion", re.IGNORECASE)
_WRAPPER = "annotatedResult"  # the name in AWS's examples of custom templates
_WIDGETS = frozenset({"boundingBox", _WRAPPER, "category"})  # and all that begins with "crowd-"
_MAX_PIXELS = 200_000_000  # of an image; twice what Ground Truth takes
_FOREIGN = ("polygons", "polylines", "keypoints", "instances", "cuboids", "frames")
_SAYS: dict[Shape, str] = {
    "single": "one label",
    "multi": "several labels",
    "ticks": "ticks",
    "text": "text",
    "boxes": "boxes",
    "spans": "spans",
    "mask": "a mask",
}


@dataclass(frozen=True, slots=True)
class Content:
    """The part of an `answerContent` that is the answer."""

    field: str  # "" for tiles
    shape: Shape
    value: object
    tiles: dict[int, object] | None = None  # by the index of the image, where the task is tiled


class SeveralFields(LeftOut):
    """Several fields could be the label; `fields` says what each holds."""

    def __init__(self, fields: dict[str, str]) -> None:
        listed = ", ".join(f"{brief(name)} ({what})" for name, what in fields.items())
        super().__init__("several fields", f"several fields could be the label: {listed}")
        self.fields = fields


def decode_content(content: object, field: str | None = None) -> Content:
    """Find the field that is the answer.

    Parameters
    ----------
    content
        The decoded `answerContent`, or its JSON text.
    field
        The name of the field; where None, it is found as the module says.

    Raises
    ------
    LeftOut
        Where there is no answer in it; `SeveralFields` where it could be one of several.
    """
    content = _unwrap(content)
    if field is not None:
        if field not in content:
            raise LeftOut("empty", f"the field {field!r} is not in the answer")
        shape, value = _shape(content[field])
        return Content(field, shape, value)
    tiles = {
        int(found[1]): value
        for name, value in content.items()
        if (found := _TILE_FIELD.fullmatch(name.strip())) and _is_tile_value(value)
    }
    if tiles:
        return Content("", "multi", None, tiles)
    return _only_field(content)


def _unwrap(content: object) -> dict[str, object]:
    if isinstance(content, str):
        content = unpack(content)
    if isinstance(content, list) and len(content) == 1:
        content = content[0]  # as the page shows it outside AWS
    if isinstance(content, dict) and _WRAPPER in content:
        inner = content[_WRAPPER]
        inner = unpack(inner) if isinstance(inner, str) else inner
        if isinstance(inner, dict) and inner and not _is_widget(inner):
            content = inner
    if not isinstance(content, dict):
        raise LeftOut("unreadable", f"the answer is {brief(content)} and not an object of fields")
    if not content:
        raise LeftOut("empty", "the answer has no fields")
    if _is_widget(content):
        return {"": content}
    return content


def _is_widget(value: dict[str, object]) -> bool:
    """Whether an object is itself what a widget gives, and not fields by name."""
    return (
        isinstance(value.get("label"), str)
        or isinstance(value.get("labels"), list)
        or isinstance(value.get("boundingBoxes"), list)
        or isinstance(value.get("entities"), list)
        or isinstance(value.get("labeledImage"), dict)
    )


def _is_tile_value(value: object) -> bool:
    return isinstance(value, list) or (isinstance(value, str) and isinstance(unpack(value), list))


def _shape(value: object) -> tuple[Shape, object]:
    """Tell what a field holds.

    Raises
    ------
    LeftOut
        Where it holds nothing that could become a label.
    """
    if isinstance(value, str):
        decoded = unpack(value)
        return ("text", value) if isinstance(decoded, str) else _shape(decoded)
    if isinstance(value, dict):
        if "boundingBoxes" in value:
            return "boxes", value
        if "entities" in value:
            return "spans", value
        if "labeledImage" in value:
            return "mask", value
        if "labels" in value:
            return "multi", value["labels"]
        if "label" in value:
            label = value["label"]
            return ("multi", label) if isinstance(label, list) else ("single", label)
        for name in _FOREIGN:
            if name in value:
                raise LeftOut("unsupported", f"answers with {name} cannot be aggregated")
        if value and all(isinstance(tick, bool) for tick in value.values()):
            return "ticks", value
    elif isinstance(value, list):
        first = value[0] if value else None
        if isinstance(first, dict):
            return ("spans" if "startOffset" in first else "boxes"), value
        return "multi", value
    elif number(value) is not None:
        return "text", value
    raise LeftOut("unreadable", f"{brief(value)} is nothing that a known field gives")


def _only_field(content: dict[str, object]) -> Content:
    found: dict[str, tuple[Shape, object]] = {}
    refused: LeftOut | None = None
    for name, value in content.items():
        try:
            found[name] = _shape(value)
        except LeftOut as error:
            refused = refused or error
    widgets = [n for n, v in found.items() if v[0] not in ("ticks", "text") and _is_object(v, n)]
    known = [n for n in widgets if n in _WIDGETS or n.startswith("crowd-")]
    choices = [n for n, v in found.items() if v[0] != "text"]
    texts = [n for n, v in found.items() if v[0] == "text"]
    if len(texts) > 1:
        texts = [n for n in texts if not _COMMENT.search(n)] or texts
    for candidates in (known, widgets, choices, texts):
        if len(candidates) == 1:
            shape, value = found[candidates[0]]
            return Content(candidates[0], shape, value)
        if candidates:
            raise SeveralFields({n: _SAYS[found[n][0]] for n in choices or texts})
    raise refused or LeftOut("empty", "the answer has no fields")


def _is_object(shaped: tuple[Shape, object], name: str) -> bool:
    shape, value = shaped
    return shape == "single" or isinstance(value, dict) or name.startswith("crowd-")


def image_size(content: Content) -> tuple[int, int] | None:
    """Width and height of the image as the worker's browser saw it, where the answer says so."""
    value = content.value
    properties = value.get("inputImageProperties") if isinstance(value, dict) else None
    if not isinstance(properties, dict):
        return None
    width, height = number(properties.get("width")), number(properties.get("height"))
    if not width or not height or min(width, height) < 1 or width * height > _MAX_PIXELS:
        return None
    return int(width), int(height)
