"""What kind of answers a table holds, and the table as `Answers` of that kind.

Single labels stay columns, which `encode` reads fast however they come. Sets of labels, boxes,
spans and masks are read value by value: our own types, the mappings that Ground Truth's workers
send, or JSON text of either, as `Answers.to_arrow` and CSV files hold them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from gandt.aggregation.encode import encode
from gandt.aggregation.factorize import factorize, is_from
from gandt.answers import BACKGROUND, KINDS, Answers, Box, Kind, Label, Mask, Oddity, Span
from gandt.errors import AnswerError, UsageError

__all__ = [
    "as_answers",
    "as_columns",
    "column_names",
    "column_values",
    "find_kind",
    "is_missing",
    "read_label",
]

_OPTIONAL = ("job", "submitted_at", "seconds_spent")


def as_columns(answers: Any) -> Any:
    """Rows (a list of dicts) as columns; anything else as it is."""
    if isinstance(answers, (list, tuple)):
        if not all(isinstance(row, Mapping) for row in answers):
            raise AnswerError(
                "answers are a list of other things than dicts; give rows with 'task', 'worker' "
                "and 'label', or a table."
            )
        names = dict.fromkeys(name for row in answers for name in row)
        if not answers:
            names = dict.fromkeys(("task", "worker", "label"))
        return {name: [row.get(name) for row in answers] for name in names}
    return answers


def find_kind(answers: Any, kind: str = "auto") -> Kind:
    """The kind that was asked for, else that of the answers, else that of the first label.

    Raises
    ------
    UsageError
        There is no such kind, or it contradicts the answers'.
    AnswerError
        The labels are all empty or of no known kind.
    """
    if kind != "auto" and kind not in KINDS:
        raise UsageError(f"kind is {kind!r}; give auto, {', '.join(KINDS)}.")
    if isinstance(answers, Answers):
        if kind not in ("auto", answers.kind):
            raise UsageError(f"kind is {kind!r}, but these answers are of kind {answers.kind!r}.")
        return answers.kind
    if kind != "auto":
        return cast("Kind", kind)
    empty = False
    for value in column_values(_column(answers, "label")):
        value = _from_json(value)
        if is_missing(value):
            continue
        found = _kind_of(value)
        if found is not None:
            return found
        empty = True
    if empty:
        raise AnswerError(
            "every label is empty, so that the kind of the answers does not show; "
            "name it with kind=, e.g. kind='multi'."
        )
    return "single"


def as_answers(
    answers: Any,
    kind: Kind,
    *,
    classes: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
) -> Answers:
    """A table of answers that are no single labels as `Answers`.

    Rows without a label, and a worker's later answers to a task, are left out and listed in
    `oddities`.

    Raises
    ------
    AnswerError
        A column is missing or of another length, or a label is not of that kind.
    """
    if isinstance(answers, Answers):
        return answers
    columns = {name: _column(answers, name) for name in ("task", "worker", "label")}
    columns |= {name: _column(answers, name) for name in _OPTIONAL if name in column_names(answers)}
    values = {name: list(column_values(column)) for name, column in columns.items()}
    # Names, order and duplicates are settled where those of single labels are.
    names = {name: values[name] for name in ("task", "worker")}
    if len({len(column) for column in values.values()}) > 1:
        shown = ", ".join(f"{name} {len(column)}" for name, column in values.items())
        raise AnswerError(f"the columns of the answers differ in length: {shown}.")
    labels = [_label(value, kind, row) for row, value in enumerate(values["label"])]
    given = [row for row, label in enumerate(labels) if label is not None]
    table: dict[str, Any] = {name: [column[row] for row in given] for name, column in names.items()}
    if "submitted_at" in values:
        table["submitted_at"] = [values["submitted_at"][row] for row in given]
    # The row number takes the label's place: which rows count comes back with the codes.
    table["label"] = [str(row) for row in given]
    asked = factorize(values["task"], "task")[1] if tasks is None else tasks
    data = encode(table, classes=table["label"], tasks=asked)
    rows = [given[code] for code in data.label.tolist()]
    oddities = [
        Oddity("empty", "the table of answers", f"row {row} has no label and was left out")
        for row, label in enumerate(labels)
        if label is None
    ]
    later = sorted(set(given).difference(rows))
    oddities += [
        Oddity(
            "duplicate",
            "the table of answers",
            f"row {row} is another answer of worker {values['worker'][row]} to task "
            f"{values['task'][row]} and was left out",
        )
        for row in later
    ]
    optional: dict[str, Any] = {
        name: [None if is_missing(values[name][row]) else values[name][row] for row in rows]
        for name in _OPTIONAL
        if name in values
    }
    return Answers(
        kind,
        [str(data.tasks[code]) for code in data.task.tolist()],
        [str(data.workers[code]) for code in data.worker.tolist()],
        [cast("Label", labels[row]) for row in rows],
        **optional,
        tasks=tuple(map(str, data.tasks)),
        classes=tuple(map(str, classes or ())),
        oddities=tuple(oddities),
    )


def read_label(value: Any, kind: Kind) -> Label | None:
    """One label of a kind, or None where there is none.

    Raises
    ------
    ValueError
        It is of another kind; the message says what is wrong with it.
    """
    value = _from_json(value) if kind != "single" else value
    if is_missing(value):
        return None
    if kind == "single":
        if isinstance(value, (Mapping, list, tuple, set, frozenset, np.ndarray, Mask, Box, Span)):
            raise ValueError(f"is {type(value).__name__}, where one label is expected")
        if isinstance(value, (float, np.floating)) and float(value).is_integer():
            value = int(value)
        return str(value)
    if kind == "mask":
        return value if isinstance(value, Mask) else _mask(value)
    parts = [value] if isinstance(value, (str, Mapping, Box, Span)) else value
    if not isinstance(parts, Iterable):
        parts = [parts] if kind == "multi" else parts
    if not isinstance(parts, Iterable):
        raise ValueError(f"is {type(value).__name__}, where a list is expected")
    read = {"multi": _name, "boxes": _box, "spans": _span}[kind]
    return cast("Label", tuple(read(part) for part in parts))


def column_values(column: Any) -> Iterator[Any]:
    """The values of a column of any table, as Python's own where Arrow holds them."""
    if is_from(column, "pyarrow"):
        return (value.as_py() for value in column)
    return iter(column)


