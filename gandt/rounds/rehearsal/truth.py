"""The labels that a rehearsal is measured by: a table of path and label, matched to an index.

An image is matched by its URI, by its path relative to the table's folder, by the longest end of
its path that fits, and last by its file name alone, so that a table that was made on another
machine serves as well. The surest match counts; what could be two images is an error.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gandt import storage
from gandt.errors import UsageError
from gandt.index.folder import Index
from gandt.selection.seeds import LABEL_COLUMNS, PATH_COLUMNS
from gandt.tables import TABLE_SUFFIXES, Table, find_column, read_rows
from gandt.types import IntArray

__all__ = ["Truth", "read_truth"]

_NAMES = (*PATH_COLUMNS, "name", "file_name", "source-ref")


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The class of every image of a pool."""

    codes: IntArray  # (rows,) columns of `classes`; -1 for rows of the index that are dead
    classes: tuple[str, ...]  # sorted
    notes: tuple[str, ...]  # what did not match, one sentence each

    def counts(self) -> IntArray:
        """`(k,)` images of each class."""
        known = self.codes[self.codes >= 0]
        return np.bincount(known, minlength=len(self.classes)).astype(np.int64)


def read_truth(path: str, index: Index, other: str = "Other") -> Truth:
    """Read the true class of every image of an index.

    Parameters
    ----------
    path
        CSV, TSV, JSON Lines or Parquet with a column of paths and one of labels.
    other
        The class of images that the table does not name, or names without a label.

    Raises
    ------
    StorageError
        The table cannot be read.
    UsageError
        It has no such columns, gives an image two labels, names what may be two images, names none
        of the index at all, or leaves only one class.
    """
    table = _read(path)
    given, without = _given(path, table)
    live = np.setdiff1d(np.arange(index.rows, dtype=np.int64), index.dead)
    found, absent = _match(path, given, _Pool(index.uris(live)))
    if not found:
        raise UsageError(
            f"{path} names none of the {len(live):,} images of {index.uri}: it begins with "
            f"{given[0][0]}, the index with {next(iter(index.uris(live[:1])), 'nothing')}; name "
            "the table of this pool."
        )
    unnamed = len(live) - len(found)
    classes = tuple(sorted({label for label in found.values()} | ({other} if unnamed else set())))
    if len(classes) < 2:
        raise UsageError(
            f"All {len(live):,} images are {classes[0]!r} by {path}: a rehearsal needs images of "
            "other classes to tell them from."
        )
    place = {name: code for code, name in enumerate(classes)}
    codes = np.full(index.rows, -1, np.int64)
    codes[live] = place.get(other, -1)
    for at, label in found.items():
        codes[live[at]] = place[label]
    return Truth(codes, classes, tuple(_notes(path, unnamed, without, absent, other)))


def _read(path: str) -> Table:
    location = storage.normalize(path)
    if storage.is_folder(location):
        raise UsageError(
            f"--truth {path} is a folder; name a table in it, as {path.rstrip('/')}/labels.csv, "
            "with a column of paths and one of labels."
        )
    if not storage.exists(location):
        raise UsageError(f"--truth {path}: there is no such file; check the path.")
    if Path(location).suffix.lower() not in TABLE_SUFFIXES:
        raise UsageError(
            f"--truth {path} is no table: give CSV, TSV, JSON Lines or Parquet with a column of "
            "paths and one of labels."
        )
    table = read_rows(location)
    if {"class", "rank", "why"} <= set(table.names):
        raise UsageError(
            f"{path} is a selection, whose classes are guesses that nobody has checked; name a "
            "table of labels that are known."
        )
    return table


def _given(path: str, table: Table) -> tuple[list[tuple[str, str]], int]:
    """Rows with path and label, and how many have a path alone."""
    paths = table.columns[find_column(table, _NAMES, "the path of an image")]
    labels = table.columns[find_column(table, LABEL_COLUMNS, "its label")]
    given, without = [], 0
    for name, label in zip(paths, labels, strict=True):
        if name and label and label.strip():
            given.append((name.strip(), _one_class(path, name, label.strip())))
        elif name:
            without += 1
    if not given:
        raise UsageError(f"{path} has no row with both a path and a label; add some.")
    return given, without


