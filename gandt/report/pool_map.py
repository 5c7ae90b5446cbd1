"""A pool on a plane: two coordinates for each image, so that what looks alike lies together.

Reads the vectors of an index in blocks and writes nothing. Two ways:

- `pca`: the two leading principal axes, estimated on a sample. A straight projection, so distances
  mean something and a pool of a million takes seconds.
- `umap`: McInnes, Healy and Melville, "UMAP: Uniform Manifold Approximation and Projection for
  Dimension Reduction" (2018), by the package `umap-learn`; clusters come apart, distances between
  them mean little. Fitted on a sample, begun from the principal axes, the others placed by it.

The same index gives the same map: samples and signs are fixed.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from gandt.errors import MissingExtra, UsageError
from gandt.index.search import sample_rows
from gandt.selection.spaces import Moments, moments, unit
from gandt.types import FloatArray, IntArray, VectorStore

__all__ = ["METHODS", "SPAN", "MapMethod", "PoolMap", "check_method", "make_map", "to_grid"]

MapMethod = Literal["pca", "umap"]
METHODS: tuple[MapMethod, ...] = ("pca", "umap")
SPAN = 65_535  # the largest coordinate

_SAMPLE = 20_000  # rows that axes are estimated from, and that UMAP is fitted on
_MOST = {"pca": 200_000, "umap": 60_000}  # points; more are neither seen nor placed in good time
_BLOCK = 8_192  # rows that are projected at once
_CUT = 0.001  # share of the points on each side that lie on the border
_UMAP_AXES = 128  # as 10-NN agreement of labels on 5,000 photos of clothes wants it; 50 are worse
_FEWEST = 10  # images for a UMAP

Grid = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class PoolMap:
    """Where the images of a pool lie on the map.

    Attributes
    ----------
    rows
        `(n,)` int64, sorted: all live rows, or a sample of them.
    xy
        `(n, 2)` uint16 in [0, 65535], both axes on one scale, x to the right.
    explained
        Shares of all variance that the two axes hold, in [0, 1]; None where axes mean nothing.
    total
        Number of live rows.
    about
        What a person should know of it, in a sentence or two.
    """

    rows: IntArray
    xy: Grid
    method: MapMethod
    explained: tuple[float, float] | None
    total: int
    about: str


def check_method(method: str) -> MapMethod:
    """Tell whether there can be such a map, before anybody waits for it.

    Raises
    ------
    UsageError
        There is no such method.
    MissingExtra
        Its package is not installed.
    """
    for known in METHODS:
        if known == method:
            if known == "umap" and importlib.util.find_spec("umap") is None:
                raise MissingExtra(
                    "A UMAP needs the package umap-learn; run pip install 'gandt[map]', or take "
                    "the map of principal axes (pca)."
                )
            return known
    raise UsageError(f"There is no map called {method}; choose one of {', '.join(METHODS)}.")


def make_map(store: VectorStore, method: str = "pca") -> PoolMap:
    """Place the live images of a pool on a plane.

    Raises
    ------
    UsageError, MissingExtra
        As `check_method` does.
    """
    chosen = check_method(method)
    total = store.rows - len(store.dead)
    rows = sample_rows(store, min(total, _MOST[chosen]), np.random.default_rng(0))
    sample = store.take(rows[:: max(1, -(-len(rows) // _SAMPLE))])
    space = _fixed_signs(moments(sample))
    explained = None
    if chosen == "pca":
        places = _project(store, rows, space, 2)
        explained = _explained(sample, space)
        about = "Two principal axes: what is alike lies close, but what lies close may differ."
    else:
        places = _umap(store, rows, space)
        about = "UMAP: what looks alike lies together; distances between groups mean little."
    if len(rows) < total:
        about += f" It shows {len(rows):,} of {total:,} images, drawn at random."
    return PoolMap(rows, to_grid(places), chosen, explained, total, about)


def to_grid(places: FloatArray) -> Grid:
    """Bring `(n, 2)` coordinates to uint16, both axes by one factor, the middle in the middle.

    Of each axis the 0.1 % farthest out on each side come to lie on the border, so that a few odd
    images do not press all others together.
    """
    if not len(places):
        return np.empty((0, 2), np.uint16)
    low, high = np.quantile(places.astype(np.float64), (_CUT, 1 - _CUT), axis=0)
    span = float((high - low).max())
    factor = SPAN / span if span > 0 else 0.0
    scaled = (places - (low + high) / 2) * factor + SPAN / 2
    grid: Grid = np.clip(np.rint(scaled), 0, SPAN).astype(np.uint16)
    return grid


def _fixed_signs(space: Moments) -> Moments:
    """Turn each axis so that its largest part is positive; a sign means nothing by itself."""
    axes = space.axes
    if axes.shape[1]:
        largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
        axes = axes * np.where(largest < 0, np.float32(-1), np.float32(1))
    return Moments(space.mean, axes, space.variances)


def _blocks(store: VectorStore, rows: IntArray) -> Iterator[tuple[int, FloatArray]]:
    for start in range(0, len(rows), _BLOCK):
        yield start, store.take(rows[start : start + _BLOCK])


def _project(store: VectorStore, rows: IntArray, space: Moments, count: int) -> FloatArray:
    """Coordinates `(n, count)` along the leading axes; zeros for axes that there are not."""
    out = np.zeros((len(rows), count), np.float32)
    axes = space.axes[:, :count]
    for start, block in _blocks(store, rows):
        out[start : start + len(block), : axes.shape[1]] = (block - space.mean) @ axes
    return out


def _explained(sample: FloatArray, space: Moments) -> tuple[float, float]:
    offsets = sample - space.mean
    total = float(np.square(offsets).sum(dtype=np.float64))
    held = np.square(offsets @ space.axes[:, :2]).sum(axis=0, dtype=np.float64)
    first, second = (*held.tolist(), 0.0, 0.0)[:2]
    return (first / total, second / total) if total > 0 else (0.0, 0.0)


def _umap(store: VectorStore, rows: IntArray, space: Moments) -> FloatArray:
    space = Moments(space.mean, space.axes[:, :_UMAP_AXES], space.variances[:_UMAP_AXES])
    points = _project(store, rows, space, space.axes.shape[1])
    fitted = np.zeros(len(points), np.bool_)
    fitted[:: max(1, -(-len(points) // _SAMPLE))] = True
    if fitted.sum() < _FEWEST or points.shape[1] < 2:  # no neighborhoods to speak of
        return _project(store, rows, space, 2)
    begin = 10 * points[fitted, :2] / np.abs(points[fitted, :2]).max()
    # Half whitened, so that no axis alone decides who is a neighbor; on unit rows the nearest by
    # distance are those by cosine, and the packages compile less.
    points = unit(points * space.variances ** np.float32(-0.25))
    with warnings.catch_warnings():
        # Numba and scikit-learn warn of their own internals, and of Tensorflow that is not there.
        warnings.simplefilter("ignore")
        umap = importlib.import_module("umap")  # without types of its own
        model = umap.UMAP(
            n_neighbors=min(15, len(begin) - 1),
            metric="cosine",
            init=begin,
            random_state=0,
            n_jobs=1,
        )
        places = np.empty((len(points), 2), np.float32)
        places[fitted] = model.fit_transform(points[fitted])
        if not fitted.all():
            places[~fitted] = model.transform(points[~fitted])
    return places
