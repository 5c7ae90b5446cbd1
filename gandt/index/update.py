"""Bring an index up to date with its pool: embed what is new or changed, mark what is gone."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from gandt.embedding.decoding import Decoder, DecodingOptions, start_decoder
from gandt.embedding.extractor import extract
from gandt.index.card import IndexCard
from gandt.index.writer import SHARD_ROWS, SHARD_SECONDS, IndexWriter
from gandt.pool.sources import Pool
from gandt.types import Embedder, Item

__all__ = ["Progress", "UpdateReport", "update_index"]

LISTED_AHEAD = 1_000_000  # items, some 300 MB; a pool up to this size has a known total early
RATE_WINDOW = 20.0  # seconds over which images/s is measured
RATE_LEAST = 1.0  # seconds after the first batch, before which images/s is not known


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands."""

    total: int | None  # images to embed; None until the whole pool is listed
    embedded: int
    known: int  # in the index already, unchanged
    rejected: int  # in this run
    seconds: float
    images_per_second: float  # of late, without the start of the run; 0 where not known yet
    waiting: float  # share of the time, in [0, 1], that the model waited for images

    @property
    def seconds_left(self) -> float | None:
        """Estimate of what remains; None while the total or the rate is not known."""
        if self.total is None or self.images_per_second <= 0:
            return None
        return max(0, self.total - self.embedded - self.rejected) / self.images_per_second


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What a run did."""

    progress: Progress
    gone: int  # images that left the pool and are no longer searched
    rejected_in_all: int  # images that are rejected at present, earlier runs included
    skipped_rejected: int  # of those, not tried again in this run
    problems: tuple[tuple[str, str], ...]  # what could not be listed: URI and reason
    ignored: dict[str, int]  # files in folders that are no images, by suffix


class _Ahead:
    """Run an iterator in a thread, a bounded number of values ahead; counts them."""

    def __init__(self, values: Iterable[Item]) -> None:
        self._queue: queue.Queue[Item | None] = queue.Queue(LISTED_AHEAD)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self.count = 0
        self.complete = False
        self._thread = threading.Thread(target=self._run, args=(values,), daemon=True)
        self._thread.start()

    def _run(self, values: Iterable[Item]) -> None:
        try:
            for value in values:
                self.count += 1
                self._put(value)
                if self._stop.is_set():
                    return
            self.complete = True
        except BaseException as error:  # handed to the consumer
            self._error = error
        finally:
            self._put(None)

    def _put(self, value: Item | None) -> None:
        while not self._stop.is_set():
            try:
                return self._queue.put(value, timeout=0.2)
            except queue.Full:
                continue

    def __iter__(self) -> Iterator[Item]:
        while (value := self._queue.get()) is not None:
            yield value
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def update_index(
    pool: Pool,
    embedder: Embedder,
    folder: Path,
    *,
    exact: bool = False,
    max_pixels: int = 200_000_000,
    retry_rejected: bool = False,
    decode_workers: int | None = None,
    decode_in: Literal["auto", "threads", "processes"] = "auto",
    shard_rows: int = SHARD_ROWS,
    shard_seconds: float = SHARD_SECONDS,
    publish: Callable[[Path], None] = lambda path: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> UpdateReport:
    """Embed every image of the pool that the index lacks.

    Killed at any moment, it leaves whole shards, and the next call goes on where it stopped.

    Parameters
    ----------
    exact
        Decode by the model's literal transform instead of the fast one.
    retry_rejected
        Try images again that earlier runs rejected; otherwise only when they have changed.
    decode_in
        `"auto"` takes processes beside a GPU, which eats faster than one process can serve, and
        threads elsewhere.
    publish
        See `IndexWriter`.
    on_progress
        Called after every batch, in the caller's thread.

    Raises
    ------
    StorageError
        S3 serves nothing at all, or a file cannot be written; what was embedded before is kept.
    ModelMismatch
        The folder holds the vectors of another model.
    IndexFolderError
        Another process writes to the folder.
    """
    card = IndexCard(embedder.card, "exact" if exact else "fast")
    options = DecodingOptions(embedder.card.preprocessing, exact, max_pixels)
    known = skipped = embedded = rejected = 0
    waited = 0.0

    with IndexWriter(
        folder, card, shard_rows=shard_rows, shard_seconds=shard_seconds, publish=publish
    ) as writer:

        def pending() -> Iterator[Item]:
            nonlocal known, skipped
            for item in pool:
                status = writer.status(item)
                if status == "embedded":
                    known += 1
                elif status == "rejected" and not retry_rejected:
                    skipped += 1
                else:
                    yield item

        started = time.perf_counter()
        recent: deque[tuple[float, int]] = deque()
        ahead = _Ahead(pending())

        def progress() -> Progress:
            now = time.perf_counter()
            recent.append((now, embedded + rejected))
            while len(recent) > 2 and recent[0][0] < now - RATE_WINDOW:
                recent.popleft()
            seconds, images = now - recent[0][0], recent[-1][1] - recent[0][1]
            return Progress(
                total=ahead.count if ahead.complete else None,
                embedded=embedded,
                known=known,
                rejected=rejected,
                seconds=now - started,
                images_per_second=images / seconds if seconds >= RATE_LEAST else 0.0,
                waiting=min(1.0, waited / (now - started)) if now > started else 0.0,
            )

        decoder: Decoder | None = None
        try:
            items = iter(ahead)
            first = next(items, None)
            if first is not None:  # else the model need not even be loaded
                kind = decode_in
                if kind == "auto":
                    kind = "processes" if embedder.device == "cuda" else "threads"
                decoder = start_decoder(options, workers=decode_workers, kind=kind)
                for batch in extract(chain([first], items), embedder, decoder):
                    writer.add(batch.images, batch.vectors)
                    for item, reason in batch.rejected:
                        writer.reject(item, reason)
                    embedded += len(batch.images)
                    rejected += len(batch.rejected)
                    waited += batch.waited
                    on_progress(progress())
        finally:
            ahead.close()
            if decoder is not None:
                decoder.close()
        gone = writer.finish(pool.covers)
        return UpdateReport(
            progress=progress(),
            gone=gone,
            rejected_in_all=writer.rejected,
            skipped_rejected=skipped,
            problems=tuple(pool.problems),
            ignored=dict(pool.ignored),
        )
