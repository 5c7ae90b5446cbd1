"""What the pre-annotation Lambda makes of a line of the manifest, on this machine.

The counterpart of `gandt.serving.lambdas.pre_annotation`, which is packaged alone and can share no
code with this room; the tests hold the two together, line by line. So what a page shows here is
what it shows in a job ("Pre-annotation Lambda", SageMaker developer guide). Pure functions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from gandt.errors import ManifestError
from gandt.groundtruth.json_lines import SOURCE, SOURCE_REF

__all__ = ["line_input"]

_OWN = "gandt-"  # our notes on a line, which are no business of the worker
_MAX_DEPTH = 60  # levels of nesting that are handed on
_TILE_KEYS = (SOURCE_REF, "index")


def line_input(record: Mapping[str, object]) -> dict[str, object]:
    """Give what a page finds under `task.input` for a line.

    That is the line without our own notes; `taskObject`, the image's URI, the text, or the list or
    object that `source` holds as JSON text; and `labels`, those of the line or what its first tile
    offers.

    Raises
    ------
    ManifestError
        Where the line names nothing that could be shown: Ground Truth would fail that object.
    """
    subject = _subject(record)
    found: dict[str, object] = {
        key: _sendable(value) for key, value in record.items() if not key.startswith(_OWN)
    }
    found["taskObject"] = subject
    labels = _offered(subject)
    if labels and not isinstance(found.get("labels"), list):
        found["labels"] = labels
    return found


def _subject(record: Mapping[str, object]) -> object:
    reference = record.get(SOURCE_REF)
    if reference is not None:
        if not isinstance(reference, str) or not reference.strip():
            raise ManifestError(f"The line's {SOURCE_REF} must be the URI of an image.")
        return _whole(reference)
    source = record.get(SOURCE)
    if source is None:
        raise ManifestError(f"The line has neither {SOURCE} nor {SOURCE_REF}: give it one of them.")
    if isinstance(source, str):
        if not source.strip():
            raise ManifestError(f"The line's {SOURCE} is empty: give it a text, or leave it out.")
        source = _decoded(source)
    elif not isinstance(source, (list, dict)):
        raise ManifestError(f"The line's {SOURCE} must be text.")
    if isinstance(source, list):
        _check_list(source)
    return source


def _decoded(source: str) -> object:
    if not source.lstrip().startswith(("[", "{")):
        return _whole(source)
    try:
        value = json.loads(source, parse_constant=_refuse, parse_float=_finite)
        if _deeper(value, _MAX_DEPTH):
            raise ValueError("it is nested too deeply")
        json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    except (ValueError, RecursionError) as error:
        if any(f'"{key}"' in source for key in _TILE_KEYS):
            raise ManifestError(
                f"The line's {SOURCE} looks like a tiled task but is not valid JSON ({error}): "
                "write it with json.dumps."
            ) from None
        return _whole(source)  # a text that begins with a bracket
    return value


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ManifestError(
            "The line holds half of a character (a lone surrogate): write it as UTF-8."
        ) from None
    return text


def _check_list(tiles: list[object]) -> None:
    if not tiles:
        raise ManifestError(f"The line's {SOURCE} is an empty list: there is nothing to show.")
    if not any(isinstance(tile, dict) and set(_TILE_KEYS) & set(tile) for tile in tiles):
        return  # some other list, which the template will know
    for number, tile in enumerate(tiles, 1):
        reference = tile.get(SOURCE_REF) if isinstance(tile, dict) else None
        if not isinstance(reference, str) or not reference.strip():
            raise ManifestError(
                f"Tile {number} of {len(tiles)} names no image in {SOURCE_REF}: name one."
            )


def _offered(subject: object) -> list[str]:
    first = subject[0] if isinstance(subject, list) else None
    if not isinstance(first, dict) or not isinstance(first.get("event_names"), list):
        return []
    names = [*first["event_names"], first.get("other_category_label")]
    return list(dict.fromkeys(name for name in names if isinstance(name, str) and name.strip()))


def _sendable(value: object) -> object:
    """Give the value itself where JSON can hold it, else text that shows it whole."""
    try:
        if not _deeper(value, _MAX_DEPTH):
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
            return value
    except (ValueError, TypeError):
        pass
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return json.dumps(value, default=repr)


def _deeper(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        return levels == 0 or any(_deeper(part, levels - 1) for part in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_deeper(part, levels - 1) for part in value)
    return False


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large a number")
    return value
