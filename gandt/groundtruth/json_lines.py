"""One line of a manifest: its limits, strict parsing, and one way of writing it.

Reads and writes bytes in memory only; `manifest`, `output` and `check` build on it. The limits are
those of the SageMaker developer guide, "Input Data" (an object of at most 100,000 characters on
each line, attributes of at most 20,000, at most 100,000 objects a job).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gandt import storage
from gandt.errors import ManifestError

__all__ = [
    "GOLD",
    "GOLDS",
    "MAX_ATTRIBUTE",
    "MAX_LINE",
    "MAX_OBJECTS",
    "NONE_OF_THE_ABOVE",
    "POOL_URI",
    "POOL_URIS",
    "SOURCE",
    "SOURCE_REF",
    "TILES",
    "UTF8_BOM",
    "WHY",
    "ParsedLine",
    "StrictJson",
    "decode_tiles",
    "dump",
    "fits",
    "image_uris",
    "parse_line",
    "parse_strictly",
    "read_objects",
]

MAX_LINE = 100_000  # characters; the Lambda guide says kilobytes, so bytes are watched as well
MAX_ATTRIBUTE = 20_000  # characters
MAX_OBJECTS = 100_000  # a job, unless the account's quota was raised

SOURCE = "source"
SOURCE_REF = "source-ref"
_TILE_KEYS = (SOURCE_REF, "index")
POOL_URI = "gandt-pool-uri"  # our own key: the image's name in the pool, where it was rewritten
POOL_URIS = "gandt-pool-uris"  # the same for a tiled task: a list, in the order of its images
GOLD = "gandt-gold"  # the known label of a planted image; of several classes a list
WHY = "gandt-why"  # the rule or the goal that chose an image
GOLDS = "gandt-golds"  # the same for a tiled task: a list in the order of its images, null for none
TILES = "tiles"  # what `source` holds as a list, for pages without a pre-annotation Lambda
NONE_OF_THE_ABOVE = "None of the above"  # the choice, in a tiled task, for images of no class
UTF8_BOM = b"\xef\xbb\xbf"

# Legal inside JSON text, but many programs (`str.splitlines` among them) end a line here.
_LINE_BREAKS = {ord(mark): f"\\u{ord(mark):04x}" for mark in "\x85\u2028\u2029"}


@dataclass(frozen=True, slots=True)
class StrictJson:
    """A JSON value, and what strict JSON would object to though it could be read."""

    value: object
    repeated: tuple[str, ...] = ()  # names that an object holds twice; the last value counts
    non_finite: tuple[str, ...] = ()  # NaN, Infinity, -Infinity or numbers beyond a double


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """The object on a line, and what strict JSON would object to; see `StrictJson`."""

    record: dict[str, object]
    repeated: tuple[str, ...] = ()
    non_finite: tuple[str, ...] = ()


def dump(value: object) -> str:
    """Write a value as one line of JSON: readable Unicode, no escapes that nobody needs.

    Raises
    ------
    ManifestError
        Where it holds NaN, an infinity, or a lone surrogate (a file name that is not UTF-8).
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False).translate(_LINE_BREAKS)
        text.encode()
    except UnicodeEncodeError as error:
        raise ManifestError(
            f"{error.object[:200]!a} holds a name that is not valid Unicode and cannot stand "
            "in a manifest: rename the file."
        ) from error
    except ValueError as error:
        raise ManifestError(
            f"A manifest cannot hold NaN or infinite numbers ({error}): leave the value out."
        ) from error
    return text


def fits(attribute: str, line: str) -> bool:
    """Whether a line and its longest attribute keep the limits of Ground Truth."""
    return len(attribute) <= MAX_ATTRIBUTE and len(line.encode()) <= MAX_LINE


