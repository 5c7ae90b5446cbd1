"""One-coin Dawid-Skene: one accuracy per worker, errors spread evenly over the other classes.

The simplest model with workers in it (Zhang et al., "Spectral methods meet EM", 2016, name it so).
It needs a number per worker where the full model needs a matrix, so it goes where classes are many.
It is no default: where errors are one-sided it lands below the majority.
"""

from __future__ import annotations

import numpy as np

from gandt.aggregation.dawid_skene import Fit, Priors
from gandt.aggregation.encode import Encoded
from gandt.aggregation.factorize import Codes
from gandt.aggregation.votes import Floats, count_votes, worker_agreement

__all__ = ["one_coin"]

_LEAST = 1e-6  # of an accuracy's distance from 0 and 1


def one_coin(
    data: Encoded,
    belief: Floats,
    *,
    gold: Codes | None = None,
    log_evidence: Floats | None = None,
    priors: Priors = Priors(),
    tolerance: float = 1e-5,
    max_iterations: int = 100,
) -> Fit:
    """Fit by expectation maximization; see `dawid_skene.dawid_skene` for the arguments.

    Given a worker's accuracy `a`, a vote adds `log(a (k - 1) / (1 - a))` to the log-odds of its
    class, so that the E-step is a weighted vote.
    """
    classes = len(data.classes)
    answered = np.flatnonzero(np.diff(data.start))
    anchor, given = worker_agreement(data, belief)
    held = priors.votes / np.maximum(given + 3 * priors.votes, _LEAST)
    right, before, posterior = anchor, -np.inf, belief
    iterations, converged = 0, False
    while True:
        told = posterior if len(answered) == len(data.tasks) else posterior[answered]
        shares = np.maximum(told.sum(axis=0, dtype=np.float64) + priors.share, _LEAST)
        shares /= shares.sum()
        measured = held * anchor + (1 - held) * right
        everybody = (measured.sum() + 1) / (given.sum() + 2)
        strength = np.maximum(given + priors.accuracy, _LEAST)
        accuracy = (measured + priors.accuracy * everybody) / strength
        accuracy = np.clip(accuracy, _LEAST, 1 - _LEAST)
        if iterations == max_iterations or converged:
            break
        wrong = np.log((1 - accuracy) / max(classes - 1, 1))
        logs = count_votes(data, np.log(accuracy) - wrong)
        logs += np.log(shares)
        if log_evidence is not None:
            logs += log_evidence
        likelihood, posterior = _softmax(logs, gold)
        likelihood += float(wrong @ given)
        right, _ = worker_agreement(data, posterior)
        iterations += 1
        converged = abs(likelihood - before) <= tolerance * max(given.sum(), 1)
        before = likelihood
    return Fit(posterior, shares, iterations, converged)


def _softmax(logs: Floats, gold: Codes | None) -> tuple[float, Floats]:
    """Log-likelihood and posterior of (n, k) joint log-probabilities, in place."""
    if gold is not None:
        known = np.flatnonzero(gold >= 0)
        joint = logs[known, gold[known]]
        logs[known] = -np.inf
        logs[known, gold[known]] = joint
    peak = logs.max(axis=1, keepdims=True)
    logs -= peak
    np.exp(logs, out=logs)
    norm = logs.sum(axis=1, keepdims=True)
    logs /= norm
    return float((np.log(norm) + peak).sum(dtype=np.float64)), logs
