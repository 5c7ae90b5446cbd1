"""The draft: budgets, classes that compete, ties."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.errors import UsageError
from gandt.selection.quota import draft, even_split, rank_orders
from gandt.types import BoolArray, FloatArray, IntArray


def assign(
    scores: FloatArray,
    *,
    budget: int | None = None,
    per_class: int | None = None,
    eligible: BoolArray | None = None,
    accept: Callable[[int], bool] | None = None,
) -> tuple[IntArray, ...]:
    """A whole choice, as a selection makes it; per class the rows, best first."""
    orders = rank_orders(scores, eligible)
    if per_class is not None:
        return draft(orders, [per_class] * len(orders), scores=scores, accept=accept)
    assert budget is not None
    quotas = even_split(budget, len(orders)) if len(orders) else ()
    return draft(orders, quotas, pooled=True, scores=scores, accept=accept)


def test_an_image_goes_to_the_class_that_ranks_it_best() -> None:
    scores = np.array([[0.9, 0.8, 0.1, 0.0], [0.5, 0.9, 0.8, 0.0]], np.float32)
    first, second = assign(scores, per_class=1)
    assert first.tolist() == [0]
    assert second.tolist() == [1]


def test_two_classes_that_want_one_image_at_the_same_place_go_by_score() -> None:
    scores = np.array([[0.5, 0.4, 0.1], [0.9, 0.1, 0.2]], np.float32)
    first, second = assign(scores, per_class=1)
    assert second.tolist() == [0]
    assert first.tolist() == [1]


def test_equal_scores_go_to_the_earlier_class_and_the_lower_row() -> None:
    first, second = assign(np.zeros((2, 4), np.float32), per_class=2)
    assert first.tolist() == [0, 1]
    assert second.tolist() == [2, 3]


def test_a_class_that_loses_an_image_goes_on_down_its_ranking() -> None:
    orders = (np.array([0, 1, 2]), np.array([0, 1, 2]))
    first, second = draft(orders, [1, 2])
    assert first.tolist() == [0]
    assert second.tolist() == [1, 2]


def test_what_a_class_cannot_use_goes_to_the_others() -> None:
    scores = np.arange(12, dtype=np.float32).reshape(2, 6)
    eligible = np.array([[True, False, False, False, False, False], [True] * 6])
    first, second = assign(scores, budget=6, eligible=eligible)
    assert len(first) + len(second) == 6
    assert set(first.tolist()) <= {0}


def test_a_quota_per_class_is_not_handed_on() -> None:
    scores = np.zeros((2, 6), np.float32)
    eligible = np.array([[False] * 6, [True] * 6])
    assert [len(rows) for rows in assign(scores, per_class=2, eligible=eligible)] == [0, 2]


def test_a_refused_image_is_gone_for_every_class_and_costs_no_quota() -> None:
    asked: list[int] = []

    def accept(row: int) -> bool:
        asked.append(row)
        return row != 5

    scores = np.tile(np.arange(6, dtype=np.float32), (2, 1))
    first, second = assign(scores, budget=4, accept=accept)
    assert sorted([*first.tolist(), *second.tolist()]) == [1, 2, 3, 4]
    assert asked.count(5) == 1


def test_the_remainder_of_a_split_goes_to_the_first() -> None:
    assert even_split(8, 3) == (3, 3, 2)
    assert even_split(0, 2) == (0, 0)


def test_orders_are_best_first_and_hold_eligible_rows_only() -> None:
    scores = np.array([[1.0, 3.0, 3.0, 2.0]], np.float32)
    (order,) = rank_orders(scores, np.array([True, True, True, False]))
    assert order.tolist() == [1, 2, 0]


def test_a_negative_quota_is_refused() -> None:
    with pytest.raises(UsageError, match="-1"):
        draft([np.arange(3)], [-1])


@st.composite
def competitions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    classes, rows = draw(st.integers(1, 4)), draw(st.integers(0, 25))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    scores = rng.permuted(np.tile(np.arange(rows), (classes, 1)), axis=1).astype(np.float32)
    # No two scores are equal, so no tie has to be broken by the order of classes.
    scores += np.arange(classes)[:, None] / 10
    return scores, rng.random((classes, rows)) < draw(st.floats(0, 1))


@given(competitions(), st.integers(0, 30))
def test_a_total_budget_is_used_up_as_long_as_anyone_has_candidates(
    competition: tuple[np.ndarray, np.ndarray], budget: int
) -> None:
    scores, eligible = competition
    chosen = assign(scores, budget=budget, eligible=eligible)
    everything = np.concatenate(chosen)
    assert len(set(everything.tolist())) == len(everything)
    assert len(everything) == min(budget, int(eligible.any(axis=0).sum()))
    for rows, mask in zip(chosen, eligible, strict=True):
        assert mask[rows].all()


@given(competitions(), st.integers(0, 12))
def test_no_class_is_over_quota_nor_short_while_it_has_candidates(
    competition: tuple[np.ndarray, np.ndarray], quota: int
) -> None:
    scores, eligible = competition
    chosen = assign(scores, per_class=quota, eligible=eligible)
    used = set(np.concatenate(chosen).tolist())
    for row, (rows, mask) in enumerate(zip(chosen, eligible, strict=True)):
        assert len(rows) <= quota
        assert (np.diff(scores[row][rows]) <= 0).all()
        if len(rows) < quota:
            assert set(np.flatnonzero(mask).tolist()) <= used


@given(competitions(), st.integers(0, 8), st.randoms(use_true_random=False))
def test_the_order_of_classes_does_not_matter(
    competition: tuple[np.ndarray, np.ndarray], quota: int, random: object
) -> None:
    scores, eligible = competition
    shuffled = np.arange(len(scores))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    straight = assign(scores, per_class=quota, eligible=eligible)
    other = assign(scores[shuffled], per_class=quota, eligible=eligible[shuffled])
    for place, original in enumerate(shuffled):
        assert other[place].tolist() == straight[original].tolist()
