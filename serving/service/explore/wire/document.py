"""The OpenAPI document: what FastAPI makes of the routes, and what holds for all of them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from gandt.serving.service.explore.access import Access
from gandt.serving.service.explore.wire.replies import ErrorOut

__all__ = ["describe", "statuses"]

_ABOUT = """Candidates for labeling from a pool of images.

Every error is `{"error": "one sentence", "field": "seeds.cat[0].id" or null}`.
A busy service answers 429 at once; `Retry-After` says when to ask again."""
_MEANINGS = {
    304: "What the client has is still good.",
    401: "No token, or one that is nobody's.",
    403: "Sent by a page of another site.",
    404: "There is no such image.",
    408: "The body did not arrive in time.",
    409: "A file of that name is there, or nothing may be saved here.",
    413: "The body or a file is too large.",
    415: "Not JSON, or a file that is no image that browsers show.",
    421: "The Host header names another machine.",
    422: "A value is wrong; `field` says which.",
    429: "Too much is asked at once.",
    503: "Not done in time, or something that this needs cannot be had.",
}
_AGAIN = {
    "Retry-After": {
        "description": "Seconds to wait before asking again.",
        "schema": {"type": "integer", "minimum": 1},
    }
}


def statuses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The replies of a route beside the good one, 421 among them, which each can answer with."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in sorted({*codes, 421}):
        found[code] = {"description": _MEANINGS[code]}
        if code != 304:
            found[code]["model"] = ErrorOut
        if code in (429, 503):
            found[code]["headers"] = _AGAIN
    return found


def describe(app: FastAPI, access: Access) -> None:
    """Give an application its document, with what its access asks for."""
    make = app.openapi
    schemes = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "The token of a person's link, for programs.",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": access.cookie,
            "description": "The same for browsers, from the page behind the link.",
        },
    }

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = make()
            found["info"]["description"] = _ABOUT
            found.setdefault("components", {})["securitySchemes"] = schemes
            for path, operations in found["paths"].items():
                for operation in operations.values():
                    _protect(operation, path, access)
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _protect(operation: dict[str, Any], path: str, access: Access) -> None:
    if path == "/healthz":
        operation["security"] = []
        return
    needed: list[dict[str, list[str]]] = [{"token": []}, {"cookie": []}]
    operation["security"] = [{}, *needed] if access.open else needed
    if not access.open:
        reference = {"$ref": "#/components/schemas/ErrorOut"}
        operation["responses"]["401"] = {
            "description": _MEANINGS[401],
            "content": {"application/json": {"schema": reference}},
        }
