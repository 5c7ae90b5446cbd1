"""Krippendorff's alpha, against the worked examples of the paper."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.aggregation import alpha as module
from gandt.aggregation.alpha import nominal_alpha, set_alpha

Arrays = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def units(*observers: str) -> Arrays:
    """Columns are tasks; a dot is a missing answer. Letters and digits are classes."""
    labels: list[int] = []
    start = [0]
    for column in zip(*(row.split() for row in observers), strict=True):
        labels += [int(value, 36) for value in column if value != "."]
        start.append(len(labels))
    return np.array(start), np.array(labels)


# Krippendorff 2011, sections A, B and C.
TWO_BINARY = ("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0")
TWO_NOMINAL = ("a a b b d c c c e d d a", "b a b b b c c c e d d d")
FOUR_WITH_GAPS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)


@pytest.mark.parametrize(
    ("observers", "expected"),
    [(TWO_BINARY, 0.095), (TWO_NOMINAL, 0.692), (FOUR_WITH_GAPS, 0.743)],
)
def test_the_worked_examples_of_krippendorff_2011(
    observers: tuple[str, ...], expected: float
) -> None:
    start, label = units(*observers)
    assert nominal_alpha(start, label, 36) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("observers", [TWO_BINARY, TWO_NOMINAL, FOUR_WITH_GAPS])
def test_sets_of_one_label_agree_like_single_labels(observers: tuple[str, ...]) -> None:
    start, label = units(*observers)
    expected = nominal_alpha(start, label, 36)
    for distance in ("masi", "jaccard"):
        found = set_alpha(start, label, np.eye(36, dtype=bool), distance=distance)  # type: ignore[arg-type]
        assert found == pytest.approx(expected)


def test_overlap_by_hand() -> None:
    # Two tasks: {a, b} with {b, c}, and {a} twice.
    members = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0]], bool)
    start, code = np.array([0, 2, 4]), np.array([0, 1, 2, 2])
    # Distances {a,b}-{b,c}, {a,b}-{a} and {b,c}-{a}: 2/3, 1/2, 1 by Jaccard; 8/9, 2/3, 1 by MASI.
    for distance, (overlap, within) in {"jaccard": (2 / 3, 1 / 2), "masi": (8 / 9, 2 / 3)}.items():
        expected = 1 - 3 * 2 * overlap / (2 * overlap + 4 * within + 4 * 1)
        found = set_alpha(start, code, members, distance=distance)  # type: ignore[arg-type]
        assert found == pytest.approx(expected)


def test_masi_by_hand() -> None:
    # Two tasks: {a} with {a, b}, and {b} twice. Distance 1 - 1/2 * 2/3 = 2/3, then 0.
    members = np.array([[1, 0], [1, 1], [0, 1]], bool)
    # Observed, over ordered pairs: 2 * 2/3. By chance: {a}-{a,b}: 2 * 2/3; {a}-{b}: 2 * 2 * 1;
    # {a,b}-{b}: 2 * 2 * 2/3; in all 8.
    expected = 1 - 3 * (4 / 3) / 8
    assert set_alpha(np.array([0, 2, 4]), np.array([0, 1, 2, 2]), members) == pytest.approx(
        expected
    )


def test_two_empty_sets_agree() -> None:
    members = np.array([[0, 0], [1, 0]], bool)
    assert set_alpha(np.array([0, 2, 4]), np.array([0, 0, 1, 1]), members) == pytest.approx(1)


def test_alpha_is_undefined_without_pairs_or_without_variety() -> None:
    one_each = np.array([0, 1, 2])
    assert math.isnan(nominal_alpha(one_each, np.array([0, 1]), 2))
    assert math.isnan(nominal_alpha(np.array([0, 3]), np.array([1, 1, 1]), 2))
    assert math.isnan(nominal_alpha(np.array([0]), np.array([], np.int64), 0))
    assert math.isnan(set_alpha(one_each, np.array([0, 1]), np.eye(2, dtype=bool)))
    assert math.isnan(set_alpha(np.array([0]), np.array([], np.int64), np.zeros((0, 0), bool)))


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=0, max_size=5), min_size=1, max_size=8),
    st.permutations(range(4)),
    st.randoms(use_true_random=False),
)
def test_order_and_names_change_nothing(
    tasks: list[list[int]], names: list[int], rng: object
) -> None:
    def alphas(tasks: list[list[int]]) -> tuple[float, float]:
        start = np.cumsum([0, *map(len, tasks)])
        label = np.array([x for task in tasks for x in task], np.int64)
        return nominal_alpha(start, label, 4), set_alpha(start, label, np.eye(4, dtype=bool))

    before = alphas(tasks)
    shuffled = [[names[x] for x in task[::-1]] for task in tasks]
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert alphas(shuffled) == pytest.approx(before, nan_ok=True)
    assert before[0] == pytest.approx(before[1], nan_ok=True)
    assert not before[0] > 1 + 1e-9


def test_blocks_and_samples_change_little(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    members = np.unique(rng.random((400, 10)) < 0.3, axis=0)
    code = rng.integers(0, len(members), 3000)
    code[1::3] = code[::3]  # two of three agree
    start = np.arange(0, 3001, 3)
    whole = set_alpha(start, code, members), nominal_alpha(start, code, len(members))
    monkeypatch.setattr(module, "CELLS", 1000)
    assert set_alpha(start, code, members) == pytest.approx(whole[0])
    assert nominal_alpha(start, code, len(members)) == pytest.approx(whole[1])
    monkeypatch.setattr(module, "MOST_SETS", 150)
    assert set_alpha(start, code, members) == pytest.approx(whole[0], abs=0.02)
