"""Read the folder of a round, as `gandt aggregate` and `gandt autolabel` write it, for the report.

Reads `labels.parquet`, `workers.parquet`, `answers.parquet`, `output.manifest` (for where images
are, and texts) and `summary.json`; only the first is needed, and what is absent is not shown.
Nested values are JSON text or Arrow lists; both are taken.
"""

from __future__ import annotations

import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gandt import storage
from gandt.aggregation.alpha import nominal_alpha
from gandt.answers import BACKGROUND, KINDS, Box, Kind, Span
from gandt.errors import AnswerError, ManifestError, StorageError
from gandt.groundtruth.json_lines import SOURCE, SOURCE_REF, read_objects
from gandt.groundtruth.label_folder import SUMMARY, unfinished
from gandt.groundtruth.task_lines import task_name
from gandt.report.results.automatic import with_promise
from gandt.report.results.facts import disputed
from gandt.report.results.model import (
    SOURCES,
    Item,
    MaskSource,
    Passed,
    Reply,
    Results,
    Source,
    WorkerRow,
)
from gandt.report.results.places import folder_of, is_image_name, places

__all__ = ["LABELS", "read_round"]

LABELS = "labels.parquet"
_BATCH = 50_000  # rows of the answers table looked at together


def read_round(folder: str) -> Results:
    """Read what a round came to.

    Raises
    ------
    StorageError
        Where `labels.parquet` cannot be read, or automatic labels are not all of one run.
    AnswerError
        Where a table lacks a column or holds what it should not.
    """
    table = _table(f"{folder}/{LABELS}")
    for column in ("task", "label"):
        if column not in table.column_names:
            raise AnswerError(
                f"{folder}/{LABELS} has no column {column!r}: name a folder that "
                "`gandt aggregate` wrote."
            )
    summary = _summary(f"{folder}/{SUMMARY}")
    if said := unfinished(folder, summary):
        raise StorageError(said)
    kind = _kind(summary, table)
    lines, notes = _lines(f"{folder}/output.manifest")
    items: list[Item] = []
    passed: list[Passed] = []
    for number, row in enumerate(_rows(table)):
        task = str(row["task"])
        if row["label"] is None:
            passed.append(Passed(task, "unlabeled", "no answer counts"))
            continue
        items.append(_item(number, task, kind, row, lines.get(task), folder))
    results = Results(
        source=folder,
        kind=kind,
        attribute=str(summary.get("attribute") or ""),
        items=tuple(items),
        passed=tuple(passed),
        classes=tuple(str(name) for name in _list(summary.get("classes"))),
        jobs=tuple(sorted({job for line in lines.values() if (job := line.job)})),
        created=_created([line.created for line in lines.values()]),
        method=str(summary["method"]) if summary.get("method") else None,
        alpha=_number(summary.get("alpha")),
        gold={k: v for k, x in _dict(summary.get("gold")).items() if (v := _number(x)) is not None},
        oddities={
            k: int(v) for k, x in _dict(summary.get("oddities")).items() if (v := _number(x))
        },
        notes=(*(str(note) for note in _list(summary.get("notes"))), *notes),
    )
    results = with_promise(results, summary)
    results = _with_workers(results, f"{folder}/workers.parquet")
    return _with_answers(results, f"{folder}/answers.parquet")


# ---------------------------------------------------------------------------------- labels


