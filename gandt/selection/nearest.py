"""Strategy `nearest`: the best cosine to any seed of the class.

The plainest rule and the easiest to explain; right where a class is a handful of distinct looks
and every seed shows one of them. One wrong seed costs it a third of its precision.
"""

from __future__ import annotations

import numpy as np

from gandt.selection.context import Context
from gandt.types import FloatArray

__all__ = ["score"]


def score(context: Context) -> FloatArray:
    """Score `(t, n)`: cosine similarity in [-1, 1] to the most similar seed of each target."""
    candidates = context.candidates
    best = [
        (candidates @ seeds.T).max(axis=1) if len(candidates) else np.empty(0, np.float32)
        for seeds in context.seeds
    ]
    return np.stack(best).astype(np.float32)
