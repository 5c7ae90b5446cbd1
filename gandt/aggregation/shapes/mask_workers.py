"""How good the workers are who paint masks: the workers table, with flags and their evidence.

A worker's mask is compared with what the other workers say of each pixel, own votes left out. The
measure is the F1 score (Dice coefficient) over all that is not background, by image; `accuracy` is
the middle and the 95 % interval of a beta distribution in which every image counts as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.aggregation.shapes.mask_answers import MaskCrowd, Votes
from gandt.aggregation.shapes.mask_model import Painting, believe_patterns, without_each_painter
from gandt.aggregation.shapes.matching import Codes
from gandt.aggregation.shapes.overlap import Floats
from gandt.aggregation.shapes.workers import RELIABLE, interval, median_seconds
from gandt.aggregation.table import Table
from gandt.answers import Answers

__all__ = ["Painted", "compare", "rate_painters"]

_PRIOR = 2.0  # images that the crowd's score counts for in a worker's
_ENOUGH = 5  # images before something is said about a worker


@dataclass(frozen=True, slots=True)
class Painted:
    """What workers painted on one image beside what the others say; `(v,)` pixels each."""

    who: Codes
    both: Floats  # painted, and in the eyes of the others rightly
    own: Floats  # painted as anything but background
    others: Floats  # in the eyes of the others not background
    known: bool  # the others are the known truth

    @property
    def score(self) -> Floats:
        """(v,) F1 score; 1 where there is nothing in either."""
        return np.asarray((2 * self.both + 1) / (self.own + self.others + 1))


def compare(who: Codes, votes: Votes, painting: Painting) -> Painted | None:
    """Compare each worker with the others; None where there are no others."""
    if not votes.comparable:
        return None
    logs = np.log(painting.disputed)
    others = without_each_painter(who, votes, logs, believe_patterns(who, votes, logs))
    agreed = float(votes.agreed[1:].sum())
    answered = votes.patterns.T.astype(np.int64)  # (v, p)
    right = np.take_along_axis(others, answered[:, :, None], axis=2)[:, :, 0]
    painted = answered > 0
    return Painted(
        who,
        both=(right * painted) @ votes.counts + agreed,
        own=painted @ votes.counts + agreed,
        others=(1 - others[:, :, 0]) @ votes.counts + agreed,
        known=votes.known,
    )


def rate_painters(
    crowd: MaskCrowd,
    answers: Answers,
    painting: Painting,
    painted: Sequence[Painted],
    answered: npt.NDArray[np.int64],
    *,
    min_accuracy: float = RELIABLE,
) -> Table:
    """Make the workers table (`WORKER_COLUMNS`): a row for each worker of this job.

    Parameters
    ----------
    painted
        The comparisons of all images that have one.
    answered
        (w,) masks of this job that count.
    """
    workers, present = len(crowd.workers), crowd.present
    sums = np.zeros((4, workers))  # score, images, score on known images, known images
    for image in painted:
        sums[0, image.who] += image.score
        sums[1, image.who] += 1
        if image.known:
            sums[2, image.who] += image.score
            sums[3, image.who] += 1
    crowd_score = (sums[0].sum() + 2) / (sums[1].sum() + 2.5)
    a = sums[0] + _PRIOR * crowd_score
    b = sums[1] - sums[0] + _PRIOR * (1 - crowd_score)
    low, high = interval(a, b)
    accuracy = a / (a + b)
    with np.errstate(invalid="ignore"):
        gold_accuracy = np.where(sums[3] > 0, sums[2] / sums[3], np.nan)
    names = crowd.classes
    columns: dict[str, Any] = {
        "worker": list(crowd.workers[:present]),
        "answers": answered[:present],
        "accuracy": accuracy[:present],
        "accuracy_low": low[:present],
        "accuracy_high": high[:present],
        "gold_answers": sums[3, :present].astype(np.int64),
        "gold_accuracy": gold_accuracy[:present],
        "reliable": accuracy[:present] >= min_accuracy,
        "flags": [_flags(painted, worker) for worker in range(present)],
        "median_seconds": median_seconds(answers, crowd.workers[:present]),
        "confusion": [
            {
                truth: {answer: float(rows[t, a]) for a, answer in enumerate(names)}
                for t, truth in enumerate(names)
            }
            for rows in painting.all[:present]
        ],
    }
    return Table(columns)


def _flags(painted: Sequence[Painted], worker: int) -> tuple[str, ...]:
    rows = []
    for image in painted:
        mine = np.flatnonzero(image.who == worker)
        rows += [(image.both[i], image.own[i], image.others[i]) for i in mine]
    if len(rows) < _ENOUGH:
        return ()
    both, own, others = np.array(rows).T
    there = others >= 1
    flags = []
    if there.sum() >= 2 and not own.any():
        flags.append(
            f"always empty: {len(rows)} masks of nothing but background, {there.sum()} of them "
            "where others see something"
        )
    elif others.sum() > 0 and both.sum() < 0.5 * others.sum():
        share = 1 - both.sum() / others.sum()
        flags.append(f"misses {share:.0%} of what others paint, on {len(rows)} images")
    if own.sum() > 0 and both.sum() < 0.6 * own.sum():
        share = 1 - both.sum() / own.sum()
        flags.append(f"paints what others do not: {share:.0%} of it, on {len(rows)} images")
    return tuple(flags)
