"""What a worker's page finds under `task.input` for a line of the manifest.

`gandt.serving.lambdas.pre_annotation` answers Ground Truth with it, and `gandt.labeling` fills
pages with it on this machine, so that a page shows here what it shows in a job. Needs the standard
library alone, since it is part of the Lambda functions' zip. Pure functions.
"""

from __future__ import annotations

from collections.abc import Mapping

from gandt.errors import ManifestError
from gandt.json_text import brief, decode, sendable

__all__ = ["line_input"]

_SOURCE, _REFERENCE = "source", "source-ref"
_OWN = "gandt-"  # our notes on a line, which are no business of the worker
_TILE_KEYS = (_REFERENCE, "index")


def line_input(line: Mapping[str, object]) -> dict[str, object]:
    """Give the line itself, and what it is about as `taskObject`.

    The line goes without our own notes, so that a template for jobs without a function works with
    one too. `taskObject` is the image's URI, the text, or the decoded list or object where `source`
    is JSON text (tiled tasks: `[{"source-ref", "index"}, …]`). `labels` are those of the line, or
    what the first tile offers.

    Raises
    ------
    ManifestError
        Where the line names nothing that could be shown: Ground Truth would fail that object.
    """
    subject = _subject(line)
    given = {str(key): sendable(value) for key, value in line.items() if not _is_own(key)}
    found: dict[str, object] = {**given, "taskObject": subject}
    labels = _offered(subject)
    if labels and not isinstance(found.get("labels"), list):
        found["labels"] = labels
    return found


def _is_own(key: object) -> bool:
    return isinstance(key, str) and key.startswith(_OWN)


def _subject(line: Mapping[str, object]) -> object:
    reference = line.get(_REFERENCE)
    if reference is not None:
        if not isinstance(reference, str) or not reference.strip():
            raise ManifestError(
                f"The line's {_REFERENCE} is {brief(reference)}: it must be the URI of an image."
            )
        return _whole(reference, line)
    source = line.get(_SOURCE)
    if source is None:
        raise ManifestError(
            f"The line has neither {_SOURCE} nor {_REFERENCE} ({brief(line)}): every line of the "
            "manifest needs one of them."
        )
    if isinstance(source, str):
        if not source.strip():
            raise ManifestError(f"The line's {_SOURCE} is empty ({brief(line)}).")
        source = _decoded(source, line)
    elif not isinstance(source, (list, dict)):
        raise ManifestError(f"The line's {_SOURCE} is {brief(source)}: it must be text.")
    if isinstance(source, list):
        _check_tiles(source)
    return source


def _decoded(source: str, line: Mapping[str, object]) -> object:
    if not source.lstrip().startswith(("[", "{")):
        return _whole(source, line)
    try:
        return decode(source)
    except ValueError as error:
        if any(f'"{key}"' in source for key in _TILE_KEYS):
            raise ManifestError(
                f"The line's {_SOURCE} looks like a tiled task but is not valid JSON ({error}): "
                f"{brief(source)}"
            ) from None
        return _whole(source, line)  # text that begins with a bracket


def _whole(text: str, line: Mapping[str, object]) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ManifestError(f"The line holds half of a character ({brief(line)}).") from None
    return text


def _check_tiles(tiles: list[object]) -> None:
    if not tiles:
        raise ManifestError(f"The line's {_SOURCE} is an empty list: there is nothing to show.")
    if not any(isinstance(tile, dict) and set(_TILE_KEYS) & set(tile) for tile in tiles):
        return  # some other list, which the template will know
    for number, tile in enumerate(tiles, 1):
        reference = tile.get(_REFERENCE) if isinstance(tile, dict) else None
        if not isinstance(reference, str) or not reference.strip():
            raise ManifestError(
                f"Tile {number} of {len(tiles)} names no image in {_REFERENCE}: {brief(tile)}"
            )


def _offered(subject: object) -> list[str]:
    """The labels that a tiled task offers: its events, and the choice for images of none."""
    first = subject[0] if isinstance(subject, list) else None
    if not isinstance(first, dict) or not isinstance(first.get("event_names"), list):
        return []
    names = [*first["event_names"], first.get("other_category_label")]
    return list(dict.fromkeys(name for name in names if isinstance(name, str) and name.strip()))
