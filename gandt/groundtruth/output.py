"""Labels out of an output manifest: what a finished classification job says about its images.

Reads JSON Lines in which a job added `<attribute>` and `<attribute>-metadata` to each line (an
"augmented manifest"), of single-label and multi-label image classification, and any line that has
their shape. Nothing is written. What a line says beyond that, and which lines say nothing, is
counted with a reason.

The shapes are those of the SageMaker developer guide ("Output Data") and, where real files differ
from it, those of real files: an index may be a number or a text, a failed object has no label key
and only a `failure-reason`, and a confidence of 0 means that one worker answered, not that the
answer is wrong.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gandt.errors import ManifestError
from gandt.groundtruth.json_lines import POOL_URI, SOURCE, SOURCE_REF, read_objects

__all__ = [
    "LabelReading",
    "LabeledImage",
    "PassedLine",
    "label_attributes",
    "read_labels",
]

METADATA = "-metadata"
SINGLE = "groundtruth/image-classification"
MULTI = "groundtruth/image-classification-multilabel"
MIN_CONFIDENCE = 0.5  # of a class in a multi-label answer


@dataclass(frozen=True, slots=True)
class LabeledImage:
    """One class of one image; an image with several classes has several of these."""

    uri: str  # its name in the pool where the line carries it, else the reference
    label: str  # class name
    confidence: float | None  # (0, 1]; None where it is unknown, a single worker's answer included
    human: bool | None  # False where the job labeled it automatically; None where it does not say


@dataclass(frozen=True, slots=True)
class PassedLine:
    """A line that gives no label, and why."""

    line: int  # from 1
    uri: str | None
    kind: str  # "failed", "unlabeled", "empty" or "unreadable"
    reason: str


@dataclass(frozen=True, slots=True)
class LabelReading:
    """All labels of one attribute of a manifest, in the order of its lines."""

    attribute: str
    images: tuple[LabeledImage, ...]
    passed: tuple[PassedLine, ...]
    lines: int

    @property
    def counts(self) -> dict[str, int]:
        """Number of passed lines by kind: failed, unlabeled, empty, unreadable."""
        return dict(sorted(Counter(line.kind for line in self.passed).items()))


def label_attributes(record: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    """Find the label attributes of a line, with their metadata.

    A key is one only if `<key>-metadata` is an object with a `type` that begins `groundtruth/`
    (any case) or with a `failure-reason`; other keys may end in `-metadata` too.
    """
    found: dict[str, Mapping[str, object]] = {}
    for key, metadata in record.items():
        name = key.removesuffix(METADATA)
        if name == key or not name or not isinstance(metadata, dict):
            continue
        if _type(metadata).startswith("groundtruth/") or "failure-reason" in metadata:
            found[name] = metadata
    return found


def _kinds(records: Iterable[Mapping[str, object]]) -> dict[str, tuple[str, ...]]:
    kinds: dict[str, set[str]] = {}
    for record in records:
        for name, metadata in label_attributes(record).items():
            kinds.setdefault(name, set()).add(_type(metadata))
    return {name: tuple(sorted(types - {""})) for name, types in sorted(kinds.items())}


def read_labels(uri: str, *, attribute: str | None = None) -> LabelReading:
    """Read the classes that a job gave to images.

    A multi-label answer lists every class that at least one worker chose; here a class counts
    from a confidence of 0.5 on, or where the job states none (a single worker: all zeros).

    Parameters
    ----------
    attribute
        The job's label attribute name. Without it, the only attribute whose metadata say that it
        is an image classification is taken.

    Raises
    ------
    ManifestError
        Where a line is not a JSON object, where no line has the attribute, or where several
        attributes could be meant.
    StorageError
        Where the file cannot be read.
    """
    records = list(read_objects(uri))
    name = attribute or _only_attribute(uri, _kinds(record for _, record in records))
    images: list[LabeledImage] = []
    passed: list[PassedLine] = []
    known = False
    for number, record in records:
        # A reference that was rewritten for the job is known in the pool by its older name.
        reference = record.get(POOL_URI, record.get(SOURCE_REF))
        place = reference if isinstance(reference, str) else None
        known = known or name in record or f"{name}{METADATA}" in record
        try:
            images.extend(_read_line(record, name, place))
        except _NoLabel as reason:
            passed.append(PassedLine(number, place, reason.kind, str(reason)))
    if not known:
        there = ", ".join(_kinds(record for _, record in records)) or "none"
        raise ManifestError(
            f"{uri} has no label attribute {name!r} on any line: name one that it has ({there})."
        )
    return LabelReading(name, tuple(images), tuple(passed), len(records))


class _NoLabel(Exception):
    """Why a line gives no label; caught where lines are counted."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def _only_attribute(uri: str, kinds: Mapping[str, tuple[str, ...]]) -> str:
    if not kinds:
        raise ManifestError(
            f"{uri} has no labels in it: name the output manifest of a finished labeling job, or "
            "the label attribute if its metadata name no type."
        )
    # An attribute whose every line failed has no type; it may be meant as well.
    readable = [name for name, types in kinds.items() if not types or {SINGLE, MULTI} & set(types)]
    if not readable:
        there = ", ".join(f"{name} ({'/'.join(types)})" for name, types in kinds.items())
        custom = any("groundtruth/custom" in types for types in kinds.values())
        raise ManifestError(
            f"{uri} holds no image classification, only {there}: "
            + (
                "aggregate the answers of a custom job first (`gandt aggregate`)."
                if custom
                else "name the output manifest of a classification job."
            )
        )
    if len(readable) > 1:
        raise ManifestError(
            f"{uri} holds the labels of several jobs ({', '.join(readable)}): say which "
            "attribute to read."
        )
    return readable[0]