def _item(
    number: int, task: str, kind: Kind, row: Mapping[str, Any], line: _Line | None, folder: str
) -> Item:
    confidence = _number(row.get("confidence"))
    source = cast(Source, row.get("source")) if row.get("source") in SOURCES else "unknown"
    text: str | None = None
    if line is not None:
        text = line.text
    elif kind == "spans" or not is_image_name(task):
        text = task
    votes = _number(row.get("votes"))
    certain = row.get("certain")
    item = Item(
        number=number,
        task=task,
        kind=kind,
        source=source,
        labels=(),
        text=text,
        places=() if text is not None else places((task, line.image if line else None), folder),
        confidence=confidence,
        certain=certain if isinstance(certain, bool) else None,
        votes=None if votes is None else int(votes),
        agreement=_number(row.get("agreement")),
        tied=tuple(str(name) for name in _list(_loads(row.get("tied")))),
        image_size=line.image_size if line else None,
    )
    label = row["label"]
    if kind == "single":
        return replace(item, labels=((str(label), confidence),))
    value = _loads(label)
    if kind == "multi":
        shown = _dict(_loads(row.get("confidences")))
        names = [str(name) for name in _list(value)]
        return replace(item, labels=tuple((n, _number(shown.get(n, confidence))) for n in names))
    if kind == "boxes":
        boxes = _boxes(value)
        return replace(item, boxes=boxes, labels=tuple((b.label, b.confidence) for b in boxes))
    if kind == "spans":
        spans = _spans(value)
        return replace(item, spans=spans, labels=tuple((s.label, s.confidence) for s in spans))
    runs = _dict(value)
    found = [name for name in _dict(runs.get("counts")) if name != BACKGROUND]
    mask = MaskSource(classes=tuple(found), runs=runs)
    return replace(item, mask=mask, labels=tuple((name, confidence) for name in found))


def _boxes(value: object) -> tuple[Box, ...]:
    found = []
    for part in _list(value):
        entry = _dict(part)
        sides = [_number(entry.get(side)) for side in ("left", "top", "width", "height")]
        left, top, width, height = sides
        if left is None or top is None or width is None or height is None:
            continue
        name, confidence = str(entry.get("label", "")), _number(entry.get("confidence"))
        found.append(Box(name, left, top, width, height, confidence))
    return tuple(found)


def _spans(value: object) -> tuple[Span, ...]:
    found = []
    for part in _list(value):
        entry = _dict(part)
        start, end = _number(entry.get("startOffset")), _number(entry.get("endOffset"))
        if start is None or end is None:
            continue
        name, confidence = str(entry.get("label", "")), _number(entry.get("confidence"))
        found.append(Span(name, int(start), int(end), confidence))
    return tuple(found)


# ------------------------------------------------------------------------------ manifest


class _Line:
    """Where a task's image or text is, as its line of the output manifest says."""

    __slots__ = ("created", "image", "image_size", "job", "text")

    def __init__(self, record: Mapping[str, object]) -> None:
        reference, text = record.get(SOURCE_REF), record.get(SOURCE)
        self.image = reference if isinstance(reference, str) else None
        self.text = text if isinstance(text, str) and self.image is None else None
        self.image_size: tuple[int, int] | None = None
        self.job = self.created = ""
        for key, value in record.items():
            if not isinstance(value, dict):
                continue
            size = _dict((_list(value.get("image_size")) or [None])[0])
            width, height = _number(size.get("width")), _number(size.get("height"))
            if width and height:
                self.image_size = (int(width), int(height))
            if key.endswith("-metadata") and str(value.get("type", "")).startswith("groundtruth/"):
                self.job = str(value.get("job-name", ""))
                self.created = str(value.get("creation-date", ""))


def _lines(uri: str) -> tuple[dict[str, _Line], list[str]]:
    if not storage.exists(uri):
        return {}, []
    try:
        found = {}
        for _, record in read_objects(uri):
            name = task_name(record)
            if name is not None:
                found[name] = _Line(record)
        return found, []
    except ManifestError as error:
        return {}, [f"Where images are was taken from the labels alone: {error}"]


def _created(dates: Sequence[str]) -> tuple[str, str] | None:
    known = sorted(filter(None, dates))
    return (known[0], known[-1]) if known else None


# ------------------------------------------------------------------- workers and answers


def _with_workers(results: Results, uri: str) -> Results:
    if not storage.exists(uri):
        return results
    rows = []
    for row in _rows(_table(uri)):
        reliable = row.get("reliable")
        rows.append(
            WorkerRow(
                worker=str(row.get("worker")),
                answers=int(_number(row.get("answers")) or 0),
                accuracy=_number(row.get("accuracy")),
                low=_number(row.get("accuracy_low")),
                high=_number(row.get("accuracy_high")),
                gold_answers=int(_number(row.get("gold_answers")) or 0),
                gold_accuracy=_number(row.get("gold_accuracy")),
                reliable=reliable if isinstance(reliable, bool) else None,
                flags=tuple(str(flag) for flag in _list(_loads(row.get("flags")))),
                median_seconds=_number(row.get("median_seconds")),
            )
        )
    return replace(results, workers=tuple(rows))


