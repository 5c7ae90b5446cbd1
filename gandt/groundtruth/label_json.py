"""One label as Ground Truth writes it: `<attribute>` and `<attribute>-metadata`.

Pure functions, the counterpart of `output_values`. Keys, their order and the rounding are those of
the SageMaker developer guide ("Output Data") and of files that jobs wrote: a class is its place in
the label categories, maps list only the classes that occur, with texts for keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Literal

from gandt.answers import Box, Kind, Label, Mask, Span
from gandt.errors import UsageError
from gandt.groundtruth.output_values import MIN_CONFIDENCE

__all__ = ["LabelWriter", "LabeledTask"]

_CLASSIFIED = {"single": "classification", "multi": "classification-multilabel"}
_TYPES = {"boxes": "object-detection", "spans": "text-span", "mask": "semantic-segmentation"}
_TWO, _FIVE = 2, 5  # decimals: of classes, boxes and spans; of masks


@dataclass(frozen=True, slots=True)
class LabeledTask:
    """One row of a labels table."""

    task: str  # the image's name in the pool, or the text
    label: Label | None  # None where nobody answered
    confidence: float | None  # [0, 1]; None or NaN where unknown
    # Of "multi": how likely each class is that somebody chose; may be empty.
    confidences: Mapping[str, float] = field(default_factory=dict)
    source: Literal["human", "machine", "gold"] = "human"
    votes: int = 0  # answers behind it; the manifest has no place for them


class LabelWriter:
    """Writes the labels of one job.

    Parameters
    ----------
    classes
        The label categories, in their order; of masks the mask itself knows its classes.
    created
        A time without a zone is UTC.
    """

    def __init__(
        self, kind: Kind, classes: Sequence[str], *, job_name: str, created: datetime
    ) -> None:
        self.kind = kind
        self.classes = {name: position for position, name in enumerate(classes)}
        self.job_name = job_name
        if created.tzinfo is not None:
            created = created.astimezone(timezone.utc).replace(tzinfo=None)
        self.created = created.isoformat(timespec="microseconds")

    def common(self, row: LabeledTask, *, text: bool) -> dict[str, object]:
        """Give the metadata that labels of all kinds have."""
        kind = _TYPES.get(self.kind)
        if kind is None:
            kind = f"{'text' if text else 'image'}-{_CLASSIFIED[self.kind]}"
        return {
            "job-name": f"labeling-job/{self.job_name.lower()}",
            "human-annotated": "no" if row.source == "machine" else "yes",
            "creation-date": self.created,
            "type": f"groundtruth/{kind}",
        }

    def single(self, row: LabeledTask) -> tuple[int, dict[str, object]]:
        """Write one class."""
        if not isinstance(row.label, str):
            raise _misfit(row, "one class")
        index = self._index(row, row.label)
        return index, {"confidence": _rounded(row.confidence, _TWO), "class-name": row.label}

    def multi(self, row: LabeledTask) -> tuple[list[int], dict[str, object]]:
        """Write all classes that somebody chose, the likeliest first.

        Readers take those from a confidence of 0.5 on, so none is rounded across that.
        """
        names = [name for name in _parts(row) if isinstance(name, str)]
        if isinstance(row.label, str) or len(names) != len(_parts(row)):
            raise _misfit(row, "a tuple of classes")
        # A class of the label of which nothing is said is at least as likely as all of the label;
        # where nothing is known at all, zeros say that every class counts.
        confidences = dict.fromkeys(names, _known(row.confidence))
        confidences |= {name: _known(value) for name, value in row.confidences.items()}
        listed = {
            name: _across(confidence, _rounded(confidence, _TWO))
            for name, confidence in confidences.items()
            if confidence or name in names
        }
        order = sorted(listed, key=lambda name: (-listed[name], self._index(row, name)))
        indexes = [self._index(row, name) for name in order]
        return indexes, {
            "confidence-map": {str(self.classes[name]): listed[name] for name in order},
            "class-map": {str(self.classes[name]): name for name in order},
        }

    def boxes(
        self, row: LabeledTask, size: tuple[int, int] | None, known: object = None
    ) -> tuple[dict[str, object], dict[str, object]]:
        """Write boxes in pixels.

        Parameters
        ----------
        size
            Width and height of the image.
        known
            The `image_size` of an earlier label of the line, taken where there is no `size`.
            Where both are unknown the list of sizes is empty.
        """
        boxes = [box for box in _parts(row) if isinstance(box, Box)]
        if len(boxes) != len(_parts(row)):
            raise _misfit(row, "a tuple of boxes")
        indexes = [self._index(row, box.label) for box in boxes]
        here = [] if size is None else [{"width": size[0], "height": size[1], "depth": 3}]
        label: dict[str, object] = {
            "image_size": here or (known if isinstance(known, list) else []),
            "annotations": [
                {
                    "class_id": index,
                    "left": _plain(box.left),
                    "top": _plain(box.top),
                    "width": _plain(box.width),
                    "height": _plain(box.height),
                }
                for index, box in zip(indexes, boxes, strict=True)
            ],
        }
        names = {index: box.label for index, box in zip(indexes, boxes, strict=True)}
        return label, {
            "objects": [{"confidence": _rounded(box.confidence, _TWO)} for box in boxes],
            "class-map": {str(index): names[index] for index in sorted(names)},
        }

    def spans(self, row: LabeledTask) -> tuple[dict[str, object], dict[str, object]]:
        """Write spans of a text, in characters."""
        spans = [span for span in _parts(row) if isinstance(span, Span)]
        if len(spans) != len(_parts(row)):
            raise _misfit(row, "a tuple of spans")
        for span in spans:
            self._index(row, span.label)
        entities = [
            {"label": span.label, "startOffset": int(span.start), "endOffset": int(span.end)}
            for span in spans
        ]
        labels = [{"label": name} for name in self.classes]
        return {"annotations": {"labels": labels, "entities": entities}}, {
            "entities": [{"confidence": _rounded(span.confidence, _TWO)} for span in spans]
        }

    def mask(
        self, row: LabeledTask, uri: str, colors: Mapping[str, Mapping[str, object]]
    ) -> tuple[str, dict[str, object]]:
        """Write where a mask lies and what its colors mean; one confidence for all of it."""
        known = row.label.confidence if isinstance(row.label, Mask) else None
        confidence = _rounded(row.confidence if known is None else known, _FIVE)
        return uri, {
            "internal-color-map": {
                index: {**entry, "confidence": confidence} for index, entry in colors.items()
            }
        }

    def _index(self, row: LabeledTask, name: str) -> int:
        index = self.classes.get(name)
        if index is None:
            raise UsageError(
                f"The task {row.task[:200]!r} has the label {name!r}, which is none of the "
                f"{len(self.classes)} classes: list all classes, in the order of their numbers."
            )
        return index


def _parts(row: LabeledTask) -> Sequence[object]:
    return row.label if isinstance(row.label, tuple) else (row.label,)


def _misfit(row: LabeledTask, wanted: str) -> UsageError:
    return UsageError(
        f"The label of the task {row.task[:200]!r} is not {wanted} "
        f"(a {type(row.label).__name__}): write each kind of label to its own manifest."
    )


def _known(value: float | None) -> float:
    """Give a confidence as Ground Truth does, which writes 0 where it has none to tell."""
    return 0.0 if value is None or math.isnan(value) else float(value)


def _rounded(value: float | None, decimals: int) -> float | int:
    """Round, but neither doubt away to 1 nor a small chance to 0, which means "unknown"."""
    known = _known(value)
    if known <= 0 or known >= 1:
        return int(known >= 1)
    step = 10.0**-decimals
    return round(min(max(known, step), 1 - step), decimals)


def _plain(value: float) -> float | int:
    """Give a number that JSON can write, whatever array it came out of."""
    return value if isinstance(value, int) else float(value)


def _across(confidence: float, rounded: float) -> float:
    if confidence < MIN_CONFIDENCE <= rounded:
        return MIN_CONFIDENCE - 0.01
    return rounded
