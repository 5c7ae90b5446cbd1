"""A task by name, and its line in a manifest: from the one to the other.

Everywhere outside manifests a task is a name: the image's name in the pool (`gandt-pool-uri` where
the reference was rewritten for a job), else its `source-ref`, or the text itself. Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gandt import storage
from gandt.answers import Kind
from gandt.errors import ManifestError
from gandt.groundtruth.json_lines import (
    GOLDS,
    POOL_URI,
    POOL_URIS,
    SOURCE,
    SOURCE_REF,
    TILES,
    decode_tiles,
    image_uris,
)
from gandt.groundtruth.label_names import METADATA, label_attributes

__all__ = ["task_line", "task_name"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_IMAGE_SUFFIXES = (
    *(".apng", ".avif", ".bmp", ".gif", ".heic", ".ico", ".jfif", ".jp2", ".jpeg", ".jpg"),
    *(".png", ".svg", ".tif", ".tiff", ".webp"),
)


def task_name(record: Mapping[str, object]) -> str | None:
    """Name the task of a line; of a tiled task its images' names, joined by ", ".

    None where the line has neither `source-ref` nor `source` that is a string.
    """
    for key in (POOL_URI, SOURCE_REF):
        name = record.get(key)
        if isinstance(name, str):
            return name
    source = record.get(SOURCE)
    if not isinstance(source, str):
        return None
    if decode_tiles(source) is None:
        return source
    names = record.get(POOL_URIS)
    if not isinstance(names, list):
        try:
            names = list(image_uris({SOURCE: source}) or ())
        except ManifestError:
            return source
    return ", ".join(map(str, names))


def task_line(
    task: str, lines: Mapping[str, Mapping[str, object]], kind: Kind | None
) -> dict[str, object]:
    """Give the line of one image or text, with all keys that its line in the job had.

    An image of a tiled task gets a line of its own, with what the tiled task carried beside its
    labels. A task without a line is an image where it looks like one (or where only images can be
    asked about), else a text.

    Parameters
    ----------
    lines
        Lines of manifests by the name of the task.
    """
    line = lines.get(task)
    if line is None:
        return _new_line(task, kind)
    source = line.get(SOURCE)
    if isinstance(line.get(SOURCE_REF), str) or source == task:
        return dict(line)
    tiles = decode_tiles(source) if isinstance(source, str) else None
    if tiles is None:
        # What is asked about comes first, as Ground Truth writes it.
        return dict(line) if isinstance(source, str) else _new_line(task, kind) | dict(line)
    reference = _tile_reference(task, tiles, line.get(POOL_URIS))
    taken = {SOURCE, POOL_URI, POOL_URIS, GOLDS, TILES}
    for name in label_attributes(line):
        taken |= {name, f"{name}{METADATA}"}
    record: dict[str, object] = {SOURCE_REF: reference}
    record |= {key: value for key, value in line.items() if key not in taken}
    return record if reference == task else {**record, POOL_URI: task}


def _tile_reference(task: str, tiles: list[object], names: object) -> str:
    references = [tile.get(SOURCE_REF) if isinstance(tile, dict) else None for tile in tiles]
    known = names if isinstance(names, list) and len(names) == len(tiles) else references
    for name, reference in zip(known, references, strict=True):
        if name == task and isinstance(reference, str):
            return reference
    return task


def _new_line(task: str, kind: Kind | None) -> dict[str, object]:
    if kind == "spans" or (kind not in ("boxes", "mask") and not _is_image(task)):
        return {SOURCE: task}
    # A manifest knows no folder that a relative path could start from.
    whole = task.startswith("/") or (_SCHEME.match(task) and not task.startswith("file://"))
    return {SOURCE_REF: task if whole else storage.normalize(task)}


def _is_image(task: str) -> bool:
    """Whether a name is that of an image: by its suffix; a whole path or URI needs none."""
    if storage.is_remote(task):
        return True
    if "\n" in task or task != task.strip():
        return False
    scheme = _SCHEME.match(task)
    if task.casefold().endswith(_IMAGE_SUFFIXES):
        return scheme is not None or "://" not in task  # a text may end in the address of an image
    return (scheme is not None or task.startswith("/")) and not any(map(str.isspace, task))
