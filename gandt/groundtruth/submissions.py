"""What one worker sent for one object becomes votes: one, or one for each tile."""

from __future__ import annotations

from dataclasses import dataclass

from gandt.groundtruth.answer_content import (
    Content,
    SeveralFields,
    Shape,
    decode_content,
    image_size,
)
from gandt.groundtruth.answer_files import Submission
from gandt.groundtruth.answer_labels import Problem, read_label
from gandt.groundtruth.asked_tasks import AskedTask
from gandt.groundtruth.class_names import ClassNames
from gandt.groundtruth.label_values import LeftOut, brief, clean_text, number
from gandt.groundtruth.vote_box import VoteBox

__all__ = ["Sheet", "enter"]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is known of the object that an answer is about."""

    name: str  # of the task, where `task` is not known
    names: ClassNames
    task: AskedTask | None = None
    job: str | None = None
    field: str | None = None  # of the answer, where somebody said which


def enter(box: VoteBox, submission: Submission, sheet: Sheet) -> str | None:
    """Put the votes of a submission into the box; what is odd about it is noted there.

    The time that a worker spent on a tiled task is shared out evenly to its images.

    Returns
    -------
    worker
        None where the submission names nobody and was left out.
    """
    task = sheet.task
    shown = brief(task.names[0] if task is not None and task.names else sheet.name)
    try:
        worker = clean_text(submission.worker)
        if not worker:
            raise LeftOut("unreadable", "the answer has no workerId")
    except LeftOut as error:
        box.note(error.kind, submission.where, f"Task {shown}: {error}; left out.")
        return None
    try:
        content = decode_content(submission.content, sheet.field)
    except LeftOut as error:
        if isinstance(error, SeveralFields):
            box.note_unclear(error)
        reason = f"Worker {worker}, task {shown}: {error}; left out."
        box.note(error.kind, submission.where, reason)
        return worker
    if content.tiles is not None:
        _enter_tiles(box, submission, sheet, worker, content.tiles)
    elif task is not None and task.indexes is not None and len(task.names) != 1:
        box.note(
            "unreadable",
            submission.where,
            f"Worker {worker}, task {shown}: the answer has no field labels-<index> though the "
            "task is tiled; left out.",
        )
    else:
        _enter_one(box, submission, sheet, worker, content)
    return worker


def _enter_one(
    box: VoteBox, submission: Submission, sheet: Sheet, worker: str, content: Content
) -> None:
    task = sheet.task
    name = sheet.name if task is None else task.names[0]
    size = image_size(content)
    if size is not None:
        box.image_sizes.setdefault(name, size)
    vote = _Vote(box, submission, sheet, worker, 1)
    text = None if task is None else task.text
    vote.put(name, content.shape, content.value, content.field, size, text)


def _enter_tiles(
    box: VoteBox, submission: Submission, sheet: Sheet, worker: str, tiles: dict[int, object]
) -> None:
    task = sheet.task
    if task is None or task.indexes is None:
        wanted = {index: f"{sheet.name}/{index}" for index in sorted(tiles)}
        if task is not None and len(tiles) == 1:
            wanted = dict.fromkeys(tiles, task.names[0])
    else:
        wanted = dict(zip(reversed(task.indexes), reversed(task.names), strict=True))
        wanted = dict(sorted(wanted.items()))
        for index in sorted(set(tiles) - set(wanted)):
            reason = f"Worker {worker}: the task has no image {index}; left out."
            box.note("unknown task", submission.where, reason)
    vote = _Vote(box, submission, sheet, worker, len(wanted))
    for index, name in wanted.items():
        vote.put(name, "multi", tiles.get(index, []), "", None, None)


class _Vote:
    """What the votes of one submission have in common."""

    def __init__(
        self, box: VoteBox, submission: Submission, sheet: Sheet, worker: str, images: int
    ) -> None:
        self.box, self.sheet, self.worker, self.where = box, sheet, worker, submission.where
        spent = number(submission.seconds)
        self.seconds = None if spent is None or spent < 0 else spent / max(images, 1)
        time = submission.submitted_at
        self.time = time if isinstance(time, str) and time.isascii() and time else None

    def put(
        self,
        task: str,
        shape: Shape,
        value: object,
        field: str,
        size: tuple[int, int] | None,
        text: str | None,
    ) -> None:
        problems: list[Problem] = []
        try:
            label, problems = read_label(shape, value, self.sheet.names, size=size, text=text)
        except LeftOut as error:
            self._note(task, error.kind, f"{error}; left out")
            return
        for kind, reason in problems:
            self._note(task, kind, reason)
        self.box.add(
            task,
            self.worker,
            label,
            "single" if shape == "text" else shape,
            where=self.where,
            job=self.sheet.job,
            field=field,
            submitted_at=self.time,
            seconds=self.seconds,
        )

    def _note(self, task: str, kind: str, reason: str) -> None:
        self.box.note(kind, self.where, f"Worker {self.worker}, task {brief(task)}: {reason}.")
