"""Labels of people in, automatic labels of the rest of the pool out: what `gandt autolabel` does.

Reads an index and the labels of the rounds so far (`gandt.rounds.known.known`), lets
`gandt.active.autolabel` decide, and writes the folder (`folder`). Where nothing can be
promised, nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from gandt import storage
from gandt.active.autolabel import AutoLabels, AutoOptions
from gandt.active.autolabel import autolabel as decide
from gandt.errors import UsageError
from gandt.groundtruth.augment import default_attribute
from gandt.groundtruth.json_lines import WHY, dump
from gandt.groundtruth.label_names import check_attribute
from gandt.groundtruth.uri_map import UriMap
from gandt.index.folder import Index, open_index
from gandt.rounds.automatic.audit_files import Checked, write_checked
from gandt.rounds.automatic.folder import (
    AUDIT,
    AUDIT_MANIFEST,
    BLOCK,
    REST,
    SUMMARY,
    AutoRow,
    LabelFiles,
    check_folder,
    read_rows_of,
    read_summary,
    task_record,
    write_summary,
    writing,
    writing_labels,
)
from gandt.rounds.automatic.words import Automatic
from gandt.rounds.known.known import Known, read_known
from gandt.selection.exclude import read_excluded
from gandt.types import Embedder, IntArray

__all__ = ["Sources", "label_automatically"]

_SHOWN = 3  # classes in a sentence


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the labels of people come from, and what is left out; see `read_known`."""

    labels: Sequence[str]
    seeds: Sequence[str] = ()
    exclude: Sequence[str] = ()
    other: str = "Other"
    attribute: str | None = None
    model: str | None = None  # for seeds that the index does not hold
    device: str = "auto"


def label_automatically(
    index: str,
    sources: Sources,
    out: str,
    options: AutoOptions,
    *,
    now: datetime,
    write_attribute: str | None = None,
    uri_map: Sequence[str] = (),
) -> Automatic:
    """Label what may be labeled automatically, and write the folder.

    Parameters
    ----------
    index
        Index folder, local or `s3://`.
    out
        Folder to write, local or `s3://`; files of an earlier run are replaced, automatic labels
        of which are decided anew.
    now
        Goes into the output manifest; any time zone.
    write_attribute
        Label attribute of the output manifest; by default named after the folder.
    uri_map
        Rules `FROM=TO` that rewrite references.

    Returns
    -------
    What was done; where `refusal` is not empty, nothing was written.

    Raises
    ------
    UsageError
        Nothing is labeled, `out` holds other files, or an option is out of its range.
    IndexFolderError, ManifestError, StorageError
        A file cannot be read or written.
    """
    folder = storage.normalize(out).rstrip("/")
    attribute = write_attribute or default_attribute(folder)
    check_attribute(attribute, "single")
    references = _References(UriMap.parse(uri_map))
    check_folder(folder)
    if not sources.labels and not sources.seeds:
        raise UsageError(
            "There are no labels to learn from: give --labels the labels of the rounds so far, as "
            "round1/labels.csv."
        )
    opened = open_index(index)
    known = _read(opened, sources)
    left_out, notes = _left_out(opened, known, sources, folder)
    made = decide(opened, known.labeled, options, left_out=left_out, checked=known.checked)
    notes = [*known.notes, *notes]
    refusal = "" if len(made.rows) else _refusal(made, options, folder)
    done = Automatic(folder, attribute, options, known.labeled, made, now, tuple(notes), refusal)
    if refusal:
        return done
    notes += _replaced(folder)
    with ExitStack() as files:
        # Files take their places in the reverse order, so the summary comes last.
        summary = files.enter_context(writing(f"{folder}/{SUMMARY}"))
        _write_labels(files.enter_context(writing_labels(folder)), opened, done, references)
        rest = files.enter_context(writing(f"{folder}/{REST}"))
        for tasks in _tasks(opened, made.rest):
            rest.writelines(_plain(task, references(task)) for task in tasks)
        done = replace(done, notes=(*notes, *references.notes()))
        _write_audit(files, opened, done, references)
        write_summary(summary, done.summary())
    return done


class _References:
    """Where the images lie for whoever labels them; remembers what no rule fits."""

    def __init__(self, rules: UriMap) -> None:
        self.rules = rules
        self.unmapped = 0
        self.first = ""

    def __call__(self, task: str) -> str:
        mapped = self.rules.apply(task)
        if mapped is None and self.rules:
            self.unmapped += 1
            self.first = self.first or task
        return task if mapped is None else mapped

    def notes(self) -> list[str]:
        if not self.unmapped:
            return []
        return [
            f"{self.unmapped:,} references fit no --uri-map rule and stay as they are; first: "
            f"{self.first}."
        ]


