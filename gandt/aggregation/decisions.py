"""What a reviewer decided is the label, whatever the others said.

A reviewer sees the picture and everybody's answers, so what they say is no independent vote: taken
as one, a single labeler and a reviewer would make a tie, and both would look unreliable. Decisions
are therefore set apart before anything is solved, and laid over what comes out. Nobody is rated by
them: they are made where something looked wrong, and are no fair sample of anybody's work. How
often a worker was looked at and overruled stands beside the rating.

No answer in a job tells how often a reviewer errs. `CONFIDENCE` is an assumption, and the notes of
a consensus say so. Known answers stand above decisions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from gandt.aggregation.consensus import Consensus
from gandt.aggregation.table import Column, Table
from gandt.answers import Answers, Box, Label, Mask, Span

__all__ = ["CONFIDENCE", "Decision", "apply_decisions", "set_apart"]

CONFIDENCE = 0.95  # that a reviewer is right; higher where the others say the same and are surer
_NAMED = 3  # reviewers in a note


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of one task, and what others said of it."""

    label: Label
    reviewer: str
    others: tuple[tuple[str, Label], ...]  # worker and answer, earlier reviewers among them
    reviews: int  # answers that were set apart, and count among the votes all the same


def set_apart(answers: Answers) -> tuple[Answers, dict[str, Decision]]:
    """Take the answers that decide out of the others.

    Returns
    -------
    answers, decisions
        Where nobody else answered anything at all, the answers stay as they are. Of several
        decisions about a task the last one counts.
    """
    if not any(answers.decides):
        return answers, {}
    rows: dict[str, list[int]] = {}
    for row, task in enumerate(answers.task):
        rows.setdefault(task, []).append(row)
    made = {}
    for row, task in enumerate(answers.task):
        if answers.decides[row]:
            made[task] = Decision(
                answers.label[row],
                answers.worker[row],
                tuple(
                    (answers.worker[other], answers.label[other])
                    for other in rows[task]
                    if other != row
                ),
                sum(answers.decides[other] for other in rows[task]),
            )
    kept = [row for row, decides in enumerate(answers.decides) if not decides]
    if not kept:
        counted = {task: replace(decision, reviews=0) for task, decision in made.items()}
        return replace(answers, decides=()), counted
    columns: dict[str, Any] = {
        name: [column[row] for row in kept] for name, column in answers.columns().items()
    }
    columns["decides"] = ()
    tasks = answers.tasks or tuple(rows)
    return replace(answers, **columns, tasks=tasks), made


def apply_decisions(
    consensus: Consensus, made: Mapping[str, Decision], *, none_label: str
) -> Consensus:
    """Lay decisions over a consensus that was made without them.

    The labels get a column `reviewed_by`, the workers `reviewed` and `overruled`: how many of
    their answers a reviewer decided about, and how many of them otherwise.
    """
    labels = consensus.labels
    columns: dict[str, list[Any]] = {name: list(column) for name, column in labels.items()}
    columns["reviewed_by"] = [None] * labels.num_rows
    decided = {
        row: made[task]
        for row, (task, source) in enumerate(zip(labels["task"], labels["source"], strict=True))
        if task in made and source != "gold"
    }
    overruled = sum(
        not _same(made[task].label, label, none_label)
        for task, label, source in zip(
            labels["task"], labels["label"], labels["source"], strict=True
        )
        if task in made and source == "gold"
    )
    consensus = _widened(consensus, decided.values(), none_label)
    place = {name: code for code, name in enumerate(consensus.classes)}
    chances = consensus.probabilities
    for row, decision in decided.items():
        label = _shown(decision.label, consensus.classes, none_label)
        confidence = CONFIDENCE
        if _same(label, columns["label"][row], none_label):
            confidence = max(confidence, float(columns["confidence"][row]))
        columns["label"][row] = _sure(label, confidence)
        columns["confidence"][row] = confidence
        columns["certain"][row] = True
        columns["source"][row] = "human"
        columns["tied"][row] = ()
        columns["reviewed_by"][row] = decision.reviewer
        columns["votes"][row] += decision.reviews
        if consensus.kind in ("single", "multi"):
            same = [_same(label, other, none_label) for _, other in decision.others]
            columns["agreement"][row] = (1 + sum(same)) / (1 + len(same))
        if chances is not None:
            codes = [place[name] for name in _names(label)]
            chances[row] = _chances(chances[row], codes, confidence, consensus.kind == "single")
        if "confidences" in columns:
            told = {**dict.fromkeys(_names(label), 0.0), **columns["confidences"][row]}
            columns["confidences"][row] = {
                name: float(chances[row, place[name]]) for name in told if chances is not None
            }
    return replace(
        consensus,
        labels=_table(columns, labels),
        workers=_with_counts(consensus, decided.values(), none_label),
        probabilities=chances,
        notes=(*consensus.notes, *_notes(list(decided.values()), overruled)),
    )


