"""A whole round: what it holds, what it must not hold, and that it finds what is rare."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from clustered_pools import clusters, stored, told
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.active.cross_fit import cross_fit
from gandt.active.frontier import Frontier
from gandt.active.labeled import Examples, Labeled
from gandt.active.rounds import Round, RoundOptions, next_round
from gandt.errors import UsageError
from gandt.index.ann import ExactIndex
from gandt.index.arrays import ArrayStore
from gandt.types import IntArray

CLASSES = ("rare", "common", "Other")
SIZES = (30, 600, 600)
VECTORS, TRUTH = clusters(SIZES, spread=0.9)
STORE, SEARCH = stored(VECTORS)
SEEDS: IntArray = np.concatenate([np.flatnonzero(code == TRUTH)[:4] for code in range(3)])


def first(**options: object) -> Round:
    given_ = RoundOptions(**{"budget": 40, "targets": ("rare",), **options})  # type: ignore[arg-type]
    return next_round(STORE, SEARCH, told(SEEDS, TRUTH, CLASSES), Frontier(), given_)


def after(labeled: Labeled, played: Round) -> Labeled:
    more = told(played.rows, TRUTH, CLASSES, sought=played.sought, slices=(played.slice,))
    return labeled.then(more)


def test_it_finds_the_rare_class_without_looking_at_the_whole_pool() -> None:
    labeled, frontier, options = told(SEEDS, TRUTH, CLASSES), Frontier(), None
    for _ in range(3):
        options = RoundOptions(budget=20, targets=("rare",))
        played = next_round(STORE, SEARCH, labeled, frontier, options)
        labeled, frontier = after(labeled, played), played.frontier
    assert labeled.counts()[0] >= 0.9 * SIZES[0]
    assert frontier.share(STORE.rows) < 0.5
    assert played.scored == frontier.share(STORE.rows)


def test_goals_and_the_uniform_slice_share_the_budget() -> None:
    played = first(mix={"find": 0.5, "learn": 0.25, "balance": 0.25}, again=False, uniform=0.1)
    assert Counter(played.goals) == {"find": 18, "learn": 9, "balance": 9, "uniform": 4}
    assert len(played) == 40
    assert played.slice.rows.tolist() == played.rows[-4:].tolist()
    assert (played.slice.unlabeled, played.slice.before) == (STORE.rows - 12, 12)
    sought = [code for code, goal in zip(played.sought, played.goals, strict=True) if code >= 0]
    assert len(sought) == played.goals.count("find")
    assert played.expected.shape == (40, 3)
    assert played.expected.sum(axis=1) == pytest.approx(1)


def test_nothing_is_chosen_twice_nor_what_is_labeled_or_left_out() -> None:
    left_out = np.flatnonzero(TRUTH == 0)[4:20]
    played = next_round(
        STORE,
        SEARCH,
        told(SEEDS, TRUTH, CLASSES),
        Frontier(),
        RoundOptions(budget=60, mix={"find": 1, "learn": 1}, again=False, targets=("rare",)),
        left_out=left_out,
    )
    assert len(set(played.rows.tolist())) == len(played) == 60
    assert not set(played.rows.tolist()) & set(SEEDS.tolist())
    assert not set(played.rows.tolist()) & set(left_out.tolist())


def test_the_same_call_gives_the_same_round_and_another_seed_another_slice() -> None:
    one, two, other = first(), first(), first(random_seed=1)
    assert one.rows.tolist() == two.rows.tolist()
    assert one.values.tolist() == two.values.tolist()
    assert one.slice.rows.tolist() != other.slice.rows.tolist()


def test_each_round_draws_its_slice_anew() -> None:
    played = first()
    labeled = after(told(SEEDS, TRUTH, CLASSES), played)
    later = next_round(
        STORE, SEARCH, labeled, played.frontier, RoundOptions(budget=40, targets=("rare",))
    )
    assert not set(later.slice.rows.tolist()) & set(played.slice.rows.tolist())
    assert later.slice.before == len(labeled)


def test_a_probe_that_was_fit_before_is_the_one_that_is_asked() -> None:
    labeled, options = told(SEEDS, TRUTH, CLASSES), RoundOptions(budget=40, targets=("rare",))
    vectors = STORE.take(SEEDS)
    same = cross_fit(vectors, labeled.probabilities, CLASSES)
    given_ = next_round(STORE, SEARCH, labeled, Frontier(), options, fit=same)
    assert given_.rows.tolist() == first().rows.tolist()
    assert given_.expected.tolist() == first().expected.tolist()
    other = cross_fit(vectors, np.full((len(SEEDS), 3), 1 / 3), CLASSES)
    doubtful = next_round(STORE, SEARCH, labeled, Frontier(), options, fit=other)
    assert doubtful.expected == pytest.approx(1 / 3, abs=0.01)


def test_the_uniform_slice_does_not_depend_on_the_goals() -> None:
    assert first().slice.rows.tolist() == first(mix={"learn": 1.0}).slice.rows.tolist()


def test_contradicted_lone_answers_are_asked_again() -> None:
    rows = np.concatenate([np.flatnonzero(code == TRUTH)[:30] for code in (1, 2)])
    names = [CLASSES[code] for code in TRUTH[rows]]
    names[3], names[40] = names[40], names[3]  # two mistakes
    sure = np.full(60, 0.85)
    labeled = Labeled.of(rows, names, CLASSES, confidence=sure)
    options = RoundOptions(budget=16, mix={"learn": 1.0}, targets=("common",), uniform=0)
    played = next_round(STORE, SEARCH, labeled, Frontier(), options, worker_accuracy=0.85)
    again = {
        int(row) for row, goal in zip(played.rows, played.goals, strict=True) if goal == "again"
    }
    assert again
    assert again <= {int(rows[3]), int(rows[40])}
    full = Labeled.of(rows, names, CLASSES, confidence=sure, answers=np.full(60, 5))
    assert "again" not in next_round(STORE, SEARCH, full, Frontier(), options).goals


def test_seeds_beside_the_pool_are_enough_to_begin_with() -> None:
    nothing = told(SEEDS[:0], TRUTH, CLASSES)
    examples = Examples(VECTORS[SEEDS], np.eye(3)[TRUTH[SEEDS]])
    hidden = ArrayStore(STORE.vectors, np.sort(SEEDS))
    played = next_round(
        hidden,
        ExactIndex(hidden),
        nothing,
        Frontier(),
        RoundOptions(budget=20, targets=("rare",)),
        examples=examples,
    )
    assert (TRUTH[played.rows] == 0).sum() >= 15
    assert not set(played.rows.tolist()) & set(SEEDS.tolist())


def test_a_round_larger_than_the_pool_takes_what_there_is() -> None:
    played = first(budget=5000)
    there = STORE.rows - len(SEEDS)
    assert set(played.rows.tolist()) == set(range(STORE.rows)) - set(SEEDS.tolist())
    # The uniform share is of what there is, so that the goal has its own.
    assert played.goals.count("uniform") == round(0.05 * there)
    assert played.notes == (
        f"{5000 - there:,} places stay empty: every other image is labeled, left out or chosen "
        "already.",
    )


def test_a_round_with_too_few_candidates_is_filled_from_the_pool() -> None:
    """Probes of eight classes that look alike name the same images."""
    store, search = stored(VECTORS[:300])
    names = tuple(f"kind-{number}" for number in range(8))
    alike = Examples(np.repeat(VECTORS[:1], 8, axis=0), np.eye(8))
    nothing = Labeled.of(np.empty(0, np.int64), (), names)
    options = RoundOptions(budget=200, targets=names, neighbors=1)
    played = next_round(store, search, nothing, Frontier(), options, examples=alike)
    assert len(played) == 200
    (note,) = played.notes
    assert note.endswith(" candidates for 190 places; filled from the pool.")


def test_what_is_not_filled_is_not_said_to_be() -> None:
    everything = told(np.arange(STORE.rows - 1), TRUTH, CLASSES)
    played = next_round(STORE, SEARCH, everything, Frontier(), RoundOptions(budget=3, uniform=1))
    assert played.goals == ("uniform",)
    assert played.notes == (
        "2 places stay empty: every other image is labeled, left out or chosen already.",
    )


def test_only_what_was_refused_as_a_copy_is_called_one() -> None:
    store = ArrayStore(np.concatenate([VECTORS[SEEDS], VECTORS[:6], VECTORS[:6]]))
    m = len(SEEDS)
    labeled = told(np.arange(m), TRUTH[SEEDS], CLASSES)
    options = RoundOptions(budget=20, uniform=0)
    played = next_round(store, ExactIndex(store), labeled, Frontier(), options)
    copies = 12 - len(played)
    assert copies >= 6
    assert played.notes[-2:] == (
        "8 places stay empty: every other image is labeled, left out or chosen already.",
        f"{len(played)} of 12 wanted: the other candidates are near-copies of these or of labeled "
        "images.",
    )


@pytest.mark.parametrize(("budget", "uniform", "drawn"), [(1, 0.05, 0), (2, 0.05, 1), (2, 0.9, 1)])
def test_the_uniform_slice_leaves_the_goal_a_place(budget: int, uniform: float, drawn: int) -> None:
    goals = first(budget=budget, uniform=uniform).goals
    assert goals == ("find",) * (budget - drawn) + ("uniform",) * drawn
    assert set(first(budget=budget, uniform=1.0).goals) == {"uniform"}


def test_estimates_outlooks_and_the_verdict_come_with_it() -> None:
    played = first(price=0.1, value=0.01)
    assert [each.name for each in played.estimates] == list(CLASSES)
    assert [each.name for each in played.outlooks] == ["rare"]
    assert played.verdict.stop
    assert "costs 4.00" in played.verdict.reasons[0]
    assert not first(price=0.1, value=10.0).verdict.stop


def test_the_rarer_half_is_sought_where_no_class_is_named_and_other_never() -> None:
    rows = np.concatenate([np.flatnonzero(TRUTH == 0)[:3], np.flatnonzero(TRUTH == 1)[:20]])
    labeled = told(rows, TRUTH, CLASSES)
    played = next_round(STORE, SEARCH, labeled, Frontier(), RoundOptions(budget=10))
    assert [each.name for each in played.outlooks] == ["rare"]


def test_wrong_calls_are_refused() -> None:
    with pytest.raises(UsageError, match="no class 'bear'"):
        first(targets=("bear",))
    with pytest.raises(UsageError, match="Nothing is labeled"):
        next_round(STORE, SEARCH, told(SEEDS[:0], TRUTH, CLASSES), Frontier(), RoundOptions())
    everything = told(np.arange(STORE.rows), TRUTH, CLASSES)
    with pytest.raises(UsageError, match="no next round"):
        next_round(STORE, SEARCH, everything, Frontier(), RoundOptions())


@pytest.mark.parametrize(
    "options",
    [{"budget": 0}, {"uniform": 1.5}, {"price": 1.0}, {"mix": {}}, {"neighbors": 0}],
)
def test_options_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        RoundOptions(**options)  # type: ignore[arg-type]


@settings(max_examples=8)
@given(budget=st.integers(1, 80), uniform=st.floats(0, 1), seed=st.integers(0, 9))
def test_a_budget_is_spent_exactly(budget: int, uniform: float, seed: int) -> None:
    played = first(budget=budget, uniform=uniform, random_seed=seed)
    assert len(played) == budget == len(played.goals) == len(set(played.rows.tolist()))
