"""True labels and the images they belong to: matched by what is surest, never guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rounds_files import write_index

from gandt.errors import UsageError
from gandt.index.folder import Index
from gandt.rounds.rehearsal.truth import Truth, read_truth

URIS = ("/pool/cat/1.jpg", "/pool/dog/1.jpg", "/pool/dog/2.jpg", "s3://bucket/tar.tar#cow/3.jpg")


def index_of(folder: Path, uris: tuple[str, ...], dead: tuple[int, ...] = ()) -> Index:
    vectors = np.eye(len(uris), 8, dtype=np.float32)
    return write_index(folder / "pool.index", vectors, uris, dead=dead)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return index_of(tmp_path, URIS)


def read(index: Index, folder: Path, table: str, other: str = "Other") -> Truth:
    path = folder / "truth.csv"
    path.write_text(table)
    return read_truth(str(path), index, other)


def labels(truth: Truth) -> list[str | None]:
    return [truth.classes[code] if code >= 0 else None for code in truth.codes.tolist()]


def test_images_are_matched_by_uri(index: Index, tmp_path: Path) -> None:
    truth = read(index, tmp_path, "path,label\n" + "".join(f"{u},{u[-5]}\n" for u in URIS))
    assert labels(truth) == ["1", "1", "2", "3"]
    assert truth.classes == ("1", "2", "3")
    assert truth.counts().tolist() == [2, 1, 1]
    assert truth.notes == ()


def test_images_are_matched_by_the_path_from_the_tables_folder(tmp_path: Path) -> None:
    index = index_of(tmp_path, (f"{tmp_path}/photos/1.jpg", "/elsewhere/photos/1.jpg"))
    truth = read(index, tmp_path, "file,label\nphotos/1.jpg,cat\n/elsewhere/photos/1.jpg,dog\n")
    assert labels(truth) == ["cat", "dog"]


def test_images_are_matched_by_the_longest_end_of_the_path(index: Index, tmp_path: Path) -> None:
    table = "image,class\n/home/ann/cat/1.jpg,cat\ndog\\1.jpg,dog\n2.jpg,dog\ncow/3.jpg,cow\n"
    assert labels(read(index, tmp_path, table)) == ["cat", "dog", "dog", "cow"]


def test_a_name_that_two_images_have_is_an_error(index: Index, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"1\.jpg, which may be /pool/cat/1\.jpg or /pool/dog"):
        read(index, tmp_path, "name,label\n1.jpg,cat\n2.jpg,dog\n")


def test_two_labels_of_one_image_are_an_error_unless_they_agree(
    index: Index, tmp_path: Path
) -> None:
    same = "name,label\n2.jpg,dog\n2.jpg,dog\n3.jpg,cow\n"
    assert labels(read(index, tmp_path, same)) == ["Other", "Other", "dog", "cow"]
    with pytest.raises(UsageError, match=r"two labels: 'dog' as 2\.jpg and 'cat' as 2\.jpg"):
        read(index, tmp_path, "name,label\n2.jpg,dog\n2.jpg,cat\n")


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_matches_the_surer_counts(index: Index, tmp_path: Path, turned: bool) -> None:
    rows = ["dog/2.jpg,dog", "fox/2.jpg,fox", "3.jpg,cow"]
    table = "\n".join(["name,label", *(rows[::-1] if turned else rows)])
    truth = read(index, tmp_path, table)
    assert labels(truth)[2] == "dog"
    assert any("1 row of" in note and "first: fox/2.jpg" in note for note in truth.notes)


def test_images_without_a_label_are_of_the_contrast_class(index: Index, tmp_path: Path) -> None:
    truth = read(index, tmp_path, "name,label\n2.jpg,dog\n3.jpg,\n", other="Rest")
    assert labels(truth) == ["Rest", "Rest", "dog", "Rest"]
    assert len(truth.notes) == 2
    assert "3 images of the pool have no label" in truth.notes[0]
    assert "they count as 'Rest'" in truth.notes[0]
    assert "1 row of" in truth.notes[1]


def test_dead_rows_have_no_class_and_need_none(tmp_path: Path) -> None:
    index = index_of(tmp_path, ("/pool/1.jpg", "/pool/1.jpg", "/pool/2.jpg"), dead=(0,))
    truth = read(index, tmp_path, "name,label\n1.jpg,cat\n2.jpg,dog\n")
    assert labels(truth) == [None, "cat", "dog"]


def test_a_list_of_one_class_is_that_class(index: Index, tmp_path: Path) -> None:
    path = tmp_path / "truth.parquet"
    table = {"task": list(URIS), "label": [["cat"], ["dog"], ["dog"], ["[odd"]]}
    pq.write_table(pa.table(table), path)
    assert labels(read_truth(str(path), index)) == ["cat", "dog", "dog", "[odd"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("name,label\nzebra.jpg,zebra\n", "none of the 4 images"),
        ("name,label\n2.jpg,\n", "no row with both"),
        ("name,weight\n2.jpg,3\n", "its label"),
        ("a,label\n2.jpg,dog\n", "the path of an image"),
        ('name,label\n2.jpg,"[""a"", ""b""]"\n', "one class for each image"),
        ("uri,class,rank,why\n2.jpg,dog,1,auto\n", "guesses that nobody has checked"),
        ("path,label\n" + "".join(f"{uri},cat\n" for uri in URIS), "All 4 images are 'cat'"),
    ],
)
def test_tables_that_do_not_serve_are_refused(
    index: Index, tmp_path: Path, table: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        read(index, tmp_path, table)


def test_what_is_no_table_is_refused(index: Index, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        read_truth(str(tmp_path / "nothing.csv"), index)
    with pytest.raises(UsageError, match="is a folder"):
        read_truth(str(tmp_path), index)
    (tmp_path / "truth.txt").write_text("2.jpg dog")
    with pytest.raises(UsageError, match="is no table"):
        read_truth(str(tmp_path / "truth.txt"), index)


@given(data=st.data())
def test_the_order_of_the_rows_makes_no_difference(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("truth")
    index = index_of(folder, URIS)
    rows = ["cat/1.jpg,cat", "dog/1.jpg,dog", "2.jpg,dog", "x/2.jpg,dog", "no.jpg,cat"]
    turned = data.draw(st.permutations(rows))
    one, two = (
        read(index, folder, "\n".join(["name,label", *order]) + "\n") for order in (rows, turned)
    )
    assert labels(one) == labels(two)
    assert [note.partition("first")[0] for note in one.notes] == [
        note.partition("first")[0] for note in two.notes
    ]
