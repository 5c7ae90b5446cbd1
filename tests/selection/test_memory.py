"""What selections from one pool share: kept, it changes nothing but the time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from gandt.index.card import IndexCard
from gandt.index.folder import Index, open_index
from gandt.index.writer import IndexWriter
from gandt.selection.memory import PoolMemory
from gandt.selection.options import SelectOptions
from gandt.selection.select import select_candidates
from gandt.types import Embedded, Item, ModelCard, Preprocessing, SeedSet

NOTHING = np.empty(0, dtype=np.int64)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Some 400 vectors around a few topics, the first ten rows dead."""
    rng = np.random.default_rng(11)
    vectors = rng.normal(size=(6, 24))[rng.integers(0, 6, 400)] + rng.normal(size=(400, 24))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    how = Preprocessing(32, "crop", 1.0, "bicubic", (0.0,) * 3, (1.0,) * 3)
    folder = tmp_path_factory.mktemp("memory") / "pool.index"
    card = IndexCard(ModelCard("random", "0" * 64, 24, how), "fast")
    with IndexWriter(folder, card, shard_rows=130) as writer:
        images = [Embedded(Item(f"/{n}.png", 1, "1"), f"{n:064}", 8, 8) for n in range(400)]
        writer.add(images, vectors)
    np.save(folder / "dead.npy", np.arange(10))
    return open_index(folder)


def seeds(index: Index, first: int) -> SeedSet:
    rows = np.arange(first, first + 7)
    vectors, uris = index.take(rows), [f"/{row}.png" for row in rows]
    return SeedSet(
        ("Other", "a", "b"),
        ((uris[0],), tuple(uris[1:4]), tuple(uris[4:])),
        (vectors[:1], vectors[1:4], vectors[4:]),
        "Other",
        (("",), ("",) * 3, ("",) * 3),
    )


ASKED = [
    SelectOptions(budget=20, strategy=strategy, shortlist=shortlist, random_seed=random_seed)
    for strategy in ("auto", "diffusion", "nearest", "probe")
    for shortlist in (None, 100)
    for random_seed in (0, 1, 2)
]


def test_selections_that_share_a_memory_are_those_of_strangers(index: Index) -> None:
    memory = PoolMemory(index)
    for number, options in enumerate(2 * ASKED):
        asked = seeds(index, 20 + 9 * number % 300), options, NOTHING
        shared = select_candidates(index, *asked, memory=memory)
        assert shared.candidates == select_candidates(index, *asked).candidates


def test_threads_may_share_one(index: Index) -> None:
    memory = PoolMemory(index)
    asked = [(seeds(index, 20 + 9 * number), options) for number, options in enumerate(ASKED)]

    def choose(question: tuple[SeedSet, SelectOptions]) -> object:
        return select_candidates(index, *question, NOTHING, memory=memory).candidates

    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(choose, asked))
    assert found == [choose(question) for question in asked]


def test_the_pool_is_read_once(index: Index, tmp_path: Path) -> None:
    memory = PoolMemory(index)
    whole = memory.whole()
    assert whole.rows.tolist() == list(range(10, 400))
    assert memory.whole() is whole
    assert whole.neighbors is not None
    assert whole.neighbors() is whole.neighbors()
    assert memory.part(NOTHING, 3).background is memory.part(np.array([20]), 3).background


@pytest.mark.parametrize(
    ("images", "rows"), [(1, 4_000), (60, 4_000), (101, 4_040), (500, 20_000), (9_000, 20_000)]
)
def test_the_more_images_are_wanted_the_more_rows_are_looked_at(images: int, rows: int) -> None:
    assert SelectOptions().rows_looked_at(images) == rows
    assert SelectOptions(shortlist=7).rows_looked_at(images) == 7
