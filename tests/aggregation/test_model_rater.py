"""A model as one more rater: it helps when it is good and does nothing when it is bad."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.aggregation.confidence import log_loss
from gandt.aggregation.encode import Encoded, encode
from gandt.aggregation.model_rater import (
    MODEL_COLUMNS,
    ModelEvidence,
    Predictions,
    apply_model,
    disagreements,
    model_evidence,
)
from gandt.aggregation.single import Single, aggregate_single
from gandt.errors import UsageError

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

CLASSES = ("a", "b", "c", "d")


def crowd(
    truth: Codes, answers: int, skill: float, *, workers: int = 20, seed: int = 0
) -> tuple[Encoded, Single]:
    """Workers of one skill, errors spread evenly; the answers, and the consensus of them."""
    rng = np.random.default_rng(seed)
    k = len(CLASSES)
    task = np.repeat(np.arange(len(truth)), answers)
    worker = np.concatenate([rng.choice(workers, answers, replace=False) for _ in truth])
    slip = (truth[task] + rng.integers(1, k, len(task))) % k
    label = np.where(rng.random(len(task)) < skill, truth[task], slip)
    table = {
        "task": [f"t{t:04d}" for t in task],
        "worker": [f"w{w}" for w in worker],
        "label": [CLASSES[code] for code in label],
    }
    data = encode(table, classes=CLASSES, tasks=names(len(truth)))
    return data, aggregate_single(data)


def names(n: int) -> list[str]:
    return [f"t{t:04d}" for t in range(n)]


def model(truth: Codes, right: float, *, sure: float = 0.7, seed: int = 1) -> Floats:
    """A classifier that is right that often, and shows `sure` for what it says."""
    rng = np.random.default_rng(seed)
    k = len(CLASSES)
    slip = (truth + rng.integers(1, k, len(truth))) % k
    said = np.where(rng.random(len(truth)) < right, truth, slip)
    predictions = np.full((len(truth), k), (1 - sure) / (k - 1))
    predictions[np.arange(len(truth)), said] = sure
    return predictions


def accuracy(probabilities: npt.NDArray[np.floating], truth: Codes) -> float:
    return float((probabilities.argmax(axis=1) == truth).mean())


def together(
    data: Encoded, plain: Single, predictions: Floats, classes: Sequence[str] = CLASSES
) -> Single:
    tasks = names(len(predictions))
    return apply_model(data, plain, Predictions(tasks, tuple(classes), predictions))[0]


@pytest.fixture
def truth() -> Codes:
    return np.random.default_rng(11).integers(0, len(CLASSES), 400)


class TestGoodModel:
    @pytest.mark.parametrize("answers", [1, 2, 3])
    def test_it_makes_labels_better(self, truth: Codes, answers: int) -> None:
        data, plain = crowd(truth, answers, 0.7)
        single = together(data, plain, model(truth, 0.85))
        gain = accuracy(single.probabilities, truth) - accuracy(plain.probabilities, truth)
        assert gain > 0.01
        assert log_loss(single.probabilities, truth) < log_loss(plain.probabilities, truth)
        assert single.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)

    def test_more_accurate_models_weigh_more(self, truth: Codes) -> None:
        data, plain = crowd(truth, 3, 0.7)
        weights = [model_evidence(model(truth, r), data, plain).weight for r in (0.4, 0.6, 0.9)]
        assert weights == sorted(weights)
        assert weights[0] < weights[-1]

    def test_a_timid_model_is_sharpened_and_a_bold_one_softened(self, truth: Codes) -> None:
        data, plain = crowd(truth, 3, 0.8)
        timid = model_evidence(model(truth, 0.9, sure=0.5), data, plain)
        bold = model_evidence(model(truth, 0.6, sure=0.999), data, plain)
        assert timid.weight > 1 > bold.weight > 0

    def test_accuracies_are_cautious_without_gold(self, truth: Codes) -> None:
        """A consensus is never quite sure, so neither is what is measured by it."""
        data, plain = crowd(truth, 3, 0.8)
        predictions = model(truth, 0.75)
        found = model_evidence(predictions, data, plain)
        assert 0.6 < found.accuracy < accuracy(predictions, truth)
        assert 0.7 < found.accuracy_of_average_worker < 0.85
        same = (predictions.argmax(axis=1) == plain.probabilities.argmax(axis=1)).mean()
        assert f"agrees with the plain label of {same:.1%} of 400 tasks" in found.note

    def test_on_few_tasks_it_says_less(self, truth: Codes) -> None:
        def weight(n: int, seed: int) -> float:
            few = truth[:n]
            data, plain = crowd(few, 2, 0.7, seed=seed)
            return model_evidence(model(few, 0.8, seed=seed), data, plain).weight

        few, many = (np.mean([weight(n, seed) for seed in range(8)]) for n in (15, 400))
        assert few < 0.8 * many

    def test_gold_measures_it(self, truth: Codes) -> None:
        data, _ = crowd(truth, 3, 0.7)
        gold = np.where(np.arange(400) < 40, truth, -1).astype(np.int32)
        plain = aggregate_single(data, gold=gold)
        predictions = model(truth, 0.8)
        found = model_evidence(predictions, data, plain, gold=gold)
        assert found.accuracy == pytest.approx(accuracy(predictions[:40], truth[:40]))
        assert f"right on {found.accuracy:.1%} of 40 gold tasks" in found.note
        tasks = names(400)
        single = apply_model(data, plain, Predictions(tasks, CLASSES, predictions), gold=gold)[0]
        assert accuracy(single.probabilities[:40], truth[:40]) == 1.0
        assert single.probabilities[:40].max(axis=1) == pytest.approx(1.0)


class TestBadModel:
    @pytest.mark.parametrize("answers", [1, 2, 3])
    @pytest.mark.parametrize("kind", ["random", "constant", "uniform", "shares"])
    def test_it_does_no_harm(self, truth: Codes, kind: str, answers: int) -> None:
        data, plain = crowd(truth, answers, 0.75)
        rng = np.random.default_rng(9)
        k = len(CLASSES)
        predictions = {
            "random": rng.dirichlet(np.full(k, 0.3), 400),
            "constant": np.tile([0.97, 0.01, 0.01, 0.01], (400, 1)),
            "uniform": np.full((400, k), 1 / k),
            "shares": np.tile(plain.probabilities.mean(axis=0), (400, 1)),
        }[kind]
        single = together(data, plain, predictions)
        assert accuracy(single.probabilities, truth) >= accuracy(plain.probabilities, truth) - 0.01
        assert log_loss(single.probabilities, truth) <= log_loss(plain.probabilities, truth) + 0.01

    def test_one_that_lies_is_left_aside_and_nothing_changes(self, truth: Codes) -> None:
        data, plain = crowd(truth, 3, 0.75)
        lies = model((truth + 1) % len(CLASSES), 0.9)
        single, _, note = apply_model(data, plain, Predictions(names(400), CLASSES, lies))
        assert single is plain
        assert note.startswith("A model was left aside")

    def test_random_models_seldom_get_any_weight(self, truth: Codes) -> None:
        data, plain = crowd(truth, 2, 0.75)
        weights = [
            model_evidence(
                np.random.default_rng(seed).dirichlet(np.full(4, 0.5), 400), data, plain
            ).weight
            for seed in range(40)
        ]
        assert np.count_nonzero(weights) <= 4  # the 95 % interval errs upwards in 1 of 40
        assert max(weights) < 0.2


class TestAlignment:
    def test_tasks_and_classes_are_joined_by_name(self, truth: Codes) -> None:
        data, plain = crowd(truth, 2, 0.7)
        predictions = model(truth, 0.85)
        order = np.random.default_rng(0).permutation(400)
        columns = [2, 0, 3, 1]
        shuffled = Predictions(
            [names(400)[row] for row in order],
            tuple(CLASSES[c] for c in columns),
            predictions[order][:, columns],
        )
        direct = together(data, plain, predictions)
        assert apply_model(data, plain, shuffled)[0].probabilities == pytest.approx(
            direct.probabilities
        )

    def test_missing_tasks_get_no_evidence_and_strange_ones_do_not_matter(
        self, truth: Codes
    ) -> None:
        data, plain = crowd(truth, 2, 0.7)
        predictions = model(truth, 0.85)
        some = Predictions(
            [*names(400)[:300], "elsewhere"],
            CLASSES,
            np.concatenate([predictions[:300], predictions[:1]]),
        )
        _, columns, _ = apply_model(data, plain, some)
        assert all(label is None for label in columns["model_label"][300:])
        assert np.isnan(columns["model_confidence"][300:]).all()
        rows = np.concatenate([predictions[:300], np.full((100, 4), np.nan)])
        found = model_evidence(rows, data, plain)
        assert found.weight > 0
        assert (found.log_evidence[300:] == 0).all()

    def test_a_class_the_model_does_not_know_keeps_its_share(self, truth: Codes) -> None:
        data, plain = crowd(truth, 3, 0.8)
        known = model(truth, 0.9)[:, :3]
        single = together(data, plain, known, CLASSES[:3])
        fourth = truth == 3
        assert accuracy(single.probabilities[fourth], truth[fourth]) > 0.8
        assert accuracy(single.probabilities, truth) > accuracy(plain.probabilities, truth) - 0.01

    def test_classes_that_nobody_can_answer_are_left_out(self, truth: Codes) -> None:
        data, plain = crowd(truth, 2, 0.7)
        wide = np.column_stack([model(truth, 0.85) / 2, np.full(400, 0.5)])
        single = together(data, plain, wide, (*CLASSES, "zebra"))
        assert single.probabilities == pytest.approx(
            together(data, plain, model(truth, 0.85)).probabilities
        )

    def test_a_model_of_other_tasks_changes_nothing(self, truth: Codes) -> None:
        data, plain = crowd(truth, 2, 0.7)
        strange = Predictions(["x"], CLASSES, np.full((1, 4), 0.25))
        single, columns, note = apply_model(data, plain, strange)
        assert single is plain
        assert "says nothing about the answered tasks" in note
        assert all(label is None for label in columns["model_label"])

    def test_unanswered_tasks_are_labeled_by_the_model(self) -> None:
        truth = np.random.default_rng(3).integers(0, 4, 300)
        data, _ = crowd(truth[:200], 3, 0.8)
        table = {
            "task": data.tasks[data.task].tolist(),
            "worker": data.workers[data.worker].tolist(),
            "label": [CLASSES[code] for code in data.label],
        }
        data = encode(table, classes=CLASSES, tasks=names(300))
        plain = aggregate_single(data)
        predictions = Predictions(names(300), CLASSES, model(truth, 0.9))
        single, columns, _ = apply_model(data, plain, predictions)
        assert accuracy(single.probabilities[200:], truth[200:]) > 0.85
        assert all(label is None for label in columns["plain_label"][200:])
        assert np.isnan(columns["plain_confidence"][200:]).all()
        assert None not in columns["model_label"].tolist()

    @pytest.mark.parametrize(
        ("tasks", "classes", "values", "says"),
        [
            (["a"], ("x", "y"), np.ones((2, 2)), "need an array of that shape"),
            (["a", "a"], ("x",), np.ones((2, 1)), "A task comes twice"),
            (["a"], ("x", "x"), np.ones((1, 2)), "A class comes twice"),
            (["a"], ("x", "y"), np.array([[1.2, -0.2]]), "none negative"),
            (["a"], ("x", "y"), np.array([[np.inf, 0.0]]), "none infinite"),
        ],
    )
    def test_predictions_are_checked(
        self, tasks: list[str], classes: tuple[str, ...], values: Floats, says: str
    ) -> None:
        with pytest.raises(UsageError, match=says):
            Predictions(tasks, classes, values)

    def test_evidence_of_the_wrong_shape_is_refused(self, truth: Codes) -> None:
        data, plain = crowd(truth, 2, 0.7)
        with pytest.raises(UsageError, match="do not fit"):
            model_evidence(np.ones((3, 4)), data, plain)


class TestColumns:
    def test_both_opinions_are_told_and_the_surest_conflict_comes_first(self) -> None:
        """Worked by hand: workers and model agree on t0, differ on t1 (surely) and t2."""
        columns = {
            "plain_label": np.array(["a", "a", "b", None], object),
            "plain_confidence": np.array([0.9, 0.9, 0.6, np.nan]),
            "model_label": np.array(["a", "b", "a", "a"], object),
            "model_confidence": np.array([0.9, 0.8, 0.7, 0.9]),
        }
        assert disagreements(columns).tolist() == [1, 2]

    def test_columns_are_those_of_the_plain_consensus_and_the_model(self, truth: Codes) -> None:
        data, plain = crowd(truth, 3, 0.8)
        predictions = model(truth, 0.85)
        single, columns, note = apply_model(
            data, plain, Predictions(names(400), CLASSES, predictions)
        )
        assert tuple(columns) == MODEL_COLUMNS
        expected = [CLASSES[code] for code in plain.probabilities.argmax(axis=1)]
        assert columns["plain_label"].tolist() == expected
        said = [CLASSES[code] for code in predictions.argmax(axis=1)]
        assert columns["model_label"].tolist() == said
        changed = (single.probabilities.argmax(axis=1) != plain.probabilities.argmax(axis=1)).sum()
        assert f"changes the label of {changed} of 400 answered tasks" in note
        rows = disagreements(columns)
        assert all(columns["plain_label"][r] != columns["model_label"][r] for r in rows)
        assert len(rows) == sum(p != m for p, m in zip(expected, said, strict=True))

    def test_the_confidence_of_a_timid_model_is_raised_to_what_it_measured(
        self, truth: Codes
    ) -> None:
        data, plain = crowd(truth, 3, 0.85)
        timid = Predictions(names(400), CLASSES, model(truth, 0.9, sure=0.5))
        shown = apply_model(data, plain, timid)[1]["model_confidence"]
        assert 0.6 < shown.mean() <= 0.93


class TestVotes:
    @pytest.mark.parametrize("method", ["majority", "weighted", "one-coin", "dawid-skene"])
    def test_every_method_takes_the_model(self, truth: Codes, method: str) -> None:
        data, _ = crowd(truth, 2, 0.7)
        plain = aggregate_single(data, method=method)  # type: ignore[arg-type]
        predictions = Predictions(names(400), CLASSES, model(truth, 0.85))
        single = apply_model(data, plain, predictions, method=method)[0]  # type: ignore[arg-type]
        assert single.method == method
        assert accuracy(single.probabilities, truth) > accuracy(plain.probabilities, truth) + 0.02


@settings(max_examples=25)
@given(st.integers(1, 25), st.integers(1, 3), st.integers(0, 10**6))
def test_whatever_comes_in_probabilities_come_out(n: int, answers: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, n)
    data, plain = crowd(truth, answers, 0.6, workers=5, seed=seed)
    predictions = rng.dirichlet(np.full(4, 0.2), n)
    predictions[rng.random(n) < 0.3] = np.nan
    predictions[rng.random(n) < 0.1] = 0
    found = model_evidence(predictions, data, plain)
    assert isinstance(found, ModelEvidence)
    assert np.isfinite(found.log_evidence).all()
    single = together(data, plain, predictions)
    assert (single.probabilities >= 0).all()
    assert single.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_renaming_classes_changes_nothing(truth: Codes) -> None:
    data, plain = crowd(truth, 2, 0.7)
    predictions = model(truth, 0.8)
    order = [3, 1, 0, 2]
    table = {
        "task": data.tasks[data.task].tolist(),
        "worker": data.workers[data.worker].tolist(),
        "label": [CLASSES[code] for code in data.label],
    }
    turned_classes = tuple(CLASSES[c] for c in order)
    turned = encode(table, classes=turned_classes, tasks=names(400))
    again = together(turned, aggregate_single(turned), predictions[:, order], turned_classes)
    assert again.probabilities == pytest.approx(
        together(data, plain, predictions).probabilities[:, order], abs=1e-4
    )
