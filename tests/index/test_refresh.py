"""The search of an index is built when it pays, kept while it serves, and then dropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gandt.errors import IndexFolderError, UsageError
from gandt.index import plan as planning
from gandt.index.ann import FILE_NAME, open_search
from gandt.index.card import IndexCard
from gandt.index.folder import open_index
from gandt.index.plan import IndexPlan
from gandt.index.refresh import plan_sentence, refresh_search, report_sentence
from gandt.index.search import search
from gandt.index.writer import IndexWriter, writer_lock
from gandt.types import Embedded, FloatArray, Item, ModelCard, Preprocessing

ROWS, DIMENSION = 6000, 16
HOW = Preprocessing(8, "crop", 1.0, "bicubic", (0.0,) * 3, (1.0,) * 3)
CARD = IndexCard(ModelCard("toy", "ab" * 32, DIMENSION, HOW), "fast")
GIGABYTE = 1 << 30


def vectors(rows: int, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    topics = rng.normal(size=(40, DIMENSION))
    out = topics[rng.integers(40, size=rows)] + 0.5 * rng.normal(size=(rows, DIMENSION))
    return (out / np.linalg.norm(out, axis=1, keepdims=True)).astype(np.float32)


def grow(folder: Path, rows: int, seed: int = 0) -> None:
    with IndexWriter(folder, CARD, shard_rows=2000) as writer:
        images = [Embedded(Item(f"/{seed}/{n}.jpg", 1, "1"), "", 8, 8) for n in range(rows)]
        writer.add(images, vectors(rows, seed))


def refresh(folder: Path, recall: float = 0.9, memory: int = GIGABYTE):  # type: ignore[no-untyped-def]
    """Refresh; returns the report and the plans that were announced."""
    plans: list[IndexPlan] = []
    report = refresh_search(
        folder, memory_bytes=memory, recall=recall, cores=2, on_plan=plans.append
    )
    return report, plans


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    grow(tmp_path / "index", ROWS)
    return tmp_path / "index"


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six thousand rows count as a pool that exact search is too slow for."""
    monkeypatch.setattr(planning, "EXACT_WORK", 1000 * DIMENSION)


def test_a_pool_that_exact_search_serves_gets_no_index(folder: Path) -> None:
    assert refresh(folder) == (None, [])
    assert not (folder / FILE_NAME).exists()
    assert open_index(folder).card == CARD


@pytest.mark.usefixtures("large")
def test_a_large_pool_gets_an_index_with_measured_recall(folder: Path) -> None:
    report, plans = refresh(folder)
    assert len(plans) == 1
    assert report.settings.rows == ROWS
    assert report.reached
    assert report.disk_bytes == (folder / FILE_NAME).stat().st_size
    index = open_index(folder)
    assert index.card is not None
    assert index.card.search == report.as_json()
    queries = vectors(20, seed=9)
    found = open_search(index, folder, index.card.search).search(queries, 10)
    truth = search(index, queries, 10)
    assert (found.scores >= truth.scores[:, -1:] - 1e-6).mean() >= 0.85


@pytest.mark.usefixtures("large")
def test_an_index_is_kept_while_it_serves(folder: Path) -> None:
    refresh(folder)
    built = (folder / FILE_NAME).stat().st_mtime_ns
    assert refresh(folder) == (None, [])
    grow(folder, ROWS // 8, seed=1)  # a ninth of the rows came later
    assert refresh(folder) == (None, [])
    assert (folder / FILE_NAME).stat().st_mtime_ns == built


@pytest.mark.usefixtures("large")
def test_an_index_is_built_anew_when_a_fifth_came_later_or_the_recall_changes(
    folder: Path,
) -> None:
    refresh(folder)
    grow(folder, ROWS // 2, seed=1)
    report, _ = refresh(folder)
    assert report.settings.rows == ROWS + ROWS // 2
    report, _ = refresh(folder, recall=0.99)
    assert report.settings.recall_wanted == 0.99


def test_an_index_that_is_no_longer_needed_is_dropped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as large:
        large.setattr(planning, "EXACT_WORK", 1000 * DIMENSION)
        refresh(folder)
    assert refresh(folder) == (None, [])
    assert open_index(folder).card == CARD
    assert not (folder / FILE_NAME).exists()


@pytest.mark.usefixtures("large")
def test_too_little_memory_is_refused_and_nothing_changes(folder: Path) -> None:
    with pytest.raises(UsageError, match="pass --memory"):
        refresh(folder, memory=1 << 10)
    assert open_index(folder).card == CARD


def test_another_writer_is_respected(folder: Path) -> None:
    with writer_lock(folder), pytest.raises(IndexFolderError, match="written by another process"):
        refresh(folder)


def test_an_index_without_images_needs_no_search(tmp_path: Path) -> None:
    with IndexWriter(tmp_path / "index", CARD):
        pass
    assert refresh(tmp_path / "index") == (None, [])


@pytest.mark.usefixtures("large")
def test_what_is_built_is_said_before_and_measured_after(folder: Path) -> None:
    report, (plan,) = refresh(folder)
    assert plan_sentence(plan).startswith(f"building the search index {plan.factory}: ")
    assert "of memory" in plan_sentence(plan)
    said = report_sentence(report)
    assert f"recall@{report.settings.recall_at} {report.settings.recall:.3f}" in said
    assert "short of" not in said
