"""Selection over HTTP, and the page to explore with: one application behind the guard.

What a route does is in `explorer`, and what goes wrong becomes a reply in `faults`. The OpenAPI
document at `/openapi.json` is made from `models` and `replies`, and states every status that a
route can answer with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import ASGIApp

from gandt._version import __version__
from gandt.serving.service.explore.access import AccessCheck
from gandt.serving.service.explore.explorer import Explorer
from gandt.serving.service.explore.metrics import Measured
from gandt.serving.service.explore.wire.document import describe, statuses
from gandt.serving.service.explore.wire.faults import HANDLERS, Caught
from gandt.serving.service.explore.wire.models import MAX_BODY
from gandt.serving.service.explore.wire.replies import (
    Health,
    ImageOut,
    ImagesOut,
    InfoOut,
    MapOut,
    SaveOut,
    SearchOut,
    SelectOut,
)
from gandt.serving.service.explore.wire.sent import StrictRoute
from gandt.serving.service.guard import Guard

__all__ = ["explorer_app"]


def _sends(what: str, kind: str) -> dict[str, Any]:
    """What a route says that sends something other than JSON."""
    replies = {200: {"description": what, "content": {kind: {}}}}
    return {"response_class": Response, "responses": replies}


def _router(explorer: Explorer) -> APIRouter:
    router = APIRouter(route_class=StrictRoute)
    heavy, light = (404, 429, 503), (429, 503)

    def get(path: str, answer: Callable[..., Any], *codes: int, **more: Any) -> None:
        more.setdefault("responses", {}).update(statuses(*codes))
        router.add_api_route(path, answer, methods=["GET"], **more)
        router.add_api_route(path, answer, methods=["HEAD"], include_in_schema=False)

    def post(path: str, answer: Callable[..., Any], model: type[BaseModel], *codes: int) -> None:
        found = statuses(403, 408, 413, 415, 422, *codes)
        router.add_api_route(path, answer, methods=["POST"], response_model=model, responses=found)

    get("/v1/info", explorer.info, *light, response_model=InfoOut)
    get("/v1/images", explorer.images, 422, *heavy, response_model=ImagesOut)
    get("/v1/images/{id}", explorer.image, 422, *heavy, response_model=ImageOut)
    picture, codes = "/v1/images/{id}", (304, 413, 415, 422, *heavy)
    get(f"{picture}/file", explorer.file, *codes, **_sends("The picture.", "image/*"))
    get(
        f"{picture}/thumbnail",
        explorer.thumbnail,
        *codes,
        **_sends("The thumbnail.", "image/jpeg"),
    )
    get("/v1/seed", explorer.seed, *codes, **_sends("The thumbnail.", "image/jpeg"))
    post("/v1/search", explorer.search, SearchOut, *heavy)
    post("/v1/select", explorer.select, SelectOut, *heavy)
    post("/v1/save", explorer.save, SaveOut, 409, *heavy)
    get("/v1/map", explorer.map, *light, response_model=MapOut)
    points = _sends("The points.", "application/octet-stream")
    get("/v1/map/points", explorer.map_points, *light, **points)
    get("/healthz", explorer.health, response_model=Health)
    get("/metrics", explorer.counts, **_sends("The numbers.", "text/plain"))
    get("/", explorer.page, include_in_schema=False)
    get("/static/{name}", explorer.part, include_in_schema=False)
    get("/enter/{token}", explorer.enter, include_in_schema=False)
    get("/favicon.ico", explorer.icon, include_in_schema=False)
    return router


def explorer_app(explorer: Explorer, *, names: Iterable[str] = ()) -> ASGIApp:
    """Make the application: the routes behind the guard, all of it counted.

    Parameters
    ----------
    names
        Host names of this machine; see `Guard`.
    """
    app = FastAPI(
        title="gandt serve",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # what generated clients call it
        exception_handlers=HANDLERS,
    )
    app.state.bodies = explorer.bodies
    app.include_router(_router(explorer))
    describe(app, explorer.access)
    checked = Caught(AccessCheck(app, explorer.access))
    return Measured(Guard(checked, names, programs=True, max_body=MAX_BODY), explorer.metrics)
