"""What is known of a shard's images, a column at a time, and the columns that are asked for again.

Reads `metadata/metadata_0000.parquet`, writes nothing. A column of a shard that was read stays in
memory up to a bound, so that a service which asks again and again reads each file once, and what
is larger than the bound is read from disk each time, as though nothing were kept. Rows are never
rewritten, so that what is kept never goes stale.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from gandt.errors import IndexFolderError

if TYPE_CHECKING:
    import pyarrow as pa

    from gandt.index.folder import Shard

__all__ = ["KEPT_BYTES", "Columns", "read_metadata"]

KEPT_BYTES = 64 << 20  # the paths of a million images, or so


def read_metadata(shard: Shard, columns: tuple[str, ...]) -> pa.Table:
    """Those of the columns that a shard has, from its file.

    Raises
    ------
    IndexFolderError
        The file cannot be read, or is of another shard.
    """
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(shard.metadata)
        present = [name for name in columns if name in file.schema_arrow.names]
        table = file.read(columns=present or None)
    except (OSError, ValueError) as error:
        raise IndexFolderError(
            f"{shard.metadata} cannot be read ({error}); restore it from a copy, or embed into "
            "a new folder."
        ) from error
    if table.num_rows != shard.rows:
        raise IndexFolderError(
            f"{shard.metadata} has {table.num_rows} rows and {shard.vectors.name} has "
            f"{shard.rows}; restore both from one copy, or embed into a new folder."
        )
    return table


class Columns:
    """Metadata columns by shard and name; safe to use from several threads.

    Parameters
    ----------
    limit
        Bytes that may be kept; of what was kept the least recently used goes first.
    """

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self.limit = limit
        self._held = 0
        self._kept: OrderedDict[tuple[int, str], pa.ChunkedArray] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """Bytes that are kept at present."""
        return self._held

    def read(self, shard: Shard, name: str, *, scanning: bool = False) -> pa.ChunkedArray:
        """The values of one column, nulls where the shard has no such column.

        Parameters
        ----------
        scanning
            Every shard is read in turn: what is kept makes no way for it. Where a column is larger
            than the bound, each shard would otherwise drive out the one that is needed next.
        """
        key = (shard.number, name)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        column = _read(shard, name)
        size = column.nbytes
        with self._lock:
            fits = size + self._held <= self.limit
            if key not in self._kept and (fits or (not scanning and size <= self.limit)):
                self._kept[key] = column
                self._held += size
                while self._held > self.limit:
                    _, dropped = self._kept.popitem(last=False)
                    self._held -= dropped.nbytes
        return column


def _read(shard: Shard, name: str) -> pa.ChunkedArray:
    import pyarrow as pa

    table = read_metadata(shard, (name,))
    if name in table.column_names:
        return table[name]
    return pa.chunked_array([pa.nulls(shard.rows, pa.string())])
