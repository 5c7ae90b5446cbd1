"""What to label next, by goal: find a rare class, learn the most, or balance the classes.

- `find`: the images that each class's probe ranks highest, the classes taking turns.
- `learn`: uncertainty times diversity. Uncertainty is how close the two likeliest classes are
  (Scheffer et al., "Active hidden Markov models for information extraction", 2001), diversity the
  distance to the nearest pick of the batch, so that a batch is not one question asked often; its
  root, since the whole of it takes outliers. Distance to what is labeled and entropy, which counts
  classes that nobody hesitates about, learned less of 20 classes, and clusters of the uncertain
  (Zhdanov, "Diverse mini-batch active learning", 2019) less with batches of 500.
- `balance`: the images expected to even out the counts of labels the most, those expected of the
  batch counted in.

Near-copies of labeled images and of picks are left out by the rule of `gandt.selection.duplicates`.
The uniform slice is drawn apart from all this, in `gandt.active.rounds`: it must not depend on
anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from gandt.active.logistic import Floats
from gandt.errors import UsageError
from gandt.selection.duplicates import THRESHOLD, Copies, copies_of_seeds
from gandt.selection.quota import draft, even_split, rank_orders
from gandt.selection.spaces import unit
from gandt.types import FloatArray, IntArray

__all__ = [
    "GOALS",
    "Choices",
    "Goal",
    "Picks",
    "acquire",
    "rare_classes",
    "split_budget",
    "uncertainty",
]

Goal = Literal["find", "learn", "balance"]
GOALS: tuple[Goal, ...] = get_args(Goal)

_LOOK = 8  # times the budget: how far down the most uncertain ones diversity may reach
_LEAST_LOOK = 512


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """The images that may be chosen, and what is thought of them."""

    vectors: FloatArray  # (n, d) unit rows
    scores: FloatArray  # (t, n) of the target classes' finders, higher is likelier
    probabilities: Floats  # (n, k) of all classes; rows sum to 1


@dataclass(frozen=True, slots=True, eq=False)
class Picks:
    """Chosen images: places among the choices, and why each was taken."""

    places: IntArray  # (p,) best first within each goal
    goals: tuple[Goal, ...]  # p
    classes: IntArray  # (p,) the column that it was picked for; -1 for `learn`
    values: Floats  # (p,) finder's score, uncertainty times diversity, or probability

    def __len__(self) -> int:
        return len(self.places)


def acquire(
    choices: Choices,
    budget: int,
    mix: Mapping[Goal, float],
    *,
    targets: IntArray,
    counts: IntArray,
    labeled: FloatArray,
    mean: FloatArray,
    duplicates: float = THRESHOLD,
) -> Picks:
    """Choose up to `budget` images; fewer only where there are no more that are no copies.

    Parameters
    ----------
    mix
        Share of the budget per goal; shares are scaled to sum to 1.
    targets
        `(t,)` columns of the classes to find.
    counts
        `(k,)` labels of each class so far.
    labeled
        `(m, d)` unit rows of labeled images.
    mean
        `(d,)` of the pool.
    duplicates
        Centered cosine from which two images are copies.

    Raises
    ------
    UsageError
        The mix is empty or names no goal, or a budget is negative.
    """
    parts = split_budget(budget, mix)
    fresh = ~copies_of_seeds(choices.vectors, labeled, mean, threshold=duplicates)
    copies = Copies(choices.vectors, mean, threshold=duplicates)
    state = _State(choices, targets, counts.astype(np.float64), labeled, mean, fresh, copies)
    taken: list[tuple[int, Goal, int, float]] = []
    for goal, part in parts.items():
        found = {"find": _find, "learn": _learn, "balance": _balance}[goal](state, part)
        taken += [(place, goal, code, value) for place, code, value in found]
    missing = budget - len(taken)
    if missing and state.fresh.any():
        # A goal that ran dry leaves its share to what is most informative.
        taken += [(place, "learn", code, value) for place, code, value in _learn(state, missing)]
    return Picks(
        np.array([each[0] for each in taken], np.int64),
        tuple(each[1] for each in taken),
        np.array([each[2] for each in taken], np.int64),
        np.array([each[3] for each in taken], np.float64),
    )


def split_budget(budget: int, mix: Mapping[Goal, float]) -> dict[Goal, int]:
    """Split a budget by shares, largest remainders first; ties by the order of `GOALS`.

    Raises
    ------
    UsageError
        The mix is empty, names no goal or has a share below 0, or the budget is negative.
    """
    if budget < 0:
        raise UsageError(f"A budget cannot be negative: {budget}.")
    for goal, share in mix.items():
        if goal not in GOALS or not 0 <= share < np.inf:
            raise UsageError(
                f"Goal {goal}={share:g} cannot be mixed in: give shares of 0 or more of "
                f"{', '.join(GOALS)}."
            )
    total = sum(mix.values())
    if not total > 0:
        raise UsageError(f"No goal has a share above 0: name one of {', '.join(GOALS)}.")
    exact = {goal: budget * mix[goal] / total for goal in GOALS if mix.get(goal)}
    parts = {goal: int(share) for goal, share in exact.items()}
    by_remainder = sorted(exact, key=lambda goal: parts[goal] - exact[goal])
    for goal in by_remainder[: budget - sum(parts.values())]:
        parts[goal] += 1
    return parts


def rare_classes(counts: IntArray) -> IntArray:
    """Columns of the classes with no more labels than the median class; at least one of `(k,)`."""
    return np.flatnonzero(counts <= np.median(counts)).astype(np.int64)


def uncertainty(probabilities: Floats) -> Floats:
    """How close the two likeliest classes of each row of `(n, k)` are: 1 as likely, 0 sure."""
    if probabilities.shape[1] < 2:
        return np.zeros(len(probabilities))
    highest = np.partition(probabilities, -2, axis=1)[:, -2:]
    return np.asarray(1 - (highest[:, 1] - highest[:, 0]))


@dataclass(slots=True)
class _State:
    choices: Choices
    targets: IntArray
    counts: Floats  # (k,) labels so far, and those expected of the picks
    labeled: FloatArray
    mean: FloatArray
    fresh: np.ndarray[tuple[int], np.dtype[np.bool_]]  # (n,) not refused and not taken
    copies: Copies

    def take(self, place: int) -> bool:
        """Take an image unless it is a copy of one that was taken; either way it is gone."""
        if not self.fresh[place]:
            return False
        self.fresh[place] = False
        if not self.copies.accept(place):
            return False
        self.counts += self.choices.probabilities[place]
        return True


Found = list[tuple[int, int, float]]  # place, class, value


def _find(state: _State, budget: int) -> Found:
    scores, targets = state.choices.scores, state.targets
    if not len(targets):
        return []
    taken = draft(
        rank_orders(scores, state.fresh),
        even_split(budget, len(targets)),
        pooled=True,
        scores=scores,
        accept=state.take,
    )
    return [
        (place, int(targets[number]), float(scores[number, place]))
        for number, places in enumerate(taken)
        for place in places.tolist()
    ]


def _learn(state: _State, budget: int) -> Found:
    """Pick by uncertainty times diversity, from the most uncertain few times the budget."""
    worth = uncertainty(state.choices.probabilities)
    order = np.argsort(-np.where(state.fresh, worth, -1), kind="stable")
    order = order[state.fresh[order]][: max(_LOOK * budget, _LEAST_LOOK)]
    rows = unit(state.choices.vectors[order] - state.mean)
    nearest = np.zeros(len(order), np.float32)  # centered cosine to a pick, where it is above 0
    if len(state.copies.rows):  # other goals have picked before
        picked = unit(state.choices.vectors[state.copies.rows] - state.mean)
        np.maximum(nearest, (rows @ picked.T).max(axis=1), out=nearest)
    waiting = np.ones(len(order), np.bool_)
    found: Found = []
    while len(found) < budget and waiting.any():
        apart = np.sqrt(np.maximum(1 - nearest, 0))
        value = np.where(waiting, worth[order] * apart, -np.inf)
        best = int(value.argmax())
        waiting[best] = False
        if state.take(int(order[best])):
            found.append((int(order[best]), -1, float(value[best])))
            np.maximum(nearest, rows @ rows[best], out=nearest)
    return found


def _balance(state: _State, budget: int) -> Found:
    """Pick what is expected to raise the logarithms of all classes' counts the most.

    A label more is worth `1 / (1 + count)` to a class, so an image is worth the mean of that under
    its probabilities: a class that cannot be found does not swallow the budget.
    """
    probabilities = state.choices.probabilities
    waiting = state.fresh.copy()
    found: Found = []
    while len(found) < budget and waiting.any():
        worth = 1 / (1 + state.counts)
        value = np.where(waiting, probabilities @ worth, -np.inf)
        place = int(value.argmax())
        waiting[place] = False
        code = int((probabilities[place] * worth).argmax())
        if state.take(place):
            found.append((place, code, float(value[place])))
    return found
