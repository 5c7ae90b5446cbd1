"""The nouns of labeling: what workers answered, in one shape for every kind of question.

One row per worker and task. Readers (`groundtruth`, `tables`) make these tables, `aggregation`
takes them; the column names are those of crowd-kit, so that its users find their way. Standard
library and numpy only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "BACKGROUND",
    "KINDS",
    "Answers",
    "Box",
    "Kind",
    "Label",
    "Mask",
    "Oddity",
    "Span",
]

# One label; any number of labels; boxes around things; spans of a text; a class for every pixel.
Kind = Literal["single", "multi", "boxes", "spans", "mask"]
KINDS: tuple[Kind, ...] = get_args(Kind)
BACKGROUND = "BACKGROUND"  # the class of pixels that belong to no class, as Ground Truth names it


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle around one thing; pixels, origin at the top left, fractions allowed."""

    label: str
    left: float
    top: float
    width: float
    height: float
    confidence: float | None = None  # of an aggregated box; None in a worker's answer

    def as_json(self) -> dict[str, object]:
        """The keys that Ground Truth's workers send, and `confidence` where it is known."""
        record: dict[str, object] = {
            "label": self.label,
            "left": self.left,
            "top": self.top,
            "width": self.width,
            "height": self.height,
        }
        return record if self.confidence is None else {**record, "confidence": self.confidence}


@dataclass(frozen=True, slots=True)
class Span:
    """A named piece of a text, in characters: `text[start:end]`."""

    label: str
    start: int
    end: int  # exclusive
    confidence: float | None = None

    def as_json(self) -> dict[str, object]:
        """The keys that Ground Truth's workers send, and `confidence` where it is known."""
        record: dict[str, object] = {
            "label": self.label,
            "startOffset": self.start,
            "endOffset": self.end,
        }
        return record if self.confidence is None else {**record, "confidence": self.confidence}


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A class for every pixel of an image."""

    pixels: npt.NDArray[np.uint8]  # (height, width) positions in `classes`
    classes: tuple[str, ...]  # `BACKGROUND` first
    confidence: float | None = None  # mean over pixels; None in a worker's answer

    def as_json(self) -> dict[str, object]:
        """`size` [height, width], and run-length `counts` of each class, by columns (COCO)."""
        from gandt.rle import encode

        height, width = self.pixels.shape
        classes = {
            name: encode(self.pixels == index)
            for index, name in enumerate(self.classes)
            if index and (self.pixels == index).any()
        }
        return {"size": [height, width], "classes": list(self.classes), "counts": classes}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return (
            self.classes == other.classes
            and self.confidence == other.confidence
            and np.array_equal(self.pixels, other.pixels)
        )

    def __hash__(self) -> int:
        return hash((self.classes, self.pixels.shape, self.pixels.tobytes()))


Label = str | tuple[str, ...] | tuple[Box, ...] | tuple[Span, ...] | Mask


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that was read but does not count as it stands, and why."""

    kind: str  # e.g. "duplicate", "empty", "unknown label", "unreadable", "failed"
    where: str  # URI of the file, with the line where there is one
    reason: str  # a sentence: which task or worker, and what was done about it


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of one kind, in columns of equal length; at most one row per worker and task."""

    kind: Kind
    task: Sequence[str]  # image URI, text or id
    worker: Sequence[str]
    label: Sequence[Label]  # str; or a tuple of str, Box or Span, perhaps empty; or Mask: by kind
    job: Sequence[str | None] = ()  # empty where nothing is known
    submitted_at: Sequence[str | None] = ()  # ISO 8601, UTC, as it was written
    seconds_spent: Sequence[float | None] = ()  # active time on the task
    decides: Sequence[bool] = ()  # whether it is a reviewer's, which settles its task
    tasks: Sequence[str] = ()  # every task that was asked about, in order; answered or not
    classes: tuple[str, ...] = ()  # in the order of the label categories, where they are known
    gold: dict[str, Label] = field(default_factory=dict)  # planted known answers, by task
    # Labels that the job gave by itself to tasks without answers (automated labeling), each with
    # the confidence that it states, in (0, 1].
    machine: dict[str, tuple[Label, float]] = field(default_factory=dict)
    # What the job's manifest says of a task (pass-through keys too); an image of a tiled task has
    # a line of its own here, with its `source-ref`. Empty where no manifest was found.
    lines: dict[str, dict[str, object]] = field(default_factory=dict)
    image_sizes: dict[str, tuple[int, int]] = field(default_factory=dict)  # width, height by task
    oddities: tuple[Oddity, ...] = ()

    def __len__(self) -> int:
        return len(self.task)

    def columns(self) -> dict[str, Sequence[object]]:
        """The answers table: `task`, `worker`, `label`, and the optional columns that are known."""
        table: dict[str, Sequence[object]] = {
            "task": self.task,
            "worker": self.worker,
            "label": self.label,
        }
        for name in ("job", "submitted_at", "seconds_spent"):
            if len(getattr(self, name)):
                table[name] = getattr(self, name)
        if any(self.decides):
            table["decides"] = self.decides
        return table

    def to_arrow(self) -> pa.Table:
        """The answers table; boxes and spans are lists of structs, masks run-length JSON."""
        import pyarrow as pa

        table = self.columns()
        if self.kind in ("boxes", "spans"):
            table["label"] = [[part.as_json() for part in row] for row in self.label]  # type: ignore[union-attr]
        elif self.kind == "mask":
            table["label"] = [json.dumps(mask.as_json()) for mask in self.label]  # type: ignore[union-attr]
        return pa.table({name: pa.array(list(column)) for name, column in table.items()})

    def to_pandas(self) -> pd.DataFrame:
        """The table of `to_arrow` as a DataFrame; needs pandas."""
        return self.to_arrow().to_pandas()
