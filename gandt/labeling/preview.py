"""Pictures for a page that is looked at as a file, without a server and without signatures.

Reads pictures on S3 through `gandt.storage` and writes them into the address itself; local ones
stay where they are.
"""

from __future__ import annotations

import base64
import mimetypes
from pathlib import Path

from gandt import storage
from gandt.errors import StorageError

__all__ = ["show_image"]

_BROWSER = ("http://", "https://", "data:", "file:")
_MAX_BYTES = 40_000_000  # what Ground Truth takes


def show_image(uri: str) -> str:
    """Give an address that a browser on this machine can load; as it is, where none can be made.

    A picture that cannot be read keeps its URI, so that the page itself says that it is broken.
    """
    if uri.startswith(_BROWSER):
        return uri
    if not storage.is_remote(uri):
        return Path(storage.normalize(uri)).absolute().as_uri()
    try:
        if storage.stat(uri).size > _MAX_BYTES:
            return uri
        data = storage.read_bytes(uri)
    except StorageError:
        return uri
    kind = mimetypes.guess_type(uri)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
