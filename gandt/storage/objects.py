"""What both storages share: the entry of a listing, callbacks, and the kinds of failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gandt.errors import StorageError

__all__ = [
    "CHUNK",
    "MissingObject",
    "OnError",
    "PassingFailure",
    "ServiceFailure",
    "StoredObject",
]

CHUNK = 1 << 20  # bytes read at once where a stream is wanted

OnError = Callable[[str, str], None]  # (URI, reason)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A file or an S3 object, as a listing shows it.

    `version` changes whenever the bytes may have changed: the modification time in nanoseconds
    of a file, the ETag of an S3 object.
    """

    uri: str
    size: int  # bytes
    version: str


class MissingObject(StorageError):
    """S3 has no object of this name."""


class PassingFailure(StorageError):
    """S3 was too busy or the connection broke, after all retries; a later try may go well."""


class ServiceFailure(StorageError):
    """S3 serves nothing at all: the credentials are refused, or the endpoint cannot be reached.

    What fails so for one object fails for all, so a run should stop and not list each of them.
    """
