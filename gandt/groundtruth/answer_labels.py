"""The value of a worker's field becomes a label: its classes, boxes, spans or mask are looked at.

Parts of an answer that cannot stand (a class that is not in the list, a box without area, a span
outside the text) are left out of it and listed. Where no part is left, so is the answer: it does
not say "nothing there". Pure functions.
"""

from __future__ import annotations

import base64
from bisect import bisect_left
from dataclasses import replace
from itertools import accumulate

from gandt.answers import BACKGROUND, Box, Label, Mask, Span
from gandt.errors import GandtError
from gandt.groundtruth.answer_content import Shape
from gandt.groundtruth.class_names import ClassNames
from gandt.groundtruth.label_values import (
    LeftOut,
    brief,
    clean_text,
    label_texts,
    parse_boxes,
    parse_spans,
    unpack,
)

__all__ = ["Problem", "in_classes", "read_label"]

Problem = tuple[str, str]  # kind of oddity, reason


def read_label(
    shape: Shape,
    value: object,
    names: ClassNames,
    *,
    size: tuple[int, int] | None = None,
    text: str | None = None,
) -> tuple[Label, list[Problem]]:
    """Make a label of the value of a field, and list what is odd about it.

    Parameters
    ----------
    shape, value
        As `decode_content` gives them. Ticks become the tuple of what is ticked, perhaps empty.
    size
        Width and height of the image: boxes are cut at its border.
    text
        The text that spans are in.

    Raises
    ------
    LeftOut
        Where no label is left.
    """
    problems: list[Problem] = []
    if shape in ("single", "text"):
        label = clean_text(value)
        if not label:
            raise LeftOut("empty", "no label was chosen")
        return in_classes(label, names, problems), problems
    if shape == "ticks" and isinstance(value, dict):
        ticked = label_texts(name for name, tick in value.items() if tick)
        return in_classes(ticked, names, problems), problems
    if shape == "multi":
        value = unpack(value) if isinstance(value, str) else value
        texts = label_texts(value if isinstance(value, list) else [value])
        if not texts:
            raise LeftOut("empty", "no label was chosen")
        return in_classes(texts, names, problems), problems
    if shape == "mask":
        return _worker_mask(value, names, size, problems), problems
    if shape == "boxes":
        inner = value.get("boundingBoxes") if isinstance(value, dict) else value
        return _boxes(parse_boxes(inner), names, size, problems), problems
    inner = value.get("entities") if isinstance(value, dict) else value
    return _spans(parse_spans(inner), names, text, problems), problems


def in_classes(label: Label, names: ClassNames, problems: list[Problem]) -> Label:
    """Respell the names in a label as the classes are; parts of no class are left out.

    Raises
    ------
    LeftOut
        Where nothing of the label is left.
    """
    if not names or isinstance(label, Mask):
        return label
    if isinstance(label, str):
        return _class(label, names, problems)
    kept: list[str | Box | Span] = []
    for part in label:
        try:
            if isinstance(part, str):
                kept.append(_class(part, names, problems))
            else:
                kept.append(replace(part, label=_class(part.label, names, problems)))
        except LeftOut as error:
            problems.append((error.kind, f"{error}; left out"))
    if label and not kept:
        kind, reason = problems[-1]
        raise LeftOut(kind, reason.removesuffix("; left out"))
    return tuple(dict.fromkeys(kept))  # type: ignore[return-value]


def _class(text: str, names: ClassNames, problems: list[Problem]) -> str:
    found = names.find(text)
    if found is None:
        raise LeftOut("unknown label", f"{brief(text)} is not among the classes")
    if found.strip() != text:
        problems.append(("spelling", f"{brief(text)} was read as {found!r}"))
    return found


def _boxes(
    boxes: tuple[Box, ...],
    names: ClassNames,
    size: tuple[int, int] | None,
    problems: list[Problem],
) -> Label:
    kept = tuple(inside for box in boxes if (inside := _cut(box, size)) is not None)
    if len(kept) < len(boxes):
        count = len(boxes) - len(kept)
        reason = f"{count} of {len(boxes)} boxes have no area in the image"
        if not kept:
            raise LeftOut("empty box", reason)
        problems.append(("empty box", f"{reason}; left out"))
    return in_classes(kept, names, problems)


def _cut(box: Box, size: tuple[int, int] | None) -> Box | None:
    """Cut a box at the border, which it may pass by rounding; None where nothing is left."""
    if box.width <= 0 or box.height <= 0:
        return None
    if size is None:
        return box
    right, bottom = box.left + box.width, box.top + box.height
    if box.left >= 0 and box.top >= 0 and right <= size[0] and bottom <= size[1]:
        return box
    left, top = max(box.left, 0.0), max(box.top, 0.0)
    right, bottom = min(right, float(size[0])), min(bottom, float(size[1]))
    if right <= left or bottom <= top:
        return None
    return replace(box, left=left, top=top, width=right - left, height=bottom - top)


def _spans(
    spans: tuple[Span, ...], names: ClassNames, text: str | None, problems: list[Problem]
) -> Label:
    if text is not None and any(span.end > len(text) for span in spans):
        spans = _in_characters(spans, text, problems)
    kept = tuple(
        span
        for span in spans
        if 0 <= span.start < span.end and (text is None or span.end <= len(text))
    )
    if len(kept) < len(spans):
        reason = f"{len(spans) - len(kept)} of {len(spans)} spans are not in the text"
        if not kept:
            raise LeftOut("span outside", reason)
        problems.append(("span outside", f"{reason}; left out"))
    return in_classes(kept, names, problems)


def _in_characters(spans: tuple[Span, ...], text: str, problems: list[Problem]) -> tuple[Span, ...]:
    """Turn places that a browser counted in UTF-16 units into characters.

    Ground Truth documents characters, so this is done only where the places cannot be that: some
    end beyond the text, and none beyond its length in UTF-16, which counts an emoji twice.
    """
    ends = [0, *accumulate(2 if ord(character) > 0xFFFF else 1 for character in text)]
    if ends[-1] == len(text) or any(span.end > ends[-1] for span in spans):
        return spans
    problems.append(("offsets", "places in the text were counted in UTF-16 units; converted"))
    return tuple(
        replace(span, start=bisect_left(ends, span.start), end=bisect_left(ends, span.end))
        for span in spans
    )


def _worker_mask(
    value: object, names: ClassNames, size: tuple[int, int] | None, problems: list[Problem]
) -> Label:
    # Pictures are decoded here and nowhere else in the readers; most jobs hold none.
    from gandt.groundtruth.mask_images import examine_worker_mask

    record = value if isinstance(value, dict) else {}
    image, mappings = record.get("labeledImage"), record.get("labelMappings")
    data = image.get("pngImageData") if isinstance(image, dict) else None
    if not isinstance(data, str) or not isinstance(mappings, dict):
        raise LeftOut("unreadable", "the mask has no pngImageData or no labelMappings")
    renamed: dict[str, object] = {}
    for name, color in mappings.items():
        known = name if name == BACKGROUND else _class(clean_text(name), names, problems)
        renamed[known] = color
    try:
        png = base64.b64decode(data.partition(",")[2] if data.startswith("data:") else data)
    except ValueError:
        raise LeftOut("unreadable", "the pngImageData of the mask are not base64") from None
    width, height = size if size is not None else (None, None)
    try:
        decoded = examine_worker_mask(renamed, png, width=width, height=height)
    except GandtError as error:
        raise LeftOut("unreadable", str(error)) from error
    if decoded.note is not None:
        problems.append(("mask", decoded.note))
    return decoded.mask
