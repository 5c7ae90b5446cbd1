"""When to stop: three kinds of answer, from a hint to a limit, each said as what it is.

- *Dry run*: 60 labels in a row that were chosen to find a class and did not. A hint.
- *Estimate*: what is left, as the sum of cross-fitted probabilities over the unlabeled images,
  doubled. It held in 30 of 30 rehearsals on clothing (1 % positives; at the 60th miss 7 of 47 were
  left on average and 22 were said to be at most), undoubled in 26; with an L2 strength of 100 in
  place of 10 it would have held in 9. Before the 60th miss it is far too high, since the labels
  hold more of the class than the pool. It is measured, not proven, and is shown as an estimate.
- *Limit*: only a uniform draw without a hit bounds what is left whatever the probe missed: 200,
  400 or 600 such labels say at most 1.5, 0.75 or 0.5 % of the unlabeled images (95%).

All but the limit rest on the probe, which may not see a class at all: of a kind of defect that the
vectors did not show, 60 misses in a row left 9 of 40, and 4 were said to be left at most. Whether
it sees it shows in what it says out of fold: the mean probability of the class over its labeled
images less that over the others (Tjur, "Coefficients of determination in logistic regression
models", 2009) was .03 to .05 there, and .10 to .76 in all rehearsals where the estimate held.
Below .08 neither misses nor estimate count.

Whether another round pays is a fourth question, answered by its price and what a find is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gandt.active.estimates import SURE, draws_of, remaining, upper_share
from gandt.active.labeled import Labeled
from gandt.active.logistic import Floats
from gandt.errors import UsageError

__all__ = [
    "DRY_RUN",
    "LEAST_SEEN",
    "ClassOutlook",
    "RoundWorth",
    "Verdict",
    "dry_run",
    "outlook",
    "round_worth",
    "seen_by_probe",
    "verdict",
]

DRY_RUN = 60  # chosen labels in a row without a hit
LEAST_SEEN = 0.08  # Tjur's coefficient from which on the probe sees a class
_SAFETY = 2.0  # times the sum of probabilities
_TAIL = 0.05  # chance that more is left than the limit


@dataclass(frozen=True, slots=True)
class ClassOutlook:
    """How the search for one class stands."""

    name: str
    dry: int  # latest labels in a row that were chosen to find it and did not
    expected_left: float  # sum of cross-fitted probabilities over the unlabeled images
    upper_left: float  # doubled: an estimate of the upper end, no limit
    audited: int  # uniform draws in all, whether they hit or not
    limit: (
        float  # share of the unlabeled images that is of the class at most, 95 %; 1 without draws
    )
    seen: float = 1.0  # how far the probe tells it from the rest, Tjur's coefficient

    @property
    def blind(self) -> bool:
        """Whether the probe does not see the class, so that its misses say nothing."""
        return self.seen < LEAST_SEEN

    @property
    def exhausted(self) -> bool:
        """Whether chosen labels have stopped finding it."""
        return self.dry >= DRY_RUN and not self.blind

    def sentences(self) -> tuple[str, ...]:
        """What may be said, from the hint to the limit."""
        said = []
        if self.exhausted:
            said.append(
                f"{self.name}: {self.dry} labels in a row were chosen to find it and did not."
            )
        if self.blind:
            said.append(
                f"{self.name}: the probe hardly tells it from the rest, so that neither misses nor "
                "its estimates say what is left; only uniform draws do."
            )
        else:
            said.append(
                f"{self.name}: an estimated {self.upper_left:,.0f} are left at most; the estimate "
                "rests on the probe and cannot see what the probe does not know."
            )
        if self.audited:
            limit = "draw limits" if self.audited == 1 else "draws limit"
            said.append(
                f"{self.name}: {self.audited:,} uniform {limit} what is left to "
                f"{self.limit:.2%} of the unlabeled images (95%)."
            )
        else:
            said.append(
                f"{self.name}: no uniform draw limits what is left; an assumption-free “90% "
                "found” for a rare class needs thousands of labels."
            )
        return tuple(said)


@dataclass(frozen=True, slots=True)
class RoundWorth:
    """What the next round is expected to cost and to bring."""

    expected: float  # images of all classes to find in it, for whichever each was chosen
    cost: float
    worth: float

    @property
    def pays(self) -> bool:
        """Whether it is worth its cost."""
        return self.worth >= self.cost


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to stop, and why."""

    stop: bool
    reasons: tuple[str, ...]  # one sentence each; what is known even where it says to go on


