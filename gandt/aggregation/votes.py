"""Votes: counts per task and class, majority, and votes weighted by agreement.

Majority vote asks nothing of a worker. The weighted vote is "worker agreement with aggregate"
(Wawa, in crowd-kit's words): a worker's vote counts as much as the worker agrees with the winners.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.aggregation.encode import Encoded
from gandt.aggregation.factorize import Codes

__all__ = [
    "Floats",
    "agreement_weights",
    "count_votes",
    "shares_of",
    "smoothed",
    "winners",
    "worker_agreement",
]

Floats = npt.NDArray[np.floating[Any]]

_TASKS = 1 << 15  # tasks counted at a time
_TIE = 1e-6  # relative difference up to which two sums of weights are equal


def count_votes(
    data: Encoded, weights: Floats | None = None, tasks: slice = slice(None)
) -> npt.NDArray[np.float32]:
    """Add up the votes of each class.

    Parameters
    ----------
    data
        Answers in codes.
    weights
        (w,) what a vote of each worker counts; 1 without it.
    tasks
        Which ones; all of them without it.

    Returns
    -------
    (tasks, k) float32.
    """
    begin, end, _ = tasks.indices(len(data.tasks))
    classes = len(data.classes)
    votes = np.zeros((end - begin, classes), np.float32)
    for first in range(begin, end, _TASKS):
        last = min(first + _TASKS, end)
        rows = slice(data.start[first], data.start[last])
        cells = np.repeat(np.arange(last - first) * classes, np.diff(data.start[first : last + 1]))
        cells += data.label[rows]
        weight = None if weights is None else weights[data.worker[rows]]
        counted = np.bincount(cells, weight, minlength=(last - first) * classes)
        votes[first - begin : last - begin] = counted.reshape(-1, classes)
    return votes


def shares_of(votes: Floats) -> Floats:
    """(n, k) share of each class in the votes; equal shares where there are none."""
    total = _row_sums(votes)
    shares = votes / np.maximum(total, _TIE)
    shares[total[:, 0] == 0] = 1 / max(votes.shape[1], 1)
    return np.asarray(shares)


def smoothed(votes: Floats) -> Floats:
    """(n, k) `(votes + 1/k) / (all votes + 1)`: one more vote, spread over all classes."""
    shown = votes + np.asarray(1 / max(votes.shape[1], 1), votes.dtype)
    shown /= _row_sums(votes) + 1
    return np.asarray(shown)


def _row_sums(votes: Floats) -> Floats:
    """(n, 1); a product, since numpy adds up short rows slowly."""
    return np.asarray(votes @ np.ones((votes.shape[1], 1), votes.dtype))


def winners(votes: Floats) -> Floats:
    """(n, k) 1 for the class with most votes; a tie is split evenly, none where there are none."""
    best = votes.max(axis=1, keepdims=True, initial=0)
    won = ((votes >= best * (1 - _TIE)) & (best > 0)).astype(votes.dtype)
    won /= np.maximum(won.sum(axis=1, keepdims=True), 1)
    return np.asarray(won)


def worker_agreement(data: Encoded, belief: Floats) -> tuple[Floats, Floats]:
    """Expected number of right answers of each worker, and the number of answers: (w,) each.

    `belief` is the (n, k) probability of each class; every worker's answer is weighed by the
    probability that it is the truth.
    """
    workers = len(data.workers)
    right = np.zeros(workers)
    for first in range(0, len(data.tasks), _TASKS):
        last = min(first + _TASKS, len(data.tasks))
        rows = slice(data.start[first], data.start[last])
        task = np.repeat(np.arange(first, last), np.diff(data.start[first : last + 1]))
        agreed = belief[task, data.label[rows]]
        right += np.bincount(data.worker[rows], agreed, minlength=workers)
    return right, np.bincount(data.worker, minlength=workers).astype(np.float64)


def agreement_weights(
    data: Encoded, votes: Floats, *, rounds: int = 10, gold: Codes | None = None
) -> tuple[Floats, int]:
    """What a worker's vote counts: how often the worker agrees with the winners.

    The mean over all answers is 1, so that an answer is still worth a vote.

    Winners and weights are found in turn until they stand still; one round is crowd-kit's Wawa. On
    the music data, with ten classes, further rounds gain 0.5 to 1 point.

    Parameters
    ----------
    data, votes
        Answers in codes, and `count_votes` of them.
    rounds
        At most.
    gold
        (n,) class of a known task, which wins there, else -1.

    Returns
    -------
    weights, rounds
        (w,), none negative; and the rounds that were needed.
    """
    known = np.zeros(0, np.int64) if gold is None else np.flatnonzero(gold >= 0)
    weights = np.ones(len(data.workers))
    done = 0
    while done < rounds:
        won = winners(votes)
        if gold is not None:
            won[known] = 0
            won[known, gold[known]] = 1
        right, given = worker_agreement(data, won)
        before, weights = weights, right / np.maximum(given, 1)
        weights *= given.sum() / max(right.sum(), _TIE)
        done += 1
        if np.allclose(before, weights, rtol=0, atol=_TIE):
            break
        votes = count_votes(data, weights)
    return weights, done
