"""The linear maps that strategies compare vectors in: centered and partly whitened.

All images of a pool share a common direction, and a few directions hold most of their spread;
neither says much about a class. Centering takes out the first, whitening evens out the second
(Jegou & Chum, "Negative evidences and co-occurences in image retrieval", ECCV 2012; Hariharan,
Malik & Ramanan, "Discriminative decorrelation for clustering and classification", ECCV 2012).
Full whitening with a handful of seeds lets noise directions win, hence *partly*: each axis is
divided by its variance to the power `p / 2`, with `p` well under 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gandt.types import FloatArray

__all__ = ["Moments", "center", "centered_products", "moments", "unit", "whiten"]

_SHRINKAGE = 0.03  # share of the mean variance mixed into each axis: bounds the whitening
_AXES = 256  # leading principal axes that are kept: scores the same as all, at a fifth of the cost
_SAMPLE = 20_000  # rows that mean and covariance are estimated from
_BLOCK = 4096  # rows that are mapped at a time: what lies between is as large as they are
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and leading principal axes of a sample of unit vectors."""

    mean: FloatArray  # (d,)
    axes: FloatArray  # (d, r), orthonormal columns, largest variance first
    variances: FloatArray  # (r,), of each axis, shrunk towards the mean variance; positive


def unit(rows: FloatArray) -> FloatArray:
    """Scale rows to unit length; `(n, d)` float32. A zero row stays zero."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, _TINY), np.float32)


def moments(rows: FloatArray) -> Moments:
    """Estimate mean and principal axes of `(b, d)` unit rows; costs `b d^2 + d^3`.

    With fewer rows than dimensions there are at most `b - 1` axes. Of more than 20,000 rows an
    evenly spaced sample is used. Constant rows give no axis at all.
    """
    sample = rows[:: -(-len(rows) // _SAMPLE)] if len(rows) > _SAMPLE else rows
    dimension = rows.shape[1]
    if not len(sample):
        return Moments(
            np.zeros(dimension, np.float32),
            np.empty((dimension, 0), np.float32),
            np.empty(0, np.float32),
        )
    mean = sample.mean(axis=0, dtype=np.float64)
    offsets = sample - mean.astype(np.float32)
    total = float(np.square(offsets).sum(dtype=np.float64)) / len(
        sample
    )  # the sum of all variances
    if len(sample) <= dimension:
        # The smaller Gram matrix has the same positive eigenvalues.
        values, vectors = np.linalg.eigh((offsets @ offsets.T).astype(np.float64) / len(sample))
        axes = offsets.T @ vectors / np.sqrt(np.maximum(values, _TINY) * len(sample))
    else:
        values, axes = np.linalg.eigh((offsets.T @ offsets).astype(np.float64) / len(sample))
    values, axes = values[::-1], axes[:, ::-1]
    count = min(_AXES, int((values > max(1e-6 * total, _TINY)).sum()))
    mean_variance = total / max(min(len(sample) - 1, dimension), 1)
    shrunk = (1 - _SHRINKAGE) * values[:count] + _SHRINKAGE * mean_variance
    return Moments(
        mean.astype(np.float32),
        np.ascontiguousarray(axes[:, :count], np.float32),
        shrunk.astype(np.float32),
    )


def center(rows: FloatArray, pool: Moments) -> FloatArray:
    """Take the pool's mean out of `(n, d)` unit rows; unit rows again."""
    out = np.empty(rows.shape, np.float32)
    for block in _blocks(rows):
        out[block] = unit(rows[block] - pool.mean)
    return out


def centered_products(
    rows: FloatArray, pool: Moments, columns: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """`(n, c)`: centered rows times `(d, c)` columns, in double precision."""
    out = np.empty((len(rows), columns.shape[1]), np.float64)
    for block in _blocks(rows):
        out[block] = unit(rows[block] - pool.mean) @ columns
    return out


def whiten(rows: FloatArray, pool: Moments, power: float) -> FloatArray:
    """Map `(n, d)` unit rows to `(n, r)` unit rows, each axis evened out to the given power.

    `power` 0 is the projection onto the leading axes alone, 1 full whitening.
    """
    axes = pool.axes * pool.variances ** np.float32(-power / 2)
    out = np.empty((len(rows), axes.shape[1]), np.float32)
    for block in _blocks(rows):
        out[block] = unit((rows[block] - pool.mean) @ axes)
    return out


def _blocks(rows: FloatArray) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, len(rows), _BLOCK)]
