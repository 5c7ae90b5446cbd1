"""The numbers of a report, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.aggregation.confidence import expected_calibration_error
from gandt.answers import Box
from gandt.report.results.facts import (
    agreement_by_class,
    calibration,
    calibration_while_aggregating,
    class_order,
    confidence_histogram,
    confidence_spread,
    confusions,
    counts_by_class,
    disputed,
    examples,
    groups,
    wilson,
)
from gandt.report.results.model import Item, Results, Source


def item(number: int, label: str, confidence: float | None = 0.9, **more: object) -> Item:
    values: dict[str, object] = {
        "task": f"/{number}.jpg",
        "kind": "single",
        "source": "human",
        "labels": ((label, confidence),),
        "confidence": confidence,
    }
    return Item(number=number, **{**values, **more})  # type: ignore[arg-type]


def boxed(number: int, *names: str) -> Item:
    boxes = tuple(Box(name, 0, 0, 1, 1, 0.5) for name in names)
    labels = tuple((name, 0.5) for name in names)
    return Item(number, f"/{number}.jpg", "boxes", "human", labels, boxes=boxes)


class TestCounts:
    def test_by_class_and_source(self) -> None:
        items = [item(0, "cat"), item(1, "cat", source="machine"), item(2, "dog")]
        assert counts_by_class(items) == {"cat": {"human": 1, "machine": 1}, "dog": {"human": 1}}

    def test_every_box_counts_and_so_does_finding_nothing(self) -> None:
        counts = counts_by_class([boxed(0, "cat", "cat", "dog"), boxed(1)])
        assert counts == {"cat": {"human": 2}, "dog": {"human": 1}, "(no box)": {"human": 1}}

    def test_classes_by_falling_number_then_unused_then_nothing(self) -> None:
        results = Results(
            "s", "boxes", "a", (boxed(0, "dog", "dog", "cat"), boxed(1)), classes=("ant", "cat")
        )
        assert class_order(results) == ("dog", "cat", "ant", "(no box)")


class TestGroups:
    def test_the_least_certain_come_first_and_unknown_confidence_last(self) -> None:
        items = [item(0, "a", 0.9), item(1, "a", None), item(2, "a", 0.4), item(3, "a", 0.9)]
        (group,) = groups(items, ["a"])
        assert [i.number for i in group.items] == [2, 0, 3, 1]

    def test_an_item_of_two_classes_is_in_both(self) -> None:
        found = groups([boxed(0, "cat", "dog")], ["cat", "dog"])
        assert [(g.label, len(g.items)) for g in found] == [("cat", 1), ("dog", 1)]

    def test_examples_are_the_same_for_the_same_seed(self) -> None:
        whole = groups([item(n, "a", n / 100) for n in range(100)], ["a"])
        first, again, other = (examples(whole, 12, seed)[0].items for seed in (1, 1, 2))
        assert first == again != other
        assert len(first) == 12

    def test_a_class_of_one_item_has_one_example(self) -> None:
        assert len(examples(groups([item(0, "a")], ["a"]), 12, 0)[0].items) == 1
        assert examples(groups([item(0, "a")], ["a"]), 0, 0) == []


class TestConfidence:
    def test_mean_and_quartiles_leave_out_what_is_unknown(self) -> None:
        items = [item(n, "a", c) for n, c in enumerate((0.2, 0.4, 0.6, 0.8, None))]
        spread = confidence_spread(items)["a"]["human"]
        assert (spread.mean, spread.number) == (pytest.approx(0.5), 4)
        assert (spread.low, spread.high) == (pytest.approx(0.35), pytest.approx(0.65))

    def test_certain_and_uncertain_are_counted_apart(self) -> None:
        items = [
            item(0, "a", 0.0),
            item(1, "a", 1.0, certain=True),
            item(2, "a", 0.51, certain=False),
            item(3, "a", 0.51, source="machine"),
        ]
        solid, pale = confidence_histogram(items, "human")
        assert (solid[0], solid[19], sum(solid)) == (1, 1, 2)
        assert (pale[10], sum(pale)) == (1, 1)


class TestCalibration:
    def test_worked_by_hand(self) -> None:
        # Four labels said to be 0.9 sure, three of them right; two said 0.6, both right.
        items = [item(n, "a", 0.9, known=("a",)) for n in range(3)]
        items += [item(3, "a", 0.9, known=("b",))]
        items += [item(n, "a", 0.6, known=("a",)) for n in (4, 5)]
        found = calibration(items)
        assert found is not None
        assert [(b.number, b.right) for b in found.bins] == [(2, 1.0), (4, 0.75)]
        assert found.error == pytest.approx(4 / 6 * 0.15 + 2 / 6 * 0.4)
        assert found.accuracy == pytest.approx(5 / 6)

    def test_labels_taken_from_gold_say_nothing(self) -> None:
        assert calibration([item(0, "a", 1.0, known=("a",), source="gold")]) is None
        assert calibration([item(0, "a", 0.9), item(1, "a", None, known=("a",))]) is None

    def test_gold_measured_while_aggregating_is_taken_as_it_is(self) -> None:
        gold = {
            "tasks": 10.0,
            "ece": 0.07,
            "bin_9_tasks": 6.0,
            "bin_9_confidence": 0.95,
            "bin_9_accuracy": 1.0,
            "bin_5_tasks": 4.0,
            "bin_5_confidence": 0.55,
            "bin_5_accuracy": 0.5,
        }
        found = calibration_while_aggregating(gold)
        assert found is not None
        assert [(b.number, b.confidence, b.right) for b in found.bins] == [
            (4, 0.55, 0.5),
            (6, 0.95, 1.0),
        ]
        assert (found.number, found.error) == (10, 0.07)
        assert found.accuracy == pytest.approx(0.8)
        assert calibration_while_aggregating({"tasks": 10.0, "accuracy": 0.8}) is None

    @given(st.lists(st.tuples(st.floats(0.51, 1), st.booleans()), min_size=1, max_size=60))
    def test_the_error_is_that_of_the_aggregation_room(
        self, pairs: list[tuple[float, bool]]
    ) -> None:
        items = [item(n, "a", c, known=("a" if r else "b",)) for n, (c, r) in enumerate(pairs)]
        found = calibration(items)
        assert found is not None
        probabilities = np.array([[c, 1 - c] for c, _ in pairs])
        truth = np.array([0 if r else 1 for _, r in pairs])
        expected = expected_calibration_error(probabilities, truth)
        assert found.error == pytest.approx(expected, abs=1e-9)
        assert sum(b.number for b in found.bins) == len(pairs)

    @given(st.integers(1, 500), st.floats(0, 1))
    def test_an_interval_holds_the_share_and_stays_within_bounds(
        self, number: int, share: float
    ) -> None:
        hits = round(share * number)
        low, high = wilson(hits, number)
        assert 0 <= low <= hits / number + 1e-12
        assert hits / number - 1e-12 <= high <= 1

    def test_a_known_interval(self) -> None:
        # Newcombe, "Two-sided confidence intervals for the single proportion", 1998: 81 of 263.
        assert wilson(81, 263) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))


class TestAgreement:
    def test_only_items_with_two_votes_count(self) -> None:
        items = [
            item(0, "a", agreement=1.0, votes=3),
            item(1, "a", agreement=0.5, votes=2),
            item(2, "a", agreement=1.0, votes=1),
            item(3, "b", agreement=0.6, votes=5),
        ]
        found = agreement_by_class(items)
        assert [(a.label, a.agreement, a.number) for a in found] == [("b", 0.6, 1), ("a", 0.75, 2)]

    def test_the_most_disputed_come_first(self) -> None:
        items = [
            item(0, "a", 0.9, agreement=0.6, votes=5),
            item(1, "a", 0.5, agreement=0.4, votes=5),
            item(2, "a", 0.5, agreement=0.6, votes=5),
            item(3, "a", 0.5, agreement=1.0, votes=5),
            item(4, "a", 0.5, agreement=0.1, votes=1),
            item(5, "a", 0.5),
        ]
        assert [i.number for i in disputed(items)] == [1, 2, 0]
        assert len(disputed(items, 1)) == 1

    def test_wrong_answers_by_number(self) -> None:
        counts = {("cat", "cat"): 6, ("cat", "dog"): 2, ("dog", "cat"): 3, ("dog", "dog"): 1}
        found = confusions(counts)
        assert [(c.label, c.answer, c.number, c.share) for c in found] == [
            ("dog", "cat", 3, 0.75),
            ("cat", "dog", 2, 0.25),
        ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from(["human", "machine", "gold", "unknown"]),
            st.none() | st.floats(0, 1),
        )
    ),
    st.randoms(use_true_random=False),
)
def test_every_item_is_in_the_gallery_once_whatever_its_order(
    rows: list[tuple[str, Source, float | None]], random: object
) -> None:
    items = [item(n, name, c, source=source) for n, (name, source, c) in enumerate(rows)]
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = groups(shuffled, ["a", "b", "c"])
    assert found == groups(items, ["a", "b", "c"])
    assert sorted(i.number for g in found for i in g.items) == list(range(len(items)))
