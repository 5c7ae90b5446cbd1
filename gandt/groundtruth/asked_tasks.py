"""What a job asked about: its manifest as tasks, by the number that its answers refer to.

Reads a manifest that went into a job or came out of it, or the `dataObject` of a consolidation
request. An object's id is the number of its line, from 0. A task is known by the image's name in
the pool (`gandt-pool-uri`, where the reference was rewritten for the job), by its `source-ref`, or
by the text itself; a tiled task is several, one for each image. Planted known answers stand in
`gandt-gold`, or in `gandt-golds`, a list in the order of the tiles.

Lines that break the rules are reported and the rest is read; `gandt validate` is the place for
judging a manifest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from gandt import storage
from gandt.errors import ManifestError
from gandt.groundtruth.json_lines import (
    GOLD,
    GOLDS,
    POOL_URI,
    POOL_URIS,
    SOURCE,
    SOURCE_REF,
    UTF8_BOM,
    decode_tiles,
    dump,
    image_uris,
    parse_line,
)
from gandt.groundtruth.label_values import brief, number
from gandt.groundtruth.output import label_attributes

__all__ = ["GOLD", "GOLDS", "AskedTask", "Note", "asked_task", "failure_reasons", "read_asked"]

Note = Callable[[str, str, str], None]  # kind of oddity, where, reason


@dataclass(frozen=True, slots=True)
class AskedTask:
    """One object of a job."""

    names: tuple[str, ...]  # one; of a tiled task one for each image
    record: dict[str, object]  # the line of the manifest
    where: str  # URI of the manifest and the line
    indexes: tuple[int, ...] | None = None  # of the tiles, in the order of `names`
    references: tuple[str, ...] = ()  # of the tiles
    golds: tuple[object, ...] = ()  # known answers as they stand, None where there is none
    classes: tuple[str, ...] = ()  # what a tiled task offers, `other` included
    other: str | None = None  # its choice for images of no class
    text: str | None = None  # what is to be read, where it is no image
    attribute: str | None = None  # label attribute of the job that asked, where it is known

    def line(self, position: int) -> dict[str, object]:
        """The manifest's line of one name; the image of a tile has one of its own."""
        if self.indexes is None:
            return self.record
        reference, name = self.references[position], self.names[position]
        line: dict[str, object] = {SOURCE_REF: reference}
        if name != reference:
            line[POOL_URI] = name
        if self.golds and self.golds[position] is not None:
            line[GOLD] = self.golds[position]
        return line


def asked_task(record: dict[str, object], where: str) -> AskedTask:
    """Read one line of a manifest.

    Raises
    ------
    ManifestError
        With the bare reason, where it names neither images nor a text.
    """
    references = image_uris(record)
    source = record.get(SOURCE)
    gold = (record[GOLD],) if GOLD in record else ()
    if references is None:
        text = str(source)
        return AskedTask((text,), record, where, golds=gold, text=text)
    tiles = None if SOURCE_REF in record else decode_tiles(str(source))
    if tiles is None:
        name = record.get(POOL_URI)
        names = (name,) if isinstance(name, str) and name else references
        return AskedTask(names, record, where, golds=gold)
    golds = record.get(GOLDS)
    return AskedTask(
        _strings(record.get(POOL_URIS), len(tiles)) or references,
        record,
        where,
        indexes=tuple(_index(tile, position) for position, tile in enumerate(tiles)),
        references=references,
        golds=tuple(golds) if isinstance(golds, list) and len(golds) == len(tiles) else (),
        classes=_offered(tiles[0]),
        other=_other(tiles[0]),
    )


def _strings(value: object, length: int) -> tuple[str, ...]:
    """The texts in a list of this length; none where it is no such list."""
    texts = tuple(value) if isinstance(value, list) else ()
    fitting = len(texts) == length and all(isinstance(text, str) and text for text in texts)
    return texts if fitting else ()


def _index(tile: object, position: int) -> int:
    value = number(tile.get("index")) if isinstance(tile, dict) else None
    return position if value is None or value % 1 else int(value)


def _offered(first: object) -> tuple[str, ...]:
    if not isinstance(first, dict):
        return ()
    events, other = first.get("event_names"), _other(first)
    names = [name for name in events if isinstance(name, str)] if isinstance(events, list) else []
    if names and other is not None:
        names.append(other)
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _other(first: object) -> str | None:
    label = first.get("other_category_label") if isinstance(first, dict) else None
    return label.strip() or None if isinstance(label, str) else None


def read_asked(uri: str, note: Note) -> dict[int, AskedTask]:
    """Read a manifest: its tasks by the number of the line, from 0.

    Parameters
    ----------
    note
        Called for each line that cannot be read and is left out.

    Raises
    ------
    StorageError
        Where the file cannot be read.
    """
    asked: dict[int, AskedTask] = {}
    for index, raw in enumerate(storage.open_lines(uri)):
        line = raw.removeprefix(UTF8_BOM) if index == 0 else raw
        if not line.strip():
            continue
        where = f"{uri}:{index + 1}"
        try:
            parsed = parse_line(line)
            record = parsed.record
            if parsed.non_finite:
                record = {key: _finite(value) for key, value in record.items()}
            if b"\\u" in line:
                dump(record)  # half of a surrogate pair could never be written again
            asked[index] = asked_task(record, where)
        except (ManifestError, RecursionError) as error:
            note("unreadable", where, f"The line {error}; its task is not known.")
            continue
        _check_tiles(asked[index], note)
    return asked


def _check_tiles(task: AskedTask, note: Note) -> None:
    count = len(task.names)
    if task.indexes is not None:
        if POOL_URIS in task.record and not _strings(task.record[POOL_URIS], count):
            note("unreadable", task.where, f"`{POOL_URIS}` does not list {count} names: not used.")
        if GOLDS in task.record and not task.golds:
            note("unreadable", task.where, f"`{GOLDS}` does not list {count} answers: not used.")


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_finite(part) for part in value]
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return value


def failure_reasons(record: dict[str, object], attribute: str | None) -> list[str]:
    """Why Ground Truth failed this object, in every job that did (or in the one of `attribute`)."""
    return [
        brief(metadata["failure-reason"])
        for name, metadata in label_attributes(record).items()
        if "failure-reason" in metadata and attribute in (None, name)
    ]
