"""What charts have in common: rows with names, a line that names the sources, an axis of shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gandt.report.charts import Dot, Line, Picture, Shape, Text, cut, text_width
from gandt.report.results.model import SOURCE_WORDS, Source

__all__ = [
    "AXIS",
    "LEGEND",
    "MOST_ROWS",
    "SHAPES",
    "SMALL",
    "more_height",
    "name_column",
    "percent",
    "put_legend",
    "put_more",
    "put_name",
    "put_share_axis",
]

MOST_ROWS = 40
SHAPES: Mapping[str, Shape] = {
    "human": "circle",
    "machine": "diamond",
    "gold": "square",
    "unknown": "ring",
}
SMALL = 10.5  # type
LEGEND = 24.0  # height of the line that names the sources
AXIS = 20.0


def percent(share: float) -> str:
    """Write a share as a whole percentage, and never as all or none of it where it is not."""
    value = round(100 * share)
    if 0 < share < 0.005:
        return "<\N{NO-BREAK SPACE}1\N{NO-BREAK SPACE}%"
    if 0.995 <= share < 1:
        return ">\N{NO-BREAK SPACE}99\N{NO-BREAK SPACE}%"
    return f"{value}\N{NO-BREAK SPACE}%"


def name_column(names: Sequence[str], width: float) -> float:
    """Give the column of names as much room as they need, up to a third."""
    widest = max((text_width(" ".join(name.split()), 11) for name in names), default=0.0)
    return min(widest + 2, width * 0.36)


def put_name(picture: Picture, name: str, width: float, baseline: float) -> None:
    """Set the name of a row flush right."""
    short, full = cut(name, 11, width)
    picture.add(Text(width, baseline, short, "ink", 11, "end", full=full))


def put_legend(picture: Picture, entries: Sequence[tuple[Source, str]], top: float) -> None:
    """Name the sources, each behind its mark."""
    x = 5.0
    for source, more in entries:
        word = SOURCE_WORDS[source]
        picture.add(
            Dot(x, top + 7, 4, source, SHAPES[source]),
            Text(x + 10, top + 11, word, "ink", 11, bold=True),
        )
        x += 10 + text_width(word, 11) * 1.12 + 8
        if more:
            picture.add(Text(x, top + 11, more, "soft", 11))
            x += text_width(more, 11)
        x += 20


def put_share_axis(picture: Picture, left: float, room: float, top: float, bottom: float) -> None:
    """Draw an axis from 0 to 1."""
    for value in (0, 0.25, 0.5, 0.75, 1):
        x = left + room * value
        picture.add(Line(x, top, x, bottom, "line"))
        if room > 110 or value in (0, 0.5, 1):
            picture.add(Text(x, bottom + 14, f"{value:g}", "soft", SMALL, "middle"))


def more_height(rows: Sequence[object]) -> float:
    """Give the room that `put_more` needs."""
    return 18.0 if len(rows) > MOST_ROWS else 0.0


def put_more(picture: Picture, rows: Sequence[object], what: str) -> None:
    """Say how many rows are not shown."""
    if len(rows) > MOST_ROWS:
        left_out = len(rows) - MOST_ROWS
        picture.add(Text(0, picture.height - 4, f"and {left_out:,} more {what}", "soft", SMALL))
