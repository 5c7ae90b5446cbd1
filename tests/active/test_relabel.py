"""A new image or one more answer: ActiveLab's scores by hand, and in the right order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.active.relabel import Weights, gains, new_gains, rater_weights, soberly, split_by_gain
from gandt.errors import UsageError

EVEN = Weights(answer=0.5, probe=0.5)


def test_scores_by_hand() -> None:
    # Two answers at .5, the probe at .5, and one more rater at .5 who knows nothing of 4 classes.
    believed = np.array([[0.9, 0.1, 0, 0]])
    predicted = np.array([[0.6, 0.4, 0, 0]])
    quality = (2 * 0.5 * 0.9 + 0.5 * 0.6 + 0.5 * 0.25) / (2 * 0.5 + 0.5 + 0.5)
    assert gains(believed, predicted, np.array([2]), EVEN) == pytest.approx([1 - quality])
    assert new_gains(predicted, EVEN) == pytest.approx([1 - (0.5 * 0.6 + 0.5 * 0.25) / 1.0])


def test_a_lone_answer_that_the_probe_contradicts_comes_first_and_agreement_last() -> None:
    believed = np.array([[0.95, 0.05], [0.7, 0.3], [0.95, 0.05]])
    predicted = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1]])
    again = gains(believed, predicted, np.array([3, 1, 1]), EVEN)
    new = new_gains(np.array([[0.5, 0.5], [0.95, 0.05]]), EVEN)
    assert again[1] > new[0] > new[1] > again[2] > again[0]


@given(answers=st.integers(1, 8), sure=st.floats(0.6, 1), probe=st.floats(0.5, 1))
def test_one_more_agreeing_answer_never_makes_an_image_more_urgent(
    answers: int, sure: float, probe: float
) -> None:
    believed = np.array([[sure, 1 - sure]])
    predicted = np.array([[probe, 1 - probe]])
    before = gains(believed, predicted, np.array([answers]), EVEN)[0]
    after = gains(believed, predicted, np.array([answers + 1]), EVEN)[0]
    assert after <= before + 1e-12 or sure < probe


def test_raters_weigh_by_how_much_less_they_err_than_the_likeliest_class() -> None:
    believed = np.array([[1.0, 0.0]] * 6 + [[0.0, 1.0]] * 4)
    perfect = rater_weights(believed, believed, 0.9)
    assert perfect.probe == pytest.approx(1 - 0.01 / 0.4)
    assert perfect.answer == pytest.approx(1 - 0.1 / 0.4)
    blind = rater_weights(np.tile([1.0, 0.0], (10, 1)), believed, 0.5)
    assert blind.probe == pytest.approx(1e-3)
    assert blind.answer == pytest.approx(1e-3)
    assert rater_weights(believed[:0], believed[:0], 0.8).answer == pytest.approx(0.8)


def test_a_lone_answer_is_believed_as_much_as_its_worker() -> None:
    believed = np.array([[0.95, 0.03, 0.02], [0.6, 0.3, 0.1], [0.95, 0.03, 0.02]])
    sober = soberly(believed, np.array([1, 1, 3]), 0.7)
    assert sober.tolist() == [pytest.approx([0.7, 0.15, 0.15]), [0.6, 0.3, 0.1], [0.95, 0.03, 0.02]]
    assert soberly(believed[:, :1], np.array([1, 1, 3]), 0.7).tolist() == believed[:, :1].tolist()


def test_what_is_certain_is_no_answer_of_a_worker() -> None:
    """As seeds and planted known answers, which nobody is to be asked again."""
    believed = np.array([[1.0, 0.0], [0.99, 0.01]])
    sober = soberly(believed, np.array([1, 1]), 0.7)
    assert sober.tolist() == [[1, 0], [pytest.approx(0.7), pytest.approx(0.3)]]


def test_the_probe_is_not_blamed_for_labels_that_are_wrong() -> None:
    """A perfect probe and labels of which 30 % are wrong, and known to be no better."""
    truth = np.repeat([0, 1], 500)
    wrong = np.random.default_rng(0).random(1000) < 0.3
    believed = np.where((truth ^ wrong)[:, None] == [0, 1], 0.7, 0.3)
    found = rater_weights(np.eye(2)[truth], believed, 0.7)
    assert found.probe > 0.85
    guessing = np.eye(2)[np.random.default_rng(1).integers(0, 2, 1000)]
    assert rater_weights(guessing, believed, 0.7).probe < 0.15


def test_the_budget_goes_where_it_is_worth_the_most() -> None:
    new, again = np.array([0.5, 0.2, 0.4]), np.array([0.3, 0.6, 0.5])
    first, second = split_by_gain(new, again, 3)
    assert (first.tolist(), second.tolist()) == ([0], [1, 2])
    first, second = split_by_gain(new, again, 3, may_repeat=np.array([True, False, True]))
    assert (first.tolist(), second.tolist()) == ([0, 2], [2])
    assert [len(part) for part in split_by_gain(new, again, 99)] == [3, 3]
    with pytest.raises(UsageError, match="negative"):
        split_by_gain(new, again, -1)
