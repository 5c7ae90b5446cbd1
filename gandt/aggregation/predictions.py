"""What a model says of tasks, joined to the answers by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.aggregation.encode import Encoded
from gandt.errors import UsageError

__all__ = ["Predictions", "align"]

Floats = npt.NDArray[np.floating[Any]]

_LEAST = 1e-12  # of a probability that is divided by


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What a model says of `m` tasks, each predicted without having seen its label.

    Raises
    ------
    UsageError
        Where lengths differ, a name comes twice, or a probability is negative or infinite.
    """

    tasks: Sequence[str]  # m
    classes: tuple[str, ...]  # k
    probabilities: Floats  # (m, k); rows are scaled to sum to 1; of NaN or zeros: nothing is said

    def __post_init__(self) -> None:
        shape = np.shape(self.probabilities)
        if shape != (len(self.tasks), len(self.classes)):
            raise UsageError(
                f"Predictions of {len(self.tasks)} tasks over {len(self.classes)} classes need an "
                f"array of that shape, not {shape}."
            )
        for what, names in (("task", self.tasks), ("class", self.classes)):
            if len(set(names)) < len(names):
                raise UsageError(f"A {what} comes twice in the predictions: give each once.")
        # NaN is neither and means that the model says nothing.
        if (self.probabilities < 0).any() or np.isinf(self.probabilities).any():
            raise UsageError("Predictions must be probabilities: none negative, none infinite.")


def align(predictions: Predictions, data: Encoded, shares: Floats) -> npt.NDArray[np.float64]:
    """Bring predictions into the order of the answers, by the names of tasks and classes.

    Parameters
    ----------
    shares
        (k,) class shares of the consensus. A class that the model does not know gets its share;
        classes that nobody can answer are left out.

    Returns
    -------
    (n, k) probabilities; rows of NaN where the model says nothing.
    """
    row_of = {name: row for row, name in enumerate(predictions.tasks)}
    column_of = {name: column for column, name in enumerate(predictions.classes)}
    rows = np.array([row_of.get(name, -1) for name in data.tasks.tolist()], np.int64)
    columns = np.array([column_of.get(name, -1) for name in data.classes], np.int64)
    aligned = np.full((len(rows), len(columns)), np.nan)
    here, known = np.flatnonzero(rows >= 0), np.flatnonzero(columns >= 0)
    values = np.asarray(predictions.probabilities, np.float64)[np.ix_(rows[here], columns[known])]
    totals = values.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        values /= np.where(totals > 0, totals, np.nan)
    unknown = np.flatnonzero(columns < 0)
    left = float(np.sum(shares[unknown]) / max(float(np.sum(shares)), _LEAST))
    aligned[np.ix_(here, known)] = values * (1 - left)
    if len(unknown):
        rest = shares[unknown] / max(float(np.sum(shares)), _LEAST)
        aligned[np.ix_(here, unknown)] = np.where(np.isnan(values[:, :1]), np.nan, rest)
    return aligned
