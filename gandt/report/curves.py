"""Curves over what was spent: lines named at their ends, as a `Picture` and as an SVG file.

A line is told from another by its name, its color and the shape of its marks, so that none of them
is needed alone. The colors are those of Okabe and Ito, "Color Universal Design" (2008), which the
usual kinds of color blindness keep apart: the darker ones on light paper, the lighter on dark. Axes
start at 0.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gandt.report.charts import Dot, Line, Picture, Role, Shape, Text, cut, text_width
from gandt.report.charts_svg import render_svg
from gandt.report.contact_sheet_parts import safe
from gandt.report.results.style import DARK, LIGHT

__all__ = ["Curve", "Flag", "curve_chart", "curve_rules", "svg_file"]

_SMALL = 10.5
_NAME = 11.0
_BOLD = 1.2  # wider than regular type, in the widest font of any system
_TO_NAME = 32.0  # from the end of the lines to the names
_APART = 15.0  # between the names of two lines
_LINE = 15.0  # of the title
_BOTTOM = 40.0
_PAD = 12.0  # around the chart in a file of its own

_ON_LIGHT: Mapping[str, str] = {
    **LIGHT,
    "human": "#0072b2",
    "machine": "#d55e00",
    "gold": "#009e73",
    "accent": "#cc79a7",
    "unknown": "#6d685e",
    "mat": "#ffffff",
}
_ON_DARK: Mapping[str, str] = {
    **DARK,
    "human": "#56b4e9",
    "machine": "#e69f00",
    "gold": "#009e73",
    "accent": "#cc79a7",
    "unknown": "#a29d91",
    "mat": "#21211d",
}


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: points from left to right."""

    name: str
    points: tuple[tuple[float, float], ...]
    color: Role
    shape: Shape = "circle"
    dashed: bool = False
    marks: bool = True  # a line that is no measurement, such as a limit, has none
    joined: bool = True  # points of unrelated cases have no line between them
    note: str = ""  # stands behind the name, such as the last value


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that happened at a place of the axis across; named above the lines."""

    x: float
    text: str


def curve_chart(
    curves: Sequence[Curve],
    *,
    title: str,
    across: str,
    width: float = 640.0,
    height: float = 360.0,
    shares: bool = True,
    flags: Sequence[Flag] = (),
) -> Picture:
    """Draw curves over a common axis.

    Parameters
    ----------
    title
        What goes up, in words; stands above, on as many lines as it needs.
    across
        What goes across, such as "images labeled".
    shares
        Whether values are shares, on an axis from 0 to 1; otherwise it ends at a round number.
    flags
        Dashed lines from top to bottom; those without room for their text beside the one before
        keep the line alone.

    Raises
    ------
    ValueError
        No curve has a point, or a point is not finite.
    """
    points = [point for curve in curves for point in curve.points]
    if not points or not all(math.isfinite(value) for point in points for value in point):
        raise ValueError("A chart of curves needs at least one point, and only finite ones.")
    ticks_x = _ticks([x for x, _ in points])
    ticks_y = [0.0, 0.25, 0.5, 0.75, 1.0] if shares else _ticks([y for _, y in points], over=True)
    most_x = max(max(x for x, _ in points), ticks_x[1])
    room = max(_name_width(curve) for curve in curves)
    left = 44.0
    right = width - min(room, 0.5 * (width - left))
    lines = _wrapped(title, width - left)
    top = 22.0 + _LINE * len(lines) + (_LINE if flags else 0.0)
    bottom = height - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (right - left) * x / most_x, bottom - (bottom - top) * y / ticks_y[-1]

    ends = "; ".join(
        f"{curve.name}: {_number(curve.points[-1][1], shares)} at {curve.points[-1][0]:,.0f}"
        for curve in curves
        if curve.points
    )
    flagged = "".join(f" {flag.text}: at {flag.x:,.0f}." for flag in flags)
    picture = Picture(width, height, f"{title}, over {across}. {ends}.{flagged}")
    for number, line in enumerate(lines):
        picture.add(Text(left, 16 + _LINE * number, line, "ink", 12, bold=True))
    for value in ticks_y:
        _, y = place(0, value)
        number_ = _number(value, shares)
        picture.add(
            Line(left, y, right, y, "line"),
            Text(left - 6, y + 3.5, number_, "soft", _SMALL, "end"),
        )
    for value in ticks_x:
        x, _ = place(value, 0)
        picture.add(
            Line(x, bottom, x, bottom + 4, "line"),
            Text(x, bottom + 16, _plain(value), "soft", _SMALL, "middle"),
        )
    center = max((left + right) / 2, text_width(across, _SMALL) / 2 + 4)
    picture.add(Text(center, bottom + 33, across, "soft", _SMALL, "middle"))
    _put_flags(picture, [(place(flag.x, 0)[0], flag) for flag in flags], left, (top, bottom))
    for curve in reversed(curves):  # the first on top
        placed = [place(x, y) for x, y in curve.points]
        for (x1, y1), (x2, y2) in itertools.pairwise(placed if curve.joined else ()):
            picture.add(
                Line(x1, y1, x2, y2, curve.color, 2.0 if curve.marks else 1.2, curve.dashed)
            )
        if curve.marks:
            # From the last one back, so that the end of a line always has its mark.
            for x, y in placed[:: -max(1, len(placed) // 8) if curve.joined else -1]:
                picture.add(Dot(x, y, 3.2, curve.color, curve.shape))
    placed_ends = [(curve, *place(*curve.points[-1])) for curve in curves if curve.points]
    _put_names(picture, placed_ends, right, (top, bottom))
    return picture


def curve_rules(prefix: str = "") -> str:
    """Style rules of a chart's colors, light and dark, for a page.

    Parameters
    ----------
    prefix
        Selector of what the charts stand in, such as ".chart".
    """
    within = f"{prefix} " if prefix else ""

    def roles(colors: Mapping[str, str]) -> str:
        return "".join(
            f"{within}.f-{name}{{fill:{color}}}{within}.s-{name}{{stroke:{color}}}"
            for name, color in colors.items()
        )

    return f"{roles(_ON_LIGHT)}@media(prefers-color-scheme:dark){{{roles(_ON_DARK)}}}"


def svg_file(picture: Picture) -> str:
    """Write a picture as an SVG file that needs no page around it, on paper, light and dark."""
    style = f"text{{font-family:system-ui,sans-serif}}.bold{{font-weight:650}}{curve_rules()}"
    wide, high = picture.width + 2 * _PAD, picture.height + 2 * _PAD
    frame = f'x="{-_PAD:g}" y="{-_PAD:g}" width="{wide:g}" height="{high:g}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-_PAD:g} {-_PAD:g} {wide:g} {high:g}" '
        f'width="{wide:g}" height="{high:g}" role="img" aria-label="{safe(picture.words)}">'
        f'<style>{style}</style><rect class="f-mat" {frame}/>{render_svg(picture, "chart")}</svg>\n'
    )


def _ticks(values: Sequence[float], *, over: bool = False) -> list[float]:
    """Round numbers from 0 to the largest value, or over it; three to six, whole where all are."""
    most = max(*values, 0.0)
    if most <= 0:
        return [0.0, 1.0]
    whole = all(value == round(value) for value in values)
    step = 10.0 ** math.floor(math.log10(most / 5.5))
    for times in (1.0, 2.0, 2.5, 5.0, 10.0):
        if times * step >= most / 5.5 and not (whole and (times * step) % 1):
            step *= times
            break
    if whole:
        step = max(step, 1.0)
    last = most / step
    count = math.ceil(last - 1e-9) if over else math.floor(last + 1e-9)
    return [step * number for number in range(max(count, 1) + 1)]


def _wrapped(text: str, width: float) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, 12) * _BOLD <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _number(value: float, share: bool) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if share else _plain(value)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}".rstrip("0")


def _name_width(curve: Curve) -> float:
    note = text_width(curve.note, _NAME) + 10 if curve.note else 0.0
    return _TO_NAME + text_width(curve.name, _NAME) * _BOLD + note


def _put_flags(
    picture: Picture,
    flags: Sequence[tuple[float, Flag]],
    left: float,
    span: tuple[float, float],
) -> None:
    top, bottom = span
    free = left
    for x, flag in sorted(flags, key=lambda pair: pair[0]):
        picture.add(Line(x, top, x, bottom, "soft", 1.0, dashed=True))
        half = text_width(flag.text, _SMALL) / 2
        # Beyond the lines' end there is room above the names.
        center = min(max(x, free + half), max(picture.width - half, left + half))
        if center - half >= free and abs(center - x) <= half:
            picture.add(Text(center, top - 6, flag.text, "soft", _SMALL, "middle"))
            free = center + half + 10


def _put_names(
    picture: Picture,
    ends: Sequence[tuple[Curve, float, float]],
    right: float,
    span: tuple[float, float],
) -> None:
    """Name each line at its end; names that would touch are moved apart, and led to their line."""
    ordered = sorted(ends, key=lambda end: end[2])
    heights = _apart([y for _, _, y in ordered], span)
    edge, mark = picture.width, right + _TO_NAME - 9
    for (curve, x, y), at in zip(ordered, heights, strict=True):
        if abs(at - y) > 2 or right - x > 4:
            picture.add(Line(x + 5, y, mark - 6, at, "soft", 0.75))
        if curve.marks:
            picture.add(Dot(mark, at, 3.2, curve.color, curve.shape))
        else:
            picture.add(Line(mark - 5, at, mark + 5, at, curve.color, 1.2, curve.dashed))
        room = edge - mark - 9
        if curve.note:
            note, rest = cut(curve.note, _NAME, room)
            picture.add(Text(edge, at + 3.5, note, "soft", _NAME, "end", full=rest))
            room -= text_width(note, _NAME) + 6
        short, full = cut(curve.name, _NAME, room / _BOLD + 0.5)
        picture.add(Text(mark + 9, at + 3.5, short, "ink", _NAME, bold=True, full=full))


def _apart(wanted: Sequence[float], span: tuple[float, float]) -> list[float]:
    """Move sorted heights apart by as little as possible (least squares), within a span if it fits.

    Pool adjacent violators: heights less their distance are to be no smaller from one to the next.
    """
    groups: list[list[float]] = []
    for number, height in enumerate(wanted):
        groups.append([height - number * _APART])
        while len(groups) > 1 and _middle(groups[-2]) > _middle(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    top, bottom = span
    most = max(bottom - (len(wanted) - 1) * _APART, top)
    level = [min(max(_middle(group), top), most) for group in groups for _ in group]
    return [height + number * _APART for number, height in enumerate(level)]


def _middle(group: Sequence[float]) -> float:
    return sum(group) / len(group)
