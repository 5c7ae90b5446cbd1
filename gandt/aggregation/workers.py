"""How good each worker is: accuracy with an interval, gold, confusion, time, and what is odd.

**Accuracy** is the expected share of right answers: the sum of the calibrated probabilities that
the consensus gives to a worker's answers, and 1 or 0 where the truth is known. Measured on four
public sets, the raw posterior of the model is 1 to 7 points too high. Leaving a worker's own answer
out of it does not repair that: it is off by up to 4 points too high and 6 too low with all answers,
and 3 to 16 too low with three a task, where too little is left to judge by. Calibrated
probabilities are off by -2 to 2 points, with three a task by 0 to 5. Where workers err
independently, as in simulations, they are cautious, and the estimate is 3 to 5 points too low.

The **95 % interval** is that of a beta distribution with the moments of Beta(prior + right, prior +
wrong), where the number of right answers varies both task by task and, by the same shift of the
log-odds in all of the worker's tasks, with how far the consensus can be trusted at all. Known
answers have no such doubt, so that gold narrows the interval. `PRIOR` and `DOUBT` were chosen on
those four sets, where the interval holds the accuracy of 92 to 100 % of the workers with 20 answers
or more; on simulated crowds that had no part in the choice, of 94 to 98 %.

What is odd about a worker is found in `worker_flags`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from gandt.aggregation.table import Table
from gandt.aggregation.worker_flags import Flagged, Information, find_flags

__all__ = ["ConfusionColumn", "Judged", "WorkerGold", "gold_hits", "worker_table"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]

PRIOR = 2.0  # pseudo-answers at the accuracy of all workers together
DOUBT = 0.5  # standard deviation of the log-odds shift that a worker's tasks share
LEAST_SHOWN = 0.005  # of a cell of a confusion matrix
_CELLS = 1 << 20  # of the blocks in which answers are gone through


@dataclass(frozen=True, slots=True)
class Judged:
    """Every answer with what is believed of it; `a` answers, `w` workers, `k` classes."""

    worker: Integers  # (a,)
    label: Integers  # (a,)
    workers: int
    classes: int
    right: npt.NDArray[np.floating[Any]]  # (a,) probability that the answer is right; gold: 0 or 1
    # Belief about the truth from everything but the worker's own answer: rows low:high, (b, k).
    others: Callable[[int, int], npt.NDArray[np.floating[Any]]]
    # (a,) bool: answers to questions that were not raised by the worker alone; None: all. Only of
    # these can it be asked whether the answer follows the truth.
    raised: npt.NDArray[np.bool_] | None = None
    noun: str = "answers"  # what they are, in a sentence

    def blocks(self) -> list[tuple[int, int]]:
        """Bounds of blocks that are gone through one at a time."""
        step = max(1024, _CELLS // max(1, self.classes))
        return [(at, min(at + step, len(self.label))) for at in range(0, len(self.label), step)]


@dataclass(frozen=True, slots=True)
class WorkerGold:
    """Answers to tasks whose truth is known, (w,) each."""

    answers: Integers
    right: Floats


class ConfusionColumn(Sequence[dict[str, dict[str, float]]]):
    """Confusion matrices as nested dicts, each made when it is looked at.

    `column[i]` is `{true class: {answered class: probability}}`, cells of at least 0.005.
    """

    __slots__ = ("_answers", "_matrices", "_truths")

    def __init__(
        self, matrices: Floats, truths: Sequence[str], answers: Sequence[str] | None = None
    ) -> None:
        self._matrices = matrices  # (w, truths, answers)
        self._truths = tuple(truths)
        self._answers = self._truths if answers is None else tuple(answers)

    def __len__(self) -> int:
        return len(self._matrices)

    @overload
    def __getitem__(self, place: int) -> dict[str, dict[str, float]]: ...

    @overload
    def __getitem__(self, place: slice) -> list[dict[str, dict[str, float]]]: ...

    def __getitem__(
        self, place: int | slice
    ) -> dict[str, dict[str, float]] | list[dict[str, dict[str, float]]]:
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        matrix = self._matrices[place]
        table: dict[str, dict[str, float]] = {}
        for row, column in np.argwhere(matrix >= LEAST_SHOWN).tolist():
            cells = table.setdefault(self._truths[row], {})
            cells[self._answers[column]] = round(float(matrix[row, column]), 4)
        return table


def gold_hits(
    worker: Integers, known: npt.NDArray[np.bool_], right: Any, workers: int
) -> WorkerGold:
    """Count answers to known tasks and those that are right.

    `known` is (a,) bool; `right` (a,) is 0 or 1 there.
    """
    who = worker[known]
    hits = np.bincount(who, np.asarray(right[known], np.float64), workers)
    return WorkerGold(np.bincount(who, minlength=workers), np.rint(hits))


def worker_table(
    names: Sequence[str],
    judged: Judged,
    *,
    gold: WorkerGold,
    confusion: Sequence[dict[str, dict[str, float]]],
    classes: Sequence[str],
    answers: Integers | None = None,
    seconds: tuple[Integers, Floats] | None = None,
    rule: tuple[npt.NDArray[np.bool_], Sequence[str]] | None = None,
    only: npt.NDArray[np.bool_] | None = None,
) -> Table:
    """One row per worker, columns WORKER_COLUMNS.

    Parameters
    ----------
    names
        (w,) of the workers.
    judged
        Their answers.
    answers
        (w,) number of answers to show, where `judged` counts other things than whole answers.
    seconds
        Worker and seconds of each answer, (a,) each, NaN where unknown.
    rule
        Who is reliable by another rule than the flags, (w,), and a sentence for each who is not,
        empty for the others.
    only
        (w,) who gets a row; everybody by default.
    """
    number, accuracy, low, high = _accuracy(judged)
    given = number if answers is None else answers
    who, times = (np.zeros(0, np.int64), np.zeros(0)) if seconds is None else seconds
    median, timed = _medians(who, times, judged.workers)
    flagged = find_flags(
        _information(judged),
        classes=classes,
        noun=judged.noun,
        gold=(gold.answers, gold.right),
        seconds=(median, timed),
    )
    reliable, flags = _combine(flagged, rule, judged.workers)
    shown = np.arange(judged.workers) if only is None else np.flatnonzero(only)
    with np.errstate(invalid="ignore"):
        gold_accuracy = np.where(gold.answers > 0, gold.right / gold.answers, np.nan)
    columns: dict[str, Any] = {
        "worker": np.asarray(names, object)[shown],
        "answers": np.asarray(given)[shown],
        "accuracy": accuracy[shown],
        "accuracy_low": low[shown],
        "accuracy_high": high[shown],
        "gold_answers": np.asarray(gold.answers)[shown],
        "gold_accuracy": gold_accuracy[shown],
        "reliable": reliable[shown],
        "flags": [flags[place] for place in shown],
        "median_seconds": median[shown],
        "confusion": _Chosen(confusion, shown) if only is not None else confusion,
    }
    return Table(columns)


class _Chosen(Sequence[Any]):
    """Some rows of a column, in the order of `places`, still made when they are looked at."""

    __slots__ = ("_column", "_places")

    def __init__(self, column: Sequence[Any], places: npt.NDArray[np.int64]) -> None:
        self._column, self._places = column, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return [self._column[int(at)] for at in self._places[place]]
        return self._column[int(self._places[place])]


def _accuracy(judged: Judged) -> tuple[Integers, Floats, Floats, Floats]:
    """Answers of every worker, and posterior mean and 95 % credible interval of the accuracy."""
    from scipy.special import betaincinv

    number = np.zeros(judged.workers, np.int64)
    right, doubt = np.zeros(judged.workers), np.zeros(judged.workers)
    for low, high in judged.blocks():
        worker = judged.worker[low:high]
        belief = judged.right[low:high].astype(np.float64)
        number += np.bincount(worker, minlength=judged.workers)
        right += np.bincount(worker, belief, judged.workers)
        doubt += np.bincount(worker, belief * (1 - belief), judged.workers)
    # One pseudo-answer right and one wrong, so that no pooled accuracy is beyond doubt.
    pooled = (right.sum() + 1) / (number.sum() + 2)
    total = number + PRIOR
    hits = right + PRIOR * pooled
    mean = hits / total
    variance_of_right = np.maximum(doubt, 0) + (DOUBT * np.maximum(doubt, 0)) ** 2
    within = np.maximum(hits * (total - hits) - variance_of_right, 0) / (total**2 * (total + 1))
    spread = mean * (1 - mean)
    variance = np.minimum(within + variance_of_right / total**2, 0.9 * spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        strength = spread / variance - 1
        low, high = (betaincinv(mean * strength, (1 - mean) * strength, p) for p in (0.025, 0.975))
    # Where nothing is left to vary, or the mean lies outside a very lopsided interval.
    low = np.minimum(np.where(np.isfinite(low), low, mean), mean)
    high = np.maximum(np.where(np.isfinite(high), high, mean), mean)
    return number, mean, low, high


def _information(judged: Judged) -> Information:
    """Sums over each worker's answers that say what the answers tell about the truth."""
    workers, classes, raised = judged.workers, judged.classes, judged.raised
    flat = np.zeros(workers * classes, np.int64)
    for low, high in judged.blocks():
        cells = judged.worker[low:high].astype(np.int64) * classes + judged.label[low:high]
        cells = cells if raised is None else cells[raised[low:high]]
        flat += np.bincount(cells, minlength=workers * classes)
    counts = flat.reshape(workers, classes)
    number = counts.sum(axis=1)
    share = counts / np.maximum(number, 1)[:, None]
    belief, squares = np.zeros((workers, classes)), np.zeros((workers, classes))
    agreed, mixed, mixed_squares = np.zeros(workers), np.zeros(workers), np.zeros(workers)
    for low, high in judged.blocks():
        worker, label = judged.worker[low:high], judged.label[low:high]
        others = np.asarray(judged.others(low, high), np.float64)
        if raised is not None:
            kept = raised[low:high]
            worker, label, others = worker[kept], label[kept], others[kept]
        agreed += np.bincount(worker, others[np.arange(len(label)), label], workers)
        by_share = np.einsum("bk,bk->b", others, share[worker])
        mixed += np.bincount(worker, by_share, workers)
        mixed_squares += np.bincount(worker, by_share**2, workers)
        for name in range(classes):
            column = others[:, name]
            belief[:, name] += np.bincount(worker, column, workers)
            squares[:, name] += np.bincount(worker, column**2, workers)
    return Information(number, counts, belief, squares, agreed, mixed, mixed_squares)


def _medians(worker: Integers, seconds: Floats, workers: int) -> tuple[Floats, Integers]:
    """Median of each worker's known times, NaN without any, and how many there are."""
    known = np.isfinite(seconds)
    worker, seconds = worker[known], seconds[known]
    order = np.lexsort((seconds, worker))
    seconds = seconds[order]
    number = np.bincount(worker, minlength=workers)
    first = np.cumsum(number) - number
    median = np.full(workers, np.nan)
    timed = number > 0
    lower, upper = first + (number - 1) // 2, first + number // 2
    median[timed] = (seconds[lower[timed]] + seconds[upper[timed]]) / 2
    return median, number


def _combine(
    flagged: Flagged, rule: tuple[npt.NDArray[np.bool_], Sequence[str]] | None, workers: int
) -> tuple[npt.NDArray[np.bool_], list[tuple[str, ...]]]:
    flags = [flagged.sentences.get(place, ()) for place in range(workers)]
    if rule is None:
        return ~flagged.unreliable, flags
    reliable, reasons = rule
    return reliable, [
        (reason, *sentences) if reason else sentences
        for reason, sentences in zip(reasons, flags, strict=True)
    ]
