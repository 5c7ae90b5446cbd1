"""What is odd about a worker, each finding with its evidence in a sentence.

Five findings: answers that say nothing about the truth, answers against it, always the same answer,
far too fast, wrong on known answers. Few answers are no evidence and give no flag.

*Informedness* is the share of what perfect answers would tell that a worker's answers do tell: the
slope of the answers on what all others' answers make of each task, 1 for a perfect worker, 0 for
one whose answers do not depend on the task. That independence is how Raykar and Yu, "Eliminating
Spammers and Ranking Annotators for Crowdsourced Labeling Tasks" (2012) define a spammer; the slope
is one number, so that a few dozen answers suffice, and its error follows from shuffling the
worker's answers over the tasks (variance in closed form: Hoeffding's combinatorial central limit
theorem, 1951).

Flags are made to be right rather than complete. In simulated crowds of 40 workers and 400 tasks, no
honest worker was flagged, and of those who guess half were with three answers a task (30 each),
three of four with five, nearly all with ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Flagged", "Information", "find_flags"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]

FEWEST = 10  # answers, before they are evidence
FEWEST_GOLD = 4
FEWEST_WORKERS = 5  # with times, before one of them is called fast
Z = 1.645  # of a 95 % upper bound
SPAM = 0.2  # informedness that even the upper bound of a spammer does not reach
AGAINST = -0.2
SURE_AGAINST = 2.58  # standard errors below 0
LEAST_KNOWN = 2.0  # tasks' worth of knowledge about the truth, to measure informedness by
SAME = 0.95  # share of one answer in all of a worker's
TELLING = 0.3  # informedness from which on it does not matter that most answers are the same
RARE = 1e-4  # probability by chance at which sameness is a finding
GOLD_RARE = 1e-3
GOLD_MARGIN = 0.15  # below the accuracy of all workers on known answers
FAST = 1 / 3  # of the typical worker's median time
FAST_SPREADS = 2.5  # robust standard deviations of log time below the typical


@dataclass(frozen=True, slots=True)
class Information:
    """Sums over the answers of each worker; `others` is the others' belief about the truth."""

    answers: Integers  # (w,)
    counts: Integers  # (w, k) answers of each class
    belief: Floats  # (w, k) sum of `others`
    squares: Floats  # (w, k) sum of its squares
    agreed: Floats  # (w,) sum of `others` at the answer given
    mixed: Floats  # (w,) sum of `others` weighted by the worker's shares of answers
    mixed_squares: Floats  # (w,) sum of the squares of that


@dataclass(frozen=True, slots=True)
class Flagged:
    """Sentences by worker, and who is not to be relied on, (w,) bool."""

    sentences: dict[int, tuple[str, ...]]
    unreliable: npt.NDArray[np.bool_]


