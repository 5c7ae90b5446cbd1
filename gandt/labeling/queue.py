"""The local queue: a manifest's tasks to people, their answers to a folder that cannot lose any.

`queue_open.open_queue` makes or opens the folder; `Queue` hands out tasks and takes answers. An
answer counts once it is in the database (`queue_store`), and is then in the folder's files as well
(`answers_out`), before anybody is told that it was saved. A person and a task have one answer: what
is sent again changes nothing, and what is corrected replaces it. All methods may be called from any
thread.
"""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from hmac import compare_digest

from gandt.labeling.answers_out import AnswersFolder
from gandt.labeling.queue_pace import Pace, time_left
from gandt.labeling.queue_state import QueueState
from gandt.labeling.queue_store import Lease, Person, QueueStore, StoredAnswer
from gandt.labeling.queue_tasks import QueueTask
from gandt.labeling.queue_values import Assignment, Conflict, NotYours, Progress, Sent, Summary
from gandt.labeling.queue_words import clean_name, problem_of

__all__ = ["Queue"]


class Queue:
    """Tasks to people, answers to the folder; made by `open_queue`, closed by `close`."""

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

    # ----------------------------------------------------------------------------------- tasks

    def next(self, person: Person) -> Assignment | None:
        """Hand out the next task; the same one until it is answered or its lease runs out."""
        with self._turn:
            now = self._now()
            number = self._state.choose(person.id, now)
            if number is None:
                return None
            lease = self._state.leased(person.id, number)
            if lease is None or lease.expires <= now:
                hidden = self._state.hidden(person.id, number)
                lease = Lease(person.id, number, now, now + self.lease_seconds, hidden)
                self._keep(lease)
            return Assignment(self.tasks[number], lease.hidden, 0, None)

    def peek(self, person: Person, task: int) -> QueueTask | None:
        """What would follow this task, to load its images ahead; nothing is promised by it."""
        with self._turn:
            number = self._state.choose(person.id, self._now(), after=task)
        return None if number is None else self.tasks[number]

    def again(self, person: Person, task: int) -> Assignment:
        """Give a task back to the person who answered it.

        Raises
        ------
        NotYours
            Where this person did not.
        """
        with self._turn:
            answer = self._store.answer(person.id, task) if task in self.tasks else None
        if answer is None:
            raise NotYours(f"{person.name} has not answered task {task}: take the next one.")
        said = answer.content or {"problem": answer.skipped}
        return Assignment(self.tasks[task], answer.hidden, answer.revision, said)

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

    def before(self, person: Person, task: int | None = None) -> int | None:
        """The task that this person answered before another, or last of all."""
        with self._turn:
            done = self._state.done(person.id)
            at = done.index(task) if task in done else len(done)
            return done[at - 1] if at > 0 else None

    def after(self, person: Person, task: int) -> int | None:
        """The task that this person answered after another; None after the last."""
        with self._turn:
            done = self._state.done(person.id)
            at = done.index(task) + 1 if task in done else len(done)
            return done[at] if at < len(done) else None

    def renew(self, person: Person, task: int) -> bool:
        """Keep a task for the person who is at it; whether it was theirs."""
        with self._turn:
            lease, now = self._state.leased(person.id, task), self._now()
            if lease is None:
                return False
            if lease.expires - now < 0.75 * self.lease_seconds:
                renewed = now + self.lease_seconds
                self._keep(Lease(person.id, task, lease.accepted, renewed, lease.hidden))
            return True

    def _keep(self, lease: Lease) -> None:
        self._store.save_lease(lease)
        self._state.lease(lease)

    # --------------------------------------------------------------------------------- answers

    def answer(
        self,
        person: Person,
        task: int,
        content: dict[str, object],
        *,
        revision: int = 0,
        seconds: float | None = None,
        skipped: str = "",
    ) -> StoredAnswer:
        """Take an answer. When this returns, it cannot be lost.

        The same answer sent again changes nothing. Late is better than never: an answer counts
        even where its lease ran out.

        Parameters
        ----------
        content
            The fields of the page's form, as they go into `answerContent`.
        revision
            That of the answer which the page showed, 0 where it showed none.
        seconds
            Active time, at most that since the task was handed out.
        skipped
            Why there is no answer, where the page has no field for it.

        Raises
        ------
        NotYours
            Where the task was never handed to this person.
        Conflict
            Where another answer came in between, from another window.
        """
        with self._turn:
            before = self._store.answer(person.id, task) if task in self.tasks else None
            lease = self._state.leased(person.id, task)
            if before is None and lease is None:
                raise NotYours(f"Task {task} was not given to {person.name}: load the page again.")
            held = before or lease
            assert held is not None
            sent = Sent(content, revision, held.accepted, held.hidden, seconds, skipped)
            return self._save(person, task, before, sent)

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

        It is one more answer, or replaces what this person answered before.

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
            sent = Sent(content, revision, accepted, hidden, seconds)
            return self._save(person, task, before, sent)

    def _save(
        self, person: Person, task: int, before: StoredAnswer | None, sent: Sent
    ) -> StoredAnswer:
        now, skipped = self._now(), sent.skipped or problem_of(sent.content)
        if before is not None and (before.content, before.skipped) == (sent.content, skipped):
            answer = before  # sent again: the reply was lost, or nothing was changed
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
            self._store.save_answer(answer)
            self._state.enter(answer)
            self.changes += 1
            if before is None:
                self._paces.setdefault(person.id, Pace()).answered(now)
        self._out.write(task, self._store.answers_to(task), self._worker_names())
        return answer

    # ---------------------------------------------------------------------------------- numbers

    def progress(self, person: Person) -> Progress:
        """Where this person and all of them stand."""
        with self._turn:
            now, state = self._now(), self._state
            pace = self._paces.get(person.id)
            own = None if pace is None else pace.seconds
            paces = [p.seconds for p in self._paces.values() if p.at_work(now) and p.seconds]
            left = state.left(person.id)
            return Progress(
                done=len(state.done(person.id)),
                skipped=state.skipped(person.id),
                left=left,
                seconds_each=own,
                seconds_left=time_left(left, state.places, own, paces),
                answers=state.answers,
                places=state.places,
                people=sum(bool(state.done(other.id)) for other in self.people),
                in_hand=state.in_hand(now),
            )

    def finished(self) -> list[int]:
        """The tasks that nobody has to answer any more, in their order."""
        with self._turn:
            return [number for number in self.tasks if number not in self._state.open]

    def summary(self) -> Summary:
        """What was answered so far."""
        with self._turn:
            state = self._state
            return Summary(
                folder=str(self.folder),
                page=self.page,
                labels=self.labels,
                tasks=len(self.tasks),
                finished=len(self.tasks) - len(state.open),
                answers=state.answers,
                new=state.answers + state.skips - self._opened_with,
                skipped=state.skips,
                missing=state.places,
                people={
                    person.name: {
                        "answers": len(state.done(person.id)) - state.skipped(person.id),
                        "skipped": state.skipped(person.id),
                    }
                    for person in self.people
                },
            )

    def problems(self) -> list[tuple[QueueTask, str, str]]:
        """Tasks that people could not answer: the task, who, and why."""
        with self._turn:
            names = self._worker_names()
            return [
                (self.tasks[answer.task], names[answer.person], answer.skipped)
                for answer in self._store.answers()
                if answer.skipped
            ]
