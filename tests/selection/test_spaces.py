"""Centering and whitening against their definitions, and degenerate pools."""

import numpy as np
import pytest

from gandt.selection.spaces import center, moments, unit, whiten
from gandt.types import FloatArray


def pool(rows: int, dimensions: int) -> FloatArray:
    rng = np.random.default_rng(3)
    scale = np.linspace(2, 0.1, dimensions)
    return unit((rng.normal(size=(rows, dimensions)) * scale + 1).astype(np.float32))


@pytest.mark.parametrize(("rows", "dimensions"), [(500, 20), (20, 64)])
def test_axes_are_those_of_the_covariance(rows: int, dimensions: int) -> None:
    vectors = pool(rows, dimensions)
    found = moments(vectors)
    values, axes = np.linalg.eigh(np.cov(vectors.T.astype(np.float64), bias=True))
    np.testing.assert_allclose(found.mean, vectors.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(np.abs((found.axes * axes[:, ::-1][:, :1]).sum(axis=0))[0], 1, 1e-4)
    rank = min(rows - 1, dimensions)
    assert found.axes.shape == (dimensions, rank)
    mean_variance = values.sum() / rank
    np.testing.assert_allclose(
        found.variances, 0.97 * values[::-1][:rank] + 0.03 * mean_variance, rtol=1e-3
    )


def test_axes_are_orthonormal_with_fewer_rows_than_dimensions() -> None:
    axes = moments(pool(12, 50)).axes
    np.testing.assert_allclose(axes.T @ axes, np.eye(11), atol=1e-4)


def test_whitening_by_power_one_evens_out_the_axes() -> None:
    vectors = pool(2000, 10)
    spread = whiten(vectors, moments(vectors), 1.0).std(axis=0)
    assert spread.max() / spread.min() < 1.6
    spread = whiten(vectors, moments(vectors), 0.0).std(axis=0)
    assert spread.max() / spread.min() > 3


def test_constant_rows_have_no_axes_and_center_to_nothing() -> None:
    same = np.tile(unit(np.ones((1, 8), np.float32)), (30, 1))
    found = moments(same)
    assert found.axes.shape == (8, 0)
    assert np.abs(center(same, found)).max() <= 1
    assert whiten(same, found, 0.5).shape == (30, 0)


def test_no_rows_have_moments_too() -> None:
    found = moments(np.empty((0, 4), np.float32))
    assert found.mean.tolist() == [0, 0, 0, 0]


def test_a_large_pool_is_sampled_evenly() -> None:
    vectors = pool(45_000, 4)
    np.testing.assert_allclose(moments(vectors).mean, vectors.mean(axis=0), atol=0.02)
