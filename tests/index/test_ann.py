"""The FAISS index finds what exact search finds, up to its recall, with exact scores."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gandt.errors import IndexFolderError, StorageError, UsageError
from gandt.index import search as exact
from gandt.index.ann import FILE_NAME, AnnIndex, ExactIndex, open_ann, open_search
from gandt.index.build import build
from gandt.index.plan import CODES, plan_code, plan_index

sys.path.append(str(Path(__file__).parent))
from store_fixture import ShardStore, topics, write_store

ROWS, DIMENSION = 20_000, 64
DEAD = range(0, ROWS, 97)


@pytest.fixture(scope="module")
def vectors():
    return topics(ROWS + 300, DIMENSION, np.random.default_rng(0))


@pytest.fixture(scope="module")
def built(vectors, tmp_path_factory):
    """A folder with an index over 20,000 rows, its report, and the store's folder."""
    folder = tmp_path_factory.mktemp("built")
    store = write_store(folder / "store", vectors[:ROWS], [7000, 15_000], DEAD)
    return folder, build(store, plan_code(ROWS, DIMENSION, "sq8"), folder)


@pytest.fixture
def store(vectors, tmp_path):
    return write_store(tmp_path / "store", vectors[:ROWS], [7000, 15_000], DEAD)


@pytest.fixture
def index(built, store) -> AnnIndex:
    folder, report = built
    return open_ann(folder / FILE_NAME, store, report.as_json())


def recall(found, truth):
    """Share of true neighbors found; rows as near as the last true one count."""
    return float((found.scores >= truth.scores[:, -1:] - 1e-6).mean())


def queries_near(vectors, count, rng):
    return vectors[rng.choice(len(vectors), count)] + rng.normal(
        0, 0.02, (count, DIMENSION)
    ).astype(np.float32)


def test_search_reaches_the_wanted_recall_on_new_queries(index, vectors):
    queries = queries_near(vectors, 60, np.random.default_rng(1))
    found = index.search(queries, 100)
    assert recall(found, exact.search(index.store, queries, 100)) >= 0.93
    assert index.settings.recall >= index.settings.recall_wanted == 0.95


def test_the_recall_told_is_the_recall_that_exact_search_confirms(index):
    queries = index.store.take(exact.sample_rows(index.store, 300, np.random.default_rng(9)))
    assert recall(
        index.search(queries[:180], 100), exact.search(index.store, queries[:180], 100)
    ) == pytest.approx(index.settings.recall, abs=0.03)


def test_scores_are_the_bits_that_exact_search_gives(index, vectors):
    queries = queries_near(vectors, 20, np.random.default_rng(2))
    found = index.search(queries, 50)
    everything = exact.search(index.store, queries, ROWS)
    for query in range(20):
        score_of = dict(
            zip(everything.ids[query].tolist(), everything.scores[query].tolist(), strict=True)
        )
        assert [score_of[row] for row in found.ids[query].tolist()] == found.scores[query].tolist()
        assert (np.diff(found.scores[query]) <= 0).all()


@pytest.mark.parametrize("code", CODES)
def test_every_kind_of_code_reaches_its_recall(code, store, vectors, tmp_path):
    report = build(store, plan_code(ROWS, DIMENSION, code), tmp_path)
    assert report.reached
    index = open_ann(tmp_path / FILE_NAME, store, report.as_json())
    queries = queries_near(vectors, 20, np.random.default_rng(3))
    assert recall(index.search(queries, 20), exact.search(store, queries, 20)) >= 0.9


def test_many_lists_are_found_through_a_graph_of_their_centroids(store, vectors, tmp_path):
    plan = plan_code(ROWS, DIMENSION, "sq8")
    plan = replace(plan, factory=plan.factory.replace(",", "_HNSW32,"))
    report = build(store, plan, tmp_path)
    assert report.reached
    index = open_ann(tmp_path / FILE_NAME, store, report.as_json())
    queries = queries_near(vectors, 20, np.random.default_rng(4))
    assert recall(index.search(queries, 20), exact.search(store, queries, 20)) >= 0.9


