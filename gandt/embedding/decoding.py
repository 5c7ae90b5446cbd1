"""Read and decode images beside the model, in threads or in processes.

Pillow gives up Python's lock while it decodes and resizes, so threads fill a few cores well and
cost nothing to start: they serve a CPU, where the model needs the cores too. A GPU eats images
faster than one process can hand them out, so there worker processes write pixels straight into
shared memory. Images on S3 are fetched ahead in either case, by threads that only wait.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing.shared_memory import SharedMemory
from typing import Literal, Protocol

import numpy as np

from gandt.errors import BadImage, GandtError
from gandt.pool.ahead import ReadAhead
from gandt.pool.decode import decode
from gandt.pool.sources import Unavailable
from gandt.types import Embedded, Item, Pixels, Preprocessing

__all__ = ["Decoder", "DecodingOptions", "Picture", "cores", "start_decoder"]

CHUNK = 16  # images that one worker takes at a time


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How pixels are made; the same for every image of an index."""

    preprocessing: Preprocessing
    exact: bool
    max_pixels: int


@dataclass(frozen=True, slots=True)
class Picture:
    """An image read and decoded, or the reason why it could not be."""

    item: Item
    image: Embedded | None
    pixels: Pixels | None  # (size, size, 3)
    reason: str = ""


class Decoder(Protocol):
    """Turns chunks of items into pictures, several at a time, each chunk in its own order."""

    @property
    def workers(self) -> int:
        """Number of threads or processes."""

    @property
    def capacity(self) -> int:
        """Number of chunks that may be under way at once."""

    def submit(self, items: Sequence[Item]) -> Callable[[], list[Picture]]:
        """Begin a chunk of at most `CHUNK` items; the result waits for it."""

    def close(self) -> None:
        """Stop the workers, dropping what has not begun."""


def cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start_decoder(
    options: DecodingOptions,
    *,
    workers: int | None = None,
    kind: Literal["threads", "processes"] = "threads",
) -> Decoder:
    """Start the workers: by default one per core, and at least one."""
    count = workers or cores()
    if kind == "threads":
        return _Threads(options, count)
    return _Processes(options, count)


def _picture(item: Item, read: Callable[[], bytes], options: DecodingOptions) -> Picture:
    try:
        data = read()
        decoded = decode(
            data, options.preprocessing, exact=options.exact, max_pixels=options.max_pixels
        )
    except Unavailable as error:
        # Without a version it counts as changed in the next run, which so tries it again.
        return Picture(replace(item, version=""), None, None, str(error))
    except BadImage as error:
        return Picture(item, None, None, str(error))
    except MemoryError:
        return Picture(item, None, None, "not enough memory to decode it")
    known = Embedded(item, hashlib.sha256(data).hexdigest(), decoded.width, decoded.height)
    return Picture(item, known, decoded.pixels)


class _Threads:
    def __init__(self, options: DecodingOptions, workers: int) -> None:
        self.workers = workers
        self.capacity = 1024  # pixels of a finished chunk are all that a waiting one costs
        self._options = options
        self._ahead = ReadAhead()
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="gandt-decode")

    def submit(self, items: Sequence[Item]) -> Callable[[], list[Picture]]:
        chunk = list(items)
        reads = self._ahead.start(chunk)
        future = self._executor.submit(
            lambda: [
                _picture(item, read, self._options) for item, read in zip(chunk, reads, strict=True)
            ]
        )
        return future.result

    def close(self) -> None:
        self._ahead.close()
        self._executor.shutdown(wait=True, cancel_futures=True)


class _Processes:
    """Worker processes that write into a ring of shared-memory slabs, one slab a chunk."""

    def __init__(self, options: DecodingOptions, workers: int) -> None:
        self.workers = workers
        size = options.preprocessing.size
        self._shape = (CHUNK, size, size, 3)
        length = int(np.prod(self._shape))
        self.capacity = 4 * workers
        self._slabs = [SharedMemory(create=True, size=length) for _ in range(self.capacity)]
        self._free: queue.SimpleQueue[SharedMemory] = queue.SimpleQueue()
        for slab in self._slabs:
            self._free.put(slab)
        self._executor = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(options, os.getpid()),
        )

    def submit(self, items: Sequence[Item]) -> Callable[[], list[Picture]]:
        chunk = list(items)
        slab = self._free.get_nowait()
        future = self._executor.submit(_fill, slab.name, chunk)
        return lambda: self._collect(future, slab)

    def _collect(self, future: Future[list[Picture]], slab: SharedMemory) -> list[Picture]:
        try:
            bare = future.result()
        except BrokenProcessPool as error:
            raise GandtError(
                "a decoding process was killed, most likely for lack of memory; run again with "
                "fewer --decode-workers."
            ) from error
        pixels: Pixels = np.ndarray(self._shape, dtype=np.uint8, buffer=slab.buf).copy()
        self._free.put(slab)
        return [
            Picture(
                picture.item,
                picture.image,
                pixels[place] if picture.image else None,
                picture.reason,
            )
            for place, picture in enumerate(bare)
        ]

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)
        for slab in self._slabs:
            slab.close()
            slab.unlink()


_worker_options: DecodingOptions | None = None
_worker_ahead = ReadAhead(readers=CHUNK)
_attached: dict[str, SharedMemory] = {}


def _start_worker(options: DecodingOptions, parent: int) -> None:
    global _worker_options
    _worker_options = options
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: int) -> None:
    """End this worker when its parent was killed; nobody else would."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _fill(slab_name: str, items: Sequence[Item]) -> list[Picture]:
    assert _worker_options is not None
    slab = _attached.get(slab_name)
    if slab is None:
        slab = _attached[slab_name] = SharedMemory(name=slab_name)
    size = _worker_options.preprocessing.size
    pixels = np.ndarray((CHUNK, size, size, 3), dtype=np.uint8, buffer=slab.buf)
    out = []
    reads = _worker_ahead.start(items)
    for place, (item, read) in enumerate(zip(items, reads, strict=True)):
        picture = _picture(item, read, _worker_options)
        if picture.pixels is not None:
            pixels[place] = picture.pixels
        out.append(Picture(picture.item, picture.image, None, picture.reason))
    return out
