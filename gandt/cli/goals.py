"""What rounds are for, as `--goal find=0.7 --goal learn` says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gandt.errors import UsageError

if TYPE_CHECKING:
    from gandt.active.acquire import Goal

__all__ = ["parse_goals"]


def parse_goals(values: list[str]) -> dict[Goal, float]:
    """Parse goals; those without a share have what the others leave, in equal parts.

    Raises
    ------
    UsageError
        One is unknown or named twice, a share is no number of 0 or more, or all are 0.
    """
    from gandt.active.acquire import GOALS

    shares: dict[Goal, float | None] = {}
    for value in values:
        name, equals, text = value.partition("=")
        goal = next((goal for goal in GOALS if goal == name.strip()), None)
        share = _share(text) if equals else None
        if goal is None or (equals and share is None):
            raise UsageError(
                f"--goal {value!r}: write {', '.join(GOALS[:-1])} or {GOALS[-1]}, or a goal with "
                "its share, as find=0.7."
            )
        if goal in shares:
            raise UsageError(f"--goal names {goal} twice; name it once.")
        shares[goal] = share
    given = sum(share for share in shares.values() if share is not None)
    open_ = [goal for goal, share in shares.items() if share is None]
    if open_ and given >= 1:
        raise UsageError(
            f"--goal: shares of {given:g} leave nothing for {' and '.join(open_)}; give a share "
            "to each goal."
        )
    if not open_ and not given:
        raise UsageError("--goal: no goal has a share above 0; give one, as find=0.7.")
    rest = (1 - given) / len(open_) if open_ else 0.0
    return {goal: rest if share is None else share for goal, share in shares.items()}


def _share(text: str) -> float | None:
    """A number of 0 or more; None for all else."""
    try:
        share = float(text)
    except ValueError:
        return None
    return share if 0 <= share < float("inf") else None
