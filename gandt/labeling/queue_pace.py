"""How fast people answer, and how long the rest will take. Pure functions and small memories."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

__all__ = ["Pace", "time_left"]

_RECENT = 20  # answers that tell the pace
_PAUSE = 300.0  # seconds without an answer that are no work
_AWAY = 600.0  # seconds after which somebody no longer counts as at work


@dataclass(slots=True)
class Pace:
    """The rhythm of one person's last answers."""

    gaps: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))
    last: float | None = None

    def answered(self, now: float) -> None:
        """Note an answer."""
        if self.last is not None and 0 < now - self.last < _PAUSE:
            self.gaps.append(now - self.last)
        self.last = now

    @property
    def seconds(self) -> float | None:
        """Seconds from one answer to the next, None where too few are known."""
        return median(self.gaps) if len(self.gaps) > 1 else None

    def at_work(self, now: float) -> bool:
        """Whether this person answered a short while ago."""
        return self.last is not None and now - self.last < _AWAY


def time_left(left: int, places: int, own: float | None, all_: list[float]) -> float | None:
    """Estimate the seconds until a person has nothing left to do.

    Parameters
    ----------
    left
        Tasks that the person could still get.
    places
        Answers that are missing, whoever gives them.
    own, all_
        Seconds an answer of this person, and of everybody at work.
    """
    if own is None:
        return None
    alone = left * own
    rate = sum(1 / seconds for seconds in all_ if seconds > 0)
    return min(alone, places / rate) if rate else alone
