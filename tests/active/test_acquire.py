"""Goals: what each picks, how they share a budget, and what none of them may do."""

from __future__ import annotations

import numpy as np
import pytest
from clustered_pools import clusters, unit
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.active.acquire import (
    Choices,
    Goal,
    Picks,
    acquire,
    rare_classes,
    split_budget,
    uncertainty,
)
from gandt.errors import UsageError
from gandt.types import FloatArray, IntArray

NONE = np.empty((0, 4), np.float32)


def choices(n: int, k: int = 2, seed: int = 0) -> Choices:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(k), n)
    return Choices(
        unit(rng.normal(size=(n, 16))), rng.normal(size=(1, n)).astype(np.float32), probabilities
    )


def pick(
    given: Choices,
    budget: int,
    mix: dict[Goal, float],
    *,
    counts: IntArray | None = None,
    labeled: FloatArray | None = None,
) -> Picks:
    k = given.probabilities.shape[1]
    return acquire(
        given,
        budget,
        mix,
        targets=np.arange(len(given.scores)),
        counts=np.zeros(k, np.int64) if counts is None else counts,
        labeled=given.vectors[:0] if labeled is None else labeled,
        mean=np.zeros(given.vectors.shape[1], np.float32),
    )


class TestBudget:
    def test_shares_are_scaled_and_the_largest_remainders_get_the_rest(self) -> None:
        assert split_budget(10, {"find": 2, "learn": 1, "balance": 1}) == {
            "find": 5, "learn": 3, "balance": 2,
        }  # fmt: skip
        assert split_budget(7, {"learn": 1.0}) == {"learn": 7}

    @given(
        budget=st.integers(0, 500),
        shares=st.lists(st.floats(0.01, 10), min_size=3, max_size=3),
    )
    def test_it_is_spent_in_full(self, budget: int, shares: list[float]) -> None:
        mix: dict[Goal, float] = dict(zip(("find", "learn", "balance"), shares, strict=True))
        parts = split_budget(budget, mix)
        assert sum(parts.values()) == budget
        for goal, part in parts.items():
            assert abs(part - budget * mix[goal] / sum(shares)) < 1

    @pytest.mark.parametrize("mix", [{}, {"find": 0.0}, {"find": -1.0}, {"guess": 1.0}])
    def test_a_mix_of_nothing_is_refused(self, mix: dict[Goal, float]) -> None:
        with pytest.raises(UsageError, match="find, learn, balance"):
            split_budget(10, mix)


def test_find_takes_the_likeliest_and_classes_take_turns() -> None:
    given = Choices(
        np.eye(6, dtype=np.float32),
        np.array([[5, 4, 3, 0, 0, 0], [4, 0, 0, 0, 0, 2]], np.float32),
        np.full((6, 2), 0.5),
    )
    found = pick(given, 4, {"find": 1.0})
    assert dict(zip(found.places.tolist(), found.classes.tolist(), strict=True)) == {
        0: 0, 1: 0, 5: 1, 2: 1,
    }  # fmt: skip
    assert found.values.tolist() == [5, 4, 2, 0]
    assert set(found.goals) == {"find"}


def test_learn_takes_what_is_uncertain_and_unlike() -> None:
    # Two near-identical uncertain images, one unlike them, and a sure one far from all.
    vectors = unit(np.array([[1, 0, 0], [1, 0.6, 0], [0, 0, 1], [0, 1, -1]], np.float64))
    sure = np.array([[0.5, 0.5], [0.48, 0.52], [0.4, 0.6], [0.999, 0.001]])
    found = pick(Choices(vectors, np.zeros((1, 4), np.float32), sure), 2, {"learn": 1.0})
    assert found.places.tolist() == [0, 2]
    assert found.classes.tolist() == [-1, -1]


