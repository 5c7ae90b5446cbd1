"""Probabilities that are not flattered: of probes that did not see what they are asked about.

One multinomial probe per fold. A labeled image is predicted by the probe that saw neither its label
nor a copy; an unlabeled one by the mean of their weights, which is as sure of itself as they are. A
probe of all labels would be surer, and thresholds proven on the folds would not hold for it: with
40 % of clothing labeled a promise of 95 % was kept in 15 to 20 of 20 redraws, with the mean of the
folds in 20. (The mean of their probabilities keeps it too, and labels 5 % less.)

Automatic labels, uncertainty, and the counts of positives still to come all rest on these.

The strength is fixed: 10 is what a search finds on a thousand labels of clothing and on two
thousand, a search takes most of the time, and whatever it is, thresholds are proven on held-out
cases. Sums of probabilities do depend on it, see `gandt.active.stop`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.active import logistic
from gandt.active.logistic import Floats
from gandt.active.probe import FOLDS, Probe, deal, prepare, to_probe
from gandt.errors import UsageError
from gandt.types import FloatArray

__all__ = ["STRENGTH", "CrossFit", "cross_fit"]

STRENGTH = 10.0  # inverse of the L2 penalty


@dataclass(frozen=True, slots=True, eq=False)
class CrossFit:
    """The mean of the folds' probes, and what each said of the rows that it did not see."""

    probe: Probe
    out_of_fold: Floats  # (m, k), of the rows of the fit; rows sum to 1

    def predict(self, vectors: npt.NDArray[np.floating[Any]]) -> Floats:
        """Predict `(n, k)` probabilities of unlabeled `(n, d)` unit rows."""
        return self.probe.predict(vectors)


def cross_fit(
    vectors: FloatArray,
    targets: npt.NDArray[np.floating[Any]],
    classes: Sequence[str],
    *,
    strength: float = STRENGTH,
    folds: int = FOLDS,
    seed: int = 0,
) -> CrossFit:
    """Fit a probe to each fold's complement.

    Parameters
    ----------
    vectors
        `(m, d)` unit rows of labeled images.
    targets
        `(m, k)` class probabilities; rows of zeros are of no class and teach nothing.
    classes
        The `k` names.
    strength
        Inverse of the L2 penalty.
    folds
        At least 2.

    Raises
    ------
    UsageError
        Shapes do not match, numbers are negative or infinite, there is no row, or fewer than 2
        folds are asked for.
    """
    if folds < 2:
        raise UsageError(f"{folds} folds leave nothing to fit to: use 2 or more.")
    if len(classes) != targets.shape[-1]:
        raise UsageError(f"{targets.shape[-1]} columns of targets need as many classes: {classes}.")
    data = prepare(vectors, targets, None)
    if not len(vectors):
        raise UsageError("No image is labeled, so there is nothing to fit a probe to.")
    fold = deal(data, folds, np.random.default_rng(seed))
    predictions = np.empty(data.mass.shape)
    solutions = []
    for held in np.unique(fold):
        test = fold == held
        rest = ~test & data.labeled
        solution = logistic.fit(data.rows[rest], data.mass[rest], strength)
        predictions[test] = logistic.predict(data.rows[test], solution)
        solutions.append(solution)
    mean = to_probe(data, np.mean(solutions, axis=0), classes, strength)
    return CrossFit(mean, predictions)