def dry_run(labeled: Labeled, code: int) -> int:
    """Count the latest labels that were chosen to find a class, back to the last that is of it.

    A label of the class that people are not sure of is neither: three answers of people who err
    now and then name a rare class by mistake again and again, and would never let a search end.
    """
    sought = labeled.sought == code
    hits = (labeled.codes == code)[sought]
    hits = hits[~hits | (labeled.confidence[sought] >= SURE)]
    return int(np.argmax(hits[::-1])) if hits.any() else len(hits)


def seen_by_probe(out_of_fold: Floats, probabilities: Floats, code: int) -> float:
    """Measure how far a probe tells a class from the rest: Tjur's coefficient, -1 to 1.

    Parameters
    ----------
    out_of_fold
        `(m, k)` what it says of labeled images that it did not see.
    probabilities
        `(m, k)` what people say of them; rows of zeros are of no class.

    Returns
    -------
    1 where there are no images of the class, or of no other: nothing speaks against the probe.
    """
    mine = (probabilities.argmax(axis=1) == code) & (probabilities.max(axis=1) > 0)
    if not mine.any() or mine.all():
        return 1.0
    said = out_of_fold[:, code]
    return float(said[mine].mean() - said[~mine].mean())


def outlook(
    labeled: Labeled,
    code: int,
    expected_left: float,
    unlabeled: float = float("inf"),
    seen: float = 1.0,
) -> ClassOutlook:
    """Put together how the search for a class stands.

    The limit is the one-sided end of the interval of what is left (`gandt.active.estimates`): as
    others are labeled and the class is not found, its share of what is left grows. Only of a pool
    of unknown size it is the share of the draws' hits.

    Parameters
    ----------
    expected_left
        Sum over the unlabeled images of their cross-fitted probability of the class.
    unlabeled
        Images that are left: no more can be of the class.
    seen
        See `seen_by_probe`.
    """
    draws = draws_of(labeled, code)
    drawn, hits = sum(draw.drawn for draw in draws), sum(draw.hits for draw in draws)
    limit = upper_share(drawn, hits) if drawn else 1.0
    if drawn and 0 < unlabeled < float("inf"):
        found = int((labeled.codes == code).sum())
        _, _, high = remaining(draws, found, int(unlabeled), 1 - 2 * _TAIL)
        limit = high / unlabeled
    return ClassOutlook(
        labeled.classes[code],
        dry_run(labeled, code),
        expected_left,
        min(_SAFETY * expected_left, unlabeled),
        drawn,
        limit,
        seen,
    )


def round_worth(expected: float, answers: int, price: float, value: float) -> RoundWorth:
    """Weigh a round of `answers` at `price` each against finds of `value` each.

    Raises
    ------
    UsageError
        A price or a value is negative.
    """
    if price < 0 or value < 0:
        raise UsageError(f"A price of {price:g} and a value of {value:g}: give 0 or more.")
    return RoundWorth(expected, answers * price, expected * value)


def verdict(outlooks: Sequence[ClassOutlook], worth: RoundWorth | None = None) -> Verdict:
    """Say whether to stop: when every class has run dry, or the next round is not worth its cost.

    Parameters
    ----------
    outlooks
        Of the classes to find; none means that only the worth decides.
    worth
        None where no price was given.
    """
    reasons = [sentence for each in outlooks for sentence in each.sentences()]
    dry = bool(outlooks) and all(each.exhausted for each in outlooks)
    poor = worth is not None and not worth.pays
    if worth is not None:
        sought = "the class" if len(outlooks) == 1 else "all classes"
        reasons.insert(
            0,
            f"The next round costs {worth.cost:,.2f} and is expected to find "
            f"{worth.expected:,.1f} of {sought} to find, those found by the way included, worth "
            f"{worth.worth:,.2f}.",
        )
    return Verdict(dry or poor, tuple(reasons))