def test_dead_and_excluded_rows_are_never_returned(index, vectors):
    queries = queries_near(vectors, 20, np.random.default_rng(5))
    before = index.search(queries, 100)
    gone = np.unique(before.ids[:, :3])
    index.store.kill(gone)
    exclude = np.zeros(ROWS, dtype=bool)
    exclude[before.ids[:, 5]] = True

    found = index.search(queries, 100, exclude=exclude)

    assert (found.ids >= 0).all()
    assert not np.isin(found.ids, [*DEAD]).any()
    assert not np.isin(found.ids, gone).any()
    assert not exclude[found.ids].any()
    truth = exact.search(index.store, queries, 100, exclude=exclude)
    assert recall(found, truth) >= 0.9


def test_rows_appended_after_the_build_are_found(index, vectors):
    index.store.append(vectors[ROWS:])
    index.store.kill([ROWS + 5])
    found = index.search(vectors[ROWS : ROWS + 100], 10)
    best = found.ids[:, 0]
    expected = np.arange(ROWS, ROWS + 100)
    assert (best[np.arange(100) != 5] == expected[np.arange(100) != 5]).all()
    assert not (found.ids == ROWS + 5).any()
    assert (np.arange(ROWS + 5, ROWS + 300) == index.shortlist([vectors[ROWS + 7 :][:1]], 1)).any()


def test_a_query_gets_k_rows_although_its_lists_hold_fewer_allowed_ones(index, vectors):
    exclude = np.ones(ROWS, dtype=bool)
    few = np.arange(1, ROWS, 500)
    exclude[few] = False
    allowed = np.setdiff1d(few, [*DEAD])

    found = index.search(vectors[:3], 30, exclude=exclude)
    assert (found.ids >= 0).all()
    assert np.isin(found.ids, allowed).all()

    more = index.search(vectors[:3], 60, exclude=exclude)
    assert ((more.ids >= 0).sum(axis=1) == len(allowed)).all()
    assert np.isneginf(more.scores[more.ids < 0]).all()


def test_a_shortlist_holds_nearly_what_exact_search_shortlists(index, vectors):
    rng = np.random.default_rng(6)
    groups = [queries_near(vectors, size, rng) for size in (1, 5, 0, 12)]
    found = index.shortlist(groups, 150)
    truth = exact.shortlist(index.store, groups, 150)
    assert (np.diff(found) > 0).all()
    assert len(np.intersect1d(found, truth)) >= 0.9 * len(truth)
    assert len(found) <= 3 * 150


def test_a_search_for_most_of_the_pool_is_exact(index, vectors):
    truth = exact.search(index.store, vectors[:10], 5000)
    found = index.search(vectors[:10], 5000)
    np.testing.assert_array_equal(found.ids, truth.ids)
    np.testing.assert_array_equal(
        index.shortlist([vectors[:10]], 5000), exact.shortlist(index.store, [vectors[:10]], 5000)
    )


def test_no_queries_and_no_results_wanted_are_answered(index, vectors):
    assert index.search(vectors[:0], 5).ids.shape == (0, 5)
    assert index.search(vectors[:2], 0).ids.shape == (2, 0)
    assert index.shortlist([], 5).tolist() == []


def test_the_same_seed_builds_the_same_file(store, built, tmp_path):
    folder, report = built
    again = build(store, plan_code(ROWS, DIMENSION, "sq8"), tmp_path)
    assert again == report
    assert (tmp_path / FILE_NAME).read_bytes() == (folder / FILE_NAME).read_bytes()