def _one_class(path: str, name: str, label: str) -> str:
    if not label.startswith("["):
        return label
    try:
        value = json.loads(label)
    except ValueError:
        return label
    if len(value) == 1 and isinstance(value[0], str):
        return value[0]
    raise UsageError(
        f"{path} gives {name} the label {label[:80]}: a rehearsal needs one class for each image."
    )


class _Pool:
    """Images by URI and by file name."""

    def __init__(self, uris: Sequence[str]) -> None:
        self.uris = uris
        self.by_uri = {uri: at for at, uri in enumerate(uris)}
        self.by_name: dict[str, list[int]] = defaultdict(list)
        for at, uri in enumerate(uris):
            self.by_name[_parts(uri)[0]].append(at)

    def places(self, name: str, base: str) -> tuple[int, list[int]]:
        """How sure the best match is, and the images that match so; ends count by their parts."""
        for uri in _spellings(name, base):
            if uri in self.by_uri:
                return 1_000, [self.by_uri[uri]]
        parts = _parts(name)
        by_end: dict[int, list[int]] = defaultdict(list)
        for at in self.by_name.get(parts[0], []):
            by_end[_common(parts, _parts(self.uris[at]))].append(at)
        return max(by_end.items(), default=(0, []))


def _spellings(name: str, base: str) -> Iterator[str]:
    yield name
    if not storage.is_remote(name) and "://" not in name.removeprefix("file://"):
        if not Path(name).is_absolute():
            whole = f"{base}/{name}"
            yield whole if storage.is_remote(base) else storage.normalize(whole)
        yield storage.normalize(name)


def _parts(name: str) -> list[str]:
    """File name, its folder, and so on; a member of a tar shard counts as lying in it."""
    parts = name.replace("#", "/").replace("\\", "/").split("/")
    return [part for part in reversed(parts) if part not in ("", ".")] or [name]


def _common(one: Sequence[str], two: Sequence[str]) -> int:
    same = 0
    for left, right in zip(one, two, strict=False):
        if left != right:
            break
        same += 1
    return same


def _match(
    path: str, given: Sequence[tuple[str, str]], pool: _Pool
) -> tuple[dict[int, str], list[str]]:
    """Labels by place in the pool, and names that are not in it."""
    base = storage.normalize(path).rpartition("/")[0]
    sure: dict[int, tuple[int, str, str]] = {}  # how sure, label, name in the table
    absent = []
    for name, label in given:
        strength, places = pool.places(name, base)
        if not places:
            absent.append(name)
            continue
        if len(places) > 1:
            raise UsageError(
                f"{path} names {name}, which may be {pool.uris[places[0]]} or "
                f"{pool.uris[places[1]]}; write more of its path."
            )
        before = sure.get(places[0])
        if before is not None and before[0] == strength and before[1] != label:
            raise UsageError(
                f"{path} gives {pool.uris[places[0]]} two labels: {before[1]!r} as {before[2]} "
                f"and {label!r} as {name}; keep one."
            )
        if before is not None and before[0] != strength:
            absent.append(min((before[0], before[2]), (strength, name))[1])
        if before is None or before[0] < strength:
            sure[places[0]] = (strength, label, name)
    return {at: label for at, (_, label, _) in sure.items()}, absent


def _notes(
    path: str, unnamed: int, without: int, absent: Sequence[str], other: str
) -> Iterator[str]:
    if unnamed:
        images = "1 image" if unnamed == 1 else f"{unnamed:,} images"
        have = "has" if unnamed == 1 else "have"
        counted = "it counts" if unnamed == 1 else "they count"
        yield f"{images} of the pool {have} no label in {path}: {counted} as {other!r}."
    if without:
        rows = "1 row" if without == 1 else f"{without:,} rows"
        yield f"{rows} of {path} left out: a path without a label."
    if absent:
        rows = "1 row" if len(absent) == 1 else f"{len(absent):,} rows"
        yield f"{rows} of {path} left out: no such image in the pool; first: {absent[0]}."
