"""A rehearsal: rounds played on an index whose labels are known, beside other ways to spend.

Reads an index and a table of true labels, plays ours and what stands beside it from the same seeds,
once or with several draws of seeds, workers and uniform slices, and gives what happened. What is
said of it is in `words`, the files in `files`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise, zip_longest

import numpy as np

from gandt.active.acquire import Goal, rare_classes
from gandt.active.rounds import RoundOptions
from gandt.active.simulate import STRATEGIES, Played, SimOptions, Strategy, simulate
from gandt.errors import UsageError
from gandt.index.ann import open_search
from gandt.index.folder import open_index
from gandt.rounds.rehearsal.truth import Truth, read_truth

__all__ = [
    "Mean",
    "Progress",
    "Rehearsal",
    "RehearsalOptions",
    "Stop",
    "rehearse",
]

_ORDER: tuple[Strategy, ...] = ("scan", "nearest", "random")  # beside ours
_SHARE = 0.01  # of the pool per round, where no budget is given
_LEAST, _MOST = 10, 500  # images per round then


@dataclass(frozen=True, slots=True)
class RehearsalOptions:
    """What a person may ask for.

    Raises
    ------
    UsageError
        A value is out of its range.
    """

    targets: tuple[str, ...] = ()  # classes to find; empty: the rarer half, never `other`
    other: str = "Other"  # the class of images that the truth does not name
    rounds: int = 10
    budget: int | None = None  # images per round; None: a hundredth of the pool, 10 to 500
    seeds: int = 5  # labeled images per class to find, at the start
    workers: int = 5  # 0: the truth is told
    worker_accuracy: float = 0.85  # mean of theirs
    answers: int | None = None  # per image; None: 3, or as many as there are workers
    mix: Mapping[Goal, float] = field(default_factory=lambda: {"find": 1.0})
    uniform: float = 0.05
    neighbors: int = 50
    again: bool = True
    target_accuracy: float | None = 0.95  # promised of automatic labels; None: none are made
    beside: tuple[Strategy, ...] = ("random", "nearest")
    until_stop: bool = False
    repeat: int = 1  # draws of seeds, workers and uniform slices
    random_seed: int = 0

    def __post_init__(self) -> None:
        if self.repeat < 1:
            raise UsageError(f"repeat is {self.repeat}; it must be at least 1.")
        if self.answers is not None and self.answers > 1 and not self.workers:
            raise UsageError(
                f"{self.answers} answers per image need workers, and there are none: the truth is "
                "told once."
            )
        if self.target_accuracy is not None and not 0 < self.target_accuracy < 1:
            raise UsageError(
                f"A promised accuracy of {self.target_accuracy:g} cannot be kept or proven; give "
                "a share below 1, such as 0.95."
            )
        unknown = [name for name in self.beside if name not in STRATEGIES]
        if unknown:
            raise UsageError(
                f"There is no strategy {unknown[0]!r} to play beside; choose of random, nearest "
                "and scan."
            )
        # Wrong values are to be said before anything is read.
        self.played(self.budget or _LEAST, self.targets)
        RoundOptions(mix=self.mix, uniform=self.uniform, neighbors=self.neighbors)

    def played(self, budget: int, targets: tuple[str, ...]) -> SimOptions:
        """Give the options of our own rounds."""
        return SimOptions(
            rounds=self.rounds,
            budget=budget,
            mix=self.mix,
            targets=targets,
            uniform=self.uniform,
            again=self.again,
            neighbors=self.neighbors,
            seeds=self.seeds,
            workers=self.workers,
            worker_accuracy=self.worker_accuracy,
            answers=max(min(3, self.workers), 1) if self.answers is None else self.answers,
            automatic=self.target_accuracy,
            until_stop=self.until_stop,
            random_seed=self.random_seed,
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a rehearsal stands."""

    strategy: Strategy
    draw: int  # from 1
    played: Played
    done: int  # rounds, of all strategies and draws
    total: int
    seconds: float  # since it began


