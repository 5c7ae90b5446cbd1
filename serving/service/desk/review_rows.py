"""Finished tasks with what people made of them: the label, how sure it is, who said what.

Reads the folder of a queue as `gandt aggregate` would, so that a reviewer sees what will come out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gandt.aggregation.aggregate import aggregate
from gandt.aggregation.decisions import CONFIDENCE
from gandt.answers import Box, Label, Mask, Span
from gandt.errors import AnswerError
from gandt.groundtruth.responses import read_answers
from gandt.labeling.queue import Queue
from gandt.labeling.queue_store import Person

__all__ = ["ReviewRow", "no_rows", "review_rows", "with_decision"]

NOTHING = "(nothing)"  # a complete answer without a label


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One image or text."""

    task: int
    position: int  # of the image in a tiled task
    name: str
    image: str | None  # its URI
    text: str | None
    label: str  # in words
    confidence: float
    agreement: float  # share of the votes that equal the label
    votes: tuple[tuple[str, str], ...]  # who, and what
    known: bool  # a planted answer
    reviewer: str = ""  # who decided it; "" where nobody did

    @property
    def disputed(self) -> bool:
        """Whether people said different things and nobody decided."""
        return self.agreement < 1 and not self.reviewer


def review_rows(queue: Queue) -> list[ReviewRow]:
    """Give the finished ones, by label, the least sure first.

    Raises
    ------
    AnswerError
        Where the answers cannot be made into labels.
    """
    finished = queue.finished()
    if not finished:
        return []
    answers = read_answers([str(queue.folder)])
    if not len(answers):
        return []
    consensus = aggregate(
        answers,
        gold=dict(answers.gold) or None,
        classes=answers.classes or None,
        tasks=answers.tasks or None,
    )
    votes: dict[str, list[tuple[str, str]]] = {}
    for task, worker, label in zip(answers.task, answers.worker, answers.label, strict=True):
        votes.setdefault(task, []).append((worker, words(label)))
    places = dict(_places(queue, finished))
    labels = consensus.labels
    rows = []
    for at, name in enumerate(labels["task"]):
        if name not in places or labels["label"][at] is None:
            continue
        number, position, image, text = places[name]
        rows.append(
            ReviewRow(
                task=number,
                position=position,
                name=name,
                image=image,
                text=text,
                label=words(labels["label"][at]),
                confidence=float(labels["confidence"][at]),
                agreement=float(labels["agreement"][at]),
                votes=tuple(votes.get(name, ())),
                known=labels["source"][at] == "gold",
                reviewer=(labels["reviewed_by"][at] or "") if "reviewed_by" in labels else "",
            )
        )
    return _in_order(rows)


def with_decision(
    queue: Queue, rows: list[ReviewRow], reviewer: Person, task: int, position: int
) -> list[ReviewRow]:
    """The rows after one more decision, without making all of them again.

    The row comes from the files of its task; only how sure the others were is as it was before.
    """
    before = next((r for r in rows if (r.task, r.position) == (task, position)), None)
    if before is None:
        return rows
    try:
        answers = read_answers([str(queue.responses_to(task))])
    except AnswerError:
        return rows  # it is saved; what cannot be read of it is said when the rows are made again
    said = [
        (worker, label)
        for name, worker, label in zip(answers.task, answers.worker, answers.label, strict=True)
        if name == before.name
    ]
    decided = next((label for worker, label in said if worker == reviewer.name), None)
    if decided is None:
        return rows
    votes = tuple((worker, words(label)) for worker, label in said)
    if before.known:  # as `gandt aggregate` has it: what is known stands
        agreement = sum(what == before.label for _, what in votes) / len(votes)
        after = replace(before, agreement=agreement, votes=votes)
        return _in_order([after if row is before else row for row in rows])
    agreeing = sum(label == decided for _, label in said)
    label = words(decided)
    after = replace(
        before,
        label=label,
        confidence=before.confidence if label == before.label else 0.0,
        agreement=agreeing / len(said),
        votes=votes,
        reviewer=reviewer.name,
    )
    after = replace(after, confidence=max(after.confidence, CONFIDENCE))
    return _in_order([after if row is before else row for row in rows])


def _in_order(rows: list[ReviewRow]) -> list[ReviewRow]:
    sizes = Counter(row.label for row in rows)
    return sorted(
        rows, key=lambda row: (-sizes[row.label], row.label, row.confidence, row.task, row.position)
    )


def _places(
    queue: Queue, finished: list[int]
) -> Iterator[tuple[str, tuple[int, int, str | None, str | None]]]:
    for number in reversed(finished):  # of a name that is there twice the first counts
        asked = queue.tasks[number].asked
        images = asked.references or (str(asked.record.get("source-ref") or ""),)
        for position, name in enumerate(asked.names):
            image = None if asked.text is not None else images[position]
            yield name, (number, position, image, asked.text)


def words(label: Label) -> str:
    """Say a label in few words."""
    if isinstance(label, str):
        return label
    if isinstance(label, Mask):
        return "a mask"
    counts = Counter(part.label if isinstance(part, Box | Span) else part for part in label)
    shaped = any(isinstance(part, Box | Span) for part in label)
    listed = (f"{count} {name}" if shaped else name for name, count in sorted(counts.items()))
    return ", ".join(listed) or NOTHING


def no_rows(error: AnswerError) -> str:
    """Say why there is nothing to see."""
    return f"The answers so far make no labels yet. {error}"
