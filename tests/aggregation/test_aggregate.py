"""`aggregate`: any table in, one `Consensus` out, whatever the kind of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from gandt.aggregation import (
    LABEL_COLUMNS,
    WORKER_COLUMNS,
    Answers,
    Box,
    Consensus,
    Mask,
    Span,
    aggregate,
)
from gandt.aggregation.model_rater import MODEL_COLUMNS, Predictions
from gandt.errors import AnswerError, UsageError

Table = dict[str, list[Any]]

# Two of three say cat on a; b is a tie of two; c has one answer.
ANSWERS: Table = {
    "task": ["a", "a", "a", "b", "b", "c"],
    "worker": ["x", "y", "z", "x", "y", "z"],
    "label": ["cat", "cat", "dog", "cat", "dog", "dog"],
}


def rows(consensus: Consensus) -> dict[str, dict[str, Any]]:
    return {row["task"]: row for row in consensus.labels.rows()}


def as_rows(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]


FORMS: dict[str, Callable[[Table], Any]] = {
    "columns": dict,
    "arrays": lambda table: {name: np.array(column) for name, column in table.items()},
    "pandas": pd.DataFrame,
    "categories": lambda table: pd.DataFrame(table).astype("category"),
    "arrow": pa.table,
    "rows": as_rows,
    "answers": lambda table: Answers("single", *table.values()),
}


@pytest.mark.parametrize("form", FORMS)
def test_answers_come_in_any_form(form: str) -> None:
    consensus = aggregate(FORMS[form](ANSWERS))
    expected = aggregate(ANSWERS)
    assert consensus.kind == "single"
    assert rows(consensus)["a"] == rows(expected)["a"]
    assert list(consensus.labels["label"]) == list(expected.labels["label"])
    assert list(consensus.workers["worker"]) == ["x", "y", "z"]


def test_the_labels_by_hand() -> None:
    consensus = aggregate(ANSWERS, method="majority")
    assert tuple(consensus.labels) == LABEL_COLUMNS
    assert tuple(consensus.workers) == WORKER_COLUMNS
    found = rows(consensus)
    assert found["a"]["label"] == "cat"
    assert found["a"]["votes"] == 3
    assert found["a"]["agreement"] == pytest.approx(2 / 3)
    assert found["a"]["source"] == "human"
    assert found["b"]["tied"] == ("cat", "dog")
    assert found["b"]["confidence"] == pytest.approx(0.5)
    assert found["c"]["label"] == "dog"
    assert consensus.classes == ("cat", "dog")
    assert consensus.method == "majority"
    assert consensus.probabilities is not None
    assert consensus.probabilities.sum(axis=1) == pytest.approx(1)


def test_the_result_type_never_changes() -> None:
    for options in (
        {},
        {"method": "agreement"},
        {"gold": {"a": "dog"}},
        {"previous": ANSWERS},
        {"previous": [ANSWERS], "include_previous": True},
        {"tasks": ["q"]},
        {"classes": ["dog"]},
    ):
        consensus = aggregate(ANSWERS, **options)
        assert isinstance(consensus, Consensus)
        assert tuple(consensus.labels) == LABEL_COLUMNS
        assert tuple(consensus.workers) == WORKER_COLUMNS


def test_options_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        aggregate(ANSWERS, "majority")  # type: ignore[misc]


def test_a_task_that_nobody_answered_has_no_label() -> None:
    consensus = aggregate(ANSWERS, tasks=["q", "a"])
    assert list(consensus.labels["task"]) == ["q", "a", "b", "c"]
    row = rows(consensus)["q"]
    assert (row["label"], row["confidence"], row["votes"]) == (None, 0.0, 0)
    assert np.isnan(row["agreement"])
    assert not row["certain"] and row["tied"] == () and row["source"] == "human"


def test_certain_takes_confidence_and_answers_and_no_tie() -> None:
    answers = {
        "task": [t for t in range(30) for _ in range(3)] + [99],
        "worker": ["x", "y", "z"] * 30 + ["x"],
        "label": [label for t in range(30) for label in ["cat" if t % 2 else "dog"] * 3] + ["cat"],
    }
    assert rows(aggregate(answers))["99"]["certain"]
    assert not rows(aggregate(answers, min_answers=2))["99"]["certain"]
    assert rows(aggregate(answers, min_answers=2))["1"]["certain"]
    assert not any(row["certain"] for row in aggregate(answers, min_confidence=1).labels.rows())
    assert not rows(aggregate(ANSWERS, min_confidence=0, method="majority"))["b"]["certain"]


def test_a_tie_goes_to_the_commoner_class_and_names_all() -> None:
    answers = {
        "task": ["a", "a", "b", "b", "c", "c"],
        "worker": ["x", "y"] * 3,
        "label": ["dog", "cat", "dog", "dog", "dog", "dog"],
    }
    row = rows(aggregate(answers, method="majority"))["a"]
    assert (row["label"], row["tied"]) == ("dog", ("cat", "dog"))


def test_what_does_not_count_is_said() -> None:
    answers = {
        "task": ["a", "a", "a", "b", "b"],
        "worker": ["x", "x", "y", "x", "y"],
        "label": ["cat", "dog", None, "ufo", "cat"],
    }
    consensus = aggregate(answers, classes=["cat", "dog"])
    assert rows(consensus)["a"]["votes"] == 1
    assert rows(consensus)["a"]["label"] == "cat"
    said = " ".join(consensus.notes)
    assert "1 answers have no label" in said
    assert "1 answers have a label that is none of the classes" in said
    assert "1 answers are a worker's second" in said


def noisy(seed: int, tasks: int, *, per_task: int = 3, prefix: str = "t") -> Table:
    """20 workers, half of them guessing among three classes; the truth is the task's number."""
    rng = np.random.default_rng(seed)
    table: Table = {"task": [], "worker": [], "label": []}
    for task in range(tasks):
        for worker in rng.choice(20, per_task, replace=False):
            right = rng.random() < (0.95 if worker % 2 else 0.33)
            table["task"].append(f"{prefix}{task}")
            table["worker"].append(f"w{worker}")
            table["label"].append(f"c{(task + (0 if right else rng.integers(1, 3))) % 3}")
    return table


