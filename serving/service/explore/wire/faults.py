"""Errors as replies: a status and one sentence, with the field that it is about.

What GandtErrors say is meant for people; what nobody foresaw is logged, and tells nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gandt.errors import GandtError, SeedError, UsageError
from gandt.serving.service.explore.engine import NoSuchImage
from gandt.serving.service.explore.gate import Busy, ClientGone, TooLate
from gandt.serving.service.explore.metrics import named
from gandt.serving.service.explore.pool_map.data import MapNotReady
from gandt.serving.service.explore.wire.sent import fault
from gandt.serving.service.explore.work import BadField, StillSaving
from gandt.serving.service.images import NotShown

__all__ = ["HANDLERS", "Caught", "refusal"]

_LOG = logging.getLogger(__name__)
_FAULT = "The service could not answer this: tell whoever runs it."


def refusal(
    status: int,
    sentence: str,
    field: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A reply that says why there is no answer."""
    text = sentence.encode("utf-8", "replace").decode()  # half a character of a name, perhaps
    return JSONResponse({"error": text, "field": field}, status, headers=headers)


async def _http(request: Request, error: HTTPException) -> Response:
    detail = str(error.detail)
    known = {404: "There is nothing here; see /openapi.json.", 405: "This takes another method."}
    if detail in ("Not Found", "Method Not Allowed"):
        detail = known[error.status_code]
    return refusal(error.status_code, detail, None, error.headers)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    return refusal(422, *fault(error.errors()))


async def _field(request: Request, error: BadField) -> Response:
    return refusal(error.status, str(error), error.field)


async def _busy(request: Request, error: Busy) -> Response:
    again = {"Retry-After": str(error.seconds)}
    sentence = f"Too much is asked at once: ask again in {error.seconds} s."
    return refusal(429, sentence, None, again)


async def _late(request: Request, error: TooLate) -> Response:
    what = "begun" if error.waited else "done"
    sentence = f"This was not {what} within {error.seconds:g} s: ask for less, or ask again later."
    if isinstance(error, StillSaving):
        sentence = (
            f"This was not saved within {error.seconds:g} s but goes on, and its files may still "
            "come: look for them before saving again."
        )
    return refusal(503, sentence, None, {"Retry-After": "10"})


async def _gone(request: Request, error: ClientGone) -> Response:
    return refusal(503, "Whoever asked has gone.")  # so nobody reads this


async def _known(request: Request, error: GandtError) -> Response:
    sentence = str(error)  # as it is: it may begin with what somebody wrote
    if isinstance(error, NotShown):
        return refusal(error.status, sentence)
    if isinstance(error, NoSuchImage):
        return refusal(404, sentence, "id")  # of the address: those of bodies are located before
    if isinstance(error, (UsageError, SeedError)):
        return refusal(422, sentence)
    if isinstance(error, MapNotReady):
        return refusal(503, sentence, None, {"Retry-After": "1"})
    _LOG.error("gandt: %s", error)
    return refusal(503, sentence, None, {"Retry-After": "10"})


async def _system(request: Request, error: OSError) -> Response:
    _LOG.error("gandt: %s %s met an error of the system.", *named(request.scope), exc_info=error)
    sentence = f"The system refused this: {error.strerror or type(error).__name__}."
    return refusal(503, sentence, None, {"Retry-After": "10"})


async def _unforeseen(request: Request, error: Exception) -> Response:
    return refusal(500, _FAULT)  # `Caught` logs it


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    HTTPException: _http,
    RequestValidationError: _invalid,
    BadField: _field,
    Busy: _busy,
    TooLate: _late,
    ClientGone: _gone,
    GandtError: _known,
    OSError: _system,
    Exception: _unforeseen,
}


class Caught:
    """ASGI middleware that answers and logs what nobody foresaw.

    Parameters
    ----------
    app
        What stands behind.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        begun = ended = False

        async def answer(message: Message) -> None:
            nonlocal begun, ended
            begun = True
            await send(message)
            ended = message["type"] == "http.response.body" and not message.get("more_body")

        try:
            await self.app(scope, receive, answer)
        except Exception:
            if begun and not ended:
                raise  # the server logs it and closes: what is not whole must not look so
            # Not its path: that of a link holds a token.
            _LOG.exception("gandt: %s %s could not be answered.", *named(scope))
            if not begun:
                await refusal(500, _FAULT)(scope, receive, send)
