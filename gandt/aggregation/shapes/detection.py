"""Is there something, and what: the probability of things that some workers saw and others did not.

A *site* is a place where something was drawn. Every worker who answered the task says something
about it: a class, or nothing, for a worker who drew nothing there saw nothing there. As in Dawid
and Skene (1979) each worker has rates that are learned together with the truth: how often a thing
that exists is drawn, how often a site where nothing is gets drawn, and which name a thing of each
class is given. Treating the detections of a crowd in this way follows Branson, Van Horn and
Perona, "Lean crowdsourcing" (CVPR 2017).

Sites that everybody missed are never seen, so rates counted on the seen ones alone would flatter
workers, the more the fewer they are. The expected number of such sites is part of the model, as
in capture-recapture with unseen animals (Otis et al., 1978): from tasks with one worker alone
nothing about the rates is then learned, as it should be.

Rates have priors: each worker's are drawn towards the crowd's, the crowd's towards what careful
workers do, and a worker who draws a site is never evidence against it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gandt.aggregation.shapes.overlap import Floats

__all__ = [
    "Detection",
    "Sites",
    "believe",
    "detect",
    "shrunk_confusion",
    "worth_showing",
]

Codes = npt.NDArray[np.int64]

_OWN = 4.0  # answers that the crowd's rate counts for in a worker's
_FOUND = (8.0, 2.0)  # drawn and missed things that the prior of the crowd counts for
_FALSE = (2.0, 18.0)  # drawn and passed empty sites, likewise
_NAMED = (8.0, 2.0)  # rightly and wrongly named things, likewise
_LEAST_FALSE = 0.01  # two workers may be deceived by the same thing
_BLIND, _TRUST = 0.5, 0.9  # weight of the posterior where workers are unknown, and well known
_HALFWAY = 10.0  # votes of a worker that are half of the way
_TOLERANCE = 1e-5  # mean change of the posterior at which to stop
_STEPS = 100


@dataclass(frozen=True, slots=True)
class Sites:
    """What workers said about `n` sites; `e` votes, ordered by site, at least one a site."""

    site: Codes  # (e,) ascending, every number from 0 to n - 1
    worker: Codes  # (e,)
    answer: Codes  # (e,) 0 for nothing, else 1 + class
    truth: Codes  # (n,) -1 unknown, 0 nothing, else 1 + class
    workers: int
    classes: int

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True, slots=True)
class Detection:
    """What is there, and how good the workers are; column 0 of a posterior is "nothing"."""

    posterior: Floats  # (n, k + 1), rows sum to 1
    prior: Floats  # (k + 1,) of a site, seen or not
    found: Floats  # (w,) P(drawn | something is there)
    false: Floats  # (w,) P(drawn | nothing is there), of a site
    naming: Floats  # (w, k, k) P(named | class), rows sum to 1
    invented: Floats  # (k,) the names given to what is not there

    def table(self) -> Floats:
        """Probability by worker (axis 0) of each answer (axis 1) given the truth (axis 2)."""
        workers, classes = self.naming.shape[:2]
        table = np.empty((workers, classes + 1, classes + 1))
        table[:, 0, 0] = 1 - self.false
        table[:, 1:, 0] = self.false[:, None] * self.invented
        table[:, 0, 1:] = (1 - self.found)[:, None]
        table[:, 1:, 1:] = self.found[:, None, None] * self.naming.transpose(0, 2, 1)
        return table

    def missed(self, sites: Sites) -> Floats:
        """(n, 2): how likely nobody draws it, where nothing is and where something is."""
        logs = np.log1p(-np.column_stack([self.false, self.found]))[sites.worker]
        return np.exp(_sums(sites, logs))


def detect(sites: Sites, *, steps: int = _STEPS) -> Detection:
    """Learn the truth of sites and the rates of workers by expectation maximization.

    Parameters
    ----------
    sites
        The votes; sites whose truth is known keep it and teach the rates.
    steps
        At most so many rounds.
    """
    from scipy.sparse import csr_array

    wide = sites.classes + 1
    columns = sites.workers * wide
    indptr = np.append(_starts(sites), len(sites.site))
    votes = csr_array(
        (np.ones(len(sites.site)), sites.worker * wide + sites.answer, indptr),
        shape=(len(sites), columns),
    )
    posterior = _first_guess(sites)
    # Before anything is learned workers have the rates of the priors.
    blank = np.zeros_like(posterior)
    model = _rates(sites, votes, blank, np.zeros((len(sites), 2)))
    model = _rates(sites, votes, posterior, _unseen(sites, model))
    for _ in range(steps):
        logs = np.log(model.table()).reshape(columns, wide)
        fresh = _clamped(_normalized(np.log(model.prior) + votes @ logs), sites.truth)
        change = np.abs(fresh - posterior).sum(1).mean() if len(sites) else 0.0
        posterior = fresh
        model = _rates(sites, votes, posterior, _unseen(sites, model))
        if change < _TOLERANCE:
            break
    return model


def _unseen(sites: Sites, model: Detection) -> Floats:
    """Sites that everybody passed for each seen one, empty and real: `(n, 2)`."""
    missed = model.missed(sites)
    missed[sites.truth >= 0] = 0.0
    return missed / (1 - missed)


def _first_guess(sites: Sites) -> Floats:
    """Start from soft votes, a quarter of one for something and a quarter for nothing.

    Of sites with a single vote this guess is all that is ever known: 5 in 6 are real.
    """
    wide = sites.classes + 1
    counts = np.bincount(sites.site * wide + sites.answer, minlength=len(sites) * wide)
    guess = counts.reshape(len(sites), wide) + 0.25 * np.append(
        1.0, np.full(wide - 1, 1 / (wide - 1))
    )
    return _clamped(guess / guess.sum(1, keepdims=True), sites.truth)


def _rates(sites: Sites, votes: object, posterior: Floats, unseen: Floats) -> Detection:
    """Rates that fit the posterior, the M-step; `unseen` (n, 2) sites for each seen one."""
    workers, classes = sites.workers, sites.classes
    wide = classes + 1
    counts = (votes.T @ posterior).reshape(workers, wide, wide)  # type: ignore[attr-defined]
    real = 1 - posterior[:, 0]
    mass = np.column_stack([posterior[:, 0], real]) * unseen
    # Everybody who answered the task has missed the sites that nobody saw.
    passed = np.stack(
        [np.bincount(sites.worker, mass[sites.site, kind], workers) for kind in (0, 1)]
    )
    found = _rate(counts[:, 1:, 1:].sum((1, 2)), counts[:, 0, 1:].sum(1) + passed[1], _FOUND)
    false = _rate(counts[:, 1:, 0].sum(1), counts[:, 0, 0] + passed[0], _FALSE)
    false = np.clip(false, _LEAST_FALSE, 0.98)
    found = np.clip(found, false, 0.98)
    invented = counts[:, 1:, 0].sum(0) + 1
    total = posterior.sum(0) + 1 / wide
    total[0] += mass[:, 0].sum()
    if mass[:, 1].any():
        scale = 1 + mass[:, 1].sum() / max(real.sum(), 1e-12)
        total[1:] *= scale
    naming = shrunk_confusion(np.asarray(counts[:, 1:, 1:].transpose(0, 2, 1)))
    return Detection(
        posterior, total / total.sum(), found, false, naming, invented / invented.sum()
    )


def _rate(hits: Floats, misses: Floats, prior: tuple[float, float]) -> Floats:
    crowd = (hits.sum() + prior[0]) / (hits.sum() + misses.sum() + sum(prior))
    return np.asarray((hits + _OWN * crowd) / (hits + misses + _OWN))


def shrunk_confusion(counts: Floats) -> Floats:
    """Confusion of each worker, rows summing to 1, from soft counts `(w, k truths, k answers)`.

    A few pseudo-answers lie as the worker's own accuracy and the crowd's errors would have them.
    """
    classes = counts.shape[1]
    if classes == 1:
        return np.ones_like(counts)
    right = np.trace(counts, axis1=1, axis2=2)
    accuracy = _rate(right, counts.sum((1, 2)) - right, _NAMED)
    errors = counts.sum(0) + 1.0
    np.fill_diagonal(errors, 0)
    errors /= errors.sum(1, keepdims=True)
    expected = (1 - accuracy)[:, None, None] * errors + accuracy[:, None, None] * np.eye(classes)
    return np.asarray((counts + _OWN * expected) / (counts.sum(2, keepdims=True) + _OWN))


def believe(sites: Sites, model: Detection) -> Floats:
    """What votes say where the rates are known: `(n, k + 1)` posterior; known truth stays."""
    log_votes = np.log(model.table())[sites.worker, sites.answer]
    posterior = _normalized(np.log(model.prior) + _sums(sites, log_votes))
    return _clamped(posterior, sites.truth)


def worth_showing(sites: Sites, model: Detection) -> Floats:
    """Temper the posterior with plain shares of the votes, `(n, k + 1)`; rows sum to 1.

    Posteriors of such models are too sure of themselves, since workers err together more often
    than chance has it. The weight of the posterior grows from a half to nine tenths with what is
    known about the workers: ten votes beside those of others are half of the way.
    """
    wide = sites.classes + 1
    counts = np.bincount(sites.site * wide + sites.answer, minlength=len(sites) * wide)
    counts = counts.reshape(len(sites), wide)
    # One pseudo-vote, half for nothing and half for something of any class.
    one = np.append(0.5, np.full(sites.classes, 0.5 / sites.classes))
    share = (counts + one) / (counts.sum(1, keepdims=True) + 1)
    beside = (counts.sum(1) > 1)[sites.site].astype(np.float64)
    seen = np.bincount(sites.worker, beside, sites.workers)[sites.worker]
    votes = np.bincount(sites.site, seen, len(sites)) / np.maximum(counts.sum(1), 1)
    trust = (_BLIND + (_TRUST - _BLIND) * votes / (votes + _HALFWAY))[:, None]
    shown = trust * model.posterior + (1 - trust) * share
    return _clamped(shown, sites.truth)


def _starts(sites: Sites) -> Codes:
    return np.searchsorted(sites.site, np.arange(len(sites)))


def _sums(sites: Sites, values: Floats) -> Floats:
    """Sum the votes of each site, `(e, c)` to `(n, c)`."""
    if not len(sites):
        return np.zeros((0, values.shape[1]))
    return np.asarray(np.add.reduceat(values, _starts(sites), axis=0))


def _clamped(posterior: Floats, truth: Codes) -> Floats:
    known = truth >= 0
    posterior[known] = np.eye(posterior.shape[1])[truth[known]]
    return posterior


def _normalized(logs: Floats) -> Floats:
    if not len(logs):
        return logs
    shifted = np.exp(logs - logs.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))
