"""The local queue: a manifest's tasks to people, their answers to a folder that cannot lose any.

`queue_open.open_queue` makes or opens the folder; `Queue` hands out tasks and takes answers. An
answer counts once it is in the database (`queue_store`), and is then in the folder's files as well
(`answers_out`), before anybody is told that it was saved. A person and a task have one answer: what
is sent again changes nothing, and what is corrected replaces it. All methods may be called from any
thread.
"""

from __future__ import annotations

from gandt.labeling.queue_pace import time_left
from gandt.labeling.queue_review import QueueReview
from gandt.labeling.queue_store import Lease, Person, StoredAnswer
from gandt.labeling.queue_tasks import QueueTask
from gandt.labeling.queue_values import Assignment, NotYours, Progress, Sent, Summary

__all__ = ["Queue"]


class Queue(QueueReview):
    """Tasks to people, answers to the folder; made by `open_queue`, closed by `close`."""

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
            sent = Sent(content, revision, seconds, skipped, held.accepted, held.hidden)
            return self._save(person, task, before, sent)

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
