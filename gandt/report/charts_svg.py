"""A `Picture` as SVG text inside an HTML page; colors are classes of the page's style sheet."""

from __future__ import annotations

from gandt.report.charts import Dot, Line, Mark, Picture, Rect
from gandt.report.contact_sheet_parts import safe

__all__ = ["render_svg"]


def render_svg(picture: Picture, name: str = "") -> str:
    """Write a picture as one `svg` element, at its size and no larger.

    Parameters
    ----------
    name
        Class of the element.
    """
    marks = "".join(map(_mark, picture.marks))
    wide, high = _n(picture.width), _n(picture.height)
    return (
        f'<svg class="{safe(name)}" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
        f'role="img" aria-label="{safe(picture.words)}">{marks}</svg>'
    )


def _mark(mark: Mark) -> str:
    if isinstance(mark, Rect):
        faint = " faint" if mark.faint else ""
        return (
            f'<rect class="f-{mark.color}{faint}" x="{_n(mark.x)}" y="{_n(mark.y)}" '
            f'width="{_n(mark.width)}" height="{_n(mark.height)}"/>'
        )
    if isinstance(mark, Line):
        dashed = ' stroke-dasharray="3 3"' if mark.dashed else ""
        return (
            f'<line class="s-{mark.color}" x1="{_n(mark.x1)}" y1="{_n(mark.y1)}" '
            f'x2="{_n(mark.x2)}" y2="{_n(mark.y2)}" stroke-width="{_n(mark.width)}"{dashed}/>'
        )
    if isinstance(mark, Dot):
        return _dot(mark)
    bold = " bold" if mark.bold else ""
    title = f"<title>{safe(mark.full)}</title>" if mark.full else ""
    anchor = "" if mark.anchor == "start" else f' text-anchor="{mark.anchor}"'
    return (
        f'<text class="f-{mark.color}{bold}" x="{_n(mark.x)}" y="{_n(mark.y)}" '
        f'font-size="{_n(mark.size)}"{anchor}>{safe(mark.text)}{title}</text>'
    )


def _dot(mark: Dot) -> str:
    x, y, r = mark.x, mark.y, mark.radius
    if mark.shape == "diamond":
        r *= 1.2
        points = f"{_n(x)},{_n(y - r)} {_n(x + r)},{_n(y)} {_n(x)},{_n(y + r)} {_n(x - r)},{_n(y)}"
        return f'<polygon class="f-{mark.color}" points="{points}"/>'
    if mark.shape == "square":
        r *= 0.9
        side = _n(2 * r)
        return (
            f'<rect class="f-{mark.color}" x="{_n(x - r)}" y="{_n(y - r)}" '
            f'width="{side}" height="{side}"/>'
        )
    kind = "s-" if mark.shape == "ring" else "f-"
    ring = ' fill="none" stroke-width="1.5"' if mark.shape == "ring" else ""
    return f'<circle class="{kind}{mark.color}"{ring} cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}"/>'


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
