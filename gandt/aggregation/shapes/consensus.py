"""From answers that are shapes to a consensus: the part that boxes and spans share.

What differs between kinds comes in as a `ShapeKind`: how a shape is read, from which overlap on
two are one, where the common shape lies, and how it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.aggregation.consensus import Consensus
from gandt.aggregation.shapes.answers import Crowd, Reader, check_options, collect
from gandt.aggregation.shapes.detection import Detection, believe, detect, worth_showing
from gandt.aggregation.shapes.matching import Rule, Shapes, match
from gandt.aggregation.shapes.overlap import Floats
from gandt.aggregation.shapes.sites import Places, nothing_missed, places_of
from gandt.aggregation.shapes.workers import Words, rate_workers
from gandt.aggregation.table import Table
from gandt.answers import Answers, Kind

__all__ = ["Placed", "ShapeKind", "aggregate_shapes"]

METHOD = "detection"
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the things are: lower corner and size by site, and how sure the place itself is."""

    low: Floats  # (n, d)
    size: Floats  # (n, d)
    sure: Floats  # (n,) in [0, 1]
    fit: Floats  # (m,) how probably each shape lies where it should


@dataclass(frozen=True, slots=True)
class ShapeKind:
    """What is particular to a kind of shape."""

    kind: Kind
    words: Words
    dimensions: int
    exact: bool  # whether a shape that lies a little elsewhere is wrong
    read: Reader
    place: Callable[[Crowd, Places, Detection], Placed]
    write: Callable[[str, Floats, Floats, float], Any]  # label, low, size, confidence


@dataclass(frozen=True, slots=True)
class _Decided:
    """What is shown of each site, and how sure each task is; `n` sites, all tasks."""

    kept: npt.NDArray[np.bool_]  # (n,)
    label: npt.NDArray[np.int64]  # (n,) class
    confidence: Floats  # (n,) that the shown shape is right
    tied: tuple[tuple[str, ...], ...]  # (n,) names that are equally probable
    least_sure: Floats  # (tasks,)


def aggregate_shapes(
    answers: Answers,
    shape: ShapeKind,
    rule: Rule,
    *,
    gold: Mapping[str, Sequence[object]] | None,
    previous: Answers | None,
    min_confidence: float,
    min_answers: int,
    keep: float,
    min_share: float,
) -> Consensus:
    """Group, learn rates, decide, place; see `aggregate_boxes` and `aggregate_spans`."""
    check_options(min_confidence, min_answers, keep=keep, min_share=min_share)
    crowd = collect(answers, shape.kind, shape.read, shape.dimensions, gold=gold, previous=previous)
    places = places_of(crowd, rule)
    model = detect(places.sites)
    placed = _at_known(crowd, places, shape, shape.place(crowd, places, model))
    decided = _decide(crowd, places, model, placed, keep=keep, min_share=min_share)
    scores = _scores(crowd, places, placed, decided, exact=shape.exact)
    gold_rows = np.isin(crowd.row_task, list(crowd.gold)) & (crowd.row_task < crowd.shown)
    labels = _labels(crowd, places, placed, decided, scores, shape)
    answered = np.diff(crowd.start)[: crowd.shown]
    sure = (labels["confidence"] >= min_confidence) & (answered >= min_answers)
    labels["certain"] = sure | (labels["source"] == "gold")
    labels["source"] = labels["source"].tolist()
    return Consensus(
        labels=Table({name: labels[name] for name in _ORDER}),
        workers=rate_workers(
            crowd,
            places,
            model,
            placed.fit,
            answers,
            np.where(gold_rows, scores, np.nan),
            shape.words,
        ),
        kind=shape.kind,
        method=METHOD,
        classes=crowd.classes,
        gold=_against_gold(crowd, model, rule, shape, keep=keep, min_share=min_share),
        notes=crowd.notes,
    )


def _at_known(crowd: Crowd, places: Places, shape: ShapeKind, placed: Placed) -> Placed:
    """Put the known sites where they are known to be."""
    for site in np.flatnonzero(places.known >= 0):
        truth = crowd.gold[int(places.task[site])]
        placed.low[site] = truth.low[places.known[site]]
        placed.size[site] = truth.size[places.known[site]]
    if shape.exact:
        known = places.known[places.site] >= 0
        placed.fit[known] = _in_place(crowd, places, placed)[known]
    return placed


def _in_place(crowd: Crowd, places: Places, placed: Placed) -> npt.NDArray[np.bool_]:
    """(m,) whether a shape lies exactly where its site is put."""
    same = crowd.shapes.low == placed.low[places.site]
    return np.asarray((same & (crowd.shapes.size == placed.size[places.site])).all(1))


_ORDER = ("task", "label", "confidence", "votes", "agreement", "certain", "source", "tied")


def _decide(
    crowd: Crowd,
    places: Places,
    model: Detection,
    placed: Placed,
    *,
    keep: float,
    min_share: float,
) -> _Decided:
    sites = places.sites
    shown = worth_showing(sites, model)
    there = 1 - shown[:, 0]
    # Rounded, so that equals are equal in whatever order votes were summed.
    label = np.round(shown[:, 1:], 9).argmax(1) if len(shown) else np.zeros(0, np.int64)
    best = shown[np.arange(len(shown)), label + 1]
    drawn = np.bincount(sites.site, sites.answer > 0, minlength=len(sites))
    asked = np.bincount(sites.site, minlength=len(sites))
    known = sites.truth >= 0
    kept = (there >= keep - _TIE) & (drawn >= min_share * asked)
    kept = np.where(known, sites.truth > 0, kept)
    confidence = np.where(known, 1.0, best * placed.sure)
    doubt = np.where(kept, confidence, np.where(known, 1.0, 1 - there))
    least_sure = np.where(np.diff(crowd.start) > 0, nothing_missed(crowd, places, model), 0.0)
    np.minimum.at(least_sure, places.task, doubt)
    least_sure[list(crowd.gold)] = 1.0
    even = kept & ~known & ((shown[:, 1:] >= best[:, None] - _TIE).sum(1) > 1)
    tied: list[tuple[str, ...]] = [()] * len(shown)
    for site in np.flatnonzero(even):
        alike = np.flatnonzero(shown[site, 1:] >= best[site] - _TIE)
        tied[site] = tuple(crowd.classes[code] for code in alike)
    return _Decided(kept, label, confidence, tuple(tied), least_sure)


