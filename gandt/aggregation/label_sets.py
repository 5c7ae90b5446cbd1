"""Sets of labels as codes: every distinct set is a code, every named label a column.

Reads `Answers` of kind "multi". An answer that means "no label applies" is the empty set and a full
vote; an answer that names nothing at all is no vote, since leaving a form blank looks the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from gandt.aggregation.encode import Encoded, encode
from gandt.aggregation.jobs import Joined, join_encoded, recode
from gandt.answers import Answers
from gandt.errors import AnswerError

__all__ = ["LabelSets", "encode_sets"]

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelSets:
    """Answers that are sets: `n` tasks, `w` workers, `k` labels, `u` distinct sets."""

    joined: Joined  # its classes are the sets, its label codes rows of `members`
    labels: tuple[str, ...]  # k
    members: npt.NDArray[np.bool_]  # (u, k)
    notes: tuple[str, ...]

    @property
    def data(self) -> Encoded:
        """The codes of all jobs."""
        return self.joined.data

    def votes(self) -> tuple[Integers, Integers]:
        """(v,) answer and (v,) label of each vote; an answer casts one per label of its set."""
        sizes = self.members.sum(axis=1)
        flat = np.nonzero(self.members)[1]
        first = np.cumsum(sizes) - sizes
        code = self.data.label
        number = sizes[code]
        answer = np.repeat(np.arange(len(code)), number)
        within = np.arange(len(answer)) - np.repeat(np.cumsum(number) - number, number)
        return answer, flat[first[code][answer] + within].astype(np.int64)


def encode_sets(
    answers: Answers,
    previous: Sequence[Answers] = (),
    *,
    merge: bool = False,
    classes: Sequence[str] | None = None,
    none_label: str,
    gold: Mapping[str, Iterable[str]] | None = None,
) -> LabelSets:
    """Number the sets, the labels in them, tasks and workers of all jobs.

    Parameters
    ----------
    answers, previous
        Of kind "multi".
    merge
        See `join_encoded`.
    classes
        The labels that count, in order; others are dropped from the sets. Without it, those that
        the answers declare come first and all others after them, sorted.
    none_label
        The answer that means the empty set.
    gold
        Known labels, which count as labels even where nobody named them.

    Raises
    ------
    AnswerError
        The answers are of another kind.
    """
    jobs = (answers, *previous)
    for job in jobs:
        if job.kind != "multi":
            raise AnswerError(f"these answers are of kind {job.kind!r}; this takes sets of labels.")
    position: dict[frozenset[str], int] = {}
    contradicting = empty = 0
    columns: list[list[str | None]] = []
    for job in jobs:
        column: list[str | None] = []
        for label in job.label:
            given = frozenset(map(str, cast("Iterable[str]", label)))
            named = given - {none_label}
            contradicting += bool(named) and named != given
            if classes is not None:
                allowed = named.intersection(classes)
                if named and not allowed and named == given:
                    given = frozenset()  # nothing of it counts
                named = allowed
            if not given:
                empty += 1
                column.append(None)
            else:
                column.append(str(position.setdefault(named, len(position))))
        columns.append(column)
    labels = _labels(jobs, classes, none_label, position, gold)
    encoded = [
        recode_all(job, column, len(position)) for job, column in zip(jobs, columns, strict=True)
    ]
    joined = join_encoded(encoded[0], encoded[1:], merge=merge)
    place = {name: code for code, name in enumerate(labels)}
    members = np.zeros((len(position), len(labels)), np.bool_)
    for names, row in position.items():
        members[row, [place[name] for name in names]] = True
    notes = []
    if empty:
        notes.append(
            f"{empty:,} answers name no label and were left out; {none_label!r} is the answer that "
            "means none."
        )
    if contradicting:
        notes.append(
            f"{contradicting:,} answers name labels and {none_label!r} too; the labels count."
        )
    later = sum(data.duplicates for data in encoded)
    if later:
        notes.append(f"{later:,} answers are a worker's second to a task and were left out.")
    if previous:
        used = "their answers count as well" if merge else "to rate workers by"
        number = sum(len(data.label) for data in encoded[1:])
        notes.append(f"{number:,} answers of {len(previous)} earlier jobs were used: {used}.")
    return LabelSets(joined, labels, members, tuple(notes))


def recode_all(job: Answers, column: Sequence[str | None], sets: int) -> Encoded:
    """Encode one job, its labels being numbers of sets."""
    table = {**job.columns(), "label": column}
    names = tuple(map(str, range(sets)))
    return recode(encode(table, classes=names, tasks=job.tasks or None), names)


def _labels(
    jobs: Sequence[Answers],
    classes: Sequence[str] | None,
    none_label: str,
    sets: Iterable[frozenset[str]],
    gold: Mapping[str, Iterable[str]] | None,
) -> tuple[str, ...]:
    if classes is not None:
        return tuple(dict.fromkeys(name for name in map(str, classes) if name != none_label))
    declared = dict.fromkeys(name for job in jobs for name in job.classes if name != none_label)
    seen = {name for names in sets for name in names}
    asked = {task for job in jobs for task in (*job.tasks, *job.task)}
    for task, names in (gold or {}).items():
        if task in asked:
            seen.update(name for name in names if name != none_label)
    return (*declared, *sorted(seen - set(declared)))
