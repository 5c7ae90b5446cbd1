"""Several files that belong together, written so that they appear together.

Writes `<name><ending>` for the endings of `PARTS` into one folder, and below it nothing but
`<name>.uploads/`. Everything is written and flushed in a hidden folder beside the targets first; a
mark in there says that it is complete; then the files are renamed into place, the manifest last,
after an old manifest was taken away. So at every moment, a kill included:

- each file is whole;
- where the manifest is, the other files are of the same save;
- what was complete is finished by the next save to the folder (or `finish_saves`), and what was
  not leaves the folder as it was.

A link that has the name of a file is replaced, not followed. One save runs at a time in a folder,
whichever process it is of.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import filelock

from gandt import storage
from gandt.errors import StorageError, UsageError

__all__ = ["PARTS", "UPLOADS", "BadName", "FileExists", "check_free", "file_set", "finish_saves"]

UPLOADS = ".uploads"
MANIFEST = ".manifest"
PARTS = (
    *(UPLOADS, ".seeds.csv", ".set-aside.csv", ".selection.parquet", ".selection.csv"),
    MANIFEST,  # the last, for it says that all are there
)
LOCK = ".gandt-save.lock"
WAIT = 20.0  # seconds for another save to the same folder

_STAGING = ".gandt-save-"  # and a random number: what is being written
_COMPLETE = "complete.json"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}", re.ASCII)
_UPLOAD = re.compile(r"[0-9a-f]{64}\.[a-z]{3,4}", re.ASCII)
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)  # what Windows takes for something other than files, with any ending


class BadName(UsageError):
    """Nothing can be saved under this name."""


class FileExists(BadName):
    """A file of this name is there, and nobody said that it may be replaced."""


def check_free(folder: Path, name: str, *, replace: bool = False) -> None:
    """Refuse a name under which nothing may be saved; what `file_set` does first.

    Raises
    ------
    FileExists, BadName
        As `file_set` does.
    """
    _check_name(name)
    for ending in PARTS:
        path = folder / f"{name}{ending}"
        if not os.path.lexists(path):
            continue
        if ending == UPLOADS:
            if path.is_symlink() or not path.is_dir():
                raise BadName(
                    f"{path} is no folder, so uploads cannot be written there: take another name."
                )
        elif path.is_dir() and not path.is_symlink():
            raise BadName(f"{path} is a folder and cannot be replaced: take another name.")
        elif not replace:
            raise FileExists(
                f"{path} is there already: take another name, or say that it may be replaced."
            )


def _check_name(name: str) -> None:
    """Refuse what could lead out of the folder, hide the files, or not do on every system."""
    if not _NAME.fullmatch(name):
        raise BadName(
            f"{name[:80]!r} cannot be the name of files: take up to 64 letters, digits, dots, "
            "hyphens and underscores, and begin with no dot."
        )
    if name.partition(".")[0].lower() in _DEVICES:
        raise BadName(f"the name {name} is that of a device on Windows: take another.")
    for ending in PARTS:
        if name.lower().endswith(ending):
            stem = name[: -len(ending)] or "round1"
            raise BadName(f"the name {name} ends as the files do that are written: take {stem}.")


@contextlib.contextmanager
def file_set(folder: Path, name: str, *, replace: bool = False) -> Iterator[Path]:
    """Yield a hidden folder to write the files into; they appear when the block succeeds.

    Parameters
    ----------
    folder
        Where they belong; it has to be there.
    name
        What all names begin with. The block creates `<name>.manifest` and any others of `PARTS`.
    replace
        Whether files of an earlier save under this name give way. Those that the block does not
        write are taken away then, for they belong to what is gone; uploads stay.

    Raises
    ------
    FileExists
        Some of the files are there, and `replace` is false.
    BadName
        The name is not allowed, or something other than a file has it.
    StorageError
        The folder is gone or cannot be written to, or another save there does not end.
    """
    with _alone(folder):
        _finish(folder)
        check_free(folder, name, replace=replace)
        staging = folder / f"{_STAGING}{secrets.token_hex(8)}"
        with _told(folder):
            staging.mkdir(mode=0o700)
        try:
            yield staging
            with _told(folder):
                _complete(staging, name)
        except BaseException as error:
            shutil.rmtree(staging, ignore_errors=True)
            if isinstance(error, StorageError) and str(staging) in str(error):
                # Where it was to lie in the end says more than where it lay for a moment.
                raise StorageError(str(error).replace(str(staging), str(folder))) from error
            raise
        try:
            with _told(folder):
                _publish(folder, staging)
        except StorageError:
            # Nobody was told that this is saved, so it must not come up again after a later save.
            shutil.rmtree(staging, ignore_errors=True)
            raise


def finish_saves(folder: Path) -> None:
    """Finish what a save that was killed had complete, and clear away what was not.

    Raises
    ------
    StorageError
        The folder cannot be written to.
    """
    if _unfinished(folder):
        with _alone(folder):
            _finish(folder)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    path = folder / LOCK
    if not folder.is_dir():
        raise StorageError(f"There is no folder {folder} any more: make it again, or restart.")
    if path.is_symlink():
        raise StorageError(f"{path} is a link, which is not followed: remove it.")
    lock = filelock.FileLock(path, timeout=WAIT)
    try:
        with _told(folder):
            lock.acquire()
    except filelock.Timeout:
        raise StorageError(
            f"Another save to {folder} has not ended for {WAIT:.0f} s: stop the program that does "
            "it, and save again."
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Turn what the system says into an error of ours."""
    try:
        yield
    except filelock.Timeout:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StorageError(f"{folder} cannot be written to: {reason}; make it so.") from error


