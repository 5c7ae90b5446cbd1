"""A reviewer at a queue: any finished task may be looked at, and what they say decides it.

A decision is an answer of the reviewer like any other in the files of its task; `reviewed.csv`
beside them says that it decides (see `answers_out`).
"""

from __future__ import annotations

from pathlib import Path

from gandt.labeling.queue_base import QueueBase
from gandt.labeling.queue_store import Person, StoredAnswer
from gandt.labeling.queue_values import Assignment, NotYours, Sent

__all__ = ["QueueReview"]


class QueueReview(QueueBase):
    """What a reviewer does at a queue."""

    def look_at(self, person: Person, task: int, position: int = 0) -> Assignment:
        """Show a reviewer any finished task; of tiles the one at a position.

        Raises
        ------
        NotYours
            Where there is no such task, or others still work on it.
        """
        self._check_review(task, position)
        with self._turn:
            self._looking.setdefault((person.id, task, position), self._now())
            before = self._store.answer(person.id, task)
        return Assignment(
            self.tasks[task],
            self._others(task, position),
            0 if before is None else before.revision,
            None if before is None else before.content,
        )

    def responses_to(self, task: int) -> Path:
        """The folder of the answers to a task."""
        return self._out.responses(task)

    def said(self, task: int) -> list[tuple[str, dict[str, object]]]:
        """What people answered to a task, in the order in which they came: who, and the fields."""
        with self._turn:
            names = self._worker_names()
            return [
                (names[answer.person], answer.content)
                for answer in self._store.answers_to(task)
                if not answer.skipped
            ]

    def _check_review(self, task: int, position: int) -> None:
        if task not in self.tasks or not 0 <= position < len(self.tasks[task].asked.names):
            raise NotYours(f"There is no task {task}: take one from the list.")
        if task in self._state.open:
            raise NotYours(f"Task {task} is not finished yet: others still answer it.")

    def _others(self, task: int, position: int) -> tuple[int, ...]:
        asked = self.tasks[task].asked
        if asked.indexes is None:
            return ()
        return tuple(other for other in range(len(asked.names)) if other != position)

    def correct(
        self,
        person: Person,
        task: int,
        content: dict[str, object],
        *,
        position: int = 0,
        revision: int = 0,
        seconds: float | None = None,
    ) -> StoredAnswer:
        """Take a reviewer's answer to a finished task; of tiles that to the one at a position.

        It is one more answer, or replaces what this person answered before; and it decides: the
        label is what they say, whatever the others said. Of several reviewers the last decides.

        Raises
        ------
        NotYours
            Where there is no such task, or others still work on it.
        Conflict
            Where another answer of this person came in between.
        """
        self._check_review(task, position)
        with self._turn:
            before = self._store.answer(person.id, task)
            accepted = self._looking.pop((person.id, task, position), self._now())
            hidden = self._others(task, position)
            if before is not None and hidden:
                kept = {key: value for key, value in before.content.items() if key != "problem"}
                content = {**kept, **content}
                hidden = tuple(sorted(set(before.hidden) & set(hidden)))
            sent = Sent(content, revision, seconds, accepted=accepted, hidden=hidden)
            return self._save(person, task, before, sent, decides=position)
