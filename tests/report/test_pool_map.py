"""A map puts what is alike together, is the same every time, and shows large pools by a sample."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gandt.errors import MissingExtra, UsageError
from gandt.report.pool_map import SPAN, check_method, make_map, to_grid
from gandt.types import FloatArray, HalfArray, IntArray


@dataclass
class Store:
    """Unit vectors in memory, in shards of 1,000 rows."""

    vectors: HalfArray
    dead: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    taken: int = 0  # the most rows taken at once

    @property
    def rows(self) -> int:
        return len(self.vectors)

    @property
    def dimension(self) -> int:
        return self.vectors.shape[1]

    def blocks(self) -> Iterator[tuple[int, HalfArray]]:
        for start in range(0, self.rows, 1000):
            yield start, self.vectors[start : start + 1000]

    def take(self, rows: IntArray) -> FloatArray:
        self.taken = max(self.taken, len(rows))
        found = self.vectors[rows].astype(np.float32)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def clusters(
    count: int, classes: int, dimension: int = 32, spread: float = 0.2, seed: int = 0
) -> tuple[Store, IntArray]:
    """Vectors around a few directions, and which one each belongs to."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((classes, dimension))
    which = rng.integers(classes, size=count)
    vectors = centers[which] + spread * rng.standard_normal((count, dimension)) + 0.5
    return Store(
        (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    ), which


def agreement(xy: np.ndarray, which: IntArray, k: int = 10) -> float:
    """Share of the ten nearest on the map that are of the same class."""
    from scipy.spatial import cKDTree

    nearest = cKDTree(xy.astype(float)).query(xy.astype(float), k + 1)[1][:, 1:]
    return float((which[nearest] == which[:, None]).mean())


def test_what_is_alike_lies_together() -> None:
    store, which = clusters(900, 3)
    made = make_map(store)
    assert made.rows.tolist() == list(range(900))
    assert made.total == 900
    assert agreement(made.xy, which) > 0.99


def test_the_axes_are_the_leading_ones_and_say_what_they_hold() -> None:
    rng = np.random.default_rng(0)
    flat = rng.standard_normal((4000, 5)) * (0.1, 0.05, 0.01, 0.01, 0.01) + (0, 0, 0, 0, 1)
    store = Store((flat / np.linalg.norm(flat, axis=1, keepdims=True)).astype(np.float16))
    made = make_map(store)
    assert made.explained == pytest.approx((0.775, 0.19), abs=0.03)
    x, y = made.xy.astype(float).T
    assert abs(np.corrcoef(x, flat[:, 0])[0, 1]) > 0.99
    assert abs(np.corrcoef(y, flat[:, 1])[0, 1]) > 0.99
    assert np.ptp(x) == SPAN  # the wider axis fills the map
    assert y.std() / x.std() == pytest.approx(0.5, rel=0.05)  # and the other keeps its proportion


def test_the_same_pool_gives_the_same_map() -> None:
    first, second = (make_map(clusters(700, 4)[0]) for _ in range(2))
    assert first.xy.tobytes() == second.xy.tobytes()
    # Its mirror image has the same picture: the sign of an axis is not left to the solver.
    store, _ = clusters(700, 4)
    moved = make_map(Store(store.vectors[:, ::-1].copy()))
    assert np.abs(moved.xy.astype(int) - first.xy.astype(int)).max() <= 40


def test_dead_rows_are_left_out() -> None:
    store, _ = clusters(300, 3)
    store.dead = np.arange(0, 300, 3)
    made = make_map(store)
    assert made.total == 200
    assert not np.isin(made.rows, store.dead).any()
    assert len(made.rows) == 200


def test_a_large_pool_is_shown_by_a_uniform_sample() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((230_000, 4)).astype(np.float16)
    store = Store(vectors, dead=np.arange(0, 20_000, 2))
    made = make_map(store)
    assert (len(made.rows), made.total) == (200_000, 220_000)
    assert "200,000 of 220,000 images" in made.about
    assert (np.diff(made.rows) > 0).all()
    assert not np.isin(made.rows, store.dead).any()
    halves = np.histogram(made.rows, bins=[20_000, 125_000, 230_000])[0]
    assert abs(halves[0] / halves.sum() - 0.5) < 0.01
    assert store.taken <= 20_000  # never all at once


@pytest.mark.parametrize("method", ["pca", "umap"])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_the_smallest_pools_have_maps(count: int, method: str) -> None:
    if method == "umap" and importlib.util.find_spec("umap") is None:
        pytest.skip("needs umap-learn: pip install 'gandt[map]'")
    made = make_map(Store(np.eye(3, 6, dtype=np.float16)[:count]), method)
    assert made.xy.shape == (count, 2)
    assert made.xy.dtype == np.uint16


def test_copies_of_one_image_lie_in_the_middle() -> None:
    made = make_map(Store(np.tile(np.float16([0.6, 0.8]), (50, 1))))
    assert (np.abs(made.xy.astype(int) - SPAN // 2) <= 1).all()


def test_outliers_do_not_press_the_others_together() -> None:
    rng = np.random.default_rng(0)
    places = rng.standard_normal((10_000, 2)).astype(np.float32)
    places[:5] = 1e6
    grid = to_grid(places)
    assert (grid[:5] == SPAN).all()
    assert grid[5:].std() > SPAN / 10


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.just(2)),
        elements=st.floats(-1e6, 1e6, width=32),
    )
)
def test_the_grid_keeps_order_and_proportion(places: FloatArray) -> None:
    grid = to_grid(places).astype(np.int64)
    assert grid.min() >= 0
    assert grid.max() <= SPAN
    for axis in (0, 1):
        order = np.argsort(places[:, axis], kind="stable")
        assert (np.diff(grid[order, axis]) >= 0).all()


def test_other_methods_do_not_exist() -> None:
    with pytest.raises(UsageError, match="tsne; choose one of pca, umap"):
        check_method("tsne")


def test_without_its_package_a_umap_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'gandt\[map\]'"):
        check_method("umap")
    assert check_method("pca") == "pca"


@pytest.mark.slow
def test_a_umap_takes_clusters_apart_and_is_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("umap", reason="needs umap-learn: pip install 'gandt[map]'")
    from gandt.report import pool_map

    monkeypatch.setattr(pool_map, "_SAMPLE", 300)  # the others are placed by what these taught
    monkeypatch.setitem(pool_map._MOST, "umap", 500)
    store, which = clusters(600, 6, spread=0.35)
    first, second = make_map(store, "umap"), make_map(store, "umap")
    assert first.explained is None
    assert "500 of 600 images" in first.about
    assert agreement(first.xy, which[first.rows]) > 0.95
    assert first.xy.tobytes() == second.xy.tobytes()
