"""Wildcards in the names of sources, on disks and on S3 alike.

`*` and `?` stand for anything within a name, `[…]` for one of some characters, and `**` for any
number of folders. Hidden names and loops of links are treated as in every other listing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from gandt import storage
from gandt.storage import OnError, StoredObject

__all__ = ["has_wildcards", "matches", "matching_folders", "matching_objects"]

_WILDCARD = re.compile(r"[*?\[]")


def has_wildcards(uri: str) -> bool:
    """Whether this holds `*`, `?` or `[`."""
    return _WILDCARD.search(uri) is not None


def matches(pattern: str, name: str) -> bool:
    """Whether a whole name, folders included, fits a pattern; upper and lower case differ."""
    segments = pattern.split("/")
    # Two "**" in a row mean the same as one, and would only be tried in every combination.
    kept = [s for i, s in enumerate(segments) if s != "**" or segments[i - 1 : i] != ["**"]]
    return _fits(tuple(kept), tuple(name.split("/")))


def _fits(pattern: tuple[str, ...], name: tuple[str, ...]) -> bool:
    if not pattern or not name:
        return not pattern and not name
    if pattern[0] != "**":
        return fnmatchcase(name[0], pattern[0]) and _fits(pattern[1:], name[1:])
    if len(pattern) == 1:
        return True
    return any(_fits(pattern[1:], name[start:]) for start in range(len(name)))


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
        start = len(base.rstrip("/")) + 1
        for found in storage.list_folder(base, on_error):
            if matches(rest, found.uri[start:]):
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
