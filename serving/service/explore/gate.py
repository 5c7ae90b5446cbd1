"""Back-pressure: so much work at once, a short queue behind it, and beyond that an answer at once.

Work runs in threads of the gate. A thread cannot be ended from outside, so a request that was given
up on (its time ran out, its client left) frees its place only where the work had not begun; work
that is under way keeps its place until it ends. So however many requests come, there is never more
work than places, and memory stays flat.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["Busy", "ClientGone", "Gate", "TooLate"]

T = TypeVar("T")
_LONGEST_WAIT = 60  # seconds that Retry-After names at most


class Busy(Exception):
    """There is no place in the queue.

    Parameters
    ----------
    seconds
        When it is likely worth trying again.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"busy for about {seconds} s")
        self.seconds = seconds


class TooLate(Exception):
    """The work did not end in time; `waited` tells whether it had not even begun."""

    def __init__(self, seconds: float, waited: bool) -> None:
        super().__init__(f"not done in {seconds:g} s")
        self.seconds, self.waited = seconds, waited


class ClientGone(Exception):
    """Whoever asked has left, so nobody waits for an answer."""


class Gate:
    """Threads for one kind of work, and who may wait for them.

    Parameters
    ----------
    name
        For metrics and the names of threads.
    at_once
        How many are at work at the same time.
    queue
        How many more may wait.
    seconds
        How long a request waits for its answer, the queue included.
    prepare
        Called once in each thread before its first work.
    """

    def __init__(
        self,
        name: str,
        *,
        at_once: int,
        queue: int,
        seconds: float,
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        self.name, self.at_once, self.queue, self.seconds = name, at_once, queue, seconds
        self.refused = 0
        self.late = 0
        self._inside = 0  # at work or waiting
        self._typical = 0.5  # seconds of one piece of work, a moving average
        self._lock = threading.Lock()
        self._prepare = prepare
        self._threads = ThreadPoolExecutor(at_once, f"gandt-{name}")
        self._prepared = threading.local()

    @property
    def working(self) -> int:
        """How many are at work."""
        return min(self._inside, self.at_once)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return max(self._inside - self.at_once, 0)

    async def run(
        self,
        work: Callable[[], T],
        gone: Callable[[], Awaitable[object]] | None = None,
        *,
        seconds: float | None = None,
    ) -> T:
        """Do a piece of work in a thread, and give back what it gives or raises.

        Parameters
        ----------
        gone
            Returns when nobody waits for the answer any more.
        seconds
            How long to wait for the answer, where it is not as long as usual.

        Raises
        ------
        Busy
            There is no place; nothing was begun.
        TooLate
            The time is over. Work that was under way goes on and keeps its place.
        ClientGone
            `gone` has returned.
        """
        patience = self.seconds if seconds is None else seconds
        future = self._enter(work)
        answer = asyncio.wrap_future(future)
        left: asyncio.Future[object] | None = None
        if gone is not None:
            left = asyncio.ensure_future(gone())
        try:
            awaited: set[asyncio.Future[Any]] = {answer} if left is None else {answer, left}
            await asyncio.wait(
                awaited,
                timeout=patience,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if answer.done():
                return answer.result()
            waited = future.cancel()  # only where it has not begun
            if left is not None and left.done():
                raise ClientGone
            self.late += 1
            raise TooLate(patience, waited)
        finally:
            future.cancel()
            if not answer.done():
                answer.add_done_callback(_forget)
            if left is not None:
                left.add_done_callback(_forget)
                left.cancel()

    def _enter(self, work: Callable[[], T]) -> Future[T]:
        with self._lock:
            if self._inside >= self.at_once + self.queue:
                self.refused += 1
                ahead = (self._inside / self.at_once) * self._typical
                raise Busy(max(1, min(_LONGEST_WAIT, round(ahead))))
            self._inside += 1
        try:
            future = self._threads.submit(self._timed, work)
        except BaseException:
            self._leave()
            raise
        future.add_done_callback(lambda _: self._leave())
        return future

    def _leave(self) -> None:
        with self._lock:
            self._inside -= 1

    def _timed(self, work: Callable[[], T]) -> T:
        if not getattr(self._prepared, "done", False):
            self._prepare()
            self._prepared.done = True
        began = time.monotonic()
        try:
            return work()
        finally:
            with self._lock:
                self._typical += 0.2 * (time.monotonic() - began - self._typical)

    def close(self) -> None:
        """Begin nothing any more; what is under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _forget(answer: asyncio.Future[Any]) -> None:
    """Nobody waits for this result any more: an error in it is no error of anybody's."""
    if not answer.cancelled():
        answer.exception()
