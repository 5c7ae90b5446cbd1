"""What uniform draws say of what is left: by hand, against enumeration, and over many pools."""

from __future__ import annotations

import numpy as np
import pytest
from clustered_pools import told
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, hypergeom

from gandt.active.estimates import Draw, class_estimates, draws_of, remaining, upper_share
from gandt.active.labeled import Slice
from gandt.errors import UsageError


@pytest.mark.parametrize(("drawn", "most"), [(200, 0.015), (400, 0.0075), (600, 0.005)])
def test_draws_without_a_hit_limit_a_share(drawn: int, most: float) -> None:
    assert upper_share(drawn) == pytest.approx(1 - 0.05 ** (1 / drawn))
    assert upper_share(drawn) == pytest.approx(most, rel=0.02)


def test_the_limit_is_that_of_clopper_and_pearson() -> None:
    assert upper_share(50, 3) == pytest.approx(beta.ppf(0.95, 4, 47))
    assert upper_share(5, 5) == 1.0
    with pytest.raises(UsageError, match="6 hits in 5 draws"):
        upper_share(5, 6)


def test_one_draw_by_hand() -> None:
    # 10 of 100 drawn, 2 hits: a fifth of 100, less the two that are labeled now.
    estimate, low, high = remaining([Draw(10, 2, 100, 0)], found=2, unlabeled=90)
    assert estimate == pytest.approx(18)
    possible = [r for r in range(91) if hypergeom.sf(1, 100, r + 2, 10) > 0.025]
    assert low == min(possible)
    possible = [r for r in range(91) if hypergeom.cdf(2, 100, r + 2, 10) > 0.025]
    assert high == max(possible)


def test_what_was_found_before_a_draw_could_not_be_drawn() -> None:
    # 30 of the class were labeled before; 5 of 50 drawn from 200 are hits: 20 were left, 15 are.
    estimate, low, high = remaining([Draw(50, 5, 200, 30)], found=35, unlabeled=150)
    assert estimate == pytest.approx(15)
    assert low <= 15 <= high


def test_two_draws_weigh_by_their_size() -> None:
    draws = [Draw(100, 4, 1000, 0), Draw(100, 0, 900, 4)]
    estimate, low, high = remaining(draws, found=4, unlabeled=800)
    share = 100 / 1000 + 100 / 900
    assert estimate == pytest.approx((4 + 100 * 4 / 900) / share - 4)
    assert low < estimate < high


def test_a_whole_pool_drawn_leaves_nothing_to_guess() -> None:
    assert remaining([Draw(20, 3, 20, 0)], found=3, unlabeled=0) == (0.0, 0, 0)


def test_without_a_draw_nothing_is_known() -> None:
    assert remaining([], found=7, unlabeled=90) == (0.0, 0, 90)
    assert remaining([Draw(0, 0, 90, 7)], found=7, unlabeled=90) == (0.0, 0, 90)


@settings(max_examples=60)
@given(
    pool=st.integers(20, 400),
    drawn=st.integers(1, 60),
    hits=st.integers(0, 20),
    found=st.integers(0, 30),
)
def test_the_interval_holds_the_estimate_and_the_pool(
    pool: int, drawn: int, hits: int, found: int
) -> None:
    drawn = min(drawn, pool)
    hits = min(hits, drawn)
    unlabeled = pool - drawn
    draw = Draw(drawn, hits, pool, found)
    estimate, low, high = remaining([draw], found + hits, unlabeled)
    assert 0 <= low <= high <= unlabeled
    assert low - 1 <= estimate <= high + 1
    wider = remaining([draw], found + hits, unlabeled, confidence=0.99)
    assert wider[1] <= low
    assert wider[2] >= high


def test_draws_are_read_from_the_labels() -> None:
    truth = np.array([0, 1, 0, 0, 1, 1, 0, 1])
    rows = np.array([0, 4, 2, 3, 7])
    slices = (Slice(np.array([2]), 6, 2), Slice(np.array([7, 5]), 4, 4))  # 5 was never answered
    labeled = told(rows, truth, ("a", "b"), slices=slices)
    assert draws_of(labeled, 0) == [Draw(1, 1, 6, 1), Draw(1, 0, 4, 3)]
    assert draws_of(labeled, 1) == [Draw(1, 0, 6, 1), Draw(1, 1, 4, 1)]


def test_a_sentence_never_says_more_than_is_known() -> None:
    truth = np.array([0, 1, 0, 0, 1, 1, 0, 1])
    untold = class_estimates(told(np.array([0, 1]), truth, ("a", "b")), 6)
    assert "nothing can be said" in untold[0].sentence()
    drawn = (Slice(np.array([2]), 6, 2),)
    some = class_estimates(told(np.array([0, 1, 2]), truth, ("a", "b"), slices=drawn), 5)
    assert some[0].sentence() == "a: 2 found, 0 to 5 left (95% interval from 1 uniform draw)."


def test_intervals_hold_in_19_of_20_pools_though_rounds_hunt_between_the_draws() -> None:
    """Each round draws a little, then finds a third of what is left of the class."""
    rng = np.random.default_rng(2)
    held, wide, errors = 0, 0.0, []
    pools = 400
    for _ in range(pools):
        unlabeled, left, found = 2000, int(rng.integers(5, 120)), 0
        draws = []
        for _ in range(4):
            hits = int(rng.hypergeometric(left, unlabeled - left, 80))
            draws.append(Draw(80, hits, unlabeled, found))
            hunted = (left - hits) // 3
            found += hits + hunted
            left -= hits + hunted
            unlabeled -= 80 + 60
        estimate, low, high = remaining(draws, found, unlabeled)
        held += low <= left <= high
        wide += (high - low) / pools
        errors.append(estimate - left)
    assert held >= 0.95 * pools
    assert wide < 120
    assert abs(np.mean(errors)) < 4


def test_labels_that_people_are_not_sure_of_raise_no_lower_end() -> None:
    """They may all be mistakes, or none: the upper end counts them."""
    truth = np.ones(100, np.int64)
    truth[:12] = 0
    drawn = (Slice(np.arange(100), 1000, 0),)
    labeled = told(np.arange(100), truth, ("a", "b"), slices=drawn)
    (sure, _) = class_estimates(labeled, 900)
    assert sure.low > 40
    labeled.probabilities[:12] = 0.7, 0.3
    (doubted, _) = class_estimates(labeled, 900)
    assert (doubted.found, doubted.low, doubted.high) == (12, 0, sure.high)
