"""An index on S3, worked on through a copy of it on this machine.

Vectors are mapped into memory, which only a local file can be; so `mirror` keeps a copy of the
index folder in the user's cache folder and fetches what it lacks. Shards never change once they
are committed, so a copy that is up to date costs one listing. `writing` gives the copy to a writer
and uploads each file right after the writer has committed it locally, in the same order. A local
run may be killed at any moment and leaves whole shards, and what lies on S3 is at any moment a
state that a local run has passed through: so the same holds there, and the next run goes on from
what had arrived.

Writers keep each other out by an object `writer.lock` that is created on the condition that there
is none (S3 knows `If-None-Match: *` on a PUT since 2024). It names its owner, and the copy that it
writes from: a lock left behind by a killed run on this machine is recognized by that and replaced.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
import secrets
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import filelock

from gandt import storage
from gandt.errors import IndexFolderError, StorageError
from gandt.storage import StoredObject, s3

__all__ = ["Working", "mirror", "mirror_folder", "named", "writing"]

LOCK_NAME = "writer.lock"
_STATE = ".mirror.json"
_FETCHED_AT_ONCE = 8
_TRIES = 3  # where the index changes while it is fetched

_FILES = re.compile(
    r"index\.json|dead\.npy|search\.faiss|img_emb/img_emb_\d+\.npy"
    r"|metadata/metadata_\d+\.parquet|rejected/rejected_\d+\.parquet"
)


@dataclass(frozen=True, slots=True)
class Working:
    """A folder to write an index in, and what to call after each file of it is committed."""

    folder: Path
    publish: Callable[[Path], None]


def mirror_folder(uri: str) -> Path:
    """Where the copy of an index lies: `$XDG_CACHE_HOME/gandt/indexes/`, or below `~/.cache`."""
    name = re.sub(r"[^\w.-]+", "-", uri.removeprefix(s3.PREFIX).rstrip("/"))[-60:].strip("-")
    digest = hashlib.sha256(uri.rstrip("/").encode()).hexdigest()[:12]
    return storage.cache_folder() / "indexes" / f"{name}-{digest}"


def mirror(uri: str) -> Path:
    """Bring the copy of an index up to date for reading; returns its folder.

    Beside a run of this machine that writes the index, the copy is what that run has committed.

    Raises
    ------
    IndexFolderError
        There is no index.
    StorageError
        It cannot be fetched.
    """
    folder = mirror_folder(uri)
    with _syncing(folder), _writer_of(folder) as free:
        if free:
            _Copy(uri, folder).fetch(must_exist=True)
    return folder


@contextmanager
def writing(index: str | os.PathLike[str]) -> Iterator[Working]:
    """Give a folder to write an index in: the index folder itself, or the copy of one on S3.

    Raises
    ------
    IndexFolderError
        Another run writes to the index on S3; the message says which, and what to do if it died.
    StorageError
        The index cannot be fetched, or a file of it not uploaded.
    """
    if not storage.is_remote(index):
        yield Working(Path(index), lambda path: None)
        return
    uri = storage.normalize(index).rstrip("/")
    folder = mirror_folder(uri)
    with ExitStack() as held:
        with _syncing(folder):  # until it is up to date, so that readers wait for that
            if not held.enter_context(_writer_of(folder)):
                raise IndexFolderError(
                    f"{uri} is being written by another process of this machine; wait for it to "
                    "finish, or stop it."
                )
            copy = _Copy(uri, folder)
            still_ours = held.enter_context(_locked(uri, copy.identity))
            copy.fetch(must_exist=False)

        def publish(path: Path) -> None:
            still_ours()
            copy.publish(path)

        held.enter_context(named(folder, uri))
        yield Working(folder, publish)


@contextmanager
def named(folder: Path, uri: str) -> Iterator[None]:
    """Let errors of the copy name the index that the user knows."""
    try:
        yield
    except IndexFolderError as error:
        raise type(error)(str(error).replace(str(folder), uri)) from error


# ------------------------------------------------------------------------------------- the copy


class _Copy:
    """The local copy of an index; remembers in `.mirror.json` which version each file is of."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.uri = uri.rstrip("/")
        self.folder = folder
        self._state = folder / _STATE
        content: dict[str, object] = {}
        with suppress(OSError, ValueError):  # absent, or damaged: then everything is fetched anew
            content = json.loads(self._state.read_bytes())
        versions = content.get("versions")
        self._versions: dict[str, str] = dict(versions) if isinstance(versions, dict) else {}
        self.identity = str(content.get("identity") or secrets.token_hex(8))
        if not content:
            self._save()

    def _save(self) -> None:
        content = {"uri": self.uri, "identity": self.identity, "versions": self._versions}
        storage.write_bytes(self._state, json.dumps(content, indent=1).encode())

    def fetch(self, *, must_exist: bool) -> None:
        """Make the copy equal to what lies on S3.

        Files that S3 has not are deleted, shards that a killed run could not upload among them:
        their images are embedded again.
        """
        for tries_left in reversed(range(_TRIES)):
            try:
                self._fetch(must_exist)
                return
            except (storage.MissingObject, storage.PassingFailure):
                if not tries_left:  # else: replaced in the middle; look again what there is
                    raise

    def _fetch(self, must_exist: bool) -> None:
        there = {
            name: found
            for found in storage.list_folder(self.uri)
            if _is_ours(name := found.uri.removeprefix(self.uri + "/"))
        }
        if must_exist and not there:
            raise IndexFolderError(
                f"There is no index at {self.uri}; check the name, or create one with "
                f"`gandt embed PHOTOS --index {self.uri}`."
            )
        for path in [*self.folder.glob("*"), *self.folder.glob("*/*")]:
            name = path.relative_to(self.folder).as_posix()
            left_by_a_kill = path.name.startswith(".") and ".tmp" in path.name
            if left_by_a_kill or (path.is_file() and _is_ours(name) and name not in there):
                path.unlink()
        for name in ("img_emb", "metadata", "rejected"):
            with suppress(OSError):  # not empty, or not there
                (self.folder / name).rmdir()
        stale = [name for name, found in there.items() if not self._holds(name, found)]
        self._versions = {name: found.version for name, found in there.items() if name not in stale}
        self._save()
        vectors = [name for name in stale if name.endswith(".npy")]
        with ThreadPoolExecutor(_FETCHED_AT_ONCE) as threads:
            for group in ([name for name in stale if name not in vectors], vectors):
                for name in threads.map(lambda name: self._download(there[name], name), group):
                    self._versions[name] = there[name].version
        self._save()

    def _holds(self, name: str, found: StoredObject) -> bool:
        if self._versions.get(name) != found.version:
            return False
        local = storage.find(self.folder / name)
        return local is not None and local.size == found.size

    def _download(self, found: StoredObject, name: str) -> str:
        s3.download(found.uri, self.folder / name)
        return name

    def publish(self, path: Path) -> None:
        """Upload a file that was committed, or delete what is no longer there."""
        name = path.relative_to(self.folder).as_posix()
        if path.exists():
            self._versions[name] = s3.upload(path, f"{self.uri}/{name}").version
        else:
            s3.delete(f"{self.uri}/{name}")
            self._versions.pop(name, None)
        self._save()


