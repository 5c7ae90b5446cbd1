"""Answers with one label each become a `Consensus`: method, gold, earlier jobs, workers.

What the engine (`single`) gives as arrays is made into the two tables here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from gandt.aggregation.agreement import Agreed, Votes, agree
from gandt.aggregation.alpha import nominal_alpha
from gandt.aggregation.confidence import choose
from gandt.aggregation.confidence import tied as tied_classes
from gandt.aggregation.consensus import Consensus
from gandt.aggregation.encode import Encoded, encode
from gandt.aggregation.gold import MANY, cross_fit, gold_report
from gandt.aggregation.jobs import Joined, join_encoded, recode
from gandt.aggregation.label_workers import rate_labelers
from gandt.aggregation.settings import Settings
from gandt.aggregation.single import METHODS, Method, Single, aggregate_single
from gandt.aggregation.table import Table
from gandt.errors import UsageError

if TYPE_CHECKING:
    from gandt.aggregation.model_rater import Predictions

__all__ = ["consolidate_labels"]

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.floating[Any]]

Integers = npt.NDArray[np.int64]

_CELLS = 1 << 19  # of the blocks in which answers are compared


@dataclass(frozen=True, slots=True)
class _Solved:
    """One run of the engine."""

    single: Single
    agreed: Agreed | None  # where the rule of agreement decides
    # What plain consensus and model say beside each other, (n,) each; empty without a model.
    beside: Mapping[str, npt.NDArray[Any]]
    used: bool  # a model counts as one more rater
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Problem:
    """Everything that is known before anything is solved."""

    joined: Joined
    gold: Codes  # (n,) class code or -1
    model: Predictions | None
    settings: Settings

    def solve(self, gold: Codes) -> _Solved:
        """Run the engine; the rule of agreement takes its confidence from the votes it counts."""
        data, agreed, method = self.joined.data, None, self.settings.method
        if method == "agreement":
            agreed = _agree(data, gold, self.settings)
            data, method = _only(data, agreed.kept), "majority"
        known = gold if (gold >= 0).any() else None
        plain = aggregate_single(data, method=cast("Method", method), gold=known)
        if self.model is None:
            # Nobody looks at the raw posterior any more; where tasks are many it is large.
            plain = replace(plain, posterior=plain.probabilities)
            return _Solved(plain, agreed, {}, False, plain.notes)
        from gandt.aggregation.model_rater import apply_model

        single, beside, said = apply_model(
            data, plain, self.model, method=cast("Method", method), gold=known
        )
        return _Solved(single, agreed, beside, single is not plain, (*single.notes, said))


def consolidate_labels(
    answers: Any,
    settings: Settings,
    *,
    gold: Mapping[str, str],
    previous: Sequence[Any],
    model: Predictions | None,
    classes: Sequence[str] | None,
    tasks: Sequence[str] | None,
    notes: Sequence[str] = (),
) -> Consensus:
    """Make a consensus of single-label answers; see `gandt.aggregation.aggregate`.

    Parameters
    ----------
    answers, previous
        What `encode` takes.
    gold
        Known labels by task, of this job or earlier ones.
    model
        Predictions that count as one more rater; the labels table then has the columns
        `MODEL_COLUMNS` of `model_rater` too.

    Raises
    ------
    AnswerError
        The answers cannot be read.
    UsageError
        There is no such method.
    """
    if settings.method not in (*METHODS, "agreement"):
        known = ", ".join((*METHODS, "agreement"))
        raise UsageError(f"method is {settings.method!r}; for single labels give one of {known}.")
    said = list(notes)
    joined = _join(answers, settings, gold, previous, classes, tasks, said)
    codes = _gold_codes(joined, gold, said)
    problem = _Problem(joined, codes, model, settings)
    solved = problem.solve(codes)
    said += solved.notes
    data, shown = joined.data, joined.tasks
    # The labels table last: its many names would only lie beside what the others need to work.
    workers = rate_labelers(joined, codes, _for_rating(problem, solved), agreed=solved.agreed)
    alpha = nominal_alpha(
        data.start[: shown + 1], data.label[: data.start[shown]], len(data.classes)
    )
    report = _gold_report(problem, solved)
    return Consensus(
        labels=_labels(problem, solved),
        workers=workers,
        kind="single",
        method="agreement" if solved.agreed is not None else solved.single.method,
        classes=data.classes,
        probabilities=solved.single.probabilities[:shown],
        alpha=alpha,
        gold=report,
        notes=tuple(dict.fromkeys(said)),
    )


def _join(
    answers: Any,
    settings: Settings,
    gold: Mapping[str, str],
    previous: Sequence[Any],
    classes: Sequence[str] | None,
    tasks: Sequence[str] | None,
    notes: list[str],
) -> Joined:
    """Codes of all jobs over the same classes."""
    current = encode(answers, classes=classes, tasks=tasks)
    earlier = [encode(job, classes=classes) for job in previous]
    for data, where in ((current, "answers"), *((data, "earlier answers") for data in earlier)):
        for number, why in (
            (data.empty, "have no label and were left out."),
            (data.unknown, "have a label that is none of the classes and were left out."),
            (data.duplicates, "are a worker's second to a task and were left out."),
        ):
            if number:
                notes.append(f"{number:,} {where} {why}")
    if classes is None:
        names = dict.fromkeys(name for data in (current, *earlier) for name in data.classes)
        there = {name for data in (current, *earlier) for name in data.tasks}
        unseen = sorted({label for task, label in gold.items() if task in there} - set(names))
        if unseen:
            notes.append(
                f"nobody answered {_some(unseen)}, which gold names; it counts as a class all the "
                "same."
            )
        united = (*names, *unseen)
        current = recode(current, united)
        earlier = [recode(data, united) for data in earlier]
    joined = join_encoded(current, earlier, merge=settings.include_previous)
    if earlier:
        used = "their answers count as well" if settings.include_previous else "to rate workers by"
        notes.append(
            f"{sum(len(data.label) for data in earlier):,} answers of {len(earlier)} earlier "
            f"job{'s' if len(earlier) > 1 else ''} were used: {used}."
        )
    return joined


def _gold_codes(joined: Joined, gold: Mapping[str, str], notes: list[str]) -> Codes:
    """(n,) known class or -1; a task of an earlier job is known by the same name."""
    data = joined.data
    codes = np.full(len(data.tasks), -1, np.int32)
    if not gold:
        return codes
    place = {name: code for code, name in enumerate(data.classes)}
    strange: set[str] = set()
    found: set[str] = set()
    for task, name in enumerate(data.tasks.tolist()):
        label = gold.get(name)
        if label is None:
            continue
        found.add(name)
        if label in place:
            codes[task] = place[label]
        else:
            strange.add(label)
    if strange:
        notes.append(
            f"gold names {_some(sorted(strange))}, which is none of the classes; those tasks are "
            "treated as unknown."
        )
    if len(found) < len(gold):
        notes.append(
            f"{len(gold) - len(found):,} gold tasks are not among the tasks and were left out."
        )
    silent = int(((codes >= 0) & (np.diff(data.start) == 0))[: joined.tasks].sum())
    if silent:
        notes.append(f"{silent:,} gold tasks have no answer; their label is gold's.")
    return codes


def _for_rating(problem: _Problem, solved: _Solved) -> Single:
    """What workers are rated by: votes alone know too little of who is right."""
    if solved.single.method not in ("majority", "weighted"):
        return solved.single
    known = problem.gold if (problem.gold >= 0).any() else None
    return aggregate_single(problem.joined.data, gold=known)


def _agree(data: Encoded, gold: Codes, settings: Settings) -> Agreed:
    known = np.flatnonzero(gold >= 0)
    votes = Votes(
        data.task,
        data.worker.astype(np.int64),
        *data.shape,
        answer=np.arange(len(data.label)),
        label=data.label.astype(np.int64),
    )
    return agree(
        votes,
        min_ratings=settings.min_ratings,
        min_proportion=settings.min_proportion,
        reliability_threshold=settings.reliability_threshold,
        several=False,
        known=(known, gold[known].astype(np.int64)),
    )


def _only(data: Encoded, workers: npt.NDArray[np.bool_]) -> Encoded:
    """The answers of some workers; the others stay without any."""
    if workers.all():
        return data
    kept = workers[data.worker]
    start = np.zeros_like(data.start)
    np.cumsum(np.bincount(data.task[kept], minlength=len(data.tasks)), out=start[1:])
    seconds = None if data.seconds is None else data.seconds[kept]
    return replace(
        data, start=start, worker=data.worker[kept], label=data.label[kept], seconds=seconds
    )


def _labels(problem: _Problem, solved: _Solved) -> Table:
    """The labels table of the tasks that are shown."""
    data, settings, agreed = problem.joined.data, problem.settings, solved.agreed
    shown = problem.joined.tasks
    start = data.start[: shown + 1]
    code = data.label[: start[-1]]
    known = problem.gold[:shown] >= 0
    counted = None if agreed is None else agreed.kept[data.worker[: start[-1]]]
    votes = np.diff(start) if counted is None else _count(start, counted)
    predicted = np.zeros(shown, np.bool_)
    if solved.used:
        said = np.array([name is not None for name in solved.beside["model_label"][:shown]], bool)
        predicted = said & (votes == 0) & ~known
    told = (votes > 0) | predicted | known
    probabilities = solved.single.probabilities[:shown]
    label = choose(probabilities).astype(np.int64)
    rows, codes = np.nonzero(tied_classes(probabilities))
    tied = (rows.astype(np.int64), codes.astype(np.int64))
    if agreed is not None:
        here = agreed.shown[0] < shown
        if problem.model is None:  # the same votes settle a tie here and in the probabilities
            here &= ~np.isin(agreed.shown[0], agreed.tied[0])
        label[agreed.shown[0][here]] = agreed.shown[1][here]
        tied = agreed.tied
    label = np.where(known, problem.gold[:shown], label)
    same = np.empty(len(code), np.bool_)
    for low in range(0, shown, _CELLS):
        part = slice(start[low], start[min(low + _CELLS, shown)])
        same[part] = code[part] == np.repeat(
            label[low : low + _CELLS], np.diff(start[low : low + _CELLS + 1])
        )
    agreeing = _count(start, same if counted is None else same & counted)
    confidence = np.zeros(shown)
    if len(data.classes):
        confidence[told] = probabilities[np.flatnonzero(told), label[told]]
    confidence[known] = 1.0
    ties = _tie_names(tied, told & ~known, data.classes)
    if agreed is None:
        certain = (
            told & (confidence >= settings.min_confidence) & ~np.array(list(map(bool, ties)), bool)
        )
    else:
        certain = agreed.certain[:shown]
    certain = (certain & (votes >= settings.min_answers)) | known
    source = np.full(shown, "human", object)
    source[predicted] = "machine"
    source[known] = "gold"
    with np.errstate(invalid="ignore"):
        agreement = np.where(votes > 0, agreeing / np.maximum(votes, 1), np.nan)
    columns: dict[str, Any] = {
        "task": data.tasks[:shown],
        "label": np.array([*data.classes, None], object)[np.where(told, label, len(data.classes))],
        "confidence": np.clip(confidence, 0.0, 1.0),
        "votes": votes,
        "agreement": agreement,
        "certain": certain,
        "source": source,
        "tied": ties,
        **{name: column[:shown] for name, column in solved.beside.items()},
    }
    return Table(columns)


def _count(start: Integers, flags: npt.NDArray[np.bool_]) -> Integers:
    """How many of each task's answers are flagged, a block of tasks at a time."""
    tasks = len(start) - 1
    number = np.zeros(tasks, np.int64)
    for low in range(0, tasks, _CELLS):
        bounds = start[low : low + _CELLS + 1]
        sums = np.zeros(bounds[-1] - bounds[0] + 1, np.int64)
        np.cumsum(flags[bounds[0] : bounds[-1]], out=sums[1:])
        number[low : low + _CELLS] = np.diff(sums[bounds - bounds[0]])
    return number


