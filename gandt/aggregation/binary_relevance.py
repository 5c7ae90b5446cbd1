"""Every label is a yes-or-no question about every task: a worker's hits and false alarms.

Each label has a share of tasks that carry it; each worker gives a label where it belongs with one
probability, and where it does not with another (two-class Dawid-Skene per label). Of rare labels a
worker sees few, so that these rates lean on what the same worker does with all other labels, and
those of a label on what holds for all labels. Labels are taken for independent given the task;
Duan, Oyama, Sato, Kurihara, "Separate or joint? Estimation of multiple labels from crowdsourced
annotations" (2014) measure that the separate model, which this is, needs far fewer answers than
joint ones. Arrays of codes in, arrays out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.aggregation.confidence import Calibration, calibrate

__all__ = ["Ballots", "Relevance", "mix_in_votes", "relevance"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]

PRIOR = 4.0  # pseudo-answers behind each rate of a worker for one label
LABEL_PRIOR = 4.0  # pseudo-answers behind each rate of a label
WORKER_PRIOR = 2.0  # squared log-odds' worth of doubt that a worker differs from others at all
ROUNDS = 60
SETTLED = 1e-4  # mean change of a probability at which the search stops
_LEAST = 1e-4  # of a rate


@dataclass(frozen=True, slots=True)
class Ballots:
    """Who answered what (`a` answers), and each label named in it (`v` votes)."""

    start: Integers  # (n + 1,)
    worker: Integers  # (a,)
    workers: int
    labels: int  # k
    vote_task: Integers  # (v,)
    vote_worker: Integers  # (v,)
    vote_label: Integers  # (v,)

    def named(self) -> Floats:
        """(n, k) how many workers gave each label to each task."""
        tasks = len(self.start) - 1
        cells = self.vote_task * self.labels + self.vote_label
        counts = np.bincount(cells, minlength=tasks * self.labels).astype(np.float64)
        return counts.reshape(tasks, self.labels)


@dataclass(frozen=True, slots=True)
class Relevance:
    """What is believed of every task and label, and of every worker."""

    logits: Floats  # (n, k) log-odds that the label belongs there; infinite where it is known
    posterior: Floats  # (n, k) the same as probability
    share: Floats  # (k,) of tasks that carry the label
    hits: Floats  # (w, k) P(worker gives the label | it belongs there)
    alarms: Floats  # (w, k) P(worker gives the label | it does not)
    rounds: int

    def evidence(self) -> tuple[Floats, Floats]:
        """(w, k) log-odds that an answer adds, and what naming the label adds to that."""
        base = np.log1p(-self.hits) - np.log1p(-self.alarms)
        return base, np.log(self.hits) - np.log(self.alarms) - base


def relevance(ballots: Ballots, known: npt.NDArray[np.int8] | None = None) -> Relevance:
    """Fit by expectation maximization, from shares of votes.

    Parameters
    ----------
    ballots
        The answers.
    known
        (n, k) 1 where a label is known to belong, 0 where it is known not to, else -1.
    """
    from scipy.sparse import csr_matrix

    tasks = len(ballots.start) - 1
    named = ballots.named()
    asked = np.diff(ballots.start).astype(np.float64)
    answered = asked > 0
    ones = np.ones(len(ballots.worker))
    matrix = csr_matrix((ones, ballots.worker, ballots.start), (tasks, ballots.workers))
    cells = ballots.vote_task * ballots.labels + ballots.vote_label
    own = ballots.vote_worker * ballots.labels + ballots.vote_label
    shape = (ballots.workers, ballots.labels)
    given = np.bincount(own, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    answers = np.bincount(ballots.worker, minlength=ballots.workers).astype(np.float64)

    belief = _vote_shares(named, asked)
    fixed = None if known is None else np.flatnonzero(known.ravel() >= 0)
    rounds = 0
    while True:
        if fixed is not None and known is not None:
            belief.ravel()[fixed] = known.ravel()[fixed]
        share = (belief[answered].sum(axis=0) + 0.5) / (answered.sum() + 1)
        there = matrix.T @ belief
        sums = np.bincount(own, belief.ravel()[cells], shape[0] * shape[1])
        right = np.asarray(sums, np.float64).reshape(shape)
        hits, alarms = _rates(right, there, given - right, answers[:, None] - there)
        model = Relevance(belief, belief, share, hits, alarms, rounds)
        base, gain = model.evidence()
        logits = matrix @ base + (np.log(share) - np.log1p(-share))
        votes = np.bincount(cells, gain.ravel()[own], tasks * ballots.labels)
        logits += votes.reshape(logits.shape)
        after = 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
        if fixed is not None and known is not None:
            after.ravel()[fixed] = known.ravel()[fixed]
            logits.ravel()[fixed] = np.where(known.ravel()[fixed] == 1, np.inf, -np.inf)
        moved = float(np.abs(after - belief).sum()) / max(1, len(cells))
        belief = after
        rounds += 1
        if moved < SETTLED or rounds == ROUNDS:
            return Relevance(logits, belief, share, hits, alarms, rounds)


def mix_in_votes(model: Relevance, ballots: Ballots, how: Calibration = Calibration()) -> Floats:
    """(n, k) probabilities to show: the posterior tempered by the plain share of votes.

    One pseudo-vote, as common as the label, stands beside the workers'.
    """
    asked = np.diff(ballots.start).astype(np.float64)
    shares = (ballots.named() + model.share) / (asked + 1)[:, None]
    both = (np.stack([1 - p, p], axis=-1).reshape(-1, 2) for p in (model.posterior, shares))
    shown = calibrate(next(both), next(both), how)[:, 1].reshape(model.posterior.shape)
    certain = np.isinf(model.logits)
    shown[certain] = model.posterior[certain]
    return np.asarray(shown)


def _vote_shares(named: Floats, asked: Floats) -> Floats:
    common = named.sum(axis=0) / max(asked.sum(), 1)
    return np.asarray((named + common) / (asked + 1)[:, None])


def _rates(right: Floats, there: Floats, wrong: Floats, absent: Floats) -> tuple[Floats, Floats]:
    """(w, k) rates of hits and false alarms."""
    return _shrunk(right, there), _shrunk(wrong, absent)


def _shrunk(yes: Floats, cases: Floats) -> Floats:
    """Rates of each worker and label, held to the worker's habits and those to the label's."""
    pooled = (yes.sum() + 1) / (cases.sum() + 2)
    by_label = (yes.sum(axis=0) + LABEL_PRIOR * pooled) / (cases.sum(axis=0) + LABEL_PRIOR)
    by_label = np.clip(by_label, _LEAST, 1 - _LEAST)
    # How much more often than expected of anybody, with the same labels, this worker says yes;
    # as odds, so that it carries over from common labels to rare ones.
    total = np.maximum(cases.sum(axis=1), 1e-9)
    usual = np.clip(cases @ by_label / total, _LEAST, 1 - _LEAST)
    doubt = WORKER_PRIOR / (usual * (1 - usual))
    rate = (yes.sum(axis=1) + doubt * usual) / (total + doubt)
    shift = _logit(rate) - _logit(usual)
    typical = 1 / (1 + np.exp(-(_logit(by_label)[None, :] + shift[:, None])))
    rates = (yes + PRIOR * typical) / (cases + PRIOR)
    return np.asarray(np.clip(rates, _LEAST, 1 - _LEAST))


def _logit(rate: Floats) -> Floats:
    rate = np.clip(rate, _LEAST / 10, 1 - _LEAST / 10)
    return np.asarray(np.log(rate) - np.log1p(-rate))
