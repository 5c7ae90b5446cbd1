"""Votes as they come in, and the one table that they become.

The box takes answers of any kind from any source, notes what is odd, and knows what was asked. At
the end it settles on one kind, keeps the first answer of each worker to each task, and compares
with what was asked. Names are stored once, rows as numbers, so that ten million answers fit into
memory. Nothing is read or written.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from gandt.answers import Answers, Kind, Label, Mask, Oddity
from gandt.errors import AnswerError
from gandt.groundtruth.answer_content import SeveralFields
from gandt.groundtruth.answer_kinds import NOTHING, VoteShape, fit, settle_kind
from gandt.groundtruth.answer_labels import in_classes
from gandt.groundtruth.answer_times import earlier
from gandt.groundtruth.asked_tasks import AskedTask, failure_reasons
from gandt.groundtruth.class_names import ClassNames
from gandt.groundtruth.label_values import LeftOut, brief, label_of_cell, printable
from gandt.groundtruth.machine_labels import labeled_by, machine_label
from gandt.groundtruth.output import label_attributes

__all__ = ["VoteBox"]

_Cell = TypeVar("_Cell")
_SHAPES: tuple[VoteShape, ...] = ("single", "multi", "ticks", "boxes", "spans", "mask", NOTHING)
_MINORITY = 0.1  # share of a job's answers in another field that still passes for an accident


class _Names:
    """Texts as numbers, in order of appearance."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._codes: dict[str, int] = {}

    def code(self, text: str) -> int:
        code = self._codes.get(text)
        if code is None:
            code = self._codes[text] = len(self.texts)
            self.texts.append(text)
        return code


