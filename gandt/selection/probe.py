"""Strategy `probe`: logistic regression, seeds against a random sample of the pool.

The sample stands for "everything else" though it holds some of the class (learning from positive
and unlabeled examples; Elkan & Noto, KDD 2008). Both sides weigh the same, and the regularization
(C = 1) is strong enough that 1 seed and 20 seeds need no other setting. Larger samples were
measured not to help.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from gandt.selection.context import Context
from gandt.types import FloatArray, IntArray

__all__ = ["BACKGROUND", "background_rows", "fit", "fit_one_class", "score", "within_span"]

Float64Array = npt.NDArray[np.float64]

BACKGROUND = 200  # rows that stand for the rest of the pool
_STEPS = 100


def score(context: Context) -> FloatArray:
    """Score `(t, n)`: the linear predictor of each target's probe, contrast seeds as negatives."""
    negatives = np.concatenate([context.background[background_rows(context)], context.contrast])
    weights = [fit_one_class(seeds, negatives) for seeds in context.seeds]
    return np.stack([context.candidates @ each for each in weights]).astype(np.float32)


def background_rows(context: Context) -> IntArray:
    """Draw at most 200 rows of the background that are not seeds of a target; sorted."""
    order = context.rng(1).permutation(len(context.background))[: 2 * BACKGROUND]
    drawn = context.background[order]
    is_seed = np.zeros(len(order), np.bool_)
    for seeds in context.seeds:
        # A seed that is also in the pool must not be its own negative.
        is_seed |= (drawn @ seeds.T > 1 - 1e-5).any(axis=1)
    return np.sort(order[~is_seed][:BACKGROUND]).astype(np.int64)


def fit_one_class(positives: FloatArray, negatives: FloatArray) -> FloatArray:
    """Fit positives against negatives, both sides of equal total weight; weights `(d,)` float32.

    With no negatives the mean of the positives is all there is to go by.
    """
    k, b = len(positives), len(negatives)
    if not b:
        return np.asarray(positives.mean(axis=0), np.float32)
    basis, examples = within_span(np.concatenate([positives, negatives]))
    signs = np.concatenate([np.ones(k), -np.ones(b)])
    importance = np.concatenate([np.full(k, 1 / k), np.full(b, 1 / b)]) * (k + b) / 2
    return np.asarray(basis @ fit(examples, signs, importance), np.float32)


def within_span(rows: FloatArray) -> tuple[Float64Array, Float64Array]:
    """Express `(m, d)` rows in an orthonormal basis of their span; `(d, r)` and `(m, r)`.

    `r` is the smaller of `m` and `d`. The solution of a regularized linear fit lies in the span of
    its examples, so with fewer examples than dimensions there are fewer unknowns to find.
    """
    m, d = rows.shape
    exact = rows.astype(np.float64)
    if m >= d:
        return np.eye(d), exact
    basis, coordinates = np.linalg.qr(exact.T)
    return np.asarray(basis), np.asarray(coordinates.T)


def fit(
    rows: Float64Array, signs: Float64Array, importance: Float64Array, c: float = 1.0
) -> Float64Array:
    """Minimize `c * sum(importance * log(1 + exp(-sign * (w x + intercept)))) + |w|^2 / 2`.

    `rows` `(m, r)`, `signs` `(m,)` of -1 and 1, `importance` `(m,)`; by L-BFGS, at most 100
    steps. Returns `w` `(r,)`; the intercept does not change a ranking and is dropped.
    """

    def loss(unknowns: Float64Array) -> tuple[float, Float64Array]:
        w = unknowns[:-1]
        signed = signs * (rows @ w + unknowns[-1])
        value = c * float(importance @ np.logaddexp(0, -signed)) + 0.5 * float(w @ w)
        pull = -c * importance * signs * np.exp(-np.logaddexp(0, signed))
        return value, np.append(rows.T @ pull + w, pull.sum())

    found = minimize(
        loss,
        np.zeros(rows.shape[1] + 1),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _STEPS},
    )
    return np.asarray(found.x[:-1], np.float64)
