"""Charts as marks: one model that the page draws as SVG and the PDF as vectors.

A `Picture` is a list of rectangles, lines, dots and texts, with the origin at the top left. Lengths
are CSS pixels on screen and points on paper. Colors are roles ("human", "soft"), which each
renderer knows by its own name, so that a page can be dark. The forms follow Cleveland, "The
Elements of Graphing Data" (1985): bars for amounts that start at zero, dots where zero means
nothing, labels at the marks in place of a legend to look up.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "Dot",
    "Line",
    "Mark",
    "Picture",
    "Rect",
    "Role",
    "Shape",
    "Text",
    "cut",
    "fit",
    "text_width",
]

Role = Literal["human", "machine", "gold", "unknown", "ink", "soft", "line", "mat", "accent", "bad"]
Shape = Literal["circle", "diamond", "square", "ring"]
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Rect:
    """A filled rectangle; `faint` ones stand for what is uncertain."""

    x: float
    y: float
    width: float
    height: float
    color: Role
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    color: Role
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A mark at a point; its shape repeats what its color says."""

    x: float
    y: float
    radius: float
    color: Role
    shape: Shape = "circle"


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; `y` is its baseline."""

    x: float
    y: float
    text: str
    color: Role = "ink"
    size: float = 11.0
    anchor: Anchor = "start"
    bold: bool = False
    full: str = ""  # what was cut off to fit, shown on hovering


Mark = Rect | Line | Dot | Text


@dataclass(slots=True)
class Picture:
    """Marks on a canvas, and what they say in words."""

    width: float
    height: float
    words: str  # for those who do not see it
    marks: list[Mark] = field(default_factory=list)

    def add(self, *marks: Mark) -> None:
        """Draw on top of what is there."""
        self.marks.extend(marks)


_NARROW = frozenset("iIl.,:;'|!()[]{}jft /\\-`")
_BROAD = frozenset("mwMW@%&")


def text_width(text: str, size: float) -> float:
    """Estimate how wide a text is in the sans serif of any system, rather too wide than too narrow.

    The renderers set it in different fonts, and both have to break and cut it at the same place.
    """
    total = 0.0
    for char in text:
        if unicodedata.east_asian_width(char) in "WF" or ord(char) > 0xFFFF:
            total += 1.0
        elif unicodedata.combining(char):
            continue
        elif char in _NARROW:
            total += 0.33
        elif char in _BROAD:
            total += 0.88
        else:
            total += 0.68 if char.isupper() else 0.56
    return total * size


def fit(text: str, size: float, width: float) -> str:
    """Cut a text so that it is at most so wide; an ellipsis says so."""
    plain = " ".join(text.split())
    if text_width(plain, size) <= width:
        return plain
    room = width - text_width("…", size)
    kept: list[str] = []
    used = 0.0
    for char in plain:
        used += text_width(char, size)
        if used > room:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"


def cut(text: str, size: float, width: float) -> tuple[str, str]:
    """Give the text as it fits, and the whole of it where it does not."""
    short = fit(text, size, width)
    return short, "" if short == " ".join(text.split()) else text