class VoteBox:
    """Collects votes; `close` counts them."""

    def __init__(self) -> None:
        self.oddities: list[Oddity] = []
        self.gold: dict[str, tuple[object, str]] = {}  # value, where
        self.image_sizes: dict[str, tuple[int, int]] = {}
        self.asked: dict[str, tuple[AskedTask, int]] = {}  # by name: the task, position in it
        self._shown: dict[str, set[str]] = {}  # by name of a known image: the lines that show it
        self.unclear: dict[str, str] = {}  # fields between which the answers leave the choice
        self._unclear_answers = 0
        self._tasks, self._workers, self._jobs = _Names(), _Names(), _Names()
        self._places, self._fields = _Names(), _Names()
        self._columns = {name: array("i") for name in ("task", "worker", "job", "place", "line")}
        self._field, self._shape = array("i"), array("b")
        self._labels: list[Label] = []
        self._times: list[str | None] = []
        self._seconds = array("d")
        self._decides = array("b")
        self._decided: dict[tuple[str, str], str] = {}  # task and reviewer: where it is said

    def __len__(self) -> int:
        return len(self._labels)

    def note(self, kind: str, where: str, reason: str) -> None:
        """Count something odd."""
        # Errors of storage and tables begin with the place, which is said already.
        bare = reason.removeprefix(where).lstrip(":, ")
        self.oddities.append(Oddity(kind, printable(where), printable(bare)))

    def note_unclear(self, error: SeveralFields) -> None:
        """Remember between which fields an answer leaves the choice."""
        self._unclear_answers += 1
        if len(self.unclear) < 20:
            self.unclear.update(error.fields)

    def ask(self, task: AskedTask) -> None:
        """Enter a task that was asked about, with its known answer."""
        for position, name in enumerate(task.names):
            if name not in self.asked:
                self.asked[name] = (task, position)
            golds = task.golds
            if position < len(golds) and golds[position] is not None:
                self.gold.setdefault(name, (golds[position], task.where))
                self._shown.setdefault(name, set()).add(task.where)

    def add(
        self,
        task: str,
        worker: str,
        label: Label,
        shape: VoteShape,
        *,
        where: str,
        line: int = 0,
        job: str | None = None,
        field: str = "",
        submitted_at: str | None = None,
        seconds: float | None = None,
        decides: bool = False,
    ) -> None:
        """Put in one vote."""
        columns = self._columns
        columns["task"].append(self._tasks.code(task))
        columns["worker"].append(self._workers.code(worker))
        columns["job"].append(-1 if job is None else self._jobs.code(job))
        columns["place"].append(self._places.code(where))
        columns["line"].append(line)
        self._field.append(self._fields.code(field) if field else -1)
        self._shape.append(_SHAPES.index(shape))
        self._labels.append(label)
        self._times.append(submitted_at)
        self._seconds.append(float("nan") if seconds is None else seconds)
        self._decides.append(decides)

    def decide(self, task: str, worker: str, where: str) -> None:
        """Note that a worker's answer settles a task: it is a reviewer's."""
        self._decided[task, worker] = where

    # ------------------------------------------------------------------------------- counting

    def close(self, *, kind: Kind | None, classes: Sequence[str], attribute: str | None) -> Answers:
        """Make the answers table.

        Raises
        ------
        AnswerError
            Where no vote is left, or the votes are of kinds or fields that cannot be one table.
        """
        self._check_fields()
        keep = self._one_field_per_job()
        settled = settle_kind(
            [_SHAPES[code] for code in np.asarray(self._shape)[keep]] if len(self) else [],
            [self._labels[i] for i in keep],
            kind,
        )
        keep = self._fitting(keep, settled)
        keep = self._first_votes(keep)
        if not len(keep):
            raise AnswerError(self._nothing())
        names = self._tasks.texts
        codes = np.asarray(self._columns["task"])[keep]
        answered = {names[code] for code in np.unique(codes)}
        machine = self._compare_with_asked(answered, attribute, settled)
        tasks = [*self.asked, *(name for name in names if name not in self.asked)]
        gold = self._settled_gold(settled, ClassNames(classes), set(tasks))
        labels = [self._labels[i] for i in keep]
        return Answers(
            kind=settled,
            task=[names[code] for code in codes],
            worker=[
                self._workers.texts[code] for code in np.asarray(self._columns["worker"])[keep]
            ],
            label=labels,
            job=_known(self._jobs_of(keep)),
            submitted_at=_known([self._times[i] for i in keep]),
            seconds_spent=_known([_or_none(self._seconds[i]) for i in keep]),
            decides=self._deciding(keep),
            tasks=tasks,
            classes=_with_used(classes, labels),
            gold=gold,
            machine=machine,
            lines={name: task.line(place) for name, (task, place) in self.asked.items()},
            image_sizes=self.image_sizes,
            oddities=tuple(self.oddities),
        )

    def _deciding(self, rows: npt.NDArray[np.int64]) -> Sequence[bool]:
        """Which answers settle their task; empty where none does."""
        if not self._decided and not any(self._decides):
            return ()
        decides, missing = [], dict(self._decided)
        for row in rows:
            task = self._tasks.texts[self._columns["task"][row]]
            worker = self._workers.texts[self._columns["worker"][row]]
            listed = missing.pop((task, worker), None) is not None
            decides.append(listed or bool(self._decides[row]))
        for (task, worker), where in missing.items():
            self.note(
                "no decision",
                where,
                f"Worker {worker}, task {brief(task)}: the answer that is to decide is not there; "
                "the others count.",
            )
        return decides

    def _jobs_of(self, rows: npt.NDArray[np.int64]) -> list[str | None]:
        texts = [*self._jobs.texts, None]  # the code -1 takes the last
        return [texts[code] for code in np.asarray(self._columns["job"])[rows]]

    def _nothing(self) -> str:
        if not self.oddities:
            return "There are no answers in what was named: name the folder of a finished job."
        counts = Counter(oddity.kind for oddity in self.oddities)
        listed = ", ".join(f"{count} {name}" for name, count in counts.most_common())
        first = self.oddities[0]
        return (
            f"No answer could be read ({listed}); the first reason: {first.where}: {first.reason}"
        )

    def _check_fields(self) -> None:
        if self._unclear_answers > len(self):
            listed = ", ".join(f"{name} ({what})" for name, what in self.unclear.items())
            listed = printable(listed)
            raise AnswerError(
                f"The answers hold several fields that could be the label: {listed}. "
                "Name the one that is meant (--field)."
            )

    def _where(self, row: int) -> str:
        place = self._places.texts[self._columns["place"][row]]
        line = self._columns["line"][row]
        return f"{place}:{line}" if line else place

    def _who(self, row: int) -> str:
        worker = self._workers.texts[self._columns["worker"][row]]
        task = self._tasks.texts[self._columns["task"][row]]
        return f"Worker {worker}, task {brief(task)}"

    def _one_field_per_job(self) -> npt.NDArray[np.int64]:
        """Leave out answers of fields that a job's other answers were not read from."""
        rows = np.arange(len(self))
        field, job = np.asarray(self._field), np.asarray(self._columns["job"])
        if len(self._fields.texts) < 2:
            return rows
        keep = np.ones(len(rows), bool)
        names = self._fields.texts
        for code in np.unique(job):
            of_job = (job == code) & (field >= 0)
            counts = np.bincount(field[of_job], minlength=len(names))
            main = int(counts.argmax())
            odd = rows[of_job & (field != main)]
            if len(odd) > _MINORITY * counts.sum() and code >= 0:
                there = printable(", ".join(names[i] for i in np.flatnonzero(counts)))
                raise AnswerError(
                    f"The answers of job {self._jobs.texts[code]} came from several fields "
                    f"({there}): name the one that is meant (--field)."
                )
            if code >= 0:
                self._leave_out(odd, "other field", f"the job's answers are in {names[main]!r}")
                keep[odd] = False
        return rows[keep]

    def _leave_out(self, rows: npt.NDArray[np.int64], kind: str, reason: str) -> None:
        for row in rows:
            self.note(kind, self._where(row), f"{self._who(row)}: {reason}; left out.")

    def _fitting(self, rows: npt.NDArray[np.int64], kind: Kind) -> npt.NDArray[np.int64]:
        keep = np.ones(len(rows), bool)
        shapes = np.asarray(self._shape)
        if kind == "single" and not shapes[rows].any():
            return rows
        for position, row in enumerate(rows):
            try:
                self._labels[row] = fit(kind, _SHAPES[shapes[row]], self._labels[row])
            except LeftOut as error:
                keep[position] = False
                self.note(error.kind, self._where(row), f"{self._who(row)}: {error}; left out.")
        return rows[keep]

    def _first_votes(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Keep the first answer of each worker to each task, by time where it is known."""
        task = np.asarray(self._columns["task"], np.int64)[rows]
        worker = np.asarray(self._columns["worker"], np.int64)[rows]
        pair = task * (len(self._workers.texts) + 1) + worker
        order = np.argsort(pair, kind="stable")
        again = np.flatnonzero(pair[order][1:] == pair[order][:-1]) + 1
        if not len(again):
            return rows
        first: dict[int, int] = {}
        left_out: dict[int, int] = {}  # row → its pair
        for position in again:
            before, row = int(rows[order[position - 1]]), int(rows[order[position]])
            key = int(pair[order[position]])
            best = first.setdefault(key, before)
            if earlier(self._times[row], self._times[best]):
                first[key], row = row, best
            left_out[row] = key
        due: dict[int, int] = {}  # by pair: answers that were asked for again
        for row in sorted(left_out):
            key = left_out[row]
            due[key] = due.get(key, self._asked_again(row)) - 1
            if due[key] >= 0:
                continue
            self.note(
                "duplicate",
                self._where(row),
                f"{self._who(row)}: answered more than once; the first answer counts.",
            )
        return rows[~np.isin(rows, list(left_out))]

    def _asked_again(self, row: int) -> int:
        """In how many further tasks of its job the image of an answer was planted."""
        shown = self._shown.get(self._tasks.texts[self._columns["task"][row]], ())
        return max(Counter(where.rpartition(":")[0] for where in shown).values(), default=1) - 1

    def _compare_with_asked(
        self, answered: set[str], attribute: str | None, kind: Kind
    ) -> dict[str, tuple[Label, float]]:
        """Note what has no answer and why; gives the labels that the job found by itself.

        What an earlier job had labeled is no task of this one, and is taken out of those asked.
        """
        failed: set[str] = set()
        machine: dict[str, tuple[Label, float]] = {}
        jobs = {  # that the answers are from
            labeled_by(task.record, attribute or task.attribute)
            for name, (task, _) in self.asked.items()
            if name in answered
        } - {None}
        voted = set(self._tasks.texts)
        for name, (task, _) in list(self.asked.items()):
            record, missing = task.record, name not in answered
            of_job = attribute or task.attribute
            earlier = labeled_by(record, of_job)
            if jobs and earlier is not None and earlier not in jobs and name not in voted:
                self.note(
                    "labeled before",
                    task.where,
                    f"{brief(name)} was labeled by {earlier}, and this job was not asked about it: "
                    "left out; give the folder of that job as well to have all.",
                )
                del self.asked[name]
                continue
            reasons = failure_reasons(record, of_job)
            only = of_job is not None or len(label_attributes(record)) == 1
            if reasons and (missing or only):
                if task.where not in failed:
                    failed.add(task.where)
                    rest = "" if missing else " Its answers count all the same."
                    self.note("failed", task.where, f"{brief(name)}: {reasons[-1]}{rest}")
            elif missing:
                found = machine_label(record, of_job, kind)
                if isinstance(found, str):
                    self.note("unanswered", task.where, f"{brief(name)} {found}.")
                else:
                    machine[name] = found
        return machine

    def _settled_gold(self, kind: Kind, names: ClassNames, tasks: set[str]) -> dict[str, Label]:
        settled: dict[str, Label] = {}
        for task, (value, where) in self.gold.items():
            try:
                if task not in tasks:
                    raise LeftOut("unknown task", "no job asked about it")
                shape, label = label_of_cell(value)
                label = fit(kind, shape or NOTHING, label, gold=True)
                settled[task] = in_classes(label, names, [])
            except LeftOut as error:
                name = error.kind if error.kind == "unknown task" else "bad gold"
                self.note(name, where, f"The known answer of {brief(task)}: {error}; left out.")
        return settled


def _with_used(classes: Sequence[str], labels: Sequence[Label]) -> tuple[str, ...]:
    """The classes, and after them the labels that came from sources that name no classes."""
    if not classes:
        return ()
    known = dict.fromkeys(classes)
    for label in labels:
        for part in label if isinstance(label, tuple) else (label,):
            if not isinstance(part, Mask):
                known.setdefault(part if isinstance(part, str) else part.label)
    return tuple(known)


def _known(column: list[_Cell | None]) -> list[_Cell | None]:
    return column if any(value is not None for value in column) else []


def _or_none(seconds: float) -> float | None:
    return None if seconds != seconds else seconds
