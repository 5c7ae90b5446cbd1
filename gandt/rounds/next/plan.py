"""What to label next, in words that files and people understand.

Reads an index and the labels of all rounds (through `gandt.rounds.known.known`), lets
`gandt.active.rounds` choose, and keeps the choice together with what is said of it. Writes nothing;
that is `gandt.rounds.next.files`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gandt import storage
from gandt.active.rounds import Round, RoundOptions, next_round
from gandt.errors import UsageError
from gandt.index.ann import open_search
from gandt.index.folder import Index, open_index
from gandt.index.model import load_model_of
from gandt.rounds.known.known import Known, read_known
from gandt.rounds.known.labels import find_label_files
from gandt.rounds.next.selection import as_selection
from gandt.types import Selection

__all__ = ["UNSURE", "Complete", "Group", "Plan", "plan_next", "plan_round", "unsure"]

UNSURE = 0.8  # as `gandt aggregate` has it: labels below are in its relabel.manifest
_ORDER = ("find", "learn", "balance", "uniform", "again")


@dataclass(frozen=True, slots=True)
class Group:
    """The images of a round that one goal asked for; of `find`, those of one class."""

    goal: str
    name: str | None  # the class that is sought; None where the goal seeks none
    images: int
    finds: float | None  # expected images of that class among them; None where nothing tells

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "goal": self.goal,
            "class": self.name,
            "images": self.images,
            "finds": None if self.finds is None else round(self.finds, 2),
        }


class Complete(UsageError):
    """There is no next round, for all is labeled: the natural end, with all that is known."""

    def __init__(self, index: Index, known: Known, reason: str) -> None:
        super().__init__(reason)
        self.index = index
        self.known = known
        self.reason = reason

    def as_json(self) -> dict[str, object]:
        """As a plan has it, with nothing in it."""
        return {
            **_known_as_json(self.index, self.known),
            "images": 0,
            "chosen": [],
            "scored": None,
            "targets": [],
            "estimates": [],
            "outlooks": [],
            "stop": True,
            "reasons": [self.reason],
            "notes": list(self.known.notes),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A round that was chosen, what it rests on, and what is advised."""

    index: Index
    known: Known
    round: Round
    selection: Selection  # in the order of `round.rows`
    other: str  # the contrast class
    answered: tuple[str, ...] = ()  # folders of earlier rounds that hold the workers' answers

    @property
    def keys(self) -> dict[str, object]:
        """What each line of the manifest has to carry, so that the next round knows of this."""
        slice_ = self.round.slice
        return {
            "gandt-round": self.known.round,
            "gandt-labeled": slice_.before,
            "gandt-unlabeled": slice_.unlabeled,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know, one sentence each."""
        return (*self.known.notes, *self.round.notes)

    def dry(self) -> dict[str, int]:
        """For each class to find, the latest labels in a row that were chosen for it in vain.

        A class that nothing was chosen for so far has none.
        """
        labeled = self.known.labeled
        place = {name: code for code, name in enumerate(labeled.classes)}
        chosen = set(np.unique(labeled.sought).tolist())
        return {each.name: each.dry for each in self.round.outlooks if place[each.name] in chosen}

    @property
    def contrast(self) -> bool:
        """Whether two classes at least are labeled: knowing one alone, the probe expects no other.

        Without a contrast nothing can be expected of the round, nor estimated of what is left.
        """
        counts = self.known.labeled.counts()
        if self.known.examples is not None:
            codes = self.known.examples.probabilities.argmax(axis=1)
            counts = counts + np.bincount(codes, minlength=len(counts))
        return int((counts > 0).sum()) > 1

    @property
    def reasons(self) -> tuple[str, ...]:
        """Those of the verdict; without a contrast but for what would rest on the probe."""
        verdict, outlooks = self.round.verdict, self.round.outlooks
        if self.contrast:
            return verdict.reasons
        names = " and ".join(self.targets)
        worth = []
        if verdict.stop:  # each image counts as a find as long as no other class is known
            worth.append("The next round is not worth its cost, even if each image were a find.")
        return (
            *worth,
            f"Nothing but {names} is labeled, so nothing can be expected of the round yet, nor "
            "estimated of what is left.",
            *(each.sentences()[-1] for each in outlooks),
        )

    @property
    def targets(self) -> tuple[str, ...]:
        """The classes to find."""
        return tuple(each.name for each in self.round.outlooks)

    @property
    def labels(self) -> tuple[str, ...]:
        """What workers are to be offered: all classes, the contrast class last."""
        classes = self.known.labeled.classes
        return (*(name for name in classes if name != self.other), self.other)

    def groups(self) -> tuple[Group, ...]:
        """What was chosen, by goal and class."""
        classes = self.known.labeled.classes
        found = []
        goals = np.array(self.round.goals, dtype=object)
        for goal in _ORDER:
            mine = goals == goal
            if goal != "find":
                if mine.any():
                    found.append(Group(goal, None, int(mine.sum()), None))
                continue
            for code in np.unique(self.round.sought[mine]).tolist():
                of_class = mine & (self.round.sought == code)
                finds = float(self.round.expected[of_class, code].sum())
                known = finds if self.contrast else None
                found.append(Group(goal, classes[code], int(of_class.sum()), known))
        return tuple(found)

    def as_json(self) -> dict[str, object]:
        """Everything that is said of the round, in plain values."""
        round_ = self.round
        return {
            **_known_as_json(self.index, self.known),
            "images": len(round_),
            "chosen": [group.as_json() for group in self.groups()],
            "scored": round(round_.scored, 6),
            "targets": list(self.targets),
            "estimates": [
                {
                    "class": each.name,
                    "found": each.found,
                    "remaining": round(each.remaining, 2) if each.drawn else None,
                    "low": each.low,
                    "high": each.high,
                    "confidence": each.confidence,
                    "drawn": each.drawn,
                }
                for each in round_.estimates
            ],
            "outlooks": [
                {
                    "class": each.name,
                    "dry": each.dry,
                    "expected_left": round(each.expected_left, 2) if self.contrast else None,
                    "upper_left": round(each.upper_left, 2) if self.contrast else None,
                    "seen": round(each.seen, 4),
                    "drawn": each.audited,
                    "limit": round(each.limit, 6),
                }
                for each in round_.outlooks
            ],
            "stop": round_.verdict.stop,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
        }


def unsure(known: Known) -> dict[str, int]:
    """Count labels by class that people should be asked again, where there are any."""
    labeled = known.labeled
    codes = labeled.codes[(labeled.confidence < UNSURE) & (labeled.codes >= 0)]
    counts = np.bincount(codes, minlength=len(labeled.classes)).tolist()
    return {name: n for name, n in zip(labeled.classes, counts, strict=True) if n}


def _known_as_json(index: Index, known: Known) -> dict[str, object]:
    labeled, examples = known.labeled, known.examples
    return {
        "round": known.round,
        "pool": index.live_rows,
        "labeled": dict(zip(labeled.classes, labeled.counts().tolist(), strict=True)),
        "unsure": unsure(known),
        "examples": 0 if examples is None else len(examples.vectors),
        "automatic": len(known.automatic),
        "left_out": len(known.left_out),
    }


def plan_next(
    index: str,
    labels: Sequence[str],
    options: RoundOptions,
    *,
    seeds: Sequence[str] = (),
    exclude: Sequence[str] = (),
    attribute: str | None = None,
    model: str | None = None,
    device: str = "auto",
) -> Plan:
    """Read what is known and choose what to label next.

    Parameters
    ----------
    index
        Folder, local or `s3://`.
    labels
        Files and folders with the labels of all rounds.
    seeds, exclude, attribute
        As `gandt.rounds.known.known.read_known` takes them.
    model, device
        To embed seeds that are not of the pool.

    Raises
    ------
    UsageError
        There is nothing to begin with, or a class to find is unknown.
    Complete
        Every image is labeled, left out or a copy: there is nothing to choose.
    IndexFolderError, StorageError, SeedError
        Something cannot be read.
    """
    if options.other in options.targets:
        raise UsageError(
            f"--target {options.other}: the contrast class says what is not wanted and is never "
            "one to find; name another class, or another contrast class with --other."
        )
    opened = open_index(index)
    known = read_known(
        opened,
        labels,
        seeds=seeds,
        exclude=exclude,
        other=options.other,
        attribute=attribute,
        load=lambda: load_model_of(opened, model, device),
    )
    return replace(plan_round(opened, known, options), answered=_answered(labels))


def _answered(labels: Sequence[str]) -> tuple[str, ...]:
    """Folders beside the labels that tell how reliable the workers are."""
    folders = dict.fromkeys(file.rpartition("/")[0] for file in find_label_files(labels))
    return tuple(folder for folder in folders if storage.exists(f"{folder}/answers.parquet"))


def plan_round(index: Index, known: Known, options: RoundOptions) -> Plan:
    """Choose what to label next from what is known.

    Raises
    ------
    UsageError
        A class to find is unknown.
    Complete
        Every image is labeled, left out or a copy: there is nothing to choose.
    """
    if len(np.union1d(known.labeled.rows, known.left_out)) == index.live_rows:
        of = "labeled or left out" if len(known.left_out) else "labeled"
        raise Complete(index, known, f"Every image of the pool is {of}: there is no next round.")
    settings = index.card.search if index.card else None
    chosen = next_round(
        index,
        open_search(index, index.folder, settings or {}),
        known.labeled,
        known.frontier,
        options,
        examples=known.examples,
        left_out=known.left_out,
        worker_accuracy=known.worker_accuracy,
    )
    if not len(chosen):
        raise Complete(
            index,
            known,
            "Every image that is left is a near-copy of a labeled one, so that no label would tell "
            "anything new: `gandt autolabel` gives copies the labels of their originals.",
        )
    return Plan(index, known, chosen, as_selection(index, known, chosen), options.other)
