"""Which shapes of different workers are meant for the same thing.

Shapes of one task are linked where they overlap enough: at `same` for equal labels, at `other` for
different ones (a place that two workers name differently is one thing with a disputed name). Where
linked shapes come from different workers and all overlap one another, or the mean of all, they are
one group. Anything less clear is settled by assignment: worker by worker, the shapes are matched
with the groups so far such that the total overlap is largest (Kuhn, 1955, in `scipy.optimize`), and
then each worker is matched anew with the groups of all others until nothing moves.

A worker has at most one shape in a group. The order in which workers are taken depends on what
they drew and on nothing else, so rows may be shuffled and workers renamed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gandt.aggregation.shapes.overlap import Floats, jaccard

__all__ = ["Codes", "Rule", "Shapes", "group", "match"]

Codes = npt.NDArray[np.int64]
_PAIRS_AT_ONCE = 2_000_000
_LABEL_BONUS = 0.1  # what an equal label is worth beside overlap when shapes compete for a group
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """From which overlap on, inclusive, two shapes can be one thing."""

    same: float  # with equal labels
    other: float  # with different labels


@dataclass(frozen=True, slots=True)
class Shapes:
    """Shapes of `m` answers, ordered by task."""

    task: Codes  # (m,) ascending
    worker: Codes  # (m,)
    label: Codes  # (m,)
    low: Floats  # (m, d)
    size: Floats  # (m, d) kept beside `high`, so that a shape comes out as it went in

    @property
    def high(self) -> Floats:
        """(m, d) upper corners."""
        return self.low + self.size

    def __len__(self) -> int:
        return len(self.task)

    def take(self, chosen: npt.NDArray[np.bool_] | Codes) -> Shapes:
        """Some of the shapes."""
        return Shapes(
            self.task[chosen],
            self.worker[chosen],
            self.label[chosen],
            self.low[chosen],
            self.size[chosen],
        )


def match(a: Shapes, b: Shapes, rule: Rule) -> Codes:
    """Pair shapes of one worker with known ones such that the total overlap is largest.

    Returns `(len(a),)`: the position in `b` for each shape of `a`, -1 where it has none.
    """
    overlap = jaccard(a.low[:, None], a.high[:, None], b.low[None], b.high[None])
    equal = a.label[:, None] == b.label[None]
    return _assign(overlap, equal, rule)


def group(shapes: Shapes, rule: Rule) -> Codes:
    """Number the things that were drawn: `(m,)` group of each shape, from 0, ordered by task."""
    count = len(shapes)
    if not count:
        return np.zeros(0, np.int64)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = _links(shapes, rule)
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    groups = connected_components(graph, directed=False)[1].astype(np.int64)
    total = int(groups.max()) + 1
    for component in _unclear(groups, shapes, first, rule):
        parts = _settle(shapes.take(component), rule)
        # The first part keeps the number of the component.
        groups[component[parts > 0]] = total + parts[parts > 0] - 1
        total += int(parts.max())
    # In the order of the first shape, hence by task.
    _, place, inverse = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(len(place), np.int64)
    rank[np.argsort(place)] = np.arange(len(place))
    return rank[inverse.ravel()]


def _links(shapes: Shapes, rule: Rule) -> tuple[Codes, Codes]:
    """Pairs of one task, of different workers, that overlap enough."""
    count = len(shapes)
    high = shapes.high
    end = np.searchsorted(shapes.task, shapes.task, side="right")
    partners = end - np.arange(count) - 1  # those after it in its task
    total = np.cumsum(partners)
    firsts: list[Codes] = []
    seconds: list[Codes] = []
    begin = 0
    while begin < count:
        done = total[begin - 1] if begin else 0
        stop = max(int(np.searchsorted(total, done + _PAIRS_AT_ONCE, side="right")), begin + 1)
        number = partners[begin:stop]
        first = np.repeat(np.arange(begin, stop), number)
        offset = np.arange(len(first)) - np.repeat(np.cumsum(number) - number, number)
        second = first + 1 + offset
        # Most pairs lie apart already from left to right.
        begins, ends = shapes.low[:, 0], high[:, 0]
        beside = (begins[first] < ends[second]) & (begins[second] < ends[first])
        beside &= shapes.worker[first] != shapes.worker[second]
        first, second = first[beside], second[beside]
        overlap = jaccard(shapes.low[first], high[first], shapes.low[second], high[second])
        least = np.where(shapes.label[first] == shapes.label[second], rule.same, rule.other)
        linked = overlap >= least
        firsts.append(first[linked])
        seconds.append(second[linked])
        begin = stop
    return np.concatenate(firsts), np.concatenate(seconds)


def _unclear(groups: Codes, shapes: Shapes, first: Codes, rule: Rule) -> list[Codes]:
    """Positions of the shapes of each component that is not one thing at first sight."""
    total = int(groups.max()) + 1
    size = np.bincount(groups, minlength=total)
    links = np.bincount(groups[first], minlength=total)
    wide = int(shapes.worker.max()) + 1
    workers = np.bincount(np.unique(groups * wide + shapes.worker) // wide, minlength=total)
    # One thing: a shape per worker, all linked with each other, or all near their mean.
    low, high = (
        np.stack([np.bincount(groups, column, total) for column in side.T], 1) / size[:, None]
        for side in (shapes.low, shapes.high)
    )
    near = jaccard(shapes.low, shapes.high, low[groups], high[groups]) >= rule.other
    all_near = np.bincount(groups, near, total) == size
    unclear = (workers < size) | ((links < size * (size - 1) // 2) & ~all_near)
    chosen = np.flatnonzero(unclear[groups])
    order = chosen[np.argsort(groups[chosen], kind="stable")]
    cuts = np.flatnonzero(np.diff(groups[order])) + 1
    return [part for part in np.split(order, cuts) if len(part)]


def _settle(shapes: Shapes, rule: Rule) -> Codes:
    """Split shapes of one task into groups of at most one shape per worker."""
    order = np.lexsort((shapes.label, *shapes.high.T, *shapes.low.T))
    shapes_by_worker: dict[int, list[int]] = {}
    for position in order:
        shapes_by_worker.setdefault(int(shapes.worker[position]), []).append(int(position))
    # Equal shapes have equal keys, so that two workers who drew the same are interchangeable.
    corners = np.column_stack([shapes.low, shapes.high, shapes.label])
    turns = sorted(
        shapes_by_worker.values(),
        key=lambda mine: (-len(mine), [tuple(corners[p]) for p in mine]),
    )
    parts = np.full(len(shapes), -1, np.int64)
    for turn in range(_ROUNDS):
        before = parts.copy()
        for mine in turns:
            chosen = np.array(mine)
            parts[chosen] = -1
            parts[chosen] = _join(shapes, parts, chosen, rule)
        parts = _renumber(parts, order)
        if turn and np.array_equal(before, parts):
            break
    return parts


def _renumber(parts: Codes, order: Codes) -> Codes:
    """Number parts from 0 by their first shape in the given order."""
    names: dict[int, int] = {}
    for position in order:
        names.setdefault(int(parts[position]), len(names))
    return np.array([names[int(part)] for part in parts], np.int64)


def _join(shapes: Shapes, parts: Codes, chosen: Codes, rule: Rule) -> Codes:
    """Match one worker's shapes with the groups of all others; what fits nowhere starts its own."""
    others = np.flatnonzero(parts >= 0)
    result = np.full(len(chosen), -1, np.int64)
    numbers = np.zeros(0, np.int64)
    if len(others):
        numbers, place = np.unique(parts[others], return_inverse=True)
        size = np.bincount(place).astype(np.float64)[:, None]
        low, high = (
            np.stack([np.bincount(place, side[others, d]) for d in range(side.shape[1])], 1) / size
            for side in (shapes.low, shapes.high)
        )
        overlap = jaccard(
            shapes.low[chosen][:, None], shapes.high[chosen][:, None], low[None], high[None]
        )
        equal = np.zeros(overlap.shape, np.bool_)
        for row, position in enumerate(chosen):
            # An equal label is one that at least half of the group has.
            share = np.bincount(place, shapes.label[others] == shapes.label[position])
            equal[row] = 2 * share >= size[:, 0]
        found = _assign(overlap, equal, rule)
        result = np.where(found >= 0, numbers[found], -1)
    fresh = int(parts.max()) + 1
    lonely = result < 0
    result[lonely] = fresh + np.arange(int(lonely.sum()))
    return result


def _assign(overlap: Floats, equal: npt.NDArray[np.bool_], rule: Rule) -> Codes:
    allowed = overlap >= np.where(equal, rule.same, rule.other)
    worth = np.where(allowed, overlap + _LABEL_BONUS * equal, 0.0)
    result = np.full(len(overlap), -1, np.int64)
    if not allowed.any():
        return result
    if min(worth.shape) == 1:
        row, column = np.unravel_index(int(worth.argmax()), worth.shape)
        result[row] = column
        return result
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(worth, maximize=True)
    kept = allowed[rows, columns]
    result[rows[kept]] = columns[kept]
    return result
