"""The map of the pool as the page gets it: made once, in the background, and kept on disk.

The first question for it begins the work; until it is done the answer is that it is not ready.
Below the cache folder it lies in `maps/`; see `files`. Colors come from the engine's known
classes, when the server starts, and are no part of what is kept.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.errors import GandtError, StorageError
from gandt.report.pool_map import PoolMap as Placed
from gandt.report.pool_map import check_method, make_map
from gandt.serving.service.explore.background import give_way
from gandt.serving.service.explore.engine import Engine
from gandt.serving.service.explore.pool_map.files import load_map, map_name, save_map
from gandt.serving.service.explore.pool_map.process import MapFailed, make_apart

__all__ = ["MapFailed", "MapNotReady", "PoolMap"]

_LOG = logging.getLogger(__name__)
_AGAIN_AFTER = 30.0  # seconds after a failure, before the next question tries again
_AT_ONCE = 2_000  # images whose classes are asked for in one go: others want the engine too
_MOST_LABELS = 65_535


class MapNotReady(GandtError):
    """The points of a map are wanted before there are any."""


class PoolMap:
    """The map of an engine's pool. Safe to use from several threads and processes.

    Parameters
    ----------
    method
        `"pca"` or `"umap"`.
    folder
        Where to keep the map from one run to the next, below `maps/`; nowhere where None.

    Raises
    ------
    UsageError, MissingExtra
        There is no such method, or its package is not installed.
    """

    def __init__(
        self,
        engine: Engine,
        method: str = "pca",
        folder: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._method = engine, check_method(method)
        self._folder = None if folder is None else folder / "maps"
        self._clock = clock
        self._lock = threading.Lock()
        self._working = False
        self._failed: tuple[float, GandtError] | None = None
        self._placed: Placed | None = None
        self._bytes = b""

    def head(self) -> dict[str, Any]:
        """What the map is, in plain JSON types; the first call has it made.

        `points` is their number, 0 while `ready` is false.

        Raises
        ------
        GandtError
            It could not be made; a call half a minute later tries again.
        """
        placed = self._ask()
        head: dict[str, Any] = {
            "method": self._method,
            "points": 0,
            "total": self._engine.total,
            "labels": list(self._engine.labels[:_MOST_LABELS]),
            "explained": None,
            "ready": False,
            "about": f"{self._engine.total:,} images are being placed.",
        }
        if placed is not None:
            head |= {"points": len(placed.rows), "ready": True, "about": placed.about}
            head["explained"] = None if placed.explained is None else list(placed.explained)
        return head

    def points(self) -> bytes:
        """Give ids, places and classes: little-endian `uint32 [n]`, `uint16 [2n]`, `uint16 [n]`.

        Places are x0, y0, x1, .. in [0, 65535]; a class is one more than its place among the
        labels of `head`, 0 where it is not known.

        Raises
        ------
        MapNotReady
            It is still being made.
        GandtError
            As `head` does.
        """
        if self._ask() is None:
            raise MapNotReady("The map of the pool is still being made; ask again in a second.")
        return self._bytes

    def _ask(self) -> Placed | None:
        with self._lock:
            if self._placed is not None:
                return self._placed
            if self._failed is not None:
                when, error = self._failed
                if self._clock() - when < _AGAIN_AFTER:
                    raise error
                self._failed = None
            if not self._working:
                self._working = True
                threading.Thread(target=self._work, name="gandt-map", daemon=True).start()
            return None

    def _work(self) -> None:
        try:
            placed = self._present(self._place())
            packed = self._pack(placed)
        except Exception as error:
            _LOG.exception("gandt: the map of the pool could not be made")
            known = error if isinstance(error, GandtError) else None
            failure = known or MapFailed(f"The map of the pool could not be made: {error}.")
            with self._lock:
                self._failed, self._working = (self._clock(), failure), False
            return
        with self._lock:
            self._placed, self._bytes, self._working = placed, packed, False

    def _place(self) -> Placed:
        index = self._engine.index
        path = None if self._folder is None else self._folder / map_name(index, self._method)
        if path is not None and (found := load_map(path)) is not None:
            return found
        if self._method == "umap":
            with tempfile.TemporaryDirectory(prefix="gandt-") as folder:
                made_at = Path(folder) / "map.npz"
                make_apart(index, self._method, made_at)
                made = load_map(made_at)
            if made is None:
                raise MapFailed("The map of the pool could not be made: it was written damaged.")
        else:
            give_way()
            made = make_map(index, self._method)
        if path is not None:
            try:
                save_map(path, made)
            except StorageError as error:
                _LOG.warning("gandt: the map is not kept for the next time: %s", error)
        return made

    def _present(self, placed: Placed) -> Placed:
        """Leave out what this engine does not have: another process may have seen newer rows."""
        index = self._engine.index
        keep = (placed.rows < index.rows) & ~np.isin(placed.rows, index.dead)
        if keep.all():
            return placed
        return Placed(
            placed.rows[keep],
            placed.xy[keep],
            placed.method,
            placed.explained,
            placed.total,
            placed.about,
        )

    def _pack(self, placed: Placed) -> bytes:
        parts = (
            placed.rows.astype("<u4"),
            placed.xy.astype("<u2"),
            self._classes(placed.rows.tolist()).astype("<u2"),
        )
        return b"".join(part.tobytes() for part in parts)

    def _classes(self, ids: list[int]) -> npt.NDArray[np.uint16]:
        labels = self._engine.labels[:_MOST_LABELS]
        codes: dict[str | None, int] = {name: code for code, name in enumerate(labels, start=1)}
        out = np.zeros(len(ids), np.uint16)
        for start in range(0, len(ids) if labels else 0, _AT_ONCE):
            pictures = self._engine.pictures(ids[start : start + _AT_ONCE])
            out[start : start + len(pictures)] = [codes.get(p.label, 0) for p in pictures]
        return out
