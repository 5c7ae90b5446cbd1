"""How much the vote of a worker weighs. Pure functions.

Reliability is the probability that a worker answers rightly, as an earlier round measured it:
`{"workers": {"<worker id>": 0.93}, "default": 0.8}`. `default` is that of workers not listed; where
it is missing, the mean of the listed ones.

The weight is the log odds of being right against naming one certain wrong class, log(p (k - 1) /
(1 - p)) with k classes: the votes then add up as evidence (Nitzan and Paroush 1982, "Optimal
decision rules in uncertain dichotomous choice situations"; for k classes with errors spread
evenly). Nobody's vote weighs less than nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

__all__ = ["parse", "reliability_of", "weights"]

_SURE = 0.99  # no worker is taken to be better, nor worse than its counterpart
_DEFAULT = "default"


def parse(document: object) -> dict[str, float]:
    """Read the table; the reliability of workers not listed stands under "".

    Raises
    ------
    ValueError
        Where it is no such table.
    """
    workers = document.get("workers") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(workers, dict):
        raise ValueError('it is no object with "workers"')
    table = {str(name).strip(): _probability(name, value) for name, value in workers.items()}
    table.pop("", None)
    if document.get(_DEFAULT) is not None:
        table[""] = _probability(_DEFAULT, document[_DEFAULT])
    elif table:
        table[""] = math.fsum(table.values()) / len(table)
    return table


def _probability(name: object, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"the reliability of {name!r} is {value!r} and not within 0 and 1")
    return float(value)


def reliability_of(worker: str, table: Mapping[str, float]) -> float | None:
    """The reliability of a worker; None where nothing is known of anybody."""
    return table.get(worker, table.get(""))


def weights(workers: Iterable[str], table: Mapping[str, float], classes: int) -> dict[str, float]:
    """Weigh the votes of workers on one question.

    All weigh the same where nothing is known, or where nobody is better than chance.

    Parameters
    ----------
    classes
        The number of possible answers.
    """
    found: dict[str, float] = {}
    for worker in workers:
        known = reliability_of(worker, table)
        if known is None:
            found[worker] = 1.0
            continue
        right = min(max(known, 1 - _SURE), _SURE)
        found[worker] = max(0.0, math.log(right * (max(classes, 2) - 1) / (1 - right)))
    if not any(found.values()):
        return dict.fromkeys(found, 1.0)
    return found
