"""The pool's index as one more rater: what the vectors of the labeled images say of each label.

Reads vectors from an index folder; a probe learns the plain consensus and predicts each image from
the others (`gandt.active.probe`), and `gandt.aggregation` weighs that prediction by how well it
measured.
"""

from __future__ import annotations

import numpy as np

from gandt import storage
from gandt.active.probe import predict_from_index
from gandt.aggregation import Consensus
from gandt.aggregation.model_rater import Predictions
from gandt.errors import UsageError
from gandt.index.folder import Index

__all__ = ["predict_labels"]

FEWEST = 20  # labeled images in the index; fewer measure nothing


def predict_labels(index: Index, plain: Consensus) -> tuple[Predictions | None, str]:
    """Predict each task's label out of fold; the second value says in a sentence what was done.

    Raises
    ------
    UsageError
        Where the answers are not single labels.
    """
    if plain.probabilities is None or plain.kind != "single":
        raise UsageError(
            "--index helps where each task has one label; leave it out for these answers."
        )
    # A table of answers may name images by relative paths; the index knows them by absolute ones.
    names = [storage.normalize(str(task)) for task in plain.labels["task"]]
    rows = np.setdiff1d(index.find("image_path", names), index.dead)
    row_of = dict(zip(index.uris(rows), rows.tolist(), strict=True))
    here = np.array([place for place, name in enumerate(names) if name in row_of], np.int64)
    if len(here) < FEWEST:
        return None, (
            f"{index.uri} holds {len(here):,} of the {len(names):,} labeled images, too few to "
            f"learn from (at least {FEWEST}), so it was left aside."
        )
    vectors = index.take(np.array([row_of[names[place]] for place in here], np.int64))
    predicted = predict_from_index(vectors, np.asarray(plain.probabilities)[here])
    tasks = tuple(str(plain.labels["task"][place]) for place in here)
    said = f"a probe on {index.uri} predicted {len(here):,} of {len(names):,} tasks"
    return Predictions(tasks, plain.classes, predicted), said
