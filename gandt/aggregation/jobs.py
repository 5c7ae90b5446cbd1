"""Answers of several jobs as one problem: workers are the same people, tasks are not the same.

What a worker did in earlier jobs tells how far to trust that worker now. So the jobs are solved
together: workers are one by name, and a task of an earlier job stays a task of its own even where
it shows the same image, unless the votes are to be merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gandt.aggregation.encode import Encoded
from gandt.answers import Answers, Label

__all__ = ["Joined", "join_answers", "join_encoded", "recode"]


@dataclass(frozen=True, slots=True)
class Joined:
    """Answers of all jobs, and which part of them is to be shown."""

    data: Encoded  # tasks of this job first, workers of this job first
    tasks: int  # the first ones are shown
    workers: int  # the first ones are shown


def recode(data: Encoded, classes: tuple[str, ...]) -> Encoded:
    """The same answers with codes of other classes, among which theirs must be."""
    if classes == data.classes:
        return data
    place = {name: code for code, name in enumerate(classes)}
    codes = np.array([place[name] for name in data.classes], np.int32)
    return replace(data, classes=classes, label=codes[data.label])


def join_encoded(current: Encoded, previous: Sequence[Encoded], *, merge: bool) -> Joined:
    """Solve this job and earlier ones together.

    Parameters
    ----------
    current, previous
        Codes of the same classes; earlier jobs in their order.
    merge
        The answers to a task of the same name count together, of each worker the first one (an
        earlier job comes first), and the tasks and workers of earlier jobs are shown too.
        Otherwise each job has tasks of its own, and only those of this job are shown.
    """
    if not previous:
        return Joined(current, len(current.tasks), len(current.workers))
    jobs = (current, *previous)
    workers, to_worker = _unite([job.workers for job in jobs])
    if merge:
        tasks, to_task = _unite([job.tasks for job in jobs])
    else:
        ends = np.cumsum([len(job.tasks) for job in jobs])
        to_task = [
            np.arange(end - len(job.tasks), end) for job, end in zip(jobs, ends, strict=True)
        ]
        tasks = np.concatenate([job.tasks for job in jobs])
    # Earlier jobs in front, so that a stable sort leaves their answers before this job's.
    order = [*range(1, len(jobs)), 0]
    task = np.concatenate([to_task[place][jobs[place].task] for place in order])
    worker = np.concatenate([to_worker[place][jobs[place].worker] for place in order])
    label = np.concatenate([jobs[place].label for place in order])
    seconds = _seconds([jobs[place] for place in order])
    key = task * max(1, len(workers)) + worker
    rows = np.argsort(key, kind="stable")
    key = key[rows]
    first = np.ones(len(rows), np.bool_)
    first[1:] = key[1:] != key[:-1]
    rows = rows[first]
    start = np.zeros(len(tasks) + 1, np.int64)
    np.cumsum(np.bincount(task[rows], minlength=len(tasks)), out=start[1:])
    joined = Encoded(
        tasks,
        workers,
        current.classes,
        start,
        worker[rows].astype(np.int32),
        label[rows],
        None if seconds is None else seconds[rows],
        duplicates=sum(job.duplicates for job in jobs) + int((~first).sum()),
        empty=sum(job.empty for job in jobs),
        unknown=sum(job.unknown for job in jobs),
    )
    if merge:
        return Joined(joined, len(tasks), len(workers))
    return Joined(joined, len(current.tasks), len(current.workers))


def join_answers(
    current: Answers, previous: Sequence[Answers], *, merge: bool
) -> tuple[Answers, Answers | None]:
    """The same for answers that are no single labels: those to show, and those to rate by.

    Without `merge`, tasks of several earlier jobs get the number of their job in front, so that
    they stay apart.
    """
    if not previous:
        return current, None
    if not merge:
        return current, _concatenate(
            [
                replace(
                    job,
                    task=[f"{number} {name}" for name in job.task],
                    tasks=[f"{number} {name}" for name in job.tasks],
                    gold={f"{number} {name}": label for name, label in job.gold.items()},
                )
                for number, job in enumerate(previous)
            ]
        )
    merged = _concatenate([*previous, current])
    tasks = dict.fromkeys(name for job in (current, *previous) for name in (*job.tasks, *job.task))
    gold: dict[str, Label] = {}
    for job in (*previous, current):
        gold |= job.gold
    classes = dict.fromkeys(name for job in (current, *previous) for name in job.classes)
    return replace(merged, tasks=tuple(tasks), gold=gold, classes=tuple(classes)), None


def _concatenate(jobs: Sequence[Answers]) -> Answers:
    """One after the other; the first answer of a worker to a task is kept."""
    seen: set[tuple[str, str]] = set()
    rows: list[tuple[Answers, int]] = []
    for job in jobs:
        for row, key in enumerate(zip(job.task, job.worker, strict=True)):
            if key not in seen:
                seen.add(key)
                rows.append((job, row))

    def column(name: str) -> list[object]:
        return [getattr(job, name)[row] if len(getattr(job, name)) else None for job, row in rows]

    optional = {
        name: column(name)
        for name in ("job", "submitted_at", "seconds_spent")
        if any(len(getattr(job, name)) for job in jobs)
    }
    return Answers(
        jobs[0].kind,
        [job.task[row] for job, row in rows],
        [job.worker[row] for job, row in rows],
        [job.label[row] for job, row in rows],
        **optional,  # type: ignore[arg-type]
        tasks=[name for job in jobs for name in job.tasks],
        classes=tuple(dict.fromkeys(name for job in jobs for name in job.classes)),
        gold={name: label for job in jobs for name, label in job.gold.items()},
        lines={name: line for job in jobs for name, line in job.lines.items()},
        image_sizes={name: size for job in jobs for name, size in job.image_sizes.items()},
        oddities=tuple(oddity for job in jobs for oddity in job.oddities),
    )


def _unite(
    names: Sequence[npt.NDArray[np.object_]],
) -> tuple[npt.NDArray[np.object_], list[npt.NDArray[np.int64]]]:
    """All names in order of appearance, and for each list the places of its own."""
    place: dict[str, int] = {}
    codes = [
        np.array([place.setdefault(name, len(place)) for name in some], np.int64) for some in names
    ]
    united = np.empty(len(place), object)
    united[:] = list(place)
    return united, codes


def _seconds(jobs: Sequence[Encoded]) -> npt.NDArray[np.float64] | None:
    if all(job.seconds is None for job in jobs):
        return None
    return np.concatenate(
        [np.full(len(job.label), np.nan) if job.seconds is None else job.seconds for job in jobs]
    )
