"""`method="agreement"`: a label is certain when enough workers, and enough of them, agree.

A plain rule that a person can check by counting. A label is certain where at least `min_ratings`
workers gave it and they are more than `min_proportion` of those who answered the task. A worker is
as reliable as the share of certain labels (and of known answers) that the worker gave too; workers
at or below `reliability_threshold` are filtered, and what the others said is counted once more.
Single labels and sets of labels; arrays of codes ordered by task in, arrays out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Agreed", "Votes", "agree"]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Votes:
    """Who said what: an answer is one worker's, a vote is one label of an answer."""

    task: Integers  # (a,) ascending
    worker: Integers  # (a,)
    tasks: int
    workers: int
    labels: int  # in sets of labels, the last one stands for "none of them"
    answer: Integers  # (v,) ascending: the answer that a vote is part of
    label: Integers  # (v,)

    def of(self, workers: Flags) -> Votes:
        """Only the answers of these workers, (workers,) bool."""
        kept = workers[self.worker]
        place = np.cumsum(kept) - 1
        votes = kept[self.answer]
        return Votes(
            self.task[kept],
            self.worker[kept],
            self.tasks,
            self.workers,
            self.labels,
            place[self.answer[votes]],
            self.label[votes],
        )


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the rule says, by task and by worker; pairs are (task, label), in order of both."""

    certain: Flags  # (n,)
    shown: tuple[Integers, Integers]  # pairs: the certain labels; where none, those named most
    tied: tuple[Integers, Integers]  # pairs: several labels named most, of which one was to win
    compared: Integers  # (w,) certain labels on tasks that a worker answered, and known answers
    agreeing: Integers  # (w,) those of them that the worker gave
    kept: Flags  # (w,) not filtered
    threshold: float  # share of agreement at or below which workers are filtered

    def reasons(self) -> list[str]:
        """A sentence for each worker who was filtered, else empty."""
        return [
            ""
            if kept
            else f"agrees with {agreeing:,} of {compared:,} certain labels "
            f"({agreeing / max(compared, 1):.0%}), not more than {self.threshold:.0%}"
            for kept, agreeing, compared in zip(
                self.kept.tolist(), self.agreeing.tolist(), self.compared.tolist(), strict=True
            )
        ]


def agree(
    votes: Votes,
    *,
    min_ratings: int,
    min_proportion: float,
    reliability_threshold: float,
    several: bool,
    known: tuple[Integers, Integers] | None = None,
) -> Agreed:
    """Apply the rule, rate the workers by it, and apply it again to the reliable ones.

    Parameters
    ----------
    min_ratings
        Fewest votes of a certain label.
    min_proportion
        Of the workers who answered the task; a certain label has more than this.
    reliability_threshold
        Workers at or below this share are filtered. Workers without any certain label to be
        compared with are kept.
    several
        A task may have several certain labels; otherwise two are a tie, and nothing is certain.
    known
        Pairs of task and label: known answers, certain whatever the votes are.

    Returns
    -------
    Agreed
        Of the second count. Where every worker would be filtered, nobody is.
    """
    rule = (min_ratings, min_proportion, several)
    certain, shown, _ = _count(votes, *rule)
    sure = certain[shown[0]]
    pairs = shown[0][sure] * votes.labels + shown[1][sure]
    if known is not None:
        told = np.zeros(votes.tasks, np.bool_)
        told[known[0]] = True
        pairs = np.concatenate(
            [pairs[~told[pairs // votes.labels]], known[0] * votes.labels + known[1]]
        )
    compared, agreeing = _compare(votes, np.sort(pairs))
    kept = (compared == 0) | (agreeing > reliability_threshold * compared + 1e-9)
    answered = np.bincount(votes.worker, minlength=votes.workers) > 0
    if not (kept & answered).any():
        kept = np.ones_like(kept)
    certain, shown, tied = _count(votes if kept.all() else votes.of(kept), *rule)
    return Agreed(certain, shown, tied, compared, agreeing, kept, reliability_threshold)


def _count(
    votes: Votes, min_ratings: int, min_proportion: float, several: bool
) -> tuple[Flags, tuple[Integers, Integers], tuple[Integers, Integers]]:
    """Certain tasks; the pairs shown; the pairs in a tie."""
    asked = np.bincount(votes.task, minlength=votes.tasks)
    keys, number = np.unique(
        votes.task[votes.answer] * votes.labels + votes.label, return_counts=True
    )
    task, label = keys // votes.labels, keys % votes.labels
    # Shares are compared as counts, with room for a proportion such as 0.6 that binary cannot hold.
    passing = (number >= min_ratings) & (number > min_proportion * asked[task] + 1e-9)
    changes = np.flatnonzero(np.diff(task, prepend=-1))  # pairs are in order of their tasks
    most = (
        np.repeat(np.maximum.reduceat(number, changes), np.diff(changes, append=len(task)))
        if len(task)
        else number
    )
    top = number == most
    winners = np.bincount(task[passing], minlength=votes.tasks)
    tops = np.bincount(task[top], minlength=votes.tasks)
    if several:
        certain = winners > 0
        # "None of them" beside a label would contradict it: the label has it.
        none = passing & (label == votes.labels - 1)
        passing = passing & ~(none & (winners[task] > 1))
        shown = np.where(certain[task], passing, top)
        in_tie = top & ~certain[task] & (tops[task] > 1)
    else:
        certain = (winners > 0) & (tops == 1)
        first = np.ones(len(task), np.bool_)
        places = np.flatnonzero(top)
        first[places[1:]] = task[places[1:]] != task[places[:-1]]
        shown = top & first
        in_tie = top & (tops[task] > 1)
    return certain, (task[shown], label[shown]), (task[in_tie], label[in_tie])


def _compare(votes: Votes, pairs: Integers) -> tuple[Integers, Integers]:
    """Per worker: sure pairs on the tasks answered, and those that the worker gave."""
    wanted = np.bincount(pairs // votes.labels, minlength=votes.tasks)
    compared = np.bincount(votes.worker, wanted[votes.task], votes.workers).astype(np.int64)
    keys = votes.task[votes.answer] * votes.labels + votes.label
    place = np.searchsorted(pairs, keys)
    hit = np.zeros(len(keys), np.bool_)
    inside = place < len(pairs)
    hit[inside] = pairs[place[inside]] == keys[inside]
    agreeing = np.bincount(votes.worker[votes.answer[hit]], minlength=votes.workers)
    return compared, agreeing
