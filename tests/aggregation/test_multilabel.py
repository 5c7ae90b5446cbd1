"""Sets of labels: each label of a task is a decision of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.aggregation import Consensus, aggregate
from gandt.answers import Answers

NONE = "None of the above"
Table = dict[str, list[Any]]


def rows(consensus: Consensus) -> dict[str, dict[str, Any]]:
    return {row["task"]: row for row in consensus.labels.rows()}


def table(**tasks: list[list[str]]) -> Table:
    return {
        "task": [task for task, labels in tasks.items() for _ in labels],
        "worker": [f"w{place}" for labels in tasks.values() for place in range(len(labels))],
        "label": [label for labels in tasks.values() for label in labels],
    }


def tiles(
    seed: int, *, tasks: int = 400, labels: int = 12, per_task: int = 5, spammers: int = 0
) -> tuple[Table, npt.NDArray[np.bool_], list[str]]:
    """Simulated tiles: labels from common to rare, workers who miss some and see some too many."""
    rng = np.random.default_rng(seed)
    names = [f"l{number:02d}" for number in range(labels)]
    truth = rng.random((tasks, labels)) < np.geomspace(0.4, 0.02, labels)
    hits = np.clip(rng.beta(8, 2.5, 40)[:, None] + rng.normal(0, 0.08, (40, labels)), 0.05, 0.99)
    alarms = np.clip(rng.beta(1.5, 25, 40)[:, None] * rng.gamma(4, 0.25, (40, labels)), 0.001, 0.5)
    hits[:spammers] = alarms[:spammers] = 0.25
    answers: Table = {"task": [], "worker": [], "label": []}
    for task in range(tasks):
        hard = rng.normal(0, 0.8, labels)  # what is hard is hard for everybody
        for worker in rng.choice(40, per_task, replace=False):
            odds = np.where(truth[task], hits[worker], alarms[worker])
            odds = np.log(odds / (1 - odds)) + np.where(truth[task], -hard, hard)
            given = rng.random(labels) < 1 / (1 + np.exp(-odds))
            answers["task"].append(f"t{task}")
            answers["worker"].append(f"w{worker}")
            answers["label"].append([names[at] for at in np.flatnonzero(given)] or [NONE])
    return answers, truth, names


def test_labels_are_decided_one_by_one() -> None:
    found = rows(
        aggregate(table(a=[["cat", "dog"], ["cat"], ["cat", "dog"]], b=[["dog"], ["dog"], ["fox"]]))
    )
    assert found["a"]["label"] == ("cat", "dog")
    assert found["b"]["label"] == ("dog",)
    assert set(found["b"]["confidences"]) == {"dog", "fox"}
    assert set(found["a"]["confidences"]) == {"cat", "dog"}


def test_confidence_is_that_of_the_least_sure_decision() -> None:
    consensus = aggregate(table(a=[["cat", "dog"], ["cat"], ["cat"]], b=[["dog"]] * 3))
    assert consensus.probabilities is not None
    for chances, row in zip(consensus.probabilities, consensus.labels.rows(), strict=True):
        assert row["confidence"] == pytest.approx(np.maximum(chances, 1 - chances).min())
        for label, chance in row["confidences"].items():
            assert chance == pytest.approx(chances[consensus.classes.index(label)])


def test_none_of_the_above_is_a_vote_for_no_label() -> None:
    consensus = aggregate(table(a=[[NONE], [NONE], ["cat"]], b=[["cat"]] * 3, c=[["cat"]] * 3))
    row = rows(consensus)["a"]
    assert row["label"] == ()
    assert row["votes"] == 3
    assert row["agreement"] == pytest.approx(2 / 3)
    assert set(row["confidences"]) == {"cat"}
    assert NONE not in consensus.classes


def test_the_name_of_no_label_can_be_chosen() -> None:
    consensus = aggregate(table(a=[["nothing"], ["nothing"], ["cat"]]), none_label="nothing")
    assert rows(consensus)["a"]["label"] == ()
    assert consensus.classes == ("cat",)


def test_an_empty_answer_is_no_vote_and_is_said() -> None:
    consensus = aggregate(table(a=[["cat"], ["cat"], []], b=[[]]))
    found = rows(consensus)
    assert found["a"]["votes"] == 2
    assert (found["b"]["label"], found["b"]["confidence"]) == (None, 0.0)
    assert found["b"]["confidences"] == {} and not found["b"]["certain"]
    assert any("2 answers name no label" in note for note in consensus.notes)


def test_none_beside_a_label_is_a_slip_and_is_said() -> None:
    consensus = aggregate(table(a=[["cat", NONE], ["cat"]]))
    assert rows(consensus)["a"]["label"] == ("cat",)
    assert any("1 answers name labels and 'None of the above' too" in n for n in consensus.notes)


def test_an_open_decision_is_a_tie() -> None:
    # Every label is on half of the tasks by half of the votes: nothing tells them apart.
    answers = table(a=[["cat"], [NONE]], b=[[NONE], ["cat"]])
    row = rows(aggregate(answers, method="majority"))["a"]
    assert row["tied"] == ("cat",)
    assert not row["certain"]
    assert row["confidence"] == pytest.approx(0.5)


def test_named_classes_drop_other_labels() -> None:
    consensus = aggregate(
        table(a=[["cat", "ufo"], ["cat"]], b=[["ufo"], ["cat"]]), classes=["dog", "cat"]
    )
    assert consensus.classes == ("dog", "cat")
    assert rows(consensus)["b"]["votes"] == 1


def test_declared_classes_come_first_and_in_order() -> None:
    answers = Answers(
        "multi", ["a", "a"], ["x", "y"], [("cat",), ("ant",)], classes=("dog", "cat", NONE)
    )
    assert aggregate(answers).classes == ("dog", "cat", "ant")


def test_gold_sets_are_told() -> None:
    found = rows(
        aggregate(table(a=[["cat"]] * 2, b=[["dog"]] * 2), gold={"a": ["dog"], "b": [NONE]})
    )
    assert (found["a"]["label"], found["a"]["source"]) == (("dog",), "gold")
    assert (found["b"]["label"], found["b"]["certain"]) == ((), True)


def test_gold_with_a_label_outside_the_classes_is_left_aside() -> None:
    consensus = aggregate(
        table(a=[["cat"]] * 2), gold={"a": ["ufo"], "z": ["cat"]}, classes=["cat"]
    )
    assert rows(consensus)["a"]["source"] == "human"
    assert any("'ufo'" in note for note in consensus.notes)
    assert any("1 gold tasks are not among the tasks" in note for note in consensus.notes)


def test_earlier_jobs_rate_workers_and_stay_apart() -> None:
    answers, _, _ = tiles(0, tasks=40, per_task=3)
    before, _, _ = tiles(0, tasks=300, per_task=5)
    consensus = aggregate(answers, previous=before)
    assert consensus.labels.num_rows == 40
    assert all(row["votes"] == 3 for row in consensus.labels.rows())
    merged = aggregate(answers, previous=before, include_previous=True)
    assert merged.labels.num_rows == 300
    assert rows(merged)["t0"]["votes"] > 3
    assert rows(merged)["t299"]["votes"] == 5


def scores(
    probabilities: npt.NDArray[Any], truth: npt.NDArray[np.bool_], named: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    """Share of right decisions, and calibration error over labels that somebody gave."""
    right = (probabilities > 0.5) == truth
    confidence = np.maximum(probabilities, 1 - probabilities)[named]
    place = np.minimum((confidence * 15).astype(int), 14)
    gaps = np.bincount(place, confidence - right[named], 15)
    return float(right.mean()), float(np.abs(gaps).sum() / named.sum())


@pytest.mark.parametrize("per_task", [3, 5])
def test_it_beats_majority_by_label_and_is_calibrated(per_task: int) -> None:
    ours, theirs = [], []
    for seed in range(3):
        answers, truth, names = tiles(seed, per_task=per_task, spammers=3)
        consensus = aggregate(answers)
        assert consensus.probabilities is not None
        votes = np.zeros(truth.shape)
        place = {name: at for at, name in enumerate(names)}
        for task, label in zip(answers["task"], answers["label"], strict=True):
            for name in set(label) - {NONE}:
                votes[int(task[1:]), place[name]] += 1
        named = votes > 0
        assert list(consensus.classes) == names
        ours.append(scores(consensus.probabilities, truth, named))
        theirs.append(scores(votes / per_task, truth, named))
    accuracy, error = np.mean(ours, axis=0)
    plain_accuracy, plain_error = np.mean(theirs, axis=0)
    assert accuracy > plain_accuracy + 0.005
    assert error < 0.5 * plain_error


def test_rare_labels_do_not_fall_apart() -> None:
    answers, truth, names = tiles(1, tasks=300, labels=60, per_task=3)
    consensus = aggregate(answers)
    assert consensus.probabilities is not None
    place = [names.index(name) for name in consensus.classes]
    rare = truth[:, place][:, 30:]
    chosen = consensus.probabilities[:, 30:] >= 0.5
    found = (chosen & rare).sum()
    assert 2 * found / (chosen.sum() + rare.sum()) > 0.6


def test_spammers_are_found_and_others_are_not() -> None:
    answers, _, _ = tiles(0, tasks=600, spammers=3)
    consensus = aggregate(answers)
    flagged = {row["worker"] for row in consensus.workers.rows() if not row["reliable"]}
    assert flagged == {"w0", "w1", "w2"}
    sentence = next(row["flags"][0] for row in consensus.workers.rows() if row["worker"] == "w1")
    assert "decisions on labels that others gave too" in sentence


def test_workers_accuracy_is_over_labels_that_were_given() -> None:
    answers, truth, names = tiles(2, tasks=400)
    consensus = aggregate(answers)
    named: dict[str, set[str]] = {}
    for task, label in zip(answers["task"], answers["label"], strict=True):
        named.setdefault(task, set()).update(set(label) - {NONE})
    right: dict[str, list[bool]] = {}
    for task, worker, label in zip(*answers.values(), strict=True):
        for name in named[task]:
            belongs = bool(truth[int(task[1:]), names.index(name)])
            right.setdefault(worker, []).append((name in label) == belongs)
    table = consensus.workers
    true = np.array([np.mean(right[worker]) for worker in table["worker"]])
    assert np.abs(np.asarray(table["accuracy"]) - true).mean() < 0.06
    inside = (np.asarray(table["accuracy_low"]) <= true) & (
        true <= np.asarray(table["accuracy_high"])
    )
    assert inside.mean() >= 0.9


def test_confusion_tells_hits_misses_and_false_alarms() -> None:
    answers, _, _ = tiles(3)
    confusions = aggregate(answers).workers["confusion"]
    for confusion in confusions:
        common = confusion["l00"]
        assert common["l00"] + common.get(NONE, 0) == pytest.approx(1, abs=0.01)
        assert confusion.get(NONE, {}).get("l00", 0) < common["l00"]
    assert any("l00" in confusion[NONE] for confusion in confusions)


def test_alpha_counts_overlap() -> None:
    near = aggregate(table(a=[["x", "y"], ["x"]], b=[["z"], ["z"]], c=[["x", "y"], ["x", "y"]]))
    far = aggregate(table(a=[["x", "y"], ["z"]], b=[["z"], ["z"]], c=[["x", "y"], ["x", "y"]]))
    assert near.alpha > far.alpha


def test_seconds_are_of_answers_and_not_of_labels() -> None:
    answers = table(a=[["x", "y"], ["x"]], b=[["y"], ["y"]])
    answers["seconds_spent"] = [1.0, 2.0, 3.0, 4.0]
    found = {row["worker"]: row for row in aggregate(answers).workers.rows()}
    assert found["w0"]["median_seconds"] == 2.0
    assert found["w0"]["answers"] == 2


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 4), st.integers(0, 4), st.frozensets(st.sampled_from("abcd"), max_size=3)
        ),
        min_size=1,
        max_size=25,
        unique_by=lambda answer: answer[:2],
    ),
    st.permutations("abcd"),
    st.sampled_from(["auto", "majority", "agreement"]),
    st.randoms(use_true_random=False),
)
def test_order_of_rows_and_names_change_nothing(
    answers: list[tuple[int, int, frozenset[str]]], names: list[str], method: str, rng: Any
) -> None:
    def solve(rows_: list[tuple[int, int, frozenset[str]]], rename: dict[str, str]) -> Consensus:
        return aggregate(
            {
                "task": [f"t{task}" for task, _, _ in rows_],
                "worker": [f"w{worker}" for _, worker, _ in rows_],
                "label": [
                    [rename[name] for name in sorted(label)] or [NONE] for *_, label in rows_
                ],
            },
            kind="multi",
            method=method,
        )

    before = rows(solve(answers, {name: name for name in "abcd"}))
    rename = dict(zip("abcd", names, strict=True))
    shuffled = list(answers)
    rng.shuffle(shuffled)
    after = rows(solve(shuffled, rename))
    for task, row in before.items():
        other = after[task]
        assert other["confidence"] == pytest.approx(row["confidence"], abs=1e-6)
        assert {
            rename[name]: chance for name, chance in row["confidences"].items()
        } == pytest.approx(other["confidences"], abs=1e-6)
        assert sorted(rename[name] for name in row["tied"]) == sorted(other["tied"])
        assert (row["label"] is None) == (other["label"] is None)
        if row["label"] is not None and not row["tied"]:
            assert sorted(rename[name] for name in row["label"]) == sorted(other["label"])
        assert 0 <= row["confidence"] <= 1
