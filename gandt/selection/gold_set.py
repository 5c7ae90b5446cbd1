"""The images whose labels are known: found, read, and freed of what could not be trusted.

Reads what seeds are read from: a folder per class, a table with paths and labels, the folder or
labels of a finished round, an output manifest; local or on S3. An image must be of a class that
workers can choose: one of the seeds', or the choice for images of none. Left out, and said, are
images that cannot be read and the same picture again.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from gandt.errors import BadImage, PoolError, SeedError
from gandt.groundtruth.json_lines import NONE_OF_THE_ABOVE
from gandt.index.folder import Index
from gandt.pool.sources import read_item
from gandt.selection.seeds import find_seeds
from gandt.types import IntArray, Item
from gandt.words import count

__all__ = [
    "READERS",
    "GoldSet",
    "KnownFile",
    "nothing_left",
    "read_gold_set",
    "unreadable_note",
]

READERS = 8  # threads: reading is mostly waiting


@dataclass(frozen=True, slots=True)
class KnownFile:
    """An image and its labels, of which there is one, or several where it is of several classes."""

    item: Item
    labels: tuple[str, ...]
    sha256: str  # of its bytes
    sound: bool  # whether it is known to decode


@dataclass(frozen=True, slots=True)
class GoldSet:
    """All images that could be planted, and what was left out of them."""

    images: tuple[KnownFile, ...]
    notes: tuple[str, ...]

    def rows(self, index: Index) -> IntArray:
        """Sorted rows of the index that hold one of them, or a copy of its bytes."""
        return np.union1d(
            index.find("image_path", [known.item.uri for known in self.images]),
            index.find("sha256", [known.sha256 for known in self.images]),
        )


def read_gold_set(
    sources: Sequence[str],
    index: Index,
    *,
    classes: Collection[str],
    other: str,
    attribute: str | None = None,
) -> GoldSet:
    """Find the known images, and read those that the index does not hold.

    Parameters
    ----------
    classes
        Those of the seeds.
    other
        The contrast class: the name of the choice for images of no class.
    attribute
        The label attribute of output manifests that hold several.

    Raises
    ------
    SeedError
        A source holds no labeled image, an image is of a class that workers are not offered, or
        not one image can be read.
    PoolError, StorageError, ManifestError
        A source cannot be read.
    """
    labels: dict[str, list[str]] = defaultdict(list)
    items: dict[str, Item] = {}
    try:
        found = find_seeds(sources, attribute=attribute)
    except (SeedError, PoolError) as error:
        raise type(error)(f"--gold: {error}") from error
    machine = [labeled.item.uri for labeled in found if labeled.machine]
    if machine:
        raise SeedError(
            f"--gold: {count(len(machine), 'automatic label')}, which nobody knows to be right; "
            f"first: {machine[0]}. Name labels that people gave."
        )
    for labeled in found:
        items[labeled.item.uri] = labeled.item
        labels[labeled.item.uri].append(labeled.label)
    nothing = {other, NONE_OF_THE_ABOVE} - set(classes)
    _check_classes(labels, set(classes), nothing, other)
    hashes, unreadable = _hashes(index, items)
    first: dict[str, str] = {}  # by content, the image that stands for it
    copies: list[str] = []
    torn: dict[str, str] = {}  # by content, the image that says otherwise
    for uri, (sha256, _) in hashes.items():
        original = first.setdefault(sha256, uri)
        if original != uri:
            copies.append(uri)
            if set(labels[original]) != set(labels[uri]):
                torn.setdefault(sha256, uri)
    images = tuple(
        KnownFile(items[uri], tuple(sorted(labels[uri])), sha256, sound)
        for uri, (sha256, sound) in hashes.items()
        if first[sha256] == uri and sha256 not in torn
    )
    notes = [unreadable_note(unreadable)] if unreadable else []
    if torn:
        sha256, uri = next(iter(torn.items()))
        have = "it has" if len(torn) == 1 else "they have"
        notes.append(
            f"{count(len(torn), 'gold picture')} left out, for {have} different labels "
            f"in different places; first: {first[sha256]} and {uri}."
        )
    same = len(copies) - sum(hashes[uri][0] in torn for uri in copies)
    if same:
        notes.append(f"{count(same, 'gold image')} left out as the same picture again.")
    if not images:
        raise SeedError(nothing_left(notes))
    return GoldSet(images, tuple(notes))


def _check_classes(
    labels: dict[str, list[str]], classes: set[str], nothing: set[str], other: str
) -> None:
    strange = {
        name: uri
        for uri, names in labels.items()
        for name in names
        if name not in classes | nothing
    }
    if strange:
        name, uri = next(iter(strange.items()))
        number = count(len(strange) - 1, "more class", "more classes")
        more = f" and {number}" if len(strange) > 1 else ""
        theirs = ", ".join(sorted(classes - {other}))
        raise SeedError(
            f"the gold image {uri} is of the class {name!r}{more}, which no seed has, so workers "
            f"would not be offered it: rename it to one of theirs ({theirs}), "
            f"or to {other!r} for images of none of these (--other names that)."
        )
    for uri, names in labels.items():
        if len(set(names)) > 1 and (nothing | {other}) & set(names):
            raise SeedError(
                f"the gold image {uri} is of {' and of '.join(sorted(set(names)))}, which "
                "contradict each other: keep one."
            )


def _hashes(
    index: Index, items: dict[str, Item]
) -> tuple[dict[str, tuple[str, bool]], list[tuple[str, str]]]:
    """SHA-256 of each image's bytes, and whether it is known to decode; and what cannot be read."""
    rows = np.setdiff1d(index.find("image_path", list(items)), index.dead)
    found: dict[str, tuple[str, bool]] = {}
    for uri, version, sha256 in zip(
        index.uris(rows), index.values("version", rows), index.values("sha256", rows), strict=True
    ):
        if sha256 and version == items[uri].version:
            found[uri] = (sha256, True)
    unreadable: list[tuple[str, str]] = []
    waiting = [item for uri, item in items.items() if uri not in found]

    def hashed(item: Item) -> tuple[str, str]:
        try:
            return hashlib.sha256(read_item(item)).hexdigest(), ""
        except BadImage as error:
            return "", str(error)

    with ThreadPoolExecutor(READERS) as readers:
        for item, (sha256, reason) in zip(waiting, readers.map(hashed, waiting), strict=True):
            if reason:
                unreadable.append((item.uri, reason))
            else:
                found[item.uri] = (sha256, False)
    return {uri: found[uri] for uri in items if uri in found}, unreadable


def unreadable_note(found: Sequence[tuple[str, str]]) -> str:
    """Say how many images are left out as unreadable, given each with its reason."""
    uri, reason = found[0]
    return f"{count(len(found), 'gold image')} left out as unreadable; first: {uri}: {reason}."


def nothing_left(notes: Sequence[str]) -> str:
    """Say that there is nothing to plant, and why."""
    return f"no gold image can be planted: {' '.join(notes)} Name others with --gold."