def _widened(consensus: Consensus, decided: Iterable[Decision], none_label: str) -> Consensus:
    """The consensus with the classes that only reviewers named, and probabilities to write on."""
    if consensus.kind not in ("single", "multi"):
        return consensus
    named = {name for decision in decided for name in _names(decision.label)} - {none_label}
    new = sorted(named - set(consensus.classes))
    before = consensus.probabilities
    if before is None:
        return replace(consensus, classes=(*consensus.classes, *new))
    wide = np.zeros((len(before), before.shape[1] + len(new)), before.dtype)
    wide[:, : before.shape[1]] = before
    return replace(consensus, classes=(*consensus.classes, *new), probabilities=wide)


def _shown(label: Label, classes: Sequence[str], none_label: str) -> Label:
    """A set of labels in the order of the classes; anything else as it is."""
    if not isinstance(label, tuple) or not all(isinstance(part, str) for part in label):
        return label
    return tuple(name for name in classes if name in label and name != none_label)


def _same(label: Label, other: Label | None, none_label: str) -> bool:
    def bare(value: Label | None) -> object:
        if not isinstance(value, tuple):
            return replace(value, confidence=None) if isinstance(value, Mask) else value
        return {
            part if isinstance(part, str) else replace(part, confidence=None)
            for part in value
            if part != none_label
        }

    return bare(label) == bare(other)


def _sure(label: Label, confidence: float) -> Label:
    if isinstance(label, Mask):
        return replace(label, confidence=confidence)
    if isinstance(label, tuple):
        return cast(
            "Label",
            tuple(
                replace(part, confidence=confidence) if isinstance(part, Box | Span) else part
                for part in label
            ),
        )
    return label


def _names(label: Label) -> list[str]:
    if isinstance(label, Mask):
        return []
    parts = label if isinstance(label, tuple) else (label,)
    return [part for part in parts if isinstance(part, str)]


def _chances(
    before: npt.NDArray[np.floating[Any]], codes: list[int], confidence: float, single: bool
) -> npt.NDArray[np.floating[Any]]:
    """A row of probabilities, as sure of the decision as its confidence says."""
    after: npt.NDArray[np.floating[Any]] = np.array(before)
    if not single:
        after[:] = np.minimum(before, 1 - confidence)
        after[codes] = np.maximum(before[codes], confidence)
        return after
    after[codes] = 0
    rest = float(after.sum())
    if rest > 0:
        after *= (1 - confidence) / rest
    else:
        after[:] = (1 - confidence) / max(len(after) - 1, 1)
    after[codes] = confidence
    return after


def _table(columns: Mapping[str, list[Any]], before: Table) -> Table:
    table: dict[str, Column] = {}
    for name, values in columns.items():
        earlier = before.get(name)
        if not isinstance(earlier, np.ndarray):
            table[name] = values
            continue
        column = np.empty(len(values), earlier.dtype)
        for row, value in enumerate(values):  # a tuple is one value of an array of objects
            column[row] = value
        table[name] = column
    return Table(table)


def _with_counts(consensus: Consensus, decided: Iterable[Decision], none_label: str) -> Table:
    reviewed: Counter[str] = Counter()
    overruled: Counter[str] = Counter()
    for decision in decided:
        for worker, label in decision.others:
            reviewed[worker] += 1
            overruled[worker] += not _same(decision.label, label, none_label)
    names = consensus.workers["worker"]
    columns: dict[str, Column] = dict(consensus.workers.items())
    columns["reviewed"] = np.array([reviewed[name] for name in names], np.int64)
    columns["overruled"] = np.array([overruled[name] for name in names], np.int64)
    return Table(columns)


def _notes(decided: Sequence[Decision], overruled: int) -> list[str]:
    notes = []
    names = sorted({decision.reviewer for decision in decided})
    if names:
        shown = ", ".join(names[:_NAMED]) + (" and others" if len(names) > _NAMED else "")
        number = len(decided)
        notes.append(
            f"{number:,} {'label was' if number == 1 else 'labels were'} decided in review by "
            f"{shown}; confidence {CONFIDENCE} is assumed for them, not measured, and nobody is "
            "rated by them."
        )
    if overruled == 1:
        what = "1 decision of a review is about a known answer and differs from it"
    else:
        what = f"{overruled:,} decisions of a review are about known answers and differ from them"
    if overruled:
        notes.append(
            f"{what}; the known answer stands. If it is wrong, correct it where it comes from "
            "(--gold, or the manifest)."
        )
    return notes