def parse_strictly(text: str) -> StrictJson:
    """Parse JSON and note repeated names and numbers that JSON does not know.

    Raises
    ------
    ValueError, RecursionError
        As `json.loads` does.
    """
    repeated: list[str] = []
    non_finite: list[str] = []

    def build(pairs: list[tuple[str, object]]) -> dict[str, object]:
        record = dict(pairs)
        if len(record) < len(pairs):
            names = Counter(name for name, _ in pairs)
            repeated.extend(name for name, count in names.items() if count > 1)
        return record

    def constant(word: str) -> float:
        non_finite.append(word)
        return float(word)

    def number(digits: str) -> float:
        value = float(digits)
        if not math.isfinite(value):
            non_finite.append(digits)
        return value

    value = json.loads(text, object_pairs_hook=build, parse_constant=constant, parse_float=number)
    return StrictJson(value, tuple(repeated), tuple(non_finite))


def parse_line(raw: bytes) -> ParsedLine:
    """Parse one line that should hold one JSON object.

    Raises
    ------
    ManifestError
        With the bare reason, neither file nor line in it, where it is not UTF-8, not JSON, or not
        an object.
    """
    try:
        parsed = parse_strictly(raw.decode())
    except UnicodeDecodeError as error:
        raise ManifestError(f"is not UTF-8 text (byte {error.start + 1})") from error
    except json.JSONDecodeError as error:
        raise ManifestError(
            f"is not one complete JSON object ({error.msg}, column {error.colno})"
        ) from error
    except (RecursionError, ValueError) as error:  # very deep nesting; integers of 4,300 digits
        raise ManifestError(f"is JSON beyond what can be read ({error})") from error
    if not isinstance(parsed.value, dict):
        raise ManifestError(f"holds a JSON {_json_type(parsed.value)} where an object is needed")
    return ParsedLine(parsed.value, parsed.repeated, parsed.non_finite)


def _json_type(value: object) -> str:
    if isinstance(value, list):
        return "list"
    if isinstance(value, str):
        return "string"
    if value is None or isinstance(value, bool):
        return "constant"
    return "number"


def read_objects(uri: str) -> Iterator[tuple[int, dict[str, object]]]:
    """Stream `(line number from 1, object)`; blank lines and a byte-order mark are passed over.

    Raises
    ------
    ManifestError
        At the first line that is not a JSON object, with the number of that line.
    StorageError
        Where the file cannot be read.
    """
    for number, raw in enumerate(storage.open_lines(uri), start=1):
        line = raw.removeprefix(UTF8_BOM) if number == 1 else raw
        if not line.strip():
            continue
        try:
            yield number, parse_line(line).record
        except ManifestError as error:
            raise ManifestError(
                f"{uri}, line {number} {error}: a manifest is JSON Lines, one object on each line; "
                "run `gandt validate` on it to see every problem."
            ) from error


def decode_tiles(source: str) -> list[object] | None:
    """Decode the text of a tiled task into its list; None where it is ordinary text.

    A tiled task is a JSON list, in which at least one object has a `source-ref` or an `index`.
    """
    text = source.strip()
    if not (text.startswith("[") and any(f'"{key}"' in text for key in _TILE_KEYS)):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and any(_is_tile(e) for e in value):
        return value
    return None


def _is_tile(element: object) -> bool:
    return isinstance(element, dict) and any(key in element for key in _TILE_KEYS)


def image_uris(record: dict[str, object]) -> tuple[str, ...] | None:
    """URIs of the images that a manifest line asks about; None where it asks about text.

    Raises
    ------
    ManifestError
        With the bare reason, where neither `source-ref` nor `source` holds what it should.
    """
    reference = record.get(SOURCE_REF)
    if isinstance(reference, str):
        return (reference,)
    if reference is not None:
        raise ManifestError(f"has a `{SOURCE_REF}` that is not a string")
    source = record.get(SOURCE)
    if not isinstance(source, str):
        raise ManifestError(f"has neither a `{SOURCE_REF}` nor a `{SOURCE}` that is a string")
    tiles = decode_tiles(source)
    if tiles is None:
        return None
    uris = [tile.get(SOURCE_REF) if isinstance(tile, dict) else None for tile in tiles]
    named = tuple(uri for uri in uris if isinstance(uri, str))
    if len(named) < len(tiles):
        raise ManifestError(f"has a tile with no `{SOURCE_REF}`")
    return named
