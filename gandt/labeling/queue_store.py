"""What a queue must not forget, in one SQLite file: people, leases, answers.

An answer is on the disk before `save_answer` returns (write-ahead log, `synchronous=FULL`; see
"Write-Ahead Logging" and "PRAGMA synchronous" in the documentation of SQLite). A lease is written
without waiting for the disk: a killed process loses none, and a power cut costs nobody an answer.
Times are seconds since 1970, UTC. One process holds the file; its threads take turns.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gandt.errors import AnswerError, StorageError

__all__ = ["Lease", "Person", "QueueStore", "StoredAnswer"]

FORMAT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS desk (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS people (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE,
  token TEXT NOT NULL UNIQUE, joined REAL NOT NULL);
CREATE TABLE IF NOT EXISTS leases (
  person INTEGER NOT NULL, task INTEGER NOT NULL, accepted REAL NOT NULL, expires REAL NOT NULL,
  hidden TEXT NOT NULL, PRIMARY KEY (person, task)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
  person INTEGER NOT NULL, task INTEGER NOT NULL, content TEXT NOT NULL, skipped TEXT NOT NULL,
  accepted REAL NOT NULL, submitted REAL NOT NULL, seconds REAL NOT NULL, hidden TEXT NOT NULL,
  revision INTEGER NOT NULL, PRIMARY KEY (person, task)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_by_task ON answers (task);
CREATE TABLE IF NOT EXISTS replaced (
  person INTEGER NOT NULL, task INTEGER NOT NULL, revision INTEGER NOT NULL,
  content TEXT NOT NULL, skipped TEXT NOT NULL, submitted REAL NOT NULL,
  PRIMARY KEY (person, task, revision)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS decisions (
  person INTEGER NOT NULL, task INTEGER NOT NULL, position INTEGER NOT NULL, at REAL NOT NULL,
  PRIMARY KEY (person, task, position)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who answers."""

    id: int
    name: str  # also the `workerId` of the answers
    token: str  # opens the desk as this person


