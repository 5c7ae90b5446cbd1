"""Bring a job's files to S3: named by what is in them, so that nothing is ever sent twice.

The name of an image is the SHA-256 of its bytes with the suffix of its real format. So a second
run, or one after a kill, sends only what is missing; copies are sent once; and a changed file gets
another name, while jobs that ask about the old one go on to find it. S3 shows an object only when
it is whole and checks the SHA-256 of what arrives. Documents (manifest, categories, page) go last:
a manifest on S3 never names an image that is not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from gandt import storage
from gandt.errors import BadImage, JobError, StorageError
from gandt.jobs.plan import ImageFacts
from gandt.parallel import in_order
from gandt.pool.sources import find_items, read_item
from gandt.storage import ServiceFailure, StoredObject
from gandt.types import Item

__all__ = ["Progress", "Uploaded", "document_uri", "image_uri", "send"]

THREADS = 32  # as many requests as the storage allows at once
_MAX_BYTES = 1 << 28  # of images that are in memory at once
_PER_LISTING = 1000  # names in one answer of S3
_LOOKUPS_PER_LISTING = 3  # look-ups that take as long as one answer of a listing
_HOPELESS = THREADS  # failures, with nothing sent, after which no more is tried

# Pillow's name of a format, the suffix, and what browsers call it.
_FORMATS = {
    "JPEG": (".jpg", "image/jpeg"),
    "PNG": (".png", "image/png"),
    "WEBP": (".webp", "image/webp"),
    "GIF": (".gif", "image/gif"),
    "BMP": (".bmp", "image/bmp"),
    "TIFF": (".tif", "image/tiff"),
}
_CONTENT_TYPES = {
    **dict(_FORMATS.values()),
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".manifest": "application/jsonl",
}
_DIGEST = re.compile(r"[0-9a-f]{64}")

Progress = Callable[[int, int, int], None]  # files done, of, bytes sent


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What an upload did; copies of one image count once."""

    sent: int  # files
    there: int  # files that were on S3 already
    bytes: int  # sent
    replaced: tuple[str, ...] = ()  # URIs of those sent that were there with another size


def image_uri(facts: ImageFacts, bucket: str, prefix: str) -> str:
    """Name an image on S3 by its bytes.

    Raises
    ------
    JobError
        Where the image is unusable, or on S3 already, so that its bytes are not known.
    """
    if facts.sha256 is None or facts.format not in _FORMATS:
        raise JobError(
            f"{facts.uri} cannot be uploaded as an image: {facts.problem or 'it is on S3 already'}."
        )
    return _uri(bucket, prefix, "images", f"{facts.sha256}{_FORMATS[facts.format][0]}")


def document_uri(kind: str, content: bytes, suffix: str, bucket: str, prefix: str) -> str:
    """Name a document of a job on S3 by its bytes; `kind` is its folder, as "manifests"."""
    return _uri(bucket, prefix, kind, f"{hashlib.sha256(content).hexdigest()[:32]}{suffix}")


def _uri(bucket: str, prefix: str, folder: str, name: str) -> str:
    return f"s3://{'/'.join(part for part in (bucket, prefix.strip('/'), folder, name) if part)}"


def send(
    images: Mapping[str, str],
    contents: Mapping[str, bytes],
    on_progress: Progress | None = None,
) -> Uploaded:
    """Send what is not there yet: first the images, and when all are there, the documents.

    Parameters
    ----------
    images
        From the path of a local image, or the URI of a member of a tar shard, to its name on S3,
        as `image_uri` gives it.
    contents
        From the name of a document on S3, as `document_uri` gives it, to its bytes.
    on_progress
        Called by this thread: files done, of how many, bytes sent so far.

    Raises
    ------
    StorageError
        Where S3 cannot be looked at; or, after all others were sent, where files could not be:
        with the first of them and their number. Documents are then not sent.
    ServiceFailure
        At once, where S3 gives nothing at all, for want of credentials or connection.
    """
    sources: defaultdict[str, list[str]] = defaultdict(list)  # of each object; copies are equal
    for path, uri in images.items():
        sources[uri].append(path)
    tally = _Tally(len(sources) + len(contents), on_progress)
    _send_images(sources, tally)
    there = _look_up(contents)
    for uri, content in contents.items():
        if _is_there(there.get(uri), {len(content)}, tally):
            tally.found()
        else:
            storage.put(uri, content, content_type=_content_type(uri))
            tally.sent(len(content))
    return tally.result()


class _Tally:
    """Counts, and tells the caller."""

    def __init__(self, total: int, on_progress: Progress | None) -> None:
        self._total = total
        self._on_progress = on_progress
        self._sent = self._there = self._bytes = 0
        self.replaced: list[str] = []

    def sent(self, size: int) -> None:
        self._sent += 1
        self._bytes += size
        self._tell()

    def found(self) -> None:
        self._there += 1
        self._tell()

    @property
    def any_sent(self) -> bool:
        return self._sent > 0

    def result(self) -> Uploaded:
        return Uploaded(self._sent, self._there, self._bytes, tuple(self.replaced))

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._sent + self._there, self._total, self._bytes)


