"""The selection as CSV and Parquet: both say the same, and any file name survives."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gandt.errors import ManifestError
from gandt.report.selection_table import COLUMNS, write_selection_table
from gandt.types import Candidate, Selection

PICKS = (
    Candidate("/p/a, b.jpg", "cat", 1, 0.1 + 0.2, 0.912345678, "/s/1.jpg", "nearest"),
    Candidate("/p/c.jpg", "cat", 2, 1e-9, 0.5, "/s/1.jpg", "explore", ("/p/d.jpg", '/p/"e".jpg')),
    Candidate("/p/é.jpg", "dog", 1, float("nan"), -0.25, "a dog", "auto"),
)


def write(folder: Path, *picks: Candidate) -> tuple[Path, Path]:
    selection = Selection(picks, ("cat", "dog"), "auto")
    paths = write_selection_table(folder / "round1.selection.csv", selection)
    return Path(paths[0]), Path(paths[1])


def test_csv_is_what_a_person_can_read(tmp_path: Path) -> None:
    path, _ = write(tmp_path, *PICKS)
    assert path.read_bytes().decode() == (
        "uri,class,rank,score,similarity,seed,why,duplicates\n"
        '"/p/a, b.jpg",cat,1,0.3,0.912346,/s/1.jpg,nearest,\n'
        '/p/c.jpg,cat,2,1e-09,0.5,/s/1.jpg,explore,"[""/p/d.jpg"", ""/p/\\""e\\"".jpg""]"\n'
        "/p/é.jpg,dog,1,,-0.25,a dog,auto,\n"
    )


def test_parquet_lies_beside_it_and_holds_the_numbers_in_full(tmp_path: Path) -> None:
    _, path = write(tmp_path, *PICKS)
    assert path == tmp_path / "round1.selection.parquet"
    table = pq.read_table(path)
    assert tuple(table.column_names) == COLUMNS
    assert table.column("score").to_pylist() == [0.1 + 0.2, 1e-9, None]
    assert table.column("duplicates").to_pylist() == [[], ["/p/d.jpg", '/p/"e".jpg'], []]
    assert table.column("rank").to_pylist() == [1, 2, 1]


def test_the_same_selection_gives_the_same_bytes(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write(tmp_path / "a", *PICKS)]
    assert [path.read_bytes() for path in write(tmp_path / "b", *PICKS)] == first


def test_an_empty_selection_is_a_table_without_rows(tmp_path: Path) -> None:
    path, parquet = write(tmp_path)
    assert path.read_text() == ",".join(COLUMNS) + "\n"
    assert pq.read_table(parquet).num_rows == 0


def test_a_name_that_is_no_unicode_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="rename the file"):
        write(tmp_path, Candidate("/p/\udcff.jpg", "cat", 1, 1, 1, "/s/1.jpg", "auto"))
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@settings(deadline=None, max_examples=50)
@example(uri="/p/a\rb\n.jpg", label="\r", copies=["\r"])
@given(uri=names, label=names, copies=st.lists(names, max_size=3))
def test_any_name_survives(folder: Path, uri: str, label: str, copies: list[str]) -> None:
    pick = Candidate(uri, label, 1, 0.5, 0.5, uri, label, tuple(copies))
    path, parquet = write(folder, pick)
    (row,) = csv.DictReader(io.StringIO(path.read_bytes().decode(), newline=""))
    assert (row["uri"], row["class"], row["seed"]) == (uri, label, uri)
    assert json.loads(row["duplicates"] or "[]") == copies
    (same,) = pq.read_table(parquet).to_pylist()
    assert (same["uri"], same["class"], same["duplicates"]) == (uri, label, copies)