def _scores(
    crowd: Crowd, places: Places, placed: Placed, decided: _Decided, *, exact: bool
) -> Floats:
    """(r,) F1 score of each answer against what is shown; 1 where both are empty."""
    rows = len(crowd.row_task)
    hit = decided.kept[places.site] & (crowd.shapes.label == decided.label[places.site])
    if exact:
        hit &= _in_place(crowd, places, placed)
    hits = np.bincount(crowd.row, hit, minlength=rows)
    drawn = np.bincount(crowd.row, minlength=rows)
    there = np.bincount(places.task, decided.kept, minlength=len(crowd.tasks))
    for task, truth in crowd.gold.items():  # also what nobody drew
        there[task] = len(truth)
    total = drawn + there[crowd.row_task]
    return np.where(total > 0, 2 * hits / np.maximum(total, 1), 1.0)


def _labels(
    crowd: Crowd,
    places: Places,
    placed: Placed,
    decided: _Decided,
    scores: Floats,
    shape: ShapeKind,
) -> dict[str, Any]:
    shown = crowd.shown
    votes = np.diff(crowd.start)[:shown]
    found: list[list[int]] = [[] for _ in range(shown)]
    for site in np.flatnonzero(decided.kept & (places.task < shown) & (places.known < 0)):
        found[places.task[site]].append(site)
    labels: list[Any] = []
    tied: list[tuple[str, ...]] = []
    for task in range(shown):
        truth = crowd.gold.get(task)
        if truth is not None:
            labels.append(
                tuple(
                    shape.write(crowd.classes[code], low, size, 1.0)
                    for code, low, size in zip(truth.label, truth.low, truth.size, strict=True)
                )
            )
            tied.append(())
            continue
        # The surest first; among equals by class, then from the left and the top.
        order = sorted(
            found[task],
            key=lambda site: (
                -round(float(decided.confidence[site]), 9),
                int(decided.label[site]),
                tuple(placed.low[site]),
                tuple(placed.size[site]),
            ),
        )
        labels.append(
            tuple(
                shape.write(
                    crowd.classes[decided.label[site]],
                    placed.low[site],
                    placed.size[site],
                    float(decided.confidence[site]),
                )
                for site in order
            )
            if votes[task]
            else None
        )
        tied.append(tuple(dict.fromkeys(name for site in order for name in decided.tied[site])))
    agreement = np.bincount(crowd.row_task, scores, minlength=len(crowd.tasks))[:shown]
    with np.errstate(invalid="ignore"):
        agreement = np.where(votes > 0, agreement / votes, np.nan)
    return {
        "task": list(crowd.tasks[:shown]),
        "label": labels,
        "confidence": np.clip(decided.least_sure[:shown], 0.0, 1.0),
        "votes": votes,
        "agreement": agreement,
        "source": np.array(["gold" if task in crowd.gold else "human" for task in range(shown)]),
        "tied": tied,
    }


def _against_gold(
    crowd: Crowd,
    model: Detection,
    rule: Rule,
    shape: ShapeKind,
    *,
    keep: float,
    min_share: float,
) -> dict[str, float]:
    """How the answers alone would have done on the known tasks, with the rates as learned.

    `accuracy` is the mean F1 score of a task; calibration error (10 bins) and log loss are those
    of "this shape is one of the known ones, rightly named", over all that anybody drew.
    """
    start = crowd.start
    known = [task for task in crowd.gold if start[task] < start[task + 1]]
    if not known:
        return {}
    alone = crowd.only(known)
    places = places_of(alone, rule)
    blind = replace(model, posterior=believe(places.sites, model))
    placed = shape.place(alone, places, blind)
    decided = _decide(alone, places, blind, placed, keep=keep, min_share=min_share)
    right = np.zeros(len(places.sites), np.bool_)
    scores = []
    for task in known:
        here = np.arange(*np.searchsorted(places.task, [task, task + 1]))
        shapes = Shapes(
            places.task[here],
            np.zeros(len(here), np.int64),
            decided.label[here],
            placed.low[here],
            placed.size[here],
        )
        truth = crowd.gold[task]
        # Only shapes of the same name match.
        found = match(shapes, truth, Rule(rule.same, 2.0))
        if shape.exact and len(truth):
            there = (shapes.low == truth.low[found]) & (shapes.size == truth.size[found])
            found = np.where(there.all(1), found, -1)
        right[here] = found >= 0
        hits = int((decided.kept[here] & (found >= 0)).sum())
        total = int(decided.kept[here].sum()) + len(truth)
        scores.append(2 * hits / total if total else 1.0)
    result = {"tasks": float(len(known)), "accuracy": float(np.mean(scores))}
    if len(right):
        shown = np.clip(decided.confidence, 1e-6, 1 - 1e-6)
        result["log_loss"] = float(-np.log(np.where(right, shown, 1 - shown)).mean())
        bins = np.minimum((shown * 10).astype(np.int64), 9)
        gap = np.bincount(bins, shown, 10) - np.bincount(bins, right, 10)
        result["ece"] = float(np.abs(gap).sum() / len(right))
    return result
