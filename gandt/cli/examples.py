"""Example pictures for worker pages, taken from the seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gandt.labeling.templates import Example

__all__ = ["read_examples"]

PER_CLASS = 3


def read_examples(
    sources: Sequence[str], labels: Sequence[str], *, per_class: int = PER_CLASS
) -> tuple[Example, ...]:
    """Take the first images of each class, in the order of the labels.

    A class that is no label (such as the contrast class of a selection) shows what is not wanted.

    Raises
    ------
    SeedError
        Where a source holds no labeled image.
    """
    from gandt.labeling.templates import Example
    from gandt.selection.seeds import find_seeds

    if not sources:
        return ()
    taken: Counter[str] = Counter()
    found: list[Example] = []
    for seed in find_seeds(list(sources)):
        if taken[seed.label] < per_class:
            taken[seed.label] += 1
            wanted = not labels or seed.label in labels
            # "Not Other" on the page would be the contrary of what is shown.
            found.append(Example(seed.item.uri, seed.label if wanted else "", wanted))
    order = {label: place for place, label in enumerate(labels)}
    found.sort(key=lambda example: (order.get(example.label, len(order)), example.label))
    return tuple(found)
