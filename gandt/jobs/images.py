"""Look at the images of a job without unpacking any: size, format, orientation, SHA-256.

Local files are read whole once, for their SHA-256 will be their name on S3. Of an object on S3 its
beginning is read, with one request for most. A member of a tar shard is read whole wherever the
shard lies: Ground Truth cannot look into a shard, so it has to be uploaded as a file of its own.
What is wrong with an image is noted in its facts and no reason to stop.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from gandt import storage
from gandt.errors import BadImage, StorageError
from gandt.jobs.plan import ImageFacts
from gandt.parallel import in_order
from gandt.pool import tar
from gandt.pool.header import PIECE, read_header
from gandt.pool.sources import find_items, read_item
from gandt.storage import MissingObject, ServiceFailure
from gandt.types import Item

__all__ = ["MAX_PIXELS", "Progress", "inspect_images"]

MAX_PIXELS = 200_000_000  # as for `gandt embed`; Ground Truth's own limits are lower
_MAX_BYTES = 1 << 30  # of one file; a larger one is no photo
_BLOCK = 1 << 22  # bytes hashed at once
_REMOTE_THREADS = 32  # as many requests as the storage allows at once
_LOCAL_THREADS = 8

Progress = Callable[[int, int], None]  # done, of


def inspect_images(uris: Iterable[str], on_progress: Progress | None = None) -> list[ImageFacts]:
    """Find out what a job has to know of its images.

    Parameters
    ----------
    uris
        Local paths, `s3://` URIs, and members of tar shards (`<tar>#<member>`).
    on_progress
        Called by this thread with the number of images looked at, and of all.

    Returns
    -------
    facts
        Of each distinct URI, in the order of their first mention. `problem` says why an image
        cannot be used; `sha256` is that of local files and of members of shards.

    Raises
    ------
    ServiceFailure
        Where S3 gives nothing at all, for want of credentials or connection.
    """
    names = list(dict.fromkeys(uris))
    members = _members(names)
    threads = _REMOTE_THREADS if any(map(storage.is_remote, names)) else _LOCAL_THREADS
    facts: list[ImageFacts] = []
    with contextlib.closing(in_order(partial(_inspect, members=members), names, threads)) as found:
        for one in found:
            facts.append(one)
            if on_progress is not None:
                on_progress(len(facts), len(names))
    return facts


def _members(names: list[str]) -> dict[str, Item]:
    """Find the members of tar shards; each shard's directory is read once.

    One that is missing is among them, since reading it says why.
    """
    items = find_items(name for name in names if tar.split_uri(name) is not None)
    return {
        name: item for name, item in items.items() if item.container is not None or item.size < 0
    }


def _inspect(uri: str, members: Mapping[str, Item]) -> ImageFacts:
    try:
        if uri in members:
            data = read_item(members[uri])
            facts = ImageFacts(uri, len(data), hashlib.sha256(data).hexdigest())
            return _with_header(facts, data[:PIECE], lambda at, size: data[at : at + size])
        if "://" in uri and not uri.startswith(("s3://", "file://")):
            raise BadImage("an address that is neither a file nor on S3: download it first")
        return _of_object(uri) if storage.is_remote(uri) else _of_file(uri)
    except ServiceFailure:
        raise
    except MissingObject:
        return ImageFacts(uri, problem="no such object")
    except StorageError as error:
        return ImageFacts(uri, problem=_ending(uri, error))
    except BadImage as error:
        return ImageFacts(uri, problem=str(error))


def _of_object(uri: str) -> ImageFacts:
    found, start = storage.read_start(uri, PIECE)
    if found.size > _MAX_BYTES:
        return ImageFacts(uri, found.size, problem=_too_large(found.size))
    return _with_header(ImageFacts(uri, found.size), start, partial(_fetch, uri))


def _of_file(uri: str) -> ImageFacts:
    found = storage.find(uri)
    if found is None:
        raise BadImage("a folder, not an image" if storage.is_folder(uri) else "no such file")
    if found.size > _MAX_BYTES:
        return ImageFacts(uri, found.size, problem=_too_large(found.size))
    digest, start, size = hashlib.sha256(), b"", 0
    while data := storage.read_bytes(uri, offset=size, size=_BLOCK):
        start = start or data[:PIECE]
        digest.update(data)
        size += len(data)
    facts = ImageFacts(uri, size, digest.hexdigest())
    return _with_header(facts, start, partial(_fetch, uri))


def _fetch(uri: str, offset: int, size: int) -> bytes:
    return storage.read_bytes(uri, offset=offset, size=size)


def _with_header(facts: ImageFacts, start: bytes, fetch: Callable[[int, int], bytes]) -> ImageFacts:
    try:
        header = read_header(start, facts.size, fetch)
    except BadImage as error:
        return replace(facts, problem=str(error))
    width, height = header.width, header.height
    pixels = width * height
    return replace(
        facts,
        format=header.format,
        width=width,
        height=height,
        orientation=header.orientation,
        problem=f"too many pixels: {width} x {height}, the limit is {MAX_PIXELS}"
        if pixels > MAX_PIXELS
        else None,
    )


def _too_large(size: int) -> str:
    return f"too large for an image: {size} bytes"


def _ending(uri: str, error: StorageError) -> str:
    """Make a sentence of the storage the end of one that names the image itself."""
    text = str(error).removeprefix(f"{uri} ").rstrip(".")
    return text[:1].lower() + text[1:]
