"""Metadata columns that are asked for again: the same values, in no more bytes than allowed."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.errors import IndexFolderError
from gandt.index.columns import Columns, read_metadata
from gandt.index.folder import Index, open_index

ROWS = (40, 7, 25, 40)  # by shard
NAMES = ("image_path", "sha256", "width")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Four shards; the second lacks hashes and widths, as folders of clip-retrieval do."""
    folder = tmp_path_factory.mktemp("columns") / "pool.index"
    (folder / "img_emb").mkdir(parents=True)
    (folder / "metadata").mkdir()
    for number, rows in enumerate(ROWS):
        np.save(
            folder / f"img_emb/img_emb_{number:04d}.npy", np.eye(4, dtype=np.float16)[[0] * rows]
        )
        table = {"image_path": [f"/{number}/{row}.jpg" for row in range(rows)]}
        if number != 1:
            table["sha256"] = [f"{number}{row:063}" for row in range(rows)]
            table["width"] = pa.array(range(rows), pa.int32())
        pq.write_table(pa.table(table), folder / f"metadata/metadata_{number:04d}.parquet")
    return open_index(folder)


def on_disk(index: Index, number: int, name: str) -> list[object]:
    table = read_metadata(index.shards[number], (name,))
    return table[name].to_pylist() if name in table.column_names else [None] * ROWS[number]


def columns_without_disk(index: Index, columns: Columns, folder: Path) -> set[tuple[int, str]]:
    """What `columns` still has when no file can be read."""
    kept = set()
    (index.folder / "metadata").rename(folder / "away")
    for shard in index.shards:
        for name in NAMES:
            try:
                columns.read(shard, name)
            except IndexFolderError:
                continue
            kept.add((shard.number, name))
    (folder / "away").rename(index.folder / "metadata")
    return kept


@given(
    limit=st.integers(0, 12_000),
    asked=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(NAMES), st.booleans()), max_size=30
    ),
)
def test_whatever_is_asked_the_values_are_those_on_disk_and_the_bound_holds(
    index: Index, limit: int, asked: list[tuple[int, str, bool]]
) -> None:
    columns = Columns(limit)
    for number, name, scanning in asked:
        found = columns.read(index.shards[number], name, scanning=scanning)
        assert found.to_pylist() == on_disk(index, number, name)
        assert 0 <= columns.held <= limit


def test_what_was_read_is_not_read_again(index: Index, tmp_path: Path) -> None:
    columns = Columns()
    columns.read(index.shards[0], "sha256")
    columns.read(index.shards[1], "width")  # that there is none is worth knowing, too
    assert columns_without_disk(index, columns, tmp_path) == {(0, "sha256"), (1, "width")}


def test_the_least_recently_used_goes_first(index: Index, tmp_path: Path) -> None:
    size = Columns(10**6).read(index.shards[0], "sha256").nbytes
    columns = Columns(2 * size)
    for number in (0, 2, 0, 3):  # 0 is asked for again before 3 needs room
        columns.read(index.shards[number], "sha256")
    assert columns_without_disk(index, columns, tmp_path) == {(0, "sha256"), (3, "sha256")}


def test_a_scan_of_more_than_fits_keeps_its_beginning(index: Index, tmp_path: Path) -> None:
    """Else each shard would drive out the one that the next scan begins with."""
    columns = Columns(Columns(10**6).read(index.shards[0], "sha256").nbytes)
    for _ in range(3):
        for shard in index.shards:
            columns.read(shard, "sha256", scanning=True)
    assert (0, "sha256") in columns_without_disk(index, columns, tmp_path)


def test_nothing_is_kept_where_nothing_may_be(index: Index, tmp_path: Path) -> None:
    columns = Columns(0)
    columns.read(index.shards[0], "sha256")
    assert columns.held == 0
    assert columns_without_disk(index, columns, tmp_path) == set()


def test_threads_get_what_one_would(index: Index) -> None:
    columns = Columns(9_000)
    asked = [(number, name) for number in range(4) for name in NAMES] * 40
    with ThreadPoolExecutor(8) as threads:
        found = list(
            threads.map(lambda key: columns.read(index.shards[key[0]], key[1]).to_pylist(), asked)
        )
    assert found == [on_disk(index, *key) for key in asked]
    assert columns.held <= 9_000


def test_an_index_answers_again_without_its_files(index: Index, tmp_path: Path) -> None:
    shutil.copytree(index.folder, tmp_path / "pool.index")
    opened = open_index(tmp_path / "pool.index")
    rows = np.array([111, 0, 41, 50])
    ask = lambda: (  # noqa: E731
        opened.uris(rows),
        opened.values("width", rows),
        opened.find("image_path", ["/3/39.jpg", "/1/1.jpg", "/none"]).tolist(),
    )
    first = ask()
    assert first == (
        ["/3/39.jpg", "/0/0.jpg", "/1/1.jpg", "/2/3.jpg"],
        [39, 0, None, 3],
        [41, 111],
    )
    shutil.rmtree(tmp_path / "pool.index" / "metadata")
    assert ask() == first
