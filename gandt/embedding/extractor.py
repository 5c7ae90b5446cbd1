"""Overlap reading, decoding and the model: items in, vectors out, in the same order.

One thread (the caller's) moves work along; decoding runs in the decoder's workers and the model in
as many threads as the embedder asks for. Every queue is bounded, so memory does not grow with the
pool, and results come in the order of the items, so a resumed run equals an uncut one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from gandt.embedding.decoding import CHUNK, Decoder, Picture
from gandt.types import Embedded, Embedder, FloatArray, Item

__all__ = ["Extracted", "extract"]


@dataclass(frozen=True, slots=True)
class Extracted:
    """One batch: embedded images with their vectors, and images that could not be embedded."""

    images: tuple[Embedded, ...]
    vectors: FloatArray  # (len(images), d) unit rows
    rejected: tuple[tuple[Item, str], ...]  # with the reason
    waited: float  # seconds that the model had nothing to do before this batch


def extract(
    items: Iterable[Item],
    embedder: Embedder,
    decoder: Decoder,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Extracted]:
    """Embed items in order.

    Parameters
    ----------
    items
        Read lazily, a bounded number ahead.
    embedder, decoder
        The decoder must make pixels by the embedder's preprocessing.

    Yields
    ------
    Extracted
        Batches of about `embedder.batch_size` images, in the order of the items.
    """
    source = iter(items)
    decoding: deque[Callable[[], list[Picture]]] = deque()
    encoding: deque[tuple[list[Picture], Future[FloatArray] | None, float]] = deque()
    ahead = max(2 * decoder.workers, -(-2 * embedder.batch_size * embedder.concurrency // CHUNK))
    ahead = min(ahead, decoder.capacity)
    gathered: list[Picture] = []
    waited = 0.0

    with ThreadPoolExecutor(embedder.concurrency, thread_name_prefix="gandt-encode") as executor:

        def refill() -> None:
            while len(decoding) < ahead:
                chunk = list(islice(source, CHUNK))
                if not chunk:
                    return
                decoding.append(decoder.submit(chunk))

        def start_encoding(pictures: list[Picture]) -> None:
            nonlocal waited
            pixels = [picture.pixels for picture in pictures if picture.pixels is not None]
            future = executor.submit(embedder.encode, np.stack(pixels)) if pixels else None
            encoding.append((pictures, future, waited))
            waited = 0.0

        def finish_oldest() -> Extracted:
            pictures, future, waited_before = encoding.popleft()
            vectors = (
                future.result()
                if future
                else np.empty((0, embedder.card.dimension), dtype=np.float32)
            )
            return Extracted(
                images=tuple(picture.image for picture in pictures if picture.image),
                vectors=vectors,
                rejected=tuple(
                    (picture.item, picture.reason) for picture in pictures if not picture.image
                ),
                waited=waited_before,
            )

        try:
            refill()
            while decoding:
                before = clock()
                idle = sum(1 for _, future, _ in encoding if future and not future.done()) == 0
                gathered.extend(decoding.popleft()())
                if idle:
                    waited += clock() - before
                refill()
                while len(gathered) >= embedder.batch_size:
                    start_encoding(gathered[: embedder.batch_size])
                    gathered = gathered[embedder.batch_size :]
                while len(encoding) > embedder.concurrency:
                    yield finish_oldest()
                    refill()
            if gathered:
                start_encoding(gathered)
            while encoding:
                yield finish_oldest()
        finally:
            for _, future, _ in encoding:
                if future:
                    future.cancel()
