"""How much two pieces of a space overlap: boxes in a plane, spans in a text.

Pieces are given by their lower and upper corners, `(..., d)` each; a box has two dimensions, a
span one. The measure is the Jaccard index, in images known as intersection over union (IoU).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "jaccard", "volume"]

Floats = npt.NDArray[np.float64]


def volume(low: Floats, high: Floats) -> Floats:
    """Area of boxes, length of spans; `(..., d)` corners to `(...)`; 0 where a side is negative."""
    sides = np.maximum(high - low, 0)
    result = sides[..., 0]
    for dimension in range(1, sides.shape[-1]):  # numpy multiplies along short rows slowly
        result = result * sides[..., dimension]
    return np.asarray(result)


def jaccard(low_a: Floats, high_a: Floats, low_b: Floats, high_b: Floats) -> Floats:
    """Intersection over union of a and b, in [0, 1]; shapes broadcast, the last axis is d."""
    both = volume(np.maximum(low_a, low_b), np.minimum(high_a, high_b))
    either = volume(low_a, high_a) + volume(low_b, high_b) - both
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.clip(np.where(either > 0, both / either, 0.0), 0.0, 1.0))
