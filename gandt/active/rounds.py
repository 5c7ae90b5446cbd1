"""One round: what to label next, what is known of the rest, and whether it is worth it.

The steps, each in its own module: a uniform slice is drawn before anything else; the frontier is
extended by what is newly labeled; a probe per class ranks the candidates and names more; goals
share the budget; some answers go to labeled images where that is worth more; estimates and a
verdict come with it. The same index, labels, frontier and seed give the same round, and the time of
a round does not grow with the pool where the index has an approximate search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gandt.active.acquire import Choices, Goal, Picks, acquire, rare_classes, split_budget
from gandt.active.candidates import expected_left, look_around, sample_open, shortlist
from gandt.active.cross_fit import CrossFit, cross_fit
from gandt.active.estimates import ClassEstimate, class_estimates
from gandt.active.frontier import NEIGHBORS, Frontier
from gandt.active.labeled import Examples, Labeled, Slice
from gandt.active.logistic import Floats
from gandt.active.relabel import gains, new_gains, rater_weights, soberly, split_by_gain
from gandt.active.stop import ClassOutlook, Verdict, outlook, round_worth, seen_by_probe, verdict
from gandt.errors import UsageError
from gandt.index.ann import NeighborIndex
from gandt.selection.duplicates import THRESHOLD
from gandt.types import FloatArray, IntArray, VectorStore

__all__ = ["Round", "RoundOptions", "next_round"]


@dataclass(frozen=True, slots=True)
class RoundOptions:
    """What a person may ask for.

    Raises
    ------
    UsageError
        A value is out of its range.
    """

    budget: int = 500  # answers in all, the uniform slice included
    mix: Mapping[Goal, float] = field(default_factory=lambda: {"find": 1.0})
    targets: tuple[str, ...] = ()  # classes to find; empty: the rarer half of them
    other: str = "Other"  # never a class to find
    uniform: float = 0.05  # share of the budget that is drawn uniformly
    neighbors: int = NEIGHBORS
    again: bool = True  # whether labeled images may be asked again, in place of `learn` picks
    most_answers: int = 5  # on one image, from which on it is not asked again
    price: float | None = None  # of one answer
    value: float | None = None  # of one image of a class to find
    duplicates: float = THRESHOLD
    random_seed: int = 0

    def __post_init__(self) -> None:
        split_budget(self.budget, self.mix)
        if self.budget < 1 or self.neighbors < 1:
            raise UsageError("budget and neighbors must be at least 1.")
        if not 0 <= self.uniform <= 1:
            raise UsageError(f"uniform is {self.uniform:g}; it is a share from 0 to 1.")
        if (self.price is None) != (self.value is None):
            raise UsageError("Give a price per answer and a value per find together, or neither.")


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """What to label next: new images by goal, the uniform slice, and images to ask again."""

    rows: IntArray  # (p,) of the index, in the order to be labeled; none twice
    goals: tuple[str, ...]  # p: "find", "learn", "balance", "uniform" or "again"
    sought: IntArray  # (p,) column of the class that it was chosen to find; -1: none
    values: Floats  # (p,) as its goal ranks it; 0 for the uniform slice
    expected: Floats  # (p, k) cross-fitted probabilities
    slice: Slice
    frontier: Frontier
    scored: float  # share of the live pool that was ever scored
    estimates: tuple[ClassEstimate, ...]  # before it, of images neither labeled nor left out
    outlooks: tuple[ClassOutlook, ...]  # of the classes to find
    verdict: Verdict
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)


def next_round(
    store: VectorStore,
    search: NeighborIndex,
    labeled: Labeled,
    frontier: Frontier,
    options: RoundOptions,
    *,
    examples: Examples | None = None,
    left_out: IntArray | None = None,
    worker_accuracy: float = 0.85,
    fit: CrossFit | None = None,
) -> Round:
    """Choose what to label next.

    Parameters
    ----------
    search
        Of the same store.
    labeled
        All labels so far; may be empty where there are examples.
    frontier
        Of the last round; `Frontier()` in the first.
    examples
        Labeled images that are not of the pool.
    left_out
        Rows that must not be chosen though they are not labeled, such as those sent and not yet
        answered.
    worker_accuracy
        Mean share of right answers, from the workers table; weighs asking again.
    fit
        Of all labels and examples, with the seed of the options, where it was made before.

    Raises
    ------
    UsageError
        Nothing is labeled, a class to find is unknown, or nothing is left to choose from.
    """
    targets = _targets(labeled, options)
    known = _Known(store, labeled, examples)
    closed = np.union1d(labeled.rows, store.dead)
    if left_out is not None:
        closed = np.union1d(closed, left_out)
    unlabeled = store.rows - len(closed)
    if not unlabeled:
        raise UsageError("Every image of the pool is labeled or left out: there is no next round.")
    slice_ = _draw_slice(store, closed, unlabeled, labeled, options)
    only_find = not any(options.mix.get(goal) for goal in ("learn", "balance"))
    finders, frontier = look_around(
        store,
        search,
        _near_examples(search, frontier, known, options),
        known.vectors,
        known.probabilities,
        targets,
        known.of(targets) if only_find else known.rows,
        closed,
        budget=options.budget,
        neighbors=options.neighbors,
        seed=options.random_seed,
    )
    if fit is None:
        fit = cross_fit(
            known.vectors, known.probabilities, labeled.classes, seed=options.random_seed
        )
    notes: list[str] = []
    rows = np.setdiff1d(frontier.rows, np.union1d(closed, slice_.rows))
    wanted = options.budget - len(slice_.rows)
    if len(rows) < wanted:
        shut = np.union1d(np.union1d(closed, rows), slice_.rows)
        more = sample_open(store, shut, wanted, options.random_seed, 31)
        if len(more):
            notes.append(f"{len(rows):,} candidates for {wanted:,} places; filled from the pool.")
        frontier = frontier.with_rows(more)
        rows = np.union1d(rows, more)
    notes += _empty(wanted - len(rows), "every other image is labeled, left out or chosen already")
    weighed = shortlist(store, rows, finders, options.random_seed)
    places = min(wanted, len(weighed))
    at_most = f"a round weighs {len(weighed):,} candidates at most"
    notes += _empty(min(wanted, len(rows)) - places, at_most)
    rows = weighed
    choices = Choices(*_thought_of(store, rows, finders, fit))
    counts = known.counts
    picks = acquire(
        choices,
        wanted,
        options.mix,
        targets=targets,
        counts=counts,
        labeled=known.vectors,
        mean=known.mean,
        duplicates=options.duplicates,
    )
    if len(picks) < places:
        notes.append(
            f"{len(picks):,} of {places:,} wanted: the other candidates are near-copies of these "
            "or of labeled images."
        )
    chosen = _with_again(picks, rows, choices, labeled, fit, options, worker_accuracy)
    left = expected_left(store, frontier, fit, closed, options.random_seed)
    outlooks = tuple(
        outlook(
            labeled,
            code,
            float(left[code]),
            unlabeled,
            seen_by_probe(fit.out_of_fold, known.probabilities, code),
        )
        for code in targets.tolist()
    )
    of_slice = fit.predict(store.take(slice_.rows)) if len(slice_.rows) else chosen[4][:0]
    expected = np.concatenate([chosen[4], of_slice])
    worth = None
    if options.price is not None and options.value is not None:
        total = float(expected[:, targets].sum())
        worth = round_worth(total, len(expected), options.price, options.value)
    s = len(slice_.rows)
    live = store.rows - len(store.dead)
    return Round(
        np.concatenate([chosen[0], slice_.rows]),
        (*chosen[1], *["uniform"] * s),
        np.concatenate([chosen[2], np.full(s, -1, np.int64)]),
        np.concatenate([chosen[3], np.zeros(s)]),
        expected,
        slice_,
        frontier,
        frontier.share(live),
        class_estimates(labeled, unlabeled),
        outlooks,
        verdict(outlooks, worth),
        tuple(notes),
    )


class _Known:
    """Vectors of all that is labeled, in the pool and beside it."""

    def __init__(self, store: VectorStore, labeled: Labeled, examples: Examples | None) -> None:
        self.vectors = store.take(labeled.rows)
        self.probabilities = labeled.probabilities
        self.beside: FloatArray = self.vectors[:0]
        if examples is not None and len(examples.vectors):
            self.beside = examples.vectors
            self.vectors = np.concatenate([self.vectors, examples.vectors])
            self.probabilities = np.concatenate([self.probabilities, examples.probabilities])
        if not len(self.vectors):
            raise UsageError("Nothing is labeled yet: begin with `gandt select` and some seeds.")
        self.rows = labeled.rows
        self.mean = np.asarray(self.vectors.mean(axis=0, dtype=np.float64), np.float32)

    @property
    def counts(self) -> IntArray:
        codes = self.probabilities.argmax(axis=1)[self.probabilities.max(axis=1) > 0]
        return np.bincount(codes, minlength=self.probabilities.shape[1]).astype(np.int64)

    def of(self, targets: IntArray) -> IntArray:
        """Labeled rows of the pool that are of one of some classes."""
        mine = self.probabilities[: len(self.rows)]
        return self.rows[(mine[:, targets] > 0.5).any(axis=1)]


def _targets(labeled: Labeled, options: RoundOptions) -> IntArray:
    place = {name: code for code, name in enumerate(labeled.classes)}
    for name in options.targets:
        if name not in place:
            raise UsageError(
                f"There is no class {name!r} among the labels; the classes are "
                f"{', '.join(labeled.classes)}."
            )
    if options.targets:
        return np.array(sorted({place[name] for name in options.targets}), np.int64)
    others = [code for name, code in place.items() if name != options.other]
    if not others:
        raise UsageError("The labels name no class to find: label some images of one first.")
    codes = np.array(others, np.int64)
    return codes[rare_classes(labeled.counts()[codes])]


def _near_examples(
    search: NeighborIndex, frontier: Frontier, known: _Known, options: RoundOptions
) -> Frontier:
    if not len(known.beside):
        return frontier
    return frontier.with_rows(search.search(known.beside, options.neighbors).ids)


def _empty(places: int, reason: str) -> list[str]:
    stay = "place stays" if places == 1 else "places stay"
    return [f"{places:,} {stay} empty: {reason}."] if places > 0 else []


def _draw_slice(
    store: VectorStore, closed: IntArray, unlabeled: int, labeled: Labeled, options: RoundOptions
) -> Slice:
    count, budget = 0, min(options.budget, unlabeled)
    if options.uniform:
        count = max(1, round(options.uniform * budget))
        # The goal has one place at least, unless all is to be drawn.
        count = min(count, budget - 1 if options.uniform < 1 else budget)
    # Each round draws anew though its seed is that of the last.
    rows = sample_open(store, closed, count, options.random_seed, 1000 + len(labeled))
    return Slice(rows, unlabeled, len(labeled))


def _thought_of(
    store: VectorStore, rows: IntArray, finders: FloatArray, fit: CrossFit
) -> tuple[FloatArray, FloatArray, Floats]:
    vectors = store.take(rows)
    return vectors, np.ascontiguousarray((vectors @ finders.T).T), fit.predict(vectors)


def _with_again(
    picks: Picks,
    rows: IntArray,
    choices: Choices,
    labeled: Labeled,
    fit: CrossFit,
    options: RoundOptions,
    worker_accuracy: float,
) -> tuple[IntArray, tuple[str, ...], IntArray, Floats, Floats]:
    """Give places of `learn` to labeled images where one more answer there is worth more."""
    sought = np.where([goal == "find" for goal in picks.goals], picks.classes, -1)
    expected = choices.probabilities[picks.places]
    learn = np.flatnonzero([goal == "learn" for goal in picks.goals])
    known = fit.out_of_fold[: len(labeled)]
    if not (options.again and len(learn) and len(labeled)):
        return rows[picks.places], picks.goals, sought, picks.values, expected
    believed = soberly(labeled.probabilities, labeled.answers, worker_accuracy)
    weights = rater_weights(known, believed, worker_accuracy)
    new = new_gains(expected[learn], weights)
    old = gains(believed, known, labeled.answers, weights)
    may = (labeled.answers < options.most_answers) & (labeled.codes >= 0)
    kept, again = split_by_gain(new, old, len(learn), may_repeat=may)
    keep = np.ones(len(picks), np.bool_)
    keep[learn] = False
    keep[learn[kept]] = True
    stay = np.flatnonzero(keep)
    return (
        np.concatenate([rows[picks.places[stay]], labeled.rows[again]]),
        (*[picks.goals[at] for at in stay], *["again"] * len(again)),
        np.concatenate([sought[stay], np.full(len(again), -1, np.int64)]),
        np.concatenate([picks.values[stay], old[again]]),
        np.concatenate([expected[stay], known[again]]),
    )
