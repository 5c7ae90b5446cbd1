"""What was labeled already or sent before: read from any file that names images."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gandt import storage
from gandt.errors import BadImage, UsageError
from gandt.groundtruth.manifest import is_manifest, read_every_name
from gandt.index.folder import Index
from gandt.pool.sources import PATH_COLUMNS, open_pool, read_item
from gandt.tables import find_column, read_rows
from gandt.types import IntArray

__all__ = ["Excluded", "read_excluded"]

# Selection tables name the copies that a candidate stands for; a labeled image answers for them.
COPIES = "duplicates"


@dataclass(frozen=True, slots=True)
class Excluded:
    """The images that some files name, in whatever folder a copy of them lies."""

    names: frozenset[str]
    sha256: frozenset[str] = frozenset()  # of images that lie in a folder that was named

    def rows(self, index: Index) -> IntArray:
        """Sorted rows of the index that hold them."""
        return np.union1d(
            index.find("image_path", sorted(self.names)), index.find("sha256", sorted(self.sha256))
        )


def read_excluded(files: Sequence[str]) -> Excluded:
    """Read what was labeled already or sent before.

    Images are matched by their names, and those of a folder also by their bytes, so that a copy of
    what was labeled serves as well.

    Parameters
    ----------
    files
        Manifests, selection tables, labels tables and lists of paths; also folders of images.

    Raises
    ------
    UsageError
        A file does not exist or names no images.
    """
    names: set[str] = set()
    hashes: set[str] = set()
    for file in files:
        location = storage.normalize(file)
        if not (storage.exists(location) or storage.is_folder(location)):
            raise UsageError(f"--exclude {file}: there is no such file; check the path.")
        if storage.is_folder(location):
            hashes.update(_hashes(location))
        names.update(_names(location))
    return Excluded(frozenset(names), frozenset(hashes))


def _hashes(folder: str) -> Iterator[str]:
    for item in open_pool([folder]):
        # What cannot be read still counts by its name.
        with contextlib.suppress(BadImage):
            yield hashlib.sha256(read_item(item)).hexdigest()


def _names(location: str) -> list[str]:
    if not storage.is_folder(location):
        if location.endswith((".manifest", ".jsonl")) and is_manifest(location):
            return [_absolute(name) for name in read_every_name(location)]
        if location.endswith((".csv", ".tsv", ".jsonl", ".parquet")):
            table = read_rows(location, (*PATH_COLUMNS, "task", COPIES))
            paths = table.columns[find_column(table, (*PATH_COLUMNS, "task"), "image paths")]
            names = [path for path in paths if path]
            for cell in table.columns.get(COPIES, []):
                names += _copies(cell)
            base = location.rpartition("/")[0]
            return [_absolute(name, base) for name in names]
    return [item.uri for item in open_pool([location])]


def _copies(cell: str | None) -> list[str]:
    if not cell:
        return []
    try:
        value = json.loads(cell)
    except ValueError:
        return []
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _absolute(name: str, base: str | None = None) -> str:
    if "://" in name or name.startswith("/"):
        return name
    return storage.normalize(f"{base}/{name}" if base else name)
