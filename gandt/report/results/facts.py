"""The numbers of a results report: counts, confidence, calibration, what is disputed.

Pure functions from items to values; nothing is read or drawn here. The calibration diagram and the
expected calibration error follow Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural
Networks", ICML 2017, with 15 bins of equal width as elsewhere in G&T; intervals of shares are
Wilson's ("Probable Inference, the Law of Succession, and Statistical Inference", JASA, 1927).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gandt.report.results.model import EMPTY_NAMES, SOURCES, Item, Results, Source

__all__ = [
    "Agreed",
    "Bin",
    "Calibration",
    "Confusion",
    "Group",
    "Spread",
    "agreement_by_class",
    "calibration",
    "calibration_while_aggregating",
    "class_order",
    "confidence_histogram",
    "confidence_spread",
    "confusions",
    "counts_by_class",
    "disputed",
    "examples",
    "groups",
    "sources_of",
    "wilson",
]

BINS = 15  # of the calibration
HISTOGRAM_BINS = 20
_Z = 1.959963984540054  # of a 95 % interval


@dataclass(frozen=True, slots=True)
class Spread:
    """How confidence is distributed in one class and source."""

    mean: float
    low: float  # quartiles
    high: float
    number: int


@dataclass(frozen=True, slots=True)
class Bin:
    """Labels of about the same confidence, and how many of them are right."""

    number: int
    confidence: float  # mean
    right: float  # share
    low: float  # 95 % interval of that share
    high: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether confidence means what it says, on labels whose truth is known."""

    bins: tuple[Bin, ...]  # those that hold a label, in order
    number: int
    accuracy: float
    confidence: float  # mean
    error: float  # expected calibration error


@dataclass(frozen=True, slots=True)
class Agreed:
    """How far workers agree on the items of a class."""

    label: str
    agreement: float  # mean share of the votes that equal the label
    number: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often workers answered one class where another is the label."""

    label: str
    answer: str
    number: int
    share: float  # of the answers to items with that label


@dataclass(frozen=True, slots=True)
class Group:
    """Items of one class and source, the least certain first."""

    label: str
    source: Source
    items: tuple[Item, ...]


# --------------------------------------------------------------------------------- classes


def sources_of(items: Sequence[Item]) -> tuple[Source, ...]:
    """Name the sources that occur, in their fixed order."""
    there = {item.source for item in items}
    return tuple(source for source in SOURCES if source in there)


def counts_by_class(items: Sequence[Item]) -> dict[str, Counter[Source]]:
    """Count annotations (labels, boxes, spans) by class and source."""
    counts: dict[str, Counter[Source]] = {}
    for item in items:
        for name in [name for name, _ in item.labels] or item.classes:
            counts.setdefault(name, Counter())[item.source] += 1
    return counts


def class_order(results: Results) -> tuple[str, ...]:
    """Order the classes by falling number of annotations; those that never occur last but one.

    What stands for "nothing found" is no class and comes last.
    """
    counts = {name: sum(c.values()) for name, c in counts_by_class(results.items).items()}
    nothing = EMPTY_NAMES[results.kind]
    names = dict.fromkeys((*results.classes, *sorted(counts)))
    ordered = sorted((n for n in names if n != nothing), key=lambda name: -counts.get(name, 0))
    return (*ordered, nothing) if nothing in counts else tuple(ordered)


def groups(items: Sequence[Item], order: Sequence[str]) -> list[Group]:
    """Put every item under each of its classes, by source; the least certain first."""
    found: dict[tuple[str, Source], list[Item]] = {}
    for item in items:
        for name in item.classes:
            found.setdefault((name, item.source), []).append(item)
    return [
        Group(name, source, tuple(sorted(found[name, source], key=lambda i: _doubt(i, name))))
        for name in order
        for source in SOURCES
        if (name, source) in found
    ]


def examples(items: Sequence[Group], number: int, seed: int) -> list[Group]:
    """Draw up to `number` items of each group at random; the same seed draws the same."""
    rng = np.random.default_rng(seed)
    drawn = []
    for group in items:
        size = len(group.items)
        chosen = sorted(rng.permutation(size)[:number].tolist()) if number > 0 else []
        drawn.append(Group(group.label, group.source, tuple(group.items[i] for i in chosen)))
    return [group for group in drawn if group.items]


def _doubt(item: Item, name: str) -> tuple[float, int]:
    known = [c for n, c in item.labels if n == name and c is not None]
    if not known and item.confidence is not None:
        known = [item.confidence]
    return (min(known) if known else math.inf, item.number)


# ------------------------------------------------------------------------------ confidence


def confidence_spread(items: Sequence[Item]) -> dict[str, dict[Source, Spread]]:
    """Summarize confidence by class and source, where any is known."""
    values: dict[tuple[str, Source], list[float]] = {}
    for item in items:
        for name, confidence in item.labels:
            if confidence is not None:
                values.setdefault((name, item.source), []).append(confidence)
    spreads: dict[str, dict[Source, Spread]] = {}
    for (name, source), known in values.items():
        low, high = np.percentile(known, (25, 75))
        mean = float(np.mean(known))
        spreads.setdefault(name, {})[source] = Spread(mean, float(low), float(high), len(known))
    return spreads


def confidence_histogram(
    items: Sequence[Item], source: Source
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Count annotations of a source by confidence, in 20 bins of equal width.

    Returns
    -------
    The counts of items that are certain, or of which that is not known, and of uncertain ones.
    """
    counts = np.zeros((2, HISTOGRAM_BINS), int)
    for item in items:
        if item.source == source:
            for _, confidence in item.labels:
                if confidence is not None:
                    place = min(int(confidence * HISTOGRAM_BINS), HISTOGRAM_BINS - 1)
                    counts[int(item.certain is False), max(place, 0)] += 1
    return tuple(counts[0].tolist()), tuple(counts[1].tolist())


