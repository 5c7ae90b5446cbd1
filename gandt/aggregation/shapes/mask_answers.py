"""Answers that are masks, as votes: one list of classes, one size per image, patterns of votes.

Most pixels of an image are given the same class by everybody. The others have few different
patterns of votes, so that an image is kept as its patterns and how often each occurs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gandt.aggregation.shapes.answers import order_of_classes
from gandt.aggregation.shapes.matching import Codes
from gandt.answers import BACKGROUND, Answers, Mask
from gandt.errors import AnswerError

__all__ = ["Layout", "MaskCrowd", "MaskTask", "Votes", "collect_masks", "recoded", "votes_of"]

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class MaskTask:
    """The masks of one image, all of one size; `v` workers."""

    name: str
    workers: Codes  # (v,)
    masks: tuple[Mask, ...]  # (v,)
    gold: Mask | None
    shown: bool  # False for tasks of earlier jobs


@dataclass(frozen=True, slots=True)
class MaskCrowd:
    """Who painted what."""

    tasks: tuple[MaskTask, ...]
    workers: tuple[str, ...]  # those of this job in order of appearance, then the others
    present: int  # number of workers of this job
    classes: tuple[str, ...]  # BACKGROUND first
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Votes:
    """The votes of one image: what all agree on, and the `p` patterns where they do not."""

    patterns: Pixels  # (p, v)
    counts: Codes  # (p,) pixels
    truth: Codes  # (p,) known class, -1 where it is not known
    agreed: Codes  # (k,) pixels of each class on which all agree, with the known class too
    known: bool  # whether the truth is known

    @property
    def comparable(self) -> bool:
        """Whether there is anything to compare a worker with."""
        return self.known or self.patterns.shape[1] > 1

    @property
    def pixels(self) -> int:
        """Number of pixels of the image."""
        return int(self.counts.sum() + self.agreed.sum())


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the patterns of an image lie; `d` disputed pixels."""

    first: Pixels  # (h, w) classes that the first worker gave
    disputed: npt.NDArray[np.bool_]  # (h, w)
    pattern: Codes  # (d,) of each disputed pixel, in the order of `numpy.flatnonzero`


def collect_masks(
    answers: Answers, *, gold: Mapping[str, Mask] | None, previous: Answers | None
) -> MaskCrowd:
    """Bring the answers to one list of classes and one size per image.

    Raises
    ------
    AnswerError
        Where answers are of another kind, a label is no mask, or there are over 256 classes.
    """
    for given in (answers, previous):
        if given is not None and given.kind != "mask":
            raise AnswerError(
                f"These answers are of the kind {given.kind!r}, not 'mask': aggregate each kind by "
                "itself."
            )
    known: Mapping[str, object] = answers.gold if gold is None else gold
    workers: dict[str, int] = {}
    rows: dict[tuple[int, str], dict[int, Mask]] = {(0, task): {} for task in answers.tasks}
    repeated = present = 0
    for job, given in enumerate((answers, previous)):
        if given is None:
            continue
        for task, worker, label in zip(given.task, given.worker, given.label, strict=True):
            mine = rows.setdefault((job, task), {})
            code = workers.setdefault(worker, len(workers))
            repeated += code in mine
            mine.setdefault(code, _mask(label, task, worker))
        present = present or len(workers)
    truths = {
        task: _mask(label, task, "the known answer")
        for task, label in known.items()
        if (0, task) in rows
    }
    every = [mask for masks in rows.values() for mask in masks.values()] + list(truths.values())
    classes = order_of_classes(
        (BACKGROUND, *answers.classes), (name for mask in every for name in mask.classes)
    )
    if len(classes) > 256:
        raise AnswerError(
            f"The masks have {len(classes)} classes, and 256 fit into one: aggregate fewer at once."
        )
    notes = []
    if repeated:
        notes.append(
            f"{repeated:,} answers are left out: a worker's first answer to a task counts."
        )
    tasks = []
    for (job, task), masks in rows.items():
        truth = truths.get(task) if job == 0 else None
        size, odd = _size(masks, truth)
        if odd:
            notes.append(
                f"{task}: {odd} of {len(masks)} masks are left out, they are not of its usual size "
                f"of {size[1]} x {size[0]} pixels."
            )
        fitting = {w: mask for w, mask in sorted(masks.items()) if mask.pixels.shape == size}
        tasks.append(
            MaskTask(
                task,
                np.array(list(fitting), np.int64),
                tuple(fitting.values()),
                truth,
                job == 0,
            )
        )
    strange = sum((0, task) not in rows for task in known)
    if strange:
        notes.append(f"{strange} known masks are left out: nobody was asked about their images.")
    return MaskCrowd(tuple(tasks), tuple(workers), present, classes, tuple(notes))


def _mask(label: object, task: str, who: str) -> Mask:
    if not isinstance(label, Mask):
        raise AnswerError(
            f"The answer of {who} to {task} is {type(label).__name__}, not a Mask: read it with "
            "the reader of its kind."
        )
    if label.pixels.ndim != 2 or label.pixels.size == 0:
        raise AnswerError(
            f"The mask of {who} for {task} has the shape {label.pixels.shape}: give one class per "
            "pixel, (height, width)."
        )
    if int(label.pixels.max()) >= len(label.classes):
        raise AnswerError(
            f"The mask of {who} for {task} has pixels of class {int(label.pixels.max())} and only "
            f"{len(label.classes)} classes: name them all."
        )
    return label


def _size(masks: Mapping[int, Mask], truth: Mask | None) -> tuple[tuple[int, ...], int]:
    """The size that counts (the known mask's, or the most frequent, then the largest)."""
    sizes = Counter(mask.pixels.shape for mask in masks.values())
    if truth is not None:
        size: tuple[int, ...] = truth.pixels.shape
    elif sizes:
        size = max(sizes, key=lambda one: (sizes[one], one[0] * one[1], one))
    else:
        return (0, 0), 0
    return size, len(masks) - sizes[size]


def votes_of(task: MaskTask, classes: tuple[str, ...]) -> tuple[Votes, Layout]:
    """Compress the votes of an image with at least one answer."""
    codes = {name: code for code, name in enumerate(classes)}
    layers = [recoded(mask, codes) for mask in task.masks]
    if task.gold is not None:
        layers.append(recoded(task.gold, codes))
    first = layers[0]
    disputed = np.zeros(first.shape, np.bool_)
    for layer in layers[1:]:
        disputed |= layer != first
    columns = [layer[disputed] for layer in layers]
    keys = np.zeros(len(columns[0]), np.int64)
    span = 1
    for column in columns:
        if span > 2**62 // len(classes):
            keys = np.unique(keys, return_inverse=True)[1].ravel().astype(np.int64)
            span = int(keys.max(initial=0)) + 1
        keys = keys * len(classes) + column
        span *= len(classes)
    _, place, pattern, counts = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    patterns = np.stack([column[place] for column in columns], axis=1)
    truth = np.full(len(place), -1, np.int64)
    if task.gold is not None:
        truth = patterns[:, -1].astype(np.int64)
        patterns = patterns[:, :-1]
    votes = Votes(
        patterns,
        counts.astype(np.int64),
        truth,
        np.bincount(first[~disputed], minlength=len(classes)),
        task.gold is not None,
    )
    return votes, Layout(first, disputed, pattern.ravel().astype(np.int64))


def recoded(mask: Mask, codes: Mapping[str, int]) -> Pixels:
    """Classes of pixels by the common codes, `(h, w)`."""
    table = np.array([codes[name] for name in mask.classes], np.uint8)
    return np.asarray(table[mask.pixels])
