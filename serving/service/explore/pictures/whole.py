"""The picture itself, for the page to show in full.

As the labeling desk does: what is found under an image's name is sent only where it is a regular
file that begins as an image does that browsers show. A name that was made to lead to something
else since (a link to a password file, a pipe, a folder) gives nothing away.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from gandt.serving.service.explore.engine import Engine
from gandt.serving.service.explore.pictures.originals import Originals
from gandt.serving.service.images import Chunks, NotShown, open_image

__all__ = ["NotShown", "OpenPicture", "open_picture", "originals_of"]


class OpenPicture(NamedTuple):
    """An opened picture: send the chunks, or close them."""

    media_type: str
    size: int  # bytes
    chunks: Chunks
    etag: str  # as the header wants it, quotes included


@lru_cache(maxsize=2)  # a process serves one engine
def originals_of(engine: Engine) -> Originals:
    """The files of an engine's pictures; of one engine the same object again."""
    return Originals(engine)


def open_picture(engine: Engine, number: int) -> OpenPicture:
    """Open the picture of an id.

    Raises
    ------
    NoSuchImage
        The id is of no live row.
    NotShown
        It cannot be read, is no image that browsers show, or is too large; `status` says which.
    """
    originals = originals_of(engine)
    opened = open_image(*originals.place(originals.uri(number)))
    return OpenPicture(opened.kind, opened.size, opened.chunks, opened.etag)
