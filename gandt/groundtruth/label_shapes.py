"""The shape of one label of each kind: what is missing, out of range, or does not fit together.

Pure functions that report to `LabelNotes` and give the classes that they found, for counting. The
shapes are those of the SageMaker developer guide, "Output Data"; what real jobs write beside them
(an index as text, boxes that pass the border by a rounding) is no finding.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import TypeGuard

from gandt.groundtruth.findings import LabelNotes
from gandt.groundtruth.label_names import METADATA
from gandt.groundtruth.output_values import MAX_SIDE

__all__ = ["FoundClass", "brief", "check_shape"]

FoundClass = tuple[str | None, str]  # index as text, where the kind has indexes; name

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_SIDES = ("left", "top", "width", "height")
_ROUNDING = 1.0  # pixels by which averaged boxes may pass the border


def check_shape(
    notes: LabelNotes, name: str, label: object, metadata: Mapping[str, object], source: object
) -> list[FoundClass]:
    """Check one label by its type; gives the classes in it, as often as they occur.

    Parameters
    ----------
    source
        The text that the line is about, where it is about one.
    """
    kind = str(metadata.get("type")).lower().removeprefix("groundtruth/")
    if kind.endswith("-classification-multilabel"):
        return _check_multi(notes, name, label, metadata)
    if kind.endswith("-classification") or kind == "label-verification":
        return _check_single(notes, name, label, metadata)
    if kind == "object-detection":
        return _check_boxes(notes, name, label, metadata)
    if kind == "semantic-segmentation":
        return _check_mask(notes, name, label, metadata)
    if kind == "text-span":
        return _check_spans(notes, name, label, metadata, source)
    return []


def _check_single(
    notes: LabelNotes, name: str, label: object, metadata: Mapping[str, object]
) -> list[FoundClass]:
    if not _is_index(label):
        notes.error(
            name, f"the label {brief(label)} is not the index of a class", "give an integer"
        )
    class_name = metadata.get("class-name")
    if not isinstance(class_name, str) or not class_name.strip():
        key = f"{name}{METADATA}.class-name"
        notes.error(key, "the name of the class is missing", "give a string")
        return []
    _check_confidence(notes, f"{name}{METADATA}.confidence", metadata.get("confidence"))
    return [(str(label) if _is_index(label) else None, class_name)]


def _check_multi(
    notes: LabelNotes, name: str, label: object, metadata: Mapping[str, object]
) -> list[FoundClass]:
    if not isinstance(label, list) or not all(_is_index(index) for index in label):
        notes.error(name, "the label is not a list of class indexes", "give a list of integers")
        return []
    key = f"{name}{METADATA}"
    names = _mapping(notes, f"{key}.class-map", metadata.get("class-map"))
    confidences = _mapping(notes, f"{key}.confidence-map", metadata.get("confidence-map"))
    found: list[FoundClass] = []
    for index in map(str, label):
        class_name = names.get(index)
        if isinstance(class_name, str):
            found.append((index, class_name))
        else:
            notes.error(f"{key}.class-map", f"class {index} has no name", "add it")
        _check_confidence(notes, f"{key}.confidence-map", confidences.get(index))
    return found


def _check_boxes(
    notes: LabelNotes, name: str, label: object, metadata: Mapping[str, object]
) -> list[FoundClass]:
    boxes = label.get("annotations") if isinstance(label, dict) else None
    if not isinstance(boxes, list) or not isinstance(label, dict) or "image_size" not in label:
        notes.error(name, "the label has no `image_size` and list of `annotations`", "restore them")
        return []
    size = _check_size(notes, f"{name}.image_size", label["image_size"])
    _check_parts(notes, f"{name}{METADATA}.objects", metadata.get("objects"), len(boxes), "box")
    names = _mapping(notes, f"{name}{METADATA}.class-map", metadata.get("class-map"))
    found: list[FoundClass] = []
    for position, box in enumerate(boxes):
        key = f"{name}.annotations[{position}]"
        sides = [box.get(side) if isinstance(box, dict) else None for side in _SIDES]
        numbers = [float(side) for side in sides if _is_number(side)]
        if not isinstance(box, dict) or len(numbers) < len(_SIDES):
            notes.error(
                key, "the box lacks one of left, top, width and height", "give four numbers"
            )
            continue
        left, top, width, height = numbers
        if width < 0 or height < 0:
            notes.error(key, "the box has a side of negative length", "give its left top corner")
        elif size is not None and (
            min(left, top) < -_ROUNDING
            or left + width > size[0] + _ROUNDING
            or top + height > size[1] + _ROUNDING
        ):
            notes.warning(
                key,
                f"the box reaches beyond the image of {size[0]} by {size[1]} pixels",
                "look whether the image was turned (EXIF) since it was labeled",
            )
        class_name = names.get(str(box.get("class_id")))
        if isinstance(class_name, str):
            found.append((str(box.get("class_id")), class_name))
        else:
            index = brief(box.get("class_id"))
            notes.error(key, f"class {index} has no name in the class-map", "add it")
    return found


def _check_size(notes: LabelNotes, key: str, value: object) -> tuple[int, int] | None:
    if value == []:
        notes.warning(
            key, "the size of the image is not known", "training of a detector may need it"
        )
        return None
    first = value[0] if isinstance(value, list) else None
    sides = [first.get(side) if isinstance(first, dict) else None for side in ("width", "height")]
    numbers = [side for side in sides if _is_integer(side) and 0 < side <= MAX_SIDE]
    if len(numbers) < 2:
        notes.error(
            key,
            "it is not a list with the width and height of the image",
            'write [{"width": 800, "height": 600, "depth": 3}], in pixels',
        )
        return None
    return numbers[0], numbers[1]


def _check_spans(
    notes: LabelNotes, name: str, label: object, metadata: Mapping[str, object], source: object
) -> list[FoundClass]:
    annotations = label.get("annotations") if isinstance(label, dict) else None
    entities = annotations.get("entities") if isinstance(annotations, dict) else None
    if not isinstance(annotations, dict) or not isinstance(entities, list):
        notes.error(
            name, "the label has no `annotations` with a list of `entities`", "restore them"
        )
        return []
    key = f"{name}{METADATA}.entities"
    _check_parts(notes, key, metadata.get("entities"), len(entities), "entity")
    listed = annotations.get("labels")
    known = [
        entry.get("label") if isinstance(entry, dict) else None
        for entry in (listed if isinstance(listed, list) else [])
    ]
    found: list[FoundClass] = []
    for position, entity in enumerate(entities):
        key = f"{name}.annotations.entities[{position}]"
        record = entity if isinstance(entity, dict) else {}
        class_name = record.get("label")
        if not isinstance(class_name, str) or not class_name.strip():
            notes.error(f"{key}.label", "the entity has no label", "give a string")
        else:
            found.append((None, class_name))
            if class_name not in known:
                notes.error(
                    f"{key}.label",
                    f"{brief(class_name)} is none of the labels that the annotations list",
                    f"add it to {name}.annotations.labels",
                )
        _check_offsets(notes, key, record, source)
    return found


def _check_offsets(
    notes: LabelNotes, key: str, entity: Mapping[str, object], source: object
) -> None:
    start, end = entity.get("startOffset"), entity.get("endOffset")
    if not _is_integer(start) or not _is_integer(end) or not 0 <= start < end:
        notes.error(
            key,
            f"the entity goes from {brief(start)} to {brief(end)}",
            "give the first character, from 0, and the one after the last",
        )
        return
    if not isinstance(source, str) or end <= len(source):
        return
    if end <= len(source.encode("utf-16-le", errors="surrogatepass")) // 2:
        notes.warning(
            key,
            f"the entity ends at {end} and the text has {len(source)} characters: the offsets "
            "seem to count emoji twice, as browsers do",
            "count characters",
        )
    else:
        notes.error(
            key,
            f"the entity ends at {end} and the text has {len(source)} characters",
            "give offsets within the text",
        )


def _check_mask(
    notes: LabelNotes, name: str, label: object, metadata: Mapping[str, object]
) -> list[FoundClass]:
    if not isinstance(label, str) or not label.startswith(("s3://", "/")):
        notes.error(name, "the label is not the S3 URI of a mask", "name the PNG that holds it")
    elif label.startswith("/"):
        notes.warning(
            name,
            f"{label} is a local path: fine on this machine, unknown to Ground Truth",
            "upload the mask and write its S3 URI for training or another job",
            code="local-path",
        )
    key = f"{name}{METADATA}.internal-color-map"
    colors = _mapping(notes, key, metadata.get("internal-color-map"))
    found: list[FoundClass] = []
    seen: Counter[str] = Counter()
    for index, entry in colors.items():
        place = f"{key}.{index}"
        record = entry if isinstance(entry, dict) else {}
        class_name, color = record.get("class-name"), record.get("hex-color")
        if isinstance(class_name, str) and class_name.strip():
            found.append((index, class_name))
        else:
            notes.error(place, "the entry has no class-name", "name the class of the color")
            continue
        if not isinstance(color, str) or not _COLOR.fullmatch(color):
            notes.error(f"{place}.hex-color", f"{brief(color)} is no color", "write it as #2ca02c")
        else:
            seen[color.lower()] += 1
            if seen[color.lower()] == 2:
                notes.error(
                    f"{place}.hex-color",
                    f"{color} stands for more than one class, so they cannot be told apart",
                    "give each class a color of its own",
                )
        _check_confidence(notes, f"{place}.confidence", record.get("confidence"))
    return found


def _check_parts(notes: LabelNotes, key: str, entries: object, count: int, noun: str) -> None:
    """Check that each box or entity has its confidence."""
    if not isinstance(entries, list) or len(entries) != count:
        notes.error(
            key,
            f"there is not one entry for each {noun} ({count} in the label)",
            f"give one confidence a {noun}, in the same order",
        )
        return
    for position, entry in enumerate(entries):
        value = entry.get("confidence") if isinstance(entry, dict) else None
        _check_confidence(notes, f"{key}[{position}].confidence", value)


def _check_confidence(notes: LabelNotes, key: str, value: object) -> None:
    if not _is_number(value) or not 0 <= value <= 1:
        notes.error(
            key, f"the confidence {brief(value)} is not from 0 to 1", "give a number from 0 to 1"
        )


def _mapping(notes: LabelNotes, key: str, value: object) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    notes.error(key, "it is missing or not an object", "map each class index, a text, to its entry")
    return {}


def _is_index(value: object) -> bool:
    return value.isdecimal() if isinstance(value, str) else _is_integer(value) and value >= 0


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every double
        return False


def brief(value: object) -> str:
    """Show a value in a message."""
    return repr(value)[:60] if value is not None else "(missing)"
