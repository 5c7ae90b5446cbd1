"""The charts of a results report, each a `Picture` as wide as it is asked to be.

Rows of classes are in the order they are given in; more than `MOST_ROWS` are summed up in a line,
and stand in the table beside the chart in full.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gandt.report.chart_parts import (
    AXIS,
    LEGEND,
    MOST_ROWS,
    SHAPES,
    SMALL,
    more_height,
    name_column,
    percent,
    put_legend,
    put_more,
    put_name,
    put_share_axis,
)
from gandt.report.charts import Anchor, Dot, Line, Picture, Rect, Text, text_width
from gandt.report.results.facts import Spread
from gandt.report.results.model import Source

__all__ = ["confidence_chart", "count_chart", "histogram_chart"]

_BAR = 9.0
_ROW_GAP = 7.0

Counts = Mapping[str, Mapping[Source, int]]


def count_chart(
    order: Sequence[str],
    counts: Counts,
    sources: Sequence[Source],
    width: float,
    *,
    log: bool = False,
) -> Picture:
    """Count annotations by class: bars, or on a logarithmic scale dots, which need no zero."""
    shown = order[:MOST_ROWS]
    highest = max((counts.get(name, {}).get(s, 0) for name in shown for s in sources), default=0)
    names = name_column(shown, width)
    values = text_width(f"{highest:,}", SMALL) + 12
    left, room = names + 10, max(width - names - 10 - values, 20)
    low = math.log10(0.7)
    span = math.log10(max(highest, 10)) - low

    def place(count: int) -> float:
        if log:
            return left + room * (math.log10(count) - low) / span
        return left + room * count / max(highest, 1)

    each = _BAR + 2
    row = each * len(sources) + _ROW_GAP
    top = LEGEND
    height = top + row * len(shown) + (AXIS if log else 0) + more_height(order)
    words = "; ".join(
        f"{name}: " + ", ".join(f"{counts.get(name, {}).get(s, 0)} {s}" for s in sources)
        for name in shown
    )
    scale = "on a logarithmic scale" if log else "as bars"
    picture = Picture(width, height, f"Annotations by class, {scale}. {words}.")
    totals = {s: sum(c.get(s, 0) for c in counts.values()) for s in sources}
    put_legend(picture, [(s, f"{totals[s]:,}") for s in sources], 0.0)
    bottom = top + row * len(shown) - _ROW_GAP / 2
    if log:
        for power in range(int(math.log10(max(highest, 10))) + 1):
            x = place(10**power)
            picture.add(
                Line(x, top - 4, x, bottom, "line"),
                Text(x, bottom + 14, f"{10**power:,}", "soft", SMALL, "middle"),
            )
    else:
        picture.add(Line(left, top - 4, left, bottom, "line"))
    for place_in, name in enumerate(shown):
        y = top + place_in * row
        put_name(picture, name, names, y + each * len(sources) / 2 + 3)
        for n, source in enumerate(sources):
            count = counts.get(name, {}).get(source, 0)
            middle = y + n * each + each / 2
            if not count:
                picture.add(Text(left + 5, middle + 3.5, "0", "soft", SMALL))
                continue
            x = place(count)
            if log:
                picture.add(
                    Line(left, middle, x, middle, source, 1.2),
                    Dot(x, middle, 4, source, SHAPES[source]),
                )
            else:
                wide = max(x - left, 1.0)
                picture.add(Rect(left, middle - _BAR / 2, wide, _BAR, source))
                x = left + wide
            picture.add(Text(x + (8 if log else 5), middle + 3.5, f"{count:,}", "ink", SMALL))
    put_more(picture, order, "classes")
    return picture


def confidence_chart(
    order: Sequence[str],
    spreads: Mapping[str, Mapping[Source, Spread]],
    sources: Sequence[Source],
    width: float,
) -> Picture:
    """Show the mean confidence of each class, with the range of its middle half."""
    known = [name for name in order if spreads.get(name)]
    shown = known[:MOST_ROWS]
    names = name_column(shown, width)
    widest = max((s.number for by in spreads.values() for s in by.values()), default=0)
    numbers = text_width(f"{widest:,}", SMALL)
    values = 30 + 12 + numbers
    left, room = names + 12, max(width - names - 22 - values, 20)
    each = _BAR + 2
    row = each * len(sources) + _ROW_GAP
    top = LEGEND + 14
    height = top + row * len(shown) + AXIS + more_height(known)
    words = "; ".join(
        f"{name}: "
        + ", ".join(f"{s} {by[s].mean:.2f} of {by[s].number}" for s in sources if s in by)
        for name in shown
        for by in [spreads[name]]
    )
    picture = Picture(width, height, f"Mean confidence by class. {words}.")
    put_legend(picture, [(s, "") for s in sources], 0.0)
    bottom = top + row * len(shown) - _ROW_GAP / 2
    put_share_axis(picture, left, room, top - 4, bottom)
    picture.add(
        Text(width - numbers - 12, LEGEND + 4, "mean", "soft", SMALL, "end"),
        Text(width, LEGEND + 4, "n", "soft", SMALL, "end"),
    )
    for place_in, name in enumerate(shown):
        y = top + place_in * row
        put_name(picture, name, names, y + each * len(sources) / 2 + 3)
        for n, source in enumerate(sources):
            spread = spreads[name].get(source)
            if spread is None:
                continue
            middle = y + n * each + each / 2
            picture.add(
                Line(
                    left + room * spread.low, middle, left + room * spread.high, middle, source, 2
                ),
                Dot(left + room * spread.mean, middle, 4, source, SHAPES[source]),
                Text(width - numbers - 12, middle + 3.5, f"{spread.mean:.2f}", "ink", SMALL, "end"),
                Text(width, middle + 3.5, f"{spread.number:,}", "soft", SMALL, "end"),
            )
    put_more(picture, known, "classes")
    return picture


def histogram_chart(
    histograms: Mapping[Source, tuple[Sequence[int], Sequence[int]]], width: float
) -> Picture:
    """Show how confidence is distributed, a panel for each source; uncertain ones are pale."""
    panel, gap = 92.0, 30.0
    any_pale = any(sum(pale) for _, pale in histograms.values())
    height = len(histograms) * (panel + gap) + AXIS - gap + (16 if any_pale else 0) + 4
    words = "; ".join(
        f"{source}: "
        + ", ".join(
            f"{a + b} from {n / len(solid):.2f}"
            for n, (a, b) in enumerate(zip(solid, pale, strict=True))
            if a + b
        )
        for source, (solid, pale) in histograms.items()
    )
    picture = Picture(width, height, f"Distribution of confidence. {words}.")
    left, room = 4.0, width - 8
    for place_in, (source, (solid, pale)) in enumerate(histograms.items()):
        top = place_in * (panel + gap)
        base = top + panel
        total = sum(solid) + sum(pale)
        highest = max(a + b for a, b in zip(solid, pale, strict=True)) or 1
        legend = f"{total:,}"
        if any_pale:
            legend += f", {percent(sum(solid) / max(total, 1))} certain"
        put_legend(picture, [(source, legend)], top)
        step = room / len(solid)
        peak_labeled = False
        for n, (a, b) in enumerate(zip(solid, pale, strict=True)):
            tall = (panel - 34) * (a + b) / highest
            dark = (panel - 34) * a / highest
            x = left + n * step
            if b:
                high = max(tall - dark, 1)
                picture.add(Rect(x + 1, base - dark - high, step - 2, high, source, faint=True))
            if a:
                high = max(dark, 1)
                picture.add(Rect(x + 1, base - high, step - 2, high, source))
            if a + b == highest and not peak_labeled:
                peak_labeled = True
                picture.add(
                    Text(x + step / 2, base - tall - 4, f"{a + b:,}", "soft", SMALL, "middle")
                )
        picture.add(Line(left, base, left + room, base, "line"))
    base = len(histograms) * (panel + gap) - gap
    for value in (0, 0.25, 0.5, 0.75, 1):
        x = left + room * value
        anchor: Anchor = "start" if value == 0 else "end" if value == 1 else "middle"
        picture.add(Text(x, base + 14, f"{value:g}", "soft", SMALL, anchor))
    if any_pale:
        picture.add(Text(left, base + 30, "Pale: not certain.", "soft", SMALL))
    return picture
