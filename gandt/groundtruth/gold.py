"""Known images among the candidates: how many, in which tasks, at which places.

A worker shall meet many different known images and tell none of them from the others. So their
share is that of all images asked; on lines of one image each stands once, spread evenly but for a
jitter; tiled tasks get equally many each, at places that vary. Where there are fewer known images
than the share takes, tiled tasks show them again, under the same `index`, as the original G&T did:
each in at most `MAX_TASKS` tasks and never twice in one. A worker who does a fifth of the tasks
then meets two thirds of the images (1 - 0.8⁵); more would only be recognized, for the first answer
of a worker to an image is the one that counts.

Beside the manifest stands a table of what is known, `task,label`, for people and for
`gandt aggregate --gold`. Pure functions, but for the one that writes this table.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np

from gandt import storage
from gandt.groundtruth.json_lines import dump
from gandt.tables import format_csv

__all__ = [
    "MAX_TASKS",
    "deal_tasks",
    "gold_wanted",
    "known_label",
    "line_places",
    "tells",
    "write_gold_table",
]

MAX_TASKS = 5  # that show one known image
_GIVEAWAYS = frozenset({"gold", "decoy", "decoys", "known"})


def gold_wanted(candidates: int, share: float) -> int:
    """Give the number of known images that make up this share of all images; at least one."""
    return max(1, round(candidates * share / (1 - share)))


def line_places(candidates: int, known: int, rng: np.random.Generator) -> list[int]:
    """Give the sorted places, from 0, of known images among all lines: one in each equal part.

    Parameters
    ----------
    candidates, known
        Numbers of lines of either sort.
    """
    total = candidates + known
    borders = [total * part // known for part in range(known + 1)] if known else []
    return [int(rng.integers(first, last)) for first, last in pairwise(borders)]


def deal_tasks(
    candidates: int, known: int, wanted: int, group_size: int, rng: np.random.Generator
) -> list[list[int]]:
    """Deal candidates and known images to tasks of at most `group_size`.

    Candidates go round in their order, which spreads each class over all tasks, and stay in that
    order within a task; each known image has any place between them.

    Parameters
    ----------
    candidates
        Their number; their numbers are 0 to `candidates - 1`.
    known
        The number of different known images; their numbers follow.
    wanted
        How many known images should be shown in all; more than `known` repeats them.

    Returns
    -------
    tasks
        The numbers of the images of each task.
    """
    shown = min(wanted, known * MAX_TASKS)
    tasks = math.ceil((candidates + shown) / group_size)
    while shown > known * tasks:  # each at most once in a task
        shown = known * tasks
        tasks = math.ceil((candidates + shown) / group_size)
    sizes = np.full(tasks, (candidates + shown) // tasks)
    sizes[: (candidates + shown) % tasks] += 1
    counts = np.full(tasks, shown // tasks)
    # What does not divide goes to larger tasks first, or a small one could get more than it holds.
    counts[np.lexsort((rng.random(tasks), -sizes))[: shown % tasks]] += 1
    planted = _hands(known, counts, rng)
    hands: list[list[int]] = [[] for _ in range(tasks)]
    waiting = iter(range(candidates))
    while sum(map(len, hands)) < candidates:
        for task, hand in enumerate(hands):
            if len(hand) < sizes[task] - counts[task]:
                hand.append(next(waiting))
    for hand, extra in zip(hands, planted, strict=True):
        for image in extra:
            hand.insert(int(rng.integers(len(hand) + 1)), candidates + image)
    return hands


def _hands(known: int, counts: np.ndarray, rng: np.random.Generator) -> list[list[int]]:
    """Give each task its known images: those shown least so far, in turn."""
    if counts.sum() <= known:
        # Runs of neighbors, which are of different classes.
        borders = np.concatenate([[0], np.cumsum(counts)])
        hands = [list(range(int(first), int(last))) for first, last in pairwise(borders)]
        order = rng.permutation(len(counts))
        by_size: dict[int, list[list[int]]] = {}
        for hand in (hands[task] for task in order):
            by_size.setdefault(len(hand), []).append(hand)
        return [by_size[int(count)].pop() for count in counts]
    used = np.zeros(known, np.int64)
    dealt: list[list[int]] = [[] for _ in counts]
    for task in rng.permutation(len(counts)).tolist():
        chosen = np.lexsort((rng.random(known), used))[: counts[task]]
        used[chosen] += 1
        dealt[task] = chosen.tolist()
    return dealt


def known_label(labels: Sequence[str], classes: Collection[str], none: str | None) -> object:
    """Give the known answer as a manifest holds it: a name, or a list where there are several.

    Parameters
    ----------
    classes
        What workers may choose.
    none
        Their choice for images of no class; takes the place of any other name. None where they
        choose among other names than `classes`: then the labels stay as they are.
    """
    names = labels
    if none is not None:
        names = list(dict.fromkeys(name if name in classes else none for name in labels))
    return names[0] if len(names) == 1 else list(names)


def tells(reference: str, labels: Sequence[str]) -> bool:
    """Tell whether the address of an image on S3 gives its label away, or that it is known.

    A worker's browser loads an image by its key. Images of this machine are uploaded under names
    of their own.
    """
    if not storage.is_remote(reference):
        return False
    folders = {folder.casefold() for folder in reference.split("/")[2:-1]}
    return not folders.isdisjoint({*_GIVEAWAYS, *(label.casefold() for label in labels)})


def write_gold_table(destination: str, known: Sequence[tuple[str, object]]) -> None:
    """Write the known answers as CSV: `task`, the name of the image in the pool, and `label`.

    Several labels are a JSON list.

    Raises
    ------
    StorageError
        Where the destination cannot be written.
    """
    rows = [("task", "label")]
    rows += [(task, label if isinstance(label, str) else dump(label)) for task, label in known]
    storage.write_bytes(destination, format_csv(rows).encode())
