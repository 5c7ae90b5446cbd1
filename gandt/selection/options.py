"""What a person may ask of a selection, checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gandt.errors import UsageError
from gandt.selection.strategies import strategy

__all__ = ["MOST_ROWS", "SelectOptions"]

MOST_ROWS = 20_000  # a pool up to this size is looked at whole
LEAST_ROWS = 4_000
ROWS_PER_IMAGE = 40


@dataclass(frozen=True, slots=True)
class SelectOptions:
    """What a person may ask for.

    Raises
    ------
    UsageError
        A value is out of its range.
    """

    budget: int = 500  # images in all
    per_class: int | None = None  # images of each class, instead of the budget
    quotas: Mapping[str, int] | None = None  # images by class, instead of both; others get none
    strategy: str = "auto"
    min_similarity: float | None = None  # cosine to the nearest seed of the class
    diversity: float = 0.0  # 0 takes the best, 1 the most different
    explore: float = 0.0  # share of the images that is drawn at random
    duplicates: float | None = None  # centered cosine from which images are copies
    random_seed: int = 0
    shortlist: int | None = (
        None  # rows of a large pool that strategies look at; None: by the images
    )

    def __post_init__(self) -> None:
        strategy(self.strategy)
        for name, least in (("budget", 1), ("per_class", 1), ("shortlist", 1), ("random_seed", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{name} is {value}; it must be at least {least}.")
        if self.quotas is not None:
            self._check_quotas(self.quotas)
        for name in ("diversity", "explore"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be from 0 to 1.")
        if self.duplicates is not None and self.duplicates <= 0:
            raise UsageError(f"duplicates is {self.duplicates}; it must be above 0.")

    def _check_quotas(self, quotas: Mapping[str, int]) -> None:
        if self.per_class is not None:
            raise UsageError("per_class and quotas exclude each other; give one of them.")
        if not quotas:
            raise UsageError("quotas names no class; name at least one, or leave it out.")
        for name, images in quotas.items():
            if images < 1:
                raise UsageError(
                    f"the quota of class {name} is {images}; it must be at least 1, and a class "
                    "that should get nothing is left out."
                )

    def rows_looked_at(self, images: int) -> int:
        """How many rows strategies look at; a pool of no more is looked at whole.

        `images`: how many are wanted in all.
        """
        return self.shortlist or min(max(ROWS_PER_IMAGE * images, LEAST_ROWS), MOST_ROWS)

    def limits(self, targets: Sequence[str]) -> tuple[int, ...] | None:
        """Images that each target may have; None where they share a budget.

        Raises
        ------
        UsageError
            A quota is for a class without seeds, or for the contrast class.
        """
        if self.quotas is None:
            return None if self.per_class is None else (self.per_class,) * len(targets)
        for name in self.quotas:
            if name not in targets:
                raise UsageError(
                    f"there is a quota for class {name!r}, which is none to look for: those with "
                    f"seeds are {', '.join(targets)}."
                )
        return tuple(self.quotas.get(name, 0) for name in targets)
