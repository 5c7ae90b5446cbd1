"""One index, served: what each route of the application does.

A route passes one piece of work through a gate and sends what it gave; the work itself is `work`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Path as InPath
from fastapi import Query
from pydantic import BaseModel, Field
from starlette.concurrency import iterate_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from gandt._version import __version__
from gandt.embedding.decoding import cores
from gandt.embedding.threads import share_cores
from gandt.serving.service.explore.access import Access
from gandt.serving.service.explore.background import give_way
from gandt.serving.service.explore.engine import Engine
from gandt.serving.service.explore.gate import Gate, TooLate
from gandt.serving.service.explore.metrics import MEDIA_TYPE, Metrics
from gandt.serving.service.explore.pictures.whole import open_picture
from gandt.serving.service.explore.starting import StartingSeeds
from gandt.serving.service.explore.warming import Warming
from gandt.serving.service.explore.wire.models import (
    MAX_ID,
    Digits,
    FileQuery,
    PageQuery,
    SaveRequest,
    SearchRequest,
    SeedQuery,
    SelectRequest,
    ThumbnailQuery,
)
from gandt.serving.service.explore.wire.replies import (
    InfoOut,
    LimitsOut,
    MapOut,
    SaveFolder,
)
from gandt.serving.service.explore.wire.sent import Bodies
from gandt.serving.service.explore.work import StillSaving, Work
from gandt.serving.service.guard import nonce_of
from gandt.serving.service.images import Chunks
from gandt.serving.service.pages import asset, fill

if TYPE_CHECKING:
    from gandt.serving.service.explore.pictures.thumbnails import Thumbnails
    from gandt.serving.service.explore.pool_map.data import PoolMap

__all__ = ["Explorer"]

ImageId = Annotated[
    int,
    Field(ge=0, le=MAX_ID),
    Digits,
    InPath(description="Row number in the index.", examples=[12]),
]
SAVE_SECONDS = 600.0  # a select that takes longer than its limit can be asked for less, a save not
_FETCHES = 16  # pictures that are waited for at once: those on S3 keep no core busy
_SEED_PIXELS = 256
_KINDS = {".js": "text/javascript", ".css": "text/css"}


def _static_files() -> dict[str, tuple[bytes, str]]:
    """The parts of the page by name; nothing else can be asked for."""
    here = resources.files("gandt.serving.service") / "explore" / "page"
    names = {f"explore/page/{file.name}": file.name for file in here.iterdir()}
    names["theme.css"] = "theme.css"
    return {
        name: (asset(path).encode(), _KINDS[Path(name).suffix])
        for path, name in names.items()
        if Path(name).suffix in _KINDS
    }


class Explorer:
    """One index, served.

    Parameters
    ----------
    save_folder
        Where selections may be saved; nowhere where None.
    seeds
        What the page starts with.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        access: Access,
        thumbnails: Thumbnails,
        pool_map: PoolMap,
        save_folder: Path | None = None,
        seeds: StartingSeeds | None = None,
    ) -> None:
        self.engine, self.access, self.thumbnails = engine, access, thumbnails
        self.pool_map, self.seeds = pool_map, seeds or StartingSeeds()
        self.work = Work(engine, self.seeds.outside, save_folder)
        self.static = _static_files()
        self.edition = _edition(engine)
        self.bodies = Bodies()
        # Two selections at once share the cores; a third would only slow both down.
        self.heavy = Gate("heavy", at_once=2, queue=8, seconds=60.0, prepare=_behind_answers)
        self.pictures = Gate("pictures", at_once=max(_FETCHES, cores()), queue=256, seconds=30.0)
        self.reading = Gate("reading", at_once=2, queue=64, seconds=30.0)
        self.warming = Warming(engine, _behind_answers)
        gates = (self.heavy, self.pictures, self.reading)
        self.metrics = Metrics(gates, self._values())

    def _values(self) -> dict[str, tuple[str, Callable[[], float]]]:
        return {
            "gandt_images": ("Live images of the index.", lambda: self.engine.total),
            "gandt_uploads_total": (
                "Uploaded images that requests brought and that could be used.",
                lambda: self.work.uploads,
            ),
            "gandt_thumbnail_hits_total": (
                "Thumbnails that were kept.",
                lambda: self.thumbnails.hits,
            ),
            "gandt_thumbnail_misses_total": (
                "Thumbnails that had to be made.",
                lambda: self.thumbnails.misses,
            ),
            "gandt_thumbnail_bytes": (
                "Thumbnails held in memory.",
                lambda: self.thumbnails.memory_held,
            ),
        }

    def summary(self) -> dict[str, int]:
        """What was done so far."""
        return {
            "requests": self.metrics.answered(),
            "searches": self.metrics.answered("/v1/search"),
            "selections": self.metrics.answered("/v1/select"),
            "saves": self.metrics.answered("/v1/save"),
        }

    def close(self, seconds: float) -> bool:
        """Begin nothing any more; whether all that was under way ended within some seconds."""
        gates = (self.heavy, self.pictures, self.reading)
        for gate in gates:
            gate.close()
        until = time.monotonic() + seconds
        while any(gate.working for gate in gates) and time.monotonic() < until:
            time.sleep(0.05)
        return not self.warming.under_way and not any(gate.working for gate in gates)

    # ------------------------------------------------------------------------------ about the pool

    async def info(self, request: Request) -> Response:
        """What this service holds and can do."""
        return await self._json(self.reading, request, self._info)

    def _info(self) -> InfoOut:
        facts: dict[str, Any] = self.engine.facts()
        folder = self.work.save_folder
        return InfoOut(
            **facts,
            version=__version__,
            edition=self.edition,
            seeds={name: list(group) for name, group in self.seeds.refs.items()},
            other="Other",
            save=None if folder is None else SaveFolder(folder=str(folder)),
            limits=LimitsOut(),
        )

    async def images(self, request: Request, query: Annotated[PageQuery, Query()]) -> Response:
        """Images of the pool, in the order of their ids, or those of some ids as they are named."""
        return await self._json(self.reading, request, lambda: self.work.images(query))

    async def image(self, request: Request, id: ImageId) -> Response:
        """One image of the pool."""
        return await self._json(self.reading, request, lambda: self.work.image(id))

    async def file(
        self, request: Request, id: ImageId, query: Annotated[FileQuery, Query()]
    ) -> Response:
        """The file of an image, where it is of a kind that browsers show."""
        opened = await self.pictures.run(lambda: open_picture(self.engine, id), _gone(request))
        headers = {**self._keep(query.v), "ETag": opened.etag, "Content-Disposition": "inline"}
        if request.headers.get("if-none-match") == opened.etag:
            opened.chunks.close()
            return Response(status_code=304, headers=headers)
        headers["Content-Length"] = str(opened.size)
        if request.method == "HEAD":
            opened.chunks.close()
            return Response(headers=headers, media_type=opened.media_type)
        return StreamingResponse(
            _pieces(opened.chunks), headers=headers, media_type=opened.media_type
        )

    async def thumbnail(
        self, request: Request, id: ImageId, query: Annotated[ThumbnailQuery, Query()]
    ) -> Response:
        """A small JPEG of an image."""
        size, known = int(query.size), request.headers.get("if-none-match")

        def make() -> tuple[str, bytes | None]:
            etag = self.thumbnails.etag(id, size)
            return etag, None if known == etag else self.thumbnails.jpeg(id, size)

        etag, jpeg = await self.pictures.run(make, _gone(request))
        headers = {**self._keep(query.v), "ETag": etag}
        if jpeg is None:
            return Response(status_code=304, headers=headers)
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    async def seed(self, request: Request, query: Annotated[SeedQuery, Query()]) -> Response:
        """A small JPEG of a seed that the page starts with and the pool does not hold."""

        def make() -> bytes:
            return self.thumbnails.of_file(self.work.seed(query.uri), _SEED_PIXELS)

        jpeg = await self.pictures.run(make, _gone(request))
        etag = f'"{hashlib.sha256(jpeg).hexdigest()[:24]}"'
        headers = {**self._keep(""), "ETag": etag}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    def _keep(self, edition: str) -> dict[str, str]:
        """An id means another image in another index, which may come to this very address."""
        known = edition == self.edition
        return {"Cache-Control": f"private, {'max-age=86400' if known else 'no-cache'}"}

    # --------------------------------------------------------------------------- search and select

    async def search(self, request: Request, body: SearchRequest) -> Response:
        """The images most similar to an image or a text, best first."""
        return await self._json(self.heavy, request, lambda: self.work.search(body))

    async def select(self, request: Request, body: SelectRequest) -> Response:
        """The images that are worth labeling, given labeled examples."""
        return await self._json(self.heavy, request, lambda: self.work.select(body))

    async def save(self, request: Request, body: SaveRequest) -> Response:
        """Select, and write seeds and candidates as the files that the commands read."""
        # Whoever saves may leave: what was begun is written whole.
        try:
            return await self._json(
                self.heavy, None, lambda: self.work.save(body), seconds=SAVE_SECONDS
            )
        except TooLate as error:
            if error.waited:
                raise
            raise StillSaving(error.seconds, error.waited) from error

    async def map(self, request: Request) -> Response:
        """What the map of the pool shows; `ready` tells whether its points can be had."""
        return await self._json(self.reading, request, lambda: MapOut(**self.pool_map.head()))

    async def map_points(self, request: Request) -> Response:
        """The points of the map.

        Little-endian, planar: uint32 id[N], uint16 xy[2N] (x0, y0, x1, y1, ...), uint16 label[N],
        0 for none and i for labels[i-1].
        """
        points = await self.reading.run(self.pool_map.points, _gone(request))
        return Response(points, media_type="application/octet-stream")

    # ------------------------------------------------------------------------------------ the rest

    async def health(self) -> Response:
        """Whether the service answers."""
        return JSONResponse({"ok": True})

    async def counts(self) -> Response:
        """Numbers for Prometheus."""
        return Response(self.metrics.text(), headers={"Content-Type": MEDIA_TYPE})

    async def page(self, request: Request) -> Response:
        """The page to explore with."""
        values = {"nonce": nonce_of(request), "name": self.engine.facts()["name"]}
        return HTMLResponse(fill("explore/page/explore.html", values))

    async def part(self, request: Request, name: str) -> Response:
        """A file of the page."""
        if name not in self.static:
            raise HTTPException(404, "There is no such part of the page.")
        data, kind = self.static[name]
        etag = f'"{hashlib.sha256(data).hexdigest()[:24]}"'
        headers = {"Cache-Control": "no-cache", "ETag": etag}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=kind, headers=headers)

    async def icon(self) -> Response:
        """None: browsers ask for it all the same."""
        return Response(status_code=204)

    async def enter(self, request: Request) -> Response:
        """The page behind a person's link."""
        return self.access.enter(request)

    async def _json(
        self,
        gate: Gate,
        request: Request | None,
        work: Callable[[], BaseModel],
        seconds: float | None = None,
    ) -> Response:
        def written() -> str:
            return work().model_dump_json(by_alias=True)

        gone = None if request is None else _gone(request)
        text = await gate.run(written, gone, seconds=seconds)
        return Response(text, media_type="application/json")


def _behind_answers() -> None:
    give_way()
    share_cores(2)


def _gone(request: Request) -> Callable[[], Any]:
    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return gone


async def _pieces(chunks: Chunks) -> AsyncIterator[bytes]:
    try:
        async for piece in iterate_in_threadpool(chunks):
            yield piece
    finally:
        chunks.close()


def _edition(engine: Engine) -> str:
    index = engine.index
    told = [index.uri, str(len(index.dead))]
    told += [f"{shard.vectors.name} {shard.vectors.stat().st_mtime_ns}" for shard in index.shards]
    return hashlib.sha256("\n".join(told).encode("utf-8", "surrogateescape")).hexdigest()[:16]
