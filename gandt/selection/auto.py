"""Strategy `auto`: the mixture of rules that measured best from 1 to 20 seeds per class.

No single rule wins everywhere. Diffusion leads at one seed and falls behind at twenty; a probe in
strongly whitened space does the opposite; a plain probe holds up where a rare class lies thin
among look-alikes and neighbors mislead. So three probes see the same examples in three spaces, raw
vectors, partly whitened vectors averaged with their neighbors', and strongly whitened vectors;
their standardized sum is smoothed over the neighbor graph, classes compete by margin, and the
ranking is fused with that of diffusion, whose say fades as seeds are added. BENCHMARKS.md has the
figures.

Seeds that the other seeds of their class do not vouch for weigh less (scores.seed_weights), which
is what makes a mislabeled seed bearable.
"""

from __future__ import annotations

import numpy as np

from gandt.selection.context import Context
from gandt.selection.diffusion import spread
from gandt.selection.graph import Graph, graph, smooth
from gandt.selection.probe import background_rows, fit, within_span
from gandt.selection.scores import (
    Scores,
    as_result,
    log_ranks,
    margins,
    seed_weights,
    some_rows,
    standardize,
)
from gandt.selection.spaces import center, unit, whiten
from gandt.types import FloatArray

__all__ = ["score"]

_WEAK, _STRONG = 0.25, 0.5  # whitening powers
_NEIGHBOR_SHARE = 0.6  # of the smoothing, of features and of scores
_MARGIN = 0.4
_RIVALS = 0.25  # share of the negative weight that goes to seeds of the other classes
_MOST_RIVALS = 400  # seeds of other classes that a probe is given
_DIFFUSION = 0.5  # weight of diffusion's ranking at one seed; divided by the number of seeds


def score(context: Context) -> FloatArray:
    """Score `(t, n)` in (0, 1]: weighted geometric mean of `10 / (rank + 10)` of both rankings."""
    n, targets = len(context.candidates), len(context.targets)
    classes, pool, edges = context.classes, context.moments, graph(context)
    reference = center(some_rows(context.background), pool)
    weights = [seed_weights(center(seeds, pool), reference) for seeds in context.seeds]
    weights += [np.full(len(seeds), 1 / len(seeds)) for seeds in classes[targets:]]

    counts = np.array([len(seeds) for seeds in classes], np.float64)
    probes = _probe_scores(context, edges, weights)
    smoothed = standardize(smooth(standardize(probes), edges, _NEIGHBOR_SHARE))
    flowed = spread(context, edges, weights)[:n, :targets]
    share = _DIFFUSION / counts[:targets]
    ranked = log_ranks(margins(smoothed, targets, _MARGIN)[:n])
    fused = (1 - share) * ranked + share * log_ranks(flowed)
    return as_result(np.exp(fused + np.log(10)), n)


def _probe_scores(context: Context, edges: Graph, weights: list[Scores]) -> Scores:
    """Sum the standardized scores of the probes in all three spaces; `(nodes, classes)`."""
    classes, pool = context.classes, context.moments
    counts = np.array([len(seeds) for seeds in classes], np.float64)
    background = context.background[background_rows(context)]
    rows = np.concatenate([context.candidates, *classes, background])
    nodes = len(rows) - len(background)
    weak = whiten(rows, pool, _WEAK)
    averaged = weak.copy()
    averaged[:nodes] = smooth(weak[:nodes].astype(np.float64), edges, _NEIGHBOR_SHARE)
    raw = _probes(context, rows, weights)
    blended = _probes(context, unit(averaged), weights)
    strong = _probes(context, whiten(rows, pool, _STRONG), weights)
    # One seed cannot say which of many evened-out directions matter.
    trust = np.minimum((counts - 1) / 4, 1)
    return standardize(raw) + standardize(blended) + trust * standardize(strong)


def _probes(context: Context, rows: FloatArray, weights: list[Scores]) -> Scores:
    """Fit a probe per class in one space and apply it; `(nodes, classes)`.

    `rows`: candidates, seeds of every class, background sample, all mapped to that space. The
    negatives of a class are the background and, at a quarter of the weight, its rivals' seeds.
    """
    n = len(context.candidates)
    counts = [len(seeds) for seeds in context.classes]
    nodes = n + sum(counts)
    basis, examples = within_span(rows[n:])
    owner = np.repeat(np.arange(len(counts)), counts)
    background = np.arange(len(owner), len(examples))
    found = np.empty((rows.shape[1], len(counts)), np.float32)
    for column, shares in enumerate(weights):
        own = np.flatnonzero(owner == column)
        rivals = np.flatnonzero(owner != column)
        if len(rivals) > _MOST_RIVALS:
            rivals = np.sort(context.rng(2 + column).choice(rivals, _MOST_RIVALS, replace=False))
        negatives = np.concatenate([background, rivals])
        split = _RIVALS if len(rivals) and len(background) else float(len(rivals) > 0)
        importance = np.concatenate(
            [
                shares,
                np.full(len(background), (1 - split) / max(len(background), 1)),
                np.full(len(rivals), split / max(len(rivals), 1)),
            ]
        )
        if not len(negatives):
            found[:, column] = basis @ (shares @ examples[own])
            continue
        total = (len(own) + max(len(background), len(rivals))) / 2
        signs = np.concatenate([np.ones(len(own)), -np.ones(len(negatives))])
        chosen = np.concatenate([own, negatives])
        found[:, column] = basis @ fit(examples[chosen], signs, importance * total)
    return np.asarray(rows[:nodes] @ found, np.float64)
