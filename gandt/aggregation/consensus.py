"""What `aggregate` gives: labels, workers, and how much of it to believe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gandt.aggregation.table import Table
from gandt.answers import Kind

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["LABEL_COLUMNS", "WORKER_COLUMNS", "Consensus"]

LABEL_COLUMNS = (
    "task",
    "label",  # str; tuple of str, Box or Span; or Mask; None where nobody answered
    "confidence",  # calibrated probability in [0, 1] that the label is right
    "votes",  # answers that count
    "agreement",  # share of the votes that equal the label, in [0, 1]
    "certain",  # bool: confidence and number of answers reach what was asked for
    "source",  # "human", "machine" or "gold"
    "tied",  # tuple of str: every label in the tie, the shown one among them; else empty
)
WORKER_COLUMNS = (
    "worker",
    "answers",
    "accuracy",  # posterior mean
    "accuracy_low",  # 95 % credible interval
    "accuracy_high",
    "gold_answers",
    "gold_accuracy",  # NaN where `gold_answers` is 0
    "reliable",  # bool
    "flags",  # tuple of sentences, each with its evidence
    "median_seconds",  # NaN where unknown
    "confusion",  # {true class: {answered class: probability}}
)


@dataclass(frozen=True, slots=True)
class Consensus:
    """One label per task with a confidence, and one row per worker.

    `labels` and `workers` are tables of columns (see `Table`); `to_pandas` and `to_arrow` give the
    labels, `consensus.workers.to_pandas()` the workers.
    """

    labels: Table  # columns LABEL_COLUMNS, perhaps more; a row per task, in order of appearance
    workers: Table  # columns WORKER_COLUMNS; a row per worker, in order of appearance
    kind: Kind
    method: str  # the one that was used; never "auto"
    classes: tuple[str, ...]
    # (tasks, classes) float: calibrated; of single labels rows sum to 1, of multi-label answers
    # each cell is the probability that the task has that label. None for boxes, spans and masks.
    probabilities: npt.NDArray[np.floating] | None = field(default=None, repr=False)
    alpha: float = float("nan")  # Krippendorff's; NaN where undefined
    gold: dict[str, float] = field(default_factory=dict)  # on gold: tasks, accuracy, ece, log_loss
    notes: tuple[str, ...] = ()  # what a person should know, one sentence each

    def to_arrow(self) -> pa.Table:
        """The labels as an Arrow table; nested labels (boxes, spans, masks) are JSON text."""
        return self.labels.to_arrow()

    def to_pandas(self) -> pd.DataFrame:
        """The labels as a DataFrame; needs pandas."""
        return self.labels.to_pandas()
