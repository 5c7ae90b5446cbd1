"""Answers as arrays of codes: the one place where tables from outside are looked at.

Takes a DataFrame, an Arrow table, a dict of columns or `gandt.answers.Answers`; gives `Encoded`,
on which every consolidation works. A row that cannot count (no label, a label that is no class, a
worker's second answer to a task) is left out and counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.aggregation.factorize import Codes, column_length, factorize, is_from, numbers
from gandt.answers import Answers
from gandt.errors import AnswerError

__all__ = ["Encoded", "encode"]

_BLOCK = 1 << 18  # rows looked at at a time


@dataclass(frozen=True, slots=True)
class Encoded:
    """Single-label answers as codes, ordered by task; `n` tasks, `w` workers, `k` classes."""

    tasks: npt.NDArray[np.object_]  # (n,) str
    workers: npt.NDArray[np.object_]  # (w,) str
    classes: tuple[str, ...]  # k
    start: npt.NDArray[np.int64]  # (n + 1,): answers of task i are start[i]:start[i + 1]
    worker: Codes  # (a,)
    label: Codes  # (a,)
    seconds: npt.NDArray[np.float64] | None = None  # (a,), NaN where unknown
    duplicates: int = 0  # later answers of a worker to the same task, left out
    empty: int = 0  # answers with no label, left out
    unknown: int = 0  # answers whose label is none of the classes that were named, left out

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of tasks, workers and classes."""
        return len(self.tasks), len(self.workers), len(self.classes)

    @property
    def task(self) -> npt.NDArray[np.int64]:
        """(a,) task codes, ascending."""
        return np.repeat(np.arange(len(self.tasks)), np.diff(self.start))


def encode(
    answers: Any,
    *,
    classes: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
) -> Encoded:
    """Read a table of single-label answers into codes.

    Parameters
    ----------
    answers
        A DataFrame, an Arrow table (or what has `to_arrow`), a mapping of columns, or `Answers` of
        kind "single". Columns `task`, `worker` and `label`; `seconds_spent` and `submitted_at` are
        used where they are. Ids and labels may be numbers; they become text.
    classes
        The classes, in order; a label that is none of them is left out and counted. Without it,
        the classes of `Answers` come first and every other label after them, sorted (by number
        where all are whole numbers).
    tasks
        Tasks that were asked about: they come first, in this order, answered or not. Other tasks
        follow in order of appearance.

    Returns
    -------
    Encoded
        At most one answer per worker and task: the earliest where `submitted_at` tells, else the
        first row. Workers are in order of appearance.

    Raises
    ------
    AnswerError
        A column is missing or of another length, a row has no task or no worker, or the answers
        are not single labels.

    Examples
    --------
    >>> table = {"task": ["a", "a", "b"], "worker": [1, 2, 1], "label": ["cat", "dog", "cat"]}
    >>> data = encode(table)
    >>> data.classes, data.start.tolist(), data.label.tolist()
    (('cat', 'dog'), [0, 2, 3], [0, 1, 0])
    """
    hint: Sequence[str] = ()
    if isinstance(answers, Answers):
        if answers.kind != "single":
            raise AnswerError(
                f"these answers are of kind {answers.kind!r}; this takes one label per answer."
            )
        hint = answers.classes
        tasks = answers.tasks if tasks is None else tasks
    columns = _columns(answers)
    rows = _length(columns)
    task, task_names = _ids(columns["task"], "task")
    worker, worker_names = _ids(columns["worker"], "worker")
    label, found = factorize(columns["label"], "label")
    names, to_class = _classes(found, classes, hint)
    empty = int(np.count_nonzero(label < 0))
    label = to_class[label]
    unknown = int(np.count_nonzero(label < 0)) - empty
    if tasks is not None and len(tasks):
        task_names, to_task = _task_order(task_names, tasks)
        task = to_task[task]

    kept = None if not empty + unknown else np.flatnonzero(label >= 0)
    if kept is not None:
        task, worker = task[kept], worker[kept]
    order, duplicates = _order(task, worker, len(worker_names), columns.get("submitted_at"), kept)
    if order is not None:
        task, worker = task[order], worker[order]
        kept = order if kept is None else kept[order]
    seconds = None
    if "seconds_spent" in columns:
        seconds = numbers(columns["seconds_spent"], "seconds_spent")
    if (kept is not None and len(kept) != rows) or order is not None:
        label = label[kept]
        seconds = None if seconds is None else seconds[kept]
    start = np.searchsorted(task, np.arange(len(task_names) + 1, dtype=np.int32))
    return Encoded(
        tasks=_objects(task_names),
        workers=_objects(worker_names),
        classes=names,
        start=start,
        worker=worker,
        label=label,
        seconds=seconds,
        duplicates=duplicates,
        empty=empty,
        unknown=unknown,
    )


