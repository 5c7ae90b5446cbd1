"""Known answers: read from whatever holds them, and what the consensus says without being told.

A consensus that was told the truth about a task is right there, and says nothing about itself. So
gold is reported apart: the gold tasks are dealt into folds, each fold is solved while only the
other folds are told, and what comes out for the untold ones is compared with the truth (cross
fitting). That is the accuracy to expect on tasks that nobody knows the answer to. With more answers
than `MANY`, where every fold would take long, one run that is told nothing stands for the folds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from gandt.aggregation.confidence import expected_calibration_error, log_loss
from gandt.aggregation.consensus import Consensus
from gandt.aggregation.kinds import as_columns, column_names, column_values, is_missing, read_label
from gandt.aggregation.table import Table
from gandt.answers import Answers, Kind, Label
from gandt.errors import AnswerError

__all__ = ["BINS", "MANY", "cross_fit", "gold_report", "read_gold", "reliability"]

BINS = 10
FOLDS = 5
MANY = 200_000

Floats = npt.NDArray[np.floating[Any]]
Codes = npt.NDArray[np.int32]


def read_gold(gold: Any, answers: Any, kind: Kind) -> tuple[dict[str, Label], list[str]]:
    """Known labels by task, and what should be said about them.

    Parameters
    ----------
    gold
        `{task: label}`, a table with columns `task` and `label` (of a labels table with a column
        `certain`, its certain rows), or a `Consensus`; None for none. What the answers themselves
        carry is used as well; `gold` overrides it.
    answers
        Where they are `Answers`, their `gold` counts.

    Raises
    ------
    AnswerError
        Gold is of another type, or one of its labels is not of this kind.
    """
    known: dict[str, Label] = dict(answers.gold) if isinstance(answers, Answers) else {}
    notes: list[str] = []
    if gold is not None:
        pairs, doubtful = _pairs(gold)
        for task, value in pairs:
            label = _read(task, value, kind)
            if label is not None:
                known[_task(task)] = label
        if doubtful:
            notes.append(
                f"{doubtful:,} rows of the gold table are not certain and were not taken as gold."
            )
    return known, notes


def cross_fit(
    gold: Codes,
    names: npt.NDArray[np.object_],
    solve: Callable[[Codes], Floats],
) -> tuple[npt.NDArray[np.int64], Floats]:
    """What would be believed of each gold task if it were not known.

    Parameters
    ----------
    gold
        (n,) class codes, -1 where unknown.
    names
        (n,) of the tasks; the folds go by their order, so that the order of rows is without effect.
    solve
        Gives (n, k) shown probabilities for a gold array.

    Returns
    -------
    tasks, probabilities
        (g,) gold tasks and (g, k).
    """
    known = np.flatnonzero(gold >= 0)
    known = known[np.argsort(names[known].astype(str), kind="stable")]
    folds = min(FOLDS, len(known))
    found: list[Floats] = []
    tasks: list[npt.NDArray[np.int64]] = []
    for fold in range(folds):
        untold = known[fold::folds]
        told = gold.copy()
        told[untold] = -1
        tasks.append(untold)
        found.append(solve(told)[untold])
    return np.concatenate(tasks), np.concatenate(found)


def gold_report(probabilities: Floats, truth: npt.NDArray[np.integer[Any]]) -> dict[str, float]:
    """How good the consensus is on gold that it was not told.

    Parameters
    ----------
    probabilities
        (g, k) from `cross_fit`.
    truth
        (g,) class codes.

    Returns
    -------
    dict
        `tasks`, `accuracy`, `ece` (expected calibration error, 15 bins), `log_loss` (nats),
        `mean_confidence`, and the reliability table flattened: `bin_<i>_tasks`,
        `bin_<i>_confidence` and `bin_<i>_accuracy` of every bin that holds a task; see
        `reliability`.
    """
    if not len(truth):
        return {}
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    report = {
        "tasks": float(len(truth)),
        "accuracy": float(right.mean()),
        "mean_confidence": float(confidence.mean()),
        "ece": expected_calibration_error(probabilities, truth),
        "log_loss": log_loss(probabilities, truth),
    }
    return report | _flatten(reliability(confidence, right))


def reliability(confidence: Floats, right: npt.NDArray[np.bool_], bins: int = BINS) -> Table:
    """Make a reliability table: whether what is 80 % sure is right 8 times of 10.

    Parameters
    ----------
    confidence
        (g,) in [0, 1].
    right
        (g,) whether the label was right.
    bins
        Of equal width over [0, 1].

    Returns
    -------
    Table
        A row per bin that holds a task: `low`, `high`, `tasks`, `confidence` and `accuracy`.
    """
    place = np.clip((np.asarray(confidence) * bins).astype(np.int64), 0, bins - 1)
    tasks = np.bincount(place, minlength=bins)
    held = np.flatnonzero(tasks)
    sums = (np.bincount(place, values, bins)[held] for values in (confidence, right))
    mean_confidence, accuracy = (total / tasks[held] for total in sums)
    columns: dict[str, Any] = {
        "low": held / bins,
        "high": (held + 1) / bins,
        "tasks": tasks[held],
        "confidence": mean_confidence,
        "accuracy": accuracy,
    }
    return Table(columns)


def _flatten(table: Table) -> dict[str, float]:
    flat: dict[str, float] = {}
    for row in table.rows():
        place = round(row["low"] * BINS)
        for name in ("tasks", "confidence", "accuracy"):
            flat[f"bin_{place}_{name}"] = float(row[name])
    return flat


def _pairs(gold: Any) -> tuple[Iterable[tuple[Any, Any]], int]:
    """Task and label, and the number of rows passed over because they are not certain."""
    gold = gold.labels if isinstance(gold, Consensus) else gold
    if isinstance(gold, (list, tuple)):
        gold = as_columns(gold)
    if isinstance(gold, Mapping) and not _is_table(gold):
        return gold.items(), 0
    names = column_names(gold, "gold")
    missing = [name for name in ("task", "label") if name not in names]
    if missing:
        raise AnswerError(
            f"gold has no column {' or '.join(map(repr, missing))}; give {{task: label}} or a "
            "table with task and label."
        )
    tasks, labels = (list(column_values(gold[name])) for name in ("task", "label"))
    if len(tasks) != len(labels):
        raise AnswerError(
            f"gold has {len(tasks)} tasks and {len(labels)} labels; give one label per task."
        )
    pairs = list(zip(tasks, labels, strict=True))
    if "certain" not in names:
        return pairs, 0
    certain = [value is not None and bool(value) for value in column_values(gold["certain"])]
    sure = [pair for pair, good in zip(pairs, certain, strict=True) if good]
    return sure, len(pairs) - len(sure)


def _is_table(gold: Mapping[Any, Any]) -> bool:
    """Whether a mapping holds columns, not a label per task."""
    columns = [gold.get(name) for name in ("task", "label")]
    return all(hasattr(c, "__len__") and not isinstance(c, (str, Mapping)) for c in columns)


def _task(task: Any) -> str:
    return cast("str", read_label(task, "single")) if not isinstance(task, str) else task


def _read(task: Any, value: Any, kind: Kind) -> Label | None:
    if is_missing(task):
        raise AnswerError("gold has a label without a task; fill in the task or leave it out.")
    try:
        return read_label(value, kind)
    except (ValueError, TypeError, KeyError) as error:
        raise AnswerError(
            f"gold of task {task} holds no label of kind {kind!r}: it {error}."
        ) from error
