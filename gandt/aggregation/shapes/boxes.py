"""Boxes of several workers to one set of boxes, each with a confidence.

Takes `Answers` of kind "boxes", gives a `Consensus` whose labels are tuples of `Box`. Boxes are
grouped across workers by overlap (`matching`), what exists is decided by what each worker tends to
see and to miss (`detection`), and the edges are averaged robustly (`box_edges`). Ground Truth
documents the first and the last step of that, without workers' rates: the most similar boxes by
Jaccard index, averaged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from gandt.aggregation.consensus import Consensus
from gandt.aggregation.shapes.answers import Corners, Crowd
from gandt.aggregation.shapes.box_edges import average
from gandt.aggregation.shapes.consensus import Placed, ShapeKind, aggregate_shapes
from gandt.aggregation.shapes.detection import Detection
from gandt.aggregation.shapes.matching import Rule
from gandt.aggregation.shapes.overlap import Floats
from gandt.aggregation.shapes.sites import Places
from gandt.aggregation.shapes.workers import Words
from gandt.answers import Answers, Box
from gandt.errors import AnswerError, UsageError

__all__ = ["aggregate_boxes"]

# Pixels; beyond these a number is a mistake, and areas lose all digits.
_SMALLEST, _FARTHEST = 1e-6, 1e9


def aggregate_boxes(
    answers: Answers,
    *,
    gold: Mapping[str, tuple[Box, ...]] | None = None,
    previous: Answers | None = None,
    iou: float = 0.5,
    label_iou: float | None = None,
    keep: float = 0.5,
    min_share: float = 0.0,
    min_confidence: float = 0.8,
    min_answers: int = 1,
) -> Consensus:
    """Make one set of boxes per image out of those of several workers.

    An answer without boxes says that there is nothing, and counts as such. The confidence of a
    box is the probability that something of its class is there; that of an image is the least
    sure decision about it: a box that is shown, one that is left out, or that something there was
    missed by everybody.

    Parameters
    ----------
    answers
        Of kind "boxes". Boxes without a size are left out and noted.
    gold
        True boxes of some images (none: `()`): shown as they are, and what workers are rated by.
        Those that the answers carry if None.
    previous
        Answers of earlier jobs, to rate workers by; their images are not shown.
    iou
        From this overlap on, boxes of one class can be one thing.
    label_iou
        The same for boxes of different classes, which are then one box with a disputed class;
        a quarter of the way from `iou` to 1 if None.
    keep
        Boxes that are less likely than this to be of something are left out.
    min_share
        Boxes that a smaller share of the image's workers drew are left out too.
    min_confidence, min_answers
        What an image needs to be certain.

    Raises
    ------
    AnswerError
        Where answers are not of kind "boxes".
    UsageError
        Where an option is out of its range.

    Examples
    --------
    >>> cat = Box("cat", 10, 10, 30, 20)
    >>> answers = Answers("boxes", ["a.jpg"] * 3, ["ann", "bob", "cy"], [(cat,), (cat,), ()])
    >>> [(box.label, box.left, box.width) for box in aggregate_boxes(answers).labels["label"][0]]
    [('cat', 10.0, 30.0)]
    """
    second = (1 + 3 * iou) / 4 if label_iou is None else label_iou
    if not (0 < iou <= 1 and 0 < second <= 1):
        raise UsageError(
            f"iou is {iou} and label_iou {second}: give overlaps above 0 and at most 1."
        )
    return aggregate_shapes(
        answers,
        _BOXES,
        Rule(iou, second),
        gold=gold,
        previous=previous,
        min_confidence=min_confidence,
        min_answers=min_answers,
        keep=keep,
        min_share=min_share,
    )


def _read(part: object) -> Corners | None:
    if not isinstance(part, Box):
        raise AnswerError(
            f"A label holds {type(part).__name__} where a Box is expected: read these answers with "
            "the reader of their kind."
        )
    left, top, width, height = (
        float(number) for number in (part.left, part.top, part.width, part.height)
    )
    usable = all(math.isfinite(number) and abs(number) <= _FARTHEST for number in (left, top))
    if not (usable and _SMALLEST <= width <= _FARTHEST and _SMALLEST <= height <= _FARTHEST):
        return None
    return part.label, (left, top), (width, height)


def _place(crowd: Crowd, places: Places, model: Detection) -> Placed:
    low, size = average(crowd, places, model)
    return Placed(low, size, np.ones(len(places.sites)), np.ones(len(crowd.shapes)))


def _write(label: str, low: Floats, size: Floats, confidence: float) -> Box:
    return Box(
        label, float(low[0]), float(low[1]), float(size[0]), float(size[1]), confidence=confidence
    )


_BOXES = ShapeKind("boxes", Words("box", "boxes"), 2, False, _read, _place, _write)
