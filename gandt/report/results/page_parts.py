"""Pieces of the results page: tables, charts and the card of one item, as HTML.

Pure functions from values to text; everything that comes from outside is escaped here.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from gandt.report.charts_svg import render_svg
from gandt.report.contact_sheet_parts import number_text, safe
from gandt.report.gallery import Tile
from gandt.report.overlay import COLORS, boxes_svg, color_number
from gandt.report.results.model import Item, Reply
from gandt.report.results.parts import Chart, Grid
from gandt.report.results.text import answer_words, counted, cut_text
from gandt.words import count

__all__ = ["card", "chart_figure", "color_rules", "table", "votes_list"]

_WIDE, _NARROW = 440.0, 288.0  # widths in which each chart is drawn; the page shows one
_FOLDED = 30  # rows of a table beyond which the others are folded away

Colors = Mapping[str, str]


# ------------------------------------------------------------------------ charts and tables


def chart_figure(chart: Chart) -> str:
    """Show a chart in two widths, of which the style sheet shows one, and its numbers."""
    rows = [
        '<figure class="chart">',
        f"<h3>{safe(chart.title)}</h3>",
        render_svg(chart.draw(_WIDE), "wide"),
        render_svg(chart.draw(_NARROW), "narrow"),
    ]
    if chart.grid:
        rows += ["<details><summary>The numbers</summary>", table(chart.grid), "</details>"]
    return "\n".join([*rows, "</figure>"])


def table(grid: Grid, caption: str = "") -> str:
    """Write a table; its first column names the rows."""
    head = "".join(
        f'<th scope="col"{_numeric(n, grid)}>{safe(name)}</th>'
        for n, name in enumerate(grid.columns)
    )
    rows = [
        f"<tr{' class=marked' if place in grid.marked else ''}>{_cells(row, grid)}</tr>"
        for place, row in enumerate(grid.rows)
    ]
    said = f'<caption class="skip">{safe(caption)}</caption>' if caption else ""
    name = safe(caption or "The numbers")
    start = (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">'
        f"<table>{said}<thead><tr>{head}</tr></thead><tbody>"
    )
    parts = [start, *rows[:_FOLDED], "</tbody></table></div>"]
    if len(rows) > _FOLDED:
        more = f"{len(rows) - _FOLDED:,} more"
        parts += [f"<details><summary>{more}</summary>", start, *rows[_FOLDED:]]
        parts += ["</tbody></table></div></details>"]
    return "\n".join(parts)


def _cells(row: Sequence[object], grid: Grid) -> str:
    cells = []
    for n, cell in enumerate(row):
        if isinstance(cell, str):
            inner = f"<bdi>{safe(cell)}</bdi>" if n not in grid.numeric else safe(cell)
        else:
            inner = render_svg(cell)  # type: ignore[arg-type]
        if n == 0:
            cells.append(f'<th scope="row"{_numeric(n, grid)}>{inner}</th>')
        else:
            cells.append(f"<td{_numeric(n, grid)}>{inner}</td>")
    return "".join(cells)


def _numeric(column: int, grid: Grid) -> str:
    return ' class="num"' if column in grid.numeric else ""


# ---------------------------------------------------------------------------------- cards


def color_rules() -> str:
    """Write the style rules of the colors of classes, for highlighted texts."""
    return "".join(f".k{n} {{ background: {color}; }}\n" for n, color in enumerate(COLORS))


def card(
    item: Item,
    tile: Tile | None,
    colors: Colors,
    *,
    label: str | None = None,
    replies: Sequence[Reply] = (),
    named: bool = True,
) -> str:
    """Show one item: its picture or text, its confidence and its name.

    Parameters
    ----------
    tile
        The picture; None where the page holds it already, further up.
    label
        The class among whose items it is shown; its own labels where None.
    replies
        What each worker answered.
    named
        Show the name of the file.
    """
    unsure = " unsure" if item.certain is False else ""
    if item.text is not None:
        picture = _quote(item, colors)
        words = _words(item, label, named=False)
    else:
        picture = _picture(item, tile, colors, replies)
        words = _words(item, label, named=named)
    votes = votes_list(item, replies) if replies else ""
    inner = f"{picture}{words}{votes}" if item.text is not None else f"{words}{votes}"
    outer = "" if item.text is not None else picture
    return f'<li class="card{unsure}">{outer}<div class="words">{inner}</div></li>'


def _picture(item: Item, tile: Tile | None, colors: Colors, replies: Sequence[Reply]) -> str:
    tip = safe(item.task)
    alt = safe(_alt(item))
    if tile is not None and tile.picture is None:
        said = f'<span class="broken">Cannot be shown: {safe(tile.reason)}</span>'
        return f'<div class="picture" title="{tip}">{said}</div>'
    number = item.number
    if tile is None or tile.picture is None:
        layers = f'<img data-of="p{number}" alt="{alt}">'
        if item.mask is not None:
            layers += f'<img class="mask" data-of="m{number}" alt="">'
        size = item.image_size
    else:
        shown = tile.picture
        layers = (
            f'<img id="p{number}" src="{shown.data_uri}" width="{shown.width}" '
            f'height="{shown.height}" alt="{alt}" loading="lazy" decoding="async">'
        )
        if tile.mask is not None:
            data = base64.b64encode(tile.mask).decode()
            layers += f'<img class="mask" id="m{number}" src="data:image/png;base64,{data}" alt="">'
        size = item.image_size or (shown.full_width, shown.full_height)
    others = [box for reply in replies for box in reply.boxes]
    if (item.boxes or others) and size is not None:
        layers += boxes_svg(item.boxes, size, colors, others=others)
    return f'<div class="picture" title="{tip}">{layers}</div>'


def _alt(item: Item) -> str:
    if item.kind in ("boxes", "mask"):
        return f"{item.name}: {', '.join(counted(item)[:8])}"
    return item.name


def _quote(item: Item, colors: Colors) -> str:
    cut = cut_text(item.text or "", item.spans)
    parts = []
    for piece in cut.pieces:
        if piece.span is None:
            parts.append(safe(piece.text))
            continue
        color = color_number(colors.get(piece.span.label, ""))
        sure = f" {piece.span.confidence:.2f}" if piece.span.confidence else ""
        parts.append(
            f'<mark class="k{color}">{safe(piece.text)}<b>{safe(piece.span.label)}{sure}</b></mark>'
        )
    if cut.left_out:
        parts.append(f"… <i>({count(cut.left_out, 'more character')})</i>")
    said = f'<p class="quote" dir="auto">{"".join(parts) or "(empty text)"}</p>'
    if cut.others:
        also = "; ".join(f"{span.label}: {text[:60]}" for span, text in cut.others[:6])
        said += f'<p class="name" title="{safe(also)}">also {safe(also)}</p>'
    return said


def _words(item: Item, label: str | None, *, named: bool) -> str:
    known = [c for name, c in item.labels if name == label and c is not None]
    sure = min(known) if known else item.confidence
    number = number_text(sure)[:4] if sure is not None else "\N{EN DASH}"
    title = "confidence" if sure is not None else "no confidence is stated"
    notes = []
    if item.votes:
        notes.append(count(item.votes, "vote"))
    if item.certain is False:
        notes.append('<span class="unseen">not certain</span>')
    parts = [f'<span class="numbers"><b title="{title}">{number}</b>']
    if notes:
        parts.append(f"<span>{' '.join(notes)}</span>")
    parts.append("</span>")
    if item.kind in ("boxes", "mask", "multi", "spans"):
        said = ", ".join(counted(item))
        parts.append(f'<bdi class="name" title="{safe(said)}">{safe(said)}</bdi>')
    elif label is None:
        parts.append(f"<bdi><b>{safe(item.classes[0])}</b></bdi>")
    if item.tied:
        parts.append(f"<div>tied: {safe(' = '.join(item.tied))}</div>")
    if item.known is not None and set(item.known) != set(item.classes):
        parts.append(f"<div>gold says {safe(', '.join(item.known))}</div>")
    if named:
        parts.append(f'<bdi class="name" title="{safe(item.task)}">{safe(item.name)}</bdi>')
    return "".join(parts)


def votes_list(item: Item, replies: Sequence[Reply]) -> str:
    """List what each worker answered, those who agree with the label in bold."""
    rows = []
    labels = {name for name, _ in item.labels}
    for reply in replies:
        agrees = " class=agrees" if set(reply.labels) == labels else ""
        said = answer_words(reply, item.text)
        short = reply.worker.rpartition(".")[2] or reply.worker
        rows.append(
            f'<li{agrees}><bdi>{safe(said)}</bdi><span title="{safe(reply.worker)}">'
            f"<bdi>{safe(short)}</bdi></span></li>"
        )
    return f'<ul class="votes" aria-label="Answers">{"".join(rows)}</ul>'