def calibration(items: Sequence[Item]) -> Calibration | None:
    """Compare confidence with truth, where `Item.known` tells it; None where it never does.

    Labels whose source is gold are left out: their confidence comes from the truth itself. Of
    multi-label items every label that has a confidence counts as a statement of its own.
    """
    pairs: list[tuple[float, bool]] = []
    for item in items:
        if item.known is None or item.source == "gold" or item.kind not in ("single", "multi"):
            continue
        pairs += [(c, name in item.known) for name, c in item.labels if c is not None]
    if not pairs:
        return None
    confidence = np.array([c for c, _ in pairs])
    right = np.array([r for _, r in pairs], float)
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = []
    error = 0.0
    for each in np.unique(place):
        inside = place == each
        number = int(inside.sum())
        hits = float(right[inside].sum())
        mean = float(confidence[inside].mean())
        bins.append(Bin(number, mean, hits / number, *wilson(hits, number)))
        error += abs(hits / number - mean) * number / len(pairs)
    return Calibration(
        tuple(bins), len(pairs), float(right.mean()), float(confidence.mean()), float(error)
    )


def calibration_while_aggregating(gold: Mapping[str, float]) -> Calibration | None:
    """Take the calibration from what `gandt.aggregation.gold` measured; None where it did not.

    There each gold task was solved while only others were told, so that labels which were given,
    and are certain for that reason, are compared as if they had not been.
    """
    bins = []
    for key in gold:
        found = re.fullmatch(r"bin_(\d+)_tasks", key)
        number = int(gold[key])
        if found is None or number < 1:
            continue
        confidence = gold.get(f"bin_{found[1]}_confidence")
        right = gold.get(f"bin_{found[1]}_accuracy")
        if confidence is not None and right is not None:
            bins.append(Bin(number, confidence, right, *wilson(right * number, number)))
    number = sum(b.number for b in bins)
    if not bins or "ece" not in gold:
        return None
    return Calibration(
        tuple(sorted(bins, key=lambda b: b.confidence)),
        number,
        sum(b.right * b.number for b in bins) / number,
        sum(b.confidence * b.number for b in bins) / number,
        gold["ece"],
    )


def wilson(hits: float, number: int) -> tuple[float, float]:
    """Give the 95 % score interval of a share of `hits` in `number` > 0 trials."""
    share = hits / number
    center = share + _Z**2 / (2 * number)
    half = _Z * math.sqrt(share * (1 - share) / number + _Z**2 / (4 * number**2))
    scale = 1 + _Z**2 / number
    return max(0.0, (center - half) / scale), min(1.0, (center + half) / scale)


# ------------------------------------------------------------------------------- agreement


def agreement_by_class(items: Sequence[Item]) -> list[Agreed]:
    """Average agreement over the items of each class that have two votes or more, worst first."""
    values: dict[str, list[float]] = {}
    for item in items:
        if item.agreement is not None and (item.votes or 0) >= 2:
            for name in item.classes:
                values.setdefault(name, []).append(item.agreement)
    found = [Agreed(name, float(np.mean(known)), len(known)) for name, known in values.items()]
    return sorted(found, key=lambda agreed: (agreed.agreement, agreed.label))


def disputed(items: Sequence[Item], limit: int = 24) -> list[Item]:
    """Pick the items whose votes differ most, then those of least confidence."""
    split = [
        item
        for item in items
        if item.agreement is not None and item.agreement < 1 and (item.votes or 0) >= 2
    ]

    def order(item: Item) -> tuple[float, float, int]:
        confidence = 1.0 if item.confidence is None else item.confidence
        return (item.agreement or 0.0, confidence, item.number)

    return sorted(split, key=order)[:limit]


def confusions(counts: Mapping[tuple[str, str], int], limit: int = 12) -> list[Confusion]:
    """Name the commonest wrong answers: what workers say where the label is something else."""
    totals: Counter[str] = Counter()
    for (label, _), number in counts.items():
        totals[label] += number
    found = [
        Confusion(label, answer, number, number / totals[label])
        for (label, answer), number in counts.items()
        if label != answer
    ]
    return sorted(found, key=lambda c: (-c.number, c.label, c.answer))[:limit]
