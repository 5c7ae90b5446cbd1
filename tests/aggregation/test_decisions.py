"""What a reviewer decided is the label, and rates nobody."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from gandt.aggregation import aggregate
from gandt.aggregation.decisions import CONFIDENCE
from gandt.answers import Answers, Box, Label


def answers(rows: Sequence[tuple[str, str, Label, bool]], kind: str = "single") -> Answers:
    task, worker, label, decides = zip(*rows, strict=True)
    return Answers(kind, task, worker, label, decides=decides)  # type: ignore[arg-type]


def test_one_labeler_and_a_reviewer_make_no_tie() -> None:
    consensus = aggregate(
        answers(
            [
                *[(f"t{n}", "ann", "cat", False) for n in range(4)],
                ("t0", "rev", "dog", True),
            ]
        )
    )
    row = next(iter(consensus.labels.rows()))
    assert (row["label"], row["certain"], row["tied"], row["source"]) == ("dog", True, (), "human")
    assert (row["confidence"], row["votes"], row["agreement"]) == (CONFIDENCE, 2, 0.5)
    assert list(consensus.labels["reviewed_by"]) == ["rev", None, None, None]
    assert "1 label was decided in review by rev" in consensus.notes[-1]
    assert consensus.classes == ("cat", "dog")


def test_nobody_is_rated_by_decisions_but_they_are_counted() -> None:
    crowd = [
        (f"t{n}", worker, "cat" if n % 2 else "dog", False)
        for n in range(20)
        for worker in ("ann", "ben")
    ]
    plain = aggregate(answers(crowd))
    decided = [(f"t{n}", "rev", "cat", True) for n in range(4)]  # two of them as everybody says
    consensus = aggregate(answers([*crowd, *decided]))
    assert list(consensus.workers["worker"]) == ["ann", "ben"]
    for column in plain.workers:
        before, after = plain.workers[column], consensus.workers[column]
        assert all(map(np.array_equal, before, after)) or list(map(str, before)) == list(
            map(str, after)
        ), column
    assert list(consensus.workers["reviewed"]) == [4, 4]
    assert list(consensus.workers["overruled"]) == [2, 2]
    assert list(consensus.labels["label"])[:4] == ["cat"] * 4
    # No other label changes by a decision.
    assert list(consensus.labels["confidence"])[4:] == list(plain.labels["confidence"])[4:]
    # Where all say the same, it is as sure as they are, if that is more.
    assert consensus.labels["confidence"][1] >= max(CONFIDENCE, plain.labels["confidence"][1])


def test_the_last_of_several_decisions_counts() -> None:
    rows: list[tuple[str, str, Label, bool]] = [
        ("t", "ann", "cat", False),
        ("t", "rev", "dog", True),
        ("t", "cy", "cat", True),
    ]
    consensus = aggregate(answers(rows))
    assert (consensus.labels["label"][0], consensus.labels["votes"][0]) == ("cat", 3)
    assert consensus.labels["reviewed_by"][0] == "cy"


def test_who_reviews_all_of_their_own_answers_has_labels_too() -> None:
    consensus = aggregate(answers([("a", "ann", "cat", True), ("b", "ann", "dog", True)]))
    assert list(consensus.labels["label"]) == ["cat", "dog"]
    assert list(consensus.labels["votes"]) == [1, 1]
    assert list(consensus.labels["certain"]) == [True, True]


def test_a_known_answer_stands_above_a_decision() -> None:
    rows: list[tuple[str, str, Label, bool]] = [
        ("t", "ann", "dog", False),
        ("t", "rev", "dog", True),
        ("u", "ann", "dog", False),
    ]
    consensus = aggregate(answers(rows), gold={"t": "cat"})
    assert (consensus.labels["label"][0], consensus.labels["source"][0]) == ("cat", "gold")
    assert consensus.notes[-1] == (
        "1 decision of a review is about a known answer and differs from it; the known answer "
        "stands. If it is wrong, correct it where it comes from (--gold, or the manifest)."
    )


def test_a_decision_that_says_what_is_known_needs_no_word() -> None:
    rows: list[tuple[str, str, Label, bool]] = [
        ("t", "ann", "dog", False),
        ("t", "rev", "cat", True),
        ("u", "ann", "dog", False),
    ]
    assert not any("review" in note for note in aggregate(answers(rows), gold={"t": "cat"}).notes)


def test_probabilities_say_what_the_labels_say() -> None:
    rows: list[tuple[str, str, Label, bool]] = [
        ("t", "ann", "cat", False),
        ("u", "ann", "dog", False),
        ("u", "ben", "fox", False),
        ("t", "rev", "fox", True),
    ]
    consensus = aggregate(answers(rows))
    assert consensus.probabilities is not None
    assert consensus.probabilities.sum(axis=1) == pytest.approx(1)
    fox = consensus.classes.index("fox")
    assert consensus.probabilities[0, fox] == pytest.approx(CONFIDENCE)


def test_sets_of_labels_and_boxes_are_decided_whole() -> None:
    sets = aggregate(
        answers(
            [
                ("t", "ann", ("cat",), False),
                ("t", "rev", ("dog", "cat"), True),
                ("u", "ann", (), False),
                ("u", "rev", ("None of the above",), True),
            ],
            "multi",
        ),
        none_label="None of the above",
        classes=("cat", "dog"),
    )
    assert list(sets.labels["label"]) == [("cat", "dog"), ()]
    assert set(sets.labels["confidences"][0]) == {"cat", "dog"}
    assert min(sets.labels["confidences"][0].values()) >= CONFIDENCE
    first, second = Box("cat", 0, 0, 10, 10), Box("cat", 2, 2, 10, 10)
    boxes = aggregate(
        answers([("t", "ann", (first,), False), ("t", "rev", (second, first), True)], "boxes")
    )
    (label,) = boxes.labels["label"]
    assert [(box.left, box.confidence) for box in label] == [(2, CONFIDENCE), (0, CONFIDENCE)]


def test_decisions_of_earlier_jobs_count_where_their_answers_do() -> None:
    earlier = answers([("a", "ann", "cat", False), ("a", "rev", "dog", True)])
    now = answers([("b", "ann", "cat", False)])
    apart = aggregate(now, previous=[earlier])
    assert list(apart.workers["worker"]) == ["ann"]
    merged = aggregate(now, previous=[earlier], include_previous=True)
    found = dict(zip(merged.labels["task"], merged.labels["label"], strict=True))
    assert found == {"a": "dog", "b": "cat"}
