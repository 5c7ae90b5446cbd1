"""A job's answers come home: its output folder on S3 becomes a local one that `aggregate` reads.

Reads what Ground Truth wrote below the job's output folder (developer guide, "Output Data") and the
manifest that went in. Writes `DEST/<JobName>/`, with the same layout::

    job.json                          the job as the service describes it, times as ISO 8601
    annotation-tool/                  the classes and the page
    annotations/worker-response/      each worker's answers
    annotations/consolidated-annotation/    requests, responses, masks
    manifests/input/input.manifest    what was asked
    manifests/output/output.manifest  what came of it

Scratch files and those of automated labeling's own training stay where they are. Colons in names
become hyphens, since not every file system can hold them; so do the other characters that Windows
has no room for.

Every file appears whole, under a hidden name first. `.fetched.jsonl` notes the version (ETag) of
each, so that a second run, also after one that was killed, transfers what is new, has changed or
was deleted here, and nothing else. What was fetched stays when S3 deletes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import filelock

from gandt import storage
from gandt.errors import JobError, ManifestError, StorageError, UsageError
from gandt.groundtruth.output import read_output
from gandt.jobs.failures import Explained, summarize
from gandt.jobs.fetched_files import FetchedFiles
from gandt.jobs.follow import describe
from gandt.jobs.job_state import JobState
from gandt.storage import MissingObject, ServiceFailure, StoredObject

__all__ = ["FetchProgress", "Fetched", "fetch"]

_THREADS = 32  # requests to S3 at the same time
_AHEAD = 256  # objects handed to the threads before the first of them is done
_ANNOTATIONS, _SCRATCH = "annotations/", "annotations/intermediate/"
_RESPONSES = "annotations/worker-response/"
_INPUT = "manifests/input/input.manifest"
_OUTPUT = "manifests/output/output.manifest"
_LOCK = ".fetch.lock"


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """How far a fetch is."""

    new: int  # files transferred
    known: int  # files that were here already
    listed: int  # files seen on S3
    complete: bool  # whether all files are listed
    bytes: int  # transferred


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch brought."""

    state: JobState
    folder: str  # local, of the job
    new: int  # files transferred, those that had changed included
    known: int  # files that were here already
    bytes: int  # transferred
    responses: int  # files of worker responses that are here now
    partial: bool  # whether the job goes on, so that there may be more later
    failed: tuple[tuple[int, Explained], ...] = ()  # objects that failed, by the reason
    problems: tuple[tuple[str, str], ...] = ()  # (URI, reason) of what could not be transferred
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> int:
        """Files of the job that are here now."""
        return self.new + self.known


class _NotRead(Exception):
    """An object could not be read; others may."""


def fetch(
    job: str | JobState,
    destination: str,
    region: str | None = None,
    on_progress: Callable[[FetchProgress], None] | None = None,
) -> Fetched:
    """Bring a job's answers home, or what is new of them.

    Parameters
    ----------
    job
        Name or ARN of the job, or its state.
    destination
        Local folder, in which the job gets one of its own.
    on_progress
        Called after each file.

    Returns
    -------
    fetched
        `problems` names the files that could not be had this time; running it again tries them.

    Raises
    ------
    UsageError
        Where the destination is on S3.
    JobError
        Where there is no such job, another fetch is at work in the folder, or the folder belongs
        to another job of the same name.
    StorageError
        Where the job's folder may not be listed, S3 serves nothing at all, or nothing can be
        written here.
    """
    wanted = job if isinstance(job, str) else job.name
    root = _local(destination, wanted)
    state = describe(job, region) if isinstance(job, str) else job
    folder = Path(root) / state.name
    _own(folder, state)
    lock = filelock.FileLock(folder / _LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise JobError(
            f"another `gandt fetch` is filling {folder}: let it finish, or choose another --out."
        ) from error
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror or error}.") from error
    try:
        return _Fetch(state, folder, on_progress).run()
    finally:
        lock.release()


def _local(destination: str, name: str) -> str:
    if storage.is_remote(destination):
        raise UsageError(
            f"--out {destination}: fetch into a local folder; on S3 the answers of {name} are "
            "already, and `gandt aggregate` reads them there (`gandt status` says where)."
        )
    return storage.normalize(destination)


