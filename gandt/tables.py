"""Tables that people hand over: CSV, TSV, JSON Lines and Parquet, as columns of text; CSV out.

Reads whole columns, by URI, through `gandt.storage`; every value arrives as a string or None, since
all that G&T takes from such a table are names: paths, labels, workers. The format goes by the
suffix. CSV may use commas, semicolons or tabs, with or without a byte order mark; what has only one
column of paths needs no header.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from gandt import storage
from gandt.errors import StorageError, UsageError

__all__ = [
    "TABLE_SUFFIXES",
    "Table",
    "find_column",
    "format_csv",
    "read_list",
    "read_rows",
    "shown_cell",
]

_JSON_LINES = frozenset({".jsonl", ".ndjson", ".manifest"})
_PARQUET = frozenset({".parquet", ".pq"})
TABLE_SUFFIXES = frozenset({".csv", ".tsv"}) | _JSON_LINES | _PARQUET

_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # and their full-width forms
# A header would be a bare word; a path has a folder, a scheme or a suffix.
_LIKE_A_PATH = re.compile(r"/|\\|\.\w{2,5}$")


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length, in the order of the file."""

    uri: str
    names: tuple[str, ...]  # every column of the file, kept or not
    columns: dict[str, list[str | None]]  # the kept ones; None for an empty cell or missing key
    rows: int


def read_rows(uri: str, columns: Collection[str] | None = None) -> Table:
    """Read a table.

    Parameters
    ----------
    columns
        The columns to keep, by the loose spelling of `find_column`; all, where None. Names that
        the table does not have are passed over.

    Raises
    ------
    StorageError
        Where the file is missing, has no suffix of a table, or breaks its format; the message
        names the line.
    """
    suffix = PurePosixPath(uri).suffix.lower()
    wanted = None if columns is None else {_loose(name) for name in columns}
    if suffix in _PARQUET:
        return _read_parquet(uri, wanted)
    if suffix in _JSON_LINES:
        return _read_json_lines(uri, wanted)
    if suffix in {".csv", ".tsv"}:
        return _read_csv(uri, wanted, "\t" if suffix == ".tsv" else None)
    raise StorageError(
        f"{uri} is not a table that can be read: give CSV, TSV, JSON Lines or Parquet, "
        "with the suffix that says so."
    )


def find_column(table: Table, candidates: Sequence[str], what: str) -> str:
    """Give the column that holds `what`: the first of `candidates` that the table has.

    Upper case, spaces, hyphens and underscores make no difference.

    Raises
    ------
    UsageError
        Where there is none; the message lists the columns that there are.
    """
    by_loose_name: dict[str, str] = {}
    for name in table.names:
        by_loose_name.setdefault(_loose(name), name)
    for candidate in candidates:
        if candidate in table.names:
            return candidate
        if _loose(candidate) in by_loose_name:
            return by_loose_name[_loose(candidate)]
    if not table.names:
        raise UsageError(f"{table.uri} is empty: it has no column of {what}, nor any other.")
    have = ", ".join(table.names)
    looked = f"column {candidates[0]}" if len(candidates) == 1 else f"column of {what}"
    raise UsageError(
        f"{table.uri} has no {looked}; its columns are: {have}. Name the one that holds {what}."
    )


def read_list(uri: str, headers: Collection[str]) -> Iterator[str]:
    """Stream the entries of a text file, one per line; blank lines do not count.

    A first line that is one of `headers` (loosely spelled) and no path is a header.

    Raises
    ------
    StorageError
        Where it is missing or not UTF-8.
    """
    loose = {_loose(name) for name in headers}
    for number, line in enumerate(_text_lines(uri), 1):
        entry = line.strip()
        if entry and not (number == 1 and _loose(entry) in loose):
            yield entry


def format_csv(rows: Iterable[Sequence[str]]) -> str:
    """Write cells as lines of CSV."""
    return "".join(f"{','.join(map(_cell, row))}\n" for row in rows)


def shown_cell(text: str) -> str:
    """Give a cell for a table that only people read, so that no spreadsheet takes it for a formula.

    What begins as a formula does gets an apostrophe in front, as OWASP advises ("CSV Injection").
    Tables that are read again hold names as they are, or a label would not be found any more.
    """
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def _cell(text: str) -> str:
    # The csv module of Python before 3.13 leaves a carriage return unquoted, which cuts the row.
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _loose(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())


