"""Labels out of an output manifest: what a finished labeling job says about each object.

Reads JSON Lines in which a job added `<attribute>` and `<attribute>-metadata` to each line (an
"augmented manifest"), of every task that images and texts have: classification with one label or
several, boxes, spans, masks, the verification or adjustment of those, and custom jobs. Nothing is
written, no mask is opened. Each line gives a row; a line without a usable label says why.

The file of a job that is still running, or was stopped, is read as far as it goes. `output_values`
knows what the labels themselves look like.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gandt.answers import Label
from gandt.errors import ManifestError
from gandt.groundtruth.job_description import own_attribute
from gandt.groundtruth.json_lines import SOURCE, SOURCE_REF, read_objects
from gandt.groundtruth.label_names import (
    METADATA,
    attribute_types,
    label_attributes,
    only_attribute,
)
from gandt.groundtruth.output_values import LabelValue, NoLabel, OutputKind, read_value
from gandt.groundtruth.task_lines import task_name

__all__ = [
    "LabelReading",
    "LabeledImage",
    "OutputReading",
    "OutputRow",
    "PassedLine",
    "Status",
    "label_attributes",
    "read_labels",
    "read_output",
]

SINGLE = "groundtruth/image-classification"
MULTI = "groundtruth/image-classification-multilabel"
Status = Literal["labeled", "failed", "unlabeled", "empty", "unreadable"]
_HUMAN = {"yes": True, "true": True, "no": False, "false": False}

_Records = Sequence[tuple[int, dict[str, object]]]


@dataclass(frozen=True, slots=True)
class OutputRow:
    """What one line says under one attribute."""

    line: int  # from 1
    # Its name in the pool where the line carries it, else the reference or the text; of a tiled
    # task the names of its images, joined by ", ".
    task: str
    reference: str | None  # `source-ref`, what to open; None for a text or a tiled task
    kind: OutputKind
    status: Status  # "empty": no class was chosen, or none is likely enough; `label` is () then
    record: Mapping[str, object]  # the line
    metadata: Mapping[str, object]  # of the label; empty where there are none
    # None where there is none, of a mask (see `mask_uri`) and of a custom job (see `record`).
    label: Label | None = None
    confidence: float | None = None  # (0, 1]; of several parts the mean; None where unknown
    confidences: Mapping[str, float] = field(default_factory=dict)  # of all classes of "multi"
    human: bool | None = None  # False where the job labeled it automatically; None: not said
    image_size: tuple[int, int] | None = None  # width, height in pixels
    mask_uri: str | None = None
    reason: str = ""  # why there is no label, or what had to be repaired in it
    created: str | None = None  # as written: ISO 8601 without a zone is UTC
    job: str | None = None  # as written: in lower case, perhaps after "labeling-job/"


@dataclass(frozen=True, slots=True)
class OutputReading:
    """All lines of a manifest as one of its label attributes has them, in their order."""

    attribute: str
    kind: OutputKind  # of the first label; "custom" where there is none to tell by
    rows: tuple[OutputRow, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of lines by status."""
        return dict(sorted(Counter(row.status for row in self.rows).items()))


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


def read_output(uri: str, *, attribute: str | None = None) -> OutputReading:
    """Read what a job says about each line, of whatever task.

    Boxes are cut at the border of the image where its size is known.

    Parameters
    ----------
    attribute
        The job's label attribute name. Without it, the only attribute in the file is taken, or,
        of several, the one that the job's `job.json` names.

    Raises
    ------
    ManifestError
        Where a line is not a JSON object, where no line has the attribute, or where several
        attributes could be meant.
    StorageError
        Where the file cannot be read.

    Examples
    --------
    >>> read_output("round1/output.manifest").counts  # doctest: +SKIP
    {'failed': 3, 'labeled': 495, 'unlabeled': 2}
    """
    records = list(read_objects(uri))
    types = attribute_types(record for _, record in records)
    return _read(uri, records, types, attribute or _meant(uri, list(types)))


def read_labels(uri: str, *, attribute: str | None = None) -> LabelReading:
    """Read the classes that a job gave to images.

    A multi-label answer lists every class that at least one worker chose; here a class counts
    from a confidence of 0.5 on, or where the job states none (a single worker: all zeros).

    Parameters
    ----------
    attribute
        The job's label attribute name. Without it, the only attribute whose metadata say that it
        is an image classification is taken, or, of several, the one that the job's `job.json`
        names.

    Raises
    ------
    ManifestError
        Where a line is not a JSON object, where no line has the attribute, or where several
        attributes could be meant.
    StorageError
        Where the file cannot be read.
    """
    records = list(read_objects(uri))
    types = attribute_types(record for _, record in records)
    reading = _read(uri, records, types, attribute or _meant(uri, _of_images(uri, types)))
    images: list[LabeledImage] = []
    passed: list[PassedLine] = []
    for row in reading.rows:
        place = row.task if row.reference is not None else None
        if row.status != "labeled":
            passed.append(PassedLine(row.line, place, row.status, row.reason))
        elif place is None:
            what = "a text or a tiled task" if SOURCE in row.record else "no image"
            reason = f"the line has no `{SOURCE_REF}`, it is about {what}"
            passed.append(PassedLine(row.line, None, "unreadable", reason))
        elif isinstance(row.label, str):
            images.append(LabeledImage(place, row.label, row.confidence, row.human))
        elif row.kind == "multi" and isinstance(row.label, tuple):
            for name in map(str, row.label):
                sure = row.confidences.get(name)
                images.append(LabeledImage(place, name, sure, row.human))
        else:
            reason = f"the label is no class ({row.kind})"
            passed.append(PassedLine(row.line, place, "unreadable", reason))
    return LabelReading(reading.attribute, tuple(images), tuple(passed), len(records))


