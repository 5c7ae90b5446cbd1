"""Answers that are sets of labels become a `Consensus`: each label of a task has a probability.

The model is `binary_relevance`; the rule of `agreement` and plain per-label majority are there too.
A task's label is the tuple of labels with a probability of at least one half. Its confidence is the
probability that the least sure of these decisions is right, over all labels: a bound of how sure
the whole set is, and the right thing to sort by when asking again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.aggregation.agreement import Agreed, Votes, agree
from gandt.aggregation.alpha import set_alpha
from gandt.aggregation.binary_relevance import Ballots, Relevance, mix_in_votes, relevance
from gandt.aggregation.confidence import Calibration, fit_calibration
from gandt.aggregation.consensus import Consensus
from gandt.aggregation.gold import MANY, cross_fit, gold_report
from gandt.aggregation.label_sets import LabelSets, encode_sets
from gandt.aggregation.set_workers import ballots_of, rate_set_workers, same_sets, two_classes
from gandt.aggregation.settings import Settings
from gandt.aggregation.table import Table
from gandt.answers import Answers
from gandt.errors import UsageError

__all__ = ["SET_METHODS", "consolidate_sets"]

SET_METHODS = ("auto", "majority", "dawid-skene", "agreement")

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]

_TIE = 1e-6  # distance from one half up to which a decision is open
_ENOUGH_GOLD = 20  # known tasks from which on the calibration is fitted
_VOTES_ALONE = Calibration(weight=0.0)
# Between the 2/3 that measures best for single labels of real workers and the 0.9 that does for
# simulated tiles, where errors are less alike. No public set of tiles was at hand to measure on.
_MIXED = Calibration(weight=0.8)


@dataclass(frozen=True, slots=True)
class _Solved:
    """One run."""

    model: Relevance
    shown: Floats  # (n, k) probabilities to show
    agreed: Agreed | None  # where the rule of agreement decides
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Problem:
    sets: LabelSets
    votes: Votes  # "none of them" is the last label
    gold: npt.NDArray[np.int8]  # (n, k) 1 or 0 where the task is known, else -1
    settings: Settings

    def solve(self, gold: npt.NDArray[np.int8]) -> _Solved:
        """Run the method."""
        known = gold[:, :1] >= 0 if gold.shape[1] else np.zeros((len(gold), 1), np.bool_)
        rows = np.flatnonzero(known)
        method, votes, agreed = self.settings.method, self.votes, None
        if method == "agreement":
            agreed = _agree(votes, gold, rows, self.settings)
            votes = votes if agreed.kept.all() else votes.of(agreed.kept)
        ballots = ballots_of(votes)
        how = _MIXED if method in ("auto", "dawid-skene") else _VOTES_ALONE
        notes: tuple[str, ...] = ()
        if len(rows) >= _ENOUGH_GOLD:
            how = self._calibration(ballots, gold, rows, how)
            notes = (f"The confidence was calibrated on {len(rows)} gold tasks.",)
        model = relevance(ballots, gold if len(rows) else None)
        return _Solved(model, mix_in_votes(model, ballots, how), agreed, notes)

    def _calibration(
        self, ballots: Ballots, gold: npt.NDArray[np.int8], rows: Integers, start: Calibration
    ) -> Calibration:
        """Fit on known tasks, of which the model is not told for that; labels somebody named."""
        blind = relevance(ballots)
        shares = mix_in_votes(blind, ballots, _VOTES_ALONE)[rows]
        at = np.nonzero(ballots.named()[rows])
        truth = gold[rows][at].astype(np.int64)
        if start.weight == 0:
            return start
        posterior = blind.posterior[rows][at]
        return fit_calibration(two_classes(posterior), two_classes(shares[at]), truth, start)


def consolidate_sets(
    answers: Answers,
    settings: Settings,
    *,
    gold: Mapping[str, tuple[str, ...]],
    previous: Sequence[Answers] = (),
    classes: Sequence[str] | None = None,
    notes: Sequence[str] = (),
) -> Consensus:
    """Make a consensus of sets of labels; see `gandt.aggregation.aggregate`.

    Parameters
    ----------
    answers, previous
        Of kind "multi".
    gold
        Known sets of labels by task.

    Raises
    ------
    AnswerError
        The answers are of another kind.
    UsageError
        There is no such method.
    """
    if settings.method not in SET_METHODS:
        raise UsageError(
            f"method is {settings.method!r}; for sets of labels give one of "
            f"{', '.join(SET_METHODS)}."
        )
    sets = encode_sets(
        answers,
        previous,
        merge=settings.include_previous,
        classes=classes,
        none_label=settings.none_label,
        gold=gold,
    )
    said = [*notes, *sets.notes]
    known = _gold_cells(sets, gold, settings.none_label, said)
    problem = _Problem(sets, _votes(sets), known, settings)
    solved = problem.solve(known)
    said += solved.notes
    data, shown = sets.data, sets.joined.tasks
    names = {"auto": "dawid-skene"}
    return Consensus(
        labels=_labels(problem, solved),
        workers=rate_set_workers(
            sets,
            problem.votes,
            known,
            solved.model,
            solved.shown,
            none_label=settings.none_label,
            agreed=solved.agreed,
        ),
        kind="multi",
        method=names.get(settings.method, settings.method),
        classes=sets.labels,
        probabilities=solved.shown[:shown],
        alpha=set_alpha(data.start[: shown + 1], data.label[: data.start[shown]], sets.members),
        gold=_gold_report(problem),
        notes=tuple(dict.fromkeys(said)),
    )


def _votes(sets: LabelSets) -> Votes:
    """Every answer with its votes; the empty set is a vote for "none of them"."""
    data = sets.data
    answer, label = sets.votes()
    named = np.bincount(answer, minlength=len(data.label))
    nothing = np.flatnonzero(named == 0)
    answer = np.concatenate([answer, nothing])
    label = np.concatenate([label, np.full(len(nothing), len(sets.labels))])
    order = np.argsort(answer, kind="stable")
    return Votes(
        data.task,
        data.worker.astype(np.int64),
        len(data.tasks),
        len(data.workers),
        len(sets.labels) + 1,
        answer[order],
        label[order],
    )


def _gold_cells(
    sets: LabelSets, gold: Mapping[str, tuple[str, ...]], none_label: str, notes: list[str]
) -> npt.NDArray[np.int8]:
    """(n, k) what is known; a task of an earlier job is known by the same name."""
    data = sets.data
    cells = np.full((len(data.tasks), len(sets.labels)), -1, np.int8)
    place = {name: code for code, name in enumerate(sets.labels)}
    strange: set[str] = set()
    found: set[str] = set()
    for task, name in enumerate(data.tasks.tolist() if gold else ()):
        if name not in gold:
            continue
        found.add(name)
        names = {label for label in gold[name] if label != none_label}
        if names <= set(place):
            cells[task] = 0
            cells[task, [place[label] for label in names]] = 1
        else:
            strange |= names - set(place)
    if strange:
        notes.append(
            f"gold names {', '.join(map(repr, sorted(strange)[:3]))}, none of the classes; tasks "
            "with such labels are treated as unknown."
        )
    if len(found) < len(gold):
        notes.append(
            f"{len(gold) - len(found):,} gold tasks are not among the tasks and were left out."
        )
    return cells


def _known(gold: npt.NDArray[np.int8]) -> npt.NDArray[np.bool_]:
    """(n,) tasks that are known."""
    if not gold.shape[1]:
        return np.zeros(len(gold), np.bool_)
    return np.asarray(gold[:, 0] >= 0)


def _agree(votes: Votes, gold: npt.NDArray[np.int8], rows: Integers, settings: Settings) -> Agreed:
    nothing = rows[~(gold[rows] == 1).any(axis=1)]
    task, label = np.nonzero(gold == 1)
    return agree(
        votes,
        min_ratings=settings.min_ratings,
        min_proportion=settings.min_proportion,
        reliability_threshold=settings.reliability_threshold,
        several=True,
        known=(
            np.concatenate([task, nothing]).astype(np.int64),
            np.concatenate([label, np.full(len(nothing), votes.labels - 1)]).astype(np.int64),
        ),
    )


def _labels(problem: _Problem, solved: _Solved) -> Table:
    """The labels table of the tasks that are shown, with a column `confidences`."""
    sets, settings, agreed = problem.sets, problem.settings, solved.agreed
    data, shown = sets.data, sets.joined.tasks
    start = data.start[: shown + 1]
    code = data.label[: start[-1]]
    task = np.repeat(np.arange(shown), np.diff(start))
    known = _known(problem.gold[:shown])
    counted = np.ones(len(code), np.bool_)
    if agreed is not None:
        counted = agreed.kept[data.worker[: start[-1]]]
    votes = np.bincount(task[counted], minlength=shown)
    told = (votes > 0) | known
    belief = solved.shown[:shown]
    chosen = belief >= 0.5
    open_cells = np.abs(belief - 0.5) <= _TIE
    sure = np.maximum(belief, 1 - belief).min(axis=1, initial=1.0)
    if agreed is not None:
        chosen, open_cells = (_cells(pairs, belief.shape) for pairs in (agreed.shown, agreed.tied))
        sure = np.where(chosen, belief, 1 - belief).min(axis=1, initial=1.0)
    chosen[known] = problem.gold[:shown][known] == 1
    open_cells[known | ~told] = False
    confidence = np.where(known, 1.0, np.where(told, sure, 0.0))
    has_tie = open_cells.any(axis=1)
    if agreed is not None:
        certain = agreed.certain[:shown]
    else:
        certain = told & (confidence >= settings.min_confidence) & ~has_tie
    same = same_sets(sets.members, code, chosen, task) & counted
    agreeing = np.bincount(task[same], minlength=shown)
    with np.errstate(invalid="ignore"):
        agreement = np.where(votes > 0, agreeing / np.maximum(votes, 1), np.nan)
    labels: list[tuple[str, ...] | None] = [
        names if here else None
        for names, here in zip(_names(chosen, sets.labels), told.tolist(), strict=True)
    ]
    columns: dict[str, Any] = {
        "task": data.tasks[:shown],
        "label": labels,
        "confidence": confidence,
        "votes": votes,
        "agreement": agreement,
        "certain": (certain & (votes >= settings.min_answers)) | known,
        "source": np.where(known, "gold", "human").astype(object),
        "tied": _names(open_cells, sets.labels),
        "confidences": _confidences(problem, belief),
    }
    return Table(columns)


def _cells(pairs: tuple[Integers, Integers], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """(tasks, labels) bool of pairs; the pair of "none of them" marks nothing."""
    cells = np.zeros(shape, np.bool_)
    inside = (pairs[0] < shape[0]) & (pairs[1] < shape[1])
    cells[pairs[0][inside], pairs[1][inside]] = True
    return cells


def _names(cells: npt.NDArray[np.bool_], labels: Sequence[str]) -> list[tuple[str, ...]]:
    """The names of the marked labels of each task, in class order."""
    rows: list[list[str]] = [[] for _ in range(len(cells))]
    for task, label in zip(*(axis.tolist() for axis in np.nonzero(cells)), strict=True):
        rows[task].append(labels[label])
    return [tuple(names) for names in rows]


def _confidences(problem: _Problem, belief: Floats) -> list[dict[str, float]]:
    """{label: probability} of every label that somebody gave the task, or gold knows."""
    sets, votes = problem.sets, problem.votes
    shown = len(belief)
    named = votes.label < len(sets.labels)
    task = votes.task[votes.answer[named]]
    cells = problem.gold[:shown] == 1
    here = task < shown
    cells[task[here], votes.label[named][here]] = True
    found: list[dict[str, float]] = [{} for _ in range(shown)]
    places = np.nonzero(cells)
    for row, label, chance in zip(
        places[0].tolist(), places[1].tolist(), belief[places].tolist(), strict=True
    ):
        found[row][sets.labels[label]] = chance
    return found


def _gold_report(problem: _Problem) -> dict[str, float]:
    """What would be said of the known tasks untold; over the labels that somebody gave or gold has.

    `accuracy` is the share of tasks whose whole set is right, `decision_accuracy` that of single
    labels, which the calibration is about.
    """
    data, shown = problem.sets.data, problem.sets.joined.tasks
    asked = np.where(_known(problem.gold) & (np.diff(data.start) > 0), 0, -1).astype(np.int32)
    asked[shown:] = -1
    if not (asked >= 0).any():
        return {}

    def solve(told: npt.NDArray[np.int32]) -> Floats:
        gold = problem.gold.copy()
        gold[(asked >= 0) & (told < 0)] = -1
        return problem.solve(gold).shown

    if len(data.label) > MANY:
        untold = np.full_like(asked, -1)
        tasks = np.flatnonzero(asked >= 0)
        shown_there = solve(untold)[tasks]
    else:
        tasks, found = cross_fit(asked, data.tasks, solve)
        shown_there = np.asarray(found, np.float64)
    truth = problem.gold[tasks] == 1
    named = ballots_of(problem.votes).named()[tasks] > 0
    at = np.nonzero(named | truth)
    report = gold_report(two_classes(shown_there[at]), truth[at].astype(np.int64))
    whole = float(((shown_there >= 0.5) == truth).all(axis=1).mean())
    decisions = report.get("accuracy", float("nan"))
    return {
        **report,
        "tasks": float(len(tasks)),
        "accuracy": whole,
        "decision_accuracy": decisions,
    }
