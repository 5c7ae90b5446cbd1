"""Small pictures of the items of a report, one after the other and ahead of time.

Files are read and decoded by a few threads while earlier ones are being written, never more than a
window of them at once, so that memory does not grow with the number of images.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from gandt import storage
from gandt.errors import BadImage, GandtError
from gandt.report.overlay import paint_mask
from gandt.report.results.model import Item
from gandt.report.thumbnails import Thumbnail, make_thumbnail

__all__ = ["Progress", "Tile", "Tiles", "side_for"]

Progress = Callable[[int, int], None]  # (pictures done, of how many)

_READERS = 8  # threads; reading from S3 is mostly waiting
_WINDOW = 48  # pictures that may be ready before they are asked for
_QUALITY = 78
_LARGE = 288  # pixels
_GONE = "there is no such file; it left the pool or moved"


@dataclass(frozen=True, slots=True)
class Tile:
    """The small picture of an item, or why there is none."""

    picture: Thumbnail | None
    reason: str = ""  # why there is no picture, or no mask on it
    mask: bytes | None = None  # transparent PNG of the same size


def side_for(number: int, kind: str) -> int:
    """Choose the longer side of thumbnails, in pixels: smaller where there are very many."""
    side = 168 if kind in ("single", "multi") else 224
    return side if number <= 3_000 else 128 if number <= 12_000 else 96


class Tiles:
    """The tiles of some items, each given once, in the order they were announced in."""

    def __init__(
        self,
        items: Sequence[Item],
        side: int,
        colors: Mapping[str, str],
        on_progress: Progress | None = None,
        large: Collection[int] = (),
    ) -> None:
        self._large = frozenset(large)  # numbers of items that are shown larger than others
        self._items = [item for item in items if item.text is None]
        self._side = side
        self._colors = colors
        self._on_progress = on_progress
        self._stream = self._read()
        self.number = len(self._items)
        self.shown = 0
        self.unreadable: list[tuple[str, str]] = []  # (task, reason)
        self.gone: list[str] = []  # tasks among those whose file is not there

    def take(self, item: Item) -> Tile:
        """Give the tile of the next item; items are to be asked for in their order."""
        expected, tile = next(self._stream)
        if expected.number != item.number:
            raise ValueError(f"item {item.number} was asked for, {expected.number} is next")
        self.shown += tile.picture is not None
        if tile.reason:
            self.unreadable.append((item.task, tile.reason))
        if tile.reason == _GONE:
            self.gone.append(item.task)
        return tile

    def close(self) -> None:
        """Stop reading ahead."""
        self._stream.close()

    def _read(self) -> Generator[tuple[Item, Tile], None, None]:
        total = len(self._items)
        waiting: deque[tuple[Item, Future[Tile]]] = deque()
        coming = iter(self._items)
        done = 0
        with ThreadPoolExecutor(_READERS) as readers:
            try:
                while True:
                    while len(waiting) < _WINDOW and (item := next(coming, None)) is not None:
                        waiting.append((item, readers.submit(self._load, item)))
                    if not waiting:
                        return
                    item, future = waiting.popleft()
                    tile = future.result()
                    done += 1
                    if self._on_progress:
                        self._on_progress(done, total)
                    yield item, tile
            finally:
                for _, future in waiting:
                    future.cancel()

    def _load(self, item: Item) -> Tile:
        try:
            side = max(self._side, _LARGE) if item.number in self._large else self._side
            picture = make_thumbnail(_read_first(item), side, _QUALITY)
        except (GandtError, OSError) as error:
            return Tile(None, _sentence(error))
        if item.mask is None:
            return Tile(picture)
        try:
            size = (picture.width, picture.height)
            return Tile(picture, mask=paint_mask(item.mask, size, self._colors))
        except (GandtError, OSError) as error:
            return Tile(picture, _sentence(error))


def _read_first(item: Item) -> bytes:
    first: GandtError | None = None
    for place in item.places:
        try:
            return storage.read_bytes(place)
        except GandtError as error:
            first = first or error
    if item.places and _nowhere(item.places):
        raise BadImage(_GONE)
    # The likeliest place is the one to speak of; the others were guesses.
    raise first or BadImage("nothing says where its image is")


def _nowhere(places: Sequence[str]) -> bool:
    try:
        return all(storage.find(place) is None for place in places)
    except GandtError:
        return False  # it may not even be looked up


def _sentence(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
