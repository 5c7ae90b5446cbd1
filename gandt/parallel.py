"""The same for many things, by threads that mostly wait, in bounded memory."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_order"]

_AHEAD = 4  # calls under way or done and not yet taken, for each thread

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    function: Callable[[T], R], things: Iterable[T], threads: int
) -> Generator[R, None, None]:
    """Yield `function(thing)` for each, in the order of the things.

    Unlike an executor's `map`, this begins no more than it can soon hand out, so that neither the
    calls nor their results pile up. An exception of a call is raised where its result would
    stand; what has not begun by then never begins, as when the caller closes this generator.
    """
    rest = iter(things)
    executor = ThreadPoolExecutor(threads, thread_name_prefix="gandt")
    try:
        begun: deque[Future[R]] = deque(
            executor.submit(function, thing) for thing in itertools.islice(rest, threads * _AHEAD)
        )
        while begun:
            result = begun.popleft().result()
            for thing in itertools.islice(rest, 1):
                begun.append(executor.submit(function, thing))
            yield result
    finally:
        executor.shutdown(cancel_futures=True)
