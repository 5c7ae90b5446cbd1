"""What the first request would wait for, had before it comes.

The packages that compute, the search, what is kept of the pool, and the model together take
seconds; here a selection is made for nobody, in a thread beside those that answer.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from gandt.errors import GandtError
from gandt.selection.select import SelectOptions
from gandt.serving.service.explore.engine import Engine, Ref

__all__ = ["Warming"]

_LOG = logging.getLogger(__name__)


class Warming:
    """Gets an engine ready.

    Parameters
    ----------
    prepare
        Called first, in the thread.
    """

    def __init__(self, engine: Engine, prepare: Callable[[], object]) -> None:
        self._engine, self._prepare = engine, prepare
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread = threading.Thread(target=self._work, name="gandt-warming", daemon=True)
        self._thread.start()

    @property
    def under_way(self) -> bool:
        """Whether it has begun and not ended."""
        return self._thread is not None and self._thread.is_alive()

    def _work(self) -> None:
        self._prepare()
        for step in (self._search, self._select, self._engine.model):
            try:
                step()
            except (GandtError, OSError) as error:  # whoever asks for this is told so
                _LOG.debug("gandt: not ready beforehand: %s", error)

    def _search(self) -> None:
        for picture in self._engine.page(0, 1):
            self._engine.search(Ref(id=picture.id), 1)

    def _select(self) -> None:
        for picture in self._engine.page(0, 1):
            self._engine.select({"any": [Ref(id=picture.id)]}, SelectOptions(budget=1))
