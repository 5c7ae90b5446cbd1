"""Strategy `contrast`: nearer to the class than to what is not wanted.

The rule that G&T's first version ran on: a candidate's distance to a class is the trimmed mean of
its cosine distances to the class's seeds, and what is nearer to the contrast class (`Other`) than
to a target is no candidate for it. Trimming (Tukey's, 10 % at either end) keeps one odd seed from
deciding. Without contrast seeds it ranks by trimmed-mean distance alone.
"""

from __future__ import annotations

import numpy as np

from gandt.selection.context import Context
from gandt.types import BoolArray, FloatArray

__all__ = ["kept", "score"]

_TRIM = 0.1  # share of seeds left out at either end
_DISCARD = 4.0  # added to the distance of a discarded row: more than any distance
_ROWS = 16_384  # per block: bounds memory at 16,384 x k


def score(context: Context) -> FloatArray:
    """Score `(t, n)`: minus the trimmed-mean distance, in [-2, 0]; discarded rows in [-6, -4]."""
    to_class = np.stack([_distance(context.candidates, seeds) for seeds in context.seeds])
    if len(context.contrast):
        discarded = _distance(context.candidates, context.contrast) < to_class
        to_class = to_class + np.float32(_DISCARD) * discarded
    return np.asarray(-to_class, np.float32)


def kept(scores: FloatArray) -> BoolArray:
    """Tell which of `score`'s `(t, n)` entries were not discarded."""
    return np.asarray(scores > -_DISCARD / 2 - 1)


def _distance(rows: FloatArray, seeds: FloatArray) -> FloatArray:
    cut = int(_TRIM * len(seeds))
    means = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _ROWS):
        distances = np.clip(1 - rows[start : start + _ROWS] @ seeds.T, 0, 2)
        if cut:
            distances = np.sort(distances, axis=1)[:, cut:-cut]
        means[start : start + _ROWS] = distances.mean(axis=1)
    return means
