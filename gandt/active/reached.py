"""How good the labels of a pool are whose truth is known: for rehearsals."""

from __future__ import annotations

import numpy as np

from gandt.active.autolabel import AutoOptions, autolabel
from gandt.active.cross_fit import CrossFit
from gandt.active.labeled import Labeled
from gandt.types import IntArray, VectorStore

__all__ = ["automatic_share", "reached_share"]

_BLOCK = 8192


def reached_share(store: VectorStore, labeled: Labeled, truth: IntArray, fit: CrossFit) -> float:
    """Share of the pool that is right where people's labels stand and a probe labels the rest.

    Parameters
    ----------
    fit
        Of these labels.
    truth
        `(rows,)` the class of each row as a column; -1 is none, which no probe can say.
    """
    live = np.setdiff1d(np.arange(store.rows, dtype=np.int64), store.dead)
    right = int((labeled.codes == truth[labeled.rows]).sum())
    rest = np.setdiff1d(live, labeled.rows)
    for at in range(0, len(rest), _BLOCK):
        rows = rest[at : at + _BLOCK]
        best = fit.predict(store.take(rows)).argmax(axis=1)
        right += int((best == truth[rows]).sum())
    return right / len(live)


def automatic_share(
    store: VectorStore, labeled: Labeled, truth: IntArray, fit: CrossFit, options: AutoOptions
) -> tuple[int, float]:
    """Count the automatic labels under a promise, and the share of them that is right.

    NaN where there is none. The fit is of these labels, with the seed of the options.
    """
    made = autolabel(store, labeled, options, probes=fit)
    right = made.codes == truth[made.rows]
    return len(right), float(right.mean()) if len(right) else float("nan")
