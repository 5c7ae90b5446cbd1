"""What tables promise: the same columns from every format, and errors that name the line."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gandt.errors import StorageError, UsageError
from gandt.tables import find_column, read_list, read_rows

COLUMNS = {"image_path": ["a b.jpg", "ü,%20.png", None], "label": ["cat", None, "dog"]}


def _write(path: Path, columns: dict[str, list[str | None]]) -> str:
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    elif path.suffix in {".jsonl", ".manifest", ".ndjson"}:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        import csv

        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            writer.writerow(columns)
            writer.writerows([row[name] or "" for name in columns] for row in rows)
    return str(path)


@pytest.mark.parametrize("name", ["t.csv", "t.TSV", "t.jsonl", "t.manifest", "t.parquet"])
def test_every_format_gives_the_same_columns(tmp_path, name):
    table = read_rows(_write(tmp_path / name, COLUMNS))
    assert table.columns == COLUMNS
    assert table.names == ("image_path", "label")
    assert table.rows == 3


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_only_the_wanted_columns_are_kept_but_all_are_named(tmp_path, name):
    table = read_rows(_write(tmp_path / name, COLUMNS), ["Label", "absent"])
    assert table.columns == {"label": COLUMNS["label"]}
    assert table.names == ("image_path", "label")


_cells = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))


@given(st.lists(st.tuples(_cells, _cells), min_size=1, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_any_text_survives_any_format(tmp_path, rows):
    columns = {"path": [row[0] for row in rows], "label": [row[1] for row in rows]}
    for name in ("t.csv", "t.tsv", "t.jsonl", "t.parquet"):
        assert read_rows(_write(tmp_path / name, columns)).columns == columns


# ------------------------------------------------------------------------------------ CSV


def _csv(tmp_path: Path, data: bytes) -> str:
    (tmp_path / "t.csv").write_bytes(data)
    return str(tmp_path / "t.csv")


def test_byte_order_mark_line_ends_and_semicolons_of_spreadsheets(tmp_path):
    uri = _csv(tmp_path, b"\xef\xbb\xbfpath;label\r\na.jpg;1,5\r\n\r\nb.jpg\r\n")
    assert read_rows(uri).columns == {"path": ["a.jpg", "b.jpg"], "label": ["1,5", None]}


def test_cells_with_line_ends_in_quotes(tmp_path):
    uri = _csv(tmp_path, b'path,note\na.jpg,"two\nlines"\nb.jpg,"a ""word"""\n')
    assert read_rows(uri).columns["note"] == ["two\nlines", 'a "word"']


def test_one_column_of_paths_needs_no_header(tmp_path):
    assert read_rows(_csv(tmp_path, b"x/a.jpg\nb.jpg\n")).columns == {"path": ["x/a.jpg", "b.jpg"]}
    assert read_rows(_csv(tmp_path, b"image\nb.jpg\n")).columns == {"image": ["b.jpg"]}


def test_an_empty_csv_has_no_columns(tmp_path):
    table = read_rows(_csv(tmp_path, b""))
    assert (table.names, table.rows) == ((), 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"path,label\na,b\na,b,c,d\n", "line 3, has 4 cells under 2 column names"),
        (b"path,path\na,b\n", "two columns of the same name"),
        (b"path\ncaf\xe9.jpg\n", "line 2, is not UTF-8: save it as UTF-8"),
        ("path\na\n".encode("utf-16"), "is UTF-16: save it as UTF-8"),
        (b'path,label\n"a"x,b\n', "line 2, is not valid CSV"),
    ],
)
def test_broken_csv_names_the_line(tmp_path, data, message):
    with pytest.raises(StorageError, match=message):
        read_rows(_csv(tmp_path, data))


# ------------------------------------------------------------------------------ JSON Lines


def test_keys_that_come_and_go_leave_gaps(tmp_path):
    lines = ['{"a": "1"}', "", '{"b": {"x": [1, null]}}', '{"a": 2, "b": true}']
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    table = read_rows(str(tmp_path / "t.jsonl"))
    assert table.columns == {"a": ["1", None, "2"], "b": [None, '{"x": [1, null]}', "true"]}
    assert table.rows == 3


@pytest.mark.parametrize(
    ("line", "message"), [("{", "line 2, is not valid JSON"), ("[1]", "line 2, is not a JSON obj")]
)
def test_broken_json_lines_name_the_line(tmp_path, line, message):
    (tmp_path / "t.jsonl").write_text('{"a": "1"}\n' + line + "\n")
    with pytest.raises(StorageError, match=message):
        read_rows(str(tmp_path / "t.jsonl"))


# --------------------------------------------------------------------------- Parquet, names


def test_numbers_of_a_parquet_file_become_text(tmp_path):
    pq.write_table(
        pa.table({"id": [1, None], "x": [0.5, 2.0], "when": pa.array([0, 1], pa.date32())}),
        tmp_path / "t.parquet",
    )
    table = read_rows(str(tmp_path / "t.parquet"))
    assert table.columns["id"] == ["1", None]
    assert table.columns["x"] == ["0.5", "2.0"]
    assert table.columns["when"] == ["1970-01-01", "1970-01-02"]


def test_what_is_no_table_is_one_sentence(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(StorageError, match="not a readable Parquet file"):
        read_rows(str(tmp_path / "t.parquet"))
    with pytest.raises(StorageError, match="There is no file"):
        read_rows(str(tmp_path / "none.parquet"))
    with pytest.raises(StorageError, match="is not a table that can be read: give CSV"):
        read_rows(str(tmp_path / "t.xlsx"))


def test_columns_are_found_by_preference_and_loose_spelling(tmp_path):
    table = read_rows(_csv(tmp_path, b"Image Path,URI\n"))
    assert find_column(table, ["uri", "image_path"], "images") == "URI"
    assert find_column(table, ["image-path"], "images") == "Image Path"
    with pytest.raises(UsageError, match=r"no column of labels; its columns are: Image Path, URI"):
        find_column(table, ["label", "class"], "labels")
    with pytest.raises(UsageError, match=r"has no column label; its columns"):
        find_column(table, ["label"], "labels")
    empty = read_rows(_csv(tmp_path, b""))
    with pytest.raises(UsageError, match=r"\.csv is empty: it has no column of labels, nor any"):
        find_column(empty, ["label", "class"], "labels")


# ------------------------------------------------------------------------------ text lists


def test_a_text_list_may_have_a_header_and_blank_lines(tmp_path):
    path = tmp_path / "l.txt"
    path.write_bytes("\ufeffImage Path\r\n a b.jpg \r\n\r\n#1.jpg\nüber.jpg".encode())
    assert list(read_list(str(path), ["image_path"])) == ["a b.jpg", "#1.jpg", "über.jpg"]
    path.write_text("a.jpg\nimage_path\n")
    assert list(read_list(str(path), ["image_path"])) == ["a.jpg", "image_path"]
