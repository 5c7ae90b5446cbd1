"""What a queue gives out: a task in somebody's hands, numbers, and two ways to refuse."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from gandt.errors import AnswerError
from gandt.labeling.queue_tasks import QueueTask

__all__ = ["Assignment", "Conflict", "NotYours", "Progress", "Sent", "Summary"]


class NotYours(AnswerError):
    """The task was never handed to this person."""


class Conflict(AnswerError):
    """Another answer of this person to the task came first."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A task in the hands of a person."""

    task: QueueTask
    hidden: tuple[int, ...]  # positions of tiles that are not shown
    revision: int  # of the answer that this person gave before; 0 for none
    previous: dict[str, object] | None  # that answer


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a person and all of them stand."""

    done: int  # tasks that this person is through with
    skipped: int  # of them, those that could not be answered
    left: int  # tasks that this person could get still
    seconds_each: float | None  # from one answer to the next
    seconds_left: float | None
    answers: int  # of all people
    places: int  # answers that are missing
    people: int  # who answered anything
    in_hand: int  # tasks that somebody has at this moment


@dataclass(frozen=True, slots=True)
class Sent:
    """What a page sent, and when and how the task was shown."""

    content: dict[str, object]
    revision: int
    seconds: float | None = None
    skipped: str = ""
    accepted: float = 0.0
    hidden: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """What a folder holds, for the end of a session and for machines."""

    folder: str
    page: str
    labels: tuple[str, ...]
    tasks: int
    finished: int  # tasks that nobody has to answer any more
    answers: int
    new: int  # answers and skips since the folder was opened
    skipped: int  # times that somebody could not answer
    missing: int  # answers
    people: dict[str, dict[str, int]]  # by name: `answers` and `skipped`

    @property
    def active(self) -> int:
        """How many people did anything."""
        return sum(any(counts.values()) for counts in self.people.values())

    def as_json(self) -> dict[str, object]:
        """The same, to be printed."""
        return asdict(self)
