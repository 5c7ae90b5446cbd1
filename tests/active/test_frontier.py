"""The frontier: grown from neighbors and from the probe, kept between rounds."""

from __future__ import annotations

import numpy as np
import pytest
from clustered_pools import clusters, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.active.frontier import Frontier, ask_probe, extend
from gandt.errors import UsageError
from gandt.index.ann import ExactIndex
from gandt.index.arrays import ArrayStore
from gandt.types import BoolArray, FloatArray, Neighbors


def line() -> tuple[ArrayStore, ExactIndex]:
    """Ten vectors on a quarter circle, each nearest to those beside it."""
    angles = np.linspace(0, np.pi / 2, 10)
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float16)
    store = ArrayStore(vectors)
    return store, ExactIndex(store)


class Counting(ExactIndex):
    """Counts the vectors that it is asked about."""

    asked = 0

    def search(self, queries: FloatArray, k: int, *, exclude: BoolArray | None = None) -> Neighbors:
        type(self).asked += len(queries)
        return super().search(queries, k, exclude=exclude)


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def test_it_holds_the_labeled_image_and_its_nearest() -> None:
    store, search = line()
    grown = extend(Frontier(), search, store, rows(4), k=2)
    assert grown.rows.tolist() == [3, 4, 5]
    assert grown.asked.tolist() == [4]
    assert grown.share(10) == pytest.approx(0.3)


def test_it_grows_by_what_is_new_alone() -> None:
    store, _ = line()
    search = Counting(store)
    once = extend(Frontier(), search, store, rows(0, 4), k=2)
    assert Counting.asked == 2
    twice = extend(once, search, store, rows(4, 0, 9), k=2)
    assert Counting.asked == 3
    assert twice.rows.tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert extend(twice, search, store, rows(0, 4, 9), k=2) is twice


def test_the_probe_names_what_it_ranks_highest() -> None:
    _store, search = line()
    upward = np.array([[0.0, 1.0], [0.0, 0.0]], np.float32)  # and a probe that learned nothing
    labeled = np.zeros(10, np.bool_)
    labeled[9] = True
    named = ask_probe(Frontier(), search, upward, 3, exclude=labeled)
    assert named.rows.tolist() == [6, 7, 8]
    assert not len(named.asked)


def test_a_probe_of_zeros_names_nothing() -> None:
    _, search = line()
    assert not len(ask_probe(Frontier(), search, np.zeros((1, 2), np.float32), 3))


def test_open_rows_are_those_not_closed() -> None:
    assert Frontier(rows(1, 3, 5)).open_rows(rows(3, 4)).tolist() == [1, 5]


def test_it_survives_a_file() -> None:
    store, search = line()
    grown = extend(Frontier(), search, store, rows(4), k=2)
    back = Frontier.from_arrays(grown.to_arrays(), 10)
    assert back.rows.tolist() == grown.rows.tolist()
    assert back.asked.tolist() == grown.asked.tolist()


@pytest.mark.parametrize(
    "arrays",
    [
        {"rows": rows(1)},
        {"rows": rows(12), "asked": rows()},
        {"rows": rows(-1), "asked": rows()},
        {"rows": np.array([0.5]), "asked": rows()},
    ],
)
def test_a_garbled_file_is_refused(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(UsageError, match="delete the file"):
        Frontier.from_arrays(arrays, 10)


def test_dead_rows_are_never_candidates() -> None:
    store, _ = line()
    gone = ArrayStore(store.vectors, rows(3, 5))
    grown = extend(Frontier(), ExactIndex(gone), gone, rows(4), k=2)
    assert grown.rows.tolist() == [2, 4, 6]


@settings(max_examples=25)
@given(order=st.permutations(range(12)), cut=st.integers(1, 11))
def test_neither_order_nor_rounds_matter(order: list[int], cut: int) -> None:
    vectors, _ = clusters((10, 10, 10))
    store, search = stored(vectors)
    at_once = extend(Frontier(), search, store, rows(*range(12)), k=4)
    early = extend(Frontier(), search, store, rows(*order[:cut]), k=4)
    late = extend(early, search, store, rows(*order[cut:]), k=4)
    assert late.rows.tolist() == at_once.rows.tolist()
    assert set(early.rows) <= set(late.rows)