def test_learn_asks_between_the_two_likeliest_classes() -> None:
    # Hesitating between two of four says more than a little of everything beside a clear favorite.
    given = np.array([[0.4, 0.2, 0.2, 0.2], [0.48, 0.46, 0.03, 0.03]])
    found = pick(
        Choices(np.eye(2, dtype=np.float32), np.zeros((1, 2), np.float32), given), 1, {"learn": 1.0}
    )
    assert found.places.tolist() == [1]
    assert found.values == pytest.approx([0.98])


def test_learn_keeps_away_from_what_other_goals_picked() -> None:
    vectors = unit(np.array([[1, 0, 0], [1, 0.6, 0], [0, 0, 1]], np.float64))
    scores = np.array([[9, 0, 0]], np.float32)
    given = Choices(vectors, scores, np.array([[0.5, 0.5], [0.49, 0.51], [0.45, 0.55]]))
    found = pick(given, 2, {"find": 0.5, "learn": 0.5})
    assert list(zip(found.goals, found.places.tolist(), strict=True)) == [("find", 0), ("learn", 2)]


def test_balance_takes_of_the_class_with_few_labels() -> None:
    probabilities = np.repeat(np.array([[0.9, 0.1], [0.1, 0.9]]), 6, axis=0)
    given = Choices(
        unit(np.random.default_rng(0).normal(size=(12, 8))),
        np.zeros((1, 12), np.float32),
        probabilities,
    )
    found = pick(given, 6, {"balance": 1.0}, counts=np.array([40, 2]))
    assert (found.places >= 6).all()
    assert found.classes.tolist() == [1] * 6
    even = pick(given, 6, {"balance": 1.0}, counts=np.array([5, 5]))
    assert sorted((even.places >= 6).tolist()) == [False] * 3 + [True] * 3


def test_a_class_that_cannot_be_found_does_not_swallow_the_budget() -> None:
    probabilities = np.tile([0.6, 0.3999, 0.0001], (20, 1))
    probabilities[10:, :2] = [0.3999, 0.6]
    given = Choices(
        unit(np.random.default_rng(0).normal(size=(20, 8))),
        np.zeros((1, 20), np.float32),
        probabilities,
    )
    found = pick(given, 6, {"balance": 1.0}, counts=np.array([50, 3, 0]))
    assert found.classes.tolist() == [1] * 6


def test_copies_of_labeled_images_and_of_picks_are_left_out() -> None:
    vectors, _ = clusters((4, 4), d=16)
    doubled = np.concatenate([vectors, vectors])
    given = Choices(doubled, np.arange(16, 0, -1, dtype=np.float32)[None], np.full((16, 2), 0.5))
    for goal in ("find", "learn", "balance"):
        mix: dict[Goal, float] = {goal: 1.0}
        found = pick(given, 16, mix, labeled=vectors[:2])
        assert len({place % 8 for place in found.places.tolist()}) == len(found)
        assert not {0, 1} & {place % 8 for place in found.places.tolist()}


@settings(max_examples=40)
@given(
    n=st.integers(1, 60),
    budget=st.integers(0, 70),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0.1, 1)),
    seed=st.integers(0, 99),
)
def test_none_twice_and_none_short(
    n: int, budget: int, shares: tuple[float, float, float], seed: int
) -> None:
    mix: dict[Goal, float] = dict(zip(("find", "learn", "balance"), shares, strict=True))
    found = pick(choices(n, 3, seed), budget, mix)
    assert len(set(found.places.tolist())) == len(found) == min(budget, n)
    assert len(found.goals) == len(found.classes) == len(found.values) == len(found)


def test_rare_classes_are_the_lower_half() -> None:
    assert rare_classes(np.array([9, 1, 5, 0])).tolist() == [1, 3]
    assert rare_classes(np.array([3])).tolist() == [0]


def test_uncertainty_is_how_close_the_two_likeliest_are() -> None:
    given = np.array([[0.25] * 4, [1, 0, 0, 0], [0.5, 0.3, 0.2, 0]])
    assert uncertainty(given) == pytest.approx([1, 0, 0.8])
    assert uncertainty(np.ones((3, 1))).tolist() == [0, 0, 0]