def _is_ours(name: str) -> bool:
    return _FILES.fullmatch(name) is not None


# --------------------------------------------------------------------------------------- locks


def _syncing(folder: Path) -> filelock.BaseFileLock:
    """Held while a copy is fetched; whoever wants the copy meanwhile waits for it."""
    folder.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(folder / ".fetching.lock")


@contextmanager
def _writer_of(folder: Path) -> Iterator[bool]:
    """Hold the place of the one writer of a copy; yields False where somebody else has it."""
    held = filelock.FileLock(folder / ".writing.lock", timeout=0)
    try:
        held.acquire()
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        held.release()


@contextmanager
def _locked(uri: str, identity: str) -> Iterator[Callable[[], None]]:
    """Hold the lock object of an index; yields a function that raises where it was broken."""
    lock = f"{uri}/{LOCK_NAME}"
    token = secrets.token_hex(8)
    owner = {
        "user": _user(),
        "host": socket.gethostname(),
        "process": os.getpid(),
        "since": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "copy": identity,
        "token": token,
    }
    data = json.dumps(owner, indent=2).encode()

    def holder() -> dict[str, object]:
        try:
            content = json.loads(storage.read_bytes(lock))
        except (storage.MissingObject, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    if not s3.create(lock, data):
        other = holder()
        if not other and s3.create(lock, data):
            pass  # its owner has just finished
        elif other.get("copy") == identity:
            # No process of this machine holds the copy, so the one that made this lock is dead.
            storage.write_bytes(lock, data)
        elif other.get("token") != token:  # a repeated request may have met its own success
            raise IndexFolderError(_locked_sentence(uri, lock, other))

    def still_ours() -> None:
        if holder().get("token") != token:
            raise IndexFolderError(
                f"{lock} was removed or taken over while this run wrote to {uri}; see that no "
                "other run does, and run again: it goes on with what is there."
            )

    try:
        yield still_ours
    finally:
        # Whatever ends the run, its own error is the one to tell.
        with suppress(StorageError):
            if holder().get("token") == token:
                s3.delete(lock)


def _locked_sentence(uri: str, lock: str, other: dict[str, object]) -> str:
    who = f"{other.get('user', 'somebody')} on {other.get('host', 'another machine')}"
    since = f", process {other.get('process', '?')}, since {other.get('since', 'some time')}"
    return (
        f"{uri} is being written by {who}{since}; wait for that run to finish, or, if it is dead, "
        f"remove its lock with `aws s3 rm {lock}`."
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as containers have
        return "somebody"
