"""Columns with names, and the ways out of them: rows, DataFrame, Arrow.

What `aggregate` gives are tables; numpy and the standard library are enough to read them, and
pandas or pyarrow are imported only where a table of theirs is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gandt.answers import Mask

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Table"]


Column = Sequence[Any] | npt.NDArray[Any]


class Table(Mapping[str, Column]):
    """Named columns of equal length, in order.

    A mapping from column name to column (a numpy array or a list), so that `table["label"]`,
    `dict(table)` and `pandas.DataFrame(dict(table))` all work.
    """

    __slots__ = ("_columns",)

    def __init__(self, columns: Mapping[str, Column]) -> None:
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns differ in length: {lengths}")
        self._columns = dict(columns)

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """Number of columns, as of any mapping; see `num_rows`."""
        return len(self._columns)

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self._columns.values()), ()))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a dict per row, numpy scalars turned into Python's own."""
        names = list(self._columns)
        plain = [c.tolist() if isinstance(c, np.ndarray) else c for c in self._columns.values()]
        for values in zip(*plain, strict=True):
            yield dict(zip(names, values, strict=True))

    def to_arrow(self) -> pa.Table:
        """An Arrow table; nested values (confusion, boxes, masks) become JSON text."""
        import pyarrow as pa

        return pa.table({name: _arrow(name, column) for name, column in self._columns.items()})

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame with the values as they are; needs pandas."""
        import pandas as pd

        return pd.DataFrame({name: list(column) for name, column in self._columns.items()})

    def __repr__(self) -> str:
        return f"Table({self.num_rows} rows: {', '.join(self._columns)})"


def _arrow(name: str, column: Column) -> pa.Array:
    import pyarrow as pa

    values = column.tolist() if isinstance(column, np.ndarray) else list(column)
    first = next((value for value in values if value is not None), None)
    # Empty labels throughout may be of boxes or spans, which are JSON text.
    named = any(values) or name != "label"
    if named and _holds_names(first) and all(_holds_names(v) for v in values if v is not None):
        return pa.array([None if v is None else list(v) for v in values], pa.list_(pa.string()))
    if isinstance(first, (tuple, dict, Mask)):
        return pa.array([None if v is None else as_json_text(v) for v in values], pa.string())
    return pa.array(values)


def _holds_names(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(part, str) for part in value)


def as_json_text(value: object) -> str:
    """Write a nested value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> object:
    if hasattr(value, "as_json"):
        return value.as_json()
    return value.tolist() if hasattr(value, "tolist") else str(value)
