"""`gandt serve` as a real program or in a thread, and those who come to it by HTTP."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from desk_program import Reply, Visitor
from desk_program import _Desk as Place

from gandt.index.folder import open_index
from gandt.index.model import load_model_of
from gandt.selection.seeds import find_seeds
from gandt.serving.service.explore.access import Access
from gandt.serving.service.explore.app import explorer_app
from gandt.serving.service.explore.engine import Engine
from gandt.serving.service.explore.explorer import Explorer
from gandt.serving.service.explore.pictures.thumbnails import Thumbnails
from gandt.serving.service.explore.pool_map.data import PoolMap
from gandt.serving.service.explore.starting import starting_seeds
from gandt.serving.service.run import bind, make_server
from gandt.types import Embedder

__all__ = ["ExploreThread", "Reply", "Visitor", "token_of"]


class ExploreThread(Place):
    """The service in this process, with a server of its own on loopback.

    Parameters
    ----------
    index
        An index folder.
    embedder
        What makes vectors of uploads and texts; the index's own model where None.
    known
        URI -> class, for the colors of the map.
    seeds
        What `gandt select --seeds` reads, for the page to start with.
    cache
        Where thumbnails and maps are kept; nowhere where None.
    people
        Who may come in, each by their link; whoever comes where there are none.
    """

    def __init__(
        self,
        index: Path,
        *,
        embedder: Embedder | None = None,
        known: Mapping[str, str] | None = None,
        seeds: Sequence[str] = (),
        save_folder: Path | None = None,
        cache: Path | None = None,
        people: Sequence[str] = (),
        names: Sequence[str] = (),
        port: int = 0,
        method: str = "pca",
    ) -> None:
        opened = open_index(index)
        self.engine = Engine(
            opened,
            (lambda: load_model_of(opened)) if embedder is None else (lambda: embedder),
            known=known,
        )
        self.access = Access.for_people(people, subject=opened.uri)
        self.explorer = Explorer(
            self.engine,
            access=self.access,
            thumbnails=Thumbnails(self.engine, cache),
            pool_map=PoolMap(self.engine, method, cache),
            save_folder=save_folder,
            seeds=starting_seeds(self.engine, find_seeds(list(seeds))) if seeds else None,
        )
        self.app = explorer_app(self.explorer, names=names)
        self.bound = bind("127.0.0.1", port)
        start = f"http://127.0.0.1:{self.bound.getsockname()[1]}"
        tokens = self.access.tokens
        super().__init__(
            {name: f"{start}/enter/{token}" for name, token in tokens.items()} or {"": f"{start}/"}
        )
        ready = threading.Event()
        self.server = make_server(self.app, ready.set)
        self.thread = threading.Thread(target=self.server.run, args=([self.bound],))
        self.thread.start()
        assert ready.wait(20)

    def stop(self) -> None:
        """End it in good order."""
        if self.thread.is_alive():
            self.leave()
            self.server.should_exit = True
            self.thread.join(120)
            self.bound.close()

    def __enter__(self) -> ExploreThread:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def token_of(place: Place, name: str) -> str:
    """The token in somebody's link."""
    return urlsplit(place.links[name]).path.rpartition("/")[2]
