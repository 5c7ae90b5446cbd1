"""What an audit reads and leaves in the folder of automatic labels.

`audit.csv` holds the sample: what the machine said of each image, and what people did. The labels'
files are written again with people's labels in place of the machine's; the sample keeps both, so
that what one audit did the next can undo.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO

from gandt import storage
from gandt.errors import StorageError
from gandt.groundtruth.json_lines import WHY, parse_line
from gandt.groundtruth.task_lines import task_name
from gandt.rounds.automatic.folder import (
    AUDIT,
    LABELS,
    OUTPUT,
    SUMMARY,
    AutoRow,
    marking,
    read_rows_of,
    write_summary,
    writing,
    writing_labels,
)
from gandt.tables import format_csv, read_rows

__all__ = ["Checked", "Told", "read_checked", "write_audited", "write_checked"]

_COLUMNS = ("task", "machine", "confidence", "people", "people_confidence", "votes")
_CERTAIN = 0.8  # confidence of people's labels from which they are certain, as rounds have it


@dataclass(frozen=True, slots=True)
class Told:
    """What people said of one image."""

    label: str
    confidence: float | None  # None where it is not said
    votes: int


@dataclass(frozen=True, slots=True)
class Checked:
    """One image of the sample: what the machine said, and what people did."""

    task: str
    machine: str
    confidence: float  # the probe's
    people: Told | None = None  # None: nobody answered

    @property
    def right(self) -> bool:
        """Whether people say the same."""
        return self.people is not None and self.people.label == self.machine


def write_audited(
    folder: str,
    summary: Mapping[str, Any],
    sample: Sequence[Checked],
    *,
    refuted: bool,
    now: datetime,
) -> None:
    """Write labels, sample and summary anew, a block at a time; the summary last.

    Stopped in between, the folder is measured again as though nothing had been: all that counts is
    what the machine said of the sample, and that any of its states holds.
    """
    by_task = {each.task: each for each in sample}
    classes = dict.fromkeys(summary["classes"])
    classes.update(dict.fromkeys(sorted(e.people.label for e in sample if e.people is not None)))
    old = storage.open_lines(f"{folder}/{OUTPUT}")
    with ExitStack() as stack:
        last = stack.enter_context(writing(f"{folder}/{SUMMARY}"))
        files = stack.enter_context(writing_labels(folder))
        for block in read_rows_of(folder):
            lines = [f"{line.decode()}\n".encode() for line in islice(old, len(block))]
            rows = [_decided(row, by_task.get(row.task), refuted) for row in block]
            records = _records(folder, rows, lines, by_task)
            for source, created in (
                ("human", now),
                ("machine", datetime.fromisoformat(summary["created"])),
            ):
                places = [at for at in records if rows[at].source == source]
                made = files.lines(
                    [rows[at] for at in places],
                    {rows[at].task: records[at] for at in places},
                    attribute=summary["attribute"],
                    classes=list(classes),
                    created=created,
                )
                for at, line in zip(places, made, strict=True):
                    lines[at] = line
            files.add(rows, lines)
        write_checked(stack.enter_context(writing(f"{folder}/{AUDIT}")), sample)
        write_summary(last, summary)
        stack.enter_context(marking(folder, "audit", summary))


def _decided(row: AutoRow, checked: Checked | None, refuted: bool) -> AutoRow:
    """Give a row after the audit."""
    if checked is None:
        by_probe = row.original is None
        return replace(row, certain=not refuted) if by_probe else row
    if checked.people is None:
        return AutoRow(row.task, checked.machine, checked.confidence, not refuted)
    people = checked.people
    return AutoRow(
        row.task,
        people.label,
        people.confidence,
        people.confidence is None or people.confidence >= _CERTAIN,
        "human",
        people.votes,
    )


def _records(
    folder: str, rows: Sequence[AutoRow], lines: Sequence[bytes], sample: Mapping[str, Checked]
) -> dict[int, dict[str, object]]:
    """Give the lines of checked images as objects, by their place, marked as the audit's own."""
    records = {
        at: {**parse_line(lines[at]).record, WHY: "audit"}
        for at, row in enumerate(rows[: len(lines)])
        if row.task in sample
    }
    if len(lines) < len(rows) or any(task_name(r) != rows[at].task for at, r in records.items()):
        raise StorageError(
            f"{folder}/{OUTPUT} and {LABELS} beside it are not of one run: run `gandt autolabel` "
            "again."
        )
    return records


def write_checked(file: BinaryIO, sample: Iterable[Checked]) -> None:
    """Write `audit.csv`."""
    file.write(format_csv([_COLUMNS]).encode())
    file.write(format_csv(map(_cells, sample)).encode())


def _cells(each: Checked) -> tuple[str, ...]:
    told = each.people
    people: tuple[str, ...] = ("", "", "")
    if told is not None:
        sure = "" if told.confidence is None else f"{told.confidence:.4f}"
        people = (told.label, sure, str(told.votes))
    return (each.task, each.machine, repr(each.confidence), *people)


def read_checked(uri: str) -> list[Checked]:
    """Read `audit.csv`, but for what people said in an earlier audit."""
    if storage.find(uri) is None:
        return []
    columns = read_rows(uri, _COLUMNS).columns
    try:
        cells = zip(*(columns[name] for name in _COLUMNS[:3]), strict=True)
        return [
            Checked(str(task), str(machine), float(confidence or "nan"))
            for task, machine, confidence in cells
        ]
    except (KeyError, ValueError) as error:
        raise StorageError(f"{uri} was changed ({error}): run `gandt autolabel` again.") from error
