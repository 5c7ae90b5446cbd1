"""One pass of expectation maximization over all answers, in blocks that stay in the cache.

An answer is a row of a small table: row `worker * k + label` of log P(label | true class). The
log-likelihoods of a block of tasks are a sparse 0/1 matrix (tasks x rows) times that table, and the
expected counts are its transpose times the posterior. So a pass reads each answer twice, and the
posterior of all tasks is never held while the model is still moving. The softmax runs on blocks
that lie class by class, since numpy reduces long rows several times faster than short ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.aggregation.encode import Encoded
from gandt.aggregation.factorize import Codes

__all__ = ["AnswerBlocks", "Expectation", "Floats", "Rows"]

Floats = npt.NDArray[np.floating[Any]]
Rows = Callable[[slice], Floats]  # (n, k) probabilities that are made when a slice is asked for

_SMALL = 200_000  # cells of the posterior up to which double precision costs nothing
_DEEPEST = -70.0  # natural log of a product that single precision still holds well
_BLOCK = 1 << 18  # cells of the posterior in a block: 1 MiB in single precision


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a pass over the answers gives to the M-step."""

    counts: npt.NDArray[np.float64]  # (w, k, k): expected answers by worker, true class, answer
    totals: npt.NDArray[np.float64]  # (k,): expected answered tasks by true class
    log_likelihood: float = float("nan")  # of the answers and of what else is known; natural log


@dataclass(frozen=True, slots=True)
class _Block:
    tasks: slice
    matrix: Any  # csr_matrix (tasks, w * k)
    answered: npt.NDArray[np.int64] | None  # the tasks with answers; None: all of them


class AnswerBlocks:
    """The answers of `data`, cut into blocks of tasks.

    Parameters
    ----------
    data
        Answers in codes.
    log_evidence
        (n, k) log-likelihood of each class from elsewhere, as of one more rater.
    """

    __slots__ = ("_blocks", "_evidence", "_most", "classes", "dtype", "tasks", "workers")

    def __init__(self, data: Encoded, log_evidence: Floats | None = None) -> None:
        from scipy.sparse import csr_matrix  # 0.1 s of import that reading answers does not need

        self.tasks, self.workers, self.classes = data.shape
        # Single precision on large data: half the memory, accuracy equal to four digits.
        small = self.tasks * self.classes <= _SMALL
        self.dtype: type[np.floating[Any]] = np.float64 if small else np.float32
        self._evidence = log_evidence
        self._blocks: list[_Block] = []
        self._most = int(np.diff(data.start).max(initial=0))  # answers of a task
        # A block also pays for a pass over the table of expected counts.
        step = max(_BLOCK, self.workers * self.classes**2) // max(self.classes, 1)
        rows = data.worker * np.int32(self.classes)
        rows += data.label
        ones = np.ones(0, self.dtype)
        for first in range(0, self.tasks, step):
            last = min(first + step, self.tasks)
            start = data.start[first : last + 1]
            size = start[-1] - start[0]
            if len(ones) < size:
                ones = np.ones(size, self.dtype)
            parts = ones[:size], rows[start[0] : start[-1]], (start - start[0]).astype(np.int32)
            shape = (last - first, self.workers * self.classes)
            answered = np.flatnonzero(np.diff(start))
            self._blocks.append(
                _Block(
                    slice(first, last),
                    csr_matrix(parts, shape, copy=False),
                    None if len(answered) == last - first else answered,
                )
            )

    def expect(
        self, log_confusion: Floats, log_shares: Floats, gold: Codes | None = None
    ) -> Expectation:
        """The E-step, and the sums that the M-step needs.

        Parameters
        ----------
        log_confusion
            (w, k, k): log P(answer | true class), by worker, true class, answer.
        log_shares
            (k,): log P(true class).
        gold
            (n,) class of a known task, else -1. A known task's posterior is its class.
        """
        counts = np.zeros((self.workers * self.classes, self.classes))
        totals = np.zeros(self.classes)
        likelihood = 0.0
        for block, posterior, total in self._pass(log_confusion, log_shares, gold):
            counts += block.matrix.T @ np.ascontiguousarray(posterior.T)
            # A task that nobody answered says nothing about how common a class is.
            told = posterior if block.answered is None else posterior[:, block.answered]
            totals += told.sum(axis=1)
            likelihood += total
        return Expectation(self._by_worker(counts), totals, likelihood)

    def count(self, belief: Floats | Rows) -> Expectation:
        """The sums that the M-step needs, of given (n, k) probabilities."""
        rows = belief if callable(belief) else belief.__getitem__
        counts = np.zeros((self.workers * self.classes, self.classes))
        totals = np.zeros(self.classes)
        for block in self._blocks:
            part = np.ascontiguousarray(rows(block.tasks), self.dtype)
            counts += block.matrix.T @ part
            told = part if block.answered is None else part[block.answered]
            totals += told.sum(axis=0, dtype=np.float64)
        return Expectation(self._by_worker(counts), totals)

    def posterior(
        self, log_confusion: Floats, log_shares: Floats, gold: Codes | None = None
    ) -> Floats:
        """(n, k) P(class | answers); the arguments are those of `expect`."""
        out = np.empty((self.tasks, self.classes), self.dtype)
        for block, posterior, _ in self._pass(log_confusion, log_shares, gold):
            out[block.tasks] = posterior.T
        return out

    def _by_worker(self, counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        shaped = counts.reshape(self.workers, self.classes, self.classes)
        return np.ascontiguousarray(shaped.transpose(0, 2, 1))

    def _pass(
        self, log_confusion: Floats, log_shares: Floats, gold: Codes | None
    ) -> Iterator[tuple[_Block, Floats, float]]:
        """Yield each block with its (k, tasks) posterior and its log-likelihood."""
        table = log_confusion.transpose(0, 2, 1).reshape(-1, self.classes)
        table = np.ascontiguousarray(table, self.dtype)
        shares = np.asarray(log_shares, self.dtype)[:, None]
        # With few answers per task no product of probabilities comes near the smallest number.
        deepest = float(shares.min()) + self._most * float(table.min(initial=0))
        shallow = self._evidence is None and deepest > _DEEPEST
        for block in self._blocks:
            by_task = block.matrix @ table
            logs = np.empty(by_task.shape[::-1], self.dtype)
            np.add(by_task.T, shares, out=logs)
            if self._evidence is not None:
                logs += self._evidence[block.tasks].T
            if gold is not None:
                known = np.flatnonzero(gold[block.tasks] >= 0)
                truth = gold[block.tasks][known]
                joint = logs[truth, known]
                logs[:, known] = -np.inf
                logs[truth, known] = joint
            total = 0.0
            if not shallow:
                peak = logs.max(axis=0)
                logs -= peak
                total = float(peak.sum(dtype=np.float64))
            np.exp(logs, out=logs)
            norm = logs.sum(axis=0)
            logs *= 1 / norm
            if gold is not None:
                logs[truth, known] = 1  # rounding aside
            yield block, logs, total + float(np.log(norm).sum(dtype=np.float64))
