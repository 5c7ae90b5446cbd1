"""Rows of tables become votes: tables that people hand over, and round folders of our own."""

from __future__ import annotations

from collections.abc import Iterable

from gandt import storage
from gandt.answers import Kind, Label
from gandt.errors import StorageError, UsageError
from gandt.groundtruth.answer_kinds import NOTHING, VoteShape
from gandt.groundtruth.answer_labels import Problem, in_classes
from gandt.groundtruth.answer_reading import Reading
from gandt.groundtruth.answer_tables import (
    AnswerRow,
    RoundSummary,
    read_round_summary,
    read_table,
    seconds_of,
)
from gandt.groundtruth.asked_tasks import read_asked
from gandt.groundtruth.class_names import ClassNames
from gandt.groundtruth.job_folder import RoundFolder
from gandt.groundtruth.label_values import LeftOut, brief, clean_text, label_of_cell, parse_label

__all__ = ["enter_round", "enter_table"]

_MOST_CELLS = 10_000  # remembered, none of them longer than
_LONG_CELL = 200  # characters: few are longer but masks, which would fill the memory
_Read = tuple[VoteShape, Label, list[Problem]]


def enter_table(reading: Reading, uri: str) -> None:
    """Read a table with a row for each answer.

    A task that is not in the manifest that the caller named is kept, and reported once.
    """
    note = reading.box.note
    try:
        rows = read_table(uri, note, reading.columns)
        _enter_rows(reading, uri, rows, None, reading.class_names(()))
    except UsageError as error:
        if reading.columns:
            raise
        note("unreadable", uri, str(error))


def enter_round(reading: Reading, folder: RoundFolder) -> None:
    """Read the answers that an earlier aggregation kept, and what it knew of their tasks."""
    note = reading.box.note
    try:
        summary = read_round_summary(folder.root)
    except (LeftOut, StorageError) as error:
        note("unreadable", f"{folder.root}/summary.json", str(error))
        summary = RoundSummary(None, ())
    try:
        lines = storage.find(f"{folder.root}/output.manifest")
        for task in read_asked(lines.uri, note).values() if lines is not None else ():
            reading.box.ask(task)
        rows = read_table(folder.answers, note, exact=True)
        _enter_rows(
            reading, folder.answers, rows, summary.kind, reading.class_names(summary.classes)
        )
    except (StorageError, UsageError) as error:
        note("unreadable", folder.answers, str(error))


def _enter_rows(
    reading: Reading,
    uri: str,
    rows: Iterable[AnswerRow],
    kind: Kind | None,
    names: ClassNames,
) -> None:
    box = reading.box
    cells: dict[str, _Read] = {}  # labels of few classes come again and again
    unknown: set[str] = set()
    row = None
    for row in rows:
        where = f"{uri}:{row.line}"
        try:
            task, worker = clean_text(row.task), clean_text(row.worker)
            if not task or not worker:
                raise LeftOut("empty", f"the row has no {'worker' if task else 'task'}")
            read = cells.get(row.label) if isinstance(row.label, str) else None
            if read is None:
                read = _read(row.label, kind, names)
                if _is_short(row.label) and len(cells) < _MOST_CELLS:
                    cells[str(row.label)] = read
            job, time = _text(row.job), _text(row.submitted_at)
        except LeftOut as error:
            box.note(error.kind, where, f"{_who(row)}: {error}; left out.")
            continue
        shape, label, problems = read
        for problem, reason in problems:
            box.note(problem, where, f"{_who(row)}: {reason}.")
        known = reading.task_named(task)
        if known is None and task not in unknown:
            unknown.add(task)
            reason = f"The manifest has no task {brief(task)}; its answers are kept."
            box.note("unknown task", where, reason)
        box.add(
            known or task,
            worker,
            label,
            shape,
            where=uri,
            line=row.line,
            job=job or reading.job,
            submitted_at=time,
            seconds=seconds_of(row.seconds),
            decides=row.decides is True or str(row.decides).strip().lower() in ("true", "1"),
        )
    if row is None:
        box.note("empty", uri, "The table has no row with an answer.")


def _read(cell: object, kind: Kind | None, names: ClassNames) -> _Read:
    shape: VoteShape
    if kind is not None:
        shape, label = kind, parse_label(kind, cell)
    else:
        seen, label = label_of_cell(cell)
        shape = seen or NOTHING
    problems: list[Problem] = []
    return shape, in_classes(label, names, problems), problems


def _is_short(cell: object) -> bool:
    return isinstance(cell, str) and len(cell) <= _LONG_CELL


def _text(value: object) -> str | None:
    plain = value is None or isinstance(value, (str, int, float))
    return clean_text(value if plain else str(value)) or None


def _who(row: AnswerRow) -> str:
    return f"Worker {brief(row.worker)}, task {brief(row.task)}"
