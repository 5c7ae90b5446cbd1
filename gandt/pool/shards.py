"""List the members of tar shards on S3 some shards ahead.

The header of each member lies behind the member before, so one shard takes a request for every
image that is not tiny, and nearly all of the time is waiting. Shards do not wait for each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from gandt import storage
from gandt.errors import StorageError
from gandt.pool import tar
from gandt.storage import StoredObject

__all__ = ["Directory", "with_directories"]

SHARDS_AHEAD = 16
_ENTRIES_AHEAD = 10_000  # of a listing; shards and images may be mixed


@dataclass(frozen=True, slots=True)
class Directory:
    """The members of a shard, as far as they could be listed; iterating raises what stopped it."""

    members: tuple[tar.Member, ...]
    error: StorageError | None = None

    def __iter__(self) -> Iterator[tar.Member]:
        yield from self.members
        if self.error is not None:
            raise self.error


def with_directories(
    listing: Iterable[StoredObject],
) -> Iterator[tuple[StoredObject, Future[Directory] | None]]:
    """Pass a listing on in its order; tar shards on S3 come with their directory to be."""
    waiting: deque[tuple[StoredObject, Future[Directory] | None]] = deque()
    shards = 0  # among those waiting
    workers = ThreadPoolExecutor(SHARDS_AHEAD, thread_name_prefix="gandt-tar")
    try:
        for found in listing:
            directory = None
            if found.uri.lower().endswith(".tar") and storage.is_remote(found.uri):
                directory = workers.submit(_list, found)
                shards += 1
            waiting.append((found, directory))
            while waiting and (
                waiting[0][1] is None or shards > SHARDS_AHEAD or len(waiting) > _ENTRIES_AHEAD
            ):
                first = waiting.popleft()
                shards -= first[1] is not None
                yield first
        yield from waiting
    finally:
        workers.shutdown(wait=False, cancel_futures=True)


def _list(shard: StoredObject) -> Directory:
    members: list[tar.Member] = []
    try:
        for member in tar.members(shard):
            members.append(member)
    except StorageError as error:
        return Directory(tuple(members), error)
    return Directory(tuple(members))
