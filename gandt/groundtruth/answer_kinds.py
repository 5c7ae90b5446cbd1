"""Of what kind a set of answers is, and how one answer becomes one of that kind. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

from gandt.answers import Box, Kind, Label, Mask, Span
from gandt.errors import AnswerError
from gandt.groundtruth.label_values import LeftOut, brief

__all__ = ["NOTHING", "VoteShape", "fit", "settle_kind"]

# As answers come: ticks may be one label or several, an empty list nothing of any kind.
VoteShape = Literal["single", "multi", "ticks", "boxes", "spans", "mask", "nothing"]
NOTHING: Final = "nothing"

_MINORITY = 0.1  # share of answers of another kind that still passes for an accident
_CHOICES: tuple[VoteShape, ...] = ("single", "multi", "ticks")


def settle_kind(shapes: Sequence[VoteShape], labels: Sequence[Label], kind: Kind | None) -> Kind:
    """Tell the kind of a set of answers.

    Labels are `single` unless anybody gave a list. Ticks are `single`, as radio buttons are, where
    nobody ticked two and at least nine of ten ticked one; else `multi`.

    Parameters
    ----------
    kind
        Taken as it is, where somebody said it.

    Raises
    ------
    AnswerError
        Where more than a tenth of the answers are of another kind than the rest.
    """
    if kind is not None:
        return kind
    counts = Counter(shapes)
    groups: dict[Kind, int] = {
        "multi": sum(counts[shape] for shape in _CHOICES),
        "boxes": counts["boxes"],
        "spans": counts["spans"],
        "mask": counts["mask"],
    }
    total = sum(groups.values())
    main = max(groups, key=lambda name: groups[name])
    if total == 0:
        return "multi"
    if total - groups[main] > _MINORITY * total:
        there = ", ".join(
            f"{count:,} {'labels' if name == 'multi' else name}"
            for name, count in groups.items()
            if count
        )
        raise AnswerError(
            f"The answers are of different kinds ({there}): read them apart, or say which kind "
            "is meant (--kind)."
        )
    if main != "multi":
        return main
    ticks = [label for shape, label in zip(shapes, labels, strict=True) if shape == "ticks"]
    return "multi" if counts["multi"] or _several(ticks) else "single"


def _several(ticks: Sequence[Label]) -> bool:
    sizes = Counter(len(label) if isinstance(label, tuple) else 1 for label in ticks)
    if any(size > 1 for size in sizes):
        return True
    lone_box = sizes[0] > 0 and len(set(ticks)) <= 2  # one check box, ticked or not
    return lone_box or sizes[0] > _MINORITY * len(ticks)


def fit(kind: Kind, shape: VoteShape, label: Label, *, gold: bool = False) -> Label:
    """Make a label one of the kind; one label is a list of one where lists are wanted.

    Parameters
    ----------
    gold
        Whether it is a known answer: then an empty list of labels is a statement, too.

    Raises
    ------
    LeftOut
        Where it is none of that kind, or says nothing.
    """
    parts = label if isinstance(label, tuple) else (label,)
    if shape == NOTHING:
        if kind in ("boxes", "spans") or (kind == "multi" and gold):
            return ()
        raise LeftOut("empty", "no label was chosen")
    if kind == "multi" and all(isinstance(part, str) for part in parts):
        return tuple(str(part) for part in parts)
    if kind == "single" and all(isinstance(part, str) for part in parts):
        if len(parts) == 1:
            return str(parts[0])
        if not parts:
            raise LeftOut("empty", "no label was chosen")
        raise LeftOut("several labels", f"{brief(list(parts))} are several labels, one was wanted")
    if kind == "boxes" and all(isinstance(part, Box) for part in parts):
        return label
    if kind == "spans" and all(isinstance(part, Span) for part in parts):
        return label
    if kind == "mask" and isinstance(label, Mask):
        return label
    raise LeftOut("other kind", f"the answer is not of the kind {kind}")
