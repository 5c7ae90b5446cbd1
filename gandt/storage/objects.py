"""What both storages share: the entry of a listing, and the callback for what cannot be listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["CHUNK", "OnError", "StoredObject"]

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
