"""Manifests of all there is: every image of a pool, or every text of a table, without selection.

One `source-ref` or `source` a line, or tiled tasks. Ground Truth itself knows no sampling (its
console writes a smaller manifest), so a random sample is drawn here. Pure functions but for the
writing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from gandt import storage
from gandt.errors import ManifestError, UsageError
from gandt.groundtruth.json_lines import (
    MAX_ATTRIBUTE,
    NONE_OF_THE_ABOVE,
    POOL_URI,
    SOURCE,
    SOURCE_REF,
    dump,
    fits,
)
from gandt.groundtruth.tiles import TaskExamples, Tile, tile_lines
from gandt.groundtruth.uri_map import UriMap

__all__ = ["Tiling", "draw", "write_images", "write_texts"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tiling:
    """How images share a task."""

    size: int  # images in a task, at most
    labels: tuple[str, ...]
    other: str = NONE_OF_THE_ABOVE


def draw(things: Sequence[T], sample: int | None, random_seed: int) -> list[T]:
    """Draw without replacement, uniformly, in random order; all as they are without a number."""
    if sample is None or sample >= len(things):
        return list(things)
    if sample < 1:
        raise UsageError(f"--sample {sample} leaves nothing: give 1 or more.")
    rng = np.random.default_rng(random_seed)
    # In the order drawn: folder by folder, people would see one class in a row and expect the next.
    return [things[i] for i in rng.choice(len(things), sample, replace=False)]


def write_images(
    destination: str,
    uris: Sequence[str],
    *,
    uri_map: UriMap | None = None,
    tiling: Tiling | None = None,
) -> int:
    """Write the images as tasks; returns how many tasks there are.

    Raises
    ------
    ManifestError
        Where a name is too long, or a class has the name of the choice for no class.
    StorageError
        Where the destination cannot be written.
    """
    mapping = uri_map or UriMap()
    references = [mapping.apply(uri) or uri for uri in uris]
    if tiling is None:
        lines = [
            _line(SOURCE_REF, reference, {} if reference == uri else {POOL_URI: uri}, number)
            for number, (uri, reference) in enumerate(zip(uris, references, strict=True), start=1)
        ]
    else:
        tiles = [
            Tile(index, reference, uri)
            for index, (uri, reference) in enumerate(zip(uris, references, strict=True))
        ]
        examples = TaskExamples(other_label=tiling.other)
        lines = tile_lines(tiles, tiling.labels, tiling.size, examples)[0]
    _write(destination, lines)
    return len(lines)


def write_texts(destination: str, texts: Sequence[str]) -> int:
    """Write the texts as tasks; returns how many there are.

    Raises
    ------
    ManifestError
        Where a text is empty or longer than Ground Truth takes.
    StorageError
        Where the destination cannot be written.
    """
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            raise ManifestError(f"Text {number} is empty: take it out, nobody can label it.")
    _write(
        destination,
        [_line(SOURCE, text, {}, number) for number, text in enumerate(texts, start=1)],
    )
    return len(texts)


def _line(key: str, value: str, more: dict[str, object], number: int) -> str:
    line = dump({key: value, **more})
    if not fits(value, line):
        raise ManifestError(
            f"Number {number} ({value[:60]}…) is longer than the {MAX_ATTRIBUTE:,} characters that "
            "Ground Truth allows: shorten it."
        )
    return line


def _write(destination: str, lines: Sequence[str]) -> None:
    storage.write_bytes(destination, "".join(f"{line}\n" for line in lines).encode())