def share_right(consensus: Consensus) -> float:
    return float(
        np.mean([row["label"] == f"c{int(row['task'][1:]) % 3}" for row in consensus.labels.rows()])
    )


def test_earlier_jobs_tell_how_reliable_workers_are() -> None:
    before = noisy(0, 600, per_task=5, prefix="p")
    plain, informed = [], []
    for seed in range(1, 6):
        answers = noisy(seed, 40)
        plain.append(share_right(aggregate(answers)))
        informed.append(share_right(aggregate(answers, previous=before)))
    assert np.mean(informed) > np.mean(plain) + 0.02


def test_earlier_tasks_stay_apart_even_with_the_same_name() -> None:
    before = {**ANSWERS, "label": ["dog"] * 6}
    consensus = aggregate(ANSWERS, previous=[before, before])
    assert list(consensus.labels["task"]) == ["a", "b", "c"]
    assert rows(consensus)["a"]["votes"] == 3
    assert len(consensus.probabilities) == 3  # type: ignore[arg-type]
    assert any("12 answers of 2 earlier jobs" in note for note in consensus.notes)


def test_earlier_votes_count_where_that_is_wanted() -> None:
    before = {
        "task": ["a", "a", "d"],
        "worker": ["x", "new", "old"],
        "label": ["dog", "dog", "dog"],
    }
    consensus = aggregate(ANSWERS, previous=before, include_previous=True, method="majority")
    found = rows(consensus)
    assert list(found) == ["a", "b", "c", "d"]
    assert found["a"]["votes"] == 4
    # The first answer of x to a was dog: dog has three of four.
    assert (found["a"]["label"], found["a"]["agreement"]) == ("dog", 0.75)
    assert list(consensus.workers["worker"]) == ["x", "y", "z", "new", "old"]
    apart = aggregate(ANSWERS, previous=before)
    assert list(apart.workers["worker"]) == ["x", "y", "z"]


@pytest.mark.parametrize("form", FORMS)
def test_earlier_jobs_come_in_any_form_alone_or_in_a_list(form: str) -> None:
    for previous in (FORMS[form](ANSWERS), [FORMS[form](ANSWERS)]):
        consensus = aggregate(ANSWERS, previous=previous)
        assert any("6 answers of 1 earlier job were used" in note for note in consensus.notes)


