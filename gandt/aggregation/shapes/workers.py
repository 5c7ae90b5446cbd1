"""How good the workers are who draw shapes: the workers table, with flags and their evidence.

A worker is compared with what probably is there: a shape is right as far as something of its class
is, and what is there and was not drawn is missed. `accuracy` is the F1 score of that, the middle
and the 95 % interval of a beta distribution whose prior is the crowd's own score.

The worker's own vote is part of that probability, weighed by the learned rates. Leaving it out
looks fairer and is not: others who missed a thing then make it look invented (on simulated workers
the score fell short of the true one by 3 points with five answers an image and by 20 with two, and
is 0 to 4 points above it this way). Instead a comparison with few others counts less, and where
nobody else answered none is made.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gandt.aggregation.shapes.answers import Crowd
from gandt.aggregation.shapes.detection import Detection
from gandt.aggregation.shapes.overlap import Floats
from gandt.aggregation.shapes.sites import Places
from gandt.aggregation.table import Table
from gandt.answers import Answers

__all__ = ["Words", "Worth", "interval", "median_seconds", "nothing_word", "rate_workers"]

RELIABLE = 0.5  # the least F1 score of a worker to rely on
_PRIOR = 2.0  # shapes that the crowd's score counts for in a worker's
_ENOUGH = 5  # shapes, or answers, before something is said about a worker
_PROBABLE = 0.95


@dataclass(frozen=True, slots=True)
class Words:
    """How the shapes of a kind are called."""

    one: str
    many: str


@dataclass(frozen=True, slots=True)
class Worth:
    """Sums over a worker's answers, `(w,)` each, by what a comparison is worth."""

    right: Floats  # shapes of what is there
    wrong: Floats  # shapes of what is not
    missed: Floats  # things that were not drawn
    empty_wrong: Floats  # answers without a shape where something is there
    empty: Floats  # answers without a shape, as a number
    answers: Floats  # answers that can be compared, as a number


def rate_workers(
    crowd: Crowd,
    places: Places,
    model: Detection,
    fit: Floats,
    answers: Answers,
    gold_scores: Floats,
    words: Words,
    *,
    min_accuracy: float = RELIABLE,
) -> Table:
    """Make the workers table (`WORKER_COLUMNS`): a row for each worker of this job.

    Parameters
    ----------
    fit
        (m,) how probably each shape lies where it should, if something is there.
    gold_scores
        (r,) F1 score of each answer against the known truth, NaN where none is known.
    """
    worth = _worth(crowd, places, model, fit)
    doubt = (worth.wrong + worth.missed) / 2
    crowd_score = (worth.right.sum() + 2) / (worth.right.sum() + doubt.sum() + 2.5)
    a = worth.right + _PRIOR * crowd_score
    b = doubt + _PRIOR * (1 - crowd_score)
    low, high = interval(a, b)
    accuracy = a / (a + b)
    this_job = crowd.row_task < crowd.shown
    count = np.bincount(crowd.row_worker[this_job], minlength=len(crowd.workers))
    scored = ~np.isnan(gold_scores)
    gold_count = np.bincount(crowd.row_worker[scored], minlength=len(crowd.workers))
    gold_sum = np.bincount(
        crowd.row_worker[scored], gold_scores[scored], minlength=len(crowd.workers)
    )
    present = crowd.present
    with np.errstate(invalid="ignore"):
        gold_accuracy = np.where(gold_count > 0, gold_sum / gold_count, np.nan)
    columns: dict[str, Any] = {
        "worker": list(crowd.workers[:present]),
        "answers": count[:present],
        "accuracy": accuracy[:present],
        "accuracy_low": low[:present],
        "accuracy_high": high[:present],
        "gold_answers": gold_count[:present],
        "gold_accuracy": gold_accuracy[:present],
        "reliable": accuracy[:present] >= min_accuracy,
        "flags": [_flags(worth, worker, words) for worker in range(present)],
        "median_seconds": median_seconds(answers, crowd.workers[:present]),
        "confusion": _confusion(crowd, model),
    }
    return Table(columns)


