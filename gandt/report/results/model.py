"""What a results report shows, free of where it was read: the nouns of this room.

`source` fills these from an output manifest or the folder of a round, `facts`
counts them, and the page and the PDF draw them. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from gandt.answers import Box, Kind, Span

__all__ = [
    "EMPTY_NAMES",
    "SOURCES",
    "SOURCE_WORDS",
    "Automatic",
    "ClassPromise",
    "Item",
    "MaskSource",
    "Measured",
    "Passed",
    "Reply",
    "Results",
    "Source",
    "WorkerRow",
]

Source = Literal["human", "machine", "gold", "unknown"]  # who gave the label
SOURCES: tuple[Source, ...] = get_args(Source)
SOURCE_WORDS: Mapping[str, str] = {
    "human": "human",
    "machine": "machine",
    "gold": "gold",
    "unknown": "not stated",
}

# What stands in place of a class where workers found nothing: an answer, not a failure.
EMPTY_NAMES: Mapping[str, str] = {
    "multi": "(no label)",
    "boxes": "(no box)",
    "spans": "(no span)",
    "mask": "(nothing marked)",
    "single": "(no label)",
}


@dataclass(frozen=True, slots=True)
class MaskSource:
    """Where the pixels of a mask are: a PNG with its colors, or run lengths.

    Kept unread, since a thousand masks of camera images would not fit into memory.
    """

    classes: tuple[str, ...]  # without the background
    uri: str | None = None
    color_map: Mapping[str, object] = field(default_factory=dict)  # as the label's metadata have it
    runs: Mapping[str, object] | None = None  # as `gandt.answers.Mask.as_json` writes them


@dataclass(frozen=True, slots=True)
class Item:
    """One labeled image or text."""

    number: int  # position in the source, from 0; names the item within a report
    task: str
    kind: Kind
    source: Source
    # Class and confidence of every annotation: one of a single label; one for each box and span.
    labels: tuple[tuple[str, float | None], ...]
    text: str | None = None  # of a text task; None for an image
    places: tuple[str, ...] = ()  # URIs where the image may be read, the likeliest first
    confidence: float | None = None  # of the item as a whole
    certain: bool | None = None
    votes: int | None = None
    agreement: float | None = None
    tied: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()
    spans: tuple[Span, ...] = ()
    mask: MaskSource | None = None
    image_size: tuple[int, int] | None = None  # (width, height) that the boxes refer to
    known: tuple[str, ...] | None = None  # the label that a gold table gives

    @property
    def classes(self) -> tuple[str, ...]:
        """The distinct classes of the item, in order; never empty."""
        found = tuple(dict.fromkeys(name for name, _ in self.labels))
        return found or (EMPTY_NAMES[self.kind],)

    @property
    def name(self) -> str:
        """The file name of an image; of a text its beginning."""
        if self.text is not None:
            return " ".join(self.text.split())[:60] or "(empty text)"
        return self.task.rstrip("/").rpartition("/")[2] or self.task


@dataclass(frozen=True, slots=True)
class Reply:
    """What one worker answered to one task."""

    worker: str
    labels: tuple[str, ...]
    boxes: tuple[Box, ...] = ()
    spans: tuple[Span, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """A task that has no label, and why."""

    task: str
    status: str  # "failed", "unlabeled" or another word for what happened
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """What is known of a worker."""

    worker: str
    answers: int
    accuracy: float | None
    low: float | None  # 95 % credible interval
    high: float | None
    gold_answers: int
    gold_accuracy: float | None
    reliable: bool | None
    flags: tuple[str, ...]
    median_seconds: float | None


@dataclass(frozen=True, slots=True)
class ClassPromise:
    """How the automatic labels of one class were proven."""

    name: str
    labels: int  # of the probe, before anybody checked them
    threshold: float | None  # probability from which on it is given; None: to nothing
    right: int  # of the cases; without a threshold of all that the probe took for the class
    cases: int
    reason: str  # why it is given to nothing; "" where it is


@dataclass(frozen=True, slots=True)
class Measured:
    """How many of some checked labels are right."""

    name: str  # the class that the machine gave; "" for all of them
    checked: int
    right: int
    low: float  # ends of the 95 % interval
    high: float


@dataclass(frozen=True, slots=True)
class Automatic:
    """What is promised of automatic labels, and what people found who checked some."""

    folder: str
    target: float | None  # share that is promised to be right; None where nothing is
    promise: str  # a sentence without its full stop; else why nothing is promised
    caution: tuple[str, ...]  # sentences
    classes: tuple[ClassPromise, ...]
    labeled: int  # images by people, from which it was learned
    copies: int
    rest: int  # images that are left to people
    sample: int  # images for people to check
    measured: tuple[Measured, ...] = ()  # all, then by class; nothing where nobody checked
    verdict: str = ""  # "kept", "open" or "refuted"
    said: tuple[str, ...] = ()  # sentences of what was measured, and what to do next


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was read of one job or round."""

    source: str  # URI of the manifest or the folder
    kind: Kind
    attribute: str
    items: tuple[Item, ...]
    passed: tuple[Passed, ...] = ()
    classes: tuple[str, ...] = ()  # in the order of the label categories, where they are known
    jobs: tuple[str, ...] = ()
    created: tuple[str, str] | None = None  # first and last, as they were written
    method: str | None = None
    alpha: float | None = None  # Krippendorff's
    class_alpha: Mapping[str, float] = field(default_factory=dict)  # this class against the others
    gold: Mapping[str, float] = field(default_factory=dict)  # as measured while aggregating
    workers: tuple[WorkerRow, ...] = ()
    replies: Mapping[str, Sequence[Reply]] = field(default_factory=dict)  # of disputed tasks
    # (label, answer) → how often a worker gave that answer where that is the label
    confusions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    answers: int | None = None
    oddities: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    automatic: Automatic | None = None  # of a folder of automatic labels
