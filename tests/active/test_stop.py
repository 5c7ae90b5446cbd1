"""When to stop: hints, estimates and limits, and sentences that promise no more than they can."""

from __future__ import annotations

import numpy as np
import pytest
from clustered_pools import told

from gandt.active.labeled import Labeled, Slice
from gandt.active.stop import DRY_RUN, dry_run, outlook, round_worth, seen_by_probe, verdict
from gandt.errors import UsageError

CLASSES = ("cat", "Other")


def history(hits: str, sought: str) -> Labeled:
    """Labels in order: `x` a cat; `s` chosen to find cats, `.` not."""
    truth = np.array([0 if hit == "x" else 1 for hit in hits])
    columns = np.array([0 if mark == "s" else -1 for mark in sought])
    return told(np.arange(len(hits)), truth, CLASSES, sought=columns)


def test_only_labels_chosen_for_the_class_count() -> None:
    assert dry_run(history("x....", "ssss."), 0) == 3
    assert dry_run(history("..x..", "ss.ss"), 0) == 4
    assert dry_run(history("....x", "sssss"), 0) == 0
    assert dry_run(history("", ""), 0) == 0


def test_an_unsure_label_of_the_class_is_neither_a_hit_nor_a_miss() -> None:
    labeled = history("x...x..", "sssssss")
    for confidence, run in ((0.79, 5), (0.8, 2)):
        labeled.probabilities[4] = confidence, 1 - confidence
        assert dry_run(labeled, 0) == run


def test_sixty_misses_in_a_row_say_stop_and_fifty_nine_do_not() -> None:
    for misses, stop in ((DRY_RUN - 1, False), (DRY_RUN, True)):
        labeled = history("x" + "." * misses, "s" * (misses + 1))
        assert verdict([outlook(labeled, 0, 3.0)]).stop is stop


def test_one_class_that_is_still_found_goes_on() -> None:
    dry = outlook(history("." * 60, "s" * 60), 0, 1.0)
    alive = outlook(history("x", "s"), 0, 9.0)
    assert verdict([dry]).stop
    assert not verdict([dry, alive]).stop
    assert not verdict([]).stop


def test_the_estimate_is_doubled_and_called_an_estimate() -> None:
    found = outlook(history("x", "s"), 0, 4.2)
    assert found.upper_left == pytest.approx(8.4)
    assert any("an estimated 8 are left at most" in said for said in found.sentences())
    assert outlook(history("x", "s"), 0, 4.2, unlabeled=6).upper_left == 6


def test_misses_of_a_probe_that_does_not_see_the_class_count_for_nothing() -> None:
    labeled = history("x" + "." * 70, "s" * 71)
    for seen, stop in ((0.079, False), (0.08, True)):
        found = outlook(labeled, 0, 3.0, 500, seen)
        assert verdict([found]).stop is stop
        said = " ".join(found.sentences())
        assert ("hardly tells it from the rest" in said) is not stop
        assert ("are left at most" in said) is stop


def test_a_probe_sees_a_class_as_far_as_it_says_more_on_its_images() -> None:
    people = np.array([[1, 0], [1, 0], [0, 1], [0, 0]], np.float64)
    said = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.4, 0.6]])
    assert seen_by_probe(said, people, 0) == pytest.approx(0.7 - 0.3)
    assert seen_by_probe(said, people, 1) == pytest.approx(0.8 - 0.4)
    assert seen_by_probe(said[:2], people[:2], 0) == 1.0
    assert seen_by_probe(said, people[:, [1, 0, 0]], 2) == 1.0


def test_without_draws_nothing_is_limited() -> None:
    found = outlook(history("x", "s"), 0, 4.2)
    assert found.limit == 1.0
    assert "needs thousands of labels" in found.sentences()[-1]


def test_two_hundred_draws_without_a_hit_are_a_limit() -> None:
    labeled = told(
        np.arange(200),
        np.ones(200, np.int64),
        CLASSES,
        slices=(Slice(np.arange(200), 5000, 0),),
    )
    found = outlook(labeled, 0, 1.0)
    assert (found.audited, found.limit) == (200, pytest.approx(0.0149, abs=1e-4))
    assert "200 uniform draws limit what is left to 1.49%" in found.sentences()[-1]


def test_a_round_that_costs_more_than_it_brings_is_not_worth_it() -> None:
    poor = round_worth(2.5, answers=100, price=0.1, value=3.0)
    assert (poor.cost, poor.worth, poor.pays) == (pytest.approx(10), pytest.approx(7.5), False)
    said = verdict([outlook(history("x", "s"), 0, 4.2)], poor)
    assert said.stop
    assert said.reasons[0] == (
        "The next round costs 10.00 and is expected to find 2.5 of the class to find, those found "
        "by the way included, worth 7.50."
    )
    assert "2.5 of all classes to find, those found" in verdict([], poor).reasons[0]
    assert not verdict([], round_worth(4.0, 100, 0.1, 3.0)).stop


def test_prices_are_not_negative() -> None:
    with pytest.raises(UsageError, match="0 or more"):
        round_worth(1.0, 10, -0.1, 1.0)


def test_the_limit_holds_in_19_of_20_pools_though_the_class_is_never_found() -> None:
    """Rounds use up the others, so that the share of the class grows from draw to draw."""
    rng = np.random.default_rng(4)
    pools, size, of_class, budget = 200, 600, 60, 60
    held = 0
    for _ in range(pools):
        truth = np.ones(size, np.int64)
        truth[rng.choice(size, of_class, replace=False)] = 0
        rows = np.empty(0, np.int64)
        slices: list[Slice] = []
        for _ in range(6):
            unlabeled = np.setdiff1d(np.arange(size), rows)
            drawn = rng.choice(unlabeled, 12, replace=False)
            slices.append(Slice(drawn, len(unlabeled), len(rows)))
            vain = np.setdiff1d(unlabeled[truth[unlabeled] == 1], drawn)[: budget - len(drawn)]
            rows = np.concatenate([rows, vain, drawn])
        labeled = told(rows, truth, CLASSES, slices=tuple(slices))
        left = of_class - int((truth[rows] == 0).sum())
        held += left <= outlook(labeled, 0, 1.0, size - len(rows)).limit * (size - len(rows))
    assert held >= 0.95 * pools