def test_progress_is_told_from_training_to_measuring(store, tmp_path):
    told = []
    build(
        store,
        plan_code(ROWS, DIMENSION, "pq"),
        tmp_path,
        progress=lambda stage, done, total: told.append((stage, done, total)),
    )
    assert list(dict.fromkeys(stage for stage, *_ in told)) == ["train", "add", "measure"]
    assert ("add", ROWS, ROWS) in told


def test_a_failed_write_leaves_the_old_index(built, store, tmp_path, monkeypatch):
    import faiss

    folder, report = built
    target = tmp_path / FILE_NAME
    target.write_bytes((folder / FILE_NAME).read_bytes())
    old = target.read_bytes()

    def half_written(index, name):
        Path(name).write_bytes(old[:1000])
        raise KeyboardInterrupt

    monkeypatch.setattr(faiss, "write_index", half_written)
    with pytest.raises(KeyboardInterrupt):
        build(store, plan_code(ROWS, DIMENSION, "pq"), tmp_path)

    assert target.read_bytes() == old
    assert [path.name for path in tmp_path.glob("*.faiss")] == [FILE_NAME]
    assert open_ann(target, store, report.as_json()).search(store.take(np.array([1])), 1).ids == [
        [1]
    ]


def test_an_open_index_survives_its_replacement(index, built, vectors, tmp_path):
    before = index.search(vectors[:5], 10)
    folder, report = built
    mapped = tmp_path / FILE_NAME
    mapped.write_bytes((folder / FILE_NAME).read_bytes())
    opened = open_ann(mapped, index.store, report.as_json())
    build(index.store, plan_code(ROWS, DIMENSION, "pq"), tmp_path)
    np.testing.assert_array_equal(opened.search(vectors[:5], 10).ids, before.ids)


def test_open_search_takes_what_the_settings_name(built, store):
    folder, report = built
    assert isinstance(open_search(store, folder, {}), ExactIndex)
    assert isinstance(open_search(store, folder, report.as_json()), AnnIndex)


def test_exact_and_approximate_search_answer_alike(store, vectors):
    index = ExactIndex(store)
    found = index.search(vectors[:3], 5)
    np.testing.assert_array_equal(found.ids, exact.search(store, vectors[:3], 5).ids)
    assert index.shortlist([vectors[:1]], 4).tolist() == sorted(
        index.search(vectors[:1], 4).ids[0].tolist()
    )


def test_an_index_that_is_missing_damaged_or_foreign_is_refused(built, store, tmp_path):
    folder, report = built
    settings = report.as_json()
    with pytest.raises(IndexFolderError, match="missing"):
        open_search(store, tmp_path / "nowhere", settings)
    (tmp_path / FILE_NAME).write_bytes((folder / FILE_NAME).read_bytes()[:5000])
    with pytest.raises(IndexFolderError, match="cannot be read"):
        open_search(store, tmp_path, settings)
    with pytest.raises(IndexFolderError, match="nprobe"):
        open_search(store, folder, {k: v for k, v in settings.items() if k != "nprobe"})
    with pytest.raises(IndexFolderError, match="build the search index again"):
        open_search(store, folder, {**settings, "rows": ROWS + 1})
    other = ShardStore(tmp_path / "other", DIMENSION + 1)
    other.append(np.ones((ROWS, DIMENSION + 1), np.float32))
    with pytest.raises(IndexFolderError, match="dimensions"):
        open_search(other, folder, settings)


def test_a_plan_that_builds_nothing_is_refused(store, tmp_path):
    with pytest.raises(UsageError, match="exact"):
        build(store, plan_index(ROWS, DIMENSION, memory_bytes=1 << 30), tmp_path)
    store.kill(range(ROWS))
    with pytest.raises(UsageError, match="0 vectors"):
        build(store, plan_code(ROWS, DIMENSION, "sq8"), tmp_path)


def test_a_folder_that_cannot_be_written_is_an_error_of_storage(store, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises((StorageError, NotADirectoryError)):
        build(store, plan_code(ROWS, DIMENSION, "pq"), tmp_path / "file")
