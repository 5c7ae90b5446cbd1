"""Seeds that the page starts with: labeled examples, in the pool or beside it.

Those that the pool holds go by their ids. Of the others only the URI is told; it stands for the
file wherever a request names it, and for no other file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from gandt.pool.sources import read_item
from gandt.selection.seeds import LabeledItem
from gandt.serving.service.explore.engine import Engine
from gandt.serving.service.explore.wire.replies import RefOut

__all__ = ["StartingSeeds", "starting_seeds"]


@dataclass(frozen=True, slots=True)
class StartingSeeds:
    """Seeds to begin with."""

    refs: Mapping[str, Sequence[RefOut]] = field(default_factory=dict)  # by class
    outside: Mapping[str, Callable[[], bytes]] = field(default_factory=dict)  # URI -> its bytes


def starting_seeds(engine: Engine, items: Sequence[LabeledItem]) -> StartingSeeds:
    """Find labeled images in the pool; keep the way to those that it does not hold."""
    ids = engine.ids(list({seed.item.uri for seed in items}))
    refs: dict[str, list[RefOut]] = {}
    outside: dict[str, Callable[[], bytes]] = {}
    for seed in items:
        uri = seed.item.uri
        group = refs.setdefault(seed.label, [])
        if uri in ids:
            group.append(RefOut(id=ids[uri]))
        else:
            group.append(RefOut(uri=uri))
            outside[uri] = partial(read_item, seed.item)
    return StartingSeeds(refs, outside)