def interval(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """95 % of a beta distribution: its 2.5 and 97.5 percentiles."""
    from scipy.special import betaincinv

    return np.asarray(betaincinv(a, b, 0.025)), np.asarray(betaincinv(a, b, 0.975))


def median_seconds(answers: Answers, workers: Sequence[str]) -> Floats:
    """(w,) median of the active seconds that each worker spent on a task; NaN where unknown."""
    spent: dict[str, list[float]] = {}
    for worker, seconds in zip(answers.worker, answers.seconds_spent, strict=False):
        if seconds is not None and seconds == seconds:
            spent.setdefault(worker, []).append(seconds)
    return np.array(
        [statistics.median(spent[name]) if name in spent else np.nan for name in workers]
    )


def nothing_word(classes: Sequence[str]) -> str:
    """The name of having drawn nothing in a confusion; never that of a class."""
    word = "nothing"
    while word in classes:
        word = f"({word})"
    return word


def _worth(crowd: Crowd, places: Places, model: Detection, fit: Floats) -> Worth:
    sites, workers = places.sites, len(crowd.workers)
    answers = np.diff(crowd.start)
    # What a comparison within n answers is worth; nothing where there is only one's own.
    value = np.where(answers > 0, 1 - 1 / np.maximum(answers, 1), 0.0)
    value[list(crowd.gold)] = 1.0
    belief = model.posterior[sites.site]
    drawn = sites.answer > 0
    something = 1 - belief[:, 0]
    agreed = np.where(drawn, belief[np.arange(len(drawn)), sites.answer], 0.0)
    agreed[places.vote] *= fit
    weight = value[places.task][sites.site]

    def per_worker(values: Floats) -> Floats:
        return np.bincount(sites.worker, values * weight, workers).astype(np.float64)

    # An answer without shapes is right as far as nothing is there.
    rows = len(crowd.row_task)
    seen = np.zeros(rows)
    np.maximum.at(seen, places.row, something)
    row_value = value[crowd.row_task]
    empty = np.bincount(crowd.row, minlength=rows) == 0

    def per_row(values: Floats) -> Floats:
        return np.bincount(crowd.row_worker, values, workers).astype(np.float64)

    return Worth(
        right=per_worker(agreed) + per_row(empty * row_value * (1 - seen)),
        wrong=per_worker(np.where(drawn, 1 - agreed, 0.0)),
        missed=per_worker(something - agreed),
        empty=per_row(empty * (row_value > 0)),
        empty_wrong=per_row(empty * row_value * seen),
        answers=per_row((row_value > 0).astype(np.float64)),
    )


def _flags(worth: Worth, worker: int, words: Words) -> tuple[str, ...]:
    flags = []
    wrong, missed = float(worth.wrong[worker]), float(worth.missed[worker])
    right, empty_wrong = float(worth.right[worker]), float(worth.empty_wrong[worker])
    if _surely_more(wrong, right, 0.4):
        flags.append(
            f"draws {words.many} where nothing like it is: {wrong / (wrong + right):.0%} of them"
        )
    if _surely_more(missed, right, 0.4):
        flags.append(f"misses {missed / (missed + right):.0%} of what is there")
    empty, answers = int(worth.empty[worker]), int(worth.answers[worker])
    if empty == answers >= _ENOUGH and empty_wrong >= 2:
        flags.append(
            f"always empty: {empty} answers without any {words.one}, about {empty_wrong:.0f} of "
            "them where something is"
        )
    return tuple(flags)


def _surely_more(hits: float, misses: float, share: float) -> bool:
    """Whether the true share is above `share` with a probability of 0.95, from an even prior."""
    from scipy.special import betainc

    return hits + misses >= _ENOUGH and bool(betainc(hits + 1, misses + 1, share) < 1 - _PROBABLE)


def _confusion(crowd: Crowd, model: Detection) -> list[dict[str, dict[str, float]]]:
    if not crowd.classes:
        return [{} for _ in range(crowd.present)]
    names = (nothing_word(crowd.classes), *crowd.classes)
    table = model.table()[: crowd.present]
    return [
        {
            truth: {answer: float(rows[a, c]) for a, answer in enumerate(names)}
            for c, truth in enumerate(names)
        }
        for rows in table
    ]
