"""Labeled examples: find them, name their classes, and turn them into vectors of the index.

Reads a folder with a folder per class (`seeds/cat/*.jpg`), a table (CSV, TSV, JSONL, Parquet) with
a path and a label, the folder or labels table of a finished round (of which only the certain
labels count), an output manifest of a Ground Truth job, and text prompts where the model has a text
tower. An image that the index already holds, by URI
and unchanged on disk, is not embedded again.
"""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gandt import storage
from gandt.embedding.decoding import DecodingOptions, start_decoder
from gandt.embedding.extractor import extract
from gandt.errors import SeedError, UsageError
from gandt.groundtruth.manifest import is_manifest
from gandt.groundtruth.output import read_labels
from gandt.index.folder import Index
from gandt.pool.sources import find_items, open_pool
from gandt.tables import Table, find_column, read_rows
from gandt.types import Embedder, FloatArray, Item, SeedSet

__all__ = [
    "DEFAULT_OTHER",
    "LabeledItem",
    "Prompt",
    "Seed",
    "embed_seeds",
    "find_seeds",
    "make_seed_set",
    "parse_prompt",
]

DEFAULT_OTHER = "Other"
PATH_COLUMNS = ("image_path", "uri", "task", "path", "file", "filename", "image", "url")
LABEL_COLUMNS = ("label", "class", "category", "target")
ROUND_LABELS = "labels.parquet"  # in the folder that `gandt aggregate` writes
TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


@dataclass(frozen=True, slots=True)
class LabeledItem:
    """An image and its class."""

    item: Item
    label: str
    machine: bool = field(default=False, compare=False)  # whether no person gave the label


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text that stands for a class, for models that embed texts."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Seed:
    """A labeled example that has its vector."""

    uri: str  # or text
    vector: FloatArray  # (d,) of unit length
    sha256: str = ""  # of its bytes; "" where unknown


def parse_prompt(value: str) -> Prompt:
    """Parse `TEXT=CLASS`; the last `=` divides.

    Raises
    ------
    UsageError
        There is no `=`, or nothing on one side of it.
    """
    text, _, label = value.rpartition("=")
    if not text.strip() or not label.strip():
        raise UsageError(
            f'--prompt {value!r}: write TEXT=CLASS, for example --prompt "rust on steel=defect".'
        )
    return Prompt(text.strip(), label.strip())


def find_seeds(sources: Sequence[str], *, attribute: str | None = None) -> list[LabeledItem]:
    """List labeled images, in a stable order, each image and class once.

    Parameters
    ----------
    sources
        Folders, tables and output manifests, mixed freely.
    attribute
        The label attribute of output manifests, where they hold several.

    Raises
    ------
    SeedError
        A source holds no labeled image.
    """
    found: list[LabeledItem] = []
    for source in sources:
        location = storage.normalize(source)
        if storage.is_folder(location):
            found += _from_folder(location)
        elif not storage.exists(location):
            raise SeedError(
                f"there is nothing at {source}; name a folder with one folder of images per "
                "class, a table with path and label, or an output manifest."
            )
        elif location.endswith(TABLE_SUFFIXES) and not _is_output_manifest(location):
            found += _from_table(location)
        elif is_manifest(location):
            found += _from_manifest(location, attribute)
        else:
            raise SeedError(
                f"{source} is neither a table (CSV, TSV, JSONL, Parquet) nor an output manifest; "
                "name one, or a folder with one folder of images per class."
            )
    return list(dict.fromkeys(found))


def _is_output_manifest(location: str) -> bool:
    return location.endswith(".jsonl") and is_manifest(location)


def _from_folder(folder: str) -> list[LabeledItem]:
    root = folder.rstrip("/") + "/"
    if storage.find(root + ROUND_LABELS) is not None:
        return _from_table(root + ROUND_LABELS)
    found, loose = [], 0
    for item in open_pool([folder]):
        label, slash, _ = item.uri.removeprefix(root).partition("/")
        if slash:
            found.append(LabeledItem(item, label))
        else:
            loose += 1
    if loose and found:
        raise SeedError(
            f"{folder} holds {loose} {'image' if loose == 1 else 'images'} beside its class "
            "folders; move each into the folder of its class."
        )
    if loose:
        raise SeedError(
            f"{folder} holds images but no class folders; make one folder per class, for example "
            f"{folder.rstrip('/')}/cat, and move the images there."
        )
    return found


def _from_table(location: str) -> list[LabeledItem]:
    table: Table = read_rows(location)
    if {"class", "rank", "why"} <= set(table.names):
        raise SeedError(
            f"{location} is a selection, whose classes are guesses that nobody has checked; name "
            "the labels that people gave."
        )
    paths = table.columns[find_column(table, PATH_COLUMNS, "the path of an image")]
    labels = table.columns[find_column(table, LABEL_COLUMNS, "its label")]
    base = location.rpartition("/")[0]
    # A round's labels say which of them are certain; a guess is no seed.
    certain = table.columns.get("certain") or [None] * table.rows
    sources = table.columns.get("source") or [None] * table.rows
    pairs = [
        (
            path if storage.is_remote(path) or Path(path).is_absolute() else f"{base}/{path}",
            name,
            (source or "").casefold() == "machine",
        )
        for path, label, sure, source in zip(paths, labels, certain, sources, strict=True)
        if path and label and (sure or "true").casefold() == "true"
        for name in _class_names(label)
    ]
    if not pairs and any(sure is not None for sure in certain):
        raise SeedError(
            f"{location} has no label that is certain; have more people answer, or lower "
            "--min-confidence of `gandt aggregate`."
        )
    if not pairs:
        raise SeedError(f"{location} has no row with both a path and a label; add some.")
    pairs = [(storage.normalize(path), label, machine) for path, label, machine in pairs]
    items = find_items(dict.fromkeys(path for path, _, _ in pairs))
    return [LabeledItem(items[path], label, machine) for path, label, machine in pairs]