def _with_answers(results: Results, uri: str) -> Results:
    if not storage.exists(uri):
        return results
    table = _table(uri)
    if not {"task", "worker", "label"} <= set(table.column_names):
        raise AnswerError(
            f"{uri} lacks one of the columns task, worker and label: run `gandt aggregate` again."
        )
    wanted = {item.task for item in disputed(results.items)}
    labels = {i.task: i.labels[0][0] for i in results.items if i.kind == "single" and i.labels}
    replies: dict[str, list[Reply]] = {}
    confusions: Counter[tuple[str, str]] = Counter()
    votes: dict[str, list[str]] = {}
    for row in _rows(table):
        task = str(row["task"])
        if task in labels and row["label"] is not None:
            confusions[labels[task], str(row["label"])] += 1
            votes.setdefault(task, []).append(str(row["label"]))
        if task in wanted:
            replies.setdefault(task, []).append(_reply(results.kind, row))
    for task in replies:
        replies[task].sort(key=lambda reply: (reply.labels, reply.worker))
    return replace(
        results,
        replies=replies,
        confusions=confusions,
        class_alpha=_class_alpha(votes),
        answers=table.num_rows,
    )


def _class_alpha(votes: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Krippendorff's alpha of each class against all others, where it is defined."""
    flat = np.array([label for answers in votes.values() for label in answers], dtype=object)
    start = np.cumsum([0, *(len(answers) for answers in votes.values())])
    found = {}
    for name in sorted(set(flat.tolist())):
        alpha = nominal_alpha(start, (flat == name).astype(np.int64), 2)
        if math.isfinite(alpha):
            found[name] = alpha
    return found


def _reply(kind: Kind, row: Mapping[str, Any]) -> Reply:
    reply = Reply(str(row["worker"]), (), seconds=_number(row.get("seconds_spent")))
    label = row["label"]
    if label is None:
        return reply
    if kind == "single":
        return replace(reply, labels=(str(label),))
    value = _loads(label)
    if kind == "multi":
        return replace(reply, labels=tuple(str(name) for name in _list(value)))
    if kind == "boxes":
        boxes = _boxes(value)
        return replace(reply, boxes=boxes, labels=tuple(box.label for box in boxes))
    if kind == "spans":
        spans = _spans(value)
        return replace(reply, spans=spans, labels=tuple(span.label for span in spans))
    counts = _dict(_dict(value).get("counts"))
    return replace(reply, labels=tuple(name for name in counts if name != BACKGROUND))


# --------------------------------------------------------------------------------- values


def _table(uri: str) -> pa.Table:
    try:
        return pq.read_table(io.BytesIO(storage.read_bytes(uri)))
    except pa.ArrowException as error:
        raise AnswerError(
            f"{uri} cannot be read as Parquet ({error}): run {_writer(uri)} again."
        ) from error


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(_BATCH):
        yield from batch.to_pylist()


def _summary(uri: str) -> Mapping[str, object]:
    if not storage.exists(uri):
        return {}
    try:
        return _dict(json.loads(storage.read_bytes(uri)))
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"{uri} is not JSON ({error}): run {_writer(uri)} again.") from error


def _writer(uri: str) -> str:
    """Name what wrote the folder of a file, where its summary cannot tell."""
    automatic = storage.exists(f"{folder_of(uri)}/rest.manifest")
    return "`gandt autolabel`" if automatic else "`gandt aggregate`"


def _kind(summary: Mapping[str, object], table: pa.Table) -> Kind:
    said = summary.get("kind")
    if said in KINDS:
        return said
    return "multi" if pa.types.is_list(table.schema.field("label").type) else "single"


def _loads(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None
