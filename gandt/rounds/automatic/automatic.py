"""Labels of people in, automatic labels of the rest of the pool out: what `gandt autolabel` does.

Reads an index and the labels of the rounds so far (`gandt.rounds.known.known`), lets
`gandt.active.autolabel` decide, and writes the folder (`folder`). Where nothing can be
promised, nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from gandt import storage
from gandt.active.autolabel import AutoLabels, AutoOptions
from gandt.active.autolabel import autolabel as decide
from gandt.errors import UsageError
from gandt.groundtruth.augment import default_attribute
from gandt.groundtruth.json_lines import WHY, dump
from gandt.groundtruth.label_folder import unfinished
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
    marking,
    read_summary,
    task_record,
    write_summary,
    writing,
    writing_labels,
)
from gandt.rounds.automatic.words import Automatic
from gandt.rounds.known.known import Known, read_known
from gandt.types import Embedder, IntArray
from gandt.words import count

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
    known = _read(opened, sources, folder)
    earlier = read_summary(folder, damaged=True)
    made = decide(
        opened,
        known.labeled,
        options,
        examples=known.examples,
        left_out=known.left_out,
        checked=known.checked,
    )
    notes = [*_of_use(known, options), *_of_seeds(known)]
    refusal = "" if len(made.rows) else _refusal(made, options, folder, earlier)
    done = Automatic(
        folder, attribute, options, known.labeled, made, now, tuple(notes), refusal, known.chosen
    )
    if refusal:
        return done
    notes += _replaced(folder, earlier)
    with ExitStack() as files:
        # Files take their places in the reverse order: the mark first, and the summary last.
        summary = files.enter_context(writing(f"{folder}/{SUMMARY}"))
        _write_labels(files.enter_context(writing_labels(folder)), opened, done, references)
        rest = files.enter_context(writing(f"{folder}/{REST}"))
        carried = _carried(known)
        for tasks in _tasks(opened, made.rest):
            rest.writelines(_plain(task, references(task), **carried) for task in tasks)
        done = replace(done, notes=(*notes, *references.notes()))
        _write_audit(files, opened, done, references)
        write_summary(summary, done.summary())
        files.enter_context(marking(folder, "labels", {"people": earlier.get("people")}))
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
        one = self.unmapped == 1
        fit = "reference fits" if one else "references fit"
        stay = "stays as it is" if one else "stay as they are"
        return [f"{self.unmapped:,} {fit} no --uri-map rule and {stay}; first: {self.first}."]


def _read(index: Index, sources: Sources, folder: str) -> Known:
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
        anew=folder,
        load=load,
    )


def _of_use(known: Known, options: AutoOptions) -> list[str]:
    """Notes on what counts here; a lost uniform draw does where there might have been enough."""
    draws = int(known.labeled.drawn.sum()) + sum(known.lost.values())
    enough = draws >= options.enough_drawn
    return [note for note in known.notes if enough or note not in known.lost]


def _of_seeds(known: Known) -> list[str]:
    if known.examples is None:
        return []
    number = count(len(known.examples.vectors), "seed")
    return [f"{number} that the pool does not hold: to learn from, not to prove by."]


def _carried(known: Known) -> dict[str, object]:
    """What each line of the rest has to carry: it is a round, and knew of as many labels."""
    return {WHY: "rest", "gandt-round": known.round, "gandt-labeled": len(known.labeled)}


def _replaced(folder: str, earlier: Mapping[str, Any]) -> list[str]:
    people = earlier.get("people")
    if not people:
        return []
    return [
        f"{folder} held {count(people, 'label')} that people gave in its audit, and holds them no "
        "more: name the labels of that audit itself among --labels."
    ]


def _refusal(
    made: AutoLabels, options: AutoOptions, folder: str, earlier: Mapping[str, Any]
) -> str:
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
            f"Of {count(len(made.rest), 'image')} that nobody labeled none is sure enough and near "
            "enough to the labeled ones to be labeled automatically: label more images by hand, "
            "or lower --guard."
        )
    if earlier:
        refusal += (
            f" {unfinished(folder, earlier) or f'{folder} is left as an earlier run made it.'}"
        )
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
