"""Spreading candidates: hand-worked picks, and the definitions as properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.errors import UsageError
from gandt.selection import diversity
from gandt.selection.diversity import k_center, marginal_relevance
from gandt.selection.spaces import unit

TWO_LOOKS = unit(np.array([[1, 0], [1, 0.01], [1, 0.02], [0, 1]], np.float32))
RELEVANCE = np.array([1.0, 0.9, 0.8, 0.7], np.float32)


def test_marginal_relevance_prefers_another_look_to_more_of_the_same() -> None:
    assert marginal_relevance(RELEVANCE, TWO_LOOKS, 2, 0.6).tolist() == [0, 3]


def test_without_weight_it_is_the_plain_ranking() -> None:
    assert marginal_relevance(RELEVANCE[::-1], TWO_LOOKS, 4, 0.0).tolist() == [3, 2, 1, 0]


def test_k_center_starts_where_told_and_goes_farthest_first() -> None:
    assert k_center(TWO_LOOKS, 2, first=1).tolist() == [1, 3]


def test_k_center_stays_away_from_what_is_covered() -> None:
    assert k_center(TWO_LOOKS, 1, covered=TWO_LOOKS[3:]).tolist() == [0]


def test_equal_rows_are_picked_once_each_lower_first() -> None:
    same = np.tile(TWO_LOOKS[:1], (4, 1))
    assert k_center(same, 9).tolist() == [0, 1, 2, 3]
    assert marginal_relevance(np.ones(4, np.float32), same, 9).tolist() == [0, 1, 2, 3]


def test_no_candidates_give_no_picks() -> None:
    none = np.empty((0, 2), np.float32)
    assert k_center(none, 3).tolist() == []
    assert marginal_relevance(np.empty(0, np.float32), none, 3).tolist() == []


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_outside_zero_to_one_is_refused(weight: float) -> None:
    with pytest.raises(UsageError, match="diversity"):
        marginal_relevance(RELEVANCE, TWO_LOOKS, 2, weight)


@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 30), st.floats(0.01, 0.99))
def test_each_pick_is_the_best_there_is(seed: int, rows: int, count: int, weight: float) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit(rng.normal(size=(rows, 5)).astype(np.float32))
    relevance = rng.random(rows).astype(np.float32)
    picks = marginal_relevance(relevance, vectors, count, weight).tolist()
    assert len(set(picks)) == len(picks) == min(rows, count)
    spread = np.ptp(relevance) or 1
    scaled = (relevance - relevance.min()) / spread
    cosines = vectors @ vectors.T
    for place in range(1, len(picks)):
        value = (1 - weight) * scaled - weight * cosines[:, picks[:place]].max(axis=1)
        left = np.setdiff1d(np.arange(rows), picks[:place])
        assert value[picks[place]] >= value[left].max() - 1e-5


@pytest.mark.parametrize("working", [1, 7, 10_000])
def test_the_working_set_does_not_change_the_picks(
    working: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    vectors = unit(rng.normal(size=(300, 8)).astype(np.float32))
    relevance = rng.random(300).astype(np.float32)
    expected = [int(relevance.argmax())]
    for _ in range(99):
        nearest = (vectors @ vectors[expected].T).max(axis=1)
        value = 0.6 * (relevance - relevance.min()) / np.ptp(relevance) - 0.4 * nearest
        value[expected] = -np.inf
        expected.append(int(value.argmax()))
    monkeypatch.setattr(diversity, "_WORKING", working)
    assert marginal_relevance(relevance, vectors, 100, 0.4).tolist() == expected
    spread = k_center(vectors, 100, first=3)
    nearest = (vectors @ vectors[spread[:50]].T).max(axis=1)
    nearest[spread[:50]] = np.inf
    assert spread[50] == nearest.argmin()


@given(st.integers(0, 10**6), st.integers(1, 7))
def test_the_radius_is_at_most_twice_the_best_possible(seed: int, count: int) -> None:
    from itertools import combinations

    rng = np.random.default_rng(seed)
    vectors = unit(rng.normal(size=(8, 3)).astype(np.float32))
    distances = np.sqrt(np.maximum(2 - 2 * vectors @ vectors.T, 0))

    def radius(centers: list[int]) -> float:
        return float(distances[:, centers].min(axis=1).max())

    best = min(radius(list(centers)) for centers in combinations(range(8), count))
    assert radius(k_center(vectors, count).tolist()) <= 2 * best + 1e-3
