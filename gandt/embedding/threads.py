"""Run torch operations on a part of the cores, so that several callers share a CPU side by side.

Threads that share an operation meet at its end, and one that lost its core to something else makes
all wait; operations side by side do not. torch's setting leaks: a thread started later inherits
what the last caller set. So it is put back when a block ends.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["one_thread", "share_cores"]

_lock = threading.Lock()
_inside = 0  # callers within a block
_normal = 1  # threads an operation had before the first of them came


@contextmanager
def one_thread() -> Iterator[None]:
    """Give the calling thread's torch operations one core while the block runs."""
    import torch

    global _inside, _normal
    with _lock:
        if _inside == 0:
            _normal = torch.get_num_threads()
        _inside += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            torch.set_num_threads(_normal)


def share_cores(callers: int) -> None:
    """Give the calling thread its part of the cores, where so many threads compute at once.

    Without it each would start as many helpers as there are cores, and they would wait for each
    other. To be called once in each of these threads, before its first torch or faiss operation.
    """
    import faiss
    import torch

    from gandt.embedding.decoding import cores

    part = max(1, cores() // callers)
    with _lock:
        threads = min(part, _normal if _inside else torch.get_num_threads())
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