def _read(index: Index, sources: Sources) -> Known:
    def load() -> Embedder:
        from gandt.index.model import load_model_of

        return load_model_of(index, sources.model, sources.device)

    return read_known(
        index,
        sources.labels,
        seeds=sources.seeds,
        exclude=sources.exclude,
        other=sources.other,
        attribute=sources.attribute,
        load=load,
    )


def _left_out(
    index: Index, known: Known, sources: Sources, folder: str
) -> tuple[IntArray, list[str]]:
    """Rows that get no label; automatic ones that this run replaces are decided anew."""
    notes = []
    if known.examples is not None:
        number = len(known.examples.vectors)
        notes.append(
            f"{number:,} seeds are not of the pool: automatic labels are learned from labeled "
            "images of the pool alone."
        )
    if not len(known.automatic) or not read_summary(folder):
        return known.left_out, notes
    tasks = [row.task for rows in read_rows_of(folder) for row in rows if row.source == "machine"]
    again = np.intersect1d(index.find("image_path", tasks), known.automatic)
    if sources.exclude:
        again = np.setdiff1d(again, read_excluded(sources.exclude).rows(index))
    if len(again):
        notes.append(f"{len(again):,} automatic labels of {folder} are decided anew.")
    return np.setdiff1d(known.left_out, again), notes


def _replaced(folder: str) -> list[str]:
    people = read_summary(folder).get("people")
    if not people:
        return []
    return [
        f"{folder} held {people:,} labels that people gave in its audit, and holds them no more: "
        "name the labels of that audit itself among --labels."
    ]


def _refusal(made: AutoLabels, options: AutoOptions, folder: str) -> str:
    """Why nothing is written."""
    if made.refused:
        refusal = made.refused
        if options.each:
            most = sorted(made.thresholds.classes, key=lambda each: -each.cases)[:_SHOWN]
            refusal += " " + "; ".join(f"{each.name}: {each.reason}" for each in most) + "."
    elif not len(made.rest):
        refusal = "Every image of the pool is labeled or left out: nothing is left to label."
    else:
        refusal = (
            f"Of the {len(made.rest):,} images that nobody labeled none is sure enough and near "
            "enough to the labeled ones to be labeled automatically: label more images by hand, "
            "or lower --guard."
        )
    if read_summary(folder):
        refusal += f" {folder} is left as an earlier run made it."
    return refusal


def _write_labels(
    files: LabelFiles, index: Index, done: Automatic, references: _References
) -> None:
    made = done.made
    for start in range(0, len(made.rows), BLOCK):
        at = slice(start, start + BLOCK)
        rows = _rows(index, done, at)
        records = {row.task: task_record(row.task, references(row.task)) for row in rows}
        lines = files.lines(
            rows,
            records,
            attribute=done.attribute,
            classes=done.labeled.classes,
            created=done.created,
        )
        files.add(rows, lines)


def _rows(index: Index, done: Automatic, at: slice) -> list[AutoRow]:
    made = done.made
    copied = made.original[at] >= 0
    names: Iterator[str] = iter(index.uris(made.original[at][copied]))
    return [
        AutoRow(
            task=task,
            label=done.labeled.classes[code],
            confidence=sure,
            # A copy is as certain as the label that it has.
            certain=not copy or sure >= done.options.certain,
            original=next(names) if copy else None,
        )
        for task, code, sure, copy in zip(
            index.uris(made.rows[at]),
            made.codes[at].tolist(),
            made.confidence[at].tolist(),
            copied.tolist(),
            strict=True,
        )
    ]


def _write_audit(files: ExitStack, index: Index, done: Automatic, references: _References) -> None:
    """Write the sample in random order, so that its place tells nothing of an image."""
    made = done.made
    rng = np.random.default_rng([done.options.random_seed, 23])
    rows = rng.permutation(made.audit)
    place = np.searchsorted(made.rows, rows)
    sample = [
        Checked(task, done.labeled.classes[code], sure)
        for task, code, sure in zip(
            index.uris(rows),
            made.codes[place].tolist(),
            made.confidence[place].tolist(),
            strict=True,
        )
    ]
    manifest = files.enter_context(writing(f"{done.folder}/{AUDIT_MANIFEST}"))
    manifest.writelines(
        _plain(each.task, references(each.task), **{WHY: "audit"}) for each in sample
    )
    write_checked(files.enter_context(writing(f"{done.folder}/{AUDIT}")), sample)


def _tasks(index: Index, rows: IntArray) -> Iterator[list[str]]:
    for start in range(0, len(rows), BLOCK):
        yield index.uris(rows[start : start + BLOCK])


def _plain(task: str, reference: str, **more: object) -> bytes:
    return f"{dump(task_record(task, reference, **more))}\n".encode()
