"""The folder of automatic labels: how each of its files is written and read again.

::

    labels.csv   labels.parquet   a row per automatic label, as `gandt aggregate` has it
    output.manifest               the same as Ground Truth's automated labeling writes it
    rest.manifest                 the next job: all that is left to people
    audit.manifest                a sample of the probe's labels, without them, for people to check
    audit.csv                     what the machine said of that sample, and people later
    summary.json                  the numbers that the command prints; last

A pool may be far larger than memory, so rows come and go in blocks. Files take their places once
all of them are whole, one after another; until the last one has, the summary is marked.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from gandt import storage
from gandt.errors import ManifestError, StorageError, UsageError
from gandt.groundtruth.augment import LabeledTask, write_output_manifest
from gandt.groundtruth.json_lines import MAX_ATTRIBUTE, POOL_URI, SOURCE_REF
from gandt.groundtruth.label_folder import METHOD, SUMMARY, UNFINISHED
from gandt.tables import format_csv

__all__ = [
    "AUDIT",
    "AUDIT_MANIFEST",
    "BLOCK",
    "LABELS",
    "LABELS_CSV",
    "OUTPUT",
    "REST",
    "SUMMARY",
    "AutoRow",
    "LabelFiles",
    "check_folder",
    "marking",
    "read_rows_of",
    "read_summary",
    "task_record",
    "write_summary",
    "writing",
    "writing_labels",
]

BLOCK = 20_000  # rows that are held at a time
LABELS, LABELS_CSV, OUTPUT = "labels.parquet", "labels.csv", "output.manifest"
REST, AUDIT_MANIFEST, AUDIT = "rest.manifest", "audit.manifest", "audit.csv"
_FILES = frozenset({LABELS, LABELS_CSV, OUTPUT, REST, AUDIT_MANIFEST, AUDIT, SUMMARY})
_SCHEMA = pa.schema(
    [
        ("task", pa.string()),
        ("label", pa.string()),
        ("confidence", pa.float64()),
        ("votes", pa.int64()),
        ("agreement", pa.float64()),
        ("certain", pa.bool_()),
        ("source", pa.string()),
        ("tied", pa.list_(pa.string())),
        ("original", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class AutoRow:
    """One automatic label, or what people said in its place."""

    task: str  # the image's name in the pool
    label: str
    confidence: float | None  # None where people's is not said
    certain: bool
    source: Literal["machine", "human"] = "machine"
    votes: int = 0
    original: str | None = None  # the labeled image that it is a copy of


class LabelFiles:
    """Both tables and the output manifest, open for writing; see `writing_labels`."""

    def __init__(
        self, csv: BinaryIO, parquet: pq.ParquetWriter, manifest: BinaryIO, scratch: Path
    ) -> None:
        self._csv, self._parquet, self._manifest = csv, parquet, manifest
        self._scratch = scratch / "part.manifest"
        csv.write(format_csv([_SCHEMA.names]).encode())

    def add(self, rows: Sequence[AutoRow], lines: Sequence[bytes]) -> None:
        """Write rows, and their lines of the output manifest."""
        columns: dict[str, list[Any]] = {
            "task": [row.task for row in rows],
            "label": [row.label for row in rows],
            "confidence": [row.confidence for row in rows],
            "votes": [row.votes for row in rows],
            "agreement": [None for _ in rows],
            "certain": [row.certain for row in rows],
            "source": [row.source for row in rows],
            "tied": [[] for _ in rows],
            "original": [row.original for row in rows],
        }
        self._parquet.write_table(pa.table(columns, schema=_SCHEMA))
        self._csv.write(format_csv(map(_cells, rows)).encode())
        self._manifest.writelines(lines)

    def lines(
        self,
        rows: Sequence[AutoRow],
        records: Mapping[str, Mapping[str, object]],
        *,
        attribute: str,
        classes: Sequence[str],
        created: datetime,
    ) -> list[bytes]:
        """Give rows as lines of the output manifest.

        Parameters
        ----------
        records
            By task, the line without this label.
        """
        # A part at a time, since a manifest is made in memory.
        write_output_manifest(
            str(self._scratch),
            [
                LabeledTask(row.task, row.label, row.confidence, source=row.source, votes=row.votes)
                for row in rows
            ],
            kind="single",
            attribute=attribute,
            job_name=attribute[:63].rstrip("-"),  # the longest that a job may have
            classes=classes,
            created=created,
            lines=records,
        )
        return self._scratch.read_bytes().splitlines(keepends=True)


@contextmanager
def writing_labels(folder: str) -> Iterator[LabelFiles]:
    """Open the labels' files; they take the places of older ones if the block succeeds.

    Raises
    ------
    StorageError
        Where one cannot be written.
    """
    with ExitStack() as files:
        path = files.enter_context(storage.atomic_path(f"{folder}/{LABELS}"))
        yield LabelFiles(
            files.enter_context(writing(f"{folder}/{LABELS_CSV}")),
            files.enter_context(pq.ParquetWriter(path, _SCHEMA, compression="zstd")),
            files.enter_context(writing(f"{folder}/{OUTPUT}")),
            Path(files.enter_context(tempfile.TemporaryDirectory(prefix="gandt-"))),
        )


@contextmanager
def writing(uri: str) -> Iterator[BinaryIO]:
    """Open a file that takes the place of an older one if the block succeeds."""
    with storage.atomic_path(uri) as path, path.open("wb") as file:
        yield file


@contextmanager
def marking(
    folder: str, stopped: Literal["labels", "audit"], summary: Mapping[str, object]
) -> Iterator[None]:
    """Mark the folder as unfinished if the block succeeds; to be left before any of its files.

    Parameters
    ----------
    stopped
        Which of the two was, where the summary that comes last never comes.
    summary
        What is to be remembered then.
    """
    yield
    with writing(f"{folder}/{SUMMARY}") as file:
        write_summary(file, {**summary, UNFINISHED: stopped})


def read_rows_of(folder: str) -> Iterator[list[AutoRow]]:
    """Stream the rows of `labels.parquet`, in blocks.

    Raises
    ------
    StorageError
        Where it cannot be read.
    """
    uri = f"{folder}/{LABELS}"
    with _local(uri) as path:
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(BLOCK):
                    yield [
                        AutoRow(
                            task=row["task"],
                            label=row["label"],
                            confidence=row["confidence"],
                            certain=row["certain"],
                            source=row["source"],
                            votes=row["votes"],
                            original=row["original"],
                        )
                        for row in batch.to_pylist()
                    ]
        except (pa.ArrowException, OSError, KeyError) as error:
            raise StorageError(
                f"{uri} cannot be read ({error}): run `gandt autolabel` again."
            ) from error


@contextmanager
def _local(uri: str) -> Iterator[str]:
    """Give a file of this machine, a copy where it lies on S3."""
    if not storage.is_remote(uri):
        yield storage.stat(uri).uri
        return
    with tempfile.NamedTemporaryFile(prefix="gandt-", suffix=".parquet") as copy:
        for chunk in storage.read_chunks(uri):
            copy.write(chunk)
        copy.flush()
        yield copy.name


def check_folder(folder: str) -> None:
    """Refuse to write among files that are not ours.

    Raises
    ------
    UsageError
        With the name of one of them.
    """
    if not storage.exists(folder):
        return
    if not storage.is_folder(folder):
        raise UsageError(f"--out {folder} is a file; name a folder, new or of an earlier run.")
    for entry in storage.list_folder(folder):
        name = entry.uri.removeprefix(f"{folder}/")
        if name not in _FILES:
            raise UsageError(
                f"--out {folder} holds other files ({name}); name a new folder, or that of an "
                "earlier `gandt autolabel`."
            )


def task_record(task: str, reference: str, **more: object) -> dict[str, object]:
    """Give the line of an image: where it lies, and its name in the pool where that differs.

    Raises
    ------
    ManifestError
        Where the reference is longer than a manifest may hold.
    """
    record: dict[str, object] = {SOURCE_REF: reference, **more}
    if reference != task:
        record[POOL_URI] = task
    if max(len(reference), len(task)) > MAX_ATTRIBUTE:
        raise ManifestError(
            f"The reference {reference[:80]}… is longer than the {MAX_ATTRIBUTE:,} characters "
            "that a manifest allows: give the file a shorter name."
        )
    return record


def read_summary(folder: str, *, damaged: bool = False) -> dict[str, Any]:
    """Read what an earlier run said; empty where the folder is none of ours.

    Parameters
    ----------
    damaged
        Whether a damaged one is as good as none, for it will be written anew.

    Raises
    ------
    StorageError
        Where it cannot be read.
    """
    uri = f"{folder}/{SUMMARY}"
    if storage.find(uri) is None:
        return {}
    try:
        summary = json.loads(storage.read_bytes(uri))
    except (ValueError, RecursionError) as error:
        if damaged:
            return {}
        raise StorageError(f"{uri} is not JSON ({error}): run `gandt autolabel` again.") from error
    return summary if isinstance(summary, dict) and summary.get("method") == METHOD else {}


def write_summary(file: BinaryIO, summary: Mapping[str, object]) -> None:
    """Write what the run came to."""
    whole = {"schema": 1, "kind": "single", "method": METHOD, **summary}
    text = json.dumps(whole, ensure_ascii=False, indent=2, allow_nan=False)
    file.write(f"{text}\n".encode())


def _cells(row: AutoRow) -> tuple[str, ...]:
    certain = "true" if row.certain else "false"
    confidence = "" if row.confidence is None else f"{row.confidence:.4f}"
    votes = str(row.votes)
    return (
        *(row.task, row.label, confidence, votes, "", certain, row.source, "", row.original or ""),
    )