def _complete(staging: Path, name: str) -> None:
    """Mark what was written as complete; from here on it is finished, whatever happens."""
    parts = [part for part in PARTS if (staging / f"{name}{part}").exists()]
    assert MANIFEST in parts, "a set of files has a manifest"
    mark = json.dumps({"name": name, "parts": parts})
    storage.write_bytes(staging / _COMPLETE, mark.encode())


def _unfinished(folder: Path) -> list[Path]:
    try:
        return sorted(
            path for path in folder.glob(f"{_STAGING}*") if not path.is_symlink() and path.is_dir()
        )
    except OSError:
        return []


def _finish(folder: Path) -> None:
    for staging in _unfinished(folder):
        if _mark(staging) is not None:
            with contextlib.suppress(OSError):  # what cannot be finished was never told as saved
                _publish(folder, staging)
        with _told(folder):
            if staging.exists():
                shutil.rmtree(staging)


def _mark(staging: Path) -> tuple[str, frozenset[str]] | None:
    """What is complete in a hidden folder: the name, and the parts that it has."""
    try:
        mark = json.loads((staging / _COMPLETE).read_bytes())
        _check_name(mark["name"])
        return mark["name"], frozenset(mark["parts"])
    except (FileNotFoundError, ValueError, KeyError, TypeError, UsageError):
        return None  # killed before it was complete, or none of ours


def _publish(folder: Path, staging: Path) -> None:
    """Rename everything into place; the same again where that was cut off."""
    mark = _mark(staging)
    assert mark is not None, "only what is complete is published"
    name, parts = mark
    manifest = f"{name}{MANIFEST}"
    if (staging / manifest).exists():
        with contextlib.suppress(FileNotFoundError):
            (folder / manifest).unlink()
        for part in PARTS[:-1]:
            there, here = folder / f"{name}{part}", staging / f"{name}{part}"
            if part == UPLOADS:
                _publish_uploads(here, there)
            elif here.exists():
                here.replace(there)
            elif part not in parts:
                there.unlink(missing_ok=True)
        _flush(folder)
        (staging / manifest).replace(folder / manifest)
    _flush(folder)
    shutil.rmtree(staging)


def _publish_uploads(here: Path, there: Path) -> None:
    if not here.is_dir():
        return
    if there.is_symlink():
        there.unlink()  # it was made since the name was found free
    there.mkdir(exist_ok=True)
    for path in sorted(here.iterdir()):
        if _UPLOAD.fullmatch(path.name):
            path.replace(there / path.name)
    _flush(there)


def _flush(folder: Path) -> None:
    """Have the names in a folder survive a power cut."""
    if os.name == "nt":  # where folders cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
