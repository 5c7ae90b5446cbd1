"""Labels of earlier rounds, as files hold them: which files are meant, and what they say.

Reads the folders that `gandt aggregate` writes, labels tables, any other table with an image and a
label, and output manifests, ours and those of Ground Truth (`label_rows`); and beside them the
tables of workers. Writes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from gandt import storage
from gandt.errors import UsageError
from gandt.groundtruth.label_folder import refuse_unfinished
from gandt.groundtruth.manifest import is_manifest
from gandt.pool.globs import has_wildcards, matches, matching_folders, matching_objects
from gandt.rounds.known.label_rows import (
    WANTED,
    Asked,
    LabelRow,
    Source,
    column_of_numbers,
    has_labels_on_lines,
    of_manifest,
    of_table,
)
from gandt.storage import OnError
from gandt.tables import TABLE_SUFFIXES, read_rows

__all__ = [
    "Asked",
    "LabelFile",
    "LabelRow",
    "Source",
    "find_label_files",
    "read_label_file",
    "read_worker_accuracy",
]

# In the folder of a round, or of a job of Ground Truth; the first that is there counts.
_IN_FOLDER = (
    *("labels.parquet", "labels.csv", "output.manifest"),
    "manifests/output/output.manifest",
)
_TABLES = TABLE_SUFFIXES - {".manifest"}


@dataclass(frozen=True, slots=True)
class LabelFile:
    """All that a file says, in its order."""

    location: str
    rows: tuple[LabelRow, ...]
    notes: tuple[str, ...] = ()


def find_label_files(labels: Sequence[str]) -> list[str]:
    """Find the files that are meant: of a folder the one with its labels, of a pattern all.

    Parameters
    ----------
    labels
        Files, folders of rounds or jobs, and patterns with wildcards, local or `s3://`.

    Returns
    -------
    Locations, each once, in the order given; those of a pattern by name, round 10 after round 2.

    Raises
    ------
    UsageError
        There is nothing at a place, or nothing with labels.
    StorageError
        A place cannot be looked up.
    """
    found: list[str] = []
    for label in labels:
        if not label.strip():
            raise UsageError(f"--labels {label!r} is no path; {WANTED}.")
        location = storage.normalize(label)
        if storage.find(location) is not None:
            found.append(location)
        elif storage.is_folder(location):
            found.append(_labels_in(location.rstrip("/")))
        elif has_wildcards(location):
            found += _matching(location, label)
        else:
            raise UsageError(f"--labels {label}: there is no such file or folder; {WANTED}.")
    return list(dict.fromkeys(found))


def _labels_in(folder: str) -> str:
    for name in _IN_FOLDER:
        if storage.find(f"{folder}/{name}") is not None:
            return f"{folder}/{name}"
    raise UsageError(
        f"--labels {folder}: the folder holds neither labels.parquet nor output.manifest; {WANTED} "
        "(examples in class folders go to --seeds)."
    )


def _matching(pattern: str, label: str) -> list[str]:
    def natural(uri: str) -> list[tuple[str, int]]:
        return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", uri)]

    def fail(uri: str, reason: str) -> None:
        raise UsageError(f"--labels {label}: {uri} cannot be listed: {reason}.")

    files = [found.uri for found in matching_objects(pattern, fail)]
    files += map(_labels_in, matching_folders(pattern) or _prefixes(pattern, fail))
    if not files:
        raise UsageError(f"--labels {label}: no file has such a name; {WANTED}.")
    return sorted(files, key=natural)


def _prefixes(pattern: str, fail: OnError) -> set[str]:
    """What looks like folders with labels on S3, where there are none."""
    if not storage.is_remote(pattern) or "**" in pattern.split("/"):
        return set()
    folders = pattern.rstrip("/")
    within = [found.uri for found in matching_objects(f"{folders}/**", fail)]
    return {
        folder
        for uri in within
        for name in _IN_FOLDER
        if uri.endswith(f"/{name}") and matches(folders, folder := uri.removesuffix(f"/{name}"))
    }


def read_label_file(location: str, *, attribute: str | None = None) -> LabelFile:
    """Read one file of labels.

    Parameters
    ----------
    location
        As `find_label_files` gives it.
    attribute
        The label attribute of an output manifest that holds several.

    Raises
    ------
    UsageError
        It is no file of labels, or does not say one class of each image.
    ManifestError, StorageError
        It cannot be read, or lies among automatic labels whose files are not all of one run.
    """
    refuse_unfinished(location.rpartition("/")[0])
    suffix = PurePosixPath(location).suffix.lower()
    lines = suffix in (".jsonl", ".ndjson")
    if has_labels_on_lines(location) if lines else suffix not in _TABLES and is_manifest(location):
        rows, notes = of_manifest(location, attribute)
    elif lines or suffix in _TABLES:
        rows, notes = of_table(location)
    else:
        raise UsageError(f"{location} is neither a table nor an output manifest; {WANTED}.")
    return LabelFile(location, tuple(rows), tuple(notes))


def read_worker_accuracy(locations: Sequence[str]) -> tuple[float | None, tuple[str, ...]]:
    """Mean accuracy of the workers in the tables beside some labels, weighted by their answers.

    Parameters
    ----------
    locations
        Files of labels.

    Returns
    -------
    accuracy, notes
        None where there is no such table, or none that says it.

    Raises
    ------
    StorageError, UsageError
        A table cannot be read.
    """
    right = total = 0.0
    notes = []
    for folder in dict.fromkeys(location.rpartition("/")[0] for location in locations):
        names = (f"{folder}/workers.{suffix}" for suffix in ("parquet", "csv"))
        path = next((name for name in names if storage.find(name) is not None), None)
        if path is None:
            continue
        table = read_rows(path, ("answers", "accuracy"))
        answers, accuracies = (column_of_numbers(table, name) for name in ("answers", "accuracy"))
        if answers is None or accuracies is None:
            notes.append(f"{path} has no columns answers and accuracy: not used.")
            continue
        for weight, accuracy in zip(answers, accuracies, strict=True):
            if weight and accuracy is not None:
                right += weight * accuracy
                total += weight
    return (right / total if total else None), tuple(notes)
