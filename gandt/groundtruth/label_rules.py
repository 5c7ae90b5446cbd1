"""What the labels of an augmented manifest must look like: rules for each pair of keys in a line.

A pair is `<attribute>` with `<attribute>-metadata`, as a finished job adds it to each line. Adds to
a `FindingLog` and counts labels; `label_shapes` knows the rules for each kind of label. The shapes
are those of the SageMaker developer guide, "Output Data", read as tolerantly as real files demand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gandt.groundtruth.findings import FindingLog, LabelNotes
from gandt.groundtruth.json_lines import SOURCE, SOURCE_REF
from gandt.groundtruth.label_names import MASK, METADATA, is_attribute, label_attributes
from gandt.groundtruth.label_shapes import FoundClass, brief, check_shape
from gandt.groundtruth.output_values import label_type

__all__ = ["LabelCheck"]

_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")


@dataclass(slots=True)
class LabelCheck:
    """The labels of a manifest, checked line by line and counted."""

    log: FindingLog
    classes: dict[str, Counter[str]] = field(default_factory=dict)  # by attribute, by class
    labeled: Counter[str] = field(default_factory=Counter)  # lines with a label, by attribute
    failed: Counter[str] = field(default_factory=Counter)  # lines that the job failed on
    # By attribute: a class by its index and an index by its class, with the line of the first.
    _first: dict[tuple[str, str, str], tuple[str, int]] = field(default_factory=dict)
    _bare: dict[str, list[int]] = field(default_factory=dict)  # key → first line, number of lines

    def line(self, number: int, record: Mapping[str, object]) -> None:
        """Check and count every label of a line."""
        notes = LabelNotes(self.log, number)
        found = label_attributes(record)
        for key, value in record.items():
            if key.endswith(METADATA) and key.removesuffix(METADATA) not in found:
                self._foreign(notes, record, key, value)
            elif f"{key}{METADATA}" not in record:
                self._bare.setdefault(key, [number, 0])[1] += 1
        for name, metadata in found.items():
            self._name(notes, name, metadata)
            if "failure-reason" in metadata:
                self.failed[name] += 1
            elif name not in record:
                notes.error(
                    f"{name}{METADATA}", f"the label {name!r} itself is missing", "restore it"
                )
            else:
                self.labeled[name] += 1
                classes = check_shape(notes, name, record[name], metadata, record.get(SOURCE))
                self._count(notes, name, classes)
                _check_common(notes, f"{name}{METADATA}", metadata)

    def finish(self) -> None:
        """Report what only the whole file shows: labels that lack their metadata."""
        for name in sorted({*self.labeled, *self.failed}):
            if name in self._bare:
                number, count = self._bare[name]
                lines = f" ({count:,} lines are like that)" if count > 1 else ""
                LabelNotes(self.log, number).error(
                    name,
                    f"the label has no {name}{METADATA} beside it{lines}",
                    "restore it, or take the label out",
                )

    def _foreign(
        self, notes: LabelNotes, record: Mapping[str, object], key: str, value: object
    ) -> None:
        name = key.removesuffix(METADATA)
        if name not in record or name in (SOURCE, SOURCE_REF):
            return
        reason = (
            "has no `type` that begins with groundtruth/"
            if isinstance(value, dict)
            else "is not an object"
        )
        notes.warning(
            key,
            f"it looks like the metadata of the label {name!r} but {reason}",
            "repair it if it is a label; other keys may stay",
            code="metadata",
        )

    def _name(self, notes: LabelNotes, name: str, metadata: Mapping[str, object]) -> None:
        if not is_attribute(name):
            notes.warning(
                name,
                "no labeling job could have this label attribute name",
                "use at most 127 letters, digits and single hyphens",
                code="attribute-name",
            )
        elif label_type(metadata).endswith("semantic-segmentation") and not name.endswith(MASK):
            notes.warning(
                name,
                f"the label attribute of masks does not end in {MASK}",
                f"rename it and its metadata to {name}{MASK} for a job that goes on from it",
                code="attribute-name",
            )

    def _count(self, notes: LabelNotes, name: str, classes: Iterable[FoundClass]) -> None:
        """Count classes, and see that each has one index throughout the file."""
        counts = self.classes.setdefault(name, Counter())
        for index, class_name in classes:
            counts[class_name] += 1
            if index is None:
                continue
            first, line = self._first.setdefault((name, "class", index), (class_name, notes.line))
            other, there = self._first.setdefault((name, "index", class_name), (index, notes.line))
            if first != class_name:
                message = f"class {index} is {class_name!r} here and {first!r} on line {line}"
            elif other != index:
                message = f"{class_name!r} is class {index} here and {other} on line {there}"
            else:
                continue
            notes.warning(
                name, message, "number the classes in one way throughout", code="class-index"
            )


def _check_common(notes: LabelNotes, key: str, metadata: Mapping[str, object]) -> None:
    who = metadata.get("human-annotated")
    if str(who).lower() not in ("yes", "no", "true", "false"):
        notes.error(
            f"{key}.human-annotated", f"{brief(who)} says neither yes nor no", "write yes or no"
        )
    # The guide prints the metadata of custom jobs with underscores.
    custom = label_type(metadata) == "groundtruth/custom"
    date = metadata.get("creation-date", metadata.get("creation_date") if custom else None)
    if not isinstance(date, str) or not _DATE.fullmatch(date):
        notes.error(
            f"{key}.creation-date",
            f"{brief(date)} is no date",
            "write it as 2024-03-05T10:05:00.120431 (UTC)",
        )
