"""JSON that can go back to Ground Truth: no NaN, no halves of characters, not too deep.

One such value would make Lambda refuse the answer for the whole batch. Pure functions.
"""

from __future__ import annotations

import json
import math

__all__ = ["brief", "decode", "sendable", "unpack"]

_MAX_DEPTH = 60  # levels; nothing that a form sends comes near


def decode(text: str) -> object:
    """Decode JSON text.

    Raises
    ------
    ValueError
        Where it is no JSON, or holds what could not be written as JSON again.
    """
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if text.count("[") + text.count("{") > _MAX_DEPTH and _deeper(value, _MAX_DEPTH):
        raise ValueError("it is nested too deeply")
    if "\\u" in text or not text.isascii():
        json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return value


def unpack(text: str) -> object:
    """Decode JSON text of a list or an object; any other text stays as it is."""
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        return decode(text)
    except ValueError:
        return text


def sendable(value: object) -> object:
    """Give the value itself where JSON can hold it, else text that shows it whole."""
    try:
        if not _deeper(value, _MAX_DEPTH):
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
            return value
    except (ValueError, TypeError):
        pass
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    try:
        return json.dumps(value, default=repr)
    except (ValueError, TypeError, RecursionError):
        return f"a {type(value).__name__} that cannot be written as JSON"


def brief(value: object) -> str:
    """Show a value in a message: at most 80 characters of it."""
    text = sendable(value)
    if not isinstance(text, str):
        text = json.dumps(text, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _deeper(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        return levels == 0 or any(_deeper(part, levels - 1) for part in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_deeper(part, levels - 1) for part in value)
    return False


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large a number")
    return value
