"""Made pools for tests of rounds: clusters of unit vectors whose classes are known."""

from __future__ import annotations

import numpy as np

from gandt.active.labeled import Labeled
from gandt.index.ann import ExactIndex
from gandt.index.arrays import ArrayStore
from gandt.types import FloatArray, IntArray


def unit(rows: np.ndarray) -> FloatArray:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)


def clusters(
    sizes: tuple[int, ...], d: int = 32, spread: float = 0.6, seed: int = 0
) -> tuple[FloatArray, IntArray]:
    """Unit vectors around as many directions as there are sizes, in random order, and which."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(len(sizes), d))
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return unit(centers[truth] + spread * rng.normal(size=(len(truth), d))), truth


def stored(vectors: FloatArray) -> tuple[ArrayStore, ExactIndex]:
    store = ArrayStore(vectors.astype(np.float16))
    return store, ExactIndex(store)


def told(rows: IntArray, truth: IntArray, classes: tuple[str, ...], **more: object) -> Labeled:
    """Label rows with the truth."""
    names = [classes[code] for code in truth[rows]]
    return Labeled.of(rows, names, classes, **more)  # type: ignore[arg-type]
