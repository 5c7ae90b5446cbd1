"""Simulated workers for rehearsals: each has an accuracy and errs evenly over other classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gandt import aggregation
from gandt.active.logistic import Floats
from gandt.types import IntArray

__all__ = ["Crew"]

_SPREAD = 0.08  # standard deviation of the workers' accuracies
_BEST = 0.99


class Crew:
    """Workers, what they answered so far, and what is believed after it."""

    def __init__(self, accuracies: Floats, classes: int, rng: np.random.Generator) -> None:
        self.accuracies = accuracies
        self.classes = classes
        self._rng = rng
        self._tasks: list[int] = []
        self._workers: list[int] = []
        self._labels: list[int] = []

    @classmethod
    def hire(cls, count: int, accuracy: float, classes: int, seed: int) -> Crew:
        """Hire workers whose accuracies spread about a mean; those of a perfect crew do not."""
        rng = np.random.default_rng([seed, 81])
        drawn = accuracy + _SPREAD * rng.standard_normal(count) * (accuracy < 1)
        floor = 1 / max(classes, 1)
        shifted = drawn - (drawn.mean() - accuracy) if count else drawn
        return cls(np.clip(shifted, floor, 1.0 if accuracy == 1 else _BEST), classes, rng)

    @property
    def answers(self) -> int:
        """How many answers were given."""
        return len(self._tasks)

    def ask(self, task: int, truth: int, answers: int) -> None:
        """Have some workers answer a task that they did not answer before.

        Parameters
        ----------
        truth
            Its class; where it is none of the classes (-1), workers name any.
        answers
            How many; fewer where fewer workers are left.
        """
        asked = {w for t, w in zip(self._tasks, self._workers, strict=True) if t == task}
        free = [w for w in range(len(self.accuracies)) if w not in asked]
        for worker in self._rng.permutation(free)[:answers].tolist():
            self._tasks.append(task)
            self._workers.append(worker)
            self._labels.append(self._answer(worker, truth))

    def _answer(self, worker: int, truth: int) -> int:
        if truth < 0 or self.classes < 2:
            return int(self._rng.integers(self.classes))
        if self._rng.random() < self.accuracies[worker]:
            return truth
        other = int(self._rng.integers(self.classes - 1))
        return other + (other >= truth)

    def aggregate(self) -> tuple[IntArray, Floats, IntArray]:
        """Aggregate all answers: tasks `(m,)`, probabilities `(m, k)`, answers per task `(m,)`."""
        names = [str(code) for code in range(self.classes)]
        consensus = aggregation.aggregate(
            {
                "task": [str(task) for task in self._tasks],
                "worker": [f"w{worker}" for worker in self._workers],
                "label": [str(label) for label in self._labels],
            },
            classes=names,
        )
        tasks = np.array([int(task) for task in consensus.labels["task"]], np.int64)
        assert consensus.probabilities is not None
        order = [consensus.classes.index(name) for name in names]
        counts = dict(zip(*np.unique(self._tasks, return_counts=True), strict=True))
        answers: npt.NDArray[np.int64] = np.array([counts[task] for task in tasks.tolist()])
        probabilities = np.asarray(consensus.probabilities, np.float64)[:, order]
        return tasks, probabilities, answers.astype(np.int64)
