"""Automatic labels: what may be labeled without people, what may not, and a sample to check it by.

In order: near-copies of labeled images have their label; what the thresholds allow (proven on
out-of-fold cases) and the guard knows is labeled by the probe; all else is left to people. Of the
probe's labels a uniform sample goes to people all the same, and what they say is the measured
accuracy. One pass over the vectors; memory grows with the labeled images, not with the pool.

The promise is one about images drawn as the cases were. Labels of rounds that looked for a class
hold more of it than the pool does, and labels of rounds that learned are harder than the pool: with
those of `learn` alone little is ever proven. So the uniform slices are the cases once they hold
200 certain labels, or twice as many as prove the promise without a mistake, and all labels before
that; then the sample is what decides.

A label that people are not sure of cannot tell whether the probe is right: with three answers of
workers who are right in 85 %, one label in twenty is wrong, and no probe could prove 95 % against
them. So only labels of a confidence of 0.9 or more are cases; all of them teach. Of those 99.6 to
100 % were right where their confidences said 92 to 95 %, so mistakes of the probe cannot be excused
by what the labels say of themselves. From 0.8 on, two classes prove less and twenty no more. What
keeps labels of `learn` from proving anything is not noise: of twenty kinds of clothing the probe
had the surer half of the chosen ones right in 46 %, and that of uniform ones in 88 to 91 %.

Examples that are not of the pool teach as well, and prove nothing: nobody drew them from it. They
are dealt to the folds like labels, so that a copy of a labeled image does not flatter the probe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gandt.active.cross_fit import CrossFit, cross_fit
from gandt.active.estimates import upper_share
from gandt.active.guard import PERCENTILE, Guard, fit_guard, inherit
from gandt.active.labeled import Examples, Labeled
from gandt.active.logistic import Floats
from gandt.active.thresholds import Thresholds, choose_thresholds, fewest_cases, refuse
from gandt.errors import UsageError
from gandt.types import BoolArray, FloatArray, IntArray, VectorStore

__all__ = [
    "Audited",
    "AutoLabels",
    "AutoOptions",
    "Labeler",
    "audited",
    "autolabel",
    "learn_labeler",
]

_BLOCK = 8192
_ENOUGH_DRAWN = 200  # uniform draws that can prove thresholds by themselves


@dataclass(frozen=True, slots=True)
class AutoOptions:
    """What a person may ask for.

    Raises
    ------
    UsageError
        A value is out of its range.
    """

    target_accuracy: float = 0.95
    confidence: float = 0.95  # of the promise
    each: bool = False  # whether the promise is for each class, and not for all labels together
    certain: float = 0.9  # confidence from which a label can prove or refute the probe
    percentile: float = PERCENTILE  # of the guard
    audit: int = 100  # automatic labels that people check
    copies: bool = True  # whether near-copies have the label of a labeled image
    random_seed: int = 0

    def __post_init__(self) -> None:
        fewest_cases(self.target_accuracy, self.confidence)
        if not 0 <= self.certain <= 1:
            raise UsageError(f"certain is {self.certain:g}; it is a confidence from 0 to 1.")
        for name in ("audit", "random_seed"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be at least 0.")

    @property
    def enough_drawn(self) -> int:
        """How many certain uniform draws prove by themselves; 200, or 598 for 99 %."""
        return max(_ENOUGH_DRAWN, 2 * fewest_cases(self.target_accuracy, self.confidence))


@dataclass(frozen=True, slots=True, eq=False)
class Labeler:
    """Probes, thresholds and guard, learned from labeled images."""

    probes: CrossFit
    thresholds: Thresholds
    guard: Guard
    mean: FloatArray  # (d,) of the labeled images

    @property
    def refused(self) -> str:
        """Why nothing gets automatic labels; "" where something does."""
        if not self.thresholds.reason:
            return ""
        return (
            f"Nothing can be labeled automatically yet: {self.thresholds.reason}. "
            "Label more images by hand."
        )

    def label(self, vectors: FloatArray) -> tuple[IntArray, Floats]:
        """Give `(n, d)` unit rows the class they may have, else -1, and how likely it is."""
        probabilities = self.probes.predict(vectors)
        codes = self.thresholds.accept(probabilities)
        sure = np.flatnonzero(codes >= 0)
        codes[sure[~self.guard.allows(vectors[sure])]] = -1
        return codes, probabilities.max(axis=1, initial=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class AutoLabels:
    """Automatic labels of a pool, and what is left."""

    rows: IntArray  # (a,) sorted, labeled automatically
    codes: IntArray  # (a,) columns of the classes
    confidence: Floats  # (a,) the probe's probability; of a copy, that of the label it has
    original: IntArray  # (a,) row of the labeled image that it is a copy of; -1: by the probe
    rest: IntArray  # (r,) sorted rows that are left to people
    audit: IntArray  # (<= options.audit,) sorted rows of the probe's labels that people check
    thresholds: Thresholds
    guard_least: float
    refused: str  # why the probe labels nothing; "" where it labels something


@dataclass(frozen=True, slots=True)
class Audited:
    """What people said of a sample of the automatic labels."""

    checked: int
    right: int
    low: float  # ends of the two-sided 95 % interval of the accuracy
    high: float

    def sentence(self, target: float) -> str:
        """Say what was measured, and whether the promise stands."""
        if not self.checked:
            return "No automatic label was checked, so their accuracy was not measured."
        stands = (
            "the promise is refuted"
            if self.high < target
            else "the promise is confirmed"
            if self.low >= target
            else "this is in keeping with the promise and does not prove it"
        )
        return (
            f"{self.right:,} of {self.checked:,} checked automatic labels are right "
            f"({self.low:.1%} to {self.high:.1%}, 95% interval); {target:.0%} was promised: "
            f"{stands}."
        )


def learn_labeler(
    vectors: FloatArray,
    labeled: Labeled,
    options: AutoOptions,
    *,
    examples: Examples | None = None,
    checked: IntArray | None = None,
    probes: CrossFit | None = None,
) -> Labeler:
    """Learn probes, thresholds and guard from labeled images.

    An image in which no class is seen is a case that no class is right for, and still counts as
    known to the guard.

    Parameters
    ----------
    vectors
        `(m, d)` unit rows of the labeled images, in their order.
    examples
        Labeled images that are not of the pool. They teach, with their copies left out as ever, and
        are known to the guard; they prove nothing.
    checked
        Rows whose labels checked automatic ones. They teach and prove nothing: the probe had chosen
        them because it was sure.
    probes
        Of all labels and examples, with the seed of the options, where they were fit before.

    Raises
    ------
    UsageError
        No image is labeled, or there is no class.
    """
    if not len(labeled) or not labeled.classes:
        raise UsageError("No image is labeled, so nothing can be labeled automatically.")
    known, targets = vectors, labeled.probabilities
    if examples is not None and len(examples.vectors):
        known = np.concatenate([vectors, examples.vectors])
        targets = np.concatenate([targets, examples.probabilities])
    if probes is None:
        probes = cross_fit(known, targets, labeled.classes, seed=options.random_seed)
    of_pool = np.arange(len(known)) < len(labeled)
    cases = probes.out_of_fold[of_pool]
    # A label of no class has no confidence, but that the probe names one is a mistake all the same.
    sure = (labeled.confidence >= options.certain) | (labeled.codes < 0)
    if checked is not None:
        sure &= ~np.isin(labeled.rows, checked)
    drawn = sure & labeled.drawn
    if drawn.sum() >= options.enough_drawn:
        sure = drawn
    thresholds = choose_thresholds(
        cases[sure],
        labeled.codes[sure],
        labeled.classes,
        target=options.target_accuracy,
        confidence=options.confidence,
        each=options.each,
    )
    if len(np.unique(labeled.codes)) == 1:
        # Out of fold all is right then, and proves nothing but that nobody looked for another.
        reason = f"all labels are of one class, {labeled.classes[int(labeled.codes[0])]}"
        thresholds = refuse(thresholds, reason)
    allowed = np.zeros(len(known), np.bool_)
    allowed[: len(labeled)] = sure & (thresholds.accept(cases) >= 0)
    guard = fit_guard(known, options.percentile, usual=of_pool, allowed=allowed)
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return Labeler(probes, thresholds, guard, mean)


def autolabel(
    store: VectorStore,
    labeled: Labeled,
    options: AutoOptions,
    *,
    examples: Examples | None = None,
    left_out: IntArray | None = None,
    checked: IntArray | None = None,
    probes: CrossFit | None = None,
) -> AutoLabels:
    """Label what of a pool may be labeled automatically.

    Parameters
    ----------
    left_out
        Rows that get no label and are not left to people either, such as rejected ones.
    examples, checked, probes
        See `learn_labeler`.

    Raises
    ------
    UsageError
        No image is labeled.
    """
    known = store.take(labeled.rows)
    labeler = learn_labeler(
        known, labeled, options, examples=examples, checked=checked, probes=probes
    )
    closed = np.union1d(labeled.rows, store.dead)
    if left_out is not None:
        closed = np.union1d(closed, left_out)
    human = labeled.codes
    has_label = np.flatnonzero(human >= 0)
    names, codes, sure, originals, rest = [], [], [], [], []
    for rows in _open_blocks(store.rows, closed):
        vectors = store.take(rows)
        code, confidence = labeler.label(vectors)
        original = np.full(len(rows), -1, np.int64)
        if options.copies and len(has_label):
            of = inherit(vectors, known[has_label], labeler.mean)
            copied = of >= 0
            source = has_label[of[copied]]
            code[copied] = human[source]
            confidence[copied] = labeled.confidence[source]
            original[copied] = labeled.rows[source]
        got = code >= 0
        names.append(rows[got])
        codes.append(code[got])
        sure.append(confidence[got])
        originals.append(original[got])
        rest.append(rows[~got])
    rows, by = _joined(names), _joined(originals)
    rng = np.random.default_rng([options.random_seed, 21])
    of_probe = rows[by < 0]
    audit = rng.choice(of_probe, min(options.audit, len(of_probe)), replace=False)
    return AutoLabels(
        rows,
        _joined(codes),
        np.concatenate(sure) if sure else np.empty(0),
        by,
        _joined(rest),
        np.sort(audit).astype(np.int64),
        labeler.thresholds,
        labeler.guard.least,
        labeler.refused,
    )


def audited(right: BoolArray) -> Audited:
    """Measure the accuracy of automatic labels by a uniform sample that people checked; `(a,)`."""
    checked, hits = len(right), int(right.sum())
    return Audited(
        checked,
        hits,
        1 - upper_share(checked, checked - hits, 0.975) if checked else 0.0,
        upper_share(checked, hits, 0.975) if checked else 1.0,
    )


def _open_blocks(rows: int, closed: IntArray) -> list[IntArray]:
    return [
        np.setdiff1d(np.arange(start, min(start + _BLOCK, rows), dtype=np.int64), closed)
        for start in range(0, rows, _BLOCK)
    ]


def _joined(parts: Sequence[IntArray]) -> IntArray:
    return np.concatenate(parts).astype(np.int64) if parts else np.empty(0, np.int64)
