"""Answers that are shapes (boxes, spans), as arrays.

Reads `gandt.answers.Answers` of this job, known answers (gold) and earlier jobs; what cannot be
used is left out, counted and said in a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gandt.aggregation.shapes.matching import Codes, Shapes
from gandt.aggregation.shapes.overlap import Floats
from gandt.answers import Answers, Kind
from gandt.errors import AnswerError, UsageError

__all__ = ["Corners", "Crowd", "Reader", "check_options", "collect", "order_of_classes"]

Corners = tuple[str, tuple[float, ...], tuple[float, ...]]  # label, low, size
Reader = Callable[[object], Corners | None]  # None for a shape of no size


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who answered which task with which shapes; `r` answers ordered by task, `m` shapes."""

    tasks: tuple[str, ...]  # those of this job, then those of earlier ones
    shown: int  # number of tasks of this job
    workers: tuple[str, ...]  # those of this job in order of appearance, then the others
    present: int  # number of workers of this job
    classes: tuple[str, ...]
    row_task: Codes  # (r,) ascending
    row_worker: Codes  # (r,)
    shapes: Shapes  # (m,)
    row: Codes  # (m,) the answer that a shape belongs to
    gold: dict[int, Shapes]  # by task; `worker` is -1
    notes: tuple[str, ...]

    @property
    def start(self) -> Codes:
        """(tasks + 1,): answers of task t are `start[t]:start[t + 1]`."""
        return np.searchsorted(self.row_task, np.arange(len(self.tasks) + 1))

    def only(self, tasks: Iterable[int]) -> Crowd:
        """The answers to some tasks, without what is known of them."""
        rows = np.isin(self.row_task, list(tasks))
        shapes = rows[self.row]
        return replace(
            self,
            row_task=self.row_task[rows],
            row_worker=self.row_worker[rows],
            shapes=self.shapes.take(shapes),
            row=(np.cumsum(rows) - 1)[self.row[shapes]],
            gold={},
        )


def check_options(min_confidence: float, min_answers: int, **shares: float) -> None:
    """Raise UsageError unless the shares are in [0, 1] and the number of answers is positive."""
    for name, value in {"min_confidence": min_confidence, **shares}.items():
        if not 0 <= value <= 1:
            raise UsageError(f"{name} is {value}: give a number from 0 to 1.")
    if min_answers < 1:
        raise UsageError(f"min_answers is {min_answers}: give a whole number from 1 on.")


def order_of_classes(known: Iterable[str], seen: Iterable[str]) -> tuple[str, ...]:
    """The categories in their order, then what was answered beside them, by name."""
    first = tuple(dict.fromkeys(known))
    return (*first, *sorted(set(seen) - set(first)))


def collect(
    answers: Answers,
    kind: Kind,
    read: Reader,
    dimensions: int,
    *,
    gold: Mapping[str, Sequence[object]] | None = None,
    previous: Answers | None = None,
) -> Crowd:
    """Turn answers into arrays.

    Parameters
    ----------
    read
        Gives label, lower corner and size of one shape; None if it has no size.
    gold
        The true shapes of some tasks; those that the answers carry if None.
    previous
        Answers of earlier jobs: their tasks rate workers and are not shown.

    Raises
    ------
    AnswerError
        Where answers of another kind are given, or a label is not a tuple of shapes.
    """
    for given in (answers, previous):
        if given is not None and given.kind != kind:
            raise AnswerError(
                f"These answers are of the kind {given.kind!r}, not {kind!r}: aggregate each kind "
                "by itself."
            )
    known: Mapping[str, object] = answers.gold if gold is None else gold
    tasks: dict[tuple[int, str], int] = {}
    for task in (*answers.tasks, *answers.task):
        tasks.setdefault((0, task), len(tasks))
    shown = len(tasks)
    workers: dict[str, int] = {}
    rows: dict[tuple[int, int], list[Corners]] = {}
    repeated = sizeless = 0
    present = 0
    for job, given in enumerate((answers, previous)):
        if given is None:
            continue
        for task, worker, label in zip(given.task, given.worker, given.label, strict=True):
            place = tasks.setdefault((job, task), len(tasks))
            key = place, workers.setdefault(worker, len(workers))
            if key in rows:
                repeated += 1
                continue
            parts = [read(part) for part in _parts(label, task, worker)]
            rows[key] = [part for part in parts if part is not None]
            sizeless += len(parts) - len(rows[key])
        present = present or len(workers)
    truths = {
        tasks[0, task]: [read(part) for part in _parts(label, task, "the known answer")]
        for task, label in known.items()
        if (0, task) in tasks
    }
    true_parts = {task: [part for part in parts if part] for task, parts in truths.items()}
    drawn = (parts for group in (rows, true_parts) for parts in group.values())
    classes = order_of_classes(answers.classes, (part[0] for parts in drawn for part in parts))
    codes = {name: code for code, name in enumerate(classes)}
    keys = sorted(rows)
    flat = [(task, worker, part) for task, worker in keys for part in rows[task, worker]]
    notes = []
    if repeated:
        notes.append(
            f"{_count(repeated, 'answer')} left out: a worker's first answer to a task counts."
        )
    if sizeless:
        notes.append(f"{_count(sizeless, 'shape')} left out: no size, or no place to be drawn at.")
    strange = sum((0, task) not in tasks for task in known)
    if strange:
        notes.append(
            f"{_count(strange, 'known answer')} left out: nobody was asked about the task."
        )
    return Crowd(
        tasks=tuple(task for _, task in tasks),
        shown=shown,
        workers=tuple(workers),
        present=present,
        classes=classes,
        row_task=np.array([task for task, _ in keys], np.int64),
        row_worker=np.array([worker for _, worker in keys], np.int64),
        shapes=_shapes(flat, codes, dimensions),
        row=np.repeat(np.arange(len(keys)), [len(rows[key]) for key in keys]),
        gold={
            task: _shapes([(task, -1, part) for part in parts], codes, dimensions)
            for task, parts in sorted(true_parts.items())
        },
        notes=tuple(notes),
    )


def _shapes(flat: list[tuple[int, int, Corners]], codes: dict[str, int], dimensions: int) -> Shapes:
    def corners(side: int) -> Floats:
        values = [part[side] for _, _, part in flat]
        return np.array(values, np.float64).reshape(len(flat), dimensions)

    return Shapes(
        np.array([task for task, _, _ in flat], np.int64),
        np.array([worker for _, worker, _ in flat], np.int64),
        np.array([codes[part[0]] for _, _, part in flat], np.int64),
        corners(1),
        corners(2),
    )


def _parts(label: object, task: str, who: str) -> Iterable[object]:
    if isinstance(label, (tuple, list)):
        return label
    raise AnswerError(
        f"The answer of {who} to {task} is {type(label).__name__}, not a tuple of shapes: read it "
        "with the reader of its kind."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun} is" if number == 1 else f"{number:,} {noun}s are"
