"""Workers who gave one label per answer: what the consensus says of each answer, and without it.

Takes codes and what the engine made of them; gives the workers table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.aggregation.agreement import Agreed
from gandt.aggregation.em_kernel import AnswerBlocks
from gandt.aggregation.encode import Encoded
from gandt.aggregation.jobs import Joined
from gandt.aggregation.single import Single
from gandt.aggregation.table import Table
from gandt.aggregation.votes import count_votes
from gandt.aggregation.workers import ConfusionColumn, Judged, gold_hits, worker_table

__all__ = ["rate_labelers"]

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.floating[Any]]

_LEAST = 1e-12  # of a probability in a logarithm
_BLOCK = 1 << 20  # answers looked up at a time


def rate_labelers(
    joined: Joined,
    gold: Codes,
    single: Single,
    *,
    agreed: Agreed | None,
) -> Table:
    """Make the workers table of the workers that are shown.

    Parameters
    ----------
    gold
        (n,) class code or -1.
    single
        What was made of all answers.
    agreed
        Where the rule of agreement says who is reliable.
    """
    data = joined.data
    workers = len(data.workers)
    task = np.repeat(np.arange(len(data.tasks), dtype=np.int32), np.diff(data.start))
    right = np.empty(len(task), np.float32)
    for low in range(0, len(task), _BLOCK):
        block = slice(low, low + _BLOCK)
        right[block] = single.probabilities[task[block], data.label[block]]
    known = (gold >= 0)[task]
    right[known] = data.label[known] == gold[task[known]]
    judged = Judged(
        data.worker,
        data.label,
        workers,
        len(data.classes),
        right,
        _others(data, gold, single, task),
    )
    return worker_table(
        data.workers.tolist(),
        judged,
        gold=gold_hits(data.worker, known, right, workers),
        # Where classes are too many, the engine keeps no matrices.
        confusion=ConfusionColumn(single.confusion, data.classes)
        if len(single.confusion) == workers
        else [{}] * workers,
        classes=data.classes,
        seconds=None if data.seconds is None else (data.worker, data.seconds),
        rule=None if agreed is None else (agreed.kept, agreed.reasons()),
        only=np.arange(workers) < joined.workers,
    )


def _others(
    data: Encoded,
    gold: Codes,
    single: Single,
    task: Codes,
) -> Callable[[int, int], Floats]:
    """Belief about each answered task from gold and all answers but one.

    By Bayes' rule from the confusion matrices, whatever the method was: the posterior of all
    answers, with the one answer taken out again. Where classes are too many for matrices, from the
    votes of the others.
    """
    if len(single.confusion):
        logs = np.log(np.maximum(single.confusion, _LEAST))
        answered = np.flatnonzero(np.diff(data.start))
        totals = single.probabilities[answered].sum(axis=0, dtype=np.float64) + 1
        everything = AnswerBlocks(data).posterior(logs, np.log(totals / totals.sum()))

        def others(low: int, high: int) -> Floats:
            of = task[low:high]
            belief = np.log(np.maximum(everything[of], _LEAST)).astype(np.float64)
            belief -= logs[data.worker[low:high], :, data.label[low:high]]
            belief -= belief.max(axis=1, keepdims=True)
            np.exp(belief, out=belief)
            belief /= belief.sum(axis=1, keepdims=True)
            return _tell(belief, gold[of])

    else:
        votes = count_votes(data)

        def others(low: int, high: int) -> Floats:
            of = task[low:high]
            belief = votes[of].astype(np.float64)
            belief[np.arange(len(of)), data.label[low:high]] -= 1
            belief += 1 / len(data.classes)
            belief /= belief.sum(axis=1, keepdims=True)
            return _tell(belief, gold[of])

    return others


def _tell(belief: Floats, gold: Codes) -> Floats:
    known = np.flatnonzero(gold >= 0)
    belief[known] = 0
    belief[known, gold[known]] = 1
    return belief
