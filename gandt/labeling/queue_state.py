"""Who has which task, and who gets which next: the state of a queue, in memory.

Every task is for so many people. It is closed when as many have answered, or as many have said that
they cannot (Ground Truth lets an object expire then, too; developer guide, "Worker task
acceptance"). Tasks go out in the order of the manifest, so that the first ones are finished first.
Decoys are taken out of that order and come evenly between the others, at places that differ from
person to person; nobody sees a known image twice. Nothing here reads a clock or a disk.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from gandt.labeling.queue_store import Lease, StoredAnswer
from gandt.labeling.queue_tasks import QueueTask

__all__ = ["QueueState"]


@dataclass(slots=True)
class _Tally:
    """How far a task is."""

    answered: set[int] = field(default_factory=set)  # people
    skipped: set[int] = field(default_factory=set)
    leases: dict[int, Lease] = field(default_factory=dict)  # by person

    def active(self, now: float) -> int:
        return sum(lease.expires > now for lease in self.leases.values())


@dataclass(slots=True)
class _Desk:
    """One person's part of the work."""

    done: list[int] = field(default_factory=list)  # tasks, as they were answered first
    known: set[int] = field(default_factory=set)  # the same, to look up
    skipped: int = 0
    open_done: int = 0  # of them, tasks that others still work on
    seen: dict[str, set[int]] = field(default_factory=dict)  # decoys by name: in which tasks
    first: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    leased: dict[int, Lease] = field(default_factory=dict)


