"""How the checks before a launch speak: a finding with its fix, lists that stay short, commands.

Pure functions. A message is a clause without a full stop, since the program that prints it goes on
from there; a fix is something to type or to change. Commands are quoted for a POSIX shell, so that
they can be copied whatever a name holds.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from gandt.aws import AwsError
from gandt.jobs.plan import Check

__all__ = [
    "command",
    "document",
    "error",
    "fine",
    "listed",
    "not_asked",
    "skipped",
    "warning",
]

_NAMED = 3  # of many things, so many are named


def fine(name: str, message: str) -> Check:
    """Say that all is well, and what was seen."""
    return Check(name, "ok", message)


def warning(name: str, message: str, fix: str) -> Check:
    """Report what may be meant, or may go wrong."""
    return Check(name, "warning", message, fix)


def error(name: str, message: str, fix: str) -> Check:
    """Report what makes the job fail, or cost money for nothing."""
    return Check(name, "error", message, fix)


def skipped(name: str, message: str, fix: str) -> Check:
    """Say that it was not looked at, why, and how to look by hand."""
    return Check(name, "skipped", message, fix)


def not_asked(name: str, failure: AwsError, by_hand: str) -> Check:
    """Report a question that AWS did not answer, which says nothing of what was asked about."""
    if failure.denied:
        reason = f"your identity may not call {failure.operation}"
    else:
        reason = str(failure).rstrip(".")
    return skipped(name, reason, by_hand)


def listed(names: Sequence[str]) -> str:
    """Name the first few of many things, and count the others."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED:,} more"


def command(*words: str) -> str:
    """Write a command as it can be copied into a shell, between backquotes."""
    return f"`{shlex.join(words)}`"


def document(value: object) -> str:
    """Write JSON for an argument of a command: short, in a fixed order, readable Unicode."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