def _read_line(record: Mapping[str, object], name: str, uri: str | None) -> list[LabeledImage]:
    metadata = record.get(f"{name}{METADATA}")
    if isinstance(metadata, dict) and "failure-reason" in metadata:
        raise _NoLabel("failed", str(metadata["failure-reason"]))
    if name not in record:
        if metadata is None:
            raise _NoLabel("unlabeled", f"the line has no {name!r}: no worker was asked yet")
        raise _NoLabel("unreadable", f"{name}{METADATA} is there, but {name} is not")
    if uri is None:
        what = "a text or a tiled task" if SOURCE in record else "no image"
        raise _NoLabel("unreadable", f"the line has no `{SOURCE_REF}`, it is about {what}")
    metadata = metadata if isinstance(metadata, dict) else {}
    human = {"yes": True, "no": False}.get(str(metadata.get("human-annotated")).lower())
    label = record[name]
    pairs = _multi(label, metadata) if isinstance(label, list) else [_single(label, metadata)]
    return [LabeledImage(uri, text, confidence, human) for text, confidence in pairs]


def _single(label: object, metadata: Mapping[str, object]) -> tuple[str, float | None]:
    class_name = metadata.get("class-name")
    if class_name is None and isinstance(label, str) and not label.strip().isdecimal():
        class_name = label  # not Ground Truth's shape, but there is only one way to read it
    if not isinstance(class_name, str) or not class_name.strip():
        raise _NoLabel(
            "unreadable", f"the metadata give no class-name for {_brief(label)}, which is no name"
        )
    confidence = _confidence(metadata.get("confidence"))
    return class_name, confidence or None


def _multi(label: list[object], metadata: Mapping[str, object]) -> list[tuple[str, float | None]]:
    names, confidences = metadata.get("class-map"), metadata.get("confidence-map")
    names = names if isinstance(names, dict) else {}
    confidences = confidences if isinstance(confidences, dict) else {}
    found: list[tuple[str, float]] = []
    for index in dict.fromkeys(_brief(index) for index in label):
        class_name = names.get(index)
        if not isinstance(class_name, str) or not class_name.strip():
            raise _NoLabel("unreadable", f"the class-map has no name for the class {index}")
        found.append((class_name, _confidence(confidences.get(index)) or 0.0))
    if not found:
        raise _NoLabel("empty", "no worker chose any class")
    if not any(confidence for _, confidence in found):
        return [(class_name, None) for class_name, _ in found]
    sure = [(name, confidence) for name, confidence in found if confidence >= MIN_CONFIDENCE]
    if not sure:
        best = max(confidence for _, confidence in found)
        raise _NoLabel(
            "empty", f"no class reaches a confidence of {MIN_CONFIDENCE:g} (the best is {best:g})"
        )
    return list(sure)


def _confidence(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number) and 0 <= number <= 1:
            return number
    raise _NoLabel("unreadable", f"the confidence {_brief(value)} is not a number from 0 to 1")


def _brief(value: object) -> str:
    return str(value)[:60]


def _type(metadata: Mapping[str, object]) -> str:
    value = metadata.get("type")
    return value.lower() if isinstance(value, str) else ""
