"""Curves over what was spent: lines named at their ends, as a `Picture` and as an SVG file.

A line is told from another by its name, its color and the shape of its marks, so that none of them
is needed alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gandt.report.charts import Dot, Line, Picture, Role, Shape, Text, text_width
from gandt.report.charts_svg import render_svg
from gandt.report.results.style import DARK, LIGHT

__all__ = ["Curve", "curve_chart", "svg_file"]

_SMALL = 10.5
_APART = 14.0  # between the names of two lines
_TOP, _BOTTOM = 34.0, 40.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: points from left to right."""

    name: str
    points: tuple[tuple[float, float], ...]
    color: Role
    shape: Shape = "circle"
    dashed: bool = False


def curve_chart(
    curves: Sequence[Curve],
    *,
    title: str,
    across: str,
    width: float = 640.0,
    height: float = 360.0,
    shares: bool = True,
) -> Picture:
    """Draw curves over a common axis.

    Parameters
    ----------
    title
        What goes up, in words; stands above.
    across
        What goes across, such as "images labeled".
    shares
        Whether values are shares, on an axis from 0 to 1; otherwise it ends at a round number.

    Raises
    ------
    ValueError
        No curve has a point, or a point is not finite.
    """
    points = [point for curve in curves for point in curve.points]
    if not points or not all(math.isfinite(value) for point in points for value in point):
        raise ValueError("A chart of curves needs at least one point, and only finite ones.")
    most_x = round_up(max(x for x, _ in points))
    most_y = 1.0 if shares else round_up(max(y for _, y in points))
    names = max(text_width(curve.name, 11) for curve in curves) * 1.2 + 20
    left, right = 44.0, width - names
    bottom = height - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (right - left) * x / most_x, bottom - (bottom - _TOP) * y / most_y

    ends = "; ".join(
        f"{curve.name}: {_number(curve.points[-1][1], shares)} at {curve.points[-1][0]:,.0f}"
        for curve in curves
        if curve.points
    )
    picture = Picture(width, height, f"{title}, over {across}. {ends}.")
    picture.add(Text(left, 16, title, "ink", 12, bold=True))
    for step in range(5):
        _, y = place(0, most_y * step / 4)
        picture.add(
            Line(left, y, right, y, "line"),
            Text(left - 6, y + 3.5, _number(most_y * step / 4, shares), "soft", _SMALL, "end"),
        )
        x, _ = place(most_x * step / 4, 0)
        number = _plain(most_x * step / 4)
        picture.add(Text(x, bottom + 15, number, "soft", _SMALL, "middle"))
    picture.add(Text((left + right) / 2, bottom + 31, across, "soft", _SMALL, "middle"))
    for curve in curves:
        placed = [place(x, y) for x, y in curve.points]
        for (x1, y1), (x2, y2) in itertools.pairwise(placed):
            picture.add(Line(x1, y1, x2, y2, curve.color, 2.0, curve.dashed))
        for x, y in placed[:: max(1, len(placed) // 8)]:
            picture.add(Dot(x, y, 3.2, curve.color, curve.shape))
    _put_names(picture, curves, place, right)
    return picture


def svg_file(picture: Picture) -> str:
    """Write a picture as an SVG file that needs no page around it, light and dark."""

    def roles(colors: Mapping[str, str]) -> str:
        return "".join(
            f".f-{name}{{fill:{color}}}.s-{name}{{stroke:{color}}}"
            for name, color in colors.items()
        )

    style = (
        "text{font-family:system-ui,sans-serif}.bold{font-weight:650}.faint{opacity:.38}"
        f"{roles(LIGHT)}@media(prefers-color-scheme:dark){{{roles(DARK)}}}"
    )
    body = render_svg(picture, "chart")
    start, rest = body.split(">", 1)
    return f'{start} xmlns="http://www.w3.org/2000/svg"><style>{style}</style>{rest}\n'


def round_up(value: float) -> float:
    """Round up to 1, 2, 2.4, 4, 5, 6 or 8 times a power of ten; at least 1."""
    if value <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    for step in (1.0, 2.0, 2.4, 4.0, 5.0, 6.0, 8.0, 10.0):
        if value <= step * power * (1 + 1e-9):
            return step * power
    return 10 * power


def _number(value: float, share: bool) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if share else _plain(value)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}".rstrip("0")


def _put_names(
    picture: Picture,
    curves: Sequence[Curve],
    place: Callable[[float, float], tuple[float, float]],
    right: float,
) -> None:
    """Name each line at its end; names that would touch are moved apart."""
    named = sorted(
        ((place(*curve.points[-1])[1], curve) for curve in curves if curve.points),
        key=lambda pair: pair[0],
    )
    last = -math.inf
    for y, curve in named:
        last = max(y + 3.5, last + _APART)
        picture.add(
            Dot(right + 8, last - 3.5, 3.2, curve.color, curve.shape),
            Text(right + 15, last, curve.name, "ink", 11, bold=True),
        )