class QueueState:
    """What is handed out and what came back.

    Parameters
    ----------
    tasks
        In the order of the manifest.
    workers
        How many people are to answer each.
    """

    def __init__(self, tasks: Sequence[QueueTask], workers: int) -> None:
        self.tasks = {task.number: task for task in tasks}
        self.workers = workers
        self.open = set(self.tasks)
        self._lists: dict[bool, list[int]] = {
            decoy: [task.number for task in tasks if task.is_decoy is decoy]
            for decoy in (False, True)
        }
        self._tallies: dict[int, _Tally] = {}
        self._desks: dict[int, _Desk] = {}
        self.places = len(self.tasks) * workers  # answers that are still missing
        self.answers = 0
        self.skips = 0

    # ------------------------------------------------------------------------- what came about

    def lease(self, lease: Lease) -> None:
        """Note that a task was handed out."""
        self._tally(lease.task).leases[lease.person] = lease
        desk = self._desk(lease.person)
        desk.leased[lease.task] = lease
        self._see(desk, lease.task, lease.hidden)

    def enter(self, answer: StoredAnswer) -> None:
        """Note an answer, or what replaces it."""
        tally, desk = self._tally(answer.task), self._desk(answer.person)
        tally.leases.pop(answer.person, None)
        desk.leased.pop(answer.task, None)
        self._see(desk, answer.task, answer.hidden)
        before = self._missing(answer.task)
        if answer.task not in desk.known:
            desk.done.append(answer.task)
            desk.known.add(answer.task)
            desk.open_done += answer.task in self.open
        elif answer.person in tally.skipped:
            tally.skipped.discard(answer.person)
            desk.skipped -= 1
            self.skips -= 1
        else:
            tally.answered.discard(answer.person)
            self.answers -= 1
        (tally.skipped if answer.skipped else tally.answered).add(answer.person)
        desk.skipped += bool(answer.skipped)
        self.skips += bool(answer.skipped)
        self.answers += not answer.skipped
        self._close_or_open(answer.task)
        self.places += self._missing(answer.task) - before

    def _missing(self, task: int) -> int:
        return self.workers - len(self._tally(task).answered) if task in self.open else 0

    def _close_or_open(self, task: int) -> None:
        tally = self._tally(task)
        closed = max(len(tally.answered), len(tally.skipped)) >= self.workers
        if closed == (task not in self.open):
            return
        step = -1 if closed else 1
        (self.open.discard if closed else self.open.add)(task)
        for person in tally.answered | tally.skipped:
            self._desk(person).open_done += step
        if not closed:  # an answer became a problem: the task goes out again
            for desk in self._desks.values():
                desk.first = {False: 0, True: 0}

    def _see(self, desk: _Desk, task: int, hidden: Sequence[int]) -> None:
        for position, name in enumerate(self.tasks[task].decoys):
            if name and position not in hidden:
                desk.seen.setdefault(name, set()).add(task)

    def _tally(self, task: int) -> _Tally:
        found = self._tallies.get(task)
        if found is None:
            found = self._tallies[task] = _Tally()
        return found

    def _desk(self, person: int) -> _Desk:
        found = self._desks.get(person)
        if found is None:
            found = self._desks[person] = _Desk()
        return found

    # ----------------------------------------------------------------------------- what is next

    def leased(self, person: int, task: int) -> Lease | None:
        """The lease of a person on a task, even where it ran out; None where there is none."""
        return self._desk(person).leased.get(task)

    def choose(self, person: int, now: float, *, after: int | None = None) -> int | None:
        """Choose a task for a person; None where there is none at this time.

        Parameters
        ----------
        after
            The task in hand: what would follow it is asked for, and nothing is given twice.
        """
        desk = self._desk(person)
        if after is None:
            held = [lease for lease in desk.leased.values() if lease.expires > now]
            if held:
                return min(held, key=lambda lease: (lease.accepted, lease.task)).task
        turn = len(desk.done) + (after is not None)
        due = self._decoy_is_due(person, turn)
        for decoy in (due, not due):
            found = self._first(person, desk, decoy, now, after)
            if found is not None:
                return found
        return None

    def _decoy_is_due(self, person: int, turn: int) -> bool:
        decoys = len(self._lists[True])
        if not decoys:
            return False
        share = decoys / len(self.tasks)
        phase = zlib.crc32(f"turn {person}".encode()) / 2**32
        return int((turn + 1) * share + phase) > int(turn * share + phase)

    def _first(
        self, person: int, desk: _Desk, decoy: bool, now: float, after: int | None
    ) -> int | None:
        numbers = self._lists[decoy]
        at = desk.first[decoy]
        while at < len(numbers) and (numbers[at] in desk.known or numbers[at] not in self.open):
            at += 1
        desk.first[decoy] = at
        # Not everybody begins with the same decoys, or they would be told of at lunch.
        shift = zlib.crc32(f"decoy {person}".encode()) if decoy else 0
        for offset in range(len(numbers) - at):
            number = numbers[at + (offset + shift) % (len(numbers) - at)]
            if number != after and self._fits(person, desk, number, now):
                return number
        return None

    def _fits(self, person: int, desk: _Desk, number: int, now: float) -> bool:
        if number in desk.known or number not in self.open:
            return False
        tally = self._tallies.get(number)
        if tally is not None:
            others = tally.active(now)
            mine = tally.leases.get(person)
            others -= mine is not None and mine.expires > now
            if len(tally.answered) + others >= self.workers:
                return False
        task = self.tasks[number]
        return not task.decoys or len(self.hidden(person, number)) < len(task.asked.names)

    def hidden(self, person: int, number: int) -> tuple[int, ...]:
        """Positions of the images in a task that a person knows from another as decoys."""
        seen, said = self._desk(person).seen, set[str]()
        found = []
        for position, name in enumerate(self.tasks[number].decoys):
            if name and (name in said or seen.get(name, set()) - {number}):
                found.append(position)
            said.add(name)
        return tuple(found)

    # --------------------------------------------------------------------------------- numbers

    def done(self, person: int) -> Sequence[int]:
        """The tasks that a person is through with, in the order of their first answers."""
        return self._desk(person).done

    def skipped(self, person: int) -> int:
        """How many of them the person could not answer."""
        return self._desk(person).skipped

    def has_answered(self, person: int, task: int) -> bool:
        """Whether the person answered a task, and did not say that they cannot."""
        return person in self._tally(task).answered

    def left(self, person: int) -> int:
        """How many tasks there are at most for this person still."""
        return len(self.open) - self._desk(person).open_done

    def in_hand(self, now: float) -> int:
        """How many tasks are being answered."""
        return sum(
            lease.expires > now for desk in self._desks.values() for lease in desk.leased.values()
        )