def _is_there(found: StoredObject | None, sizes: Collection[int], tally: _Tally) -> bool:
    if found is None:
        return False
    if not sizes or found.size in sizes:
        return True
    tally.replaced.append(found.uri)
    return False


# ------------------------------------------------------------------------------------- images


def _send_images(sources: Mapping[str, list[str]], tally: _Tally) -> None:
    there = _look_up(sources)
    items = find_items(path for paths in sources.values() for path in paths)
    missing: list[tuple[str, list[Item]]] = []
    for uri, paths in sources.items():
        copies = [items[path] for path in paths]
        # Files that are gone by now are not needed, where S3 has their bytes.
        sizes = {copy.size for copy in copies if copy.size >= 0}
        if _is_there(there.get(uri), sizes, tally):
            tally.found()
        else:
            missing.append((uri, copies))
    room = _Room(_MAX_BYTES)
    failures: list[str] = []

    def try_to_send(job: tuple[str, list[Item]]) -> int | str:
        uri, copies = job
        sentence = ""
        for item in copies:  # whichever of them is still what it was
            try:
                with room.taken(item.size):
                    return _send_image(item, uri)
            except ServiceFailure:
                raise
            except (StorageError, BadImage) as error:
                sentence = sentence or _sentence(item, error)
        return sentence

    with contextlib.closing(in_order(try_to_send, missing, THREADS)) as results:
        for outcome in results:
            if isinstance(outcome, int):
                tally.sent(outcome)
                continue
            failures.append(outcome)
            if len(failures) >= _HOPELESS and not tally.any_sent:
                break
    if failures:
        raise StorageError(_failed(failures, len(missing), tally.any_sent))


def _send_image(item: Item, uri: str) -> int:
    data = read_item(item)
    digest = PurePosixPath(uri).stem
    if _DIGEST.fullmatch(digest) is None:
        raise StorageError(f"{uri} is no name for an image: it has to be its SHA-256.")
    if hashlib.sha256(data).hexdigest() != digest:
        raise BadImage("it has changed since it was looked at; run it again")
    storage.put(uri, data, content_type=_content_type(uri))
    return len(data)


def _sentence(item: Item, error: Exception) -> str:
    if isinstance(error, StorageError):
        return str(error)
    return f"{item.uri} cannot be uploaded: {str(error).rstrip('.')}."


def _failed(failures: list[str], wanted: int, any_sent: bool) -> str:
    if wanted == 1:
        return failures[0]
    if len(failures) >= _HOPELESS and not any_sent:
        return (
            f"None of the first {len(failures):,} of {wanted:,} images could be uploaded, so no "
            f"more were tried; the first: {failures[0]}"
        )
    others = "" if wanted == len(failures) else " The others are there and are not sent again."
    return (
        f"{len(failures):,} of {wanted:,} images could not be uploaded; the first: {failures[0]}"
        f"{others}"
    )


class _Room:
    """Bounds the bytes that are in memory; a file larger than the bound has it to itself."""

    def __init__(self, most: int) -> None:
        self._most = self._free = most
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, size: int) -> Iterator[None]:
        cost = min(max(size, 0), self._most)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= cost)
            self._free -= cost
        try:
            yield
        finally:
            with self._changed:
                self._free += cost
                self._changed.notify_all()


# -------------------------------------------------------------------------------- what is there


def _look_up(uris: Collection[str]) -> dict[str, StoredObject]:
    """Find which of these objects there are; folder by folder, by listing or one by one."""
    folders: defaultdict[str, list[str]] = defaultdict(list)
    for uri in uris:
        folders[uri.rpartition("/")[0]].append(uri)
    there: dict[str, StoredObject] = {}
    for folder, wanted in folders.items():
        rest = wanted
        if len(wanted) > THREADS:
            listed, rest = _listed(folder, wanted)
            there |= listed
        with contextlib.closing(in_order(storage.find, rest, THREADS)) as found:
            there |= {entry.uri: entry for entry in found if entry is not None}
    return there


def _listed(folder: str, wanted: Collection[str]) -> tuple[dict[str, StoredObject], list[str]]:
    """List a folder as long as that is quicker than looking up each name.

    One answer of a listing tells of 1,000 names, but they come one after the other and the folder
    may hold the images of many jobs, while look-ups run side by side. Where the listing has
    taken as long as all look-ups would have, the names behind it are looked up: at most twice the
    time of the better way.

    Returns
    -------
    found, rest
        What was found, and the names that the listing did not come to.
    """
    names = set(wanted)
    last = max(names)
    answers = -(-len(names) // (THREADS * _LOOKUPS_PER_LISTING))
    there: dict[str, StoredObject] = {}
    for count, entry in enumerate(storage.list_folder(folder), start=1):
        if entry.uri in names:
            there[entry.uri] = entry
        if entry.uri >= last:
            break
        if count == answers * _PER_LISTING:
            return there, [uri for uri in wanted if uri > entry.uri]
    return there, []


def _content_type(uri: str) -> str:
    return _CONTENT_TYPES.get(PurePosixPath(uri).suffix, "application/octet-stream")
