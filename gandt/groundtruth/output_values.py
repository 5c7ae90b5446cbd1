"""One label of an output manifest, made into our own nouns: classes, boxes, spans, a mask's place.

Pure functions from `<attribute>` and `<attribute>-metadata` to a `LabelValue`; `output` reads the
lines. The shapes are those of the SageMaker developer guide ("Output Data") and, where real files
differ from it, those of real files: an index may be a number or a text, a confidence of 0 means
that one worker answered (not that the answer is wrong), boxes may pass the border by a rounding,
and browsers count the characters of a text in UTF-16 units.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeGuard

from gandt.answers import Box, Kind, Label, Span

__all__ = [
    "MAX_SIDE",
    "MIN_CONFIDENCE",
    "LabelValue",
    "NoLabel",
    "OutputKind",
    "label_type",
    "read_value",
]

OutputKind = Kind | Literal["custom"]
MAX_SIDE = 1 << 31  # pixels; no image is larger, and numbers beyond are slips
MIN_CONFIDENCE = 0.5  # of a class in a multi-label answer
_KINDS: dict[str, OutputKind] = {
    "label-verification": "single",
    "object-detection": "boxes",
    "text-span": "spans",
    "semantic-segmentation": "mask",
    "custom": "custom",
}


class NoLabel(Exception):
    """Why a line gives no label; caught where lines are counted."""

    def __init__(self, status: Literal["failed", "unlabeled", "unreadable"], reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class LabelValue:
    """What a label and its metadata say."""

    kind: OutputKind
    label: Label | None = None  # None of a mask (see `mask_uri`) and of a custom job
    confidence: float | None = None  # of several boxes, spans or classes: the mean; None: unknown
    confidences: Mapping[str, float] = field(default_factory=dict)  # of the classes of "multi"
    image_size: tuple[int, int] | None = None  # width, height
    mask_uri: str | None = None
    empty: bool = False  # nobody chose a class, or none is likely enough
    remark: str = ""  # what had to be repaired or left out


def label_type(metadata: Mapping[str, object]) -> str:
    """Give the `type` of a label's metadata in lower case; empty where there is none."""
    value = metadata.get("type")
    return value.lower() if isinstance(value, str) else ""


def read_value(
    label: object, metadata: Mapping[str, object], text: str | None = None
) -> LabelValue:
    """Read one label.

    A multi-label answer lists every class that at least one worker chose; here a class counts
    from a confidence of 0.5 on, or where the job states none (a single worker: all zeros).
    `confidences` has them all.

    Parameters
    ----------
    text
        The text that spans are of, where it is known: their ends are checked against it.

    Raises
    ------
    NoLabel
        Where the label cannot be understood.
    """
    kind = _kind(label, metadata)
    if kind == "single":
        return _single(label, metadata)
    if kind == "multi":
        return _multi(label if isinstance(label, list) else [label], metadata)
    if kind == "boxes":
        return _boxes(label, metadata)
    if kind == "spans":
        return _spans(label, metadata, text)
    if kind == "mask":
        return _mask(label, metadata)
    return LabelValue("custom")


def _kind(label: object, metadata: Mapping[str, object]) -> OutputKind:
    name = label_type(metadata).removeprefix("groundtruth/")
    if name.endswith(("-classification", "-classification-multilabel")):
        return "multi" if isinstance(label, list) else "single"
    if name == "custom" and _is_name(label):
        return "single"  # what a Lambda returned; there is only one way to read it
    if name in _KINDS:
        return _KINDS[name]
    if name:
        raise NoLabel("unreadable", f"labels of the type groundtruth/{_brief(name)} are not read")
    if isinstance(label, list):
        return "multi"
    if isinstance(label, dict):
        annotations = label.get("annotations")
        if isinstance(annotations, list):
            return "boxes"
        return "spans" if isinstance(annotations, dict) else "custom"
    return "mask" if "internal-color-map" in metadata else "single"


def _is_name(label: object) -> bool:
    name = _name(label)
    return name is not None and not name.strip().isdecimal()


def _name(value: object) -> str | None:
    """Give the name of a class; None where it is none, or holds half of a character."""
    if isinstance(value, str) and value.strip():
        with contextlib.suppress(UnicodeEncodeError):
            value.encode()
            return value
    return None


def _single(label: object, metadata: Mapping[str, object]) -> LabelValue:
    class_name = _name(metadata.get("class-name"))
    if metadata.get("class-name") is None and _is_name(label):
        class_name = _name(label)  # not Ground Truth's shape; there is only one way to read it
    if class_name is None:
        raise NoLabel(
            "unreadable", f"the metadata give no class-name for {_brief(label)}, which is no name"
        )
    return LabelValue("single", class_name, _confidence(metadata.get("confidence")) or None)


def _multi(label: list[object], metadata: Mapping[str, object]) -> LabelValue:
    names, listed = _mapping(metadata.get("class-map")), _mapping(metadata.get("confidence-map"))
    found: dict[str, float] = {}
    for index in dict.fromkeys(_brief(index) for index in label):
        class_name = _name(names.get(index))
        if class_name is None:
            raise NoLabel("unreadable", f"the class-map has no name for the class {index}")
        found[class_name] = max(_confidence(listed.get(index)) or 0.0, found.get(class_name, 0.0))
    if not found:
        return LabelValue("multi", (), empty=True, remark="no worker chose any class")
    if not any(found.values()):
        return LabelValue("multi", tuple(found))
    sure = tuple(name for name, confidence in found.items() if confidence >= MIN_CONFIDENCE)
    if sure:
        return LabelValue("multi", sure, _mean(found[name] for name in sure), found)
    best = max(found.values())
    return LabelValue(
        "multi",
        (),
        confidences=found,
        empty=True,
        remark=f"no class reaches a confidence of {MIN_CONFIDENCE:g} (the best is {best:g})",
    )


