"""What pages send: names, answers, and the few numbers in an address; parsed once, at the edge."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from gandt.serving.service.guard import too_large

__all__ = ["read_answer", "read_name", "read_number", "read_numbers"]

_MAX_REASON = 1000  # characters
_MAX_DIGITS = 9  # Python refuses to read a number of some thousands


class _NumberConvertor(Convertor[int]):
    """A number in a path; a longer one than there can be is no address of anything."""

    regex = f"[0-9]{{1,{_MAX_DIGITS}}}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", _NumberConvertor())  # `{task:number}` in a route


async def read_body(request: Request) -> bytes:
    """Read what was sent.

    Raises
    ------
    HTTPException
        413 where it is larger than allowed, or does not come to an end in time.
    """
    try:
        return await request.body()
    except ClientDisconnect:
        raise HTTPException(413, too_large()) from None


async def read_name(request: Request) -> str:
    """Read the name from the form of the first page."""
    body = await read_body(request)
    fields = parse_qs(body[:10_000].decode("utf-8", "replace"), max_num_fields=10)
    return fields.get("name", [""])[0]


def read_number(request: Request, name: str) -> int | None:
    """A whole number in the address; None where there is none that could be meant."""
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else None


def read_numbers(request: Request) -> tuple[int, float | None]:
    """The revision that the page showed, and the active seconds, from the address."""
    try:
        seconds = float(request.query_params["seconds"])
    except (KeyError, ValueError):
        seconds = None
    if seconds is not None and not 0 <= seconds < 1e7:
        seconds = None
    return read_number(request, "revision") or 0, seconds


async def read_answer(request: Request) -> tuple[dict[str, object], str]:
    """Read what a page sent: the fields of its form, or the reason for skipping the task.

    Raises
    ------
    HTTPException
        415 or 422 where it is nothing that a page sends.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "An answer is sent as JSON.")
    body = await read_body(request)

    def refuse(word: str) -> object:
        raise ValueError(word)

    try:
        sent = json.loads(body, parse_constant=refuse)
        # Half a character could not be written, and 1e999 is no number that JSON could hold.
        json.dumps(sent, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise HTTPException(422, "What was sent is not valid JSON.") from None
    reason = sent.get("skip") if isinstance(sent, dict) else None
    if isinstance(reason, str) and reason.strip():
        return {}, reason.strip()[:_MAX_REASON]
    content = sent.get("answerContent") if isinstance(sent, dict) else None
    if not isinstance(content, dict) or not content:
        raise HTTPException(422, "What was sent holds no `answerContent` with fields.")
    return content, ""