def _tie_names(
    tied: tuple[Integers, Integers], open_tasks: npt.NDArray[np.bool_], classes: Sequence[str]
) -> list[tuple[str, ...]]:
    """Names in the tie of each task that is shown and not settled otherwise."""
    names: list[tuple[str, ...]] = [()] * len(open_tasks)
    for task, code in zip(tied[0].tolist(), tied[1].tolist(), strict=True):
        if task < len(open_tasks) and open_tasks[task]:
            names[task] = (*names[task], classes[code])
    return names


def _gold_report(problem: _Problem, solved: _Solved) -> dict[str, float]:
    """What the consensus says about the gold tasks of this job without being told of them."""
    data, shown = problem.joined.data, problem.joined.tasks
    asked = problem.gold.copy()
    asked[shown:] = -1
    asked[np.diff(data.start) == 0] = -1
    if not (asked >= 0).any():
        return {}
    if len(data.label) > MANY and solved.single.blind is not None:
        known = np.flatnonzero(problem.gold >= 0)
        inside = asked[known] >= 0
        return gold_report(solved.single.blind[inside], problem.gold[known[inside]])
    always = np.where(asked >= 0, -1, problem.gold)

    def solve(told: Codes) -> Floats:
        codes = np.where(told >= 0, told, always).astype(np.int32)
        return problem.solve(codes).single.probabilities

    tasks, probabilities = cross_fit(asked, data.tasks, solve)
    return gold_report(probabilities, problem.gold[tasks])


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:3]))
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