def _boxes(label: object, metadata: Mapping[str, object]) -> LabelValue:
    annotations = label.get("annotations") if isinstance(label, dict) else None
    if not isinstance(label, dict) or not isinstance(annotations, list):
        raise NoLabel("unreadable", "the label has no list of `annotations`")
    names = _mapping(metadata.get("class-map"))
    size = _image_size(label.get("image_size"))
    confidences, remark = _part_confidences(metadata.get("objects"), len(annotations), "objects")
    boxes = []
    for position, (part, confidence) in enumerate(zip(annotations, confidences, strict=True)):
        place = f"annotations[{position}]"
        record = _mapping(part)
        left, top, width, height = (
            _number(record.get(side), f"{place}.{side}")
            for side in ("left", "top", "width", "height")
        )
        if width < 0 or height < 0:
            raise NoLabel("unreadable", f"{place} has a side of negative length")
        class_name = _name(names.get(str(record.get("class_id"))))
        if class_name is None:
            index = _brief(record.get("class_id"))
            raise NoLabel("unreadable", f"the class-map has no name for the class {index}")
        boxes.append(_clip(Box(class_name, left, top, width, height, confidence), size))
    return LabelValue("boxes", tuple(boxes), _mean(confidences), image_size=size, remark=remark)


def _clip(box: Box, size: tuple[int, int] | None) -> Box:
    """Cut off what lies beyond the image; a box that is all outside it stays as it is."""
    if size is None:
        return box
    right, bottom = min(box.left + box.width, size[0]), min(box.top + box.height, size[1])
    left, top = max(box.left, 0.0), max(box.top, 0.0)
    if left >= right or top >= bottom:
        return box
    if left != box.left or box.left + box.width > right:
        box = replace(box, left=left, width=right - left)
    if top != box.top or box.top + box.height > bottom:
        box = replace(box, top=top, height=bottom - top)
    return box


def _spans(label: object, metadata: Mapping[str, object], text: str | None) -> LabelValue:
    annotations = _mapping(label.get("annotations")) if isinstance(label, dict) else {}
    entities = annotations.get("entities")
    if not isinstance(entities, list):
        raise NoLabel("unreadable", "the label has no list of `annotations.entities`")
    confidences, remark = _part_confidences(metadata.get("entities"), len(entities), "entities")
    spans = []
    for position, (part, confidence) in enumerate(zip(entities, confidences, strict=True)):
        record = _mapping(part)
        class_name = _name(record.get("label"))
        start, end = record.get("startOffset"), record.get("endOffset")
        if class_name is None:
            raise NoLabel("unreadable", f"entities[{position}] has no label")
        if not _is_integer(start) or not _is_integer(end) or not 0 <= start <= end:
            raise NoLabel(
                "unreadable",
                f"entities[{position}] goes from {_brief(start)} to {_brief(end)}, which are no "
                "places in a text",
            )
        spans.append(Span(class_name, start, end, confidence))
    if text is not None and any(span.end > len(text) for span in spans):
        spans = _in_characters(spans, text)
        remark = "the offsets count UTF-16 units, as browsers do, and were converted"
    return LabelValue("spans", tuple(spans), _mean(confidences), remark=remark)


def _in_characters(spans: Sequence[Span], text: str) -> list[Span]:
    """Convert offsets in UTF-16 units to characters; an offset within a pair goes before it."""
    starts = []  # of each UTF-16 unit, the character that it belongs to
    for position, character in enumerate(text):
        starts += [position] * (2 if ord(character) > 0xFFFF else 1)
    starts.append(len(text))
    for span in spans:
        if span.end >= len(starts):
            raise NoLabel(
                "unreadable",
                f"an entity ends at {span.end}, and the text has {len(text)} characters",
            )
    return [replace(span, start=starts[span.start], end=starts[span.end]) for span in spans]


def _mask(label: object, metadata: Mapping[str, object]) -> LabelValue:
    uri = _name(label)
    if uri is None:
        raise NoLabel("unreadable", f"{_brief(label)} does not name the image of a mask")
    colors = metadata.get("internal-color-map")
    if not isinstance(colors, dict):
        raise NoLabel("unreadable", "the metadata have no internal-color-map to read the mask by")
    known = [_confidence(_mapping(entry).get("confidence")) for entry in colors.values()]
    # One confidence is repeated for each class.
    return LabelValue("mask", None, min(filter(None, known), default=None), mask_uri=uri)


def _part_confidences(entries: object, count: int, key: str) -> tuple[Sequence[float | None], str]:
    """Read the confidences of `count` boxes or entities, and a remark where they do not fit."""
    if not isinstance(entries, list) or len(entries) != count:
        remark = f"the metadata's `{key}` do not fit the label, so no confidence is known"
        return [None] * count, remark if count else ""
    return [_confidence(_mapping(entry).get("confidence")) or None for entry in entries], ""


def _image_size(value: object) -> tuple[int, int] | None:
    first = value[0] if isinstance(value, list) and value else value
    record = _mapping(first)
    width, height = record.get("width"), record.get("height")
    if not _is_integer(width) or not _is_integer(height):
        return None
    return (width, height) if 0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE else None


def _confidence(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise NoLabel("unreadable", f"the confidence {_brief(value)} is not a number from 0 to 1")


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _number(value: object, place: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            if math.isfinite(value):
                return float(value)
    raise NoLabel("unreadable", f"{place} is {_brief(value)}, not a number")


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _brief(value: object) -> str:
    return str(value)[:60]
