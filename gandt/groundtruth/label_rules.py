"""What the labels in an augmented manifest must look like: rules for one pair of keys.

A pair is `<attribute>` with `<attribute>-metadata`, as a finished job adds it to each line. Pure
functions that add to a `FindingLog` and count labels; the shapes are those of the SageMaker
developer guide, "Output Data", read as tolerantly as real files demand (an index may be a text,
a failed object has metadata only).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeGuard

from gandt.groundtruth.findings import FindingLog
from gandt.groundtruth.json_lines import SOURCE, SOURCE_REF
from gandt.groundtruth.output import METADATA, label_attributes

__all__ = ["check_labels"]

_ATTRIBUTE = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,126}")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")

_SIDES = ("left", "top", "width", "height")

_Note = Callable[[str, str, str], None]  # (key, what is wrong, what to do)


def check_labels(
    log: FindingLog,
    line: int,
    record: Mapping[str, object],
    labels: dict[str, Counter[str]],
    failed: Counter[str],
) -> None:
    """Check every label of a line, and count it in `labels[attribute][class]` or `failed`."""
    found = label_attributes(record)
    for key, metadata in record.items():
        name = key.removesuffix(METADATA)
        pair = name != key and name in record and name not in (SOURCE, SOURCE_REF)
        if pair and name not in found:
            reason = (
                "has no `type` that begins with groundtruth/"
                if isinstance(metadata, dict)
                else "is not an object"
            )
            log.add(
                "warning",
                "metadata",
                line,
                key,
                f"it looks like the metadata of the label {name!r} but {reason}",
                "repair it if it is a label; other keys may stay",
            )

    def note(key: str, message: str, remedy: str) -> None:
        log.add("error", "label", line, key, message, remedy)

    for name, metadata in found.items():
        if not _ATTRIBUTE.fullmatch(name):
            log.add(
                "warning",
                "attribute-name",
                line,
                name,
                "no labeling job could have this label attribute name",
                "use at most 127 letters, digits and single hyphens",
            )
        if "failure-reason" in metadata:
            failed[name] += 1
            continue
        if name not in record:
            note(f"{name}{METADATA}", f"the label {name!r} itself is missing", "restore it")
            continue
        counts = labels.setdefault(name, Counter())
        counts.update(_check_label(note, name, record[name], metadata))
        _check_common(note, f"{name}{METADATA}", metadata)


def _check_label(
    note: _Note, name: str, label: object, metadata: Mapping[str, object]
) -> list[str]:
    """Check one label by its type; returns the classes in it, as often as they occur."""
    kind = str(metadata.get("type")).lower().removeprefix("groundtruth/")
    if kind in ("image-classification", "text-classification", "label-verification"):
        return _check_single(note, name, label, metadata)
    if kind.endswith("-classification-multilabel"):
        return _check_multi(note, name, label, metadata)
    if kind == "object-detection":
        return _check_boxes(note, name, label, metadata)
    if kind == "semantic-segmentation":
        return _check_masks(note, name, label, metadata)
    return []


def _check_single(
    note: _Note, name: str, label: object, metadata: Mapping[str, object]
) -> list[str]:
    if not _is_index(label):
        note(name, f"the label {_brief(label)} is not the index of a class", "give an integer")
    class_name = metadata.get("class-name")
    if not isinstance(class_name, str) or not class_name.strip():
        note(f"{name}{METADATA}.class-name", "the name of the class is missing", "give a string")
        return []
    _check_confidence(note, f"{name}{METADATA}.confidence", metadata.get("confidence"))
    return [class_name]


def _check_multi(
    note: _Note, name: str, label: object, metadata: Mapping[str, object]
) -> list[str]:
    if not isinstance(label, list) or not all(_is_index(index) for index in label):
        note(name, "the label is not a list of class indexes", "give a list of integers")
        return []
    names = _mapping(note, f"{name}{METADATA}.class-map", metadata.get("class-map"))
    confidences = _mapping(note, f"{name}{METADATA}.confidence-map", metadata.get("confidence-map"))
    found = []
    for index in map(str, label):
        class_name = names.get(index)
        if isinstance(class_name, str):
            found.append(class_name)
        else:
            note(f"{name}{METADATA}.class-map", f"class {index} has no name", "add it")
        _check_confidence(note, f"{name}{METADATA}.confidence-map", confidences.get(index))
    return found


def _check_boxes(
    note: _Note, name: str, label: object, metadata: Mapping[str, object]
) -> list[str]:
    boxes = label.get("annotations") if isinstance(label, dict) else None
    if not isinstance(boxes, list) or not isinstance(label, dict) or "image_size" not in label:
        note(name, "the label has no `image_size` and list of `annotations`", "restore them")
        return []
    objects = metadata.get("objects")
    if not isinstance(objects, list) or len(objects) != len(boxes):
        note(
            f"{name}{METADATA}.objects",
            f"there is not one entry for each of the {len(boxes)} boxes",
            "give one confidence a box, in the same order",
        )
    names = _mapping(note, f"{name}{METADATA}.class-map", metadata.get("class-map"))
    found = []
    for position, box in enumerate(boxes):
        key = f"{name}.annotations[{position}]"
        sides = [box.get(side) if isinstance(box, dict) else None for side in _SIDES]
        if not isinstance(box, dict) or not all(_is_number(side) for side in sides):
            note(key, "the box lacks one of left, top, width and height", "give four numbers")
            continue
        class_name = names.get(str(box.get("class_id")))
        if isinstance(class_name, str):
            found.append(class_name)
        else:
            note(key, f"class {_brief(box.get('class_id'))} has no name in the class-map", "add it")
    return found


def _check_masks(
    note: _Note, name: str, label: object, metadata: Mapping[str, object]
) -> list[str]:
    if not isinstance(label, str) or not label.startswith("s3://"):
        note(name, "the label is not the S3 URI of a mask", "name the PNG that holds it")
    key = f"{name}{METADATA}.internal-color-map"
    colors = _mapping(note, key, metadata.get("internal-color-map"))
    found = []
    for index, entry in colors.items():
        class_name = entry.get("class-name") if isinstance(entry, dict) else None
        if isinstance(class_name, str):
            found.append(class_name)
        else:
            note(f"{key}.{index}", "the entry has no class-name", "name the class of the color")
    return found


def _check_common(note: _Note, key: str, metadata: Mapping[str, object]) -> None:
    who = metadata.get("human-annotated")
    if str(who).lower() not in ("yes", "no", "true", "false"):
        note(f"{key}.human-annotated", f"{_brief(who)} says neither yes nor no", "write yes or no")
    date = metadata.get("creation-date")
    if not isinstance(date, str) or not _DATE.fullmatch(date):
        note(
            f"{key}.creation-date",
            f"{_brief(date)} is no date",
            "write it as 2024-03-05T10:05:00.120431 (UTC)",
        )


def _check_confidence(note: _Note, key: str, value: object) -> None:
    if not _is_number(value) or not 0 <= value <= 1:
        note(key, f"the confidence {_brief(value)} is not from 0 to 1", "give a number from 0 to 1")


def _mapping(note: _Note, key: str, value: object) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    note(key, "it is missing or not an object", "map each class index (as text) to its entry")
    return {}


def _is_index(value: object) -> bool:
    if isinstance(value, str):
        return value.isdecimal()
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _brief(value: object) -> str:
    return repr(value)[:60] if value is not None else "(missing)"
