"""Tiled tasks: several images in one object, so that one worker judges them at a glance.

A line is `{"source": "<JSON text>"}`, for Ground Truth takes only a string there. The text is a
list of `{"source-ref", "index"}`; its first element also carries `event_names`,
`positive_examples`, `negative_examples` and `other_category_label`. `index` is the image's place
in the whole selection, so it is also the row of the selection table; but where known images are
planted (`gold`), the numbers are drawn, or the highest ones would give those away.

Beside `source` stand, where there is something to say, lists in the order of the tiles:
`gandt-pool-uris`, the images' names in the pool where references were rewritten, and `gandt-golds`,
the known labels, null for the candidates. `tiles` is what `source` holds, decoded: where no
pre-annotation Lambda decodes it, pages find the images there.

The shape is that of the original G&T, so that its templates and answers go on to work. Pure
functions; `manifest` writes what they make.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gandt.errors import ManifestError
from gandt.groundtruth.json_lines import (
    GOLDS,
    MAX_ATTRIBUTE,
    MAX_LINE,
    NONE_OF_THE_ABOVE,
    POOL_URIS,
    SOURCE,
    SOURCE_REF,
    TILES,
    dump,
    fits,
)
from gandt.types import SeedSet

__all__ = ["Deal", "TaskExamples", "Tile", "round_robin", "tile_lines"]

Deal = Callable[[int], Sequence[Sequence[int]]]  # size of a task → places in the list, by task


@dataclass(frozen=True, slots=True)
class Tile:
    """One image of a tiled task."""

    index: int  # its place in the whole list, from 0
    reference: str  # where the worker's browser finds it
    pool_uri: str  # its name in the pool
    gold: object = None  # its label, where that is known: a name, or a list of several


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
    tiles: Sequence[Tile],
    classes: Sequence[str],
    group_size: int,
    examples: TaskExamples,
    *,
    deal: Deal | None = None,
    tiles_key: bool = True,
) -> tuple[list[str], tuple[str, ...]]:
    """Deal the images to tasks of at most `group_size`, and write each as a line.

    Where a task would be too long, examples are left out, the last ones first, in all tasks alike.

    Parameters
    ----------
    deal
        Which images each task shows; by default image *i* goes to task *i* mod *n*,
        *n* = ceil(images / group size).
    tiles_key
        Whether the decoded list stands on the line as well, under `tiles`. It is left out all the
        same, of all lines, where one would grow too long.

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
    tasks = _tasks(tiles, group_size, deal)
    shown = examples
    dropped: list[str] = []
    # Every task shows the same examples, or workers would not judge alike.
    lines = [_tile_line(task, classes, shown) for task in tasks]
    while not all(line.fits for line in lines) and (shown.positive or shown.negative):
        if len(shown.positive) >= len(shown.negative):
            dropped.append(shown.positive[-1])
            shown = replace(shown, positive=shown.positive[:-1])
        else:
            dropped.append(shown.negative[-1])
            shown = replace(shown, negative=shown.negative[:-1])
        lines = [_tile_line(task, classes, shown) for task in tasks]
    if not all(line.fits for line in lines):
        raise _too_long(tiles, classes, group_size, shown, deal, lines)
    whole = [line.with_tiles() for line in lines] if tiles_key else lines
    if not all(line.fits for line in whole):
        whole = lines
    return [line.line for line in whole], tuple(dropped)


def round_robin(images: int, group_size: int) -> list[range]:
    """Deal places to tasks of at most `group_size`: *i* goes to task *i* mod their number."""
    tasks = math.ceil(images / group_size)
    return [range(first, images, tasks) for first in range(tasks)]


def _tasks(tiles: Sequence[Tile], group_size: int, deal: Deal | None) -> list[list[Tile]]:
    places = round_robin(len(tiles), group_size) if deal is None else deal(group_size)
    return [[tiles[place] for place in task] for task in places]


def _too_long(
    tiles: Sequence[Tile],
    classes: Sequence[str],
    group_size: int,
    shown: TaskExamples,
    deal: Deal | None,
    lines: Sequence[_TileLine],
) -> ManifestError:
    longest = max(len(line.attribute) for line in lines)
    fitting = next(
        (
            size
            for size in range(group_size - 1, 0, -1)
            if all(_tile_line(task, classes, shown).fits for task in _tasks(tiles, size, deal))
        ),
        None,
    )
    advice = f"use --group-size {fitting}" if fitting else "use shorter file or class names"
    return ManifestError(
        f"A task of {group_size} images takes {longest:,} characters where Ground Truth allows "
        f"{MAX_ATTRIBUTE:,} (and {MAX_LINE:,} bytes a line): {advice}."
    )


@dataclass(frozen=True, slots=True)
class _TileLine:
    record: dict[str, object]
    elements: list[dict[str, object]]
    line: str
    attribute: str  # its longest

    @property
    def fits(self) -> bool:
        return fits(self.attribute, self.line)

    def with_tiles(self) -> _TileLine:
        """The same task with its images as a list; no attribute is longer than the text of it."""
        record = {SOURCE: self.record[SOURCE], TILES: self.elements} | self.record
        return replace(self, record=record, line=dump(record))


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
    names = known = ""
    if any(tile.pool_uri != tile.reference for tile in tiles):
        in_pool = [tile.pool_uri for tile in tiles]
        record[POOL_URIS] = in_pool
        names = dump(in_pool)
    if any(tile.gold is not None for tile in tiles):
        golds = [tile.gold for tile in tiles]
        record[GOLDS] = golds
        known = dump(golds)
    return _TileLine(record, elements, dump(record), max(text, names, known, key=len))


def _is_uri(text: str) -> bool:
    return text.startswith("/") or "://" in text
