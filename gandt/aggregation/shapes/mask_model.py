"""How workers paint: confusion between classes where they disagree, learned with the truth.

Each disputed pixel has an unknown class, each worker a probability of painting one class over
another (Dawid and Skene, 1979; for masks Warfield, Zou and Wells, "STAPLE", 2004). As Langerak et
al. (2010) argue, pixels on which all agree are left out: their number depends on how much
background an image happens to have, and they would make every worker look perfect.

Neighboring pixels err together: a thing that one worker overlooked is one mistake, not thousands.
So an image counts as a single answer however many pixels are disputed, confusions are shrunk
strongly (towards the worker's own accuracy, that towards the crowd's), and the rounds are few.
Without that, two workers who err in the same places outvote the rest. These strengths were chosen
on simulated crowds. On fresh ones the consensus lay 2 to 4 points of IoU above the plain majority
with five masks an image and about 1 with three; with two there is little to learn from, and it lay
between 9 points above and 7 below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gandt.aggregation.shapes.detection import shrunk_confusion
from gandt.aggregation.shapes.mask_answers import Votes
from gandt.aggregation.shapes.matching import Codes
from gandt.aggregation.shapes.overlap import Floats

__all__ = ["Painting", "believe_patterns", "learn", "without_each_painter"]

_ROUNDS = 3
_OWN = 30.0  # images that a plain error pattern counts for in a worker's confusion
_CROWD = 12.0  # images that the crowd's accuracy counts for in a worker's
_ACCURACY = (8.0, 2.0)  # right and wrong images that the prior of the crowd counts for


@dataclass(frozen=True, slots=True)
class Painting:
    """The learned rates of `w` workers and `k` classes."""

    disputed: Floats  # (w, k truths, k answers) where workers disagree
    all: Floats  # (w, k, k) over all pixels


def learn(images: Sequence[tuple[Codes, Votes]], workers: int, classes: int) -> Painting:
    """Learn confusions from the patterns of all images (workers of the columns, votes)."""
    posteriors = [_shares(votes, classes) for _, votes in images]
    disputed = _shrunk(np.zeros((workers, classes, classes)))
    for _ in range(_ROUNDS):
        counts = np.zeros((workers, classes, classes))
        for (who, votes), posterior in zip(images, posteriors, strict=True):
            if votes.comparable and len(votes.counts):
                weight = votes.counts / votes.counts.sum()
                _count(counts, who, votes, posterior * weight[:, None])
        disputed = _shrunk(counts)
        logs = np.log(disputed)
        posteriors = [believe_patterns(who, votes, logs) for who, votes in images]
    return Painting(disputed, _all_pixels(images, posteriors, workers, classes))


def _shrunk(counts: Floats) -> Floats:
    """Confusion of each worker, rows summing to 1, from soft counts `(w, k truths, k answers)`."""
    k = counts.shape[1]
    if k == 1:
        return np.ones_like(counts)
    right = np.trace(counts, axis1=1, axis2=2)
    total = counts.sum((1, 2))
    crowd = (right.sum() + _ACCURACY[0]) / (total.sum() + sum(_ACCURACY))
    accuracy = ((right + _CROWD * crowd) / (total + _CROWD))[:, None, None]
    plain = accuracy * np.eye(k) + (1 - accuracy) / (k - 1) * (1 - np.eye(k))
    return np.asarray((counts + _OWN * plain) / (counts.sum(2, keepdims=True) + _OWN))


def believe_patterns(who: Codes, votes: Votes, logs: Floats) -> Floats:
    """(p, k) class of each pattern, all classes that somebody chose being equally likely before.

    `logs` are those of `Painting.disputed`.
    """
    total = np.zeros((len(votes.counts), logs.shape[1]))
    for column, worker in enumerate(who):
        total += logs[worker][:, votes.patterns[:, column]].T
    return _known(_softmax(total), votes)


def without_each_painter(who: Codes, votes: Votes, logs: Floats, posterior: Floats) -> Floats:
    """(v, p, k): what the others say of each pattern, without each worker in turn."""
    with np.errstate(divide="ignore"):
        total = np.log(posterior)
    result = np.empty((len(who), *posterior.shape))
    for column, worker in enumerate(who):
        result[column] = _known(
            _softmax(total - logs[worker][:, votes.patterns[:, column]].T), votes
        )
    return result


def _shares(votes: Votes, classes: int) -> Floats:
    patterns, workers = votes.patterns.shape
    cells = (np.arange(patterns)[:, None] * classes + votes.patterns).ravel()
    shares = np.bincount(cells, minlength=patterns * classes).reshape(patterns, classes)
    return _known(shares / max(workers, 1), votes)


def _known(posterior: Floats, votes: Votes) -> Floats:
    known = votes.truth >= 0
    posterior[known] = np.eye(posterior.shape[1])[votes.truth[known]]
    return posterior


def _softmax(logs: Floats) -> Floats:
    shifted = np.exp(logs - logs.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))


def _count(counts: Floats, who: Codes, votes: Votes, weight: Floats) -> None:
    """Add the soft counts of an image, `(p, k)` weights, to `(w, k truths, k answers)`."""
    k = counts.shape[1]
    for column, worker in enumerate(who):
        answer = votes.patterns[:, column]
        for truth in range(k):
            counts[worker, truth] += np.bincount(answer, weight[:, truth], minlength=k)


def _all_pixels(
    images: Sequence[tuple[Codes, Votes]],
    posteriors: Sequence[Floats],
    workers: int,
    classes: int,
) -> Floats:
    """Confusion over all pixels, each image counting as ten pixels however large it is."""
    counts = np.zeros((workers, classes, classes))
    for (who, votes), posterior in zip(images, posteriors, strict=True):
        if not votes.comparable:
            continue  # a worker alone agrees with everything
        scale = 10.0 / votes.pixels
        _count(counts, who, votes, posterior * (votes.counts * scale)[:, None])
        diagonal = np.arange(classes)
        counts[who[:, None], diagonal, diagonal] += votes.agreed * scale
    return shrunk_confusion(counts)