def test_gold_of_earlier_jobs_counts() -> None:
    before = Answers("single", *ANSWERS.values(), gold={"b": "dog"})
    consensus = aggregate(ANSWERS, previous=before, include_previous=True)
    assert rows(consensus)["b"]["source"] == "gold"


def test_a_model_is_one_more_rater() -> None:
    answers = noisy(3, 150)
    tasks = [f"t{task}" for task in range(150)] + ["unseen"]
    truth = np.array([task % 3 for task in range(150)] + [1])
    chances = np.where(np.arange(3) == truth[:, None], 0.9, 0.05)
    model = Predictions(tuple(tasks), ("c0", "c1", "c2"), chances)
    plain = aggregate(answers)
    consensus = aggregate(answers, model=model, tasks=tasks)
    assert tuple(consensus.labels) == (*LABEL_COLUMNS, *MODEL_COLUMNS)
    assert share_right(aggregate(answers, model=model)) > share_right(plain)
    row = rows(consensus)["unseen"]
    assert (row["label"], row["source"], row["votes"]) == ("c1", "machine", 0)
    assert not row["certain"]
    assert any("one more rater" in note for note in consensus.notes)


def test_a_model_of_another_type_or_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="model is a dict"):
        aggregate(ANSWERS, model={"a": 1})
    model = Predictions(("a",), ("cat",), np.ones((1, 1)))
    with pytest.raises(UsageError, match="kind 'multi'"):
        aggregate({**ANSWERS, "label": [["cat"]] * 6}, model=model)


# Kinds.


BOX = {"label": "cat", "left": 1, "top": 2, "width": 30, "height": 40}
SPAN = {"label": "name", "startOffset": 0, "endOffset": 5}
MASK = Mask(np.array([[0, 1], [1, 1]], np.uint8), ("BACKGROUND", "cat"))


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("cat", "single"),
        (3, "single"),
        (True, "single"),
        (["cat"], "multi"),
        (("cat", "dog"), "multi"),
        (np.array(["cat"]), "multi"),
        ('["cat", "dog"]', "multi"),
        ([Box("cat", 1, 2, 30, 40)], "boxes"),
        ([BOX], "boxes"),
        (np.array([BOX]), "boxes"),
        (json.dumps([BOX]), "boxes"),
        ([Span("name", 0, 5)], "spans"),
        ([SPAN], "spans"),
        (MASK, "mask"),
        (MASK.as_json(), "mask"),
        (json.dumps(MASK.as_json()), "mask"),
    ],
)
def test_the_kind_shows_in_the_labels(label: Any, kind: str) -> None:
    answers = {"task": ["a", "a", "b"], "worker": ["x", "y", "x"], "label": [label] * 3}
    consensus = aggregate(answers)
    assert consensus.kind == kind
    assert list(consensus.labels["task"]) == ["a", "b"]
    assert list(consensus.labels["votes"]) == [2, 1]
    assert tuple(consensus.labels)[: len(LABEL_COLUMNS)] == LABEL_COLUMNS
    assert set(WORKER_COLUMNS) <= set(consensus.workers)
    assert consensus.to_pandas().shape[0] == 2
    assert consensus.to_arrow().num_rows == 2
    assert consensus.workers.to_arrow().num_rows == 2


def test_shapes_come_back_as_they_were_agreed_on() -> None:
    answers = {"task": ["a", "a"], "worker": ["x", "y"], "label": [[BOX], [BOX]]}
    (box,) = aggregate(answers).labels["label"][0]
    assert (box.label, box.left, box.top, box.width, box.height) == ("cat", 1, 2, 30, 40)
    answers["label"] = [[SPAN], [SPAN]]
    (span,) = aggregate(answers).labels["label"][0]
    assert (span.label, span.start, span.end) == ("name", 0, 5)
    answers["label"] = [MASK, MASK]
    assert (aggregate(answers).labels["label"][0].pixels == MASK.pixels).all()


def test_arrow_and_back_keeps_the_kind() -> None:
    for kind, label in (("boxes", (Box("cat", 1, 2, 3, 4),)), ("mask", MASK), ("multi", ("cat",))):
        answers = Answers(kind, ["a", "b"], ["x", "x"], [label, label])  # type: ignore[arg-type]
        for table in (answers.to_arrow(), answers.to_pandas()):
            assert aggregate(table).kind == kind


