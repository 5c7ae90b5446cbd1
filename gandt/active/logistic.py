"""Multinomial logistic regression on soft labels, by L-BFGS.

Cross-entropy with soft targets is that of a row repeated once per class with the class's share as
its weight, so answers that disagree need no hard label. Bishop, "Pattern Recognition and Machine
Learning", 2006, section 4.3.4.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

__all__ = ["Floats", "fit", "predict", "softmax"]

Floats = npt.NDArray[np.float64]

_STEPS = 300  # at most
_TOLERANCE = 1e-6  # relative, of the loss
_PRIOR_ROWS = 0.5  # rows that every class is granted before any was seen
_BIAS_SCALE = 10.0  # how much cheaper a bias is than a weight; free, an empty class would run away


def fit(rows: Floats, mass: Floats, strength: float, before: Floats | None = None) -> Floats:
    """Maximize the likelihood of soft labels under an L2 penalty of `1 / strength`.

    The bias of a class is drawn weakly towards the logarithm of its share of the mass.

    Parameters
    ----------
    rows
        `(n, r)`.
    mass
        `(n, k)`: class probabilities times the weight of the row.
    before
        The solution for another strength, to start from.

    Returns
    -------
    `(r + 1, k)`: weights, and biases in the last row.
    """
    k = mass.shape[1]
    shares = mass.sum(axis=0) + _PRIOR_ROWS
    prior = np.log(shares / shares.sum())
    unknowns = np.zeros((rows.shape[1] + 1, k))
    if k > 1 and len(rows):
        if before is not None:
            unknowns = before.copy()
            unknowns[-1] = (unknowns[-1] - prior) / _BIAS_SCALE
        wide = np.column_stack([rows, np.full(len(rows), _BIAS_SCALE)])
        unknowns = _minimize(wide, mass, prior, 1 / strength, unknowns)
        unknowns[-1] *= _BIAS_SCALE
    unknowns[-1] += prior
    return unknowns


def _minimize(
    wide: Floats, mass: Floats, prior: Floats, penalty: float, unknowns: Floats
) -> Floats:
    """Minimize cross-entropy + penalty / 2 * |unknowns|^2 by L-BFGS."""
    totals = mass.sum(axis=1)

    def loss(flat: Floats) -> tuple[float, Floats]:
        each = flat.reshape(unknowns.shape)
        logits = wide @ each
        logits += prior
        logits -= logits.max(axis=1, keepdims=True)
        # All mass of a row sums to its total, so the normalizer counts that often.
        value = -float(np.vdot(mass, logits))
        np.exp(logits, out=logits)
        normalizer = logits.sum(axis=1)
        value += float(totals @ np.log(normalizer))
        logits *= (totals / normalizer)[:, None]
        logits -= mass
        slope = wide.T @ logits
        slope += penalty * each
        return value + 0.5 * penalty * float(np.vdot(flat, flat)), slope.ravel()

    found = minimize(
        loss,
        unknowns.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _STEPS, "ftol": _TOLERANCE, "gtol": 1e-6},
    )
    return np.asarray(found.x, np.float64).reshape(unknowns.shape)


def predict(rows: Floats, solution: Floats) -> Floats:
    """Predict `(n, k)` probabilities of `(n, r)` rows by a solution of `fit`."""
    return softmax(rows @ solution[:-1] + solution[-1])


def softmax(logits: Floats) -> Floats:
    """Turn `(n, k)` logits into probabilities along the rows."""
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))
