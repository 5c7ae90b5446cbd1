"""From seeds and an index to the candidates of one round.

The steps, each in its own module: shortlist the pool where it is large (index), score by a
strategy, leave out what is known already, spread, let classes take turns under their quotas, and
collapse near-copies. The same index, seeds and random seed give the same candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gandt.errors import SeedError, UsageError
from gandt.index.folder import Index
from gandt.index.search import sample_rows
from gandt.selection.context import Context
from gandt.selection.diversity import marginal_relevance
from gandt.selection.duplicates import THRESHOLD, Copies, copies_of_seeds
from gandt.selection.memory import PoolMemory, Sight
from gandt.selection.options import MOST_ROWS, SelectOptions
from gandt.selection.quota import draft, even_split, rank_orders
from gandt.selection.spaces import center
from gandt.selection.strategies import not_discarded, strategy
from gandt.types import BoolArray, Candidate, FloatArray, IntArray, SeedSet, Selection
from gandt.words import count

__all__ = ["SelectOptions", "select_candidates"]

SPREAD = 8  # times the quota: how far down a ranking diversity may reach


@dataclass(slots=True)
class _Round:
    """What the steps of one selection share."""

    index: Index
    seeds: SeedSet
    options: SelectOptions
    limits: tuple[int, ...] | None  # per target; None where they share the budget
    rows: IntArray  # (n,) of the index, that strategies look at
    context: Context
    eligible: BoolArray  # (n,)
    known: IntArray  # rows of the index, looked at or not, that are seeds or excluded
    notes: list[str]

    def similarity(self, target: int, places: IntArray) -> FloatArray:
        """`(len(places), k)` cosines to the seeds of a target class."""
        cosines: FloatArray = self.context.candidates[places] @ self.context.seeds[target].T
        return cosines


def select_candidates(
    index: Index,
    seeds: SeedSet,
    options: SelectOptions,
    left_out: IntArray,
    gold: IntArray | None = None,
    *,
    memory: PoolMemory | None = None,
) -> Selection:
    """Choose the candidates of a round.

    Parameters
    ----------
    left_out
        Rows that must not be chosen: labeled already, or sent before.
    gold
        Rows whose labels are known, which must not be chosen either.
    memory
        Of the same index, for whoever selects from it more than once.

    Raises
    ------
    SeedError
        The seeds have another dimension than the index.
    UsageError
        Nothing is left to choose from.
    """
    targets = seeds.targets
    limits = options.limits(targets)
    by_name = dict(zip(seeds.classes, seeds.vectors, strict=True))
    if any(vectors.shape[1] != index.dimension for vectors in seeds.vectors):
        raise SeedError(
            f"the seeds have {seeds.vectors[0].shape[1]} dimensions and {index.folder} has "
            f"{index.dimension}; embed both with the same model."
        )
    known = np.zeros(index.rows, dtype=np.bool_)
    known[left_out] = True
    in_pool = _rows_of_seeds(index, seeds)
    notes = []
    fresh = np.setdiff1d(in_pool[~known[in_pool]], index.dead)
    if len(fresh):
        are = "is a seed itself" if len(fresh) == 1 else "are seeds themselves"
        notes.append(f"{count(len(fresh), 'image')} of the pool {are}; left out.")
    if len(left_out):
        notes.append(f"{count(len(np.setdiff1d(left_out, index.dead)), 'image')} excluded.")
    known[in_pool] = True
    if gold is not None:
        planted = np.setdiff1d(gold[~known[gold]], index.dead)
        if len(planted):
            are = "is a gold image" if len(planted) == 1 else "are gold images"
            notes.append(f"{count(len(planted), 'image')} of the pool {are}; left out.")
        known[gold] = True
    groups = [by_name[name] for name in targets]
    sight = _look_at(memory or PoolMemory(index), groups, options, limits, known)
    rows = sight.rows
    if known[rows].all():
        raise UsageError(
            f"{index.folder} holds no image that is neither a seed nor excluded; embed more, or "
            "exclude less."
        )
    context = Context(
        candidates=sight.candidates,
        background=sight.background,
        targets=targets,
        seeds=tuple(groups),
        contrast=by_name[seeds.other]
        if seeds.other
        else np.empty((0, index.dimension), dtype=np.float32),
        random_seed=options.random_seed,
        pool_moments=sight.moments,
        neighbors=sight.neighbors,
    )
    out_of_question = np.flatnonzero(known).astype(np.int64)
    round_ = _Round(
        index, seeds, options, limits, rows, context, ~known[rows], out_of_question, notes
    )
    return _choose(round_)


def _rows_of_seeds(index: Index, seeds: SeedSet) -> IntArray:
    uris = [uri for group in seeds.uris for uri in group]
    hashes = [sha for group in seeds.sha256 for sha in group]
    return np.union1d(index.find("image_path", uris), index.find("sha256", hashes))


def _look_at(
    memory: PoolMemory,
    groups: Sequence[FloatArray],
    options: SelectOptions,
    limits: tuple[int, ...] | None,
    known: BoolArray,
) -> Sight:
    """What strategies look at: the whole pool, or of a large one what is most like the seeds."""
    images = sum(limits) if limits else options.budget
    most = options.rows_looked_at(images)
    if memory.index.live_rows <= (options.shortlist or MOST_ROWS):
        return memory.whole()
    quota = max(limits) if limits else -(-images // len(groups))
    count = min(max(most // len(groups), 4 * quota), memory.index.live_rows)
    rows = memory.search().shortlist(groups, count, exclude=known)
    return memory.part(rows, options.random_seed)


def _choose(round_: _Round) -> Selection:
    options, context = round_.options, round_.context
    mean = context.moments.mean
    threshold = THRESHOLD if options.duplicates is None else options.duplicates
    hashes = [value or "" for value in round_.index.values("sha256", round_.rows)]
    _leave_out_copies_of_seeds(round_, hashes, threshold)

    targets, limits = range(len(context.targets)), round_.limits
    total = sum(limits) if limits else options.budget
    scores = strategy(options.strategy)(context)
    orders = rank_orders(scores, _eligible(round_) & not_discarded(options.strategy, scores))
    if limits:
        quotas = tuple(limit - round(options.explore * limit) for limit in limits)
        drawn_at_random = total - sum(quotas)
    else:
        drawn_at_random = round(options.explore * total)
        quotas = even_split(total - drawn_at_random, len(targets))
    if options.diversity:
        spread = center(context.candidates, context.moments)
        orders = tuple(
            _spread(order, scores[target], spread, SPREAD * quotas[target], options.diversity)
            for target, order in enumerate(orders)
        )
    copies = Copies(context.candidates, mean, hashes, threshold)
    taken = draft(
        orders,
        quotas,
        pooled=limits is None,
        scores=scores,
        accept=copies.accept,
    )
    for order, chosen in zip(orders, taken, strict=True):
        copies.sweep(order[: 2 * len(chosen) + 256])

    found: list[list[Candidate]] = []
    for target, chosen in enumerate(taken):
        found.append(_candidates(round_, target, chosen, scores[target], copies))
    spoken_for = {int(place) for part in taken for place in part}
    spoken_for |= {copy for place in tuple(spoken_for) for copy in copies.of(place)}
    shares = [drawn_at_random] * len(targets)
    if limits:
        shares = [limit - quota for limit, quota in zip(limits, quotas, strict=True)]
    explored = _explore(round_, drawn_at_random, shares, spoken_for)
    for candidate in explored:
        group = found[context.targets.index(candidate.label)]
        group.append(replace(candidate, rank=len(group) + 1))
    candidates = tuple(candidate for group in found for candidate in group)
    round_.notes += _shortfall(round_, total, len(candidates))
    wanted = [place for place in targets if limits is None or limits[place]]
    round_.notes += _empty_handed(
        [context.targets[place] for place in wanted], [found[place] for place in wanted], total
    )
    hidden = sum(len(candidate.duplicates) for candidate in candidates)
    if hidden:
        round_.notes.append(f"{count(hidden, 'near-copy', 'near-copies')} set aside.")
    return Selection(
        candidates, context.targets, options.strategy, tuple(round_.notes), round_.seeds
    )


def _leave_out_copies_of_seeds(round_: _Round, hashes: Sequence[str], threshold: float) -> None:
    every_seed = np.concatenate(round_.seeds.vectors)
    known = [sha for group in round_.seeds.sha256 for sha in group]
    copied = copies_of_seeds(
        round_.context.candidates,
        every_seed,
        round_.context.moments.mean,
        sha256=hashes,
        seed_sha256=known,
        threshold=threshold,
    )
    number = int((copied & round_.eligible).sum())
    if number:
        round_.notes.append(f"{count(number, 'near-copy', 'near-copies')} of seeds left out.")
    round_.eligible &= ~copied


def _eligible(round_: _Round) -> BoolArray:
    """`(t, n)`: what each class may take."""
    least = round_.options.min_similarity
    targets = range(len(round_.context.targets))
    if least is None:
        return np.broadcast_to(round_.eligible, (len(targets), len(round_.rows)))
    every = np.arange(len(round_.rows))
    near = [round_.similarity(target, every).max(axis=1) >= least for target in targets]
    allowed: BoolArray = round_.eligible & np.stack(near)
    return allowed


def _spread(
    order: IntArray, scores: FloatArray, vectors: FloatArray, reach: int, weight: float
) -> IntArray:
    """Reorder the head of a ranking so that its picks differ; the tail stays behind it."""
    head, tail = order[:reach], order[reach:]
    picked = marginal_relevance(scores[head], vectors[head], len(head), weight)
    return np.concatenate([head[picked], tail])


def _candidates(
    round_: _Round, target: int, chosen: IntArray, scores: FloatArray, copies: Copies
) -> list[Candidate]:
    if not len(chosen):
        return []
    name = round_.context.targets[target]
    seed_uris = round_.seeds.uris[round_.seeds.classes.index(name)]
    cosines = round_.similarity(target, chosen)
    nearest = cosines.argmax(axis=1)
    uris = round_.index.uris(round_.rows[chosen])
    behind = [copies.of(int(place)) for place in chosen]
    names = iter(
        round_.index.uris(round_.rows[np.array([c for of in behind for c in of], dtype=np.int64)])
    )
    return [
        Candidate(
            uri=uris[number],
            label=name,
            rank=number + 1,
            score=float(scores[place]),
            similarity=float(cosines[number, nearest[number]]),
            seed=seed_uris[int(nearest[number])],
            why=round_.options.strategy,
            duplicates=tuple(next(names) for _ in behind[number]),
        )
        for number, place in enumerate(chosen.tolist())
    ]


def _explore(round_: _Round, count: int, shares: Sequence[int], taken: set[int]) -> list[Candidate]:
    """Draw images uniformly from all that may be chosen, whatever their score.

    Each goes to the class that it is most similar to, of those whose share is not full yet. Where
    the pool was shortlisted the draw is over the whole pool all the same: only so do the answers
    say something about what no strategy would show.
    """
    if not count:
        return []
    index, context = round_.index, round_.context
    rng = np.random.default_rng([round_.options.random_seed, 2])
    blocked = {int(round_.rows[place]) for place in taken}
    blocked |= set(round_.rows[~round_.eligible].tolist()) | set(round_.known.tolist())
    drawn = rng.permutation(sample_rows(index, min(index.live_rows, count + len(blocked)), rng))
    rows = np.array([row for row in drawn.tolist() if row not in blocked][:count], dtype=np.int64)
    vectors, uris = index.take(rows), index.uris(rows)
    left, out = list(shares), []
    for vector, uri in zip(vectors, uris, strict=True):
        best = [seeds @ vector for seeds in context.seeds]
        nearest = sorted(range(len(best)), key=lambda target: -float(best[target].max()))
        target = next(target for target in nearest if left[target])
        left[target] -= 1
        name = context.targets[target]
        seed = int(best[target].argmax())
        similarity = float(best[target][seed])
        seed_uri = round_.seeds.uris[round_.seeds.classes.index(name)][seed]
        out.append(Candidate(uri, name, 0, similarity, similarity, seed_uri, "explore"))
    return out


def _shortfall(round_: _Round, wanted: int, got: int) -> list[str]:
    if got >= wanted:
        return []
    options = round_.options
    reason = (
        "all others are nearer to the contrast class, seeds, copies or excluded"
        if options.strategy == "contrast" and round_.seeds.other
        else f"no other image reaches a similarity of {options.min_similarity:g}"
        if options.min_similarity is not None
        else "the pool holds no more that are neither seeds, copies nor excluded"
    )
    return [f"{got:,} of {wanted:,} wanted: {reason}."]


def _empty_handed(
    targets: Sequence[str], found: Sequence[Sequence[Candidate]], wanted: int
) -> list[str]:
    without = [name for name, group in zip(targets, found, strict=True) if not group]
    if not without or len(without) == len(targets):
        return []
    reason = (
        f"; the budget of {wanted} is smaller than the number of classes, {len(targets)}"
        if wanted < len(targets)
        else ""
    )
    more = f" and {len(without) - 5} more" if len(without) > 5 else ""
    return [f"no candidate for {', '.join(without[:5])}{more}{reason}."]