@dataclass(frozen=True, slots=True, eq=False)
class Mean:
    """The state after one round, the mean over draws."""

    labels: float
    answers: float
    found: tuple[float, ...]  # (t,)
    right: float  # share of people's labels
    reached: float  # share of the pool that is right where a probe labels the rest
    automatic: float
    automatic_right: float  # over all automatic labels of all draws; NaN without any
    scored: float  # share of the pool


@dataclass(frozen=True, slots=True)
class Stop:
    """Where the verdict said stop in one draw, and what was so then."""

    round: int  # the last that was worth it
    labels: int
    found: tuple[int, ...]  # (t,)
    left: tuple[int, ...]  # (t,) what nobody had found
    at_most: tuple[float, ...]  # (t,) what was estimated to be left at most

    @property
    def held(self) -> bool:
        """Whether no more was left of any class than was said."""
        return all(left <= most for left, most in zip(self.left, self.at_most, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Rehearsal:
    """What was played, and what happened."""

    index: str
    truth: str
    images: int  # of the pool
    classes: tuple[str, ...]
    counts: tuple[int, ...]  # (k,) images of each class
    targets: tuple[str, ...]  # t
    there: tuple[int, ...]  # (t,) images to be found, seeds not counted
    options: RehearsalOptions
    budget: int  # images per round
    games: Mapping[Strategy, tuple[tuple[Played, ...], ...]]  # by strategy, draw, round; ours first
    seconds: float
    notes: tuple[str, ...]

    @property
    def open(self) -> int:
        """Images that could be labeled: all but the seeds."""
        return self.images - len(self.targets) * self.options.seeds

    @property
    def again(self) -> bool:
        """Whether some images were asked more often than others, so that answers are the cost."""
        each = self._answers
        states = (state for games in self.games.values() for game in games for state in game)
        return any(state.answers != each * state.labels for state in states)

    @property
    def per_image(self) -> int:
        """What a new image costs: its answers where these are the cost, else 1."""
        return self._answers if self.again else 1

    @property
    def _answers(self) -> int:
        options = self.options.played(self.budget, self.targets)
        return options.answers if options.workers else 1

    def means(self, strategy: Strategy) -> tuple[Mean, ...]:
        """States by round; a draw that ended earlier stays as it was."""
        rows: list[Mean] = []
        last: tuple[Played, ...] = ()
        for states in zip_longest(*self.games[strategy]):
            # All games begin, so each has a state before the one that it lacks.
            last = tuple(now or before for now, before in zip_longest(states, last))
            rows.append(_mean(last))
        return tuple(rows)

    def stops(self) -> tuple[Stop | None, ...]:
        """Where the verdict said stop in each draw; None where it never did."""
        return tuple(self._stop(history) for history in self.games["rounds"])

    def at_most(self, before: Played, now: Played) -> tuple[float, ...]:
        """What was said of one state to be left at most; no more than there is to be labeled."""
        unlabeled = float(self.open - before.labels)
        return tuple(min(most, unlabeled) for most in now.upper_left)

    def _stop(self, history: Sequence[Played]) -> Stop | None:
        for before, now in pairwise(history):
            if now.stop:  # said of what was known before that round
                found = tuple(before.found.tolist())
                left = tuple(n - some for n, some in zip(self.there, found, strict=True))
                at_most = self.at_most(before, now)
                return Stop(before.round, before.labels, found, left, at_most)
        return None


def rehearse(
    index: str,
    truth: str,
    options: RehearsalOptions,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Rehearsal:
    """Play the rounds on an index whose labels are known.

    Parameters
    ----------
    index, truth
        The index folder and the table of labels, local or `s3://`.
    on_progress
        Called after every round.

    Raises
    ------
    UsageError
        The truth does not fit, a class to find is unknown or too small, or a value is wrong.
    IndexFolderError, StorageError
        Something cannot be read.
    """
    started = time.perf_counter()
    opened = open_index(index)
    known = read_truth(truth, opened, options.other)
    targets, notes = _targets(known, options)
    budget = options.budget or min(max(round(_SHARE * opened.live_rows), _LEAST), _MOST)
    plain = options.played(budget, targets)
    search = open_search(opened, opened.folder, opened.card.search if opened.card else {})
    order: tuple[Strategy, ...] = ("rounds", *(s for s in _ORDER if s in options.beside))
    total = options.repeat * len(order) * options.rounds
    games: dict[Strategy, list[tuple[Played, ...]]] = {strategy: [] for strategy in order}
    for draw in range(options.repeat):
        for number, strategy in enumerate(order):
            # What stands beside has no verdict of its own, and spends what ours spent.
            rounds = len(games["rounds"][-1]) - 1 if number else options.rounds
            done = (draw * len(order) + number) * options.rounds
            history = simulate(
                opened,
                search,
                known.codes,
                known.classes,
                replace(
                    plain,
                    strategy=strategy,
                    rounds=rounds,
                    random_seed=options.random_seed + draw,
                ),
                on_round=partial(_tell, on_progress, strategy, draw + 1, done, total, started),
            )
            games[strategy].append(history)
    open_ = opened.live_rows - len(targets) * options.seeds
    ended = [len(game) - 1 for game in games["rounds"] if game[-1].labels == open_]
    if ended:
        notes = (*notes, f"the pool was labeled to its end after {max(ended):,} rounds.")
    counts = known.counts()
    there = [int(counts[known.classes.index(name)]) - options.seeds for name in targets]
    return Rehearsal(
        index,
        truth,
        opened.live_rows,
        known.classes,
        tuple(counts.tolist()),
        targets,
        tuple(there),
        options,
        budget,
        {strategy: tuple(histories) for strategy, histories in games.items()},
        time.perf_counter() - started,
        (*known.notes, *notes),
    )


def _tell(
    on_progress: Callable[[Progress], None],
    strategy: Strategy,
    draw: int,
    done: int,
    total: int,
    started: float,
    played: Played,
) -> None:
    seconds = time.perf_counter() - started
    on_progress(Progress(strategy, draw, played, done + played.round, total, seconds))


def _targets(known: Truth, options: RehearsalOptions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the classes to find, as they were asked for or the rarer half, and notes on them."""
    sizes = dict(zip(known.classes, known.counts().tolist(), strict=True))
    for name in options.targets:
        if name not in sizes:
            raise UsageError(
                f"There is no class {name!r} among the true labels; there are "
                f"{_listed(known.classes)}."
            )
        if sizes[name] <= options.seeds:
            raise UsageError(
                f"Class {name!r} has {_images(sizes[name])}, and {options.seeds} seeds leave none "
                "to find: take fewer --seeds, or another class."
            )
    if options.targets:
        return tuple(dict.fromkeys(options.targets)), ()
    wide = [name for name in known.classes if name != options.other]
    large = [name for name in wide if sizes[name] > options.seeds]
    if not large:
        most = max(wide, key=lambda name: sizes[name])
        raise UsageError(
            f"No class has more images than the {options.seeds} seeds that a rehearsal starts "
            f"with; the largest beside {options.other!r} is {most!r} with {_images(sizes[most])}: "
            "take fewer --seeds."
        )
    rare = rare_classes(np.array([sizes[name] for name in large], np.int64))
    small = [name for name in wide if name not in large]
    if not small:
        return tuple(large[code] for code in rare), ()
    have = "has" if len(small) == 1 else "have"
    note = f"not sought: {_listed(small)} {have} no more images than the {options.seeds} seeds."
    return tuple(large[code] for code in rare), (note,)


def _mean(states: Sequence[Played]) -> Mean:
    found = np.array([state.found for state in states], np.float64)
    made = sum(state.automatic for state in states)
    right = sum(state.automatic * state.automatic_right for state in states if state.automatic)
    return Mean(
        float(np.mean([state.labels for state in states])),
        float(np.mean([state.answers for state in states])),
        tuple(found.mean(axis=0).tolist()),
        float(np.mean([state.right for state in states])),
        float(np.mean([state.reached for state in states])),
        made / len(states),
        right / made if made else math.nan,
        float(np.mean([state.scored for state in states])),
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:12]))
    return f"{shown} and {len(names) - 12:,} more" if len(names) > 12 else shown


def _images(number: int) -> str:
    return "1 image" if number == 1 else f"{number:,} images"