def _text_lines(uri: str) -> Iterator[str]:
    for number, line in enumerate(storage.open_lines(uri), 1):
        if number == 1:
            if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise StorageError(f"{uri} is UTF-16: save it as UTF-8.")
            line = line.removeprefix(b"\xef\xbb\xbf")
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise StorageError(f"{uri}, line {number}, is not UTF-8: save it as UTF-8.") from error


# ------------------------------------------------------------------------------------ CSV


def _read_csv(uri: str, wanted: set[str] | None, delimiter: str | None) -> Table:
    lines = _text_lines(uri)
    first = next(lines, "")
    if delimiter is None:
        delimiter = max(",;\t", key=lambda mark: (first.count(mark), mark == ","))

    def all_lines() -> Iterator[str]:
        # A quoted cell may hold line ends, so they are given back to the parser.
        yield first + "\n"
        for line in lines:
            yield line + "\n"

    reader = csv.reader(all_lines(), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        headless = len(header) == 1 and _LIKE_A_PATH.search(header[0]) is not None
        names = ("path",) if headless else tuple(name.strip() for name in header)
        if len(set(names)) != len(names):
            raise StorageError(f"{uri} has two columns of the same name: rename one of them.")
        kept = [i for i, name in enumerate(names) if wanted is None or _loose(name) in wanted]
        columns: dict[str, list[str | None]] = {names[i]: [] for i in kept}
        rows = 0
        for row in itertools.chain([header] if headless else [], reader):
            if len(row) > len(names) and any(row[len(names) :]):
                raise StorageError(
                    f"{uri}, line {reader.line_num}, has {len(row)} cells under {len(names)} "
                    "column names: quote cells that hold the separator."
                )
            rows += _add_row(columns, names, kept, row)
    except csv.Error as error:
        raise StorageError(f"{uri}, line {reader.line_num}, is not valid CSV: {error}.") from error
    return Table(uri, names, columns, rows)


def _add_row(
    columns: dict[str, list[str | None]], names: tuple[str, ...], kept: list[int], row: list[str]
) -> int:
    if not row:
        return 0  # a blank line
    for i in kept:
        columns[names[i]].append(row[i] or None if i < len(row) else None)
    return 1


# ------------------------------------------------------------------------------ JSON Lines


def _read_json_lines(uri: str, wanted: set[str] | None) -> Table:
    names: dict[str, bool] = {}  # in order of appearance; whether the column is kept
    columns: dict[str, list[str | None]] = {}
    rows = 0
    for number, line in enumerate(_text_lines(uri), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise StorageError(f"{uri}, line {number}, is not valid JSON: {error}.") from error
        if not isinstance(record, dict):
            raise StorageError(f"{uri}, line {number}, is not a JSON object in braces.")
        for name, value in record.items():
            if name not in names:
                names[name] = wanted is None or _loose(name) in wanted
            if names[name]:
                column = columns.setdefault(name, [])
                column.extend([None] * (rows - len(column)))
                column.append(_as_text(value))
        rows += 1
    for column in columns.values():
        column.extend([None] * (rows - len(column)))
    return Table(uri, tuple(names), columns, rows)


# --------------------------------------------------------------------------------- Parquet


def _read_parquet(uri: str, wanted: set[str] | None) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        source = io.BytesIO(storage.read_bytes(uri)) if storage.is_remote(uri) else uri
        if isinstance(source, str):
            storage.stat(source)
        with pq.ParquetFile(source) as file:
            names = tuple(str(name) for name in file.schema_arrow.names)
            kept = [name for name in names if wanted is None or _loose(name) in wanted]
            arrow = file.read(columns=kept)
            rows = int(file.metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise StorageError(
            f"{uri} is not a readable Parquet file: {str(error).rstrip('.')}."
        ) from error
    columns = {name: [_as_text(value) for value in arrow[name].to_pylist()] for name in kept}
    return Table(uri, names, columns, rows)


def _as_text(value: Any) -> str | None:
    """Write any value of JSON or Arrow as text; an empty string counts as no value."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, bool | int | float | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
