"""Which files of a job are here already, under which names, and of which version.

Reads and writes `.fetched.jsonl` in the job's folder: one JSON object a line, appended when its
file has its place. The last line of a key counts; a line that a kill left half written is no line,
so its file is fetched once more. A file counts as here when its version (ETag) is the noted one and
its size on this disk is what was transferred.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from pathlib import Path, PurePosixPath
from types import TracebackType

from gandt import storage
from gandt.errors import StorageError
from gandt.storage import StoredObject

__all__ = ["NOTES", "FetchedFiles", "local_name"]

NOTES = ".fetched.jsonl"

_NOT_PORTABLE = re.compile(r'[:*?"<>|\\\x00-\x1f\x7f]')
_TEMPORARY = re.compile(r"\.[0-9a-f]{12}\.tmp(\..*)?")  # as `storage.atomic_path` names them
_LONGEST = 255  # bytes of one part of a path


def local_name(key: str) -> str | None:
    """The path of a key below the job's folder; None where there is no safe one.

    Examples
    --------
    >>> local_name("worker-response/iteration-1/0/2024-03-05_09:15:00.json")
    'worker-response/iteration-1/0/2024-03-05_09-15-00.json'
    >>> local_name("a/../../b") is None
    True
    """
    parts = [_NOT_PORTABLE.sub("-", part) for part in key.split("/")]
    if any(
        part in ("", ".", "..") or len(part.encode(errors="surrogatepass")) > _LONGEST
        for part in parts
    ):
        return None
    return "/".join(parts)


class FetchedFiles:
    """The files of a job's folder; a context within which files may be added."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._notes: dict[str, tuple[str, str, int]] = {}  # key: place, version, size
        self._here: dict[str, int] = {}  # place: size
        self._taken: dict[str, str] = {}  # place in lower case: key
        self._log: io.BufferedWriter | None = None

    def __enter__(self) -> FetchedFiles:
        self._look()
        self._read()
        lines = [
            _line(key, place, version, size)
            for key, (place, version, size) in self._notes.items()
            if self._here.get(place) == size
        ]
        storage.write_bytes(self._folder / NOTES, b"".join(lines))
        try:
            self._log = (self._folder / NOTES).open("ab")
        except OSError as error:
            raise _unwritable(self._folder / NOTES, error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def place(self, key: str) -> str | None:
        """Where a key's file lies below the folder; no two keys have the same.

        Keys that differ by a colon alone, or by case, get a mark of their own.
        """
        place = local_name(key)
        if place is None:
            return None
        if self._taken.setdefault(place.lower(), key) != key:
            mark = hashlib.sha256(key.encode()).hexdigest()[:8]
            path = PurePosixPath(place)
            place = str(path.with_name(f"{path.stem}~{mark}{path.suffix}"))
            self._taken[place.lower()] = key
        return place

    def has(self, key: str, place: str, file: StoredObject) -> bool:
        """Whether this version of an object is here, whole."""
        known = self._notes.get(key)
        return known == (place, file.version, file.size) and self._here.get(place) == file.size

    def add(self, key: str, file: StoredObject, size: int) -> None:
        """Note that an object's file has its place."""
        place = self.place(key)
        if self._log is None or place is None:
            raise ValueError(f"{key} cannot be noted")
        try:
            self._log.write(_line(key, place, file.version, size))
            self._log.flush()
        except OSError as error:
            raise _unwritable(self._folder / NOTES, error) from error

    def _look(self) -> None:
        """Measure the files that are here, and remove what a killed run left half written."""
        for root, _, names in os.walk(self._folder):
            for name in names:
                path = Path(root) / name
                try:
                    if _TEMPORARY.fullmatch(name):
                        path.unlink()
                    else:
                        place = path.relative_to(self._folder).as_posix()
                        self._here[place] = path.stat().st_size
                except OSError as error:
                    raise _unwritable(path, error) from error

    def _read(self) -> None:
        try:
            lines = (self._folder / NOTES).read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unwritable(self._folder / NOTES, error) from error
        for line in lines:
            try:
                entry = json.loads(line)
                key, place = str(entry["key"]), str(entry["path"])
                self._notes[key] = place, str(entry["version"]), int(entry["size"])
            except (ValueError, TypeError, KeyError):
                continue  # torn by a kill; what it was about is fetched once more


def _line(key: str, place: str, version: str, size: int) -> bytes:
    entry = {"key": key, "path": place, "version": version, "size": size}
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}.")
