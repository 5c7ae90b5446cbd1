"""Where things lie in the output folder of a labeling job.

Ground Truth writes below `<output path>/<job>/` (developer guide, "Output Data"; the local page
writes the same)::

    annotation-tool/data.json                                   the classes, in order
    annotations/worker-response/iteration-<n>/<object id>/<stamp>.json
    annotations/consolidated-annotation/consolidation-request/iteration-<n>/<stamp>.json
    annotations/intermediate/<n>/annotations.manifest
    manifests/output/output.manifest

`gandt fetch` adds what the service itself says about the job, and what went into it::

    job.json
    manifests/input/input.manifest

and the local page whose answers decide a task, since they are a reviewer's::

    reviewed.csv

Stamps hold colons, which some copies lose for `_` or `-`; object ids are numbers in text. Pure
functions of names: what is read, is read elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = [
    "JobFolder",
    "ResponseFile",
    "RoundFolder",
    "Sorted",
    "job_root",
    "request_order",
    "sort_files",
]

_ITERATION = re.compile(r"iteration-(\d+)")
_RESPONSES, _REQUESTS = "worker-response", "consolidation-request"
_ANNOTATIONS, _CONSOLIDATED = "annotations", "consolidated-annotation"
ANSWERS_TABLE = "answers.parquet"
DESCRIPTION = "job.json"
REVIEWED = "reviewed.csv"
_GOLD = re.compile(r"(.+\.)?gold\.(csv|tsv|jsonl|ndjson|parquet)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ResponseFile:
    """One file of one object's answers."""

    uri: str
    object_id: str
    iteration: int

    @property
    def order(self) -> tuple[bool, int, str, int, str]:
        """Objects by number, where they have one, then iterations and stamps as time went on."""
        numeric = self.object_id.isdecimal() and self.object_id.isascii()
        number = int(self.object_id) if numeric else 0
        stamp = self.uri.rpartition("/")[2].replace(":", "_").replace("-", "_")
        return not numeric, number, self.object_id, self.iteration, stamp


@dataclass(slots=True)
class JobFolder:
    """The files of one job, by what they are for."""

    root: str
    responses: list[ResponseFile] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    intermediate: list[str] = field(default_factory=list)
    manifest: str | None = None  # the output manifest
    categories: str | None = None
    asked: str | None = None  # the input manifest
    description: str | None = None  # the service's answer about the job
    reviewed: str | None = None  # whose answers decide a task; of the local page alone
    below: bool = False  # what was listed lies below the root, and not all is known

    @property
    def name(self) -> str:
        """The job's name, as the folder is called."""
        return self.root.rpartition("/")[2]

    @property
    def default_manifest(self) -> str:
        """Where the output manifest lies if there is one."""
        return f"{self.root}/manifests/output/output.manifest"

    @property
    def default_categories(self) -> str:
        """Where the classes lie if the job has them."""
        return f"{self.root}/annotation-tool/data.json"

    @property
    def default_description(self) -> str:
        """Where the service's answer about the job lies if it was fetched."""
        return f"{self.root}/{DESCRIPTION}"

    @property
    def default_reviewed(self) -> str:
        """Where a reviewer's decisions are listed if there are any."""
        return f"{self.root}/{REVIEWED}"

    @property
    def default_requests(self) -> str:
        """The folder of the consolidation requests."""
        return f"{self.root}/{_ANNOTATIONS}/{_CONSOLIDATED}/{_REQUESTS}"

    def here(self, uri: str) -> str | None:
        """The place in this folder of a file that the job knows by another URI (it was copied)."""
        _, mark, rest = uri.rpartition(f"/{_ANNOTATIONS}/")
        return f"{self.root}/{_ANNOTATIONS}/{rest}" if mark else None


@dataclass(slots=True)
class RoundFolder:
    """A folder that an earlier aggregation wrote."""

    root: str
    answers: str


@dataclass(slots=True)
class Sorted:
    """A listing, sorted out."""

    jobs: dict[str, JobFolder] = field(default_factory=dict)  # by root
    rounds: list[RoundFolder] = field(default_factory=list)
    gold: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)  # files that belong to no job and no round


def sort_files(uris: Iterable[str]) -> Sorted:
    """Sort a listing into jobs, round folders, known answers, and what is left."""
    found = Sorted()
    rest: list[str] = []
    for uri in uris:
        if not _of_job(uri, found.jobs):
            rest.append(uri)
    roots = {f"{root}/" for root in found.jobs}
    for uri in rest:
        folder, _, name = uri.rpartition("/")
        if name == ANSWERS_TABLE and not _below(uri, roots):
            found.rounds.append(RoundFolder(folder, uri))
        if name == DESCRIPTION and folder in found.jobs:
            found.jobs[folder].description = uri
        if name == REVIEWED and folder in found.jobs:
            found.jobs[folder].reviewed = uri
    roots |= {f"{finished.root}/" for finished in found.rounds}
    for uri in rest:
        if _GOLD.fullmatch(uri.rpartition("/")[2]):
            found.gold.append(uri)
        elif not _below(uri, roots):
            found.loose.append(uri)
    return found


def _below(uri: str, roots: set[str]) -> bool:
    return any(uri.startswith(root) for root in roots)


def job_root(uri: str) -> str | None:
    """The folder of the job that a file belongs to by its place; None where the place says none."""
    jobs: dict[str, JobFolder] = {}
    return next(iter(jobs)) if _of_job(uri, jobs) else None


def request_order(uri: str) -> tuple[int, str]:
    """Consolidation requests as time went on: iterations by number, then stamps."""
    found = _ITERATION.search(uri.split("/")[-2])
    return int(found[1]) if found else 0, uri


def _of_job(uri: str, jobs: dict[str, JobFolder]) -> bool:
    """Enter a file into its job, if it has the place of one that counts."""
    parts = uri.split("/")
    if len(parts) < 4:
        return False
    name, folder = parts[-1], parts[-2]

    def job(root: list[str]) -> JobFolder:
        path = "/".join(root)
        return jobs.setdefault(path, JobFolder(path))

    if name.endswith(".json") and (turn := _ITERATION.fullmatch(parts[-3])):
        root = parts[:-3]
        if root[-1] == _RESPONSES or folder.isdecimal():
            job(_trimmed(root, _RESPONSES, _ANNOTATIONS)).responses.append(
                ResponseFile(uri, folder, int(turn[1]))
            )
            return True
    if name.endswith(".json") and parts[-3] == _REQUESTS and _ITERATION.fullmatch(folder):
        job(_trimmed(parts[:-2], _REQUESTS, _CONSOLIDATED, _ANNOTATIONS)).requests.append(uri)
        return True
    if parts[-3:] == ["manifests", "output", "output.manifest"]:
        job(parts[:-3]).manifest = uri
        return True
    if parts[-3:] == ["manifests", "input", "input.manifest"]:
        job(parts[:-3]).asked = uri
        return True
    if parts[-2:] == ["annotation-tool", "data.json"]:
        job(parts[:-2]).categories = uri
        return True
    if name == "annotations.manifest" and parts[-4:-2] == [_ANNOTATIONS, "intermediate"]:
        job(parts[:-4]).intermediate.append(uri)
        return True
    return False


def _trimmed(root: list[str], *names: str) -> list[str]:
    for name in names:
        if root and root[-1] == name:
            root = root[:-1]
    return root
