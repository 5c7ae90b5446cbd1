"""A column from outside becomes integer codes and names; fast for each way a column can come.

Takes a list, a numpy array, a pandas Series or an Arrow column. Python strings are never sorted:
they are numbered through a dict, as pandas and Arrow number theirs by hashing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.errors import AnswerError

__all__ = ["Codes", "column_length", "factorize", "is_from", "numbers"]

Codes = npt.NDArray[np.int32]

_BLOCK = 1 << 18  # rows looked at at a time


def is_from(value: object, package: str) -> bool:
    """Whether a value is of a type of that package, without importing the package."""
    return any(base.__module__.partition(".")[0] == package for base in type(value).__mro__)


def column_length(column: Any, name: str) -> int:
    """Number of rows; a plain string or a lone value is no column.

    Raises
    ------
    AnswerError
        It has no rows to count.
    """
    if isinstance(column, (str, bytes)) or not hasattr(column, "__len__"):
        raise AnswerError(
            f"column {name!r} is a {type(column).__name__}; give a list or an array of values."
        )
    return len(column)


def factorize(column: Any, name: str) -> tuple[Codes, list[str]]:
    """Number the distinct values of a column in order of appearance.

    Parameters
    ----------
    column
        List, numpy array, pandas Series or Arrow column. Whole numbers become their digits
        (`7`, and `7.0` where a missing value turned a column into floats, are `"7"`).
    name
        Of the column, for messages.

    Returns
    -------
    codes, names
        (rows,) int32, -1 where the value is missing (None, NaN, NA, or text that is blank); and
        the value of each code as text.

    Raises
    ------
    AnswerError
        A value is a list or another thing that cannot stand for one task, worker or label.
    """
    whole = _whole_numbers(column)
    if whole is not None:
        return _integers(whole)
    raw, uniques = _raw(column, name)
    return _named(raw, uniques, name)


def numbers(column: Any, name: str) -> npt.NDArray[np.float64]:
    """(rows,) float64 of a numeric column, NaN where a value is missing.

    Raises
    ------
    AnswerError
        A value is no number.
    """
    try:
        if is_from(column, "pandas"):
            return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
        if is_from(column, "pyarrow"):
            column = column.to_numpy()
        elif not isinstance(column, np.ndarray):
            column = list(column)
        return np.asarray(column, np.float64)
    except (TypeError, ValueError) as error:
        raise AnswerError(f"column {name!r} holds something that is no number: {error}.") from error


def _whole_numbers(column: Any) -> npt.NDArray[Any] | None:
    """The column as an array where it holds whole numbers or booleans, none missing; else None."""
    if is_from(column, "pandas"):
        column = column.to_numpy() if isinstance(column.dtype, np.dtype) else None
    elif is_from(column, "pyarrow"):
        import pyarrow as pa

        whole = pa.types.is_integer(column.type) and not column.null_count
        column = column.to_numpy() if whole else None
    if isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind in "iub":
        return column
    return None


def _raw(column: Any, name: str) -> tuple[Codes, Iterable[Any]]:
    if is_from(column, "pyarrow"):
        return _arrow(column, name)
    if is_from(column, "pandas"):
        import pandas as pd

        try:
            codes, uniques = pd.factorize(column)
        except TypeError as error:
            raise _unhashable(name) from error
        return codes.astype(np.int32), uniques.tolist()
    if isinstance(column, np.ndarray) and column.ndim != 1:
        raise AnswerError(f"column {name!r} has {column.ndim} dimensions; give one value a row.")
    return _hashed(column, name)


def _integers(column: npt.NDArray[Any]) -> tuple[Codes, list[str]]:
    """Number integers by a table over their range, or by sorting where the range is wide."""
    rows = len(column)
    if not rows:
        return np.zeros(0, np.int32), []
    low, high = int(column.min()), int(column.max())
    if high - low <= 2 * rows + 1024:
        return _tabled(column, low, high)
    values, position, inverse = np.unique(column, return_index=True, return_inverse=True)
    order = np.argsort(position)
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[inverse], _digits(values[order], column.dtype)


def _tabled(column: npt.NDArray[Any], low: int, high: int) -> tuple[Codes, list[str]]:
    wide = np.dtype(np.uint64 if column.dtype.kind == "u" else np.int64)
    code = np.full(high - low + 1, -1, np.int32)  # of each value; where it stood first, meanwhile
    place = np.arange(min(len(column), _BLOCK), dtype=np.int32)
    codes = np.empty(len(column), np.int32)
    found: list[npt.NDArray[Any]] = []
    known = 0
    for at in range(0, len(column), _BLOCK):
        offset = column[at : at + _BLOCK].astype(wide)
        offset -= wide.type(low)
        part = code[offset]
        if part.min() < 0:
            fresh = offset[part < 0]
            code[fresh[::-1]] = place[len(fresh) - 1 :: -1]  # the last write stays
            fresh = fresh[code[fresh] == place[: len(fresh)]]
            code[fresh] = np.arange(known, known + len(fresh), dtype=np.int32)
            known += len(fresh)
            found.append(fresh)
            part = code[offset]
        codes[at : at + _BLOCK] = part
    return codes, _digits(np.concatenate(found) + wide.type(low), column.dtype)


def _digits(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> list[str]:
    return list(map(str, values.astype(bool).tolist() if dtype.kind == "b" else values.tolist()))


def _arrow(column: Any, name: str) -> tuple[Codes, Iterable[Any]]:
    import pyarrow as pa

    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    if not pa.types.is_dictionary(column.type):
        try:
            column = column.dictionary_encode()
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise _unhashable(name) from error
    column = column.unify_dictionaries()
    if not column.num_chunks:
        return np.zeros(0, np.int32), []
    parts = [
        chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
        for chunk in column.chunks
    ]
    codes, seen = _integers(np.concatenate(parts))
    dictionary = column.chunk(0).dictionary.to_pylist()
    return codes, [None if value == "-1" else dictionary[int(value)] for value in seen]


def _hashed(column: Any, name: str) -> tuple[Codes, Iterable[Any]]:
    """Number Python values through a dict, which numbers what it has not met by itself."""
    numbering: defaultdict[Any, int] = defaultdict(count().__next__)
    rows = len(column)
    codes = np.empty(rows, np.int32)
    at = 0
    try:
        for block in _blocks(column, rows):
            size = len(block)
            codes[at : at + size] = np.fromiter(
                map(numbering.__getitem__, block), np.int32, count=size
            )
            at += size
    except TypeError as error:
        raise _unhashable(name) from error
    return codes, numbering


def _blocks(column: Any, rows: int) -> Iterator[Sequence[Any]]:
    for at in range(0, rows, _BLOCK):
        block = column[at : at + _BLOCK]
        yield block.tolist() if isinstance(block, np.ndarray) else block


def _named(raw: Codes, uniques: Iterable[Any], name: str) -> tuple[Codes, list[str]]:
    """Names for the distinct values; values with one name, as 1 and "1", become one."""
    values = list(uniques)
    if set(map(type, values)) <= {str} and all(map(str.strip, values)):
        return raw, values
    position: dict[str, int] = {}
    texts = (_text(value, name) for value in values)
    table = [-1 if text is None else position.setdefault(text, len(position)) for text in texts]
    codes = np.array([*table, -1], np.int32)[raw]  # a missing value's -1 finds the last cell
    return codes, list(position)


def _text(value: Any, name: str) -> str | None:
    if isinstance(value, str):
        return value if value and not value.isspace() else None
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, (float, np.floating)):
        if np.isnan(value):
            return None
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") or None
    if isinstance(value, (tuple, dict, frozenset)):
        raise _unhashable(name)
    return str(value)


def _unhashable(name: str) -> AnswerError:
    return AnswerError(
        f"column {name!r} holds lists or other nested values where each row needs one text or "
        "number; answers with several labels are of kind 'multi'."
    )
