"""Shapes that overlap enough are one thing, at most one shape a worker."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.aggregation.shapes.matching import Rule, Shapes, group, match
from gandt.aggregation.shapes.overlap import jaccard

RULE = Rule(same=0.5, other=0.625)
edges = st.floats(-50, 50, allow_nan=False, width=32)
sides = st.floats(0.5, 50, allow_nan=False, width=32)
corners = st.tuples(edges, edges, sides, sides)


def shapes(*rows: tuple[int, int, tuple[float, float, float, float]], task: int = 0) -> Shapes:
    """Worker, class and (left, top, width, height)."""
    boxes = np.array([row[2] for row in rows], np.float64).reshape(-1, 4)
    return Shapes(
        np.full(len(rows), task),
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        boxes[:, :2],
        boxes[:, 2:],
    )


@given(corners, corners)
def test_overlap_is_symmetric_and_a_share(
    a: tuple[float, float, float, float], b: tuple[float, float, float, float]
) -> None:
    both = shapes((0, 0, a), (1, 0, b))
    one = jaccard(both.low[0], both.high[0], both.low[1], both.high[1])
    other = jaccard(both.low[1], both.high[1], both.low[0], both.high[0])
    assert one == other
    assert 0 <= one <= 1
    assert jaccard(both.low[0], both.high[0], both.low[0], both.high[0]) == pytest.approx(1)


def test_overlap_worked_by_hand() -> None:
    both = shapes((0, 0, (0, 0, 10, 10)), (1, 0, (5, 0, 10, 10)))
    assert jaccard(both.low[0], both.high[0], both.low[1], both.high[1]) == pytest.approx(1 / 3)


def test_equal_boxes_of_two_workers_are_one_thing_and_of_one_worker_are_two() -> None:
    box = (0, 0, 10, 10)
    assert group(shapes((0, 0, box), (1, 0, box)), RULE).tolist() == [0, 0]
    assert group(shapes((0, 0, box), (0, 0, box)), RULE).tolist() == [0, 1]


def test_boxes_of_two_tasks_are_never_one_thing() -> None:
    box = (0.0, 0.0, 10.0, 10.0)
    a, b = shapes((0, 0, box)), shapes((1, 0, box), task=1)
    both = Shapes(*(np.concatenate(pair) for pair in zip(parts(a), parts(b), strict=True)))
    assert group(both, RULE).tolist() == [0, 1]


def parts(one: Shapes) -> tuple[np.ndarray, ...]:
    return one.task, one.worker, one.label, one.low, one.size


def test_other_classes_are_one_thing_from_a_higher_overlap_on() -> None:
    near = shapes((0, 0, (0, 0, 10, 10)), (1, 1, (1, 0, 10, 10)))  # 0.82
    far = shapes((0, 0, (0, 0, 10, 10)), (1, 1, (3, 0, 10, 10)))  # 0.54
    assert group(near, RULE).tolist() == [0, 0]
    assert group(far, RULE).tolist() == [0, 1]
    assert group(shapes((0, 0, (0, 0, 10, 10)), (1, 0, (3, 0, 10, 10))), RULE).tolist() == [0, 0]


def test_a_worker_who_drew_two_classes_at_one_place_says_that_they_are_two_things() -> None:
    box = (0, 0, 10, 10)
    found = group(shapes((0, 0, box), (0, 1, box), (1, 0, box), (2, 1, box)), RULE)
    assert found.tolist() == [0, 1, 0, 1]


def test_the_total_overlap_decides_not_the_best_pair() -> None:
    # b's first box fits a's second best (0.9), but then a's first would have no partner.
    a = shapes((0, 0, (0, 0, 100, 10)), (0, 0, (20, 0, 100, 10)))
    b = shapes((1, 0, (18, 0, 100, 10)), (1, 0, (45, 0, 100, 10)))
    assert match(b, a, RULE).tolist() == [0, 1]
    together = Shapes(*(np.concatenate(pair) for pair in zip(parts(a), parts(b), strict=True)))
    assert group(together, RULE).tolist() == [0, 1, 0, 1]


def test_a_chain_is_not_one_thing() -> None:
    # Each overlaps the next by half and the one after hardly at all.
    chain = shapes(*((w, 0, (w * 30.0, 0, 100, 10)) for w in range(6)))
    found = group(chain, RULE)
    assert found[0] != found[5]
    assert len(set(found.tolist())) <= 4


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), corners), min_size=1, max_size=14),
    st.randoms(use_true_random=False),
)
def test_groups_depend_neither_on_rows_nor_on_names(
    rows: list[tuple[int, int, tuple[float, float, float, float]]], random: object
) -> None:
    first = group(shapes(*rows), RULE)
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    names = [3, 0, 2, 1]
    shuffled = [(names[rows[p][0]], rows[p][1], rows[p][2]) for p in order]
    second = group(shapes(*shuffled), RULE)

    def content(
        groups: np.ndarray, of: list[tuple[int, int, tuple[float, float, float, float]]]
    ) -> list[list[tuple[int, tuple[float, float, float, float]]]]:
        return sorted(
            sorted((of[p][1], of[p][2]) for p in np.flatnonzero(groups == one))
            for one in set(groups.tolist())
        )

    assert content(first, rows) == content(second, shuffled)
    pairs = list(zip(first.tolist(), [row[0] for row in rows], strict=True))
    assert len(set(pairs)) == len(pairs)  # at most one shape a worker


def test_many_boxes_of_one_image_need_little_memory() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (worker, 0, (float(x * 20), float(y * 20), 15 + rng.random(), 15 + rng.random()))
        for worker in range(4)
        for x in range(30)
        for y in range(30)
    ]
    assert len(set(group(shapes(*rows), RULE).tolist())) == 900