def _own(folder: Path, state: JobState) -> None:
    """Refuse a folder that holds the answers of another job."""
    try:
        known = json.loads((folder / "job.json").read_bytes())
        arn = known["LabelingJobArn"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if arn != state.arn:
        raise JobError(
            f"{folder} holds another job of the same name ({arn}): fetch {state.arn} into another "
            "folder (--out)."
        )


class _Fetch:
    """One fetch under way."""

    def __init__(
        self,
        state: JobState,
        folder: Path,
        on_progress: Callable[[FetchProgress], None] | None,
    ) -> None:
        self.state, self.folder, self.on_progress = state, folder, on_progress
        self.files = FetchedFiles(folder)
        self.new = self.known = self.listed = self.gone = self.bytes = self.responses = 0
        self.complete = False
        self.problems: list[tuple[str, str]] = []
        self.notes: list[str] = []

    def run(self) -> Fetched:
        state = self.state
        storage.write_bytes(self.folder / "job.json", _description(state))
        with self.files, ThreadPoolExecutor(_THREADS, thread_name_prefix="gandt-fetch") as pool:
            try:
                # The manifest first: whatever it refers to is then in the listing that follows.
                self._transfer(pool, self._manifests())
                self._transfer(pool, self._answers())
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        self.complete = True
        self._tell()
        self._note()
        return Fetched(
            state=state,
            folder=str(self.folder),
            new=self.new,
            known=self.known,
            bytes=self.bytes,
            responses=self.responses,
            partial=not state.finished,
            failed=self._failed(),
            problems=tuple(self.problems),
            notes=tuple(self.notes),
        )

    # ----------------------------------------------------------------------------- what there is

    def _manifests(self) -> Iterator[tuple[str, StoredObject]]:
        yield from self._listed("annotation-tool/")
        if self.state.output_manifest == f"{self.state.output}/{_OUTPUT}":
            yield from self._listed("manifests/output/")
        else:
            yield from self._apart(_OUTPUT, self.state.output_manifest)
        if self.state.input_manifest is not None:
            yield from self._apart(_INPUT, self.state.input_manifest)

    def _apart(self, key: str, uri: str) -> Iterator[tuple[str, StoredObject]]:
        """A manifest that lies elsewhere; the answers can be used without it."""
        try:
            found = storage.find(uri)
        except ServiceFailure:
            raise
        except StorageError as error:
            self.notes.append(f"a manifest was not fetched: {error}")
            return
        if found is not None:
            yield key, found
        elif self.state.finished or key == _INPUT:
            self.notes.append(f"there is no manifest {uri} any more")

    def _answers(self) -> Iterator[tuple[str, StoredObject]]:
        for key, file in self._listed(_ANNOTATIONS):
            if not key.startswith(_SCRATCH):
                yield key, file

    def _listed(self, prefix: str) -> Iterator[tuple[str, StoredObject]]:
        root = f"{self.state.output}/"
        for file in storage.list_folder(root + prefix):
            yield file.uri.removeprefix(root), file

    # ----------------------------------------------------------------------------- transferring

    def _transfer(
        self, pool: ThreadPoolExecutor, entries: Iterable[tuple[str, StoredObject]]
    ) -> None:
        """Transfer what is not here, many at once, while the listing goes on."""
        running: dict[Future[int], tuple[str, StoredObject]] = {}
        for key, file in entries:
            self.listed += 1
            self.responses += key.startswith(_RESPONSES)
            place = self.files.place(key)
            if place is None:
                self.problems.append((file.uri, "its name would lead out of the job's folder"))
            elif self.files.has(key, place, file):
                self.known += 1
                self._tell()
            else:
                running[pool.submit(self._one, file, self.folder / place)] = (key, file)
                if len(running) >= _AHEAD:
                    self._settle(running, wait(running, return_when=FIRST_COMPLETED).done)
        while running:
            self._settle(running, wait(running, return_when=FIRST_COMPLETED).done)

    def _settle(
        self, running: dict[Future[int], tuple[str, StoredObject]], done: set[Future[int]]
    ) -> None:
        for future in done:
            key, file = running.pop(future)
            try:
                size = future.result()
            except _NotRead as error:
                if isinstance(error.__cause__, MissingObject):
                    self.gone += 1
                else:
                    self.problems.append((file.uri, str(error)))
                continue
            self.files.add(key, file, size)
            self.new += 1
            self.bytes += size
            self._tell()

    def _one(self, file: StoredObject, path: Path) -> int:
        """Transfer one object; returns its size in bytes."""
        size = 0
        with storage.atomic_path(path) as temporary, temporary.open("wb") as target:
            for chunk in _chunks(file.uri):
                size += target.write(chunk)
        return size

    def _tell(self) -> None:
        if self.on_progress is not None:
            self.on_progress(
                FetchProgress(self.new, self.known, self.listed, self.complete, self.bytes)
            )

    def _failed(self) -> tuple[tuple[int, Explained], ...]:
        """Why objects failed, as the output manifest says."""
        manifest = self.folder / _OUTPUT
        if not self.state.counters.failed or not manifest.is_file():
            return ()
        try:
            rows = read_output(str(manifest), attribute=self.state.attribute).rows
        except (ManifestError, StorageError) as error:
            self.notes.append(f"the output manifest does not say what failed: {error}")
            return ()
        return tuple(summarize(row.reason for row in rows if row.status == "failed"))

    def _note(self) -> None:
        if self.gone:
            self.notes.append(f"S3 lost {self.gone:,} of the files while they were fetched")
        if not self.listed:
            self.notes.append(f"there is nothing in {self.state.output} yet")
        elif self.state.finished and not (self.folder / _OUTPUT).is_file():
            self.notes.append("the job left no output manifest; the answers can be used without")


def _chunks(uri: str) -> Iterator[bytes]:
    try:
        yield from storage.read_chunks(uri)
    except ServiceFailure:
        raise
    except StorageError as error:
        raise _NotRead(str(error)) from error


def _description(state: JobState) -> bytes:
    def plain(value: object) -> str:
        return value.isoformat() if isinstance(value, datetime) else str(value)

    text = json.dumps(state.raw, ensure_ascii=False, indent=2, sort_keys=True, default=plain)
    return f"{text}\n".encode()
