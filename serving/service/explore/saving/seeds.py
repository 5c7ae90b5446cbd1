"""Seeds by the names under which files have them: a table of images, uploaded files, prompts.

What `gandt select --seeds` makes of such a table has to be the same seeds again. So names that a
table cannot hold (paths that are not absolute, in an index of another tool) are told apart, and a
class that would be read back as another is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gandt import storage
from gandt.errors import BadImage, StorageError, UsageError
from gandt.pool.containers import SNIFF, container_kind
from gandt.pool.sources import find_items
from gandt.selection.seeds import LabeledItem, Prompt
from gandt.serving.service.explore.engine import Engine, Ref, UnusableRef
from gandt.tables import format_csv, read_rows
from gandt.types import Item

__all__ = ["NamedSeeds", "can_be_listed", "name_seeds", "write_table"]

_ENDINGS = {
    "JpegImageFile": "jpg",
    "PngImageFile": "png",
    "WebPImageFile": "webp",
    "TiffImageFile": "tif",
    "GifImageFile": "gif",
    "BmpImageFile": "bmp",
}


@dataclass(frozen=True, slots=True)
class NamedSeeds:
    """Seeds, each image and each text of a class once, in the given order."""

    images: tuple[tuple[str, str], ...]  # URI, or path of an upload below the folder; class
    uploads: Mapping[str, bytes]  # path below the folder -> the file
    prompts: tuple[Prompt, ...]

    @property
    def unlisted(self) -> list[str]:
        """The URIs that no table can hold."""
        return list(dict.fromkeys(uri for uri, _ in self.images if not self._listed(uri)))

    def _listed(self, uri: str) -> bool:
        return uri in self.uploads or can_be_listed(uri)

    def rows(self) -> list[tuple[str, str]]:
        """The rows of the table: path and class."""
        return [(uri, label) for uri, label in self.images if self._listed(uri)]

    def items(self, folder: Path) -> list[LabeledItem]:
        """The images as they lie there, uploads below this folder."""
        places = {uri: self._place(uri, folder) for uri, _ in self.images}
        found = _find([place for uri, place in places.items() if self._listed(uri)])
        return [
            LabeledItem(found.get(places[uri], Item(places[uri], -1, "")), label)
            for uri, label in self.images
        ]

    def _place(self, uri: str, folder: Path) -> str:
        return f"{folder}/{uri}" if uri in self.uploads else uri


def _find(uris: Sequence[str]) -> dict[str, Item]:
    try:
        return find_items(uris)
    except StorageError:  # the index has what is needed of images that cannot be reached any more
        return find_items([uri for uri in uris if not storage.is_remote(uri)])


def name_seeds(engine: Engine, seeds: Mapping[str, Sequence[Ref]], folder: str) -> NamedSeeds:
    """Find the names of seeds.

    Parameters
    ----------
    folder
        Where uploads are to lie, relative to the table.

    Raises
    ------
    NoSuchImage, UnusableRef
        A seed is of no image of the pool, or no image at all.
    UsageError
        A class cannot stand in a table.
    """
    images: list[tuple[str, str]] = []
    uploads: dict[str, bytes] = {}
    prompts: list[Prompt] = []
    for label, group in seeds.items():
        if group:
            _check_class(label)
        ids = [ref.id for ref in group if ref.id is not None]
        by_id = {picture.id: picture.uri for picture in engine.pictures(ids)}
        for ref in group:
            if ref.text is not None:
                prompts.append(Prompt(ref.text, label))
            elif ref.image is not None:
                path = f"{folder}/{_upload_name(ref.image, ref)}"
                uploads[path] = ref.image
                images.append((path, label))
            else:
                images.append((by_id[ref.id] if ref.id is not None else str(ref.uri), label))
    return NamedSeeds(tuple(dict.fromkeys(images)), uploads, tuple(dict.fromkeys(prompts)))


def _check_class(label: str) -> None:
    try:
        several = label.startswith("[") and isinstance(json.loads(label), list)
    except ValueError:
        several = False
    if several or not label.strip():
        raise UsageError(
            f"a class cannot be called {label!r}, which a table of labels takes for something "
            "else: rename it."
        )


def _upload_name(data: bytes, ref: Ref) -> str:
    try:
        ending = _ENDINGS[container_kind(data[:SNIFF]).__name__]
    except BadImage as error:
        raise UnusableRef(
            f"the uploaded file is no image that can be used: {error}.", ref
        ) from error
    return f"{hashlib.sha256(data).hexdigest()}.{ending}"


def can_be_listed(uri: str) -> bool:
    """Whether a table of paths gives a URI back as it is."""
    if storage.is_remote(uri):
        return True
    return Path(uri).is_absolute() and storage.normalize(uri) == uri


def write_table(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write a table of names, and make sure that it is read back as what it was.

    Parameters
    ----------
    rows
        The first is the header.

    Raises
    ------
    UsageError
        A name cannot stand in a table.
    StorageError
        The file cannot be written.
    """
    try:
        data = format_csv(rows).encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{error.object[:80]!a} is not valid Unicode: rename it.") from error
    storage.write_bytes(path, data)
    table = read_rows(str(path))
    back = list(zip(*(table.columns[name] for name in rows[0]), strict=True))
    for given, found in zip(rows[1:], back, strict=True):
        if tuple(given) != found:
            raise UsageError(f"{given!r} cannot stand in a table: take out the line breaks.")