@dataclass(frozen=True, slots=True)
class Lease:
    """A task that was handed to a person, and not answered yet."""

    person: int
    task: int
    accepted: float
    expires: float
    hidden: tuple[int, ...] = ()  # positions of tiles that this person does not get to see


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What a person answered to a task, as it counts now."""

    person: int
    task: int
    content: dict[str, object]  # `answerContent`
    skipped: str  # the reason, where the person could not answer; else ""
    accepted: float
    submitted: float
    seconds: float  # active time
    hidden: tuple[int, ...] = ()
    revision: int = 1  # counts the times that it was sent


class QueueStore:
    """The SQLite file of a queue.

    Raises
    ------
    AnswerError
        Where the file is none of ours or is damaged.
    StorageError
        From every method that writes, where that cannot be done.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        # It holds what opens the desk, so it is for its owner only from its first byte on.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA busy_timeout=5000")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_TABLES)
            format_ = self.setting("format")
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise AnswerError(
                f"{path} cannot be read as the answers of a desk ({error}): put the file back as "
                "it was, or name another --out."
            ) from error
        if format_ is None:
            self.set(format=str(FORMAT))
        elif format_ != str(FORMAT):
            self._db.close()
            raise AnswerError(
                f"{path} has format {format_} and this G&T knows {FORMAT}: use the version that "
                "wrote it."
            )

    def close(self) -> None:
        """Write the log into the file and close it."""
        with suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()

    @contextmanager
    def _transaction(self, *, to_disk: bool) -> Iterator[sqlite3.Connection]:
        try:
            self._db.execute(f"PRAGMA synchronous={'FULL' if to_disk else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise StorageError(
                    f"{self.path} cannot be written ({error}): make room or give access; what was "
                    "accepted before is safe."
                ) from error
            raise

    # -------------------------------------------------------------------------------- settings

    def setting(self, key: str) -> str | None:
        """Read what was set, None where it never was."""
        row = self._db.execute("SELECT value FROM desk WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set(self, **values: str) -> None:
        """Keep settings."""
        with self._transaction(to_disk=True) as db:
            db.executemany("INSERT OR REPLACE INTO desk VALUES (?, ?)", values.items())

    # ---------------------------------------------------------------------------------- people

    def people(self) -> list[Person]:
        """Everybody, in the order in which they joined."""
        rows = self._db.execute("SELECT id, name, token FROM people ORDER BY id")
        return [Person(*row) for row in rows]

    def add_person(self, name: str, folded: str, token: str, now: float) -> Person:
        """Add somebody; names that differ only in case are one person."""
        with self._transaction(to_disk=True) as db:
            db.execute(
                "INSERT INTO people (name, folded, token, joined) VALUES (?, ?, ?, ?)",
                (name, folded, token, now),
            )
        row = self._db.execute(
            "SELECT id, name, token FROM people WHERE folded = ?", (folded,)
        ).fetchone()
        return Person(*row)

    # ---------------------------------------------------------------------------------- leases

    def leases(self) -> list[Lease]:
        """Every lease, those that ran out too."""
        rows = self._db.execute("SELECT person, task, accepted, expires, hidden FROM leases")
        return [
            Lease(person, task, accepted, expires, tuple(json.loads(hidden)))
            for person, task, accepted, expires, hidden in rows
        ]

    def save_lease(self, lease: Lease) -> None:
        """Keep a lease, or its new end."""
        with self._transaction(to_disk=False) as db:
            db.execute(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?)",
                (lease.person, lease.task, lease.accepted, lease.expires, _dump(lease.hidden)),
            )

    # --------------------------------------------------------------------------------- answers

    def answers(self) -> Iterator[StoredAnswer]:
        """Every answer that counts, in the order in which they came."""
        rows = self._db.execute(
            "SELECT person, task, content, skipped, accepted, submitted, seconds, hidden, revision "
            "FROM answers ORDER BY submitted, task, person"
        )
        for row in rows:
            yield _answer(row)

    def answers_to(self, task: int) -> list[StoredAnswer]:
        """The answers to one task, in the order in which they came."""
        rows = self._db.execute(
            "SELECT person, task, content, skipped, accepted, submitted, seconds, hidden, revision "
            "FROM answers WHERE task = ? ORDER BY submitted, person",
            (task,),
        )
        return [_answer(row) for row in rows]

    def answer(self, person: int, task: int) -> StoredAnswer | None:
        """What a person answered to a task."""
        row = self._db.execute(
            "SELECT person, task, content, skipped, accepted, submitted, seconds, hidden, revision "
            "FROM answers WHERE person = ? AND task = ?",
            (person, task),
        ).fetchone()
        return None if row is None else _answer(row)

    def save_answer(self, answer: StoredAnswer, decides: int | None = None) -> None:
        """Keep an answer for good, and end the lease; what it replaces is kept beside it.

        Parameters
        ----------
        decides
            Position of the image that it decides, where a reviewer gave it.
        """
        with self._transaction(to_disk=True) as db:
            db.execute(
                "INSERT OR REPLACE INTO replaced SELECT person, task, revision, content, skipped, "
                "submitted FROM answers WHERE person = ? AND task = ?",
                (answer.person, answer.task),
            )
            db.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(answer.person, answer.task, _dump(answer.content), answer.skipped),
                    *(answer.accepted, answer.submitted, answer.seconds, _dump(answer.hidden)),
                    answer.revision,
                ),
            )
            db.execute(
                "DELETE FROM leases WHERE person = ? AND task = ?", (answer.person, answer.task)
            )
            if decides is not None:
                _decide(db, answer.person, answer.task, decides, answer.submitted)

    # ------------------------------------------------------------------------------- decisions

    def decisions(self) -> list[tuple[int, int, int, float]]:
        """What reviewers decided: person, task, position of the image, and when."""
        rows = self._db.execute("SELECT person, task, position, at FROM decisions")
        return [(person, task, position, at) for person, task, position, at in rows]

    def save_decision(self, person: int, task: int, position: int, now: float) -> None:
        """Note that what this person answered decides."""
        with self._transaction(to_disk=True) as db:
            _decide(db, person, task, position, now)


def _decide(db: sqlite3.Connection, person: int, task: int, position: int, now: float) -> None:
    db.execute(
        "INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?)", (person, task, position, now)
    )


def _dump(value: Iterable[int] | dict[str, object]) -> str:
    return json.dumps(value if isinstance(value, dict) else list(value))


def _answer(row: tuple[int, int, str, str, float, float, float, str, int]) -> StoredAnswer:
    person, task, content, skipped, accepted, submitted, seconds, hidden, revision = row
    return StoredAnswer(
        *(person, task, json.loads(content), skipped, accepted, submitted, seconds),
        hidden=tuple(json.loads(hidden)),
        revision=revision,
    )
