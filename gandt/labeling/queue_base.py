"""What every part of a queue stands on: its folder and state, the people, and the one way to save.

`queue.Queue` hands out tasks and takes answers; what a reviewer does is in `queue_review`.
"""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from hmac import compare_digest

from gandt.errors import UsageError
from gandt.labeling.answers_out import AnswersFolder
from gandt.labeling.queue_pace import Pace
from gandt.labeling.queue_state import QueueState
from gandt.labeling.queue_store import Person, QueueStore, StoredAnswer
from gandt.labeling.queue_tasks import QueueTask
from gandt.labeling.queue_values import Conflict, Sent
from gandt.labeling.queue_words import clean_name, problem_of

__all__ = ["QueueBase"]

_JUST = 3.0  # seconds


class QueueBase:
    """The parts of a queue that its methods share; one turn at a time."""

    def __init__(
        self,
        store: QueueStore,
        out: AnswersFolder,
        tasks: Sequence[QueueTask],
        labels: tuple[str, ...],
        page: str,
        template: str,
        *,
        labels_origin: str = "",
        workers: int = 1,
        lease: float = 900.0,
        examples: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
        on_close: Callable[[], object] = lambda: None,
    ) -> None:
        self.tasks = {task.number: task for task in tasks}
        self.labels, self.labels_origin = labels, labels_origin
        self.page, self.template = page, template
        self.workers, self.lease_seconds, self.examples = workers, lease, tuple(examples)
        self.folder = out.root
        self._store, self._out, self._clock, self._on_close = store, out, clock, on_close
        self._turn = threading.RLock()
        self._people = {person.id: person for person in store.people()}
        self._paces: dict[int, Pace] = {}
        self._saved: dict[int, float] = {}  # people, when their last answer was kept
        self._decisions = {
            (person, task, position): at for person, task, position, at in store.decisions()
        }
        self._state = QueueState(tasks, workers)
        self._looking: dict[tuple[int, int, int], float] = {}  # reviewers, since when
        self.changes, self._last = 0, 0.0  # answers taken since it was opened; the last time said
        answers = list(store.answers())
        for answer in sorted(answers, key=lambda answer: answer.accepted):  # as they came first
            self._state.enter(answer)
        for held in store.leases():
            self._state.lease(held)
        by_task = sorted(answers, key=lambda answer: answer.task)
        grouped = itertools.groupby(by_task, key=lambda answer: answer.task)
        self.repaired = out.repair(
            ((task, list(given)) for task, given in grouped), self._worker_names()
        )
        self._write_decisions()
        self._opened_with = self._state.answers + self._state.skips

    def close(self) -> None:
        """List what could not be answered, close the database, and give the folder free."""
        with self._turn:
            try:
                listed = [(", ".join(t.asked.names), who, why) for t, who, why in self.problems()]
                self._out.write_problems(listed)
            finally:
                self._store.close()
                self._on_close()

    def _now(self) -> float:
        """The time; it never runs backwards, so that answers stay in their order."""
        self._last = max(self._last, self._clock())
        return self._last

    def _worker_names(self) -> dict[int, str]:
        return {person.id: person.name for person in self._people.values()}

    @property
    def secret(self) -> str:
        """A random text of this folder, which nobody outside knows."""
        return self._store.setting("secret") or ""

    def remembered(self, key: str) -> str | None:
        """What `remember` kept for the next opening."""
        return self._store.setting(f"desk-{key}")

    def remember(self, key: str, value: str) -> None:
        """Keep a setting of the desk itself for the next opening."""
        with self._turn:
            self._store.set(**{f"desk-{key}": value})

    # ---------------------------------------------------------------------------------- people

    @property
    def people(self) -> list[Person]:
        """Everybody, in the order in which they joined."""
        return list(self._people.values())

    def join(self, name: str) -> Person:
        """Find somebody by name, or add them.

        Raises
        ------
        UsageError
            Where the name cannot stand for a person.
        """
        shown = clean_name(name)
        with self._turn:
            for person in self._people.values():
                if person.name.casefold() == shown.casefold():
                    return person
            if shown.startswith(("=", "+", "-", "@")):
                raise UsageError(
                    f"The name {shown} begins as a formula of a spreadsheet does: begin it with a "
                    "letter."
                )
            token = secrets.token_urlsafe(24)
            person = self._store.add_person(shown, shown.casefold(), token, self._now())
            self._people[person.id] = person
            return person

    def person_of(self, token: str) -> Person | None:
        """Find somebody by the token of their link; every token is compared, in constant time."""
        given = token.encode("utf-8", "replace")
        found = None
        for person in self.people:
            if compare_digest(person.token.encode(), given):
                found = person
        return found

    # ---------------------------------------------------------------------------------- saving

    def problems(self) -> list[tuple[QueueTask, str, str]]:
        """Tasks that people could not answer: the task, who, and why."""
        with self._turn:
            names = self._worker_names()
            return [
                (self.tasks[answer.task], names[answer.person], answer.skipped)
                for answer in self._store.answers()
                if answer.skipped
            ]

    def just_saved(self, person: Person) -> bool:
        """Whether an answer of this person was kept a moment ago."""
        with self._turn:
            at = self._saved.get(person.id)
            return at is not None and self._now() - at < _JUST

    def _save(
        self,
        person: Person,
        task: int,
        before: StoredAnswer | None,
        sent: Sent,
        *,
        decides: int | None = None,
    ) -> StoredAnswer:
        """Keep what was sent; where it decides, for the image at that position."""
        now, skipped = self._now(), sent.skipped or problem_of(sent.content)
        if before is not None and (before.content, before.skipped) == (sent.content, skipped):
            answer = before  # sent again: the reply was lost, or nothing was changed
            if decides is not None and (person.id, task, decides) not in self._decisions:
                self._store.save_decision(person.id, task, decides, now)
                self._decisions[person.id, task, decides] = now
                self.changes += 1
        elif before is not None and before.revision != sent.revision:
            raise Conflict(
                f"{person.name} answered task {task} in another window: load the page again."
            )
        else:
            passed = max(0.0, now - sent.accepted)
            spent = 0.0 if before is None else before.seconds
            spent += passed if sent.seconds is None and before is None else sent.seconds or 0.0
            answer = StoredAnswer(
                *(person.id, task, sent.content, skipped, sent.accepted, now),
                seconds=min(max(spent, 0.0), passed),
                hidden=sent.hidden,
                revision=1 if before is None else before.revision + 1,
            )
            self._store.save_answer(answer, decides)
            self._state.enter(answer)
            if decides is not None:
                self._decisions[person.id, task, decides] = now
            self.changes += 1
            if before is None:
                self._paces.setdefault(person.id, Pace()).answered(now)
        self._out.write(task, self._store.answers_to(task), self._worker_names())
        if decides is not None or any(key[:2] == (person.id, task) for key in self._decisions):
            self._write_decisions()
        self._saved[person.id] = now
        return answer

    def _write_decisions(self) -> None:
        names = self._worker_names()
        made = sorted(self._decisions.items(), key=lambda decision: (decision[1], decision[0]))
        self._out.write_reviewed(
            [
                (self.tasks[task].asked.names[position], names[person])
                for (person, task, position), _ in made
                if task in self.tasks and self._state.has_answered(person, task)
            ]
        )
