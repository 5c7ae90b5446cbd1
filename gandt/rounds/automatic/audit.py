"""The audit: what people say of a sample of the automatic labels, and what that makes of the rest.

Reads the folder of automatic labels and the labels of its `audit.manifest`, in any form that
`gandt.rounds.known.labels` knows. Writes the folder's labels again, with people's labels in place
of the machine's on what they checked; `audit.csv` keeps both, so that it may be measured again when
more answers are in. Where the promise is refuted, the labels that the probe gave are certain no
more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import numpy as np

from gandt import storage
from gandt.active.autolabel import Audited, audited
from gandt.active.estimates import upper_share
from gandt.errors import UsageError
from gandt.groundtruth.json_lines import SOURCE_REF, read_objects
from gandt.groundtruth.label_folder import UNFINISHED, refuse_unfinished
from gandt.groundtruth.task_lines import task_name
from gandt.rounds.automatic.audit_files import Checked, Told, read_checked, write_audited
from gandt.rounds.automatic.folder import AUDIT, AUDIT_MANIFEST, LABELS_CSV, read_summary
from gandt.rounds.known.labels import find_label_files, read_label_file
from gandt.words import count

__all__ = ["Audit", "ClassAudit", "Verdict", "measure"]

_SURE = 0.9  # confidence below which people's own label may be the wrong one
_ERR = 0.025  # chance that a promise that holds is refuted

Verdict = Literal["kept", "open", "refuted"]


@dataclass(frozen=True, slots=True)
class ClassAudit:
    """What became of the labels of one class."""

    name: str
    measured: Audited
    wrong: tuple[Checked, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """What was measured."""

    folder: str
    target: float
    measured: Audited
    classes: tuple[ClassAudit, ...]  # those that the machine gave to a checked image
    unanswered: int  # images of the sample that nobody answered yet
    unsure: int  # differences on images of which people are not sure themselves
    verdict: Verdict
    notes: tuple[str, ...]
    advice: str  # what to do next

    @property
    def sentence(self) -> str:
        """Say what was measured, and whether the promise stands."""
        return self.measured.sentence(self.target)

    @property
    def table(self) -> str:
        """Where both labels of every image of the sample are."""
        return f"{self.folder}/{AUDIT}"

    def as_json(self) -> dict[str, object]:
        """Numbers and notes, as `summary.json` holds them."""

        def numbers(measured: Audited) -> dict[str, object]:
            return {
                "checked": measured.checked,
                "right": measured.right,
                "low": round(measured.low, 6),
                "high": round(measured.high, 6),
            }

        return {
            **numbers(self.measured),
            "target": self.target,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "unanswered": self.unanswered,
            "unsure": self.unsure,
            "classes": {each.name: numbers(each.measured) for each in self.classes},
            "advice": self.advice,
            "notes": list(self.notes),
        }


def measure(
    out: str, sources: Sequence[str], *, now: datetime, attribute: str | None = None
) -> Audit:
    """Measure automatic labels by what people said of the sample, and write it into the folder.

    Measured again with more answers, or others, the folder is as though measured for the first
    time.

    Parameters
    ----------
    out
        The folder that `gandt.rounds.automatic.automatic` wrote, local or `s3://`.
    sources
        Labels of people, as `gandt.rounds.known.labels.find_label_files` takes them.
    now
        When people labeled, for the output manifest; any time zone.
    attribute
        The label attribute of output manifests that hold several.

    Raises
    ------
    UsageError
        The folder holds no automatic labels or no sample, or nobody labeled any image of it.
    ManifestError, StorageError
        A file cannot be read or written.
    """
    folder = storage.normalize(out).rstrip("/")
    summary = read_summary(folder)
    if not summary:
        raise UsageError(
            f"--out {out} holds no automatic labels to be measured: make them first, with "
            "`gandt autolabel --labels`."
        )
    if summary.pop(UNFINISHED, None) == "labels":
        refuse_unfinished(folder)
    sample = read_checked(f"{folder}/{AUDIT}")
    if not sample:
        raise UsageError(
            f"{folder} has no sample to check (--audit 0, or copies alone): run `gandt autolabel` "
            "again with --audit 100."
        )
    told, notes = _told(folder, sources, attribute, sample)
    sample = [replace(each, people=told.get(each.task)) for each in sample]
    audit = _judge(folder, summary, sample, notes)
    people = audit.measured.checked
    changed = {
        **summary,
        "machine": summary["tasks"] - people,
        "people": people,
        "audit": {"images": len(sample), **audit.as_json()},
    }
    write_audited(folder, changed, sample, refuted=audit.verdict == "refuted", now=now)
    return audit


# ---------------------------------------------------------------------------------- people


def _told(
    folder: str, sources: Sequence[str], attribute: str | None, sample: Sequence[Checked]
) -> tuple[dict[str, Told], list[str]]:
    """Find what people said of the sample, the later file before the earlier."""
    names = _names(folder, sample)
    told: dict[str, Told] = {}
    notes: list[str] = []
    strangers = 0
    try:
        locations = find_label_files(sources)
    except UsageError as error:  # there, it knows its paths as those of --labels
        raise UsageError(str(error).replace("--labels", "--audited", 1)) from error
    for location in locations:
        file = read_label_file(location, attribute=attribute)
        notes += file.notes
        for row in file.rows:
            task = next((names[name] for name in row.names if name in names), None)
            if row.label is None or row.source == "machine":
                continue
            if task is None:
                strangers += 1
            else:
                told[task] = Told(row.label, row.confidence, row.answers)
    if not told:
        raise UsageError(
            f"--audited {sources[0]} holds no label that people gave to an image of "
            f"{folder}/{AUDIT_MANIFEST}: have that manifest labeled, and give what `gandt "
            "aggregate` makes of the answers."
        )
    if strangers:
        labels = count(strangers, "label")
        notes.append(f"{labels} not used, for the sample does not hold their images.")
    return told, notes


def _names(folder: str, sample: Sequence[Checked]) -> dict[str, str]:
    """Every name that an image of the sample goes by, with the one that it has in the pool."""
    names = {each.task: each.task for each in sample}
    manifest = f"{folder}/{AUDIT_MANIFEST}"
    if storage.find(manifest) is not None:
        for _, record in read_objects(manifest):
            task, reference = task_name(record), record.get(SOURCE_REF)
            if task in names and isinstance(reference, str):
                names.setdefault(reference, task)
    return names


# ----------------------------------------------------------------------------------- judge


def _judge(
    folder: str, summary: Mapping[str, Any], sample: Sequence[Checked], notes: list[str]
) -> Audit:
    target, each_class = summary["promise"]["target"], summary["promise"]["each_class"]
    checked = [each for each in sample if each.people is not None]
    measured = _measured(checked)
    classes = tuple(
        ClassAudit(name, _measured(of), tuple(each for each in of if not each.right))
        for name in summary["classes"]
        if (of := [each for each in checked if each.machine == name])
    )
    verdict = _verdict(measured, target)
    # Of many classes one falls short by chance: all together are held to the chance of one.
    sure = 1 - _ERR / max(len(classes), 1)
    broken = [
        each.name
        for each in classes
        if upper_share(each.measured.checked, each.measured.right, sure) < target
    ]
    if each_class and broken:
        verdict = "refuted"
        notes.append(f"it was promised for each class, and is refuted for {', '.join(broken)}.")
    elif broken:
        notes.append(
            f"of {', '.join(broken)} alone fewer are right than was promised for all together: "
            "have those labels checked, or leave them out."
        )
    unanswered = len(sample) - len(checked)
    if unanswered:
        notes.append(
            f"{unanswered:,} of {count(len(sample), 'image')} of the sample "
            f"{'has' if unanswered == 1 else 'have'} no answer yet: measure again when all have, "
            "for what is answered first is often easy."
        )
    unsure = sum(
        not each.right and (each.people.confidence or 1.0) < _SURE
        for each in checked
        if each.people is not None
    )
    return Audit(
        folder,
        target,
        measured,
        classes,
        unanswered,
        unsure,
        verdict,
        tuple(notes),
        _advice(folder, measured, target, verdict, unsure, summary["tasks"] - summary["copies"]),
    )


def _measured(checked: Sequence[Checked]) -> Audited:
    return audited(np.array([each.right for each in checked], np.bool_))


def _verdict(measured: Audited, target: float) -> Verdict:
    if measured.high < target:
        return "refuted"
    return "kept" if measured.low >= target else "open"


def _advice(
    folder: str, measured: Audited, target: float, verdict: Verdict, unsure: int, labels: int
) -> str:
    """Say what to do next; `labels` are all that the probe gave."""
    if verdict == "kept":
        return f"use {folder}/{LABELS_CSV}"
    if verdict == "open" and measured.right < target * measured.checked:
        return (
            f"have more checked before you use {folder}/{LABELS_CSV} (--audit 500): fewer are "
            "right than was promised, though a sample of this size may err"
        )
    if verdict == "open":
        enough = _enough(measured, target)
        would = f"some {enough:,} checked labels would prove it at this accuracy (--audit {enough})"
        if not enough or enough > labels:
            would = f"at this accuracy no sample of these {labels:,} labels proves it"
        return f"{folder}/{LABELS_CSV} may be used, its promise not proven: {would}"
    first = ""
    if unsure:
        wrong = measured.checked - measured.right
        first = (
            f"people are not sure of {unsure:,} of the {wrong:,} differences themselves, so have "
            "those looked at again; if it stays so, "
        )
    return (
        f"{first}do not use the machine's labels in {folder}: label more images by hand, best "
        "drawn uniformly (`gandt next --uniform 1`), and run `gandt autolabel` anew with those "
        "labels and the audit's"
    )


def _enough(measured: Audited, target: float) -> int:
    """How many checked labels would prove the promise at this accuracy; 0: none, or too many."""
    share = measured.right / measured.checked
    for number in (100, 150, 200, 300, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000):
        right = np.arange(number) < round(share * number)
        if number > measured.checked and audited(right).low >= target:
            return number
    return 0
