"""Small JPEGs of the pool's images, made when they are first wanted.

Reads the images where they lie (files, tar members, S3). Keeps what it made in memory and, where a
folder is given, on disk, both bounded in bytes. The key of an entry names the bytes it was made
of, so that an image that was replaced never shows the picture it had; see `originals`.

What cannot be shown raises `NotShown` with a sentence: nothing is unpacked beyond the pool's limit
of pixels, and large images only one at a time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import threading
from pathlib import Path

from gandt import storage
from gandt.errors import BadImage, UsageError
from gandt.pool.containers import SNIFF, open_container
from gandt.report.thumbnails import make_thumbnail
from gandt.serving.service.explore.engine import Engine
from gandt.serving.service.explore.keyed import OneAtATime, Recent
from gandt.serving.service.explore.pictures.disk_cache import DiskCache
from gandt.serving.service.explore.pictures.originals import Original
from gandt.serving.service.explore.pictures.whole import originals_of
from gandt.serving.service.images import NotShown

__all__ = ["SIZES", "Thumbnails"]

SIZES = (128, 256, 512, 1024)  # pixels of the longer side
_QUALITY = 80
_EDITION = 1  # of the way thumbnails are made; another one makes all of them anew
_MEMORY = 64_000_000  # bytes
_REFUSALS = 10_000  # images that cannot be shown, and why
_FOR_GOOD = 415  # the status of bytes that are no picture, and never will be
_NO_LIMIT = contextlib.nullcontext()
_LARGE = 32_000_000  # pixels: unpacked they may take four bytes each


class Thumbnails:
    """The thumbnails of an engine's images. Safe to use from several threads and processes.

    Parameters
    ----------
    cache_folder
        Where to keep them from one run to the next, below `thumbnails/`, and the directories of
        tar shards below `tars/`; nowhere where None.
    max_bytes
        That they may take on disk.
    memory_bytes
        That they may take in memory.
    max_pixels
        Larger images are refused before they are unpacked.
    """

    def __init__(
        self,
        engine: Engine,
        cache_folder: Path | None,
        max_bytes: int = 1_000_000_000,
        *,
        memory_bytes: int = _MEMORY,
        max_pixels: int = 200_000_000,
    ) -> None:
        self._originals = originals_of(engine)
        self._max_pixels = max_pixels
        self._disk = None
        if cache_folder is not None:
            self._originals.keep_in(cache_folder)
            self._disk = DiskCache(cache_folder / "thumbnails", max_bytes)
        self._memory: Recent[str, bytes] = Recent(memory_bytes, len)
        self._refusals: Recent[str, str] = Recent(_REFUSALS)
        self._at_work: OneAtATime[str] = OneAtATime()
        self._counting = threading.Lock()
        self.hits = 0  # thumbnails that were kept
        self.misses = 0  # and that had to be made, or could not be
        places = max(2, os.cpu_count() or 1)
        # Files of this machine are not read long before they can be decoded; S3 is waited for.
        self._near = threading.BoundedSemaphore(2 * places)
        self._decoding = threading.BoundedSemaphore(places)
        self._large = threading.Lock()

    @property
    def memory_held(self) -> int:
        """Bytes of thumbnails that are in memory at present."""
        return self._memory.held

    def etag(self, number: int, size: int) -> str:
        """Give the entity tag of a thumbnail, with its quotes, without making it.

        Raises
        ------
        NoSuchImage, NotShown, UsageError
            As `jpeg` does, but for what only the bytes can tell.
        """
        key = _key(self._originals.find(number), _checked(size))
        return f'"{hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:24]}"'

    def jpeg(self, number: int, size: int) -> bytes:
        """Give the thumbnail of an image as a JPEG.

        Parameters
        ----------
        number
            Id of the image.
        size
            Pixels of the longer side, one of `SIZES`; an image that is smaller keeps its size.

        Raises
        ------
        NoSuchImage
            The id is of no live row.
        NotShown
            The image cannot be had, or cannot be decoded within the limits; the message is a
            sentence, and `status` says what kind it is.
        UsageError
            There are no thumbnails of this size.
        """
        original = self._originals.find(number)
        key = _key(original, _checked(size))
        found = self._kept(key)
        if found is None:
            with self._at_work.on(key):  # two who want the same wait for one
                found = self._kept(key)
                if found is None:
                    self._count(hit=False)
                    near = self._near if not storage.is_remote(original.uri) else _NO_LIMIT
                    with near:
                        return self._make(original, size)
        self._count(hit=True)
        return found

    def of_file(self, data: bytes, size: int) -> bytes:
        """Give the thumbnail of a file that is no image of the pool; it is not kept.

        Raises
        ------
        NotShown, UsageError
            As `jpeg` does.
        """
        return self._shrink(data, _checked(size))

    def _count(self, *, hit: bool) -> None:
        with self._counting:
            self.hits += hit
            self.misses += not hit

    def _kept(self, key: str) -> bytes | None:
        found = self._memory.get(key)
        if found is None and self._disk is not None and (found := self._disk.get(key)) is not None:
            self._memory.put(key, found)
        return found

    def _make(self, original: Original, size: int) -> bytes:
        refused = self._refusals.get(original.identity)
        if refused is not None:
            raise NotShown(refused, _FOR_GOOD)
        data, meant = self._originals.read(original)
        try:
            jpeg = self._shrink(data, size)
        except NotShown as error:
            if error.status == _FOR_GOOD:
                self._refusals.put(meant.identity, str(error))
            raise
        key = _key(meant, size)
        self._memory.put(key, jpeg)
        if self._disk is not None:
            self._disk.put(key, jpeg)
        return jpeg

    def _shrink(self, data: bytes, size: int) -> bytes:
        try:
            with open_container(data[:SNIFF], io.BytesIO(data)) as image:
                large = image.width * image.height > _LARGE
            # The large ones wait for each other first, and keep no place from the small ones.
            with self._large if large else contextlib.nullcontext(), self._decoding:
                return make_thumbnail(data, size, _QUALITY, max_pixels=self._max_pixels).jpeg
        except MemoryError as error:
            raise NotShown("There is not enough memory to show this picture now.", 503) from error
        except BadImage as error:
            raise NotShown(f"This picture cannot be shown: {error}.") from error


def _checked(size: int) -> int:
    if size not in SIZES:
        sizes = ", ".join(map(str, SIZES[:-1]))
        raise UsageError(f"There is no thumbnail of size {size}: ask for {sizes} or {SIZES[-1]}.")
    return size


def _key(original: Original, size: int) -> str:
    return f"thumbnail {_EDITION} {size} {original.identity}"
