"""Run lengths of binary masks, in the order and the two spellings of COCO."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["decode", "encode"]


def encode(binary: npt.NDArray[np.bool_]) -> list[int]:
    """Count runs down the columns, the first run being of zeros (perhaps of length 0)."""
    flat = np.asarray(binary, np.bool_).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=not flat[-1] if flat.size else True))
    runs = np.diff(np.concatenate([[0], edges]))
    return [int(run) for run in runs]


def decode(counts: list[int], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Draw runs into `(height, width)`; the counterpart of `encode`."""
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(size, order="F")
