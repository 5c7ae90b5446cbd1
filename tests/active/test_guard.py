"""The open set: what is far from everything labeled, and what is a copy of it."""

from __future__ import annotations

import numpy as np
import pytest
from clustered_pools import clusters, unit

from gandt.active.guard import fit_guard, inherit
from gandt.errors import UsageError


def test_the_limit_is_a_percentile_of_leave_one_out_nearest() -> None:
    labeled, _ = clusters((20, 20))
    centered = unit(labeled - labeled.mean(axis=0))
    cosines = centered @ centered.T
    np.fill_diagonal(cosines, -np.inf)
    guard = fit_guard(labeled, 20)
    assert guard.least == pytest.approx(np.percentile(cosines.max(axis=1), 20), abs=1e-6)


def test_what_is_known_passes_and_an_unknown_cluster_does_not() -> None:
    vectors, truth = clusters((300, 300, 100), spread=0.3)
    known = np.flatnonzero(truth < 2)
    guard = fit_guard(vectors[known[:200]])
    assert guard.allows(vectors[known[200:]]).mean() > 0.7
    assert guard.allows(vectors[truth == 2]).mean() < 0.05


def test_a_higher_percentile_keeps_out_more() -> None:
    vectors, _ = clusters((200, 200))
    shares = [fit_guard(vectors[:150], p).allows(vectors[150:]).mean() for p in (0, 20, 60, 100)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]


def test_the_limit_costs_no_more_than_two_fifths_of_the_percentile_of_what_is_allowed() -> None:
    labeled, _ = clusters((100, 100))
    all_of_them = np.ones(200, np.bool_)
    usual, spared = fit_guard(labeled), fit_guard(labeled, allowed=all_of_them)
    assert spared.least < usual.least
    assert spared.least == fit_guard(labeled, 8).least
    unlimited = fit_guard(labeled, allowed=~all_of_them)
    assert unlimited.least == usual.least


def test_the_limit_is_not_raised_for_what_is_allowed() -> None:
    labeled, _ = clusters((100, 100))
    centered = unit(labeled - labeled.mean(axis=0))
    cosines = centered @ centered.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = cosines.max(axis=1)
    near = nearest >= np.median(nearest)  # as where the probe is sure of what lies together
    assert fit_guard(labeled, allowed=near).least == fit_guard(labeled).least


def test_only_the_usual_make_the_limit_and_all_are_known() -> None:
    labeled, _ = clusters((60, 60))
    strange = clusters((40,), seed=9)[0]
    both = np.concatenate([labeled, strange])
    guard = fit_guard(both, usual=np.arange(160) < 120)
    centered = unit(both - both.mean(axis=0))
    cosines = centered @ centered.T
    np.fill_diagonal(cosines, -np.inf)
    assert guard.least == pytest.approx(np.percentile(cosines[:120].max(axis=1), 20), abs=1e-6)
    assert guard.allows(strange).all()


def test_with_one_labeled_image_nothing_is_usual() -> None:
    vectors, _ = clusters((5, 5))
    assert not fit_guard(vectors[:1]).allows(vectors).any()
    assert not fit_guard(vectors[:0]).allows(vectors).any()


def test_a_percentile_is_checked() -> None:
    with pytest.raises(UsageError, match="outside 0 to 100"):
        fit_guard(np.eye(3, dtype=np.float32), 120)


def test_copies_have_the_label_of_the_nearest() -> None:
    labeled, _ = clusters((6, 6), seed=3)
    mean = labeled.mean(axis=0)
    rng = np.random.default_rng(0)
    copies = unit(labeled[[4, 9]] + 0.005 * rng.normal(size=(2, labeled.shape[1])))
    others, _ = clusters((5,), seed=8)
    found = inherit(np.concatenate([copies, others]), labeled, mean)
    assert found.tolist() == [4, 9, -1, -1, -1, -1, -1]


def test_nothing_labeled_has_no_copies() -> None:
    vectors, _ = clusters((3,))
    assert inherit(vectors, vectors[:0], vectors[0]).tolist() == [-1, -1, -1]