def test_shapes_take_gold_and_earlier_jobs() -> None:
    answers = {"task": ["a", "a"], "worker": ["x", "y"], "label": [[BOX], []]}
    consensus = aggregate(answers, gold={"a": [BOX]}, previous=[answers, answers])
    row = rows(consensus)["a"]
    assert (row["source"], row["votes"]) == ("gold", 2)
    merged = aggregate(
        {**answers, "task": ["b", "b"]}, previous=[answers, answers], include_previous=True
    )
    assert list(merged.labels["task"]) == ["b", "a"]
    assert list(merged.labels["votes"]) == [2, 2]


def test_left_out_rows_of_shapes_are_said() -> None:
    answers = {
        "task": ["a", "a", "a"],
        "worker": ["x", "x", "y"],
        "label": [[BOX], [BOX], None],
    }
    said = " ".join(aggregate(answers).notes)
    assert "1 answers have no label" in said
    assert "1 answers are a worker's second" in said


def test_empty_lists_alone_do_not_show_their_kind() -> None:
    answers: Table = {"task": ["a"], "worker": ["x"], "label": [[]]}
    with pytest.raises(AnswerError, match="name it with kind="):
        aggregate(answers)
    assert aggregate(answers, kind="boxes").labels["label"][0] == ()


# What is wrong with a call is said in a sentence.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "best"}, "method is 'best'"),
        ({"kind": "video"}, "kind is 'video'"),
        ({"min_confidence": 2}, "min_confidence is 2"),
        ({"min_answers": 0}, "min_answers is 0"),
        ({"min_ratings": 1.5}, "min_ratings is 1.5"),
        ({"classes": "cat"}, "classes is the text 'cat'"),
    ],
)
def test_a_wrong_option_is_a_usage_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        aggregate(ANSWERS, **options)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"task": ["a"], "worker": ["x"]}, "no column 'label'"),
        ({"task": ["a"], "label": ["x"]}, "no column 'worker'"),
        ({"task": ["a"], "worker": ["x"], "label": ["p", "q"]}, "differ in length"),
        ({"task": ["a"], "worker": ["x", "y"], "label": [["p"]]}, "differ in length"),
        ({"task": [None], "worker": ["x"], "label": ["p"]}, "no task"),
        ({"task": [None], "worker": ["x"], "label": [["p"]]}, "no task"),
        ({"task": ["a", "b"], "worker": ["x", "y"], "label": ["p", ["q"]]}, "'label'"),
        ({"task": ["a"], "worker": ["x"], "label": [[{"left": 1, "top": 1}]]}, "lacks label"),
        ({"task": ["a"], "worker": ["x"], "label": [[3.5, None]]}, "instead of text"),
        ({"task": ["a"], "worker": ["x"], "label": [object()]}, "no known kind"),
        ([1, 2], "list of other things"),
        (7, "answers are a int"),
        ("answers.csv", "answers are a str"),
    ],
)
def test_answers_that_cannot_be_understood_are_refused_with_a_reason(
    answers: Any, message: str
) -> None:
    with pytest.raises(AnswerError, match=message):
        aggregate(answers)


def test_methods_fit_the_kind() -> None:
    with pytest.raises(UsageError, match="for sets of labels"):
        aggregate({**ANSWERS, "label": [["cat"]] * 6}, method="one-coin")
    with pytest.raises(UsageError, match="there is one only"):
        aggregate({**ANSWERS, "label": [[BOX]] * 6}, method="majority")
    with pytest.raises(UsageError, match="these answers are of kind 'single'"):
        aggregate(Answers("single", ["a"], ["x"], ["cat"]), kind="boxes")
    with pytest.raises(AnswerError, match="no label of kind 'boxes'"):
        aggregate(ANSWERS, kind="boxes")


def test_nothing_at_all_gives_an_empty_consensus() -> None:
    for answers in ({"task": [], "worker": [], "label": []}, []):
        consensus = aggregate(answers)
        assert consensus.labels.num_rows == consensus.workers.num_rows == 0
        assert np.isnan(consensus.alpha)
    consensus = aggregate(Answers("multi", [], [], []))
    assert consensus.labels.num_rows == 0