def _class_names(label: str) -> list[str]:
    """One class, or those of a JSON list of labels or of labeled boxes."""
    if label.startswith("["):
        with contextlib.suppress(ValueError, TypeError, KeyError):
            value = json.loads(label)
            names = [part if isinstance(part, str) else part["label"] for part in value]
            return [str(name) for name in dict.fromkeys(names)]
    return [label]


def _from_manifest(location: str, attribute: str | None) -> list[LabeledItem]:
    reading = read_labels(location, attribute=attribute)
    if not reading.images:
        raise SeedError(
            f"{location} holds no labeled image under {reading.attribute!r} "
            f"({reading.lines} lines: {reading.counts}); wait for the job, or name another file."
        )
    items = find_items(dict.fromkeys(image.uri for image in reading.images))
    return [
        LabeledItem(items[image.uri], image.label, image.human is False) for image in reading.images
    ]


def embed_seeds(
    items: Sequence[LabeledItem],
    prompts: Sequence[Prompt],
    index: Index,
    load: Callable[[], Embedder],
    *,
    other: str = DEFAULT_OTHER,
    exact: bool = False,
    max_pixels: int = 200_000_000,
) -> tuple[SeedSet, tuple[tuple[str, str], ...]]:
    """Give every seed its vector.

    Parameters
    ----------
    load
        Called once, and only when a seed is not in the index yet.
    other
        Name of the contrast class; it need not have seeds.

    Returns
    -------
    seeds, unreadable
        `unreadable` lists the URI and the reason of seeds that could not be embedded.

    Raises
    ------
    SeedError
        No class to aim at is left.
    """
    uris = list(dict.fromkeys(seed.item.uri for seed in items))
    known = _from_index(index, {seed.item.uri: seed.item for seed in items})
    missing = {seed.item.uri: seed.item for seed in items if seed.item.uri not in known}
    unreadable: list[tuple[str, str]] = []
    if missing or prompts:
        embedder = load()
        options = DecodingOptions(embedder.card.preprocessing, exact, max_pixels)
        decoder = start_decoder(options)
        try:
            for batch in extract(missing.values(), embedder, decoder):
                for image, vector in zip(batch.images, batch.vectors, strict=True):
                    known[image.item.uri] = (vector, image.sha256)
                unreadable += [(item.uri, reason) for item, reason in batch.rejected]
        finally:
            decoder.close()
    by_class: dict[str, list[Seed]] = defaultdict(list)
    for seed in items:
        if seed.item.uri in known:
            vector, sha256 = known[seed.item.uri]
            by_class[seed.label].append(Seed(seed.item.uri, vector, sha256))
    if prompts:
        vectors = embedder.encode_text([prompt.text for prompt in prompts])
        for prompt, vector in zip(prompts, vectors, strict=True):
            by_class[prompt.label].append(Seed(prompt.text, vector))
    _require_readable(by_class, {seed.label for seed in items}, unreadable, len(uris))
    if not by_class:
        raise SeedError(
            "there are no seeds; give --seeds a folder with one folder of images per class."
        )
    return make_seed_set(by_class, other), tuple(unreadable)


def make_seed_set(by_class: Mapping[str, Sequence[Seed]], other: str = DEFAULT_OTHER) -> SeedSet:
    """Put examples with their vectors together, classes sorted, each class in the given order.

    Parameters
    ----------
    by_class
        A class without examples is as good as not named.
    other
        Name of the contrast class; it need not have seeds.

    Raises
    ------
    SeedError
        There is no class to aim at.
    """
    classes = tuple(sorted(name for name, seeds in by_class.items() if seeds))
    if not classes:
        raise SeedError("there are no seeds; give a class at least one example.")
    if set(classes) <= {other}:
        raise SeedError(
            f"all seeds are of the contrast class {other!r}, so there is nothing to look for; add "
            "a class, or name another contrast class (--other)."
        )
    groups = [by_class[name] for name in classes]
    return SeedSet(
        classes=classes,
        uris=tuple(tuple(seed.uri for seed in group) for group in groups),
        vectors=tuple(np.stack([seed.vector for seed in group]) for group in groups),
        other=other if other in classes else None,
        sha256=tuple(tuple(seed.sha256 for seed in group) for group in groups),
    )


def _from_index(index: Index, items: dict[str, Item]) -> dict[str, tuple[FloatArray, str]]:
    """Vectors and hashes of the seeds that the index holds in their present version."""
    rows = np.setdiff1d(index.find("image_path", list(items)), index.dead)
    uris, versions = index.uris(rows), index.values("version", rows)
    same = [
        place
        for place, (uri, version) in enumerate(zip(uris, versions, strict=True))
        # Images that cannot be read here any more (an expired bucket) are still good as seeds.
        if items[uri].size < 0 or version in (None, items[uri].version)
    ]
    kept = rows[same]
    hashes = index.values("sha256", kept)
    return {
        uris[place]: (vector, sha256 or "")
        for place, vector, sha256 in zip(same, index.take(kept), hashes, strict=True)
    }


def _require_readable(
    usable: Mapping[str, Sequence[Seed]],
    wanted: set[str],
    unreadable: Sequence[tuple[str, str]],
    total: int,
) -> None:
    empty = sorted(wanted - set(usable))
    if empty:
        reasons = f"; first: {unreadable[0][0]}: {unreadable[0][1]}" if unreadable else ""
        raise SeedError(
            f"class {empty[0]} has no readable seed ({len(unreadable)} of {total} seed images "
            f"cannot be read{reasons}); replace them."
        )
