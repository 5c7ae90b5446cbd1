"""What a worker's form says: labels, for the object or for each tile of it. Pure functions.

The names of fields are whatever the template says, so they are known by their shape, by the same
rules as `gandt aggregate` has: a field of a widget (`{"label": …}`, `{"labels": […]}`, boxes,
spans, a mask) goes before plain choices, these before plain text, and comments come last. Fields
`labels-<index>` are the answers to the images of a tiled task. Choosing nothing is no vote, except
by leaving every box of a check list open.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from gandt.json_text import brief, unpack

__all__ = ["WHOLE", "NoVote", "Vote", "read_vote", "spell"]

WHOLE = ""  # the object itself, where it is not tiled

_TILE_FIELD = re.compile(r"(?:labels?|tiles?)[-_ ]?(\d{1,9})", re.IGNORECASE)
_COMMENT = re.compile(r"comment|note|remark|feedback|reason|explanation|suggestion", re.IGNORECASE)
_WRAPPER = "annotatedResult"
_WIDGETS = ("boundingBox", _WRAPPER, "category")
_NESTED = {"boundingBoxes", "entities", "labeledImage", "polygons", "polylines", "keypoints"}
_NESTED |= {"instances", "cuboids", "frames"}
_NO_VALUE = ("", "nan", "NaN", "NAN", "<NA>", "null", "NULL")  # as exports write it
_NO_CLASS = ("None of the above", "None")  # choices beside the classes of a job


class NoVote(Exception):
    """Why an answer is no vote."""


class Vote(NamedTuple):
    """The labels that one worker chose."""

    kind: Literal["single", "multi", "tiles"]
    labels: dict[str, tuple[str, ...]]  # by the index of the tile, or by `WHOLE`
    problems: tuple[str, ...] = ()  # with single tiles


class _Field(NamedTuple):
    shape: Literal["single", "multi", "ticks", "text", "nested"]
    values: Sequence[object]  # that name what was chosen
    widget: bool


def read_vote(annotation: object) -> Vote | None:
    """Read the answer of one worker.

    Parameters
    ----------
    annotation
        The form's fields by name, decoded.

    Returns
    -------
    vote
        None where the answer is boxes, spans, a mask or the like, which are not voted on here.

    Raises
    ------
    NoVote
        Where there is no label in it, or it is not clear where.
    """
    content = _fields(annotation)
    tiles = {
        str(int(found[1])): value
        for name, value in content.items()
        if (found := _TILE_FIELD.fullmatch(name.strip())) and isinstance(_opened(value), list)
    }
    if tiles:
        return _tiles(tiles)
    field = _chosen_field(content)
    if field.shape == "nested":
        return None
    names = _names(field.values)
    if not names and field.shape != "ticks":
        raise NoVote("no label was chosen")
    return Vote("multi" if field.shape in ("multi", "ticks") else "single", {WHOLE: names})


def spell(text: str, classes: Sequence[str]) -> str | None:
    """Give the class that a text means; None where it means none of them.

    Forms lose blanks at the ends of names and send `&amp;` for `&`; upper and lower case count
    only where two classes differ in nothing else. Without classes every text is one.
    """
    if not classes:
        return text
    known = {name.strip(): name for name in (*_NO_CLASS, *classes)}
    plain = html.unescape(text).strip()
    for candidate in (text.strip(), plain):
        if candidate in known:
            return known[candidate]
    alike = {name for short, name in known.items() if short.casefold() == plain.casefold()}
    return alike.pop() if len(alike) == 1 else None


def _fields(annotation: object) -> dict[str, object]:
    content = unpack(annotation) if isinstance(annotation, str) else annotation
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    if isinstance(content, dict) and _WRAPPER in content:
        inner = _opened(content[_WRAPPER])
        if isinstance(inner, dict) and inner and not _is_widget(inner):
            content = inner
    if not isinstance(content, dict):
        raise NoVote(f"the answer is {brief(content)} and not an object of fields")
    if not content:
        raise NoVote("the answer has no fields")
    return {"": content} if _is_widget(content) else content


def _is_widget(value: dict[str, object]) -> bool:
    return (
        isinstance(value.get("label"), str)
        or any(isinstance(value.get(key), list) for key in ("labels", "boundingBoxes", "entities"))
        or isinstance(value.get("labeledImage"), dict)
    )


def _opened(value: object) -> object:
    return unpack(value) if isinstance(value, str) else value


def _tiles(tiles: dict[str, object]) -> Vote:
    labels: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    for index, value in tiles.items():
        opened = _opened(value)
        try:
            names = _names(opened if isinstance(opened, list) else [])
        except NoVote as error:
            problems.append(f"image {index}: {error}")
            continue
        if names:
            labels[index] = names
    return Vote("tiles", labels, tuple(problems))


def _names(values: Iterable[object]) -> tuple[str, ...]:
    """The names in a list, blanks and repetitions left out."""
    texts: dict[str, None] = {}
    for value in values:
        if value is None:
            continue
        if not isinstance(value, (str, int, float)):
            raise NoVote(f"{brief(value)} stands where a name is needed")
        text = (value if isinstance(value, str) else json.dumps(value)).strip()
        if text not in _NO_VALUE:
            texts[text] = None
    return tuple(texts)


def _chosen_field(content: dict[str, object]) -> _Field:
    found = {
        name: field
        for name, value in content.items()
        if (field := _field(name, _opened(value))) is not None
    }
    if not found:
        raise NoVote("no field of the answer holds a label")
    known = [n for n in found if found[n].widget and (n in _WIDGETS or n.startswith("crowd-"))]
    widgets = [name for name in found if found[name].widget]
    choices = [name for name in found if found[name].shape != "text"]
    texts = [name for name in found if found[name].shape == "text"]
    if len(texts) > 1:
        texts = [name for name in texts if not _COMMENT.search(name)] or texts
    for candidates in (known, widgets, choices, texts):
        if len(candidates) == 1:
            return found[candidates[0]]
        if candidates:
            listed = ", ".join(brief(name) for name in choices or texts)
            raise NoVote(f"several fields could be the label: {listed}")
    raise NoVote("no field of the answer holds a label")


def _field(name: str, value: object) -> _Field | None:
    """Tell what a field holds; None where no label could be made of it."""
    crowd = name.startswith("crowd-")
    if isinstance(value, dict):
        if _NESTED & set(value):
            return _Field("nested", (), widget=True)
        if "labels" in value or isinstance(value.get("label"), list):
            chosen = value.get("labels", value.get("label"))
            return _Field("multi", _listed(chosen), widget=crowd or isinstance(chosen, dict))
        if "label" in value:
            return _Field("single", [value["label"]], widget=True)
        if value and all(isinstance(tick, bool) for tick in value.values()):
            return _Field("ticks", [option for option, tick in value.items() if tick], widget=False)
        return None
    if isinstance(value, list):
        nested = bool(value) and isinstance(value[0], dict)
        return _Field("nested" if nested else "multi", [] if nested else value, widget=crowd)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    return _Field("text", [value], widget=False)


def _listed(value: object) -> list[object]:
    opened = _opened(value)
    return opened if isinstance(opened, list) else [opened]
