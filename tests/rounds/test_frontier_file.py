"""The frontier travels beside a round; to lose it, or to find something else, is never an error."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.active.frontier import Frontier
from gandt.rounds.known.frontier_file import frontier_path, read_frontier, write_frontier

if TYPE_CHECKING:
    from s3_server import Bucket

ROWS = 1000  # of the index


def frontier(rows: list[int], asked: list[int]) -> Frontier:
    return Frontier(np.array(sorted(rows), np.int64), np.array(sorted(asked), np.int64))


def archive(**arrays: Any) -> bytes:
    sink = io.BytesIO()
    np.savez(sink, **arrays)
    return sink.getvalue()


def read(*labels: Path | str, rows: int = ROWS) -> tuple[list[int], list[int], tuple[str, ...]]:
    found, notes = read_frontier([str(label) for label in labels], rows)
    return found.rows.tolist(), found.asked.tolist(), notes


def test_it_lies_beside_the_manifest_under_its_name(tmp_path: Path) -> None:
    path = write_frontier(str(tmp_path / "round3.manifest"), frontier([3, 5], [5]))
    assert path == str(tmp_path / "round3.frontier.npz")
    assert [entry.name for entry in tmp_path.iterdir()] == ["round3.frontier.npz"]
    assert frontier_path("s3://b/jobs/next.jsonl") == "s3://b/jobs/next.jsonl.frontier.npz"


def test_the_same_frontier_gives_the_same_bytes(tmp_path: Path) -> None:
    files = [write_frontier(str(tmp_path / name), frontier([3, 5], [5])) for name in "ab"]
    first, second = (Path(file).read_bytes() for file in files)
    assert first == second


@pytest.mark.parametrize(
    "labels",
    [
        "round3/labels.csv",
        "round3/labels.parquet",
        "round3/output.manifest",
        "round3",
        "round3/",
        "round3/manifests/output/output.manifest",
        "round3.csv",
        "round3.labels.csv",
    ],
)
def test_it_is_found_from_whatever_names_the_labels(tmp_path: Path, labels: str) -> None:
    write_frontier(str(tmp_path / "round3.manifest"), frontier([3, 5], [5]))
    assert read(f"{tmp_path}/{labels}") == ([3, 5], [5], ())


def test_relative_names_are_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_frontier(str(tmp_path / "round3.manifest"), frontier([3, 5], [5]))
    monkeypatch.chdir(tmp_path)
    assert read("round3/labels.csv") == ([3, 5], [5], ())


def test_those_of_several_rounds_are_put_together(tmp_path: Path) -> None:
    write_frontier(str(tmp_path / "a.manifest"), frontier([3, 5], [5]))
    write_frontier(str(tmp_path / "b.manifest"), frontier([4, 5, 9], [3, 5]))
    found = read(tmp_path / "a" / "labels.csv", tmp_path / "b", tmp_path / "none" / "labels.csv")
    assert found == ([3, 4, 5, 9], [3, 5], ())


def test_without_a_file_it_begins_anew(tmp_path: Path) -> None:
    assert read(tmp_path / "round3" / "labels.csv") == ([], [], ())
    assert read() == ([], [], ())
    assert read("/labels.csv") == ([], [], ())


OBJECTS = archive(rows=np.array([{"a": 1}], object), asked=np.array([1]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        b"not an archive",
        pickle.dumps({"rows": [1]}),
        OBJECTS,
        archive(rows=np.array([1])),
        archive(rows=np.array([1.5]), asked=np.array([1])),
        archive(rows=np.array([[1]]), asked=np.array([1])),
        archive(rows=np.array([-1]), asked=np.array([1])),
        archive(rows=np.array([ROWS]), asked=np.array([1])),
        archive(rows=np.array([2**64 - 1], np.uint64), asked=np.array([1])),
        archive(rows=np.array(["1"]), asked=np.array([1])),
    ],
)
def test_a_file_that_is_none_is_a_note(tmp_path: Path, data: bytes) -> None:
    write_frontier(str(tmp_path / "round2.manifest"), frontier([3], [3]))
    (tmp_path / "round3.frontier.npz").write_bytes(data)
    rows, asked, notes = read(tmp_path / "round2", tmp_path / "round3")
    assert (rows, asked) == ([3], [3])
    path = tmp_path / "round3.frontier.npz"
    assert notes == (
        f"{path} is no frontier of this index: not used, the candidates are found anew.",
    )


def test_an_array_of_its_own_is_no_frontier(tmp_path: Path) -> None:
    with (tmp_path / "round3.frontier.npz").open("wb") as file:
        np.save(file, np.arange(3))
    assert read(tmp_path / "round3")[2]


def test_a_size_that_no_memory_has_is_a_note(tmp_path: Path) -> None:
    """The header of an array may claim anything."""
    whole = archive(rows=np.arange(10), asked=np.arange(10))
    claimed = whole.replace(b"'shape': (10,)", b"'shape': (9" + b"9" * 15 + b",)")
    (tmp_path / "round3.frontier.npz").write_bytes(claimed)
    assert read(tmp_path / "round3")[2]


@given(cut=st.integers(0, 600), flip=st.integers(0, 255))
def test_damage_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    path = Path(write_frontier(str(folder / "r.manifest"), frontier(list(range(90)), [1, 2])))
    data = bytearray(path.read_bytes())
    path.write_bytes(data[:cut])
    rows, _, notes = read(folder / "r")
    assert (rows == [] and bool(notes)) == (cut < len(data))
    data[cut % len(data)] ^= flip
    path.write_bytes(data)
    rows, _, notes = read(folder / "r")
    assert rows == list(range(90)) or notes


@given(
    parts=st.lists(
        st.tuples(st.sets(st.integers(0, ROWS - 1)), st.sets(st.integers(0, ROWS - 1))), max_size=3
    )
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[set[int], set[int]]]
) -> None:
    folder = tmp_path_factory.mktemp("frontiers")
    for number, (rows, asked) in enumerate(parts):
        write_frontier(str(folder / f"r{number}.manifest"), frontier(list(rows), list(asked)))
    found = read(*(folder / f"r{number}" / "labels.csv" for number in range(len(parts))))
    assert found[0] == sorted(set().union(*(rows for rows, _ in parts)))
    assert found[1] == sorted(set().union(*(asked for _, asked in parts)))
    assert found[2] == ()


def test_it_lies_on_s3_as_well(bucket: Bucket) -> None:
    path = write_frontier(bucket.uri("jobs/round3.manifest"), frontier([3, 5], [5]))
    assert path == bucket.uri("jobs/round3.frontier.npz")
    for labels in ("jobs/round3/labels.csv", "jobs/round3/", "jobs/round3"):
        assert read(bucket.uri(labels)) == ([3, 5], [5], ())
    bucket.put("jobs/round4.frontier.npz", b"something else")
    rows, _, notes = read(bucket.uri("jobs/round3"), bucket.uri("jobs/round4/labels.csv"))
    assert rows == [3, 5]
    assert len(notes) == 1


def test_labels_at_the_root_of_a_bucket_ask_for_no_other_bucket(bucket: Bucket) -> None:
    write_frontier(bucket.uri("labels.manifest"), frontier([3, 5], [5]))
    assert read(bucket.uri("labels.csv")) == ([3, 5], [5], ())


def test_s3_that_fails_is_a_note(bucket: Bucket) -> None:
    write_frontier(bucket.uri("jobs/round3.manifest"), frontier([3, 5], [5]))
    bucket.server.fail(
        method="HEAD", path="round3.frontier", status="403 Forbidden", code="AccessDenied"
    )
    rows, _, notes = read(bucket.uri("jobs/round3"))
    assert rows == []
    assert "cannot be read and is found anew" in notes[0]