def informedness(sums: Information) -> tuple[Floats, Floats, Floats]:
    """Slope, its standard error, and tasks' worth of knowledge behind it, (w,) each.

    The slope is NaN where nothing is known to measure by.
    """
    number = np.maximum(sums.answers, 1).astype(np.float64)
    share, mean = sums.counts / number[:, None], sums.belief / number[:, None]
    surplus = sums.agreed - (sums.counts * mean).sum(axis=1)
    knowledge = np.maximum(sums.squares.sum(axis=1) - number * (mean**2).sum(axis=1), 0)
    # Sum over answers and classes of the doubly centered beliefs, squared and weighted by share.
    spread = (share * (sums.squares - number[:, None] * mean**2)).sum(axis=1)
    spread -= sums.mixed_squares - sums.mixed**2 / number
    variance = np.maximum(spread, 0) * number / np.maximum(number - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(knowledge > 1e-9, surplus / knowledge, np.nan)
        error = np.where(knowledge > 1e-9, np.sqrt(variance) / knowledge, np.nan)
    return slope, error, knowledge


def find_flags(
    sums: Information,
    *,
    classes: Sequence[str],
    noun: str,
    gold: tuple[Integers, Floats],
    seconds: tuple[Floats, Integers],
) -> Flagged:
    """Look for what is odd.

    Parameters
    ----------
    sums
        What the answers tell.
    classes
        Their names; empty where the same answer everywhere means nothing.
    noun
        What is counted, for the sentences.
    gold
        (w,) number of answers to known tasks, and of right ones.
    seconds
        (w,) median time of an answer, NaN where unknown, and the number of times behind it.
    """
    sentences: dict[int, list[str]] = {}
    unreliable = np.zeros(len(sums.answers), np.bool_)
    for found, severe in (
        (_uninformed(sums, noun), True),
        (_same(sums, classes), True),
        (_wrong_on_gold(*gold), True),
        (_fast(*seconds), False),
    ):
        for place, sentence in found:
            sentences.setdefault(place, []).append(sentence)
            unreliable[place] |= severe
    return Flagged({place: tuple(lines) for place, lines in sentences.items()}, unreliable)


def _uninformed(sums: Information, noun: str) -> list[tuple[int, str]]:
    slope, error, knowledge = informedness(sums)
    varied = sums.counts.max(axis=1, initial=0) < sums.answers
    with np.errstate(invalid="ignore"):
        enough = (sums.answers >= FEWEST) & (knowledge >= LEAST_KNOWN) & varied
        upper = slope + Z * error
        against = enough & (slope + SURE_AGAINST * error < 0) & (slope < AGAINST)
        spam = enough & (upper < SPAM) & ~against
    found = [
        (
            int(place),
            f"says nothing about the truth: {sums.answers[place]:,} {noun} tell "
            f"{max(slope[place], 0):.0%} of what perfect ones would "
            f"(at most {max(upper[place], 0.01):.0%})",
        )
        for place in np.flatnonzero(spam)
    ]
    return found + [
        (
            int(place),
            f"goes against the truth: {sums.answers[place]:,} {noun} agree with the others' "
            "consensus less often than chance would, as if labels were swapped",
        )
        for place in np.flatnonzero(against)
    ]


def _same(sums: Information, classes: Sequence[str]) -> list[tuple[int, str]]:
    from scipy.special import betainc

    if not len(classes):
        return []
    number = np.maximum(sums.answers, 1)
    top = sums.counts.argmax(axis=1)
    rows = np.arange(len(top))
    most = sums.counts[rows, top]
    expected = np.clip(sums.belief[rows, top] / number, 0, 1)
    slope, _, _ = informedness(sums)
    # Who mostly says no, but is right when saying yes, is careful and tells a lot.
    telling = (most < number) & (slope >= TELLING)
    candidates = (sums.answers >= FEWEST) & (most >= SAME * number) & ~telling
    # P(at least so many | each answer of this class with the expected probability), binomial.
    by_chance = betainc(np.maximum(most, 1), number - most + 1, expected)
    return [
        (
            int(place),
            f"gives the same answer {classes[top[place]]!r} in {most[place] / number[place]:.0%} "
            f"of {number[place]:,} answers, where {expected[place]:.0%} was to be expected",
        )
        for place in np.flatnonzero(candidates & (by_chance < RARE))
    ]


def _wrong_on_gold(answers: Integers, right: Floats) -> list[tuple[int, str]]:
    from scipy.special import betainc

    total = int(answers.sum())
    if not total:
        return []
    pooled = float(right.sum()) / total
    # P(at most so many right | as accurate as all together), binomial.
    by_chance = betainc(np.maximum(answers - right, 1), right + 1, 1 - pooled)
    low = right < (pooled - GOLD_MARGIN) * answers
    found = (answers >= FEWEST_GOLD) & (by_chance < GOLD_RARE) & low
    return [
        (
            int(place),
            f"right on {int(right[place])} of {answers[place]} known answers, where all workers "
            f"together are right on {pooled:.0%}",
        )
        for place in np.flatnonzero(found)
    ]


def _fast(median: Floats, timed: Integers) -> list[tuple[int, str]]:
    known = (timed >= FEWEST) & (median >= 0)
    if np.count_nonzero(known) < FEWEST_WORKERS:
        return []
    logs = np.log(np.maximum(median[known], 0.01))
    typical = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - typical)))  # robust standard deviation
    limit = np.exp(min(typical + np.log(FAST), typical - FAST_SPREADS * spread))
    with np.errstate(invalid="ignore"):
        fast = known & (median < limit)
    return [
        (
            int(place),
            f"takes {median[place]:.1f} s for an answer (median of {timed[place]:,}), where "
            f"workers typically take {np.exp(typical):.1f} s",
        )
        for place in np.flatnonzero(fast)
    ]
