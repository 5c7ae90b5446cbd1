"""Masks of several workers become one mask: a vote per pixel, by what each worker's is worth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gandt.aggregation.consensus import LABEL_COLUMNS, WORKER_COLUMNS, Consensus
from gandt.aggregation.shapes.mask_answers import MaskTask, votes_of
from gandt.aggregation.shapes.mask_smoothing import smooth
from gandt.aggregation.shapes.masks import aggregate_masks
from gandt.answers import BACKGROUND, Answers, Mask
from gandt.errors import AnswerError, UsageError

CLASSES = (BACKGROUND, "road", "tree")
Row = tuple[str, str, Mask]


def mask(rows: object, classes: tuple[str, ...] = CLASSES) -> Mask:
    return Mask(np.array(rows, np.uint8), classes)


def answers(*rows: Row) -> Answers:
    task, worker, label = zip(*rows, strict=True) if rows else ((), (), ())
    return Answers("mask", task, worker, label, classes=CLASSES[1:])


def shown(consensus: Consensus) -> dict[str, Mask]:
    return dict(zip(consensus.labels["task"], consensus.labels["label"], strict=True))


def square(top: int, left: int, side: int, code: int = 1) -> npt.NDArray[np.uint8]:
    pixels = np.zeros((40, 50), np.uint8)
    pixels[top : top + side, left : left + side] = code
    return pixels


def test_each_pixel_goes_by_vote() -> None:
    found = aggregate_masks(
        answers(
            ("a", "x", mask([[0, 1, 2, 0]])),
            ("a", "y", mask([[0, 1, 2, 1]])),
            ("a", "z", mask([[0, 1, 1, 0]])),
        ),
        smoothing=0,
    )
    label = shown(found)["a"]
    assert label.pixels.tolist() == [[0, 1, 2, 0]]
    assert label.classes == CLASSES
    assert tuple(found.labels) == LABEL_COLUMNS
    assert tuple(found.workers) == WORKER_COLUMNS
    assert found.to_arrow().num_rows == 1


def test_ties_are_settled_by_neighbors_then_by_background() -> None:
    one, other = mask([[1, 1, 1], [1, 1, 1]]), mask([[1, 1, 1], [1, 0, 1]])
    tie = answers(("a", "x", one), ("a", "y", other))
    assert shown(aggregate_masks(tie, smoothing=0))["a"].pixels.tolist() == other.pixels.tolist()
    assert shown(aggregate_masks(tie, smoothing=1))["a"].pixels.tolist() == one.pixels.tolist()


def test_all_agreeing_is_surer_than_a_quarrel() -> None:
    same = mask(square(5, 5, 20))
    agreed = aggregate_masks(answers(*(("a", worker, same) for worker in "xyz")))
    quarrel = aggregate_masks(
        answers(*(("a", w, mask(square(5, 5 + 4 * n, 20))) for n, w in enumerate("xyz")))
    )
    assert np.array_equal(shown(agreed)["a"].pixels, same.pixels)
    assert agreed.labels["confidence"][0] > 0.95 > quarrel.labels["confidence"][0]
    assert (shown(agreed)["a"].confidence or 0) > (shown(quarrel)["a"].confidence or 1)
    assert agreed.labels["agreement"].tolist() == [1.0]
    assert quarrel.labels["agreement"][0] < 1


def test_empty_masks_are_answers() -> None:
    bare = mask(square(0, 0, 0))
    found = aggregate_masks(answers(*(("a", worker, bare) for worker in "xyz")))
    assert not shown(found)["a"].pixels.any()
    assert found.labels["agreement"].tolist() == [1.0]
    assert found.labels["certain"][0]
    lonely = aggregate_masks(
        answers(("a", "x", bare), ("a", "y", bare), ("a", "z", mask(square(5, 5, 9))))
    )
    assert not shown(lonely)["a"].pixels.any()
    assert lonely.labels["confidence"][0] < found.labels["confidence"][0]


def test_masks_of_another_size_are_left_out_and_noted() -> None:
    small, large = mask([[1, 1]]), mask([[1, 1, 0]])
    found = aggregate_masks(answers(("a", "x", large), ("a", "y", large), ("a", "z", small)))
    assert shown(found)["a"].pixels.shape == (1, 3)
    assert found.labels["votes"].tolist() == [2]
    assert found.notes == (
        "a: 1 of 3 masks are left out, they are not of its usual size of 3 x 1 pixels.",
    )
    even = aggregate_masks(answers(("a", "x", small), ("a", "z", large)))
    assert shown(even)["a"].pixels.shape == (1, 3)


def test_classes_are_joined_by_name() -> None:
    turned = mask([[2, 1]], (BACKGROUND, "tree", "road"))
    found = aggregate_masks(answers(("a", "x", mask([[1, 2]])), ("a", "y", turned)))
    assert shown(found)["a"].pixels.tolist() == [[1, 2]]
    new = mask([[1, 1]], (BACKGROUND, "lake"))
    assert aggregate_masks(answers(("a", "x", new))).classes == (*CLASSES, "lake")


def test_tasks_without_answers_and_no_answers_at_all() -> None:
    asked = Answers("mask", ["a"], ["x"], [mask([[1]])], tasks=["b", "a"], classes=CLASSES[1:])
    found = aggregate_masks(asked)
    assert list(found.labels["task"]) == ["b", "a"]
    assert shown(found)["b"] is None
    assert found.labels["confidence"][0] == 0
    nothing = aggregate_masks(answers())
    assert nothing.labels.num_rows == nothing.workers.num_rows == 0


def painted(rng: np.random.Generator) -> tuple[list[Row], dict[str, Mask]]:
    rows: list[Row] = []
    truth = {}
    for number in range(40):
        top, left = (int(value) for value in rng.integers(4, 15, 2))
        truth[f"{number}"] = mask(square(top, left, 18))
        for worker in ("ann", "bob"):
            move = rng.integers(-1, 2, 2)
            rows.append((f"{number}", worker, mask(square(top + move[0], left + move[1], 18))))
        rows.append((f"{number}", "wide", mask(square(top - 4, left - 4, 26))))
        rows.append((f"{number}", "wider", mask(square(top - 4, left - 4, 26))))
        rows.append((f"{number}", "empty", mask(square(0, 0, 0))))
    return rows, truth


def test_workers_are_rated_against_the_others_and_flagged() -> None:
    rows, _ = painted(np.random.default_rng(0))
    found = aggregate_masks(answers(*rows))
    flags = dict(zip(found.workers["worker"], found.workers["flags"], strict=True))
    assert flags["ann"] == flags["bob"] == ()
    assert flags["empty"][0].startswith("always empty: 40 masks")
    accuracy = dict(zip(found.workers["worker"], found.workers["accuracy"], strict=True))
    assert accuracy["ann"] > 0.7 > accuracy["empty"]
    reliable = dict(zip(found.workers["worker"], found.workers["reliable"], strict=True))
    assert reliable["ann"]
    assert not reliable["empty"]
    for row in found.workers["confusion"][0].values():
        assert sum(row.values()) == pytest.approx(1)


def test_gold_is_shown_and_rates_workers() -> None:
    rows, truth = painted(np.random.default_rng(0))
    gold = {task: truth[task] for task in list(truth)[:10]}
    found = aggregate_masks(answers(*rows), gold={**gold, "unasked": truth["0"]})
    assert np.array_equal(shown(found)["3"].pixels, truth["3"].pixels)
    assert shown(found)["3"].confidence == 1
    assert found.labels["source"][9:11] == ["gold", "human"]
    assert found.labels["certain"][:10].all()
    scores = dict(zip(found.workers["worker"], found.workers["gold_accuracy"], strict=True))
    assert scores["ann"] > scores["wide"] > scores["empty"]
    assert found.workers["gold_answers"].tolist() == [10] * 5
    assert found.gold["tasks"] == 10
    assert 0.3 < found.gold["accuracy"] < 1
    assert found.notes == ("1 known masks are left out: nobody was asked about their images.",)


def test_earlier_jobs_decide_between_two() -> None:
    earlier = [(f"old{n}", w, mask(square(5, 5, 20))) for n in range(30) for w in ("good", "fine")]
    earlier += [(f"old{n}", "bad", mask(square(15 + n % 5, 25, 12))) for n in range(30)]
    now = answers(("new", "bad", mask(square(10, 10, 10))), ("new", "good", mask(square(2, 2, 6))))
    informed = aggregate_masks(now, previous=answers(*earlier))
    assert np.array_equal(shown(informed)["new"].pixels, square(2, 2, 6))
    assert list(informed.labels["task"]) == ["new"]
    assert list(informed.workers["worker"]) == ["bad", "good"]
    assert informed.workers["answers"].tolist() == [1, 1]


def test_consensus_is_better_than_the_plain_majority() -> None:
    rows, truth = painted(np.random.default_rng(5))
    rows = [row for row in rows if row[1] != "wider"]
    found = shown(aggregate_masks(answers(*rows)))
    wrong = plain = 0
    for task, true in truth.items():
        votes = sum((label.pixels > 0).astype(int) for name, _, label in rows if name == task)
        plain += int(((votes > 2) != (true.pixels > 0)).sum())
        wrong += int((found[task].pixels != true.pixels).sum())
    assert wrong < plain


def test_votes_are_compressed_to_patterns() -> None:
    masks = (mask([[0, 1, 1, 2]]), mask([[0, 1, 2, 1]]), mask([[0, 1, 1, 2]]))
    votes, layout = votes_of(MaskTask("a", np.arange(3), masks, None, True), CLASSES)
    assert votes.patterns.tolist() == [[1, 2, 1], [2, 1, 2]]
    assert votes.counts.tolist() == [1, 1]
    assert votes.agreed.tolist() == [1, 1, 0]
    assert layout.disputed.tolist() == [[False, False, True, True]]
    assert votes.pixels == 4


def test_many_workers_and_classes_do_not_overflow_the_patterns() -> None:
    rng = np.random.default_rng(0)
    classes = (BACKGROUND, *(f"c{number}" for number in range(200)))
    masks = tuple(Mask(rng.integers(0, 201, (6, 7), np.uint8), classes) for _ in range(30))
    votes, layout = votes_of(MaskTask("a", np.arange(30), masks, None, True), classes)
    stacked = np.stack([m.pixels for m in masks], axis=-1)[layout.disputed]
    assert np.array_equal(votes.patterns[layout.pattern], stacked)


def test_smoothing_fills_a_hole_and_leaves_what_is_settled() -> None:
    disputed = np.zeros((3, 3), bool)
    disputed[1, 1] = True
    settled = np.ones((3, 3), np.int64)
    settled[1, 1] = 0
    weak = np.array([[0.6, 0.4]])
    assert smooth(weak, disputed, settled, 0.0) is weak
    # Four neighbors, half a unit of log odds each.
    expected = 0.4 * np.exp(4 * 0.5) / (0.6 + 0.4 * np.exp(4 * 0.5))
    assert smooth(weak, disputed, settled, 0.5)[0, 1] == pytest.approx(expected)


def test_wrong_answers_and_options_are_refused() -> None:
    with pytest.raises(AnswerError, match="of the kind 'boxes'"):
        aggregate_masks(Answers("boxes", ["a"], ["x"], [()]))
    with pytest.raises(AnswerError, match="not a Mask"):
        aggregate_masks(Answers("mask", ["a"], ["x"], ["road"]))
    with pytest.raises(AnswerError, match="only 1 classes"):
        aggregate_masks(answers(("a", "x", mask([[3]], (BACKGROUND,)))))
    with pytest.raises(AnswerError, match="one class per pixel"):
        aggregate_masks(answers(("a", "x", mask(np.zeros((0, 4))))))
    with pytest.raises(UsageError, match="smoothing is -1"):
        aggregate_masks(answers(), smoothing=-1)
    with pytest.raises(UsageError, match="min_answers"):
        aggregate_masks(answers(), min_answers=0)


pixels = arrays(np.uint8, (4, 5), elements=st.integers(0, 2))
some_answers = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("vwxyz"), pixels),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[:2],
)


@settings(max_examples=60)
@given(some_answers, st.permutations("vwxyz"), st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_workers_change_nothing(
    drawn: list[tuple[str, str, npt.NDArray[np.uint8]]], names: list[str], random: object
) -> None:
    rows = [(task, worker, mask(values)) for task, worker, values in drawn]
    renamed = dict(zip("vwxyz", names, strict=True))
    other = [(task, renamed[worker], label) for task, worker, label in rows]
    random.shuffle(other)  # type: ignore[attr-defined]
    first, second = aggregate_masks(answers(*rows)), aggregate_masks(answers(*other))
    sure = [
        dict(zip(f.labels["task"], f.labels["confidence"], strict=True)) for f in (first, second)
    ]
    for task, label in shown(first).items():
        assert sure[0][task] == pytest.approx(sure[1][task], abs=1e-6)
        assert 0 <= sure[0][task] <= 1
        assert 0 <= (label.confidence or 0) <= 1
        assert label.confidence == pytest.approx(shown(second)[task].confidence, abs=1e-6)


@given(pixels, st.integers(1, 5))
def test_identical_answers_come_back(values: npt.NDArray[np.uint8], workers: int) -> None:
    found = aggregate_masks(answers(*(("a", f"w{n}", mask(values)) for n in range(workers))))
    assert np.array_equal(shown(found)["a"].pixels, values)
    assert found.labels["agreement"].tolist() == [1.0]
