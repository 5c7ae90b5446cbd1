"""One file of labels, as rows: what it says of which image, and how a round came to ask.

Reads labels tables and output manifests. A round leaves its traces on each line of its manifest
(`gandt-round`, `gandt-why`, …); jobs pass them through, so they are found in the output manifest
that is read, or in the one that lies beside a labels table.

An image has one class here: several classes, boxes, spans and masks are refused.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gandt import storage
from gandt.errors import ManifestError, UsageError
from gandt.groundtruth.json_lines import (
    GOLD,
    POOL_URI,
    SOURCE,
    SOURCE_REF,
    UTF8_BOM,
    WHY,
    parse_line,
    read_objects,
)
from gandt.groundtruth.output import label_attributes, read_output
from gandt.groundtruth.output_values import label_type
from gandt.groundtruth.task_lines import task_name
from gandt.pool.sources import PATH_COLUMNS, resolve
from gandt.selection.seeds import LABEL_COLUMNS
from gandt.tables import Table, find_column, read_rows

__all__ = [
    "WANTED",
    "Asked",
    "LabelRow",
    "Source",
    "column_of_numbers",
    "has_labels_on_lines",
    "of_manifest",
    "of_table",
]

Source = Literal["human", "gold", "machine"]
WANTED = "name a round's labels.csv, its folder, or the output manifest of its job"

_IMAGES = tuple(dict.fromkeys(("image_path", "uri", "task", *PATH_COLUMNS)))
_WORKERS = frozenset({"worker", "worker_id", "worker id", "annotator"})
_SOURCES: dict[str, Source] = {"machine": "machine", "gold": "gold"}
_TRACES = tuple(f'"{key}"'.encode() for key in ("gandt-round", "gandt-rank", POOL_URI, "audit"))
_HELD = {
    "multi": "several labels per image",
    "mask": "masks",
    "single": "verdicts on earlier labels",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """How a round came to ask about an image, as its line in the manifest says."""

    round: int  # from 1; 0: none, as of `gandt select`, and where people check automatic labels
    why: str  # "select", "find", "learn", "balance", "uniform", "again", "rest" or "audit"
    sought: str  # the class it was chosen to find; "" where it was chosen for another reason
    labeled: int  # images of the pool that were labeled at the time; -1: not said
    unlabeled: int  # those that the uniform slice was drawn from; -1: not said


@dataclass(frozen=True, slots=True)
class LabelRow:
    """What a file says of one image."""

    names: tuple[str, ...]  # the pool may know it by any of these, the likeliest first
    label: str | None  # None: nobody answered
    confidence: float | None  # [0, 1]; None where the file does not say
    answers: int  # people's answers behind the label, at least 1
    source: Source
    asked: Asked | None  # None where nothing of ours chose it


# ------------------------------------------------------------------------------- manifests


def has_labels_on_lines(location: str) -> bool:
    """Whether JSON Lines are a manifest, not a table with an image and a label on each line.

    Raises
    ------
    ManifestError, StorageError
        The first line cannot be read.
    """
    record = next((record for _, record in read_objects(location)), {})
    is_table = any(name in record for name in LABEL_COLUMNS)
    asks = SOURCE_REF in record or SOURCE in record
    return bool(label_attributes(record)) or (asks and not is_table)


def of_manifest(location: str, attribute: str | None) -> tuple[list[LabelRow], list[str]]:
    """Read the output manifest of a job.

    Parameters
    ----------
    attribute
        Which labels are meant, where the manifest holds those of several jobs.

    Returns
    -------
    rows, notes

    Raises
    ------
    UsageError
        It holds no labels, or not one class of each image.
    ManifestError, StorageError
        It cannot be read.
    """
    there = {name for _, record in read_objects(location) for name in label_attributes(record)}
    if not there and attribute is None:
        raise UsageError(
            f"{location} holds no labels, as the manifest of a job that is still to be done: run "
            f"`gandt aggregate` on the answers, then {WANTED}."
        )
    # The name of one job must not keep the manifests of others from being read.
    reading = read_output(location, attribute=None if len(there) == 1 else attribute)
    types = {label_type(row.metadata) for row in reading.rows}
    if reading.kind != "single" or any("verification" in name for name in types):
        raise _not_one_class(location, reading.kind)
    rows: list[LabelRow] = []
    reasons: Counter[str] = Counter()
    votes = _votes(location.rpartition("/")[0])
    for row in reading.rows:
        if row.reference is None:
            reasons["it is about no image"] += 1
            continue
        if row.status in ("failed", "unreadable"):
            reasons[row.reason] += 1
        label = row.label if row.status == "labeled" and isinstance(row.label, str) else None
        source: Source = "machine" if row.human is False else "human"
        confidence, known = row.confidence, row.record.get(GOLD)
        if isinstance(known, str) and known:
            label, source, confidence = known, "gold", 1.0
        names = tuple(dict.fromkeys((row.task, row.reference)))
        answers = votes.get(row.task, 1)
        rows.append(LabelRow(names, label, confidence, answers, source, _asked(row.record)))
    if not rows:
        raise UsageError(f"{location} labels no image, {next(iter(reasons), 'it is empty')}.")
    notes = [
        f"{location}: {number:,} {'line' if number == 1 else 'lines'} without a label, as in: "
        f"{reason.rstrip('.')}."
        for reason, number in reasons.most_common(3)
    ]
    return rows, notes


def _not_one_class(location: str, kind: str) -> UsageError:
    if kind == "custom":
        return UsageError(
            f"{location} is of a custom job, whose answers are not labels yet: run "
            f"`gandt aggregate` on them, then {WANTED}."
        )
    return UsageError(
        f"{location} holds {_HELD.get(kind, kind)}, not one class of each image; rounds need the "
        "labels of a job in which people choose one class."
    )


def _votes(folder: str) -> dict[str, int]:
    """Answers behind each label of a round, which its manifest does not say."""
    path = f"{folder}/labels.parquet"
    if storage.find(path) is None:
        return {}
    table = read_rows(path, ("task", "votes"))
    counts = column_of_numbers(table, "votes") or []
    tasks = table.columns.get("task") or []
    return {task: max(1, int(n)) for task, n in zip(tasks, counts, strict=False) if task and n}


# ---------------------------------------------------------------------------------- tables


def of_table(location: str) -> tuple[list[LabelRow], list[str]]:
    """Read a labels table, or any table with images and labels.

    Returns
    -------
    rows, notes

    Raises
    ------
    UsageError
        It is another kind of table, or says several things of an image.
    StorageError
        It cannot be read.
    """
    table = read_rows(location, (*_IMAGES, *LABEL_COLUMNS, "confidence", "votes", "source"))
    if {"class", "rank", "why"} <= set(table.names):
        raise UsageError(
            f"{location} is a selection, whose classes are guesses that nobody has checked; "
            f"{WANTED}."
        )
    folder = location.rpartition("/")[0]
    paths = table.columns[find_column(table, _IMAGES, "the path of an image")]
    labels = table.columns[find_column(table, LABEL_COLUMNS, "its label")]
    if not any(paths):
        raise UsageError(f"{location} names no image, so it holds no labels; {WANTED}.")
    if _WORKERS & {name.casefold() for name in table.names}:
        raise UsageError(
            f"{location} holds a row per answer of a worker, not labels: run `gandt aggregate` on "
            f"it, then {WANTED}."
        )
    if "confidences" in table.names and not any(labels):  # no list of labels tells it
        raise _not_one_class(location, "multi")
    confidences = column_of_numbers(table, "confidence")
    votes = column_of_numbers(table, "votes")
    sources = table.columns.get("source") or [None] * table.rows
    lines = _lines(folder)
    said: dict[str, LabelRow] = {}
    nameless = 0
    for at, (path, label) in enumerate(zip(paths, labels, strict=True)):
        if not path:
            nameless += 1
            continue
        name = resolve(path, folder)
        if label is not None:
            _refuse_several(location, path, label, said.get(name))
        also, asked = lines.get(path) or lines.get(name) or ((), None)
        source = _SOURCES.get((sources[at] or "").casefold(), "human")
        row = LabelRow(
            tuple(dict.fromkeys((path, name, *also))),
            label,
            1.0 if confidences is None or source == "gold" else confidences[at],
            max(1, int((votes[at] if votes else None) or 1)),
            source,
            asked,
        )
        if name not in said or said[name].label is None:
            said[name] = row
    notes = []
    if nameless:
        are = "row names no image and is" if nameless == 1 else "rows name no image and are"
        notes.append(f"{location}: {nameless:,} {are} left out.")
    return list(said.values()), notes


def _refuse_several(location: str, path: str, label: str, earlier: LabelRow | None) -> None:
    if label.startswith(("[", "{")):
        try:
            value = json.loads(label)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, list | dict):
            raise UsageError(
                f"{location} holds lists of labels or boxes ({path}: {label[:60]}), not one class "
                "of each image; rounds need the labels of a job in which people choose one class."
            )
    if earlier is not None and earlier.label not in (None, label):
        raise UsageError(
            f"{location} gives {path} two labels, {earlier.label} and {label}; rounds need one "
            "class of each image."
        )


def column_of_numbers(table: Table, name: str) -> list[float | None] | None:
    """Read a column of numbers of 0 or more, of `confidence` and `accuracy` at most 1.

    None where the table has no such column; an empty cell and NaN are no number.

    Raises
    ------
    UsageError
        A cell is something else.
    """
    column = table.columns.get(name)
    if column is None:
        return None
    most = 1.0 if name in ("confidence", "accuracy") else float(1 << 53)
    out: list[float | None] = []
    for row, cell in enumerate(column, 1):
        try:
            value = float(cell) if cell else math.nan
        except ValueError:
            value = math.inf
        if value < 0 or value > most:
            limits = "from 0 to 1" if most == 1 else "of 0 or more"
            raise UsageError(
                f"{table.uri}, row {row}: {name} is {cell!r}, which is no number {limits}; repair "
                "it, or take the column out."
            )
        out.append(None if math.isnan(value) else value)
    return out


# ------------------------------------------------------------------- what the lines tell


def _lines(folder: str) -> dict[str, tuple[tuple[str, ...], Asked | None]]:
    """Other names, and how it was asked, by the name of the task, from the manifest beside a table.

    Lines that tell neither are not even parsed: automatic labels may be as many as the pool is
    large.
    """
    beside = f"{folder}/output.manifest"
    out: dict[str, tuple[tuple[str, ...], Asked | None]] = {}
    if storage.find(beside) is None:
        return out
    for number, raw in enumerate(storage.open_lines(beside), start=1):
        if not any(trace in raw for trace in _TRACES):
            continue
        try:
            record = parse_line(raw.removeprefix(UTF8_BOM)).record
        except ManifestError as error:
            raise ManifestError(
                f"{beside}, line {number} {error}: it says how its round was drawn; write it anew "
                "with `gandt aggregate`."
            ) from error
        name, also = task_name(record), (record.get(key) for key in (POOL_URI, SOURCE_REF))
        if name is not None:
            others = tuple(other for other in also if isinstance(other, str) and other != name)
            out[name] = (others, _asked(record))
    return out


def _asked(line: Mapping[str, object]) -> Asked | None:
    number = max(_whole(line.get("gandt-round")), 0)
    why, sought = line.get(WHY), line.get("gandt-class")
    if not number and why != "audit":
        selected = isinstance(sought, str) and _whole(line.get("gandt-rank")) > 0
        return Asked(0, "select", "", -1, -1) if selected else None
    return Asked(
        number,
        why if isinstance(why, str) else "",
        sought if why == "find" and isinstance(sought, str) else "",
        _whole(line.get("gandt-labeled")),
        _whole(line.get("gandt-unlabeled")),
    )


def _whole(value: object) -> int:
    """Give a number of 0 or more; -1 for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return -1
    return int(value) if 0 <= value < 1 << 53 and value == int(value) else -1
