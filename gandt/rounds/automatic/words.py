"""What became of a pool that was labeled automatically, in numbers and in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np

from gandt.active.autolabel import AutoLabels, AutoOptions
from gandt.active.labeled import Labeled

__all__ = ["Automatic"]

_SHOWN = 3  # classes in a sentence
_HARDLY = 1.5  # times the share of mistakes, up to which a class is hardly more than that


@dataclass(frozen=True, slots=True, eq=False)
class Automatic:
    """What was labeled automatically, and where it lies."""

    folder: str
    attribute: str  # of the output manifest
    options: AutoOptions
    labeled: Labeled
    made: AutoLabels
    created: datetime
    notes: tuple[str, ...]
    refusal: str = ""  # why nothing was written; "" where the folder was
    chosen: int = 0  # labels that were chosen to find a class

    @property
    def copies(self) -> int:
        """How many labels were taken over from near-copies."""
        return int((self.made.original >= 0).sum())

    @property
    def drawn(self) -> int:
        """How many labels that can prove something came by uniform draws."""
        sure = self.labeled.confidence >= self.options.certain
        return int((self.labeled.drawn & (sure | (self.labeled.codes < 0))).sum())

    def by_class(self) -> dict[str, int]:
        """Labels of the probe by class."""
        codes = self.made.codes[self.made.original < 0]
        numbers = np.bincount(codes, minlength=len(self.labeled.classes)).tolist()
        return dict(zip(self.labeled.classes, numbers, strict=True))

    def promise(self) -> str:
        """Say what is promised of the probe's labels, and of which images."""
        options = self.options
        whom = "those of each class" if options.each else "these labels"
        like = "the labels were"
        if self.drawn >= self.options.enough_drawn:
            like = f"the {self.drawn:,} uniform ones were"
        return (
            f"{_percent(options.target_accuracy)} of {whom} are right, with "
            f"{_percent(options.confidence)} confidence, for images drawn as {like}"
        )

    def caution(self) -> str:
        """Say what the promise does not tell of this pool."""
        if self.drawn >= self.options.enough_drawn:
            return "It holds for no single class that nobody labeled: the audit tells of those too."
        if self.chosen:
            return (
                f"{self.chosen:,} of the {len(self.labeled):,} labels were chosen to find a class, "
                "so they hold more of it than the pool does: the audit decides whether the promise "
                "is kept here."
            )
        return (
            "Where the labels were not drawn at random from the pool, the audit decides whether "
            "the promise is kept here."
        )

    def hidden(self) -> str:
        """Say which classes are so rare that the mistakes of the promise may hide them."""
        wrong = 1 - self.options.target_accuracy
        counts = self.labeled.counts()
        order = [at for at in np.argsort(counts, kind="stable").tolist() if counts[at]]
        rare = [at for at in order if counts[at] < _HARDLY * wrong * len(self.labeled)]
        if not rare:
            return ""
        names = [f"{self.labeled.classes[at]} {counts[at] / len(self.labeled):.1%}" for at in rare]
        more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
        return (
            f"The promise allows {_percent(wrong)} of the labels to be wrong, and classes that are "
            f"hardly more than that may hide among them (of the labels: "
            f"{', '.join(names[:_SHOWN])}{more}): find those first, with `gandt next`."
        )

    def summary(self) -> dict[str, object]:
        """Numbers and notes, as `summary.json` holds them."""
        made, options = self.made, self.options
        numbers = self.by_class()
        return {
            "attribute": self.attribute,
            "classes": list(self.labeled.classes),
            "created": self.created.isoformat(),
            "labeled": len(self.labeled),
            "tasks": len(made.rows),
            "machine": len(made.rows),
            "copies": self.copies,
            "rest": len(made.rest),
            "promise": None if made.refused else self._promise(),
            "thresholds": [
                {
                    **asdict(each),
                    "threshold": None if each.refused else round(each.threshold, 4),
                    "labels": numbers[each.name],
                }
                for each in made.thresholds.classes
            ],
            "guard": {
                "percentile": options.percentile,
                "least": round(made.guard_least, 4) if np.isfinite(made.guard_least) else None,
            },
            "refused": self.refusal or made.refused,
            "audit": {"images": len(made.audit)},
            "notes": list(self.notes),
        }

    def _promise(self) -> dict[str, object]:
        options, proven = self.options, self.made.thresholds
        return {
            "target": options.target_accuracy,
            "confidence": options.confidence,
            "each_class": options.each,
            "certain": options.certain,
            "cases": proven.cases,
            "bound": round(proven.bound, 4),
            "uniform": self.drawn,
            "sentence": self.promise(),
            "caution": self.caution(),
            "hidden": self.hidden(),
        }


def _percent(share: float) -> str:
    return f"{100 * share:g}%"
