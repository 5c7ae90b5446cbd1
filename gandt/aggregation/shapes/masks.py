"""Segmentation masks of several workers to one mask, with a confidence.

Takes `Answers` of kind "mask", gives a `Consensus` whose labels are `Mask`. Every pixel is a vote
on its class, and neighbors help each other, as Ground Truth documents; votes count by how each
worker tends to paint (`mask_model`), learned over all images. Images are taken one at a time, and
all that is kept of one are its patterns of votes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.aggregation.consensus import Consensus
from gandt.aggregation.shapes.answers import check_options
from gandt.aggregation.shapes.mask_answers import (
    MaskCrowd,
    MaskTask,
    Votes,
    collect_masks,
    recoded,
    votes_of,
)
from gandt.aggregation.shapes.mask_model import Painting, believe_patterns, learn
from gandt.aggregation.shapes.mask_smoothing import smooth
from gandt.aggregation.shapes.mask_workers import compare, rate_painters
from gandt.aggregation.shapes.matching import Codes
from gandt.aggregation.shapes.overlap import Floats
from gandt.aggregation.table import Table
from gandt.answers import Answers, Mask
from gandt.errors import UsageError

__all__ = ["aggregate_masks"]

METHOD = "pixels"
_TRUST = 0.8  # weight of the posterior in what is shown; the rest are plain shares of the votes


def aggregate_masks(
    answers: Answers,
    *,
    gold: Mapping[str, Mask] | None = None,
    previous: Answers | None = None,
    smoothing: float = 0.5,
    min_confidence: float = 0.8,
    min_answers: int = 1,
) -> Consensus:
    """Make one mask per image out of those of several workers.

    The confidence of an image is that of its least sure class: for a class that is shown, the
    intersection over union that its region is expected to have with the true one; for a class
    that somebody painted and that is shown nowhere, the probability that it is not there. The
    confidence inside the `Mask` is the mean probability of its pixels.

    Equally probable classes of a pixel are settled by its neighbors, then by the order of classes,
    in which the background is first.

    Parameters
    ----------
    answers
        Of kind "mask". Of masks of one image that differ in size, those of the most frequent size
        count (of several the largest); the others are noted.
    gold
        True masks of some images: shown as they are, and what workers are rated by. Those that
        the answers carry if None.
    previous
        Answers of earlier jobs, to rate workers by; their images are not shown.
    smoothing
        What a neighbor of the same class adds to the log odds of a disputed pixel; 0 for none.
    min_confidence, min_answers
        What an image needs to be certain.

    Raises
    ------
    AnswerError
        Where answers are not of kind "mask", or a mask has a class without a name.
    UsageError
        Where an option is out of its range.

    Examples
    --------
    >>> road = Mask(np.array([[0, 1]], np.uint8), ("BACKGROUND", "road"))
    >>> bare = Mask(np.array([[0, 0]], np.uint8), ("BACKGROUND", "road"))
    >>> answers = Answers("mask", ["a.jpg"] * 3, ["x", "y", "z"], [road, road, bare])
    >>> aggregate_masks(answers).labels["label"][0].pixels.tolist()
    [[0, 1]]
    """
    check_options(min_confidence, min_answers)
    if not (math.isfinite(smoothing) and smoothing >= 0):
        raise UsageError(f"smoothing is {smoothing}: give a number from 0 on.")
    crowd = collect_masks(answers, gold=gold, previous=previous)
    workers, k = max(len(crowd.workers), 1), len(crowd.classes)
    answered = [task for task in crowd.tasks if task.masks]
    images = [(task.workers, votes_of(task, crowd.classes)[0]) for task in answered]
    painting = learn(images, workers, k)
    compared = [compare(who, votes, painting) for who, votes in images]
    counts = np.zeros(workers, np.int64)
    rows: list[_Row] = []
    blind: list[_Row] = []  # of known images, what the answers alone say
    for task in crowd.tasks:
        if not task.shown:
            continue
        counts[task.workers] += 1
        row = _painted(replace(task, gold=None), crowd, painting, smoothing)
        if task.gold is not None:
            truth = recoded(task.gold, {name: code for code, name in enumerate(crowd.classes)})
            if row.label is not None:
                blind.append(replace(row, agreement=float(_likeness(row.label.pixels, truth, k))))
            row = _Row(Mask(truth, crowd.classes, 1.0), 1.0, _agreement(task, truth, crowd.classes))
        rows.append(row)
    shown = [task for task in crowd.tasks if task.shown]
    confidence = np.array([row.confidence for row in rows])
    votes_cast = np.array([len(task.masks) for task in shown], np.int64)
    known = np.array([task.gold is not None for task in shown], np.bool_)
    labels: dict[str, Any] = {
        "task": [task.name for task in shown],
        "label": [row.label for row in rows],
        "confidence": confidence,
        "votes": votes_cast,
        "agreement": np.array([row.agreement for row in rows]),
        "certain": ((confidence >= min_confidence) & (votes_cast >= min_answers)) | known,
        "source": ["gold" if task.gold is not None else "human" for task in shown],
        "tied": [() for _ in rows],
    }
    return Consensus(
        labels=Table(labels),
        workers=rate_painters(
            crowd, answers, painting, [one for one in compared if one is not None], counts
        ),
        kind="mask",
        method=METHOD,
        classes=crowd.classes,
        gold=_against_gold(blind),
        notes=crowd.notes,
    )


@dataclass(frozen=True, slots=True)
class _Row:
    label: Mask | None
    confidence: float
    agreement: float


def _painted(task: MaskTask, crowd: MaskCrowd, painting: Painting, smoothing: float) -> _Row:
    """The mask of one image: votes, neighbors, and how sure all of it is."""
    if not task.masks:
        return _Row(None, 0.0, float("nan"))
    classes, k = crowd.classes, len(crowd.classes)
    votes, layout = votes_of(task, classes)
    present = np.unique(np.append(votes.patterns, np.flatnonzero(votes.agreed)))
    posterior = believe_patterns(task.workers, votes, np.log(painting.disputed))
    local = np.full(k, -1, np.int64)
    local[present] = np.arange(len(present))
    belief = smooth(
        posterior[layout.pattern][:, present], layout.disputed, local[layout.first], smoothing
    )
    shares = np.stack([(votes.patterns == code).sum(1) for code in present], axis=1)
    shares = (shares + 1 / len(present)) / (len(task.workers) + 1)
    belief = _TRUST * belief + (1 - _TRUST) * shares[layout.pattern]
    best = np.round(belief, 9).argmax(1) if len(belief) else np.zeros(0, np.int64)
    pixels = layout.first.copy()
    pixels[layout.disputed] = present[best]
    agreed = _agreed_belief(task.workers, votes, painting)[present][:, present]
    number = votes.agreed[present].astype(np.float64)
    sure = belief[np.arange(len(best)), best].sum() + number @ np.diag(agreed)
    confidence = _least_sure(present, best, belief, agreed, number, votes)
    return _Row(
        Mask(pixels, classes, float(min(sure / votes.pixels, 1.0))),
        confidence,
        _agreement(task, pixels, classes),
    )


def _agreed_belief(who: Codes, votes: Votes, painting: Painting) -> Floats:
    """(k shown, k true): the class of a pixel on which all agree, given that class."""
    k = len(votes.agreed)
    prior = (votes.agreed + votes.counts.sum() / k + 1.0) / (votes.pixels + k)
    logs = np.log(painting.all)[who].sum(0).T + np.log(prior)
    belief = np.exp(logs - logs.max(1, keepdims=True))
    return np.asarray(belief / belief.sum(1, keepdims=True))


def _least_sure(
    present: Codes, best: Codes, belief: Floats, agreed: Floats, number: Floats, votes: Votes
) -> float:
    """The least expected intersection over union of a class; see `aggregate_masks`."""
    worst = 1.0
    for place, code in enumerate(present):
        if code == 0 and len(present) > 1:
            continue  # the background is what the others leave
        inside = best == place
        area = float(inside.sum() + number[place])
        right = float(belief[inside, place].sum() + number[place] * agreed[place, place])
        if area:
            everywhere = float(belief[:, place].sum() + number @ agreed[:, place])
            worst = min(worst, right / (area + everywhere - right))
        else:
            claimed = (votes.patterns == code).any(1)
            chance = belief[:, place] @ np.ones(len(belief)) / max(votes.counts[claimed].sum(), 1)
            worst = min(worst, 1 - min(float(chance), 1.0))
    return float(np.clip(worst, 0.0, 1.0))


def _likeness(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8], classes: int) -> float:
    """Mean intersection over union of the classes in either mask but background; 1 if none is."""
    cells = np.bincount(a.ravel().astype(np.int64) * classes + b.ravel(), minlength=classes**2)
    table = cells.reshape(classes, classes)
    both = np.diag(table)[1:]
    either = table.sum(0)[1:] + table.sum(1)[1:] - both
    return float((both[either > 0] / either[either > 0]).mean()) if either.any() else 1.0


def _agreement(task: MaskTask, shown: npt.NDArray[np.uint8], classes: tuple[str, ...]) -> float:
    codes = {name: code for code, name in enumerate(classes)}
    likeness = [_likeness(recoded(mask, codes), shown, len(classes)) for mask in task.masks]
    return float(np.mean(likeness)) if likeness else float("nan")


def _against_gold(blind: Sequence[_Row]) -> dict[str, float]:
    """How the answers alone did on known images: mean IoU, and how far confidences are off it."""
    if not blind:
        return {}
    likeness = np.array([row.agreement for row in blind])
    confidence = np.array([row.confidence for row in blind])
    bins = np.minimum((confidence * 10).astype(np.int64), 9)
    gap = np.bincount(bins, confidence, 10) - np.bincount(bins, likeness, 10)
    return {
        "tasks": float(len(blind)),
        "accuracy": float(likeness.mean()),
        "ece": float(np.abs(gap).sum() / len(blind)),
    }
