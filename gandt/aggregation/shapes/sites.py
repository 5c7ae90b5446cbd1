"""Sites: the places where workers drew something, with what every worker said about each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gandt.aggregation.shapes.answers import Crowd
from gandt.aggregation.shapes.detection import Detection, Sites
from gandt.aggregation.shapes.matching import Codes, Rule, group, match
from gandt.aggregation.shapes.overlap import Floats

__all__ = ["Places", "nothing_missed", "places_of"]

_STEADY = 50.0  # from this shape on the numbers of things per task are as good as Poisson's


@dataclass(frozen=True, slots=True)
class Places:
    """Sites with the shapes that were drawn there; `n` sites ordered by task, `m` shapes."""

    sites: Sites
    task: Codes  # (n,)
    site: Codes  # (m,) of each shape
    vote: Codes  # (m,) the vote that each shape is
    row: Codes  # (e,) the answer that each vote belongs to
    known: Codes  # (n,) position among the known shapes of its task, -1 for others


def places_of(crowd: Crowd, rule: Rule) -> Places:
    """Group the shapes of each task; those of known tasks around what is known.

    Where a task's truth is known, its true shapes are sites, whoever drew them, and all other
    sites of the task are known to be empty.
    """
    shapes, start = crowd.shapes, crowd.start
    gold = crowd.gold
    taken = np.full(len(shapes), -1, np.int64)
    gold_task: list[int] = []
    gold_place: list[int] = []
    gold_label: list[int] = []
    for task, truth in gold.items():
        first = len(gold_task)
        if start[task] == start[task + 1]:
            continue
        gold_task += [task] * len(truth)
        gold_place += range(len(truth))
        gold_label += truth.label.tolist()
        if len(truth):
            for row in range(start[task], start[task + 1]):
                mine = np.arange(*np.searchsorted(crowd.row, [row, row + 1]))
                if len(mine):
                    found = match(shapes.take(mine), truth, rule)
                    taken[mine] = np.where(found >= 0, first + found, -1)
    free = np.flatnonzero(taken < 0)
    groups = group(shapes.take(free), rule)
    drawn = int(groups.max()) + 1 if len(groups) else 0
    task_of = np.zeros(drawn + len(gold_task), np.int64)
    task_of[groups] = shapes.task[free]
    task_of[drawn:] = gold_task
    known = np.full(len(task_of), -1, np.int64)
    known[drawn:] = gold_place
    truth_of = np.full(len(task_of), -1, np.int64)
    truth_of[:drawn][np.isin(task_of[:drawn], list(gold))] = 0
    truth_of[drawn:] = np.array(gold_label, np.int64) + 1
    site = np.empty(len(shapes), np.int64)
    site[free] = groups
    site[taken >= 0] = drawn + taken[taken >= 0]
    order = np.argsort(task_of, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    site, task_of, known, truth_of = rank[site], task_of[order], known[order], truth_of[order]

    answers = start[task_of + 1] - start[task_of]
    end = np.cumsum(answers)
    votes = int(end[-1]) if len(end) else 0
    site_of_vote = np.repeat(np.arange(len(task_of)), answers)
    row = np.arange(votes) - np.repeat(end - answers - start[task_of], answers)
    answer = np.zeros(votes, np.int64)
    vote = (end - answers)[site] + crowd.row - start[shapes.task]
    answer[vote] = shapes.label + 1
    sites = Sites(
        site_of_vote,
        crowd.row_worker[row],
        answer,
        truth_of,
        max(len(crowd.workers), 1),
        max(len(crowd.classes), 1),
    )
    return Places(sites, task_of, site, vote, row, known)


def nothing_missed(crowd: Crowd, places: Places, model: Detection) -> Floats:
    """Probability that every thing of a task was drawn by somebody: `(tasks,)`.

    The number of things per task is taken as Poisson with a rate that varies between tasks
    (gamma; fitted by moments), so that where little was found little is expected to be missed.
    """
    tasks = len(crowd.tasks)
    real = np.bincount(places.task, 1 - model.posterior[:, 0], minlength=tasks)
    logs = np.bincount(crowd.row_task, np.log1p(-model.found)[crowd.row_worker], minlength=tasks)
    overlooked = np.exp(logs)  # by everybody; 1 where nobody answered
    answered = np.diff(crowd.start) > 0
    things = (real / np.maximum(1 - overlooked, 1e-9))[answered]
    mean = (things.sum() + 1) / (len(things) + 1)
    spread = float(((things - mean) ** 2).sum() + 1) / (len(things) + 1) - mean
    shape = min(mean**2 / spread, _STEADY) if spread > 0 else _STEADY
    rate = shape / mean
    return np.asarray(((rate + 1 - overlooked) / (rate + 1)) ** (shape + real))
