"""Exact search returns what a float64 brute force would, however the pool is stored."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.errors import UsageError
from gandt.index import kernel
from gandt.index.search import best_similarity, merge_neighbors, sample_rows, search, shortlist
from gandt.types import Neighbors

sys.path.append(str(Path(__file__).parent))
from store_fixture import exact_oracle, topics, unit, write_store


@st.composite
def pools(draw: st.DrawFn) -> dict[str, object]:
    rows = draw(st.integers(0, 90))
    numbers = st.integers(0, max(rows - 1, 0))
    return {
        "seed": draw(st.integers(0, 2**32 - 1)),
        "rows": rows,
        "dimension": draw(st.sampled_from([1, 3, 16])),
        "distinct": draw(st.integers(1, 90)),
        "cuts": draw(st.lists(st.integers(0, rows), max_size=4)),
        "dead": draw(st.lists(numbers, max_size=20)) if rows else [],
        "exclude": draw(st.lists(numbers, max_size=20)) if rows else [],
        "queries": draw(st.integers(0, 5)),
        "k": draw(st.integers(0, 100)),
        "block": draw(st.sampled_from([7, 32, 8192])),
    }


def vectors_of(pool, rng):
    """Rows drawn from a few distinct vectors, so that most pools hold exact ties."""
    distinct = unit(rng.standard_normal((pool["distinct"], pool["dimension"])))
    return distinct[rng.integers(0, pool["distinct"], pool["rows"])]


@settings(max_examples=120, deadline=None)
@given(pool=pools())
def test_search_equals_a_float64_brute_force_with_ties_by_the_lower_row(pool):
    rng = np.random.default_rng(pool["seed"])
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "BLOCK_ROWS", pool["block"])
        store = write_store(Path(folder), vectors_of(pool, rng), pool["cuts"], pool["dead"])
        exclude = np.zeros(pool["rows"], dtype=bool)
        exclude[pool["exclude"]] = True
        queries = rng.standard_normal((pool["queries"], pool["dimension"])).astype(np.float32)
        k = pool["k"]

        found = search(store, queries, k, exclude=exclude)

        truth = exact_oracle(store, queries)
        truth[:, exclude] = -np.inf
        assert found.ids.shape == found.scores.shape == (pool["queries"], k)
        for query in range(pool["queries"]):
            allowed = int(np.isfinite(truth[query]).sum())
            ids, scores = found.ids[query], found.scores[query]
            count = min(k, allowed)
            assert (ids[count:] == -1).all()
            assert np.isneginf(scores[count:]).all()
            # float32 rounding of the oracle makes copies of one vector tie, as they must
            order = np.lexsort((np.arange(store.rows), -truth[query].astype(np.float32)))
            np.testing.assert_allclose(scores[:count], truth[query][order[:count]], atol=1e-6)
            np.testing.assert_allclose(scores[:count], truth[query][ids[:count]], atol=1e-6)
            assert len(set(ids[:count].tolist())) == count
            tied = np.diff(scores[:count]) == 0
            assert (np.diff(ids[:count])[tied] > 0).all()
            if 0 < count < allowed:
                # of the rows that tie with the last one returned, none with a lower number is left
                left = np.setdiff1d(np.flatnonzero(np.isfinite(truth[query])), ids[:count])
                rows = np.concatenate([ids[count - 1 : count], left])
                exact = kernel.exact_scores(
                    store,
                    kernel.unit_rows(queries, store.dimension),
                    np.full(len(rows), query),
                    rows,
                )
                tie = left[exact[1:] == exact[0]]
                assert (exact[1:] <= exact[0]).all()
                assert (tie > ids[count - 1]).all()


def test_a_result_does_not_depend_on_how_rows_are_split_into_shards(tmp_path):
    rng = np.random.default_rng(1)
    vectors = topics(20_000, 48, rng)
    queries = topics(30, 48, rng)
    whole = write_store(tmp_path / "whole", vectors, dead=[3, 9000])
    split = write_store(tmp_path / "split", vectors, [1, 2, 8191, 8193, 15_000], dead=[3, 9000])

    np.testing.assert_array_equal(
        best_similarity(whole, [queries[:10], queries[10:]]),
        best_similarity(split, [queries[:10], queries[10:]]),
    )
    for name in ("ids", "scores"):
        np.testing.assert_array_equal(
            getattr(search(whole, queries, 50), name), getattr(search(split, queries, 50), name)
        )
    np.testing.assert_array_equal(
        shortlist(whole, [queries], 500), shortlist(split, [queries], 500)
    )


def test_scores_stay_the_same_bits_when_rows_are_appended_or_queries_left_out(tmp_path):
    rng = np.random.default_rng(2)
    store = write_store(tmp_path, topics(9000, 32, rng))
    queries = topics(8, 32, rng)
    before = best_similarity(store, [queries])
    alone = search(store, queries[:1], 20)

    store.append(topics(500, 32, rng))
    appended = np.arange(9500) >= 9000

    np.testing.assert_array_equal(before[0], best_similarity(store, [queries])[0, :9000])
    together = search(store, queries, 20, exclude=appended)
    np.testing.assert_array_equal(alone.ids[0], together.ids[0])
    np.testing.assert_array_equal(alone.scores[0], together.scores[0])


def test_thousands_of_copies_of_one_image_are_returned_by_row_number(tmp_path):
    rng = np.random.default_rng(3)
    vectors = topics(30_000, 24, rng)
    copies = np.sort(rng.choice(30_000, 20_000, replace=False))
    vectors[copies] = vectors[copies[0]]
    store = write_store(tmp_path, vectors, [10_000, 20_000])

    found = search(store, vectors[copies[:1]], 300)

    np.testing.assert_array_equal(found.ids[0], copies[:300])


def test_lengths_lost_to_float16_do_not_show_in_scores(tmp_path):
    vectors = unit(np.full((1, 512), 1 / np.sqrt(512), dtype=np.float32)) * np.float32(1.0004)
    store = write_store(tmp_path, vectors)

    assert search(store, vectors, 1).scores[0, 0] == pytest.approx(1, abs=1e-7)
    assert best_similarity(store, [vectors])[0, 0] == pytest.approx(1, abs=1e-6)


def test_best_similarity_is_the_maximum_over_each_group(tmp_path):
    rng = np.random.default_rng(4)
    store = write_store(tmp_path, topics(5000, 40, rng), [1234], dead=[0, 77, 4999])
    groups = [topics(count, 40, rng) for count in (1, 7, 30)]

    found = best_similarity(store, [*groups[:2], np.empty((0, 40), np.float32), groups[2]])

    assert found.dtype == np.float32
    assert np.isneginf(found[2]).all()
    assert np.isneginf(found[:, [0, 77, 4999]]).all()
    for row, group in zip((0, 1, 3), groups, strict=True):
        np.testing.assert_allclose(found[row], exact_oracle(store, group).max(axis=0), atol=2e-6)


def test_more_queries_than_fit_at_once_change_nothing(tmp_path, monkeypatch):
    rng = np.random.default_rng(5)
    store = write_store(tmp_path, topics(9000, 16, rng))
    groups = [topics(count, 16, rng) for count in (5, 1, 9)]
    whole = best_similarity(store, groups)
    ids = search(store, groups[2], 10).ids

    monkeypatch.setattr(kernel, "_QUERIES", 4)

    np.testing.assert_allclose(best_similarity(store, groups), whole, atol=1e-6)
    np.testing.assert_array_equal(search(store, groups[2], 10).ids, ids)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 60),
    sizes=st.lists(st.integers(0, 4), min_size=1, max_size=4),
)
def test_shortlist_is_the_union_of_each_groups_best(seed, count, sizes):
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        store = write_store(Path(folder), topics(50, 12, rng), [20], dead=[1, 2])
        groups = [topics(size, 12, rng) for size in sizes]
        exclude = rng.random(50) < 0.2

        found = shortlist(store, groups, count, exclude=exclude)

        expected: set[int] = set()
        for group in groups:
            if len(group) and count:
                best = exact_oracle(store, group).max(axis=0)
                best[exclude] = -np.inf
                order = np.argsort(-best, kind="stable")[:count]
                expected |= set(order[np.isfinite(best[order])].tolist())
        assert found.tolist() == sorted(expected)


def test_shortlist_holds_no_row_that_died_or_was_excluded(tmp_path):
    vectors = topics(100, 8, np.random.default_rng(6))
    store = write_store(tmp_path, vectors, dead=range(0, 100, 2))
    exclude = np.arange(100) < 50

    assert shortlist(store, [vectors], 100, exclude=exclude).tolist() == list(range(51, 100, 2))


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(0, 40),
    dead=st.sets(st.integers(0, 39)),
    count=st.integers(0, 60),
)
def test_a_sample_holds_different_live_rows_only(seed, rows, dead, count):
    dead = sorted(row for row in dead if row < rows)
    with tempfile.TemporaryDirectory() as folder:
        store = write_store(Path(folder), np.ones((rows, 2), np.float32), dead=dead)
        found = sample_rows(store, count, np.random.default_rng(seed))
    live = np.setdiff1d(np.arange(rows), dead)
    assert len(found) == min(count, len(live))
    assert (np.diff(found) > 0).all()
    assert np.isin(found, live).all()


def test_every_live_row_is_sampled_equally_often(tmp_path):
    store = write_store(tmp_path, np.ones((10, 2), np.float32), dead=[0, 4, 9])
    rng = np.random.default_rng(7)
    counts = np.zeros(10)
    for _ in range(4000):
        counts[sample_rows(store, 2, rng)] += 1
    live = counts[[1, 2, 3, 5, 6, 7, 8]]
    assert live.sum() == 8000
    assert np.abs(live - 8000 / 7).max() < 150  # over five standard deviations


def test_an_empty_store_finds_nothing(tmp_path):
    store = write_store(tmp_path, np.empty((0, 4), np.float32))
    found = search(store, np.ones((2, 4), np.float32), 3)
    assert found.ids.tolist() == [[-1] * 3] * 2
    assert best_similarity(store, [np.ones((1, 4), np.float32)]).shape == (1, 0)
    assert shortlist(store, [np.ones((1, 4), np.float32)], 5).tolist() == []
    assert sample_rows(store, 5, np.random.default_rng(0)).tolist() == []


@pytest.mark.parametrize(
    "queries",
    [np.ones((1, 3)), np.ones(4), np.array([[1, np.nan, 0, 0]]), np.array([[np.inf, 0, 0, 0]])],
)
def test_queries_that_cannot_be_searched_are_refused(tmp_path, queries):
    store = write_store(tmp_path, np.ones((5, 4), np.float32))
    with pytest.raises(UsageError):
        search(store, queries.astype(np.float32), 1)


def test_an_exclusion_of_another_length_and_a_negative_k_are_refused(tmp_path):
    store = write_store(tmp_path, np.ones((5, 4), np.float32))
    query = np.ones((1, 4), np.float32)
    with pytest.raises(UsageError, match="5 rows"):
        search(store, query, 1, exclude=np.zeros(4, dtype=bool))
    with pytest.raises(UsageError, match="-1"):
        search(store, query, -1)
    with pytest.raises(UsageError, match="-2"):
        shortlist(store, [query], -2)


def test_two_results_merge_into_the_best_of_both():
    left = Neighbors(np.array([[7, 3, -1]]), np.array([[0.9, 0.5, -np.inf]], np.float32))
    right = Neighbors(np.array([[2, 1, -1]]), np.array([[0.9, 0.4, -np.inf]], np.float32))
    merged = merge_neighbors(left, right, 5)
    assert merged.ids.tolist() == [[2, 7, 3, 1, -1]]
    assert merged.scores[0, :2].tolist() == [np.float32(0.9)] * 2
