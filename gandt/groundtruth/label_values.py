"""One label out of one JSON value: a name, names, boxes, spans of text, or a mask.

Takes values as `json.loads`, Parquet or a cell of a table give them and makes them the types of
`gandt.answers`. Everything that people or broken scripts put there is either understood or refused
with `LeftOut`, which says what kind of oddity it is. Pure functions; nothing is read or written.

The keys are those of Ground Truth's workers (developer guide, "Output Data"): `left`, `top`,
`width`, `height`; `startOffset`, `endOffset`.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterable, Sequence

import numpy as np

from gandt import rle
from gandt.answers import BACKGROUND, Box, Kind, Label, Mask, Span
from gandt.errors import AnswerError, UsageError

__all__ = [
    "LeftOut",
    "brief",
    "clean_text",
    "label_of_cell",
    "label_texts",
    "number",
    "parse_boxes",
    "parse_label",
    "parse_spans",
    "printable",
    "unpack",
]

_MAX_PIXELS = 1 << 28  # of a mask; Ground Truth itself stops at a hundred million
_NO_VALUE = frozenset({"", "nan", "NaN", "NAN", "<NA>", "null", "NULL"})  # as exports write it
_LISTS = (list, tuple)


class LeftOut(AnswerError):
    """Why a value is no label: a kind of oddity, and a reason with neither file nor worker."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def brief(value: object) -> str:
    """Show a value in a message: at most 60 characters of it, all printable.

    Of a path or URI these are the last ones, by which files are told apart; else the first.
    """
    try:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
    except (ValueError, RecursionError):
        text = f"a {type(value).__name__} that cannot be shown"
    if len(text) > 60:
        place = text.startswith(("/", "s3://")) and "\n" not in text
        text = f"…{text[-59:]}" if place else f"{text[:59]}…"
    return printable(text)


