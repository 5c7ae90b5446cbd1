"""Answers of a finished job become labels on disk: what `gandt aggregate` does.

Reads answers in any form that `gandt.groundtruth.responses` knows, aggregates them, and writes the
folder of the round (`round_folder`). "Consolidation" is Ground Truth's word for this step.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial

import numpy as np

from gandt import storage
from gandt.aggregation import Consensus, aggregate
from gandt.aggregation.model_rater import disagreements
from gandt.answers import Answers, Kind, Label
from gandt.consolidation.machine_labels import with_machine_labels
from gandt.consolidation.round_folder import ROUND_FILES, write_round
from gandt.errors import UsageError
from gandt.groundtruth.augment import default_attribute
from gandt.groundtruth.responses import read_answers, read_gold
from gandt.index.folder import open_index

__all__ = ["ConsolidateOptions", "Outcome", "consolidate"]


@dataclass(frozen=True, slots=True)
class ConsolidateOptions:
    """How answers are read and made into labels; see `gandt.aggregation.aggregate`."""

    method: str = "auto"
    kind: Kind | None = None  # where the answers could be read as more than one kind
    gold: str | None = None  # table of known answers
    previous: tuple[str, ...] = ()  # earlier jobs or rounds of the same workers
    include_previous: bool = False  # their labels count as well, not only their workers
    index: str | None = None  # index folder whose vectors are one more rater
    manifest: str | None = None  # input manifest, where the answers do not bring it
    form_field: str | None = None  # of a form with several
    classes: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)  # of tables: what a column holds
    attribute: str | None = None  # to read, where manifests hold several
    write_attribute: str | None = None  # by default named after the folder
    min_confidence: float = 0.8
    min_answers: int = 1
    strict: bool = False  # what is odd in the answers is an error


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round came to, and where it lies."""

    folder: str
    attribute: str
    consensus: Consensus
    answers: Answers
    relabel: int  # tasks that are not certain
    notes: tuple[str, ...]

    def disagreements(self) -> list[int]:
        """Rows of the labels on which the index differs from the people, the surest first."""
        labels = self.consensus.labels
        return disagreements(labels).tolist() if "model_label" in labels else []

    def reviewed(self) -> int:
        """How many labels a reviewer decided."""
        by = self.consensus.labels.get("reviewed_by", ())
        return sum(name is not None for name in by)

    def summary(self) -> dict[str, object]:
        """Numbers and notes, as `summary.json` holds them."""
        consensus, answers = self.consensus, self.answers
        return {
            "schema": 1,
            "kind": consensus.kind,
            "method": consensus.method,
            "attribute": self.attribute,
            "classes": list(consensus.classes),
            "tasks": consensus.labels.num_rows,
            "answers": len(answers),
            "machine": len(answers.machine),
            "workers": consensus.workers.num_rows,
            "certain": consensus.labels.num_rows - self.relabel,
            "relabel": self.relabel,
            "reviewed": self.reviewed(),
            "tied": sum(bool(tie) for tie in consensus.labels["tied"]),
            "alpha": _finite(consensus.alpha),
            "gold": _plain(consensus.gold),
            "flagged": {
                row["worker"]: list(row["flags"])
                for row in consensus.workers.rows()
                if row["flags"]
            },
            "oddities": dict(Counter(oddity.kind for oddity in answers.oddities)),
            "notes": list(self.notes),
        }


def consolidate(
    sources: Sequence[str], out: str, options: ConsolidateOptions, *, now: datetime
) -> Outcome:
    """Make labels of the answers and write the folder of the round.

    Parameters
    ----------
    sources
        Job folders, answer files, tables and round folders, local or `s3://`, mixed freely.
    out
        Folder to write, local or `s3://`.
    now
        Goes into the manifest; any time zone.

    Raises
    ------
    AnswerError
        Nothing could be read as answers; or something is odd, in strict mode.
    UsageError
        An option does not fit the answers.
    StorageError
        A file cannot be read or written.
    """
    folder = storage.normalize(out)
    _check_folder(folder)
    opened = open_index(options.index) if options.index else None
    answers = read_answers(
        [storage.normalize(source) for source in sources],
        manifest=options.manifest,
        attribute=options.attribute,
        field=options.form_field,
        kind=options.kind,
        classes=options.classes or None,
        columns=options.columns or None,
        strict=options.strict,
    )
    gold: dict[str, Label] = dict(answers.gold)
    if options.gold:
        gold |= read_gold(storage.normalize(options.gold), kind=answers.kind)
    previous = [
        read_answers([storage.normalize(source)], kind=answers.kind, field=options.form_field)
        for source in options.previous
    ]
    decide = partial(
        aggregate,
        answers,
        method=options.method,
        gold=gold or None,
        previous=previous or None,
        include_previous=options.include_previous,
        classes=answers.classes or None,
        tasks=answers.tasks or None,
        min_confidence=options.min_confidence,
        min_answers=options.min_answers,
    )
    consensus = decide()
    notes: list[str] = []
    if opened is not None:
        from gandt.consolidation.index_model import predict_labels

        predictions, said = predict_labels(opened, consensus)
        notes.append(said)
        if predictions is not None:
            consensus = decide(model=predictions)
    consensus = with_machine_labels(consensus, answers, min_confidence=options.min_confidence)
    attribute = options.write_attribute or default_attribute(folder, kind=consensus.kind)
    notes += consensus.notes
    outcome = Outcome(
        folder=folder,
        attribute=attribute,
        consensus=consensus,
        answers=answers,
        relabel=int(np.sum(~np.asarray(consensus.labels["certain"], bool))),
        notes=tuple(notes),
    )
    write_round(
        folder,
        consensus,
        answers,
        attribute=attribute,
        created=now.astimezone(timezone.utc),
        summary=outcome.summary(),
    )
    return outcome


def _check_folder(folder: str) -> None:
    """Refuse to write among files that are not ours."""
    if not storage.exists(folder):
        return
    if not storage.is_folder(folder):
        raise UsageError(f"--out {folder} is a file; name a folder, new or of an earlier run.")
    prefix = folder.rstrip("/") + "/"
    for entry in storage.list_folder(folder):
        name = entry.uri.removeprefix(prefix).partition("/")[0]
        if name not in ROUND_FILES:
            raise UsageError(
                f"--out {folder} holds other files ({name}); name a new folder, or that of an "
                "earlier `gandt aggregate`."
            )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _plain(value: object) -> object:
    """Numpy's numbers as Python's, and no NaN, which JSON does not know."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (np.integer, np.bool_)):
        return value.item()
    if isinstance(value, (float, np.floating)):
        return _finite(float(value))
    return value
