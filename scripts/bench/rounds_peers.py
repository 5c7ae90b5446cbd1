"""What others offer for rounds, on the same vectors: scikit-activeml, cleanlab, MAPIE, sklearn.

None of scikit-activeml and MAPIE is needed: where one is not installed, its rows are left out.

    pip install scikit-activeml mapie
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.active.simulate import SimOptions
from gandt.types import HalfArray, IntArray

__all__ = [
    "METHODS",
    "activelab_order",
    "calibrated",
    "plain_logistic",
    "uncertain_first",
    "uncertainty_picks",
]

Floats = npt.NDArray[np.float64]
METHODS = ("entropy", "margin_sampling")  # of scikit-activeml


def _there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def plain_logistic() -> Any:
    """What one writes first: scaled columns and scikit-learn's logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def uncertain_first(vectors: HalfArray, truth: IntArray, options: SimOptions) -> list[float] | None:
    """Recall of class 0 after each batch, the least sure images first; None: not installed.

    The seeds are those of `gandt.active.simulate`. They are all of one class, so the first batch is
    random. The model is scikit-learn's logistic regression, its strictness lowered for unit rows.
    """
    if not _there("skactiveml"):
        return None
    from skactiveml.classifier import SklearnClassifier
    from skactiveml.pool import UncertaintySampling
    from sklearn.linear_model import LogisticRegression

    rows = vectors.astype(np.float32)
    rng = np.random.default_rng([options.random_seed, 71])
    mine = np.flatnonzero(truth == 0)
    seeds = rng.choice(mine, options.seeds, replace=False)
    known = np.full(len(rows), np.nan)
    known[seeds] = 0
    model = SklearnClassifier(
        LogisticRegression(C=10.0, max_iter=500), classes=[0, 1], random_state=options.random_seed
    )
    query = UncertaintySampling(method="least_confident", random_state=options.random_seed)
    recall = [0.0]
    for _ in range(options.rounds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picks = query.query(X=rows, y=known, clf=model, batch_size=options.budget)
        known[picks] = truth[picks]
        found = int((known[mine] == 0).sum()) - options.seeds
        recall.append(found / (len(mine) - options.seeds))
    return recall


def uncertainty_picks(
    method: str, labeled: IntArray, predicted: Floats, budget: int
) -> IntArray | None:
    """Choose the images that scikit-activeml is least sure of; None: not installed.

    Parameters
    ----------
    method
        One of `METHODS`.
    labeled
        Rows that have an answer.
    predicted
        `(n, k)` probabilities of all images: the same that others are given.
    """
    if not _there("skactiveml"):
        return None
    from skactiveml.pool import uncertainty_scores

    rows = np.setdiff1d(np.arange(len(predicted)), labeled)
    worth = uncertainty_scores(predicted[rows], method=method)
    return rows[np.argsort(-worth, kind="stable")[:budget]].astype(np.int64)


def activelab_order(answers: Floats, known: Floats, unlabeled: Floats) -> tuple[Floats, Floats]:
    """Scores of cleanlab's ActiveLab, the lowest to be asked first: labeled images, and others.

    Parameters
    ----------
    answers
        `(m, workers)` with NaN where a worker did not answer.
    known, unlabeled
        `(m, k)` out-of-fold and `(n, k)` plain predictions.
    """
    from cleanlab.multiannotator import get_active_learning_scores

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        told, new = get_active_learning_scores(answers, known, unlabeled)
    return np.asarray(told), np.asarray(new)


def calibrated(
    top: Floats, right: npt.NDArray[np.bool_], target: float, *, in_order: bool = False
) -> float | None:
    """Least confidence that MAPIE proves on held-out cases; infinite: none; None: not installed.

    Its learn-then-test controller for two classes, told whether each prediction was right: the
    precision above a threshold is the accuracy of what is labeled. With its own defaults but for
    the confidence of 95 %; or, `in_order`, with its thresholds tested from the highest down.
    """
    if not _there("mapie"):
        return None
    from mapie.risk_control import BinaryClassificationController

    ordered: dict[str, Any] = {}
    if in_order:
        ordered = {
            "fwer_method": "fixed_sequence",
            "list_predict_params": np.linspace(0.99, 0, 100),
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        controller = BinaryClassificationController(
            predict_function=lambda sure: np.column_stack([1 - sure[:, 0], sure[:, 0]]),
            risk="precision",
            target_level=target,
            confidence_level=0.95,
            **ordered,
        )
        controller.calibrate(np.clip(top, 0, 1)[:, None], right.astype(np.int64))
    least = controller.best_predict_param
    return np.inf if least is None else float(least)
