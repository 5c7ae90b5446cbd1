"""Tables of answers and of known answers: CSV, TSV, JSON Lines, Parquet, and earlier rounds.

A table of answers has a row for each worker and task, with `task`, `worker` and `label`, and
perhaps `job`, `submitted_at`, `seconds_spent`, and `decides`, which is true where a reviewer
settled the task. The names that crowd-kit, Label Studio and Mechanical Turk give these columns are
understood, too. A label that is a list, or boxes or spans, stands in its cell as JSON.

A round folder is what an earlier aggregation wrote: `answers.parquet` with the same columns, of
the kind that `summary.json` names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath

from gandt import storage
from gandt.answers import KINDS, Kind, Label
from gandt.errors import AnswerError, ManifestError, StorageError, UsageError
from gandt.groundtruth.answer_files import load_json
from gandt.groundtruth.asked_tasks import Note
from gandt.groundtruth.json_lines import UTF8_BOM, parse_line
from gandt.groundtruth.label_values import (
    LeftOut,
    brief,
    clean_text,
    label_of_cell,
    label_texts,
    number,
    parse_label,
)
from gandt.tables import Table, find_column, read_rows

__all__ = ["AnswerRow", "RoundSummary", "read_gold", "read_round_summary", "read_table"]

_TASK = (
    *("task", "task_id", "image", "image_uri", "image_url", "image_path", "uri", "url"),
    *("source-ref", "item", "item_id", "object_id", "object", "question", "question_id", "example"),
    *("data", "document", "file", "file_name", "filename", "path", "source", "text", "id"),
)
_WORKER = (
    *("worker", "worker_id", "workerid", "annotator", "annotator_id", "performer", "user"),
    *("user_id", "rater", "rater_id", "labeler", "labeller", "judge", "participant", "coder"),
    *("expert", "completed_by", "author"),
)
_LABEL = (
    *("label", "labels", "answer", "answers", "response", "choice", "choices", "annotation"),
    *("annotations", "category", "class", "class_name", "output", "result", "value", "rating"),
    *("judgment", "judgement", "sentiment", "tag", "tags"),
)
_JOB = ("job", "job_name", "batch", "project")
_TIME = (
    *("submitted_at", "submission_time", "submissiontime", "submitted", "submit_time"),
    *("created_at", "completed_at", "updated_at", "timestamp", "time", "date"),
)
_SECONDS = (
    *("seconds_spent", "time_spent_in_seconds", "timespentinseconds", "time_spent", "lead_time"),
    *("seconds", "duration", "duration_seconds", "work_time", "worktimeinseconds"),
)
_ROLES: dict[str, tuple[Sequence[str], str]] = {
    "task": (_TASK, "the task"),
    "worker": (_WORKER, "the worker"),
    "label": (_LABEL, "the label"),
    "job": (_JOB, "the job"),
    "submitted_at": (_TIME, "the time of the answer"),
    "seconds_spent": (_SECONDS, "the time spent"),
    "decides": (("decides",), "whether the answer settles its task"),
}
_REQUIRED = ("task", "worker", "label")
_GOLD_LABEL = ("gold", "gold_label", "truth", "true_label", "ground_truth", "expected", *_LABEL)
_NAMES_FROM = 1000  # rows of a JSON Lines table in which a column has to appear
_JSON_LINES = frozenset({".jsonl", ".ndjson", ".manifest"})


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One row, as it stands; None for an empty cell."""

    line: int
    task: object
    worker: object
    label: object
    job: object = None
    submitted_at: object = None
    seconds: object = None
    decides: object = None


@dataclass(frozen=True, slots=True)
class RoundSummary:
    """What a round folder says of its answers."""

    kind: Kind | None
    classes: tuple[str, ...]


def read_table(
    uri: str, note: Note, columns: Mapping[str, str] | None = None, *, exact: bool = False
) -> Iterator[AnswerRow]:
    """Stream the rows of a table of answers.

    Parameters
    ----------
    note
        Called for each line of JSON that cannot be read.
    columns
        Names of columns by what they hold (`task`, `worker`, `label`, `job`, `submitted_at`,
        `seconds_spent`); the others are found by their usual names.
    exact
        Read Parquet with its nested values as they are.

    Raises
    ------
    UsageError
        Where a column is missing, or `columns` names something else.
    StorageError
        Where the file cannot be read.
    """
    given = dict(columns or {})
    for role in given:
        if role not in _ROLES:
            raise UsageError(
                f"{role!r} is no column of answers: name {', '.join(_ROLES)} (--column)."
            )
    suffix = PurePosixPath(uri).suffix.lower()
    if suffix in _JSON_LINES:
        return _json_rows(uri, note, given)
    if exact:
        return _exact_rows(uri, given)
    return _text_rows(uri, given)


def _roles(table: Table, given: Mapping[str, str]) -> dict[str, str]:
    """The column of each role that the table has."""
    found: dict[str, str] = {}
    for role, (candidates, what) in _ROLES.items():
        wanted = (given[role],) if role in given else candidates
        try:
            name = find_column(table, wanted, what)
        except UsageError:
            if role in _REQUIRED or role in given:
                raise
            continue
        if name not in found.values():
            found[role] = name
    for role in _REQUIRED:
        if role not in found:
            raise UsageError(
                f"{table.uri} has one column for several of {', '.join(_REQUIRED)}: say which "
                "column holds what (--column)."
            )
    return found


