"""Where the image of a task may be read: absolute, on S3, or relative to what names it."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import PurePosixPath

from gandt import storage

__all__ = ["folder_of", "is_image_name", "places"]

_IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".jfif"}
)


def is_image_name(task: str) -> bool:
    """Whether a task is the name of an image, not a text or an id."""
    if "\n" in task or len(task) > 4096:
        return False
    named = task.startswith(("/", "~/")) or "://" in task.split(" ")[0]
    return named or PurePosixPath(task).suffix.lower() in _IMAGE_SUFFIXES


def places(names: Sequence[str | None], folder: str) -> tuple[str, ...]:
    """Give the URIs at which to look for an image, the likeliest first.

    Parameters
    ----------
    names
        What the task is called, and how else it is referred to. Relative ones are looked for
        below `folder`, then below the folder that holds it.
    folder
        Of the manifest, or the round; local or `s3://`.
    """
    found: list[str] = []
    for name in filter(None, names):
        if "://" in name or name.startswith(("/", "~")):
            found.append(name)
        else:
            found += [_join(folder, name), _join(folder_of(folder), name)]
    return tuple(dict.fromkeys(found))


def folder_of(uri: str) -> str:
    """Name the folder or prefix in which this lies."""
    return uri.rstrip("/").rpartition("/")[0] or "/"


def _join(folder: str, name: str) -> str:
    if storage.is_remote(folder):
        return f"{folder.rstrip('/')}/{name.removeprefix('./')}"
    return posixpath.normpath(posixpath.join(folder, name))
