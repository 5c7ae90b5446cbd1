"""Wildcards in the names of sources, on disks and on S3 alike.

`*` and `?` stand for anything within a name, `[…]` for one of some characters, and `**` for any
number of folders. Hidden names and loops of links are treated as in every other listing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from gandt import storage
from gandt.storage import OnError, StoredObject

__all__ = ["has_wildcards", "matching_folders", "matching_objects", "pattern_to_regex"]

_WILDCARD = re.compile(r"[*?\[]")


def has_wildcards(uri: str) -> bool:
    """Whether this holds `*`, `?` or `[`."""
    return _WILDCARD.search(uri) is not None


def pattern_to_regex(pattern: str) -> re.Pattern[str]:
    """Translate a pattern over whole names, folders included, into a regular expression."""
    pieces = []
    for segment in pattern.split("/"):
        if segment == "**":
            pieces.append("(?:[^/]+/)*")
        else:
            pieces.append(_segment(segment) + "/")
    text = "".join(pieces).removesuffix("/")
    if pattern.endswith("**"):
        text += "[^/]+"  # files at any depth
    return re.compile(text, re.DOTALL)


def _segment(segment: str) -> str:
    out, i = "", 0
    while i < len(segment):
        char = segment[i]
        end = segment.find("]", i + 2) if char == "[" else -1
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif end > 0:
            inside = segment[i + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            out += f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
            i = end
        else:
            out += re.escape(char)
        i += 1
    return out


def matching_folders(pattern: str) -> list[str]:
    """Local folders that a pattern without `**` matches, sorted; a folder stands for its content.

    On S3, where there are no folders, and for `**`, which reaches all content anyway, none.
    """
    if storage.is_remote(pattern) or "**" in pattern.split("/"):
        return []
    base, rest = _fixed_part(pattern)
    found = (str(path) for path in Path(base).glob(rest) if path.is_dir())
    return sorted(uri for uri in found if not _hidden(uri.removeprefix(base)))


def matching_objects(pattern: str, on_error: OnError) -> Iterator[StoredObject]:
    """Yield the files that a pattern matches, in the byte order of their names.

    Raises
    ------
    StorageError
        Where the folder above the first wildcard cannot be listed.
    """
    base, rest = _fixed_part(pattern)
    if storage.is_remote(pattern) or "**" in pattern.split("/"):
        expression = pattern_to_regex(rest)
        start = len(base.rstrip("/")) + 1
        for found in storage.list_folder(base, on_error):
            if expression.fullmatch(found.uri, start):
                yield found
        return
    # Of a fixed depth: no need to walk through everything below.
    for path in sorted(str(path) for path in Path(base).glob(rest)):
        if not _hidden(path.removeprefix(base)) and (entry := storage.find(path)) is not None:
            yield entry


def _fixed_part(pattern: str) -> tuple[str, str]:
    """Split before the first segment that has a wildcard."""
    segments = pattern.split("/")
    first = next(i for i, segment in enumerate(segments) if _WILDCARD.search(segment))
    return "/".join(segments[:first]) or "/", "/".join(segments[first:])


def _hidden(relative: str) -> bool:
    return any(part.startswith(".") for part in relative.split("/"))
