"""Answers as arrays of codes: the one place where tables from outside are looked at.

Takes a DataFrame, an Arrow table, a dict of columns or `gandt.answers.Answers`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Encoded"]

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Single-label answers as codes, ordered by task; `n` tasks, `w` workers, `k` classes."""

    tasks: npt.NDArray[np.object_]  # (n,) str
    workers: npt.NDArray[np.object_]  # (w,) str
    classes: tuple[str, ...]  # k
    start: npt.NDArray[np.int64]  # (n + 1,): answers of task i are start[i]:start[i + 1]
    worker: Codes  # (a,)
    label: Codes  # (a,)
    seconds: npt.NDArray[np.float64] | None = None  # (a,), NaN where unknown
    duplicates: int = 0  # later answers of a worker to the same task, left out
    empty: int = 0  # answers with no label, left out

    @property
    def task(self) -> npt.NDArray[np.int64]:
        """(a,) task codes, ascending."""
        return np.repeat(np.arange(len(self.tasks)), np.diff(self.start))
