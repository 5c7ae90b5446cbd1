"""The frontier of a search, kept between rounds beside the manifest of the round.

Writes `round3.frontier.npz` beside `round3.manifest`. Reads it beside the folder of the round: the
labels of `round3/labels.csv` look for `round3.frontier.npz` beside `round3/`. What is found of
several rounds is put together. To lose a file costs time and nothing else: the next round asks
anew for the neighbors of everything labeled. So a file that cannot be used is a note, no error.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from gandt import storage
from gandt.active.frontier import Frontier
from gandt.errors import StorageError, UsageError
from gandt.tables import TABLE_SUFFIXES

__all__ = ["frontier_path", "read_frontier", "write_frontier"]

SUFFIX = ".frontier.npz"
# What numpy raises where bytes are no archive of arrays, or claim a size that nothing has.
_DAMAGE = (OSError, ValueError, EOFError, KeyError, MemoryError, OverflowError, SyntaxError)
_DAMAGE_OF_ZIP = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


def frontier_path(manifest: str) -> str:
    """Name the file of a round's frontier: `round3.frontier.npz` for `round3.manifest`."""
    return f"{manifest.removesuffix('.manifest')}{SUFFIX}"


def write_frontier(manifest: str, frontier: Frontier) -> str:
    """Write the frontier beside the manifest of its round.

    Parameters
    ----------
    manifest
        Local path or `s3://` URI.

    Returns
    -------
    Where it lies.

    Raises
    ------
    StorageError
        It cannot be written.
    """
    sink = io.BytesIO()
    arrays: Mapping[str, npt.NDArray[np.int64]] = frontier.to_arrays()
    np.savez_compressed(sink, **arrays)  # type: ignore[arg-type]  # `allow_pickle` is no array
    path = frontier_path(manifest)
    storage.write_bytes(path, sink.getvalue())
    return path


def read_frontier(labels: Sequence[str], index_rows: int) -> tuple[Frontier, tuple[str, ...]]:
    """Put together the frontiers of the rounds that some labels are of.

    Parameters
    ----------
    labels
        Files with labels or folders that hold one, local or `s3://`; no wildcards.
    index_rows
        Rows of the index, dead ones included.

    Returns
    -------
    frontier, notes
        An empty frontier where there is none; a sentence for each file that could not be used.
    """
    frontier, notes = Frontier(), []
    for path in dict.fromkeys(path for label in labels for path in _beside(label)):
        try:
            if storage.find(path) is None:
                continue
            found = Frontier.from_arrays(_arrays(path), index_rows)
        except StorageError as error:
            notes.append(f"the frontier {path} cannot be read and is found anew: {error}")
        except UsageError:
            notes.append(
                f"{path} is no frontier of this index: not used, the candidates are found anew."
            )
        else:
            frontier = Frontier(
                np.union1d(frontier.rows, found.rows), np.union1d(frontier.asked, found.asked)
            )
    return frontier, tuple(notes)


def _beside(label: str) -> list[str]:
    """Where the frontier of a round may lie whose labels are here, or in this folder."""
    location = storage.normalize(label).rstrip("/")
    folder, _, name = location.rpartition("/")
    stem, _, suffix = name.partition(".")
    if f".{suffix.rpartition('.')[2]}" not in TABLE_SUFFIXES:
        return [f"{location}{SUFFIX}"]
    # A job of Ground Truth puts its labels two folders down.
    around = folder.removesuffix("/manifests/output")
    nameless = around in ("", "s3:/") or around.rpartition("/")[0] == "s3:/"  # a disk, a bucket
    return [*([] if nameless else [f"{around}{SUFFIX}"]), f"{folder}/{stem}{SUFFIX}"]


def _arrays(path: str) -> dict[str, npt.NDArray[np.int64]]:
    data = storage.read_bytes(path)
    try:
        archive = np.load(io.BytesIO(data), allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise UsageError("one array, not an archive of them")
        with archive:
            return {name: archive[name] for name in ("rows", "asked")}
    except (*_DAMAGE, *_DAMAGE_OF_ZIP) as error:
        raise UsageError(str(error)) from error