def is_missing(value: Any) -> bool:
    """None, NaN, NA, or text that is blank."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    if isinstance(value, (float, np.floating)):
        return bool(np.isnan(value))
    return type(value).__name__ in ("NAType", "NaTType")


def column_names(table: Any, what: str = "answers") -> list[str]:
    """Names of the columns of any table.

    Raises
    ------
    AnswerError
        It is none; `what` names it in the message.
    """
    if isinstance(table, Mapping):
        return list(map(str, table))
    for attribute in ("column_names", "columns"):  # of Arrow, of pandas
        if hasattr(table, attribute):
            return list(map(str, getattr(table, attribute)))
    raise AnswerError(
        f"{what} is a {type(table).__name__}; give a DataFrame, an Arrow table or a dict of "
        "columns."
    )


def _column(table: Any, name: str) -> Any:
    if not isinstance(table, Mapping) and not is_from(table, "pandas"):
        if not is_from(table, "pyarrow") and hasattr(table, "to_arrow"):
            table = table.to_arrow()
        if not hasattr(table, "column_names"):
            raise AnswerError(
                f"answers are a {type(table).__name__}; give a DataFrame, an Arrow table, a "
                "dict of columns, rows as dicts, or Answers."
            )
    if name not in column_names(table):
        raise AnswerError(f"the answers have no column {name!r}; they need task, worker and label.")
    return table[name]


def _kind_of(value: Any) -> Kind | None:
    """The kind of one label; None for an empty list, which may be of any."""
    if isinstance(value, (str, bytes, bool, int, float, np.generic)):
        return "single"
    if isinstance(value, Mask) or (isinstance(value, Mapping) and {"size", "counts"} <= set(value)):
        return "mask"
    if isinstance(value, Box) or (isinstance(value, Mapping) and {"left", "top"} <= set(value)):
        return "boxes"
    if isinstance(value, Span) or (isinstance(value, Mapping) and "startOffset" in value):
        return "spans"
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        first = next(iter(value), None)
        if first is None:
            return None
        inner = _kind_of(first)
        if inner in ("boxes", "spans"):
            return inner
        if inner == "single":
            return "multi"
    raise AnswerError(
        f"a label is {type(value).__name__} and of no known kind; give text, a list of texts, of "
        "boxes or of spans, or a mask."
    )


def _from_json(value: Any) -> Any:
    """Nested labels come out of CSV files as JSON text."""
    if isinstance(value, str) and value[:1] in "[{" and value[-1:] in "]}":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _label(value: Any, kind: Kind, row: int) -> Label | None:
    try:
        return read_label(value, kind)
    except (ValueError, TypeError, KeyError) as error:
        raise AnswerError(
            f"row {row} of the answers holds no label of kind {kind!r}: it {error}. Rows are "
            "counted from 0."
        ) from error


def _name(part: Any) -> str:
    if type(part) is str and part and not part.isspace():
        return part
    if isinstance(part, (Mapping, list, tuple, np.ndarray, Box, Span)) or is_missing(part):
        raise ValueError(f"names a label by {type(part).__name__} instead of text")
    return cast("str", read_label(part, "single"))


def _box(part: Any) -> Box:
    if isinstance(part, Box):
        return part
    if not isinstance(part, Mapping) or not {"label", "left", "top", "width", "height"} <= set(
        part
    ):
        raise ValueError("lacks label, left, top, width or height")
    numbers = (float(part[name]) for name in ("left", "top", "width", "height"))
    return Box(str(part["label"]), *numbers)


def _span(part: Any) -> Span:
    if isinstance(part, Span):
        return part
    if not isinstance(part, Mapping) or not {"label", "startOffset", "endOffset"} <= set(part):
        raise ValueError("lacks label, startOffset or endOffset")
    return Span(str(part["label"]), int(part["startOffset"]), int(part["endOffset"]))


def _mask(value: Any) -> Mask:
    from gandt.rle import decode

    if not isinstance(value, Mapping) or not {"size", "counts"} <= set(value):
        raise ValueError("is no mask with size and counts")
    counts = value["counts"]
    if not isinstance(counts, Mapping):
        raise ValueError("holds counts without the class they belong to")
    height, width = (int(number) for number in value["size"])
    names = tuple(map(str, value.get("classes") or (BACKGROUND, *counts)))
    pixels = np.zeros((height, width), np.uint8)
    for name, runs in counts.items():
        if name not in names:
            raise ValueError(f"draws {name!r}, which is none of its classes")
        pixels[decode(runs, (height, width))] = names.index(name)
    return Mask(pixels, names)
