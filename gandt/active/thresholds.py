"""From which confidence on images may be labeled automatically, with a promise that holds.

A probe's probability is a point estimate, and so is the accuracy that some held-out labels show
above a threshold: choosing the lowest threshold that looks good enough broke a promise of 95 % in
half of 40 redraws. Here a threshold has to be proven on out-of-fold cases. They are walked from
the most confident down, and the accuracy of all so far must be above the target by an exact
one-sided bound (Clopper & Pearson, "The use of confidence or fiducial limits illustrated in the
case of the binomial", Biometrika 1934). The walk stops at the first failure, so however many
thresholds are tried, the chance that one is accepted wrongly stays what it is for the first
(fixed-sequence testing: Maurer, Hothorn & Lehmacher, 1995; for thresholds on predictions:
Angelopoulos et al., "Learn then test", 2021).

The promise is about all automatic labels together. Each class has its own threshold all the same:
where its cases, at the common one, are right less often than was promised, its threshold is raised
until they are not, and a class without cases is refused. With `each` every class is walked on its
own and the promise holds for each, at half the coverage.

With no mistake at all, 59 cases are the fewest that prove 95 % with 95 % confidence, since
.95^58 > .05 > .95^59; with fewer nothing is labeled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gandt.active.logistic import Floats
from gandt.errors import UsageError
from gandt.types import BoolArray, IntArray

__all__ = [
    "ClassThreshold",
    "Thresholds",
    "choose_thresholds",
    "fewest_cases",
    "lower_bound",
    "refuse",
]

_STEPS = 20  # the walk looks after each twentieth of the cases
_START = 3  # and first after three of them
_SPARE = 2  # mistakes that the first look can bear where cases allow: one is often an accident


@dataclass(frozen=True, slots=True)
class ClassThreshold:
    """What was found for one class."""

    name: str
    threshold: float  # least confidence of an automatic label; infinite where refused
    cases: int  # out-of-fold cases at or above it; all of the class's predictions where refused
    right: int  # of those
    reason: str  # why it was refused; "" where it was not

    @property
    def refused(self) -> bool:
        """Whether the class gets no automatic labels."""
        return math.isinf(self.threshold)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The thresholds of all classes, and what they prove together."""

    classes: tuple[ClassThreshold, ...]
    target: float
    cases: int  # out-of-fold cases at or above the common threshold; of each class where `each`
    bound: float  # lower end of their accuracy, one-sided; 0 where nothing was proven
    reason: str  # why nothing may be labeled; "" where something may

    def accept(self, probabilities: Floats) -> npt.NDArray[np.int64]:
        """Give each image the class that it may be labeled with, else -1; `(n,)` from `(n, k)`."""
        predicted = probabilities.argmax(axis=1)
        least = np.array([each.threshold for each in self.classes])
        sure = probabilities.max(axis=1) >= least[predicted]
        return np.where(sure, predicted, -1).astype(np.int64)


def fewest_cases(target: float, confidence: float = 0.95) -> int:
    """How many cases without a mistake prove an accuracy; 59 for 0.95 with 0.95.

    Raises
    ------
    UsageError
        A share is not between 0 and 1.
    """
    for name, share in (("target accuracy", target), ("confidence", confidence)):
        if not 0 < share < 1:
            raise UsageError(f"The {name} {share} is no share between 0 and 1, such as 0.95.")
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
    each: bool = False,
) -> Thresholds:
    """Choose the least confidence that is proven to keep a promised accuracy.

    The promise: of the automatic labels at least `target` are right, with a chance of at least
    `confidence`, for images drawn as the cases were and predicted as they were (by the mean of
    the folds' probes: `gandt.active.cross_fit`). It is none for any
    class that nobody labeled; see `gandt.active.guard`.

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
    each
        Whether every class has to be proven on its own.

    Raises
    ------
    UsageError
        Shapes do not match, or a share is not between 0 and 1.
    """
    least = fewest_cases(target, confidence)
    if probabilities.shape != (len(labels), len(classes)) or not classes:
        raise UsageError(
            f"{len(labels)} labels of {len(classes)} classes need predictions of that shape, not "
            f"{probabilities.shape}."
        )
    predicted, top = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = predicted == labels
    walk = _Walk(target, confidence, least)
    mine = [predicted == code for code in range(len(classes))]
    if each:
        found = [walk.down(top[of], right[of]) for of in mine]
        proven = [
            _proven(name, top[of], right[of], step, walk)
            for name, of, step in zip(classes, mine, found, strict=True)
        ]
        bound = min((step.bound for step in found if step.count), default=0.0)
        cases = min((step.count for step in found if step.count), default=0)
        reason = "" if bound else "no class is proven on its own"
        return Thresholds(tuple(proven), target, cases, bound, reason)
    common = walk.down(top, right)
    return Thresholds(
        tuple(
            _raised(name, top[of], right[of], common.threshold, target)
            for name, of in zip(classes, mine, strict=True)
        ),
        target,
        common.count,
        common.bound,
        walk.why_not(top, right) if not common.count else "",
    )


