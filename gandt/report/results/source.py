"""Read what a report is about: any output manifest, or a folder of labels, as of a round.

Gives `Results`; nothing of Ground Truth's JSON is known beyond here. A table of known answers may
be laid beside it, so that confidence can be compared with truth.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from gandt import storage
from gandt.answers import BACKGROUND, Box, Kind, Span
from gandt.errors import StorageError
from gandt.groundtruth.job_copies import copy_of
from gandt.groundtruth.job_folder import JobFolder, job_root
from gandt.groundtruth.output import OutputRow, read_output
from gandt.report.results.model import Item, MaskSource, Passed, Results
from gandt.report.results.places import folder_of, is_image_name, places
from gandt.report.results.round import LABELS, read_round
from gandt.tables import find_column, read_rows
from gandt.words import count

__all__ = ["read_results"]

_TASK_COLUMNS = ("task", "uri", "image", "file", "path", "image_path", "source-ref", "text")
_LABEL_COLUMNS = ("label", "class", "gold", "truth", "category")


def read_results(source: str, *, attribute: str | None = None, gold: str | None = None) -> Results:
    """Read an output manifest or the folder of a round.

    Parameters
    ----------
    source
        Local or `s3://`. A folder that holds `labels.parquet` is a round or automatic labels; of
        another folder the `output.manifest` is read, also where it lies in `manifests/output/` of a
        job.
    attribute
        The label attribute of a manifest that has several.
    gold
        Table of known answers with a column of tasks and one of labels.

    Raises
    ------
    StorageError
        Where the source cannot be read, a folder holds neither, or automatic labels are not whole.
    ManifestError, AnswerError
        Where it is not what it should be.
    UsageError
        Where the gold table lacks a column.
    """
    uri = storage.normalize(source)
    if uri.rstrip("/").endswith(f"/{LABELS}"):
        uri = folder_of(uri)
    if storage.find(uri) is None and storage.is_folder(uri):
        folder = uri.rstrip("/")
        if storage.exists(f"{folder}/{LABELS}"):
            results = read_round(folder)
        else:
            results = _read_manifest(_manifest_in(folder), attribute)
    else:
        results = _read_manifest(uri, attribute)
    return _with_gold(results, storage.normalize(gold)) if gold else results


def _manifest_in(folder: str) -> str:
    for name in ("output.manifest", "manifests/output/output.manifest"):
        if storage.exists(f"{folder}/{name}"):
            return f"{folder}/{name}"
    raise StorageError(
        f"{folder} holds neither {LABELS} nor output.manifest: name an output manifest, or a "
        "folder that `gandt aggregate` wrote."
    )


# -------------------------------------------------------------------------------- manifest


def _read_manifest(uri: str, attribute: str | None) -> Results:
    reading = read_output(uri, attribute=attribute)
    kind: Kind = "single" if reading.kind == "custom" else reading.kind
    folder = folder_of(uri)
    items: list[Item] = []
    passed: list[Passed] = []
    repaired = 0
    for number, row in enumerate(reading.rows):
        if row.status not in ("labeled", "empty"):
            passed.append(Passed(row.task, row.status, row.reason))
        elif row.kind != kind or (row.label is None and row.mask_uri is None):
            reason = f"the answer of a {row.kind} task is no {kind} label; aggregate it first"
            passed.append(Passed(row.task, "unreadable", reason))
        else:
            repaired += bool(row.reason) and row.status == "labeled"
            items.append(_item(number, row, kind, folder))
    dates = sorted({row.created for row in reading.rows if row.created})
    notes = []
    if reading.kind == "custom" and not items:
        notes.append(
            "This is the manifest of a custom job, whose answers are not labels yet: "
            "run `gandt aggregate` on the job and report on the folder that it writes."
        )
    if repaired:
        notes.append(f"{count(repaired, 'label')} had to be repaired while reading.")
    return Results(
        source=uri,
        kind=kind,
        attribute=reading.attribute,
        items=tuple(items),
        passed=tuple(passed),
        jobs=tuple(sorted({row.job for row in reading.rows if row.job})),
        created=(dates[0], dates[-1]) if dates else None,
        notes=tuple(notes),
    )


def _item(number: int, row: OutputRow, kind: Kind, folder: str) -> Item:
    text = None
    if row.reference is None and not is_image_name(row.task):
        text = row.task
    item = Item(
        number=number,
        task=row.task,
        kind=kind,
        source="unknown" if row.human is None else "human" if row.human else "machine",
        labels=(),
        text=text,
        places=() if text is not None else places((row.task, row.reference), folder),
        confidence=row.confidence,
        image_size=row.image_size,
    )
    if kind == "single":
        return replace(item, labels=((str(row.label), row.confidence),))
    if kind == "mask":
        mask = _mask(row, folder)
        return replace(item, mask=mask, labels=tuple((n, row.confidence) for n in mask.classes))
    parts = row.label if isinstance(row.label, tuple) else ()
    if kind == "multi":
        names = [part for part in parts if isinstance(part, str)]
        shown = row.confidences
        return replace(item, labels=tuple((name, shown.get(name) or None) for name in names))
    if kind == "boxes":
        boxes = tuple(part for part in parts if isinstance(part, Box))
        return replace(item, boxes=boxes, labels=_labels(boxes))
    spans = tuple(part for part in parts if isinstance(part, Span))
    return replace(item, spans=spans, labels=_labels(spans))


def _labels(parts: Iterable[Box | Span]) -> tuple[tuple[str, float | None], ...]:
    return tuple((part.label, part.confidence or None) for part in parts)


def _mask(row: OutputRow, folder: str) -> MaskSource:
    listed = row.metadata.get("internal-color-map")
    color_map = listed if isinstance(listed, dict) else {}
    entries = (entry.get("class-name") for entry in color_map.values() if isinstance(entry, dict))
    names = tuple(dict.fromkeys(str(name) for name in entries if name not in (None, BACKGROUND)))
    root = job_root(f"{folder}/output.manifest")
    fetched = row.mask_uri
    if root is not None and fetched is not None:
        fetched = copy_of(fetched, JobFolder(root))
    found = places((fetched,), folder)
    return MaskSource(classes=names, uri=found[0] if found else None, color_map=color_map)


# ------------------------------------------------------------------------------------ gold


def _with_gold(results: Results, uri: str) -> Results:
    table = read_rows(uri)
    tasks = table.columns[find_column(table, _TASK_COLUMNS, "tasks")]
    labels = table.columns[find_column(table, _LABEL_COLUMNS, "labels")]
    folder = folder_of(uri)
    known: dict[str, tuple[str, ...]] = {}
    for task, label in zip(tasks, labels, strict=True):
        if task is None or label is None:
            continue
        names = _names(label)
        known[task] = names
        for place in places((task,), folder):
            known.setdefault(place, names)
    items = tuple(replace(item, known=_known(item, known)) for item in results.items)
    matched = sum(item.known is not None for item in items)
    notes = list(results.notes)
    if not matched:
        notes.append(
            f"No task of {uri} is among the labeled ones: name tasks there as in this job."
        )
    elif results.kind not in ("single", "multi"):
        notes.append(f"Gold of {results.kind} is not compared: only labels can be right or wrong.")
    else:
        given = sum(item.known is not None and item.source == "gold" for item in items)
        if given:
            notes.append(
                f"{count(given, 'label')} of the gold table had been given while aggregating and "
                "say nothing of calibration."
            )
    return replace(results, items=items, notes=tuple(notes))


def _names(label: str) -> tuple[str, ...]:
    if label.startswith("["):
        try:
            value = json.loads(label)
        except ValueError:
            value = None
        if isinstance(value, list):
            return tuple(str(name) for name in value)
    return (label,)


def _known(item: Item, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    names = (item.task, *item.places)
    return next((known[name] for name in names if name in known), None)
