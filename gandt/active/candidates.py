"""Where a round looks: the uniform slice, the frontier and its finders, and a sample of the rest.

Everything here costs what is labeled and what is near it, never a pass over the pool, as long as
the index has an approximate search.
"""

from __future__ import annotations

import numpy as np

from gandt.active.cross_fit import CrossFit
from gandt.active.finder import background_of, fit_finders
from gandt.active.frontier import Frontier, ask_probe, extend
from gandt.active.logistic import Floats
from gandt.index.ann import NeighborIndex
from gandt.index.search import sample_rows
from gandt.types import FloatArray, IntArray, VectorStore

__all__ = ["expected_left", "look_around", "sample_open", "shortlist"]

_CANDIDATES = 20_000  # images that goals look at: bounds memory and time of late rounds
_AHEAD = 2  # times its share of the budget: how many rows a probe names, since some are copies
_NAMED = 100  # at least
_SAMPLE = 2_000  # unlabeled images that stand for those beyond the frontier
_BLOCK = 4096


def sample_open(
    store: VectorStore, closed: IntArray, count: int, seed: int, stream: int
) -> IntArray:
    """Draw up to `count` rows uniformly from the live ones that are not closed; in random order.

    Parameters
    ----------
    closed
        Sorted rows, dead ones among them or not.
    seed, stream
        Equal ones draw the same rows.
    """
    rng = np.random.default_rng([seed, stream])
    drawn = rng.permutation(sample_rows(store, count + len(closed), rng))
    return drawn[~np.isin(drawn, closed)][:count].astype(np.int64)


def look_around(
    store: VectorStore,
    search: NeighborIndex,
    frontier: Frontier,
    vectors: FloatArray,
    probabilities: Floats,
    targets: IntArray,
    sources: IntArray,
    closed: IntArray,
    *,
    budget: int,
    neighbors: int,
    seed: int,
) -> tuple[FloatArray, Frontier]:
    """Extend the frontier by neighbors of what is labeled and by what the finders name.

    Parameters
    ----------
    vectors, probabilities
        `(m, d)` and `(m, k)` of all labeled images, in the pool or beside it.
    targets
        `(t,)` columns of the classes to find.
    sources
        Labeled rows whose neighbors are wanted.
    closed
        Sorted rows that cannot be chosen.

    Returns
    -------
    The finders, `(t, d)`, and the frontier.
    """
    frontier = extend(frontier, search, store, sources, k=neighbors)
    background = store.take(background_of(store, closed, seed))
    finders = fit_finders(vectors, probabilities, targets, background, seed=seed)
    exclude = np.zeros(store.rows, np.bool_)
    exclude[closed] = True
    count = max(_AHEAD * -(-budget // len(targets)), _NAMED)
    return finders, ask_probe(frontier, search, finders, count, exclude=exclude)


def shortlist(store: VectorStore, rows: IntArray, finders: FloatArray, seed: int) -> IntArray:
    """Keep the candidates that each finder ranks highest, and a sample, of more than 20,000."""
    if len(rows) <= _CANDIDATES:
        return rows
    scores = np.concatenate(
        [store.take(rows[at : at + _BLOCK]) @ finders.T for at in range(0, len(rows), _BLOCK)]
    )
    each = _CANDIDATES // (2 * len(finders))
    best = np.argpartition(-scores, each, axis=0)[:each].ravel()
    rest = np.setdiff1d(np.arange(len(rows)), best)
    rng = np.random.default_rng([seed, 51])
    drawn = rng.choice(rest, min(_CANDIDATES // 2, len(rest)), replace=False)
    kept: IntArray = rows[np.union1d(best, drawn)]
    return kept


def expected_left(
    store: VectorStore, frontier: Frontier, fit: CrossFit, closed: IntArray, seed: int
) -> Floats:
    """Sum the cross-fitted probabilities over the unlabeled images; `(k,)`.

    Of the frontier all images count; those beyond it are stood for by a sample.
    """
    near = frontier.open_rows(closed)
    total = np.zeros(len(fit.probe.classes))
    for at in range(0, len(near), _BLOCK):
        total += fit.predict(store.take(near[at : at + _BLOCK])).sum(axis=0)
    shut = np.union1d(closed, near)
    far = sample_open(store, shut, _SAMPLE, seed, 61)
    if len(far):
        total += fit.predict(store.take(far)).mean(axis=0) * (store.rows - len(shut))
    return total
