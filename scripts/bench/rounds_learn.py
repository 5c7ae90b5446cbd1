"""What to ask next so that a probe learns, or whom to ask again: `learn` of `rounds.py`.

One noisy answer per question; a question is a new image or one that has answers. All strategies see
the same vectors, the same out-of-fold and plain predictions of the same probe, and the same answers
where they ask the same; they differ in what they ask. What is reached is the share of the pool that
is right where the aggregated labels stand and the probe labels the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from quality_pools import Pool
from rounds_peers import METHODS, activelab_order, uncertainty_picks
from rounds_plots import OURS, Look, learned_picture, write
from rounds_pools import names_of

from gandt import aggregation
from gandt.active.cross_fit import CrossFit, cross_fit
from gandt.active.frontier import Frontier
from gandt.active.labeled import Labeled
from gandt.active.reached import reached_share
from gandt.active.rounds import RoundOptions, next_round
from gandt.index.ann import ExactIndex
from gandt.index.arrays import ArrayStore

__all__ = ["learn"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

WORKERS = 10
SPREAD = 0.08  # standard deviation of their accuracies
START = 100  # random images with an answer each
BATCH = 100  # answers per round
ROUNDS = 10
TOLD = (2, 5, 10)  # rounds after which a table tells what was reached
GANDT = "**gandt, `learn`, asking again**"
ONCE = "gandt, `learn`, every image once"
ACTIVELAB = "cleanlab, ActiveLab"
RANDOM = "random"


@dataclass(slots=True)
class Desk:
    """Simulated people: what each would answer is drawn once, so strategies meet the same ones."""

    told: Codes  # (rows, workers) what each would say
    classes: tuple[str, ...]
    answers: Floats  # (rows, workers); NaN where nobody was asked

    @classmethod
    def hire(cls, truth: Codes, classes: tuple[str, ...], accuracy: float, seed: int) -> Desk:
        """Hire workers who err evenly over the other classes."""
        rng = np.random.default_rng([seed, 83])
        skill = np.clip(accuracy + SPREAD * rng.standard_normal(WORKERS), 1 / len(classes), 0.99)
        wrong = rng.integers(len(classes) - 1, size=(len(truth), WORKERS))
        wrong += wrong >= truth[:, None]
        right = rng.random(wrong.shape) < skill
        told = np.where(right, truth[:, None], wrong).astype(np.int64)
        return cls(told, classes, np.full(told.shape, np.nan))

    def ask(self, rows: Codes, rng: np.random.Generator) -> None:
        """Get one more answer on each row, of somebody who gave none."""
        for row in rows.tolist():
            free = np.flatnonzero(np.isnan(self.answers[row]))
            if len(free):
                worker = rng.choice(free)
                self.answers[row, worker] = self.told[row, worker]

    def labeled(self, truth: Codes) -> Labeled:
        """Aggregate all answers; images in the order of their rows."""
        rows, workers = np.nonzero(~np.isnan(self.answers))
        names = [str(code) for code in range(len(self.classes))]
        consensus = aggregation.aggregate(
            {
                "task": [str(row) for row in rows],
                "worker": [f"w{worker}" for worker in workers],
                "label": [str(int(code)) for code in self.answers[rows, workers]],
            },
            classes=names,
        )
        assert consensus.probabilities is not None
        order = [consensus.classes.index(name) for name in names]
        tasks = np.array([int(task) for task in consensus.labels["task"]], np.int64)
        counts = (~np.isnan(self.answers)).sum(axis=1)
        return Labeled(
            tasks,
            np.asarray(consensus.probabilities, np.float64)[:, order],
            self.classes,
            np.full(len(tasks), -1, np.int64),
            counts[tasks].astype(np.int64),
        )


@dataclass(slots=True)
class State:
    """What a strategy may look at."""

    pool: Pool
    store: ArrayStore
    search: ExactIndex
    labeled: Labeled
    fit: CrossFit
    desk: Desk
    frontier: Frontier
    accuracy: float  # of a worker on average, as the table of workers says it
    seed: int


Ask = Callable[[State], Codes | None]


def _ours(again: bool) -> Ask:
    def ask(state: State) -> Codes:
        options = RoundOptions(
            budget=BATCH,
            mix={"learn": 1.0},
            again=again,
            most_answers=WORKERS,
            random_seed=state.seed,
        )
        round_ = next_round(
            state.store,
            state.search,
            state.labeled,
            state.frontier,
            options,
            worker_accuracy=state.accuracy,
        )
        state.frontier = round_.frontier
        return round_.rows

    return ask


def _activelab(state: State) -> Codes:
    rows = np.setdiff1d(np.arange(state.store.rows), state.labeled.rows)
    predicted = state.fit.predict(state.store.take(rows))
    old, new = activelab_order(
        state.desk.answers[state.labeled.rows], state.fit.out_of_fold, predicted
    )
    every = np.concatenate([state.labeled.rows, rows])
    return every[np.argsort(np.concatenate([old, new]), kind="stable")[:BATCH]]


def _random(state: State) -> Codes:
    rows = np.setdiff1d(np.arange(state.store.rows), state.labeled.rows)
    return np.random.default_rng([state.seed, len(state.labeled)]).permutation(rows)[:BATCH]


def _uncertain(method: str) -> Ask:
    def ask(state: State) -> Codes | None:
        predicted = state.fit.predict(state.pool.vectors)
        return uncertainty_picks(method, state.labeled.rows, predicted, BATCH)

    return ask


def _play(pool: Pool, ask: Ask, accuracy: float, seed: int) -> tuple[list[float], float] | None:
    """Share of the pool that is right after each round, and images asked about in the end."""
    classes, truth = names_of(pool)
    store = ArrayStore(pool.vectors.astype(np.float16))
    desk = Desk.hire(truth, classes, accuracy, seed)
    rng = np.random.default_rng([seed, 84])
    # Two of each class, so that every class has a name; the rest of the start is random.
    named = [rng.choice(np.flatnonzero(truth == code), 2) for code in range(len(classes))]
    first = np.unique(np.concatenate([*named, rng.permutation(len(truth))[:START]]))
    desk.ask(first[: max(START, 2 * len(classes))], rng)
    search, frontier = ExactIndex(store), Frontier()
    reached = []
    for number in range(ROUNDS + 1):
        labeled = desk.labeled(truth)
        fit = cross_fit(store.take(labeled.rows), labeled.probabilities, classes, seed=seed)
        reached.append(reached_share(store, labeled, truth, fit))
        if number == ROUNDS:
            break
        state = State(pool, store, search, labeled, fit, desk, frontier, accuracy, seed)
        rows = ask(state)
        if rows is None:
            return None
        frontier = state.frontier
        desk.ask(rows, rng)
    return reached, float((~np.isnan(desk.answers)).any(axis=1).sum())


def learn(settings: Sequence[tuple[Pool, float, int]], plots: Path | None) -> list[str]:
    """Share of the pool that is right after so many answers, beside others' strategies.

    Parameters
    ----------
    settings
        A pool, the mean accuracy of its workers, and how often it is played.
    """
    ways: dict[str, Ask] = {RANDOM: _random}
    ways |= {f"scikit-activeml, {method}": _uncertain(method) for method in METHODS}
    ways |= {ACTIVELAB: _activelab, ONCE: _ours(False), GANDT: _ours(True)}
    columns: dict[str, dict[str, tuple[Floats, float]]] = {}
    for pool, accuracy, repeats in settings:
        played: dict[str, tuple[Floats, float]] = {}
        for name, ask in ways.items():
            done = [_play(pool, ask, accuracy, seed) for seed in range(repeats)]
            kept = [each for each in done if each is not None]
            if kept:
                reached = np.mean([values for values, _ in kept], axis=0)
                played[name] = (reached, float(np.mean([images for _, images in kept])))
        columns[f"{pool.name}, workers {accuracy:.0%} right, {repeats} repeats"] = played
    where, first = next(iter(columns.items()))
    looks: dict[str, Look] = {GANDT: OURS, ACTIVELAB: ("gold", "square", True)}
    looks |= {"scikit-activeml, margin_sampling": ("machine", "diamond", False)}
    looks[RANDOM] = ("unknown", "ring", False)
    short = {GANDT: "gandt", ACTIVELAB: "ActiveLab", RANDOM: RANDOM}
    lines_drawn = {
        short.get(name, "margin"): (first[name][0], look)
        for name, look in looks.items()
        if name in first
    }
    picture = learned_picture(lines_drawn, START, BATCH, where.rsplit(", ", 1)[0])
    write(plots, "rounds-learn", picture)
    answers = " / ".join(f"{START + BATCH * at:,}" for at in TOLD)
    lines = [
        f"Share of the pool that is right after {answers} answers (images asked about in the end).",
        "",
        f"| what is asked next | {' | '.join(columns)} |",
        "| --- |" + " --- |" * len(columns),
    ]
    for name in first:
        cells = [
            " / ".join(f"{column[name][0][at]:.3f}" for at in TOLD) + f" ({column[name][1]:,.0f})"
            for column in columns.values()
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines
