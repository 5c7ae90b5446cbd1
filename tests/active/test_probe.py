"""The linear probe: what it predicts, what it must not see, and what it puts up with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.active import logistic
from gandt.active.folds import copy_groups, deal_folds
from gandt.active.probe import out_of_fold, predict_from_index, prepare, to_probe
from gandt.errors import UsageError
from gandt.selection.spaces import moments
from gandt.types import FloatArray, IntArray


def unit(rows: npt.NDArray[np.float64]) -> FloatArray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def clusters(
    n: int, k: int = 3, d: int = 64, spread: float = 1.0, seed: int = 0
) -> tuple[FloatArray, IntArray]:
    """`n` unit vectors around `k` directions, and which; `spread` 1 is easy, 3 is hard."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(k, d))
    truth = np.arange(n) % k
    return unit(centers[truth] + spread * rng.normal(size=(n, d))), truth


def one_hot(codes: IntArray, k: int) -> npt.NDArray[np.float64]:
    return np.eye(k)[codes]


def accuracy(predicted: npt.NDArray[np.float64], truth: IntArray) -> float:
    return float((predicted.argmax(axis=1) == truth).mean())


class TestLogistic:
    def test_two_points_worked_by_hand(self) -> None:
        # Symmetric classes at -1 and 1: by symmetry w = (-a, a) and biases stay equal. The slope
        # of log(1 + exp(-2a)) * 2 + a^2 (|w|^2 / 2 twice) vanishes where a = 2 / (1 + exp(2a)).
        solution = logistic.fit(np.array([[-1.0], [1.0]]), np.eye(2), strength=1.0)
        a = solution[0, 1]
        assert solution[0, 0] == pytest.approx(-a, abs=1e-3)
        assert a == pytest.approx(2 / (1 + np.exp(2 * a)), abs=1e-3)
        assert solution[1, 0] == pytest.approx(solution[1, 1], abs=1e-3)

    def test_no_rows_give_equal_shares(self) -> None:
        solution = logistic.fit(np.zeros((0, 2)), np.zeros((0, 4)), strength=1.0)
        assert logistic.predict(np.ones((1, 2)), solution) == pytest.approx(0.25)

    def test_agrees_with_scikit_learn(self) -> None:
        linear_model = pytest.importorskip(
            "sklearn.linear_model", reason="scikit-learn comes with the test extra"
        )
        vectors, truth = clusters(200, spread=3.0)
        rows = vectors.astype(np.float64) * 8
        # Its soft labels: every row once per class, weighed by the class's share.
        soft = 0.8 * one_hot(truth, 3) + 0.2 / 3
        peer = linear_model.LogisticRegression(C=0.5, tol=1e-8, max_iter=2000)
        peer.fit(np.repeat(rows, 3, axis=0), np.tile([0, 1, 2], 200), soft.ravel())
        ours = logistic.predict(rows, logistic.fit(rows, soft, strength=0.5))
        # The bias is penalized a little here and not at all there.
        assert np.abs(ours - peer.predict_proba(rows)).max() < 0.01

    def test_an_agreed_row_says_the_same_as_its_shares(self) -> None:
        vectors, truth = clusters(60)
        rows = vectors.astype(np.float64)
        split = np.concatenate([rows, rows])
        mass = one_hot(truth, 3)
        other = one_hot((truth + 1) % 3, 3)
        together = logistic.fit(rows, 0.7 * mass + 0.3 * other, strength=1.0)
        apart = logistic.fit(split, np.concatenate([0.7 * mass, 0.3 * other]), strength=1.0)
        assert logistic.predict(rows, together) == pytest.approx(
            logistic.predict(rows, apart), abs=5e-3
        )


class TestOutOfFold:
    def test_thirty_tasks_are_enough_for_easy_classes(self) -> None:
        vectors, truth = clusters(30)
        assert accuracy(out_of_fold(vectors, one_hot(truth, 3)), truth) == 1.0

    @pytest.mark.parametrize("wrong", [0.2, 0.4])
    def test_it_is_right_where_its_labels_are_wrong(self, wrong: float) -> None:
        vectors, truth = clusters(300, spread=1.5)
        rng = np.random.default_rng(1)
        labels = np.where(rng.random(300) < wrong, (truth + rng.integers(1, 3, 300)) % 3, truth)
        predicted = out_of_fold(vectors, one_hot(labels, 3))
        assert accuracy(predicted, truth) > 0.95
        # And it is no surer than labels that are off so often can make it.
        assert predicted.max(axis=1).mean() < 1 - wrong + 0.03

    def test_a_row_never_sees_its_own_label(self) -> None:
        vectors, truth = clusters(60, spread=2.0)
        told = one_hot(truth, 3)
        lied = told.copy()
        lied[7] = one_hot((truth[[7]] + 1) % 3, 3)
        # Strata follow the labels, so compare on folds that stay: same class order, one label off.
        honest, fooled = out_of_fold(vectors, told)[7], out_of_fold(vectors, lied)[7]
        assert honest.argmax() == fooled.argmax() == truth[7]

    def test_copies_do_not_leak(self) -> None:
        """Random labels on pairs of copies cannot be predicted; a naive split would reach 0.8."""
        rng = np.random.default_rng(3)
        originals = unit(rng.normal(size=(150, 64)))
        noise = rng.normal(size=(150, 64)) * 0.01
        vectors = np.concatenate([originals, unit(originals + noise)])
        labels = np.tile(rng.integers(0, 2, 150), 2)
        predicted = out_of_fold(vectors, one_hot(labels, 2))
        assert accuracy(predicted, labels) < 0.65
        chosen = predicted[np.arange(300), labels]
        assert -np.log(chosen).mean() > 0.65  # log 2 is what knowing nothing costs

    def test_noise_is_answered_with_the_shares(self) -> None:
        rng = np.random.default_rng(5)
        vectors = unit(rng.normal(size=(400, 64)))
        labels = (rng.random(400) < 0.25).astype(np.int64)
        predicted = out_of_fold(vectors, one_hot(labels, 2))
        assert predicted[:, 1].mean() == pytest.approx(0.25, abs=0.03)
        assert predicted[:, 1].std() < 0.1

    def test_unlabeled_rows_are_predicted_and_do_not_teach(self) -> None:
        vectors, truth = clusters(90)
        targets = one_hot(truth, 3)
        targets[::3] = np.nan
        targets[1::3] = one_hot(truth[1::3], 3)
        targets[30:33] = 0
        predicted = out_of_fold(vectors, targets)
        assert np.isfinite(predicted).all()
        labeled = np.isfinite(targets).all(axis=1) & (targets.sum(axis=1) > 0)
        # Class 0 is never labeled (every third row), so nobody can know of it.
        assert predicted[:, 0].max() < 0.2
        known = labeled & (truth > 0)
        assert accuracy(predicted[known], truth[known]) == 1.0

    def test_a_class_of_one_example_is_kept_and_harms_nothing(self) -> None:
        vectors, truth = clusters(61)
        labels = truth.copy()
        labels[60] = 3
        predicted = out_of_fold(vectors, one_hot(labels, 4))
        assert predicted.shape == (61, 4)
        assert accuracy(predicted[:60], truth[:60]) > 0.95
        assert (predicted > 0).all()

    def test_heavy_rows_count_more(self) -> None:
        vectors, truth = clusters(120, k=2, spread=2.0)
        labels = truth.copy()
        labels[:60] = 1 - truth[:60]
        weights = np.where(np.arange(120) < 60, 0.01, 1.0)
        assert accuracy(out_of_fold(vectors, one_hot(labels, 2), weights=weights), truth) > 0.9

    @pytest.mark.parametrize(
        ("n", "k"), [(1, 2), (2, 2), (3, 1), (6, 2)], ids=["one", "two", "one class", "six"]
    )
    def test_too_little_to_learn_from_still_gives_probabilities(self, n: int, k: int) -> None:
        vectors, truth = clusters(n, k)
        predicted = out_of_fold(vectors, one_hot(truth, k))
        assert predicted.shape == (n, k)
        assert predicted.sum(axis=1) == pytest.approx(1)

    def test_equal_vectors_give_the_shares_of_nothing(self) -> None:
        vectors = np.tile(unit(np.ones((1, 8))), (20, 1))
        predicted = out_of_fold(vectors, one_hot(np.arange(20) % 4, 4))
        assert predicted == pytest.approx(0.25)

    def test_no_labels_at_all_give_equal_shares(self) -> None:
        vectors, _ = clusters(12)
        assert out_of_fold(vectors, np.full((12, 3), np.nan)) == pytest.approx(1 / 3)

    def test_no_rows(self) -> None:
        assert out_of_fold(np.zeros((0, 8), np.float32), np.zeros((0, 3))).shape == (0, 3)

    def test_the_same_seed_gives_the_same_bytes(self) -> None:
        vectors, truth = clusters(80, spread=2.5)
        first = out_of_fold(vectors, one_hot(truth, 3), seed=4)
        assert np.array_equal(first, out_of_fold(vectors, one_hot(truth, 3), seed=4))
        assert np.array_equal(
            predict_from_index(vectors, one_hot(truth, 3)),
            out_of_fold(vectors, one_hot(truth, 3)),
        )

    @settings(max_examples=25)
    @given(st.integers(2, 40), st.integers(1, 5), st.integers(2, 12), st.integers(0, 10**6))
    def test_whatever_comes_in_rows_sum_to_one(self, n: int, k: int, d: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        vectors = unit(rng.normal(size=(n, d)))
        targets = rng.dirichlet(np.full(k, 0.5), n)
        targets[rng.random(n) < 0.3] = np.nan
        predicted = out_of_fold(vectors, targets, folds=int(rng.integers(2, 7)))
        assert predicted.shape == (n, k)
        assert (predicted >= 0).all()
        assert predicted.sum(axis=1) == pytest.approx(1)

    @pytest.mark.parametrize(
        ("targets", "weights", "folds", "says"),
        [
            (np.ones((5, 2)), None, 5, "one row of targets per vector"),
            (np.ones((6, 0)), None, 5, "at least one class"),
            (-np.ones((6, 2)), None, 5, "targets that are negative"),
            (np.full((6, 2), np.inf), None, 5, "targets that are negative or not finite"),
            (np.ones((6, 2)), np.ones(5), 5, "6 vectors need as many weights"),
            (np.ones((6, 2)), -np.ones(6), 5, "weights that are negative"),
            (np.ones((6, 2)), None, 1, "use 2 or more"),
        ],
    )
    def test_wrong_calls_are_told(
        self,
        targets: npt.NDArray[np.float64],
        weights: npt.NDArray[np.float64] | None,
        folds: int,
        says: str,
    ) -> None:
        vectors, _ = clusters(6)
        with pytest.raises(UsageError, match=says):
            out_of_fold(vectors, targets, weights=weights, folds=folds)


class TestProbe:
    def test_it_is_the_fit_in_principal_axes_written_in_the_vectors_own(self) -> None:
        """Folding mean and axes into weights and bias changes no prediction."""
        vectors, truth = clusters(150, spread=2.0)
        data = prepare(vectors, one_hot(truth, 3), None)
        probe = to_probe(data, logistic.fit(data.rows, data.mass, 3.0), "abc", 3.0)
        assert probe.classes == ("a", "b", "c")
        space = moments(vectors)
        rows = ((vectors - space.mean) @ space.axes).astype(np.float64)
        rows /= np.sqrt(np.square(rows).sum() / len(rows))
        direct = logistic.predict(rows, logistic.fit(rows, one_hot(truth, 3), 3.0))
        assert probe.predict(vectors) == pytest.approx(direct, abs=1e-3)

    def test_it_predicts_only_vectors_of_its_own_length(self) -> None:
        vectors, truth = clusters(9)
        data = prepare(vectors, one_hot(truth, 3), None)
        probe = to_probe(data, logistic.fit(data.rows, data.mass, 1.0), "abc", 1.0)
        with pytest.raises(UsageError, match="64 dimensions"):
            probe.predict(np.ones((2, 5), np.float32))


class TestFolds:
    def test_copies_share_a_group_and_distinct_images_do_not(self) -> None:
        rng = np.random.default_rng(0)
        originals = unit(rng.normal(size=(40, 64)))
        copies = unit(originals[:5] + 0.01 * rng.normal(size=(5, 64)))
        vectors = np.concatenate([originals, copies])
        space = moments(vectors)
        groups = copy_groups(vectors, space.mean, space.axes)
        assert len(np.unique(groups)) == 40
        assert np.array_equal(groups[:5], groups[40:])

    def test_fewer_axes_find_the_same_groups(self) -> None:
        rng = np.random.default_rng(1)
        vectors = unit(np.repeat(rng.normal(size=(50, 64)), 3, axis=0))
        vectors = unit(vectors + 0.02 * rng.normal(size=vectors.shape))
        space = moments(vectors)
        every = copy_groups(vectors, space.mean, space.axes)
        few = copy_groups(vectors, space.mean, space.axes[:, :8])
        assert np.array_equal(every[:, None] == every, few[:, None] == few)
        assert len(np.unique(every)) == 50

    def test_a_narrow_space_does_not_become_one_group(self) -> None:
        """In two dimensions everything has a near neighbor, yet few are copies."""
        angles = np.linspace(0, 2 * np.pi, 300, endpoint=False)
        vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
        vectors[1] = vectors[0]
        space = moments(vectors)
        groups = copy_groups(vectors, space.mean, space.axes)
        assert groups[0] == groups[1]
        assert np.bincount(groups).max() <= 30

    def test_groups_are_dealt_whole_and_classes_evenly(self) -> None:
        groups = np.repeat(np.arange(50), 2)
        strata = np.repeat(np.arange(50) % 5, 2)
        folds = deal_folds(groups, strata, 5, np.random.default_rng(0))
        assert np.array_equal(folds[::2], folds[1::2])
        table = np.zeros((5, 5), int)
        np.add.at(table, (folds, strata), 1)
        assert (table == 4).all()
