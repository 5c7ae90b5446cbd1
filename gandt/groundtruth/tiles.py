"""Tiled tasks: several images in one object, so that one worker judges them at a glance.

A line is `{"source": "<JSON text>"}`, for Ground Truth takes only a string there. The text is a
list of `{"source-ref", "index"}`; its first element also carries `event_names`,
`positive_examples`, `negative_examples` and `other_category_label`. `index` is the image's place
in the whole selection, so it is also the row of the selection table. Where references were
rewritten, `gandt-pool-uris` beside `source` lists the images' names in the pool, in the order of
the tiles.

The shape is that of the original G&T, so that its templates and answers go on to work. Pure
functions; `manifest` writes what they make.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gandt.errors import ManifestError
from gandt.groundtruth.json_lines import (
    MAX_ATTRIBUTE,
    MAX_LINE,
    NONE_OF_THE_ABOVE,
    POOL_URIS,
    SOURCE,
    SOURCE_REF,
    dump,
    fits,
)
from gandt.types import SeedSet

__all__ = ["TaskExamples", "Tile", "tile_lines"]


@dataclass(frozen=True, slots=True)
class Tile:
    """One image of a tiled task."""

    index: int  # its place in the whole list, from 0
    reference: str  # where the worker's browser finds it
    pool_uri: str  # its name in the pool


@dataclass(frozen=True, slots=True)
class TaskExamples:
    """Pictures that show a worker what is wanted, and the name of the choice "nothing of that"."""

    positive: tuple[str, ...] = ()  # URIs
    negative: tuple[str, ...] = ()  # URIs
    other_label: str = NONE_OF_THE_ABOVE

    @classmethod
    def from_seeds(cls, seeds: SeedSet, per_class: int = 3) -> TaskExamples:
        """Take the first seeds of each class; those of the contrast class show what is not wanted.

        Seeds that are texts have nothing to show and are passed over.
        """
        chosen = {
            name: tuple(uri for uri in uris if _is_uri(uri))[:per_class]
            for name, uris in zip(seeds.classes, seeds.uris, strict=True)
        }
        return cls(
            positive=tuple(uri for name in seeds.targets for uri in chosen[name]),
            negative=chosen.get(seeds.other, ()) if seeds.other else (),
            other_label=seeds.other or NONE_OF_THE_ABOVE,
        )


def tile_lines(
    tiles: Sequence[Tile], classes: Sequence[str], group_size: int, examples: TaskExamples
) -> tuple[list[str], tuple[str, ...]]:
    """Deal the images round to tasks of at most `group_size`.

    Image *i* goes to task *i* mod *n*, *n* = ceil(images / group size). Where a task would be too
    long, examples are left out, the last ones first, in all tasks alike.

    Returns
    -------
    lines, dropped
        The lines of the manifest, and the examples left out.

    Raises
    ------
    ManifestError
        Where a class is named like the choice for images of no class, or a task is too long even
        without examples.
    """
    if examples.other_label in classes:
        raise ManifestError(
            f"The class {examples.other_label!r} has the name of the choice for images of no "
            "class: rename one of them."
        )

    def build(size: int, shown: TaskExamples) -> list[_TileLine]:
        return [_tile_line(task, classes, shown) for task in _round_robin(tiles, size)]

    positive, negative = list(examples.positive), list(examples.negative)
    dropped: list[str] = []
    while True:
        # Every task shows the same examples, or workers would not judge alike.
        shown = TaskExamples(tuple(positive), tuple(negative), examples.other_label)
        lines = build(group_size, shown)
        if all(line.fits for line in lines):
            return [line.line for line in lines], tuple(dropped)
        if not positive and not negative:
            break
        dropped.append(positive.pop() if len(positive) >= len(negative) else negative.pop())
    longest = max(len(line.attribute) for line in lines)
    fitting = next(
        (
            size
            for size in range(group_size - 1, 0, -1)
            if all(line.fits for line in build(size, shown))
        ),
        None,
    )
    advice = f"use --group-size {fitting}" if fitting else "use shorter file or class names"
    raise ManifestError(
        f"A task of {group_size} images takes {longest:,} characters where Ground Truth allows "
        f"{MAX_ATTRIBUTE:,} (and {MAX_LINE:,} bytes a line): {advice}."
    )


def _round_robin(tiles: Sequence[Tile], group_size: int) -> Iterator[Sequence[Tile]]:
    tasks = math.ceil(len(tiles) / group_size)
    return (tiles[first::tasks] for first in range(tasks))


@dataclass(frozen=True, slots=True)
class _TileLine:
    line: str
    attribute: str  # its longest

    @property
    def fits(self) -> bool:
        return fits(self.attribute, self.line)


def _tile_line(tiles: Sequence[Tile], classes: Sequence[str], examples: TaskExamples) -> _TileLine:
    elements: list[dict[str, object]] = [
        {SOURCE_REF: tile.reference, "index": tile.index} for tile in tiles
    ]
    elements[0] |= {
        "event_names": list(classes),
        "positive_examples": list(examples.positive),
        "negative_examples": list(examples.negative),
        "other_category_label": examples.other_label,
    }
    text = dump(elements)
    record: dict[str, object] = {SOURCE: text}
    names = ""
    if any(tile.pool_uri != tile.reference for tile in tiles):
        in_pool = [tile.pool_uri for tile in tiles]
        record[POOL_URIS] = in_pool
        names = dump(in_pool)
    return _TileLine(dump(record), max(text, names, key=len))


def _is_uri(text: str) -> bool:
    return text.startswith("/") or "://" in text
