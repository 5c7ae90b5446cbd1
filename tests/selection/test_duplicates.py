"""Near-copies: first in rank represents, equal bytes or centered cosine."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.errors import UsageError
from gandt.selection.duplicates import THRESHOLD, Copies, copies_of_seeds
from gandt.selection.spaces import unit
from gandt.types import FloatArray, IntArray

ORIGIN = np.zeros(4, np.float32)


def directions(*rows: list[float]) -> FloatArray:
    return unit(np.array(rows, np.float32))


def collapse(
    order: IntArray,
    vectors: FloatArray,
    mean: FloatArray,
    *,
    wanted: int,
    sha256: Sequence[str] = (),
    threshold: float = THRESHOLD,
) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Take the first `wanted` distinct rows of an order, each with the copies it stands for.

    Looks no further than needed, plus as many rows again (at least 256) for copies of the last.
    """
    copies = Copies(vectors, mean, sha256, threshold)
    chosen: list[int] = []
    place = 0
    while place < len(order) and len(chosen) < wanted:
        row = int(order[place])
        if copies.accept(row):
            chosen.append(row)
        place += 1
    copies.sweep(order[place : place + max(wanted, 256)])
    return tuple((row, copies.of(row)) for row in chosen)


def test_the_first_in_rank_represents_and_lists_its_copies() -> None:
    vectors = directions([1, 0, 0, 0], [0, 1, 0, 0], [1, 0.01, 0, 0], [0, 0, 1, 0])
    groups = collapse(np.array([2, 1, 0, 3]), vectors, ORIGIN, wanted=3)
    assert groups == ((2, (0,)), (1, ()), (3, ()))


def test_equal_bytes_are_copies_whatever_their_vectors() -> None:
    vectors = np.eye(4, dtype=np.float32)
    groups = collapse(np.arange(4), vectors, ORIGIN, wanted=4, sha256=["a", "b", "a", "c"])
    assert groups == ((0, (2,)), (1, ()), (3, ()))


def test_unknown_bytes_equal_nothing() -> None:
    vectors = np.eye(4, dtype=np.float32)
    assert len(collapse(np.arange(4), vectors, ORIGIN, wanted=4, sha256=[""] * 4)) == 4


def test_look_alikes_of_a_uniform_pool_are_not_copies() -> None:
    rng = np.random.default_rng(0)
    vectors = unit((np.ones(64) * 10 + rng.normal(size=(50, 64))).astype(np.float32))
    assert float((vectors @ vectors.T).min()) > 0.97  # raw cosine would call all of them copies
    groups = collapse(np.arange(50), vectors, vectors.mean(axis=0), wanted=50)
    assert len(groups) == 50


def test_copies_beyond_the_quota_are_listed_but_not_chosen() -> None:
    vectors = directions([1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0])
    assert collapse(np.arange(3), vectors, ORIGIN, wanted=1) == ((0, (2,)),)


def test_a_threshold_over_one_leaves_equal_bytes_only() -> None:
    vectors = directions([1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0])
    groups = collapse(
        np.arange(3), vectors, ORIGIN, wanted=3, sha256=["a", "b", "a"], threshold=1.01
    )
    assert groups == ((0, (2,)), (1, ()))


def test_a_threshold_that_makes_everything_a_copy_is_refused() -> None:
    with pytest.raises(UsageError, match="threshold"):
        Copies(np.eye(4, dtype=np.float32), ORIGIN, threshold=0)


def test_many_more_than_fit_at_first_are_kept_apart() -> None:
    rng = np.random.default_rng(1)
    vectors = unit(rng.normal(size=(700, 64)).astype(np.float32))
    again = np.concatenate([np.arange(700), np.arange(700)])
    copies = Copies(vectors[again], np.zeros(64, np.float32))
    assert [copies.accept(row) for row in range(1400)] == [True] * 700 + [False] * 700
    assert copies.of(3) == (703,)


def test_candidates_that_copy_a_seed_are_found_by_look_and_by_bytes() -> None:
    candidates = directions([1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0])
    found = copies_of_seeds(
        candidates,
        directions([1, 0.02, 0, 0]),
        ORIGIN,
        sha256=["a", "", "c"],
        seed_sha256=["c"],
    )
    assert found.tolist() == [True, False, True]


def test_without_seeds_nothing_copies_one() -> None:
    none = np.empty((0, 4), np.float32)
    assert not copies_of_seeds(np.eye(4, dtype=np.float32), none, ORIGIN).any()


@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(0, 40))
def test_every_row_met_is_chosen_or_a_copy_of_one_chosen_before(
    seed: int, rows: int, wanted: int
) -> None:
    rng = np.random.default_rng(seed)
    axes = np.eye(4, dtype=np.float32)
    vectors = np.concatenate([axes, -axes])[rng.integers(0, 8, rows)]
    order = rng.permutation(rows)
    groups = collapse(order, vectors, ORIGIN, wanted=wanted)
    members = [row for first, others in groups for row in (first, *others)]
    assert len(set(members)) == len(members)
    assert len(groups) == min(wanted, len(np.unique(vectors, axis=0)))
    place = {int(row): at for at, row in enumerate(order)}
    for first, others in groups:
        assert all(place[first] < place[row] for row in others)
        assert all(vectors[first] @ vectors[row] > 0.95 for row in others)
    chosen = vectors[[first for first, _ in groups]]
    assert (chosen @ chosen.T - np.eye(len(chosen)) < 0.95).all()