def refuse(found: Thresholds, reason: str) -> Thresholds:
    """Take thresholds back: no class gets automatic labels, for this reason."""
    classes = tuple(replace(each, threshold=math.inf, reason=reason) for each in found.classes)
    return replace(found, classes=classes, cases=0, bound=0.0, reason=reason)


@dataclass(frozen=True, slots=True)
class _Step:
    """How far a walk came."""

    threshold: float = math.inf
    count: int = 0
    bound: float = 0.0


@dataclass(frozen=True, slots=True)
class _Walk:
    target: float
    confidence: float
    least: int

    def down(self, top: Floats, right: BoolArray) -> _Step:
        """Walk from the most confident case down and stop at the first failure."""
        order = np.argsort(-top, kind="stable")
        ranked, hits = top[order], np.cumsum(right[order])
        last = _Step()
        for count in self.stops(len(top)):
            # Equal confidences are accepted together or not at all.
            end = int(np.searchsorted(-ranked, -ranked[count - 1], side="right"))
            bound = lower_bound(int(hits[end - 1]), end, self.confidence)
            if bound < self.target:
                break
            last = _Step(float(ranked[end - 1]), end, bound)
        return last

    def stops(self, cases: int) -> list[int]:
        """Numbers of cases at which the walk looks: by how many there are, not by what they are."""
        if cases < self.least:
            return []
        bearing = self.bearing(_SPARE)
        first = max(self.least, min(bearing, cases // 2), cases * _START // _STEPS)
        step = max(1, cases // _STEPS)
        return [*range(first, cases, step), cases]

    def bearing(self, mistakes: int) -> int:
        """How many cases prove the target with so many mistakes among them; 124 with 2 at 95 %."""
        count = self.least
        while lower_bound(count - mistakes, count, self.confidence) < self.target:
            count += 1
        return count

    def why_not(self, top: Floats, right: BoolArray) -> str:
        """Why a walk did not get anywhere."""
        if len(top) < self.least:
            return (
                f"{len(top)} labeled images are certain where {self.least} without a mistake are "
                f"the fewest that prove {self.target:.0%}"
            )
        first = self.stops(len(top))[0]
        wrong = first - int(right[np.argsort(-top, kind="stable")][:first].sum())
        are = "is" if wrong == 1 else "are"
        return f"{wrong} of the {first} most confident predictions {are} wrong"


def _proven(name: str, top: Floats, right: BoolArray, step: _Step, walk: _Walk) -> ClassThreshold:
    if not step.count:
        return ClassThreshold(name, math.inf, len(top), int(right.sum()), walk.why_not(top, right))
    hits = int(right[top >= step.threshold].sum())
    return ClassThreshold(name, step.threshold, step.count, hits, "")


def _raised(
    name: str, top: Floats, right: BoolArray, common: float, target: float
) -> ClassThreshold:
    """Raise the common threshold for a class whose own cases fall short of the target there."""
    sure = top >= common
    if math.isinf(common) or not sure.any():
        reason = "nothing is proven" if math.isinf(common) else "none of its cases is sure enough"
        return ClassThreshold(name, math.inf, len(top), int(right.sum()), reason)
    order = np.argsort(-top[sure], kind="stable")
    ranked, hits = top[sure][order], np.cumsum(right[sure][order])
    for count in range(len(ranked), 0, -1):
        if count < len(ranked) and ranked[count] == ranked[count - 1]:
            continue
        if hits[count - 1] >= target * count:
            threshold = max(common, float(ranked[count - 1])) if count < len(ranked) else common
            return ClassThreshold(name, threshold, count, int(hits[count - 1]), "")
    return ClassThreshold(
        name, math.inf, len(top), int(right.sum()), "even its surest case is wrong"
    )
