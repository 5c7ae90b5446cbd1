"""How many of a class are left: from uniform draws alone, so that nothing has to be assumed.

What a strategy chose says nothing about what it did not show. A small uniform draw of the unlabeled
images in every round does: with `N` unlabeled images of which `R` are of a class, a draw of `n`
holds a hypergeometric number of them. Draws of several rounds are put together by what was known
when each was made: a class of `T` images in all of which `F` were labeled before had `T - F` left
to be drawn. The interval holds every `T` under which a sum of hits as low, or as high, as the one
seen is no rarer than the confidence allows (Clopper & Pearson, 1934, for draws without
replacement).

An image that was labeled after a draw and then left the pool still was among those drawn from, and
its label is known: it counts as one of the `T` that was found, for each draw that could hit it. So
whatever people take away, as all that they found, the draws say the same of what is left.

Labels err, and a rare class is named by mistake about as often as it is met. So the lower end
counts those hits alone that people are sure of, and the upper end all of them.

A uniform draw is dear for a rare class: a class of 1 % is met once in a hundred labels. An
assumption-free "90 % found" for a rare class needs thousands of labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gandt.active.labeled import Labeled
from gandt.active.logistic import Floats
from gandt.errors import UsageError
from gandt.types import IntArray

__all__ = [
    "SURE",
    "ClassEstimate",
    "Draw",
    "class_estimates",
    "draws_of",
    "remaining",
    "upper_share",
]

SURE = 0.8  # confidence from which a label of a class is taken for a find


@dataclass(frozen=True, slots=True)
class Draw:
    """One uniform draw, as one class sees it."""

    drawn: int  # images
    hits: int  # of the class
    unlabeled: int  # images that they were drawn from
    found_before: int  # images of the class labeled before the draw, less those gone since it


@dataclass(frozen=True, slots=True)
class ClassEstimate:
    """What is known of the size of one class."""

    name: str
    found: int  # labeled images of it
    remaining: float  # unlabeled ones: the unbiased estimate, cut off at 0
    low: int  # ends of the interval of the remaining
    high: int
    confidence: float  # of the interval
    drawn: int  # images drawn uniformly, in all draws

    def sentence(self) -> str:
        """What may be said of it, and no more."""
        if not self.drawn:
            return (
                f"{self.name}: {self.found:,} found; nothing was drawn uniformly, so nothing can "
                "be said of how many are left."
            )
        draws = "draw" if self.drawn == 1 else "draws"
        return (
            f"{self.name}: {self.found:,} found, {self.low:,} to {self.high:,} left "
            f"({self.confidence:.0%} interval from {self.drawn:,} uniform {draws})."
        )


def upper_share(drawn: int, hits: int = 0, confidence: float = 0.95) -> float:
    """Upper end of a share, one-sided: with 200 / 400 / 600 draws and no hit 1.5 / .75 / .5 %.

    Raises
    ------
    UsageError
        There are more hits than draws.
    """
    from scipy.special import betaincinv

    if not 0 <= hits <= drawn:
        raise UsageError(f"{hits} hits in {drawn} draws make no sense; count draws first.")
    if hits == drawn:
        return 1.0
    return float(betaincinv(hits + 1, drawn - hits, confidence))


def remaining(
    draws: Sequence[Draw], found: int, unlabeled: int, confidence: float = 0.95
) -> tuple[float, int, int]:
    """Estimate the unlabeled images of a class, with a two-sided interval.

    Parameters
    ----------
    draws
        In any order; those of no image are left out.
    found
        Labeled images of the class now, those of the draws included.
    unlabeled
        Unlabeled images now.

    Returns
    -------
    The estimate, and the ends of the interval; without draws 0, 0 and `unlabeled`.
    """
    draws = [draw for draw in draws if draw.drawn]
    if not draws:
        return 0.0, 0, unlabeled
    hits = sum(draw.hits for draw in draws)
    share = sum(draw.drawn / draw.unlabeled for draw in draws)
    known = sum(draw.drawn * draw.found_before / draw.unlabeled for draw in draws)
    estimate = min(max((hits + known) / share - found, 0.0), float(unlabeled))
    tail = (1 - confidence) / 2

    def too_few(total: int) -> bool:
        """Whether so many hits would be too rare with so few images of the class."""
        return hits > 0 and 1 - _at_most(draws, total, hits - 1) <= tail

    def too_many(total: int) -> bool:
        return _at_most(draws, total, hits) <= tail

    low = _first(lambda extra: not too_few(found + extra), unlabeled)
    high = _first(lambda extra: too_many(found + extra), unlabeled + 1) - 1
    return estimate, low, max(high, low)


def draws_of(labeled: Labeled, code: int, *, sure: float = 0.0) -> list[Draw]:
    """List the draws as a class sees them; drawn images that nobody labeled do not count.

    Parameters
    ----------
    sure
        Labels of the class below this confidence do not count as hits, nor as found before.
    """
    is_class = (labeled.codes == code) & (labeled.confidence >= sure)
    found = np.concatenate([[0], np.cumsum(is_class)])
    place = {row: at for at, row in enumerate(labeled.rows.tolist())}
    out = []
    name = labeled.classes[code]
    for part in labeled.slices:
        seen = [place[row] for row in part.rows.tolist() if row in place]
        gone = [each for each in part.gone if each.label == name and each.confidence >= sure]
        drawn = len(seen) + sum(each.drawn for each in part.gone)
        hits = int(is_class[seen].sum()) + sum(each.drawn for each in gone)
        out.append(Draw(drawn, hits, part.unlabeled, int(found[part.before]) - len(gone)))
    return out


def class_estimates(
    labeled: Labeled, unlabeled: int, confidence: float = 0.95
) -> tuple[ClassEstimate, ...]:
    """Estimate every class: found, and remaining with an interval.

    Its lower end rests on labels that people are sure of, since wrong ones would raise it.

    Parameters
    ----------
    unlabeled
        Live images of the pool that are not labeled.
    """
    counts = labeled.counts()
    out = []
    for code, name in enumerate(labeled.classes):
        draws = draws_of(labeled, code)
        left, low, high = remaining(draws, int(counts[code]), unlabeled, confidence)
        if low:
            doubted = (labeled.codes == code) & (labeled.confidence < SURE)
            found = int(counts[code] - doubted.sum())
            _, least, _ = remaining(
                draws_of(labeled, code, sure=SURE), found, unlabeled, confidence
            )
            low = min(low, least)
        drawn = sum(draw.drawn for draw in draws)
        out.append(ClassEstimate(name, int(counts[code]), left, low, high, confidence, drawn))
    return tuple(out)


def _first(holds: Callable[[int], bool], stop: int) -> int:
    """Find the first number from 0 on for which a monotone condition holds; `stop` where none."""
    low, high = 0, stop
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _at_most(draws: Sequence[Draw], total: int, hits: int) -> float:
    """Probability of at most so many hits in all, with `total` images of the class in the pool."""
    if hits < 0:
        return 0.0
    chances: npt.NDArray[np.float64] = np.ones(1)
    for draw in draws:
        left = min(max(total - draw.found_before, 0), draw.unlabeled)
        chances = np.convolve(chances, _hypergeometric(draw, left, hits))[: hits + 1]
    return float(min(chances.sum(), 1.0))


def _hypergeometric(draw: Draw, left: int, most: int) -> Floats:
    """Chance of 0, 1, … hits, at most `most`, of a draw where `left` of the unlabeled are hits."""
    from scipy.special import gammaln

    hits: IntArray = np.arange(min(draw.drawn, most) + 1)
    misses = draw.unlabeled - left
    possible = (hits <= left) & (draw.drawn - hits <= misses)

    def log_choose(n: int, k: IntArray) -> Floats:
        return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))

    out = np.zeros(len(hits))
    seen = hits[possible]
    of_all = log_choose(draw.unlabeled, np.array([draw.drawn]))
    out[possible] = np.exp(log_choose(left, seen) + log_choose(misses, draw.drawn - seen) - of_all)
    return out
