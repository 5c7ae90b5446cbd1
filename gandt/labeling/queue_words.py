"""What people type and send, made into what can be kept: names, and reasons for no answer."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping

from gandt.errors import UsageError

__all__ = ["clean_name", "problem_of"]

MAX_NAME = 60  # characters


def problem_of(content: Mapping[str, object]) -> str:
    """Why somebody could not answer; "" where anything was answered.

    The pages of G&T send the reason as `problem`, beside fields without a label.
    """
    problem = content.get("problem")
    if not isinstance(problem, str) or not problem.strip():
        return ""
    for name, value in content.items():
        if name != "problem" and not _is_empty(value):
            return ""
    return problem.strip()


def _is_empty(value: object) -> bool:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return not str(value).strip()
    if isinstance(value, dict):
        return value == {"label": ""} or not any(value.values())
    return not value


def clean_name(name: str) -> str:
    """Make what somebody typed a name.

    Raises
    ------
    UsageError
        Where it is empty, too long, or holds what cannot be read.
    """
    shown = " ".join(unicodedata.normalize("NFC", name).split())
    if not shown:
        raise UsageError("A name is empty: say who answers.")
    if len(shown) > MAX_NAME:
        raise UsageError(f"The name {shown[:20]}… has over {MAX_NAME} characters: shorten it.")
    if not shown.isprintable():
        raise UsageError(f"The name {shown!a} holds characters that cannot be seen: type it again.")
    return shown
