"""Dawid-Skene: each worker confuses classes in a way of his or her own, learned without gold.

Dawid and Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm"
(1979), in log space. The model of 1979 falls apart where workers gave few answers: a posterior
that is too sure of itself teaches confusion matrices that make it surer still. Here three things
hold it, each of them a number of pseudo-answers that real answers outweigh (`Priors`):

- a row of a confusion matrix leans on the worker's own accuracy on the diagonal, which itself leans
  on everybody's, and on the errors that all workers make off it (a hierarchical prior, as in
  Paun et al., "Comparing Bayesian Models of Annotation", 2018);
- a worker is measured not by the posterior alone but partly by the plain vote shares;
- how common a class is leans on how often it was answered. Leaning on equal shares invents images
  of a rare class: of 60 images without a defect and three answers each, 15 became defects, since
  whoever misses the invented ones is then thought to miss many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gandt.aggregation.em_kernel import AnswerBlocks, Expectation, Floats, Rows
from gandt.aggregation.factorize import Codes

__all__ = ["NO_PRIORS", "Fit", "Priors", "dawid_skene", "worker_confusion"]

_LEAST = 1e-10  # of a probability that nobody's answers support


@dataclass(frozen=True, slots=True)
class Priors:
    """How strongly workers and classes are held to what is common, in pseudo-answers.

    Chosen on the four public sets of the benchmark, with all, 5, 3, 2 and 1 answers per task and on
    100 tasks only; half or twice of each is within noise.
    """

    cell: float = 1.0  # of each cell of a confusion matrix on average: `k` of them in a row
    accuracy: float = 8.0  # of everybody's accuracy in a worker's own
    votes: float = 20.0  # `votes / (answers + 3 votes)` of a worker's measure are plain vote shares
    share: float = 50.0  # pseudo-tasks per class, shared out as the votes are


NO_PRIORS = Priors(0.0, 0.0, 0.0, 0.0)  # the model of 1979


@dataclass(frozen=True, slots=True)
class Fit:
    """What was learned."""

    posterior: Floats  # (n, k)
    shares: npt.NDArray[np.float64]  # (k,) P(class)
    iterations: int
    converged: bool = True


def dawid_skene(
    blocks: AnswerBlocks,
    belief: Floats | Rows,
    *,
    gold: Codes | None = None,
    priors: Priors = Priors(),
    tolerance: float = 1e-5,
    max_iterations: int = 100,
) -> Fit:
    """Fit by expectation maximization.

    Parameters
    ----------
    blocks
        The answers.
    belief
        (n, k) to start from, and to hold workers to: vote shares, gold tasks known.
    gold
        (n,) class of a known task, else -1.
    priors
        See `Priors`.
    tolerance
        Stop when the log-likelihood moves by less per answer. (The largest change of a parameter
        is no use: workers with few answers keep drifting.)
    max_iterations
        Passes over the answers, at most.
    """
    votes = blocks.count(belief)
    given = votes.counts.sum(axis=(1, 2))
    held = priors.votes / np.maximum(given + 3 * priors.votes, _LEAST)
    sums, before, iterations, converged = votes, -np.inf, 0, False
    while True:
        mixed = votes.counts * held[:, None, None] + sums.counts * (1 - held)[:, None, None]
        logs = np.log(worker_confusion(mixed, priors)), np.log(_shares(sums, votes, priors))
        if converged or iterations == max_iterations:
            break
        sums = blocks.expect(*logs, gold)
        iterations += 1
        converged = abs(sums.log_likelihood - before) <= tolerance * max(given.sum(), 1)
        before = sums.log_likelihood
    return Fit(blocks.posterior(*logs, gold), np.exp(logs[1]), iterations, converged)


def worker_confusion(
    counts: npt.NDArray[np.float64], priors: Priors = Priors()
) -> npt.NDArray[np.float64]:
    """Posterior mean of the workers' confusion matrices.

    Parameters
    ----------
    counts
        (w, k, k) expected answers by worker, true class, answer.
    priors
        `cell` and `accuracy` are used.

    Returns
    -------
    (w, k, k) P(answer | true class): rows sum to 1, no cell is 0.
    """
    classes = counts.shape[1]
    diagonal = np.eye(classes, dtype=bool)
    pooled = counts.sum(axis=0)
    everybody = (np.trace(pooled) + 1) / (pooled.sum() + 2)
    right = np.einsum("wtt->w", counts) + priors.accuracy * everybody
    own = right / np.maximum(counts.sum(axis=(1, 2)) + priors.accuracy, _LEAST)
    if classes == 1:
        return np.ones_like(counts)
    errors = np.where(diagonal, 0, pooled + 1)
    errors /= errors.sum(axis=1, keepdims=True)
    strength = priors.cell * classes
    mixed = counts + np.multiply.outer(strength * (1 - own), errors)
    mixed[:, diagonal] += strength * own[:, None]
    np.maximum(mixed, _LEAST, out=mixed)
    mixed /= mixed.sum(axis=2, keepdims=True)
    return np.asarray(mixed)


def _shares(sums: Expectation, votes: Expectation, priors: Priors) -> npt.NDArray[np.float64]:
    # One more vote for each: a class that nobody named may still be what a model sees.
    named = votes.totals + 1
    held = priors.share * len(named) * named / named.sum()
    shares = np.maximum(sums.totals + held, _LEAST)
    return np.asarray(shares / shares.sum())
