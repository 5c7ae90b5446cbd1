"""Neighbor lists against brute force; smoothing and its normalization."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gandt.selection.context import Context
from gandt.selection.graph import (
    Graph,
    candidate_neighbors,
    comparable,
    graph,
    nearest_rows,
    smooth,
)
from gandt.selection.spaces import moments, unit
from gandt.types import FloatArray


def rows(count: int, dimensions: int, seed: int = 0) -> FloatArray:
    return unit(np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32))


@given(st.integers(0, 60), st.integers(1, 30), st.integers(0, 1000))
def test_nearest_rows_are_those_of_a_full_sort(n: int, count: int, seed: int) -> None:
    table, queries = rows(n, 6, seed), rows(7, 6, seed + 1)
    found = nearest_rows(queries, table, count)
    assert found.ids.shape == (7, count)
    expected = -np.sort(-(queries @ table.T), axis=1)[:, :count]
    width = expected.shape[1]
    np.testing.assert_allclose(found.scores[:, :width], expected, atol=1e-5)
    assert (found.ids[:, width:] == -1).all()
    assert np.isneginf(found.scores[:, width:]).all()


def test_a_row_is_not_its_own_neighbor_nor_is_its_twin_lost() -> None:
    twins = np.repeat(rows(4, 6), 2, axis=0)
    found = nearest_rows(twins, twins, 1, first=0)
    assert found.ids[:, 0].tolist() == [1, 0, 3, 2, 5, 4, 7, 6]


def test_blocks_do_not_show() -> None:
    table = rows(2500, 8)
    whole = nearest_rows(table, table, 5, first=0)
    tail = nearest_rows(table[2000:], table, 5, first=2000)
    np.testing.assert_array_equal(whole.ids[2000:], tail.ids)


def test_neighbors_are_mostly_of_the_same_group() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 40, 1500)
    noise = rng.normal(size=(1500, 400))
    vectors = unit((5 + rng.normal(size=(40, 400))[group] + noise).astype(np.float32))
    found = candidate_neighbors(vectors, moments(vectors), 10)
    assert (group[found.ids] == group[:, None]).mean() > 0.95


def test_a_pool_without_spread_has_no_edges_but_a_graph() -> None:
    same = np.tile(unit(np.ones((1, 8), np.float32)), (5, 1))
    assert np.abs(comparable(same, moments(same))).max() <= 1
    context = Context(same, same, ("a",), (same[:1],), np.empty((0, 8), np.float32))
    values = np.arange(6.0)[:, None]
    np.testing.assert_array_equal(graph(context).average(values), values)


def test_smoothing_is_the_weighted_mean_of_the_neighbors() -> None:
    path = Graph(np.array([0, 1]), np.array([1, 2]), np.array([1.0, 3.0], np.float32), 4)
    scores = np.array([[1.0], [2.0], [3.0], [7.0]])
    means = [2.0, (1 * 1 + 3 * 3) / 4, 2.0, 7.0]  # the last node has no neighbor
    np.testing.assert_allclose(path.average(scores).ravel(), means)
    np.testing.assert_allclose(smooth(scores, path, 0.0), scores)
    np.testing.assert_allclose(smooth(scores, path, 1.0).ravel(), means)


def test_diffusion_is_symmetric() -> None:
    path = Graph(np.array([0, 1]), np.array([1, 2]), np.array([1.0, 3.0], np.float32), 3)
    matrix = path.flow(np.eye(3))
    np.testing.assert_allclose(matrix, matrix.T)
    np.testing.assert_allclose(matrix[0, 1], 1 / np.sqrt(1 * 4))


def test_seeds_are_nodes_joined_to_their_nearest() -> None:
    candidates = rows(100, 8)
    seeds = rows(2, 8, seed=9)
    context = Context(candidates, candidates, ("a",), (seeds,), np.empty((0, 8), np.float32))
    joined = np.asarray(graph(context).averaging.todense())
    assert joined.shape == (102, 102)
    pool = context.moments
    nodes = comparable(np.concatenate([candidates, seeds]), pool)
    best = int((nodes[:100] @ nodes[100]).argmax())
    assert joined[100, best] > 0
    assert joined[best, 100] > 0
    sums = joined.sum(axis=1)
    np.testing.assert_allclose(sums[sums > 0], 1, rtol=1e-5)
