"""Thresholds of automatic labels: worked by hand, and the promise kept over many draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.active.logistic import Floats
from gandt.active.thresholds import choose_thresholds, fewest_cases, lower_bound
from gandt.errors import UsageError
from gandt.types import IntArray


def cases(*groups: tuple[int, int, float, bool]) -> tuple[Floats, IntArray]:
    """Predictions of two classes: so many cases predicted as a class, how surely, right or not."""
    rows, labels = [], []
    for count, code, top, right in groups:
        row = [top, 1 - top] if code == 0 else [1 - top, top]
        rows += [row] * count
        labels += [code if right else 1 - code] * count
    return np.array(rows), np.array(labels)


class TestBounds:
    def test_59_cases_without_a_mistake_are_the_fewest_that_prove_95_percent(self) -> None:
        assert 0.95**59 < 0.05 < 0.95**58
        assert fewest_cases(0.95) == 59
        assert fewest_cases(0.99) == 299
        assert fewest_cases(0.5, 0.5) == 1

    def test_the_bound_without_a_mistake_in_closed_form(self) -> None:
        assert lower_bound(59, 59) == pytest.approx(0.05 ** (1 / 59))
        assert lower_bound(59, 59) > 0.95 > lower_bound(58, 58)
        assert lower_bound(0, 10) == 0

    def test_one_mistake_takes_93_cases(self) -> None:
        assert lower_bound(92, 93) > 0.95 > lower_bound(91, 92)

    @pytest.mark.parametrize("share", [0.0, 1.0, 95.0])
    def test_a_share_is_between_0_and_1(self, share: float) -> None:
        with pytest.raises(UsageError, match="between 0 and 1"):
            fewest_cases(share)


class TestWalk:
    def test_58_right_cases_prove_nothing_and_59_do(self) -> None:
        few = choose_thresholds(*cases((58, 0, 0.9, True)), ("a", "b"))
        assert few.classes[0].refused
        assert "58 labeled images are certain where 59" in few.reason
        assert few.accept(np.array([[1.0, 0.0]])).tolist() == [-1]
        enough = choose_thresholds(*cases((59, 0, 0.9, True)), ("a", "b"))
        assert enough.reason == ""
        assert enough.classes[0].threshold == 0.9
        assert enough.cases == 59
        assert enough.bound == pytest.approx(0.05 ** (1 / 59))

    def test_it_stops_where_mistakes_begin(self) -> None:
        found = choose_thresholds(
            *cases((150, 0, 0.9, True), (50, 0, 0.7, True), (100, 0, 0.6, False)), ("a", "b")
        )
        assert found.classes[0].threshold == 0.7
        assert found.cases == 200

    def test_it_does_not_go_on_after_a_failure(self) -> None:
        # The first look fails; the hundreds of right cases below would pull the mean up again.
        found = choose_thresholds(*cases((6, 0, 0.9, False), (994, 0, 0.8, True)), ("a", "b"))
        assert found.reason == ""  # the first look is after 100 cases, of which 6 are wrong
        found = choose_thresholds(*cases((12, 0, 0.9, False), (88, 0, 0.8, True)), ("a", "b"))
        assert "12 of the 59 most confident predictions are wrong" in found.reason

    def test_equal_confidences_go_together(self) -> None:
        found = choose_thresholds(*cases((60, 0, 0.9, True), (60, 0, 0.9, False)), ("a", "b"))
        assert found.classes[0].refused

    def test_a_label_that_is_no_class_is_a_mistake(self) -> None:
        probabilities, labels = cases((100, 0, 0.9, True))
        labels[:30] = -1
        assert choose_thresholds(probabilities, labels, ("a", "b")).reason

    def test_a_class_that_falls_short_has_its_own_threshold(self) -> None:
        found = choose_thresholds(
            *cases(
                (400, 0, 0.9, True),
                (10, 1, 0.95, True),
                (4, 1, 0.9, False),
            ),
            ("a", "b"),
        )
        assert found.classes[0].threshold == 0.9
        assert found.classes[1].threshold == 0.95
        assert (found.classes[1].cases, found.classes[1].right) == (10, 10)
        assert found.accept(np.array([[0.92, 0.08], [0.08, 0.92], [0.04, 0.96]])).tolist() == [
            0, -1, 1,
        ]  # fmt: skip

    def test_a_class_whose_surest_case_is_wrong_is_refused(self) -> None:
        found = choose_thresholds(*cases((400, 0, 0.9, True), (1, 1, 0.9, False)), ("a", "b"))
        assert found.classes[1].refused
        assert found.classes[1].reason == "even its surest case is wrong"

    def test_a_class_without_sure_cases_is_refused(self) -> None:
        found = choose_thresholds(
            *cases((300, 0, 0.9, True), (60, 0, 0.7, False), (9, 1, 0.6, True)), ("a", "b")
        )
        assert found.classes[1].reason == "none of its cases is sure enough"

    def test_each_class_on_its_own(self) -> None:
        found = choose_thresholds(
            *cases((100, 0, 0.9, True), (58, 1, 0.9, True)), ("a", "b"), each=True
        )
        assert not found.classes[0].refused
        assert "58 labeled images are certain where 59" in found.classes[1].reason
        assert found.reason == ""

    def test_no_cases_at_all(self) -> None:
        none = choose_thresholds(np.empty((0, 2)), np.empty(0, np.int64), ("a", "b"))
        assert "0 labeled images" in none.reason

    def test_shapes_must_match(self) -> None:
        with pytest.raises(UsageError, match="of that shape"):
            choose_thresholds(np.ones((2, 3)), np.zeros(2, np.int64), ("a", "b"))


@settings(max_examples=60)
@given(
    tops=st.lists(st.floats(0.5, 1.0), min_size=0, max_size=200),
    seed=st.integers(0, 1000),
)
def test_what_is_accepted_was_proven(tops: list[float], seed: int) -> None:
    top = np.array(tops)
    right = np.random.default_rng(seed).random(len(top)) < 0.97
    probabilities = np.column_stack([top, 1 - top]).reshape(-1, 2)
    labels = np.where(right == (probabilities.argmax(axis=1) == 0), 0, 1).astype(np.int64)
    found = choose_thresholds(probabilities, labels, ("a", "b"))
    taken = found.accept(probabilities) >= 0
    if found.reason:
        assert not taken.any()
        assert all(each.refused and math.isinf(each.threshold) for each in found.classes)
    else:
        assert found.bound >= 0.95
        assert found.cases >= 59
        assert taken.sum() <= found.cases
        assert sum(each.cases for each in found.classes if not each.refused) == taken.sum()


def drawn(rng: np.random.Generator, n: int) -> tuple[Floats, IntArray]:
    """Cases whose chance of being right is a little under what their confidence says."""
    top = 0.5 + 0.5 * rng.beta(3, 1.2, n)
    right = rng.random(n) < top - 0.02
    code = rng.integers(0, 2, n)
    rows = np.where(code[:, None] == [0, 1], top[:, None], 1 - top[:, None])
    return rows, np.where(right, code, 1 - code).astype(np.int64)


@pytest.mark.parametrize("each", [False, True])
def test_the_promise_is_kept_in_19_of_20_draws_where_a_point_estimate_breaks_it(
    each: bool,
) -> None:
    rng = np.random.default_rng(5)
    world, truth = drawn(rng, 30_000)
    right, certain = world.argmax(axis=1) == truth, world.max(axis=1)
    kept = hoped = labeled = 0
    draws = 200
    for _ in range(draws):
        rows, labels = drawn(rng, 600)
        found = choose_thresholds(rows, labels, ("a", "b"), target=0.85, each=each)
        made = found.accept(world) >= 0
        labeled += bool(made.any())
        kept += not made.any() or right[made].mean() >= 0.85
        top = rows.max(axis=1)
        order = np.argsort(-top)
        looks = np.cumsum((rows.argmax(axis=1) == labels)[order]) / np.arange(1, 601)
        hoped += right[certain >= top[order[np.flatnonzero(looks >= 0.85)[-1]]]].mean() >= 0.85
    assert kept >= 0.95 * draws
    assert labeled > 0.8 * draws
    assert hoped < 0.8 * draws