def _columns(answers: Any) -> Mapping[str, Any]:
    """The columns that matter, by name, of whatever kind of table."""
    if isinstance(answers, Answers):
        table: Mapping[str, Any] = answers.columns()
        names: list[str] = list(table)
    elif is_from(answers, "pandas") and hasattr(answers, "columns"):
        table, names = answers, [str(name) for name in answers.columns]
    elif is_from(answers, "pyarrow") and hasattr(answers, "column_names"):
        table, names = answers, answers.column_names
    elif isinstance(answers, Mapping):
        table, names = answers, [str(name) for name in answers]
    elif hasattr(answers, "to_arrow"):
        return _columns(answers.to_arrow())
    else:
        raise AnswerError(
            f"answers are a {type(answers).__name__}; give a DataFrame, an Arrow table or a dict "
            "of columns 'task', 'worker' and 'label'."
        )
    missing = [name for name in ("task", "worker", "label") if name not in names]
    if missing:
        raise AnswerError(
            f"the answers have no column {' or '.join(map(repr, missing))}; "
            f"their columns are {', '.join(map(repr, names)) or 'none'}."
        )
    wanted = ("task", "worker", "label", "submitted_at", "seconds_spent")
    return {name: table[name] for name in wanted if name in names}


def _length(columns: Mapping[str, Any]) -> int:
    lengths = {name: column_length(column, name) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {rows}" for name, rows in lengths.items())
        raise AnswerError(f"the columns of the answers differ in length: {shown}.")
    return lengths["task"]


def _ids(column: Any, name: str) -> tuple[Codes, list[str]]:
    codes, names = factorize(column, name)
    if len(codes) and codes.min() < 0:
        rows = np.flatnonzero(codes < 0)
        more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
        raise AnswerError(
            f"row {rows[0]} of the answers has no {name}{more}; rows are counted from 0. "
            "Fill it in or leave the row out."
        )
    return codes, names


def _classes(
    found: list[str], classes: Sequence[str] | None, hint: Sequence[str]
) -> tuple[tuple[str, ...], Codes]:
    """The classes in order, and the class of each label code; a last cell for "no label"."""
    if classes is not None:
        names = list(dict.fromkeys(map(str, classes)))
    else:
        first = list(dict.fromkeys(hint))
        names = first + _sorted(set(found).difference(first))
    position = {name: index for index, name in enumerate(names)}
    return tuple(names), np.array([*(position.get(name, -1) for name in found), -1], np.int32)


def _sorted(names: set[str]) -> list[str]:
    """Whole numbers by value, so that 10 comes after 9; anything else as text."""
    try:
        return sorted(names, key=lambda name: (int(name), name))
    except ValueError:
        return sorted(names)


def _task_order(names: list[str], wanted: Sequence[str]) -> tuple[list[str], Codes]:
    position = {name: index for index, name in enumerate(dict.fromkeys(map(str, wanted)))}
    codes = np.array([position.setdefault(name, len(position)) for name in names], np.int32)
    return list(position), codes


def _order(
    task: Codes,
    worker: Codes,
    workers: int,
    submitted: Any | None,
    kept: npt.NDArray[np.int64] | None,
) -> tuple[npt.NDArray[np.int64] | None, int]:
    """Rows by task and worker with later answers of a worker left out; None: as they stand."""
    rows = len(task)
    key = task.astype(np.int64)
    key *= max(workers, 1)
    key += worker
    if np.all(key[1:] > key[:-1]):
        return None, 0
    bits = rows.bit_length()
    if int(key.max()).bit_length() + bits < 64:
        # Sorting key and row as one number is several times faster than a stable argsort.
        key <<= bits
        for low in range(0, rows, _BLOCK):
            part = key[low : low + _BLOCK]
            part |= np.arange(low, low + len(part))
        key.sort()
        later = _repeated(key, bits)
        key &= (1 << bits) - 1
        order = key
    else:
        order = np.argsort(key, kind="stable")
        later = _repeated(key[order], 0)
    if not len(later):
        return order, 0
    if submitted is not None:
        _earliest_first(order, later, submitted, kept)
    return np.delete(order, later), len(later)


def _repeated(key: npt.NDArray[np.int64], bits: int) -> npt.NDArray[np.int64]:
    """Positions whose key, without its lowest bits, is that of the position before."""
    found = []
    for low in range(1, len(key), _BLOCK):
        high = min(low + _BLOCK, len(key))
        same = (key[low:high] ^ key[low - 1 : high - 1]) >> bits == 0
        found.append(np.flatnonzero(same) + low)
    return np.concatenate(found)


def _earliest_first(
    order: npt.NDArray[np.int64],
    later: npt.NDArray[np.int64],
    submitted: Any,
    kept: npt.NDArray[np.int64] | None,
) -> None:
    """Within each run of answers of one worker to one task, move the earliest to the front."""
    firsts = later[np.concatenate([[True], np.diff(later) > 1])] - 1
    lasts = later[np.concatenate([np.diff(later) > 1, [True]])]
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        rows = order[first : last + 1]
        where = rows if kept is None else kept[rows]
        times = [_moment(_cell(submitted, int(row))) for row in where]
        order[first : last + 1] = rows[np.argsort(times, kind="stable")]


def _cell(column: Any, row: int) -> object:
    if is_from(column, "pandas"):
        return column.iloc[row]
    value = column[row]
    return value.as_py() if is_from(value, "pyarrow") else value


def _moment(value: object) -> float:
    """Seconds since 1970, or infinity where nothing is known: a known time goes first."""
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, (int, float)):
        return np.inf if value != value else float(value)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
        except ValueError:
            return np.inf
    if isinstance(value, datetime) and value == value:  # NaT is a datetime that equals nothing
        aware = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        return aware.timestamp()
    return np.inf


def _objects(names: list[str]) -> npt.NDArray[np.object_]:
    array = np.empty(len(names), object)
    array[:] = names
    return array
