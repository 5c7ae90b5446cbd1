"""A service on a pool of three colors, and somebody who asks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from explore_page import artist as artist  # fixtures of the browser tests
from explore_page import gallery as gallery
from explore_page import guest as guest
from explore_page import photos as photos
from explore_page import place as place
from explore_page import somebody as somebody
from explore_page import studio as studio
from explore_page import words as words
from explore_pool import ColorWords, ExplorePool, make_pool, shade
from explore_program import ExploreThread, Visitor


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> ExplorePool:
    """45 pictures, 15 of each color; beside them two seeds, one of which is in the pool."""
    pool = make_pool(tmp_path_factory.mktemp("explore"))
    shade(pool.folder / "seeds" / "red" / "mine.png", "red", 77)
    table = f"image_path,label\n{pool.path('green', 3)},green\nseeds/red/mine.png,red\n"
    (pool.folder / "seeds.csv").write_text(table)
    return pool


@pytest.fixture(scope="module")
def service(pool: ExplorePool) -> Iterator[ExploreThread]:
    """One service for all tests of a module, open to this machine."""
    known = {str(pool.path(color, 0)): color for color in ("red", "green")}
    with ExploreThread(
        pool.index,
        embedder=ColorWords(),
        known=known,
        seeds=[str(pool.folder / "seeds.csv")],
        save_folder=pool.saves,
    ) as running:
        yield running


@pytest.fixture
def ann(service: ExploreThread) -> Iterator[Visitor]:
    """A visitor."""
    yield service.visitor()
    service.leave()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A file that nobody named."""
    path = tmp_path / "secret.txt"
    path.write_text("a secret that nobody named")
    return path
