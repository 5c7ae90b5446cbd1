"""Calibration and its measures, ties and how they are broken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.aggregation.confidence import (
    Calibration,
    calibrate,
    choose,
    expected_calibration_error,
    fit_calibration,
    log_loss,
    tied,
)


def test_calibration_error_worked_by_hand() -> None:
    """Two bins: 0.9 shown and 1 of 2 right, 0.6 shown and 2 of 2 right."""
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    truth = np.array([0, 1, 0, 1])
    expected = (2 * (0.9 - 0.5) + 2 * (1 - 0.6)) / 4
    assert expected_calibration_error(probabilities, truth) == pytest.approx(expected)


def test_gaps_within_a_bin_cancel() -> None:
    probabilities = np.array([[0.75, 0.25]] * 4)
    assert expected_calibration_error(probabilities, np.array([0, 0, 0, 1])) == pytest.approx(0)


def test_a_tie_is_right_in_part() -> None:
    assert expected_calibration_error(np.full((6, 3), 1 / 3), np.zeros(6, int)) == pytest.approx(0)


def test_log_loss_worked_by_hand() -> None:
    probabilities = np.array([[0.5, 0.5], [0.2, 0.8], [1.0, 0.0]])
    expected = -(np.log(0.5) + np.log(0.8) + np.log(1e-6)) / 3
    assert log_loss(probabilities, np.array([0, 1, 1])) == pytest.approx(expected)


def test_log_loss_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    probabilities, truth = rng.dirichlet(np.ones(4), 50), rng.integers(0, 4, 50)
    assert log_loss(probabilities, truth) == pytest.approx(
        metrics.log_loss(truth, probabilities, labels=range(4))
    )


def test_without_tasks_the_measures_are_unknown() -> None:
    nothing = np.zeros((0, 2)), np.zeros(0, int)
    assert np.isnan(log_loss(*nothing))
    assert np.isnan(expected_calibration_error(*nothing))


def test_what_is_shown_worked_by_hand() -> None:
    posterior, shares = np.array([[0.99, 0.01]]), np.array([[0.6, 0.4]])
    np.testing.assert_allclose(calibrate(posterior, shares), [[0.86, 0.14]])
    np.testing.assert_allclose(calibrate(posterior, shares, Calibration(weight=0.0)), shares)
    softened = calibrate(posterior, shares, Calibration(weight=1.0, sharpness=0.5))
    np.testing.assert_allclose(softened[0, 0] / softened[0, 1], np.sqrt(99))


Rows = st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=5)


@given(Rows, Rows, st.floats(0, 1), st.floats(0.25, 2))
def test_shown_rows_sum_to_one(first, second, weight: float, sharpness: float) -> None:
    size = min(len(first), len(second))
    posterior, shares = (np.array(rows[:size]) + 1e-3 for rows in (first, second))
    posterior /= posterior.sum(axis=1, keepdims=True)
    shares /= shares.sum(axis=1, keepdims=True)
    shown = calibrate(posterior, shares, Calibration(weight, sharpness))
    np.testing.assert_allclose(shown.sum(axis=1), 1)
    assert (shown >= 0).all()


def test_certain_rows_stay_distributions_when_sharpened() -> None:
    shown = calibrate(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]), Calibration(0.5, 2.0))
    np.testing.assert_allclose(shown, [[0.75, 0.25]])


def crowd(size: int, power: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Posteriors that are too sure by a power, vote shares that know little, and the truth."""
    rng = np.random.default_rng(seed)
    honest = rng.dirichlet(np.full(3, 0.7), size)
    truth = np.array([rng.choice(3, p=row) for row in honest])
    sure = np.maximum(honest, 1e-12) ** power
    return sure / sure.sum(axis=1, keepdims=True), np.full((size, 3), 1 / 3), truth


def test_gold_takes_out_what_is_too_sure() -> None:
    posterior, shares, truth = crowd(300, 3.0, seed=1)
    how = fit_calibration(posterior, shares, truth)
    assert how.sharpness < 0.6
    unseen, votes, answer = crowd(3000, 3.0, seed=2)
    fitted, plain = (calibrate(unseen, votes, c) for c in (how, Calibration()))
    assert log_loss(fitted, answer) < log_loss(plain, answer) - 0.02
    assert log_loss(fitted, answer) < 0.8 * log_loss(unseen, answer)


def test_little_gold_moves_little() -> None:
    posterior, shares, truth = crowd(3, 3.0, seed=1)
    how = fit_calibration(posterior, shares, truth)
    assert abs(how.weight - 2 / 3) < 0.2
    assert 0.5 < how.sharpness < 1.5


def test_ties_are_shown_as_ties() -> None:
    third = 1 / 3
    probabilities = np.array(
        [[0.4, 0.4, 0.2], [0.4, 0.35, 0.25], [third, third, 1 - 2 * third], [0.1, 0.45, 0.45]]
    )
    assert tied(probabilities).tolist() == [
        [True, True, False],
        [False, False, False],
        [True, True, True],
        [False, True, True],
    ]


def test_rounding_leaves_a_tie_a_tie() -> None:
    double = np.array([[0.4, 0.4 * (1 - 1e-12), 0.2]])
    assert tied(double).any()
    assert not tied(np.array([[0.4, 0.4 * (1 - 1e-8), 0.2]])).any()
    single = np.array([[0.4, np.nextafter(np.float32(0.4), np.float32(0)), 0.2]], np.float32)
    assert tied(single).any()


def test_of_tied_classes_the_commoner_is_shown_then_the_first() -> None:
    probabilities = np.array([[0.5, 0.5, 0.0], [0.1, 0.6, 0.3], [0.5, 0.0, 0.5]])
    # Sums: 1.1, 1.1, 0.8; the first two tie there as well.
    assert choose(probabilities).tolist() == [0, 1, 0]
    assert choose(probabilities[:, [1, 0, 2]]).tolist() == [0, 0, 1]
    more = np.vstack([probabilities, [[0.0, 1.0, 0.0]]])
    assert choose(more).tolist() == [1, 1, 0, 1]


def test_nothing_to_choose_from() -> None:
    assert choose(np.zeros((0, 3))).tolist() == []
    assert choose(np.zeros((2, 0))).tolist() == [0, 0]
    assert tied(np.zeros((2, 0))).shape == (2, 0)


@given(Rows)
def test_what_is_chosen_is_the_highest(rows) -> None:
    probabilities = np.array(rows) + 1e-3
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    chosen = probabilities[np.arange(len(rows)), choose(probabilities)]
    np.testing.assert_allclose(chosen, probabilities.max(axis=1), rtol=1e-8)
    marked = tied(probabilities)
    assert set(marked.sum(axis=1)) <= {0, 2, 3}
