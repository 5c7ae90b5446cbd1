"""A round as a selection: what files of candidates and contact sheets are made of.

The class of an image is the one that it was chosen to find; else the likeliest, which for an image
that is asked again is its present label. Its seed is the labeled image of that class that it
resembles most. Reads names and vectors of the index; writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gandt.active.labeled import Labeled
from gandt.active.rounds import Round
from gandt.index.folder import Index
from gandt.rounds.known.known import Known
from gandt.types import Candidate, FloatArray, IntArray, SeedSet, Selection

__all__ = ["STRATEGY", "as_selection"]

STRATEGY = "rounds"
_NONE = -1
_BLOCK = 1024  # chosen images that are compared with the labeled ones together


def as_selection(index: Index, known: Known, chosen: Round) -> Selection:
    """Turn a round into candidates, in its order.

    Of `seeds` the selection holds those alone that a candidate names.
    """
    labeled = known.labeled
    codes = _hints(labeled, chosen)
    seeds = _nearest(index, known, chosen.rows, codes)
    uris = index.uris(chosen.rows)
    ranks: dict[int, int] = {}
    candidates = []
    for at, code in enumerate(codes.tolist()):
        ranks[code] = ranks.get(code, 0) + 1
        candidates.append(
            Candidate(
                uri=uris[at],
                label=labeled.classes[code],
                rank=ranks[code],
                score=float(chosen.values[at]),
                similarity=float(seeds.similarity[at]),
                seed=seeds.uris[at],
                why=chosen.goals[at],
            )
        )
    targets = [each.name for each in chosen.outlooks]
    return Selection(
        tuple(candidates),
        tuple(dict.fromkeys((*targets, *(each.label for each in candidates)))),
        STRATEGY,
        (*known.notes, *chosen.notes),
        seeds.as_set(labeled.classes, codes),
    )


def _hints(labeled: Labeled, chosen: Round) -> IntArray:
    """`(p,)` the class that each image is offered as."""
    codes = np.where(chosen.sought >= 0, chosen.sought, chosen.expected.argmax(axis=1))
    place = {row: at for at, row in enumerate(labeled.rows.tolist())}
    now = labeled.codes
    for at, row in enumerate(chosen.rows.tolist()):
        if row in place and now[place[row]] >= 0:
            codes[at] = now[place[row]]
    return codes.astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Seeds:
    """For each chosen image the labeled one of its class that it resembles most."""

    similarity: FloatArray  # (p,) cosine; NaN where the class has no labeled image
    uris: tuple[str, ...]  # p; empty where there is none
    vectors: FloatArray  # (p, d) of those images

    def as_set(self, classes: Sequence[str], codes: IntArray) -> SeedSet:
        """Only those that an image points at: there may be many thousand labeled ones."""
        used: list[dict[str, int]] = [{} for _ in classes]
        for at, code in enumerate(codes.tolist()):
            if self.uris[at]:
                used[code].setdefault(self.uris[at], at)
        return SeedSet(
            tuple(classes),
            tuple(tuple(group) for group in used),
            tuple(self.vectors[list(group.values())] for group in used),
        )


def _nearest(index: Index, known: Known, rows: IntArray, codes: IntArray) -> _Seeds:
    """Find them, class by class; an image that is asked again is no seed of itself."""
    labeled, examples = known.labeled, known.examples
    similarity = np.full(len(rows), np.nan, np.float32)
    seeds = np.full(len(rows), _NONE, np.int64)
    vectors = index.take(rows)
    nearest = np.zeros_like(vectors)
    now = labeled.codes
    for code in np.unique(codes).tolist():
        mine = np.flatnonzero(codes == code)
        source = labeled.rows[now == code]
        stored = index.take(source)
        if examples is not None:
            of_class = np.flatnonzero(examples.probabilities.argmax(axis=1) == code)
            source = np.concatenate([source, _NONE - 1 - of_class])  # below it: no rows
            stored = np.concatenate([stored, examples.vectors[of_class]])
        if not len(source):
            continue
        for at in range(0, len(mine), _BLOCK):
            part = mine[at : at + _BLOCK]
            cosines = vectors[part] @ stored.T
            cosines[rows[part][:, None] == source] = -np.inf
            best = cosines.argmax(axis=1)
            value = cosines[np.arange(len(part)), best]
            there = np.isfinite(value)
            similarity[part[there]] = np.clip(value[there], -1, 1)
            seeds[part[there]] = source[best[there]]
            nearest[part[there]] = stored[best[there]]
    in_pool, beside = seeds >= 0, seeds < _NONE
    uris = np.full(len(rows), "", dtype=object)
    uris[in_pool] = index.uris(seeds[in_pool])
    uris[beside] = [known.example_uris[_NONE - 1 - seed] for seed in seeds[beside].tolist()]
    return _Seeds(similarity, tuple(uris.tolist()), nearest)
