"""The options of `aggregate`, checked once."""

from __future__ import annotations

from dataclasses import dataclass

from gandt.errors import UsageError

__all__ = ["NONE_LABEL", "Settings"]

NONE_LABEL = "None of the above"


@dataclass(frozen=True, slots=True)
class Settings:
    """How labels are made of answers; see `gandt.aggregation.aggregate`."""

    method: str = "auto"
    include_previous: bool = False
    min_confidence: float = 0.8
    min_answers: int = 1
    min_ratings: int = 2
    min_proportion: float = 0.5
    reliability_threshold: float = 0.8
    none_label: str = NONE_LABEL
    iou: float = 0.5
    smoothing: float = 0.5

    def __post_init__(self) -> None:
        for name in (
            "min_confidence",
            "min_proportion",
            "reliability_threshold",
            "iou",
            "smoothing",
        ):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise UsageError(f"{name} is {value}: give a number from 0 to 1.")
        for name in ("min_answers", "min_ratings"):
            value = getattr(self, name)
            if value < 1 or value != int(value):
                raise UsageError(f"{name} is {value}: give a whole number from 1 on.")
