"""A person's progress in numbers and in few words. Pure functions."""

from __future__ import annotations

from gandt.labeling.queue_values import Progress

__all__ = ["progress_json", "roughly"]


def roughly(seconds: float) -> str:
    """Say a span of time as one guesses it: `1 min`, `25 min`, `2 h 10 min`."""
    minutes = max(1, round(seconds / 60))
    if minutes > 20:
        minutes = 5 * round(minutes / 5)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02d} min" if rest else f"{hours} h"


def progress_json(now: Progress) -> dict[str, object]:
    """What the bar shows."""
    words = []
    if now.seconds_each:
        words.append(f"{3600 / max(now.seconds_each, 0.05):,.0f} an hour")
    if now.seconds_left and now.left:
        words.append(f"about {roughly(now.seconds_left)} left")
    if now.people > 1:
        total = now.answers + now.places
        words.append(f"all {now.people}: {now.answers:,} of {total:,}")
    return {"done": now.done, "left": now.left, "skipped": now.skipped, "words": words}