def _meant(uri: str, names: Sequence[str]) -> str:
    """Choose among attributes: the only one, or that of the job in whose folder the file lies."""
    own = own_attribute(uri) if len(names) > 1 else None
    return own if own is not None and own in names else only_attribute(uri, names)


def _of_images(uri: str, types: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Attributes that classify images. One whose every line failed may be meant as well."""
    names = [name for name, found in types.items() if not found or {SINGLE, MULTI} & set(found)]
    if types and not names:
        there = ", ".join(f"{name} ({'/'.join(found)})" for name, found in types.items())
        custom = any("groundtruth/custom" in found for found in types.values())
        raise ManifestError(
            f"{uri} holds no image classification, only {there}: "
            + (
                "aggregate the answers of a custom job first (`gandt aggregate`)."
                if custom
                else "name the output manifest of a classification job."
            )
        )
    return names


def _read(
    uri: str, records: _Records, types: Mapping[str, object], attribute: str
) -> OutputReading:
    if not any(attribute in record or f"{attribute}{METADATA}" in record for _, record in records):
        raise ManifestError(
            f"{uri} has no label attribute {attribute!r} on any line: name one that it has "
            f"({', '.join(types) or 'none'})."
        )
    values = [_value(record, attribute) for _, record in records]
    kinds = [value.kind for value in values if isinstance(value, LabelValue)]
    kind: OutputKind = kinds[0] if kinds else "custom"
    rows = tuple(
        _row(number, record, attribute, value, kind)
        for (number, record), value in zip(records, values, strict=True)
    )
    return OutputReading(attribute, kind, rows)


def _value(record: Mapping[str, object], attribute: str) -> LabelValue | NoLabel:
    metadata = record.get(f"{attribute}{METADATA}")
    if isinstance(metadata, dict) and "failure-reason" in metadata:
        return NoLabel("failed", str(metadata["failure-reason"]) or "the job gave no reason")
    if attribute not in record:
        if metadata is None:
            return NoLabel("unlabeled", f"the line has no {attribute!r}: no worker was asked yet")
        return NoLabel("unreadable", f"{attribute}{METADATA} is there, but {attribute} is not")
    text = record.get(SOURCE)
    try:
        return read_value(
            record[attribute],
            metadata if isinstance(metadata, dict) else {},
            text if isinstance(text, str) else None,
        )
    except NoLabel as reason:
        return reason


def _row(
    number: int,
    record: Mapping[str, object],
    attribute: str,
    value: LabelValue | NoLabel,
    kind: OutputKind,
) -> OutputRow:
    reference = record.get(SOURCE_REF)
    metadata = record.get(f"{attribute}{METADATA}")
    metadata = metadata if isinstance(metadata, dict) else {}
    found = value if isinstance(value, LabelValue) else LabelValue(kind)
    # Failed objects say "true", though no human answered.
    who = metadata.get("human-annotated") if isinstance(value, LabelValue) else None
    status: Status = "empty" if found.empty else "labeled"
    return OutputRow(
        line=number,
        task=_whole(task_name(record) or f"line {number}"),
        reference=_whole(reference) if isinstance(reference, str) else None,
        kind=found.kind,
        status=value.status if isinstance(value, NoLabel) else status,
        record=record,
        metadata=metadata,
        label=found.label,
        confidence=found.confidence,
        confidences=found.confidences,
        human=_HUMAN.get(str(who).lower()),
        image_size=found.image_size,
        mask_uri=found.mask_uri,
        reason=_whole(str(value)) if isinstance(value, NoLabel) else found.remark,
        created=_text(metadata, "creation-date", "creation_date"),
        job=_text(metadata, "job-name", "job_name"),
    )


def _text(metadata: Mapping[str, object], *keys: str) -> str | None:
    texts = (value for key in keys if isinstance(value := metadata.get(key), str))
    return next(map(_whole, texts), None)


def _whole(text: str) -> str:
    """Spell out halves of characters (lone surrogates), which nothing could print or write."""
    return text.encode(errors="backslashreplace").decode()
