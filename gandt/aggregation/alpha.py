"""Krippendorff's alpha: how much workers agree beyond what chance would give.

1 is perfect agreement, 0 is what random answers with the same frequencies reach, below 0 is
systematic disagreement. Any number of workers, any number of answers a task; tasks with fewer than
two answers say nothing about agreement and do not count. Nominal labels differ or not; sets of
labels differ by degree (MASI or Jaccard distance). Takes arrays ordered by task, gives numbers.

Klaus Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011. MASI: Rebecca Passonneau,
"Measuring Agreement on Set-valued Items (MASI) for Semantic and Pragmatic Annotation", LREC 2006.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

__all__ = ["nominal_alpha", "set_alpha"]

Integers = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]

CELLS = 1 << 22  # counters or distances held at a time, so that memory stays bounded
# Distances between all pairs of distinct sets are quadratic; beyond this many, an even sample of
# the answers stands for all when the disagreement expected by chance is computed.
MOST_SETS = 3_000


def nominal_alpha(start: Integers, label: Integers, classes: int) -> float:
    """Krippendorff's alpha of single labels.

    Parameters
    ----------
    start
        (n + 1,) answers of task i are `start[i]:start[i + 1]`.
    label
        (a,) class codes, ordered by task.
    classes
        Number of classes.

    Returns
    -------
    float
        At most 1; NaN where no task has two answers, or all of those answers are the same.
    """
    agreeing, totals = 0.0, np.zeros(classes)
    for counts in _count_blocks(start, label, classes):
        number = counts.sum(axis=1)
        counts, number = counts[number > 1], number[number > 1]
        agreeing += float(((counts * (counts - 1)).sum(axis=1) / (number - 1)).sum())
        totals += counts.sum(axis=0)
    pairable = float(totals.sum())
    by_chance = pairable**2 - float((totals**2).sum())
    if by_chance <= 0:
        return float("nan")
    return 1 - (pairable - 1) * (pairable - agreeing) / by_chance


def set_alpha(
    start: Integers,
    code: Integers,
    members: npt.NDArray[np.bool_],
    *,
    distance: Literal["masi", "jaccard"] = "masi",
) -> float:
    """Krippendorff's alpha of sets of labels.

    Parameters
    ----------
    start
        (n + 1,) answers of task i are `start[i]:start[i + 1]`.
    code
        (a,) rows of `members`, ordered by task.
    members
        (sets, labels) the distinct sets; the empty set is one of them where it was answered.
    distance
        "jaccard" is 1 minus the share of the union that both have; "masi" counts overlap less
        where neither set contains the other. Two empty sets are equal.

    Returns
    -------
    float
        At most 1; NaN where no task has two answers, or all of those answers are the same.
    """
    number = np.diff(start)
    task = np.repeat(np.arange(len(number)), number)
    kept = number[task] > 1
    task, code = task[kept], np.asarray(code)[kept]
    totals = np.bincount(code, minlength=len(members)).astype(np.float64)
    pairable = totals.sum()
    by_chance = _expected(totals, members, distance)
    if by_chance <= 0:
        return float("nan")
    # Equal answers are at distance 0, so each task needs its distinct sets only, with their counts.
    keys, counts = np.unique(task.astype(np.int64) * len(members) + code, return_counts=True)
    task, code = keys // len(members), keys % len(members)
    observed = 0.0
    for shift in range(1, int(np.bincount(task).max())):
        first = np.flatnonzero(task[:-shift] == task[shift:])
        for at in range(0, len(first), step := max(1, CELLS // max(1, members.shape[1]))):
            one = first[at : at + step]
            two = one + shift
            apart = _distances(members[code[one]], members[code[two]], distance)
            observed += float(
                (2 * counts[one] * counts[two] * apart / (number[task[one]] - 1)).sum()
            )
    return float(1 - (pairable - 1) * observed / by_chance)


def _count_blocks(
    start: Integers, label: Integers, classes: int
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield (tasks of the block, classes) counts, task by task in order."""
    number = np.diff(start)
    step = max(1, CELLS // max(1, classes))
    for at in range(0, len(number), step):
        stop = min(at + step, len(number))
        task = np.repeat(np.arange(stop - at), number[at:stop])
        cells = task * classes + label[start[at] : start[stop]]
        yield np.bincount(cells, minlength=(stop - at) * classes).reshape(stop - at, classes)


def _expected(totals: Floats, members: npt.NDArray[np.bool_], distance: str) -> float:
    """Sum the distances over all ordered pairs of answers, whatever their tasks."""
    there = np.flatnonzero(totals)
    if not len(there):
        return 0.0
    weight, rows = totals[there], members[there].astype(np.float32)
    all_pairs = float(weight.sum()) ** 2
    if len(there) > MOST_SETS:
        order = np.lexsort((*rows.T, weight))
        ends = np.cumsum(weight[order])
        picks = (np.arange(MOST_SETS) + 0.5) * ends[-1] / MOST_SETS
        place, picked = np.unique(order[np.searchsorted(ends, picks)], return_counts=True)
        rows, weight = rows[place], picked.astype(np.float64)
    size = rows.sum(axis=1)
    total = 0.0
    for at in range(0, len(rows), step := max(1, CELLS // max(1, len(rows)))):
        block = slice(at, at + step)
        both = rows[block] @ rows.T
        apart = _from_sizes(both, size[block, None], size[None, :], distance)
        total += float(weight[block] @ apart.astype(np.float64) @ weight)
    return total * all_pairs / float(weight.sum()) ** 2


def _distances(
    one: npt.NDArray[np.bool_], two: npt.NDArray[np.bool_], distance: str
) -> npt.NDArray[np.float32]:
    both = (one & two).sum(axis=1, dtype=np.float32)
    sizes = (rows.sum(axis=1, dtype=np.float32) for rows in (one, two))
    return _from_sizes(both, next(sizes), next(sizes), distance)


def _from_sizes(
    both: npt.NDArray[np.float32],
    one: npt.NDArray[np.float32],
    two: npt.NDArray[np.float32],
    distance: str,
) -> npt.NDArray[np.float32]:
    """Distance of sets whose sizes and size of intersection are known; all broadcast."""
    union = one + two - both
    close = np.where(union > 0, both / np.maximum(union, 1), 1)
    if distance == "masi":
        within = both == np.minimum(one, two)
        close *= np.where(both == union, 1, np.where(within, 2 / 3, 1 / 3))
    return cast("npt.NDArray[np.float32]", 1 - close)
