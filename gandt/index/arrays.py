"""Vectors in memory as a store, for pools that were never written: rehearsals, parts of pools."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gandt.errors import UsageError
from gandt.types import FloatArray, HalfArray, IntArray

__all__ = ["ArrayStore"]


def _none() -> IntArray:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class ArrayStore:
    """Unit vectors in memory. Implements `types.VectorStore`.

    Raises
    ------
    UsageError
        The vectors are no float16 or float32 rows.
    """

    vectors: npt.NDArray[np.float16] | npt.NDArray[np.float32]  # (n, d) unit rows
    dead: IntArray = field(default_factory=_none)  # sorted

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.vectors.dtype not in (np.float16, np.float32):
            raise UsageError(
                f"A store holds rows of float16 or float32, not {self.vectors.dtype} of shape "
                f"{self.vectors.shape}."
            )

    @property
    def rows(self) -> int:
        """Number of rows, dead ones included."""
        return len(self.vectors)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    def blocks(self) -> Iterator[tuple[int, HalfArray]]:
        """Yield all vectors as one block of float16."""
        if len(self.vectors):
            yield 0, np.asarray(self.vectors, np.float16)

    def take(self, rows: IntArray) -> FloatArray:
        """`(len(rows), d)` float32 vectors of these rows, in the order asked for."""
        taken = self.vectors[np.asarray(rows, np.int64)]
        return np.asarray(taken, np.float32)