def printable(text: str) -> str:
    """Write out what no file or terminal would take (halves of surrogate pairs)."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def clean_text(value: object) -> str:
    """Give a name without blanks around it; numbers as JSON writes them, "" where there is none.

    Raises
    ------
    LeftOut
        Where it is no text, or one that cannot be written as UTF-8 (half of a surrogate pair).
    """
    if value is None:
        return ""
    if isinstance(value, (bool, int, float, np.generic)):
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, float) and not math.isfinite(plain):
            return ""
        value = plain if isinstance(plain, str) else json.dumps(plain, default=str)
    if not isinstance(value, str):
        raise LeftOut("unreadable", f"{brief(value)} stands where a name is needed")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise LeftOut("unreadable", f"{brief(value)} is not valid Unicode") from None
    text = value.strip()
    return "" if text in _NO_VALUE else text


def number(value: object) -> float | None:
    """Give a finite number, from a number or its text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, np.number)):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def unpack(text: str) -> object:
    """Decode JSON text of a list or an object, or a printed Python list; else give the text."""
    stripped = text.strip()
    if stripped[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(stripped)
    except (ValueError, RecursionError):
        pass
    if stripped[:2] in ("['", '["', "[{", "{'"):  # as pandas writes a list into CSV
        try:
            value = ast.literal_eval(stripped)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
        if isinstance(value, (list, dict)):
            return value
    return text


def label_texts(values: Iterable[object]) -> tuple[str, ...]:
    """Give the names in a list, blanks and repetitions left out."""
    texts = (clean_text(value) for value in values)
    return tuple(dict.fromkeys(text for text in texts if text))


def parse_boxes(value: object) -> tuple[Box, ...]:
    """Read a list of boxes, in pixels; boxes without area stay in.

    Raises
    ------
    LeftOut
        Where it is not a list of boxes.
    """
    return tuple(_box(part) for part in _parts(value, "boxes"))


def parse_spans(value: object) -> tuple[Span, ...]:
    """Read a list of named pieces of a text, in characters.

    Raises
    ------
    LeftOut
        Where it is not a list of spans.
    """
    return tuple(_span(part) for part in _parts(value, "spans"))


def parse_label(kind: Kind, value: object) -> Label:
    """Read a label of a known kind; the counterpart of `Answers.to_arrow`.

    JSON text is decoded where the kind is nested. An empty list is an answer here: of several
    labels none, no boxes, no spans.

    Raises
    ------
    LeftOut
        An `AnswerError` whose message is the bare reason, where the value is not of that kind.
    UsageError
        Where there is no such kind.
    """
    if kind == "single":
        text = clean_text(value)
        if not text:
            raise LeftOut("empty", "there is no label")
        return text
    if isinstance(value, str):
        value = unpack(value)
    if kind == "multi":
        if isinstance(value, str):
            return label_texts([value])
        if not isinstance(value, _LISTS):
            raise LeftOut("unreadable", f"{brief(value)} is not a list of labels")
        return label_texts(value)
    if kind == "boxes":
        return parse_boxes(value)
    if kind == "spans":
        return parse_spans(value)
    if kind == "mask":
        return _mask(value)
    raise UsageError(f"{kind!r} is no kind of label: say single, multi, boxes, spans or mask.")


def label_of_cell(value: object) -> tuple[Kind | None, Label]:
    """Read a cell of a table and tell its kind; None for an empty list, which fits several.

    Raises
    ------
    LeftOut
        Where the cell is empty or looks like a nested label but is broken.
    """
    if isinstance(value, str):
        value = unpack(value)
    if isinstance(value, dict):
        if "counts" in value and "size" in value:
            return "mask", _mask(value)
        if isinstance(choices := value.get("choices"), _LISTS):  # as Label Studio exports them
            return "multi", label_texts(choices)
        raise LeftOut("unreadable", f"{brief(value)} is an object that is no label")
    if isinstance(value, _LISTS):
        first = value[0] if len(value) else None
        if first is None:
            return None, ()
        if isinstance(first, dict):
            spans = "startOffset" in first
            return ("spans", parse_spans(value)) if spans else ("boxes", parse_boxes(value))
        texts = label_texts(value)
        if not texts:
            raise LeftOut("empty", "there is no label")
        return "multi", texts
    return "single", parse_label("single", value)


def _parts(value: object, what: str) -> Sequence[object]:
    if not isinstance(value, _LISTS):
        raise LeftOut("unreadable", f"{brief(value)} is not a list of {what}")
    return value


def _named(part: object) -> tuple[dict[str, object], str]:
    if not isinstance(part, dict):
        raise LeftOut("unreadable", f"{brief(part)} is not an object with a label")
    text = clean_text(part.get("label"))
    if not text:
        raise LeftOut("unreadable", f"{brief(part)} has no label")
    return part, text


def _box(part: object) -> Box:
    record, label = _named(part)
    values = [number(record.get(key)) for key in ("left", "top", "width", "height")]
    left, top, width, height = values
    if left is None or top is None or width is None or height is None:
        raise LeftOut("unreadable", f"{brief(part)} is not a box with left, top, width and height")
    return Box(label, left, top, width, height, number(record.get("confidence")))


def _span(part: object) -> Span:
    record, label = _named(part)
    start, end = number(record.get("startOffset")), number(record.get("endOffset"))
    if start is None or end is None or start % 1 or end % 1:
        raise LeftOut("unreadable", f"{brief(part)} is not a span with startOffset and endOffset")
    return Span(label, int(start), int(end), number(record.get("confidence")))


def _mask(value: object) -> Mask:
    """Draw the run lengths that `Mask.as_json` writes, or COCO's compressed spelling of them."""
    refused = LeftOut("unreadable", f"{brief(value)} is not a mask with size, classes and counts")
    if not isinstance(value, dict):
        raise refused
    size, names, counts = value.get("size"), value.get("classes"), value.get("counts")
    if not isinstance(size, list) or not isinstance(names, list) or not isinstance(counts, dict):
        raise refused
    sides = [side for side in size if isinstance(side, int) and side >= 0]
    classes = label_texts(names)
    if len(size) != 2 or len(sides) != 2 or not 1 <= len(names) <= 256:
        raise refused
    if len(classes) != len(names) or classes[0] != BACKGROUND or sides[0] * sides[1] > _MAX_PIXELS:
        raise refused
    pixels = np.zeros((sides[0], sides[1]), np.uint8)
    for name, runs in counts.items():
        if isinstance(runs, str):
            try:
                runs = rle.from_coco_string(runs)
            except AnswerError:
                raise refused from None
        if name not in classes or not isinstance(runs, list):
            raise refused
        if not all(type(run) is int and 0 <= run <= pixels.size for run in runs):
            raise refused
        if sum(runs) != pixels.size:
            raise refused
        pixels[rle.decode(runs, (sides[0], sides[1]))] = classes.index(name)
    return Mask(pixels, classes, number(value.get("confidence")))
