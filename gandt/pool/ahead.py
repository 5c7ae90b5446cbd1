"""Fetch images from S3 before they are asked for, by many threads, in bounded memory.

A request to S3 takes tens of milliseconds, nearly all of it waiting, while a core decodes an image
in a few: so as many threads wait as requests have to be under way. Local files gain nothing by it
and are read where they are decoded.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from gandt import storage
from gandt.pool.sources import read_item
from gandt.types import Item

__all__ = ["ReadAhead"]

READERS = 32
MAX_BYTES = 1 << 28  # of images that were asked for and not yet taken


class ReadAhead:
    """Readers of one process; started with the first image on S3.

    Images are fetched in the order of the calls to `start`, and should be taken about in that
    order. At most `max_bytes` of them wait at any time, one image excepted that is larger.
    """

    def __init__(self, readers: int = READERS, max_bytes: int = MAX_BYTES) -> None:
        self._readers = readers
        self._started = False
        self._jobs: queue.SimpleQueue[tuple[Item, Future[bytes]] | None] = queue.SimpleQueue()
        self._turn = threading.Lock()
        self._room = threading.Condition()
        self._most = self._free = max_bytes
        self._closed = False
        self._open: set[Future[bytes]] = set()

    def start(self, items: Sequence[Item]) -> list[Callable[[], bytes]]:
        """Begin to fetch images; each function that is returned waits for its image.

        The functions raise what `read_item` raises.
        """
        reads: list[Callable[[], bytes]] = []
        for item in items:
            if not storage.is_remote(item.container or item.uri):
                reads.append(partial(read_item, item))
                continue
            future: Future[bytes] = Future()
            with self._room:
                if self._closed:
                    future.cancel()
                self._open.add(future)
            self._jobs.put((item, future))
            reads.append(partial(self._take, item, future))
        if self._open and not self._started:
            self._started = True
            for number in range(self._readers):
                name = f"gandt-read-{number}"
                threading.Thread(target=self._run, name=name, daemon=True).start()
        return reads

    def close(self) -> None:
        """Drop what has not begun; who waits for it gets `CancelledError`."""
        with self._room:
            self._closed = True
            for future in self._open:
                future.cancel()
            self._room.notify_all()
        self._jobs.put(None)

    def _cost(self, item: Item) -> int:
        return min(max(item.size, 0), self._most)

    def _run(self) -> None:
        while True:
            # One reader at a time looks for room, so that the oldest image has it first: else
            # younger ones could fill the memory that nobody takes before the oldest.
            with self._turn:
                job = self._jobs.get()
                if job is None:
                    self._jobs.put(None)  # for the next reader
                    return
                item, future = job
                self._make_room(self._cost(item))
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(read_item(item))
            except BaseException as error:  # handed to who waits
                future.set_exception(error)

    def _make_room(self, cost: int) -> None:
        with self._room:
            self._room.wait_for(lambda: self._closed or self._free >= cost)
            self._free -= cost

    def _take(self, item: Item, future: Future[bytes]) -> bytes:
        try:
            return future.result()
        finally:
            with self._room:
                self._open.discard(future)
                self._free += self._cost(item)
                self._room.notify_all()
