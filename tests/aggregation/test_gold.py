"""Known answers: read from anything, told to the consensus, and reported as if untold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from gandt.aggregation import Answers, Consensus, aggregate
from gandt.aggregation.gold import cross_fit, gold_report, read_gold, reliability
from gandt.errors import AnswerError

ANSWERS = {
    "task": ["a", "a", "a", "b", "b", "b", "c", "c", "c"],
    "worker": ["x", "y", "z"] * 3,
    "label": ["cat", "cat", "dog", "dog", "dog", "cat", "cat", "dog", "dog"],
}


def rows(consensus: Consensus) -> dict[str, dict[str, Any]]:
    return {row["task"]: row for row in consensus.labels.rows()}


def test_gold_is_certain_whatever_was_answered() -> None:
    row = rows(aggregate(ANSWERS, gold={"a": "dog"}))["a"]
    assert (row["label"], row["confidence"], row["source"]) == ("dog", 1.0, "gold")
    assert row["certain"] and row["tied"] == ()
    assert row["votes"] == 3
    assert row["agreement"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda tasks, labels: dict(zip(tasks, labels, strict=True)),
        lambda tasks, labels: {"task": tasks, "label": labels},
        lambda tasks, labels: pd.DataFrame({"task": tasks, "label": labels}),
        lambda tasks, labels: pa.table({"task": tasks, "label": labels}),
        lambda tasks, labels: [
            {"task": task, "label": label} for task, label in zip(tasks, labels, strict=True)
        ],
    ],
    ids=["mapping", "columns", "pandas", "arrow", "rows"],
)
def test_gold_comes_in_any_form(make: Callable[[list[str], list[str]], Any]) -> None:
    found = rows(aggregate(ANSWERS, gold=make(["a", "b"], ["dog", "dog"])))
    assert [found[task]["source"] for task in "abc"] == ["gold", "gold", "human"]


def test_numbers_are_the_same_names_as_in_the_answers() -> None:
    answers = {"task": [1, 1, 2], "worker": [1, 2, 1], "label": [0, 1, 0]}
    found = rows(aggregate(answers, gold={1: 1.0}))
    assert (found["1"]["label"], found["1"]["source"]) == ("1", "gold")


def test_a_consensus_is_gold_where_it_is_certain() -> None:
    sure = {name: [v for v in column] for name, column in ANSWERS.items()}
    earlier = aggregate(sure, gold={"a": "dog"}, min_confidence=1.0)
    consensus = aggregate(ANSWERS, gold=earlier)
    assert [row["source"] for row in consensus.labels.rows()] == ["gold", "human", "human"]
    assert any("2 rows of the gold table are not certain" in note for note in consensus.notes)
    assert aggregate(ANSWERS, gold=earlier.to_pandas()).labels["source"][0] == "gold"


def test_answers_may_carry_their_gold_and_the_option_overrides_it() -> None:
    answers = Answers("single", *ANSWERS.values(), gold={"a": "dog", "b": "cat"})
    found = rows(aggregate(answers, gold={"b": "dog"}))
    assert (found["a"]["label"], found["a"]["source"]) == ("dog", "gold")
    assert (found["b"]["label"], found["b"]["source"]) == ("dog", "gold")


def test_gold_that_nobody_answered_is_said() -> None:
    consensus = aggregate(ANSWERS, gold={"q": "cat", "d": "cat"}, tasks=["a", "b", "c", "d"])
    found = rows(consensus)
    assert "q" not in found
    assert (found["d"]["label"], found["d"]["source"], found["d"]["votes"]) == ("cat", "gold", 0)
    assert any("1 gold tasks are not among the tasks" in note for note in consensus.notes)
    assert any("1 gold tasks have no answer" in note for note in consensus.notes)


def test_gold_of_a_class_that_nobody_gave() -> None:
    consensus = aggregate(ANSWERS, gold={"a": "fox"})
    assert consensus.classes == ("cat", "dog", "fox")
    assert rows(consensus)["a"]["label"] == "fox"
    assert any("nobody answered 'fox'" in note for note in consensus.notes)


def test_gold_of_a_class_outside_the_named_ones_is_left_aside() -> None:
    consensus = aggregate(ANSWERS, gold={"a": "fox"}, classes=["cat", "dog"])
    assert rows(consensus)["a"]["source"] == "human"
    assert any("'fox', which is none of the classes" in note for note in consensus.notes)


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        (pd.DataFrame({"task": ["a"], "truth": ["cat"]}), "gold has no column 'label'"),
        ({"task": ["a", "b"], "label": ["cat"]}, "2 tasks and 1 labels"),
        ({"a": ["cat", "dog"]}, "gold of task a holds no label of kind 'single'"),
        ({"task": [None], "label": ["cat"]}, "a label without a task"),
        (7, "gold is a int"),
    ],
)
def test_gold_that_cannot_be_understood_is_refused_with_a_reason(gold: Any, message: str) -> None:
    with pytest.raises(AnswerError, match=message):
        aggregate(ANSWERS, gold=gold)


def test_rows_without_a_label_are_no_gold() -> None:
    known, _ = read_gold({"task": ["a", "b"], "label": ["cat", None]}, None, "single")
    assert known == {"a": "cat"}


def test_the_report_is_on_gold_that_was_not_told() -> None:
    # Everybody is wrong about every gold task: told, all are right; untold, none is.
    answers = {
        "task": [f"t{i}" for i in range(30) for _ in range(3)],
        "worker": ["x", "y", "z"] * 30,
        "label": ["cat" if i % 2 else "dog" for i in range(30) for _ in range(3)],
    }
    gold = {f"t{i}": "fox" for i in range(3)}
    consensus = aggregate(answers, gold=gold, classes=["cat", "dog", "fox"])
    assert [rows(consensus)[task]["label"] for task in gold] == ["fox"] * 3
    assert consensus.gold["tasks"] == 3
    assert consensus.gold["accuracy"] == 0


def test_the_report_agrees_with_a_consensus_that_is_not_told() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 300)
    task = np.repeat(np.arange(300), 3)
    answers = {
        "task": task,
        "worker": rng.integers(0, 20, 900),
        "label": np.where(rng.random(900) < 0.7, truth[task], rng.integers(0, 3, 900)),
    }
    gold = {str(i): str(truth[i]) for i in range(100)}
    blind = rows(aggregate(answers))
    share = np.mean([blind[name]["label"] == label for name, label in gold.items()])
    told = aggregate(answers, gold=gold)
    assert told.gold["accuracy"] == pytest.approx(share, abs=0.04)
    assert 0 <= told.gold["ece"] < 0.15
    assert 0 < told.gold["log_loss"] < 1.1
    assert aggregate(answers).gold == {}


def test_folds_leave_no_task_told_while_it_is_judged() -> None:
    gold = np.array([0, -1, 1, 1, 0, -1, 1, 0], np.int32)
    names = np.array([f"t{i}" for i in range(8)], object)
    told: list[set[int]] = []

    def solve(codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        told.append(set(np.flatnonzero(codes >= 0).tolist()))
        # Whoever is told can be recognized by a sure probability.
        return np.where((codes >= 0)[:, None], 1.0, 0.25).repeat(2, axis=1)

    tasks, found = cross_fit(gold, names, solve)
    assert sorted(tasks.tolist()) == [0, 2, 3, 4, 6, 7]
    assert (found == 0.25).all()
    assert len(told) == 5
    assert all(len(known) in (4, 5) for known in told)


def test_a_single_gold_task_is_judged_by_a_run_without_gold() -> None:
    assert aggregate(ANSWERS, gold={"a": "cat"}).gold["tasks"] == 1


def test_the_report_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.55, 0.45]])
    report = gold_report(probabilities, np.array([0, 1, 1, 0]))
    assert report["accuracy"] == 0.75
    assert report["mean_confidence"] == pytest.approx((0.9 + 0.8 + 0.6 + 0.55) / 4)
    assert report["log_loss"] == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.55]).mean())
    assert report["bin_9_accuracy"] == 1
    assert report["bin_5_tasks"] + report["bin_6_tasks"] == 2
    assert gold_report(np.zeros((0, 2)), np.zeros(0, np.int64)) == {}


def test_a_reliability_table_by_hand() -> None:
    table = reliability(np.array([0.95, 1.0, 0.52, 0.58]), np.array([True, False, True, False]))
    assert list(table["tasks"]) == [2, 2]
    assert list(table["low"]) == [0.5, 0.9]
    assert list(table["accuracy"]) == [0.5, 0.5]
    assert list(table["confidence"]) == pytest.approx([0.55, 0.975])


def test_with_very_many_answers_one_run_stands_for_the_folds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gandt.aggregation import one_label

    monkeypatch.setattr(one_label, "MANY", 5)
    report = aggregate(ANSWERS, gold={"a": "cat", "b": "dog"}).gold
    assert report["tasks"] == 2
    assert report["accuracy"] == 1


def test_gold_of_sets_is_judged_label_by_label() -> None:
    answers = {
        "task": ["a", "a", "a", "b", "b", "b", "c", "c", "c"],
        "worker": ["x", "y", "z"] * 3,
        "label": [
            ["cat"],
            ["cat"],
            ["cat", "dog"],
            ["dog"],
            ["dog"],
            ["dog"],
            *[["cat", "dog"]] * 3,
        ],
    }
    consensus = aggregate(answers, gold={"a": ["cat"], "b": "dog"})
    found = rows(consensus)
    assert (found["a"]["label"], found["a"]["source"]) == (("cat",), "gold")
    assert (found["b"]["label"], found["b"]["confidence"]) == (("dog",), 1.0)
    assert consensus.gold["tasks"] == 2
    assert 0 <= consensus.gold["decision_accuracy"] <= 1