def _text_rows(uri: str, given: Mapping[str, str]) -> Iterator[AnswerRow]:
    wanted = [name for candidates, _ in _ROLES.values() for name in candidates]
    table = read_rows(uri, [*wanted, *given.values()])
    roles = _roles(table, given)
    cells = [
        table.columns[roles[role]] if role in roles else [None] * table.rows for role in _ROLES
    ]
    for line, row in enumerate(zip(*cells, strict=True), 2):  # the header is line 1
        yield AnswerRow(line, *row)


def _exact_rows(uri: str, given: Mapping[str, str]) -> Iterator[AnswerRow]:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(storage.read_bytes(uri)))
        names = tuple(str(name) for name in table.column_names)
        roles = _roles(Table(uri, names, {}, table.num_rows), given)
        line = 1
        for batch in table.select(list(roles.values())).to_batches(1 << 16):
            columns = {role: batch.column(i).to_pylist() for i, role in enumerate(roles)}
            blank = [None] * batch.num_rows
            for row in zip(*(columns.get(role, blank) for role in _ROLES), strict=True):
                yield AnswerRow(line, *row)
                line += 1
    except pa.ArrowException as error:
        raise StorageError(f"{uri} is not a readable Parquet file: {error}.") from error


def _json_rows(uri: str, note: Note, given: Mapping[str, str]) -> Iterator[AnswerRow]:
    records = _records(uri, note)
    first = list(islice(records, _NAMES_FROM))
    names = tuple(dict.fromkeys(name for _, record in first for name in record))
    roles = _roles(Table(uri, names, {}, 0), given)
    columns = [roles.get(role) for role in _ROLES]

    def rows() -> Iterator[AnswerRow]:
        for source in (first, records):
            for line, record in source:
                yield AnswerRow(
                    line, *(None if name is None else record.get(name) for name in columns)
                )

    return rows()


def _records(uri: str, note: Note) -> Iterator[tuple[int, dict[str, object]]]:
    for line, raw in enumerate(storage.open_lines(uri), 1):
        text = raw.removeprefix(UTF8_BOM) if line == 1 else raw
        if not text.strip():
            continue
        try:
            yield line, parse_line(text).record
        except ManifestError as error:
            note("unreadable", f"{uri}:{line}", f"The line {error}; left out.")


def read_round_summary(folder: str) -> RoundSummary:
    """Read `summary.json` of a round folder; nothing is known where there is none.

    Raises
    ------
    LeftOut
        Where it cannot be understood.
    StorageError
        Where it cannot be looked up.
    """
    uri = f"{folder}/summary.json"
    if storage.find(uri) is None:
        return RoundSummary(None, ())
    summary = load_json(storage.read_bytes(uri))
    if not isinstance(summary, dict):
        raise LeftOut("unreadable", "It is not an object with kind and classes.")
    kind = next((kind for kind in KINDS if kind == summary.get("kind")), None)
    classes = summary.get("classes")
    return RoundSummary(kind, label_texts(classes) if isinstance(classes, list) else ())


def read_gold(uri: str, *, kind: Kind | None = None) -> dict[str, Label]:
    """Read known answers: a table with a `task` (or `image`, `uri`, …) and a `label` (or `gold`).

    A task that stands twice keeps its first answer if both are the same.

    Parameters
    ----------
    uri
        CSV, TSV, JSON Lines or Parquet, local or on S3.
    kind
        The kind of the labels; where None, a list of names makes a label of several, and so on.

    Raises
    ------
    AnswerError
        Where a row has no task or no label that can be read, two rows contradict each other, or
        labels are automatic ones.
    UsageError
        Where there is no such column.
    StorageError
        Where the file cannot be read.
    """
    table = read_rows(uri)
    machine = sum((cell or "").casefold() == "machine" for cell in table.columns.get("source", ()))
    if machine:
        raise AnswerError(
            f"{uri} holds {machine:,} automatic {'label' if machine == 1 else 'labels'}, which "
            "nobody knows to be right: take out the rows whose source is `machine`."
        )
    tasks = table.columns[find_column(table, _TASK, "the task")]
    labels = table.columns[find_column(table, _GOLD_LABEL, "the known label")]
    gold: dict[str, Label] = {}
    for line, (task, cell) in enumerate(zip(tasks, labels, strict=True), 2):
        try:
            name = clean_text(task)
            if not name:
                raise LeftOut("empty", "there is no task")
            if kind is None:
                _, label = label_of_cell(cell)
            else:
                label = parse_label(kind, cell)
        except LeftOut as error:
            raise AnswerError(
                f"{uri}, row {line - 1}: {error}; complete the row or take it out."
            ) from error
        if gold.setdefault(name, label) != label:
            raise AnswerError(
                f"{uri}, row {line - 1}: {brief(name)} has two known answers that differ; keep one."
            )
    return gold


def seconds_of(value: object) -> float | None:
    """Seconds that a cell holds; None for none, or for less than none."""
    seconds = number(value)
    return seconds if seconds is not None and seconds >= 0 else None
