"""The selection as a table: CSV for people, Parquet beside it for machines.

Writes two files of the same stem with the columns `uri,class,rank,score,similarity,seed,why,
duplicates`, one row for each candidate, in the order of the selection. Row *i* (from 0) is the
image that the tiled tasks of `gandt.groundtruth.manifest` call `index` *i*, unless known images are
planted among the candidates. Those are no rows of this table.

In CSV, `duplicates` is a JSON list, and empty where there are none: file names may hold commas,
bars, semicolons and line breaks, so no separator would survive all of them. Numbers have six
significant digits there, about what float32 carries; Parquet has them in full, and duplicates as
a list of strings.
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from gandt import storage
from gandt.errors import ManifestError
from gandt.tables import format_csv
from gandt.types import Candidate, Selection

__all__ = ["COLUMNS", "write_selection_table"]

COLUMNS = ("uri", "class", "rank", "score", "similarity", "seed", "why", "duplicates")

_SCHEMA = pa.schema(
    [
        ("uri", pa.string()),
        ("class", pa.string()),
        ("rank", pa.int64()),
        ("score", pa.float64()),
        ("similarity", pa.float64()),
        ("seed", pa.string()),
        ("why", pa.string()),
        ("duplicates", pa.list_(pa.string())),
    ]
)


def write_selection_table(path: str | os.PathLike[str], selection: Selection) -> tuple[str, str]:
    """Write a selection as CSV and Parquet; returns both paths.

    Each file is replaced whole, and the same selection gives the same bytes.

    Parameters
    ----------
    path
        Of the CSV file, local or `s3://`. The Parquet file has the suffix `.parquet` in place of
        `.csv` (or after the name, where it has no such suffix).

    Raises
    ------
    ManifestError
        Where a name is not valid Unicode and cannot be written.
    StorageError
        Where a file cannot be written.
    """
    destination = os.fspath(path)
    parquet_path = f"{destination.removesuffix('.csv')}.parquet"
    text = format_csv((COLUMNS, *_csv_rows(selection)))
    columns = zip(*map(_row, selection.candidates), strict=True)
    try:
        data = text.encode()
        arrays = dict(zip(COLUMNS, columns, strict=False))
        table = pa.table({name: arrays.get(name, ()) for name in COLUMNS}, schema=_SCHEMA)
    except UnicodeEncodeError as error:
        raise ManifestError(
            f"{destination} cannot hold the name {error.object[error.start - 40 : error.end]!a}, "
            "which is not valid Unicode: rename the file."
        ) from error
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    storage.write_bytes(destination, data)
    storage.write_bytes(parquet_path, sink.getvalue())
    return destination, parquet_path


def _row(candidate: Candidate) -> tuple[object, ...]:
    return (
        candidate.uri,
        candidate.label,
        int(candidate.rank),
        _finite(candidate.score),
        _finite(candidate.similarity),
        candidate.seed,
        candidate.why,
        list(candidate.duplicates),
    )


def _csv_rows(selection: Selection) -> Iterator[list[str]]:
    for c in selection.candidates:
        copies = json.dumps(list(c.duplicates), ensure_ascii=False) if c.duplicates else ""
        numbers = [_number(c.score), _number(c.similarity)]
        yield [c.uri, c.label, str(int(c.rank)), *numbers, c.seed, c.why, copies]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""
