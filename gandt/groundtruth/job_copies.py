"""Files that a job names by their place on S3, where a copy of the job's folder lies here.

Stamps in their names hold colons, which a copy may have lost: `gandt fetch` and other tools write
hyphens or underscores in their place.
"""

from __future__ import annotations

from gandt import storage
from gandt.errors import StorageError
from gandt.groundtruth.job_folder import JobFolder

__all__ = ["copy_of"]

_FOR_COLONS = (":", "-", "_")


def copy_of(uri: str, folder: JobFolder | None) -> str:
    """Say where to read a file of a job: its copy in a local folder, else where it was."""
    if folder is None or storage.is_remote(folder.root):
        return uri
    copied = folder.here(uri)
    if copied is None:
        return uri
    below = copied.removeprefix(folder.root)
    try:
        for mark in _FOR_COLONS:
            place = folder.root + below.replace(":", mark)
            if storage.find(place) is not None:
                return place
    except StorageError:
        return uri
    return uri
