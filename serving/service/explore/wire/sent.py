"""What is sent: JSON read strictly, and every fault of it told in one sentence with its field.

A request's body is read once, under a limit for all bodies that are under way together, so that
many large ones at a time cost no more memory than that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gandt.serving.service.explore.gate import Busy
from gandt.serving.service.explore.wire.models import MAX_BODY
from gandt.serving.service.guard import cut_short

__all__ = ["Bodies", "StrictRoute", "fault", "field_path"]

MAX_HELD = 4 * MAX_BODY  # bytes of all bodies that are under way
_MAX_MARKS = 100_000  # commas and brackets: what takes time to read is values, not bytes
_PLAIN = re.compile(r"[\w-]{1,60}")


class Bodies:
    """The bytes of all bodies that are under way."""

    def __init__(self, most: int = MAX_HELD) -> None:
        self.held, self.most = 0, most

    def take(self, size: int) -> None:
        """Make room for some bytes more.

        Raises
        ------
        Busy
            There is none.
        """
        if self.held + size > self.most:
            raise Busy(2)
        self.held += size

    def give_back(self, size: int) -> None:
        """They are done with."""
        self.held -= size


class _StrictRequest(Request):
    """A request whose body is counted, and whose JSON has to be what the standard says."""

    taken = 0

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            bodies: Bodies = self.app.state.bodies
            chunks = []
            try:
                async for chunk in self.stream():
                    bodies.take(len(chunk))
                    self.taken += len(chunk)
                    chunks.append(chunk)
            except ClientDisconnect:
                raise HTTPException(*cut_short(self)) from None
            self._body = b"".join(chunks)
        return self._body

    async def json(self) -> Any:
        return read_json(await self.body())


class StrictRoute(APIRoute):
    """A route that reads bodies strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See FastAPI."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            counted = _StrictRequest(request.scope, request.receive)
            _each_named_once(counted)
            try:
                await counted.body()  # so that what comes behind it is the client's leaving alone
                return await handle(counted)
            finally:
                if counted.taken:
                    request.app.state.bodies.give_back(counted.taken)

        return strictly


def _each_named_once(request: Request) -> None:
    """Of a value that an address names twice, one would be passed over without a word."""
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name in seen:
            error = {"type": "twice", "loc": ("query", name), "msg": "is named twice"}
            raise RequestValidationError([error])
        seen.add(name)


def read_json(body: bytes) -> Any:
    """Read JSON as RFC 8259 has it, with each key of an object once.

    Raises
    ------
    HTTPException
        422; the detail says what is wrong and where.
    """
    marks = body.count(b",") + body.count(b"[") + body.count(b"{")
    if marks > _MAX_MARKS:
        raise HTTPException(422, f"The body holds more than {_MAX_MARKS:,} values; send fewer.")
    try:
        return json.loads(body.decode(), object_pairs_hook=_each_once, parse_constant=_no_number)
    except RecursionError:
        raise HTTPException(422, "The body is nested too deeply.") from None
    except UnicodeDecodeError as error:
        sentence = f"The body is not valid JSON: byte {error.start} is no UTF-8."
        raise HTTPException(422, sentence) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise HTTPException(422, f"The body is not valid JSON: {error.msg} at {where}.") from None
    except ValueError as error:  # a number of thousands of digits, and what the hooks refuse
        known = isinstance(error, _Refused)
        sentence = str(error) if known else "The body holds a number that is too long."
        raise HTTPException(422, sentence) from None


class _Refused(ValueError):
    pass


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Refused(f"The body names {_quoted(key)} twice in one object.")
            seen.add(key)
    return found


def _no_number(word: str) -> Any:
    raise _Refused(f"The body holds {word}, which is no number in JSON.")


def _quoted(text: str) -> str:
    cut = text if len(text) <= 60 else f"{text[:57]}..."
    return json.dumps(cut, ensure_ascii=True)


def field_path(location: Sequence[str | int]) -> str:
    """Write a place in the body as `seeds.cat[0].id`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part == "[key]":  # the name itself is meant, which stands before
            continue
        elif _PLAIN.fullmatch(part):
            path += f".{part}" if path else part
        else:
            path += f"[{_quoted(part)}]"
    return path


def fault(errors: Sequence[Mapping[str, Any]]) -> tuple[str, str | None]:
    """Say the first of pydantic's findings in one sentence; also gives its field."""
    first = errors[0]
    location = tuple(first["loc"])
    where, field = location[0], field_path(location[1:]) or None
    if where == "body" and field is None and first["type"] == "missing":
        return "The body is missing: send a JSON object.", None
    what = _sentence(first)
    subject = field or "The body"
    more = len(errors) - 1
    others = f" ({more} more)" if more else ""
    return f"{subject} {what}{others}.", field


def _sentence(error: Mapping[str, Any]) -> str:
    kind, context = str(error["type"]), dict(error.get("ctx") or {})
    for names, sentence in _SENTENCES:
        if kind in names:
            return sentence.format(**context)
    message = str(error["msg"])
    return f"is wrong: {message[:1].lower()}{message[1:200]}"


_SENTENCES: tuple[tuple[frozenset[str], str], ...] = tuple(
    (frozenset(names.split()), sentence)
    for names, sentence in (
        ("missing", "is missing"),
        ("twice", "is named twice in the address"),
        ("value_error", "{error}"),
        ("extra_forbidden", "is no field that is known here"),
        ("model_attributes_type model_type dict_type", "has to be an object"),
        ("list_type", "has to be a list"),
        ("string_type", "has to be a text"),
        ("string_unicode", "holds half a character, which is no text"),
        ("bool_type bool_parsing", "has to be true or false"),
        ("int_type int_parsing int_from_float", "has to be a whole number"),
        ("int_parsing_size", "is too large a number"),
        ("float_type float_parsing finite_number", "has to be a number"),
        ("greater_than_equal", "has to be at least {ge}"),
        ("greater_than", "has to be above {gt}"),
        ("less_than_equal", "has to be at most {le}"),
        ("literal_error", "has to be {expected}"),
        ("string_too_short", "has to have at least {min_length} characters"),
        ("string_too_long", "has more than {max_length} characters"),
        ("too_short", "has to hold at least {min_length}"),
        ("too_long", "holds more than {max_length}"),
        ("string_pattern_mismatch", "holds characters that are not allowed here, or none"),
    )
)
