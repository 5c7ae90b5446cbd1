"""A store in memory answers as an index folder does."""

from __future__ import annotations

import numpy as np
import pytest

from gandt.errors import UsageError
from gandt.index.arrays import ArrayStore
from gandt.index.search import search


def vectors(n: int) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(n, 8))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def test_rows_come_back_in_the_order_asked_for() -> None:
    stored = vectors(5)
    store = ArrayStore(stored)
    assert (store.rows, store.dimension, len(store.dead)) == (5, 8, 0)
    taken = store.take(np.array([3, 1]))
    assert taken.dtype == np.float32
    assert (taken == stored[[3, 1]].astype(np.float32)).all()
    assert [(first, block.dtype) for first, block in store.blocks()] == [(0, np.float16)]


def test_it_can_be_searched_and_hides_its_dead() -> None:
    stored = vectors(20)
    queries = stored[:3].astype(np.float32)
    assert search(ArrayStore(stored), queries, 1).ids[:, 0].tolist() == [0, 1, 2]
    gone = ArrayStore(stored, np.array([1]))
    assert search(gone, queries, 1).ids[1, 0] != 1


def test_an_empty_store_has_no_blocks() -> None:
    assert list(ArrayStore(vectors(0)).blocks()) == []


def test_other_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="float16 or float32"):
        ArrayStore(np.zeros((2, 3)))
