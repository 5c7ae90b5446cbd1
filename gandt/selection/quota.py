"""Who gets which image, and how many: rankings of competing classes become a budgeted choice.

A draft: at each place of the rankings, best first, every class with quota left is offered the image
it has there, and takes it if nobody has. So an image goes to the class that ranks it best among
those that still want images; and a class that loses an image goes on down its ranking, so it is
never left short while candidates remain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gandt.errors import UsageError
from gandt.types import BoolArray, FloatArray, IntArray

__all__ = ["draft", "even_split", "rank_orders"]


def rank_orders(scores: FloatArray, eligible: BoolArray | None = None) -> tuple[IntArray, ...]:
    """Rows of each class, best first, ties by the lower row; eligible rows only.

    `scores` `(t, n)`; `eligible` `(t, n)` or `(n,)`, all rows by default.
    """
    allowed = np.broadcast_to(True if eligible is None else eligible, scores.shape)
    orders = []
    for values, mask in zip(scores, allowed, strict=True):
        order = np.argsort(-values, kind="stable")
        orders.append(order[mask[order]].astype(np.int64))
    return tuple(orders)


def even_split(budget: int, parts: int) -> tuple[int, ...]:
    """Split a budget evenly; what does not divide goes to the first parts, one each."""
    return tuple(budget // parts + (part < budget % parts) for part in range(parts))


def draft(
    orders: Sequence[IntArray],
    quotas: Sequence[int],
    *,
    pooled: bool = False,
    scores: FloatArray | None = None,
    accept: Callable[[int], bool] | None = None,
) -> tuple[IntArray, ...]:
    """Let classes take turns down their rankings; per class the rows it took, in ranking order.

    Parameters
    ----------
    orders
        Per class the rows it may take, best first, each row at most once.
    quotas
        Per class how many.
    pooled
        Whether quota that a class cannot use goes to those that can.
    scores
        `(t, n)`: of two classes that want one row at the same place, the better score has it, then
        the earlier class. Without scores, the earlier class.
    accept
        Asked once for each row before it is taken; a refused row is gone for every class. This is
        where near-copies of what was taken are turned away.

    Raises
    ------
    UsageError
        Where a quota is negative.
    """
    if any(quota < 0 for quota in quotas):
        raise UsageError(f"A budget cannot be negative: {min(quotas)}.")
    taken: tuple[list[int], ...] = tuple([] for _ in orders)
    places = [0] * len(orders)  # all rows of a class before its place are gone
    gone: set[int] = set()
    limits = list(quotas)
    while True:
        _take_turns(orders, limits, places, taken, gone, scores, accept)
        left = sum(quotas) - sum(len(rows) for rows in taken)
        hungry = [c for c, order in enumerate(orders) if places[c] < len(order)]
        if not pooled or left <= 0 or not hungry:
            break
        for c, more in zip(hungry, even_split(left, len(hungry)), strict=True):
            limits[c] = len(taken[c]) + more
    return tuple(np.array(rows, np.int64) for rows in taken)


def _take_turns(
    orders: Sequence[IntArray],
    limits: Sequence[int],
    places: list[int],
    taken: tuple[list[int], ...],
    gone: set[int],
    scores: FloatArray | None,
    accept: Callable[[int], bool] | None,
) -> None:
    """Advance every class until its limit or the end of its ranking; updates the lists in place."""

    def wants(c: int) -> bool:
        return len(taken[c]) < limits[c] and places[c] < len(orders[c])

    active = [c for c in range(len(orders)) if wants(c)]
    while active:
        place = min(places[c] for c in active)
        offers = [(c, int(orders[c][place])) for c in active if places[c] == place]
        if scores is not None and len(offers) > 1:
            offers.sort(key=lambda offer: -float(scores[offer]))  # stable: then the earlier class
        for c, row in offers:
            places[c] += 1
            if row in gone:
                continue
            gone.add(row)
            if accept is None or accept(row):
                taken[c].append(row)
        active = [c for c in active if wants(c)]
