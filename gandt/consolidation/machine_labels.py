"""Labels that Ground Truth found by itself take their place among those that people gave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from gandt.aggregation import Consensus
from gandt.aggregation.table import Column, Table
from gandt.answers import Answers, Label, Mask

__all__ = ["with_machine_labels"]


def with_machine_labels(
    consensus: Consensus, answers: Answers, *, min_confidence: float
) -> Consensus:
    """Fill in what nobody answered; what people said stays.

    The confidence is the one that the job states. It is certain under the same bar as others, for
    a label that a machine gave is no better than its confidence.
    """
    filled = {
        row: answers.machine[task]
        for row, (task, votes) in enumerate(
            zip(consensus.labels["task"], consensus.labels["votes"], strict=True)
        )
        if task in answers.machine and not votes
    }
    if not filled:
        return consensus
    columns: dict[str, list[object]] = {
        name: list(column) for name, column in consensus.labels.items()
    }
    for row, (label, confidence) in filled.items():
        columns["label"][row] = label
        columns["confidence"][row] = confidence
        columns["certain"][row] = confidence >= min_confidence
        columns["source"][row] = "machine"
    table: dict[str, Column] = {
        name: np.asarray(columns[name], column.dtype)
        if isinstance(column, np.ndarray)
        else columns[name]
        for name, column in consensus.labels.items()
    }
    known = dict.fromkeys(consensus.classes)
    for label, _ in filled.values():
        known.update(dict.fromkeys(_names(label)))
    return replace(
        consensus,
        labels=Table(table),
        classes=tuple(known),
        probabilities=_probabilities(consensus, tuple(known), filled),
    )


def _names(label: Label) -> Iterable[str]:
    if isinstance(label, Mask):
        return ()
    parts = label if isinstance(label, tuple) else (label,)
    return [part if isinstance(part, str) else part.label for part in parts]


def _probabilities(
    consensus: Consensus, classes: tuple[str, ...], filled: dict[int, tuple[Label, float]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.floating]] | None:
    """Widen to the classes that only the machine gave; its doubt is spread evenly over the rest."""
    given = consensus.probabilities
    if given is None:
        return None
    wide = np.zeros((len(given), len(classes)), given.dtype)
    wide[:, : given.shape[1]] = given
    for row, (label, confidence) in filled.items():
        if consensus.kind == "single":
            wide[row] = (1 - confidence) / max(len(classes) - 1, 1)
        for name in _names(label):
            wide[row, classes.index(name)] = confidence
    return wide
