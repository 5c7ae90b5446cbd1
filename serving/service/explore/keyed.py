"""Small helpers of those who do the same for many keys from many threads."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

__all__ = ["OneAtATime", "Recent"]

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key, those used last; for several threads.

    Parameters
    ----------
    most
        That may be kept, counted by `weight`.
    weight
        What one value counts; 1 where None.
    """

    def __init__(self, most: int, weight: Callable[[V], int] | None = None) -> None:
        self._most, self._weight = most, weight or (lambda value: 1)
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, V] = OrderedDict()
        self.held = 0  # the weight of all that is kept

    def get(self, key: K) -> V | None:
        """The value, where it is still kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep a value; those that were not asked for longest go."""
        with self._lock:
            if key in self._kept:
                self.held -= self._weight(self._kept.pop(key))
            self._kept[key] = value
            self.held += self._weight(value)
            while self.held > self._most:
                self.held -= self._weight(self._kept.popitem(last=False)[1])


class OneAtATime(Generic[K]):
    """A lock for each key that anybody works on, and for no other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[K, tuple[threading.Lock, int]] = {}

    @contextlib.contextmanager
    def on(self, key: K) -> Iterator[None]:
        """Keep others from working on the same key."""
        with self._lock:
            lock, users = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, users = self._locks.pop(key)
                if users > 1:
                    self._locks[key] = (lock, users - 1)
