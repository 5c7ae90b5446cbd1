"""From which confidence on a class may be labeled automatically, with a promise that holds.

A probe's probability is a point estimate, and so is the accuracy that some held-out labels show
above a threshold: choosing the lowest threshold that looks good enough breaks the promise in every
second draw. Here a threshold has to be proven on out-of-fold cases. For each class its predictions
are walked from the most confident down, and the accuracy of all so far must be above the target by
an exact one-sided bound (Clopper & Pearson, "The use of confidence or fiducial limits illustrated
in the case of the binomial", Biometrika 1934). The walk stops at the first failure, so however many
thresholds are tried, the chance that a threshold is accepted wrongly stays what it is for one
(fixed-sequence testing: Maurer, Hothorn & Lehmacher, 1995; for thresholds on predictions:
Angelopoulos et al., "Learn then test", 2021).

With no mistake at all, 59 cases are the fewest that prove 95 % with 95 % confidence, since
.95^58 > .05 > .95^59; a class with fewer is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gandt.active.logistic import Floats
from gandt.errors import UsageError
from gandt.types import IntArray

__all__ = ["ClassThreshold", "accept", "choose_thresholds", "fewest_cases", "lower_bound"]

_TRIES = 30  # thresholds tried per class at most


@dataclass(frozen=True, slots=True)
class ClassThreshold:
    """What was found for one class."""

    name: str
    threshold: float  # least confidence of an automatic label; infinite where refused
    cases: int  # out-of-fold cases at or above the threshold, or that there were where refused
    right: int  # of those
    bound: float  # lower end of their accuracy, one-sided; 0 where refused
    reason: str  # why it was refused; "" where it was not

    @property
    def refused(self) -> bool:
        """Whether the class gets no automatic labels."""
        return math.isinf(self.threshold)


def fewest_cases(target: float, confidence: float = 0.95) -> int:
    """How many cases without a mistake prove an accuracy; 59 for 0.95 with 0.95.

    Raises
    ------
    UsageError
        A share is not between 0 and 1.
    """
    _check_shares(target, confidence)
    return math.ceil(math.log(1 - confidence) / math.log(target) - 1e-12)


def lower_bound(right: int, cases: int, confidence: float = 0.95) -> float:
    """Lower end of the one-sided Clopper-Pearson interval of a share; 0 where nothing was right."""
    from scipy.special import betaincinv

    if right == 0:
        return 0.0
    return float(betaincinv(right, cases - right + 1, 1 - confidence))


def choose_thresholds(
    probabilities: Floats,
    labels: IntArray,
    classes: Sequence[str],
    *,
    target: float = 0.95,
    confidence: float = 0.95,
) -> tuple[ClassThreshold, ...]:
    """Choose the least confidence per class that is proven to keep a promised accuracy.

    The promise: of the automatic labels of a class that gets some, at least `target` are right,
    for images drawn as the cases were, with a chance of at least `confidence` per class. It is
    none for a class that nobody labeled; see `gandt.active.guard`.

    Parameters
    ----------
    probabilities
        `(m, k)` out-of-fold predictions of images that people labeled: of probes that saw neither
        the image nor a copy.
    labels
        `(m,)` the class that people gave, as a column; -1 is none of the classes.
    classes
        The `k` names.
    target, confidence
        Between 0 and 1.

    Returns
    -------
    One `ClassThreshold` per class, in the order of `classes`.

    Raises
    ------
    UsageError
        Shapes do not match, or a share is not between 0 and 1.
    """
    least = fewest_cases(target, confidence)
    if probabilities.shape != (len(labels), len(classes)):
        raise UsageError(
            f"{len(labels)} labels of {len(classes)} classes need predictions of that shape, not "
            f"{probabilities.shape}."
        )
    predicted = probabilities.argmax(axis=1) if len(labels) else np.empty(0, np.int64)
    top = probabilities.max(axis=1, initial=0.0)
    return tuple(
        _walk(name, top[predicted == code], labels[predicted == code] == code, least, target, confidence)
        for code, name in enumerate(classes)
    )


def accept(
    probabilities: Floats, thresholds: Sequence[ClassThreshold]
) -> npt.NDArray[np.int64]:
    """Give each image the class that it may be labeled with, else -1; `(n,)`."""
    predicted = probabilities.argmax(axis=1)
    least = np.array([each.threshold for each in thresholds])
    sure = probabilities.max(axis=1) >= least[predicted]
    return np.where(sure, predicted, -1).astype(np.int64)


def _walk(
    name: str,
    top: Floats,
    right: npt.NDArray[np.bool_],
    least: int,
    target: float,
    confidence: float,
) -> ClassThreshold:
    """Walk one class from its most confident case down and stop at the first failure."""
    cases = len(top)
    if cases < least:
        return ClassThreshold(
            name, math.inf, cases, int(right.sum()), 0.0,
            f"{cases} of the {least} labeled images that it takes to promise {target:.0%}",
        )  # fmt: skip
    order = np.argsort(-top, kind="stable")
    ranked, hits = top[order], np.cumsum(right[order])
    found: ClassThreshold | None = None
    for count in _stops(cases, least):
        # Equal confidences are accepted together or not at all.
        end = int(np.searchsorted(-ranked, -ranked[count - 1], side="right"))
        bound = lower_bound(int(hits[end - 1]), end, confidence)
        if bound < target:
            break
        found = ClassThreshold(name, float(ranked[end - 1]), end, int(hits[end - 1]), bound, "")
    if found is not None:
        return found
    wrong = least - int(hits[least - 1])
    return ClassThreshold(
        name, math.inf, cases, int(right.sum()), 0.0,
        f"{wrong} of the {least} most confident predictions are wrong",
    )  # fmt: skip


def _stops(cases: int, least: int) -> list[int]:
    """Numbers of cases at which the walk looks: chosen by how many there are, not by what they are."""
    return np.unique(np.linspace(least, cases, _TRIES).round().astype(int)).tolist()


def _check_shares(*shares: float) -> None:
    for share in shares:
        if not 0 < share < 1:
            raise UsageError(f"{share} is no share between 0 and 1, such as 0.95.")
