"""Workers whose answers are sets of labels: right and wrong are decisions about single labels.

Only labels that somebody gave the task count as decisions; every worker is right about the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.aggregation.agreement import Agreed, Votes
from gandt.aggregation.binary_relevance import Ballots, Relevance
from gandt.aggregation.label_sets import LabelSets
from gandt.aggregation.table import Table
from gandt.aggregation.workers import ConfusionColumn, Judged, WorkerGold, worker_table

__all__ = ["ballots_of", "rate_set_workers", "same_sets", "two_classes"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]


def rate_set_workers(
    sets: LabelSets,
    votes: Votes,
    gold: npt.NDArray[np.int8],
    model: Relevance,
    shown: Floats,
    *,
    none_label: str,
    agreed: Agreed | None,
) -> Table:
    """Make the workers table of the workers that are shown.

    Parameters
    ----------
    votes
        All of them; "none of them" is the last label.
    gold
        (n, k) 1 or 0 where the task is known, else -1.
    shown
        (n, k) probabilities.
    none_label
        Names the row of the confusion for tasks without the label.
    agreed
        Where the rule of agreement says who is reliable.
    """
    data = sets.data
    labels, workers = len(sets.labels), len(data.workers)
    answer, label, given = _decisions(votes, labels)
    worker, task = data.worker[answer], data.task[answer]
    chance = shown[task, label]
    truth = gold[task, label]
    right = np.where(given, chance, 1 - chance)
    right = np.where(truth >= 0, truth == given, right).astype(np.float64)
    base, gain = model.evidence()
    ballots = ballots_of(votes)

    def others(low: int, high: int) -> Floats:
        who, what, said = worker[low:high], label[low:high], given[low:high]
        logits = model.logits[task[low:high], what] - base[who, what] - said * gain[who, what]
        return two_classes(1 / (1 + np.exp(-np.clip(logits, -500, 500))))

    known_tasks = gold[:, 0] >= 0 if labels else np.zeros(len(gold), np.bool_)
    known = known_tasks[data.task]
    exact = same_sets(sets.members, data.label, gold == 1, data.task)
    on_gold = WorkerGold(
        np.bincount(data.worker[known], minlength=workers),
        np.bincount(data.worker[known & exact], minlength=workers).astype(np.float64),
    )
    return worker_table(
        data.workers.tolist(),
        Judged(
            worker,
            given.astype(np.int64),
            workers,
            2,
            right,
            others,
            raised=ballots.named()[task, label] > given,
            noun="decisions on labels that others gave too",
        ),
        gold=on_gold,
        confusion=_confusion(model, sets.labels, none_label),
        classes=(),
        answers=np.bincount(data.worker, minlength=workers),
        seconds=None if data.seconds is None else (data.worker, data.seconds),
        rule=None if agreed is None else (agreed.kept, agreed.reasons()),
        only=np.arange(workers) < sets.joined.workers,
    )


def _decisions(votes: Votes, labels: int) -> tuple[Integers, Integers, npt.NDArray[np.bool_]]:
    """Answer and label of every decision that counts, and whether the answer gave the label."""
    named = votes.label < labels
    answer, label = votes.answer[named], votes.label[named]
    cells = np.unique(votes.task[answer] * labels + label)
    number = np.bincount(cells // max(labels, 1), minlength=votes.tasks)
    first = np.cumsum(number) - number
    each = number[votes.task]
    of = np.repeat(np.arange(len(votes.task)), each)
    within = np.arange(len(of)) - np.repeat(np.cumsum(each) - each, each)
    asked = cells[first[votes.task][of] + within] % max(labels, 1)
    gave = np.sort(answer * labels + label)
    key = of * labels + asked
    place = np.searchsorted(gave, key)
    given = np.zeros(len(key), np.bool_)
    inside = place < len(gave)
    given[inside] = gave[place[inside]] == key[inside]
    return of, asked, given


def _confusion(model: Relevance, labels: Sequence[str], none_label: str) -> ConfusionColumn:
    """Per label: given and missed where it belongs; given where it does not, under `none_label`."""
    workers, number = model.hits.shape
    matrix = np.zeros((workers, number + 1, number + 1))
    diagonal = np.arange(number)
    matrix[:, diagonal, diagonal] = model.hits
    matrix[:, diagonal, number] = 1 - model.hits
    matrix[:, number, :number] = model.alarms
    return ConfusionColumn(matrix, (*labels, none_label))


def ballots_of(votes: Votes) -> Ballots:
    """The votes without those for "none of them", which are answers all the same."""
    start = np.zeros(votes.tasks + 1, np.int64)
    np.cumsum(np.bincount(votes.task, minlength=votes.tasks), out=start[1:])
    named = votes.label < votes.labels - 1
    answer = votes.answer[named]
    return Ballots(
        start,
        votes.worker,
        votes.workers,
        votes.labels - 1,
        votes.task[answer],
        votes.worker[answer],
        votes.label[named],
    )


def same_sets(
    members: npt.NDArray[np.bool_],
    code: Integers,
    chosen: npt.NDArray[np.bool_],
    task: Integers,
) -> npt.NDArray[np.bool_]:
    """(a,) whether an answer is exactly the set that is shown for its task."""
    if not len(code):
        return np.zeros(0, np.bool_)
    packed = np.packbits(np.concatenate([members, chosen]), axis=1)
    _, number = np.unique(packed, axis=0, return_inverse=True)
    number = number.ravel()
    return np.asarray(number[: len(members)][code] == number[len(members) :][task])


def two_classes(chance: Floats) -> Floats:
    """(m, 2) probabilities of no and yes."""
    return np.stack([1 - chance, chance], axis=1)
