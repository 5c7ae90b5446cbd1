"""The charts of a results report that say whom and what to trust.

Calibration, agreement, the commonest wrong answers, and the accuracy of a worker; see
`charts` for counts and confidence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gandt.report.chart_parts import (
    AXIS,
    MOST_ROWS,
    SMALL,
    more_height,
    name_column,
    percent,
    put_more,
    put_name,
    put_share_axis,
)
from gandt.report.charts import Dot, Line, Picture, Rect, Role, Text, cut, text_width
from gandt.report.results.facts import Agreed, Calibration, Confusion
from gandt.report.results.model import WorkerRow
from gandt.words import count

__all__ = ["agreement_chart", "calibration_chart", "confusion_chart", "interval_picture"]


def calibration_chart(found: Calibration, width: float) -> Picture:
    """Draw the reliability diagram: on the line, confidence means what it says."""
    side = min(width - 34, 300.0)
    left, top = 30.0, 20.0
    strip = 40.0
    height = top + side + 18 + strip + 22
    picture = Picture(
        width,
        height,
        "Calibration: "
        + "; ".join(
            f"of {b.number} labels with confidence about {b.confidence:.2f}, "
            f"{b.right:.2f} are right"
            for b in found.bins
        )
        + f". Expected calibration error {found.error:.3f}.",
    )
    picture.add(Text(0, 11, "share that is right", "soft", SMALL))
    for value in (0, 0.25, 0.5, 0.75, 1):
        x, y = left + side * value, top + side * (1 - value)
        picture.add(
            Line(left, y, left + side, y, "line"),
            Line(x, top, x, top + side, "line"),
            Text(left - 6, y + 3.5, f"{value:g}", "soft", SMALL, "end"),
            Text(x, top + side + 14, f"{value:g}", "soft", SMALL, "middle"),
        )
    picture.add(Line(left, top + side, left + side, top, "soft", 1, dashed=True))
    most = max(b.number for b in found.bins)
    base = top + side + 18 + strip
    for b in found.bins:
        x = left + side * b.confidence
        picture.add(
            Line(x, top + side * (1 - b.low), x, top + side * (1 - b.high), "human", 1.5),
            Dot(x, top + side * (1 - b.right), 3 + 3 * math.sqrt(b.number / most), "human"),
        )
        tall = max((strip - 14) * b.number / most, 1)
        picture.add(Rect(x - 3, base - tall, 6, tall, "unknown"))
        if b.number == most:
            picture.add(Text(x, base - tall - 3, f"{most:,}", "soft", SMALL, "middle"))
    picture.add(
        Line(left, base, left + side, base, "line"),
        Text(left, base + 14, "confidence, and number of labels", "soft", SMALL),
        Text(left + 10, top + 20, f"ECE {found.error:.3f}", "ink", 13, bold=True),
        Text(left + 10, top + 36, f"n {found.number:,}", "soft", SMALL),
    )
    return picture


def agreement_chart(agreed: Sequence[Agreed], alphas: Mapping[str, float], width: float) -> Picture:
    """Show how far workers agree on each class, the worst first."""
    names = name_column([a.label for a in agreed[:MOST_ROWS]], width)
    columns = [34.0, 40.0] + ([44.0] if alphas else [])
    left, room = names + 12, max(width - names - 22 - sum(columns), 20)
    row, top = 20.0, 22.0
    shown = agreed[:MOST_ROWS]
    bottom = top + row * len(shown)
    words = "; ".join(f"{a.label}: {a.agreement:.2f} of {a.number}" for a in shown)
    picture = Picture(width, bottom + AXIS + more_height(agreed), f"Agreement by class. {words}.")
    put_share_axis(picture, left, room, top, bottom)
    ends = [width - sum(columns[n + 1 :]) for n in range(len(columns))]
    for end, word in zip(ends, ("mean", "n", "alpha"), strict=False):
        picture.add(Text(end, 11, word, "soft", SMALL, "end"))
    for n, each in enumerate(shown):
        middle = top + n * row + row / 2
        put_name(picture, each.label, names, middle + 3.5)
        picture.add(
            Line(left, middle, left + room * each.agreement, middle, "human", 1.2),
            Dot(left + room * each.agreement, middle, 4, "human"),
            Text(ends[0], middle + 3.5, f"{each.agreement:.2f}", "ink", SMALL, "end"),
            Text(ends[1], middle + 3.5, f"{each.number:,}", "soft", SMALL, "end"),
        )
        if each.label in alphas:
            picture.add(
                Text(ends[2], middle + 3.5, f"{alphas[each.label]:.2f}", "ink", SMALL, "end")
            )
    put_more(picture, agreed, "classes")
    return picture


def confusion_chart(found: Sequence[Confusion], width: float) -> Picture:
    """List the commonest wrong answers with how often they were given."""
    row, top = 34.0, 4.0
    most = max((c.number for c in found), default=1)
    values = 86.0
    words = "; ".join(f"{c.answer} where {c.label} is right: {c.number}" for c in found)
    picture = Picture(width, top + row * len(found), f"Commonest wrong answers. {words}.")
    for n, each in enumerate(found):
        y = top + n * row
        said, full = cut(f"{each.answer}", 11, width * 0.46)
        truth, whole = cut(f"{each.label}", 11, width * 0.34)
        between = "where it is"
        x = text_width(said, 11) + 6
        picture.add(
            Text(0, y + 11, said, "ink", 11, bold=True, full=full),
            Text(x + 4, y + 11, between, "soft", SMALL),
            Text(x + 10 + text_width(between, SMALL), y + 11, truth, "ink", 11, full=whole),
            Rect(0, y + 17, max((width - values) * each.number / most, 1), 8, "unknown"),
            Text(
                (width - values) * each.number / most + 6,
                y + 24.5,
                f"{each.number:,} answers, {percent(each.share)}",
                "soft",
                SMALL,
            ),
        )
    return picture


def interval_picture(worker: WorkerRow, width: float = 132, height: float = 16) -> Picture:
    """Draw a worker's accuracy with its 95 % interval; an upright stroke is that on gold."""
    middle = height / 2
    left, room = 4.0, width - 8

    def place(share: float) -> float:
        return left + room * min(max(share, 0.0), 1.0)

    words = "accuracy unknown"
    picture = Picture(width, height, words)
    for value in (0, 0.5, 1):
        picture.add(Line(place(value), 1, place(value), height - 1, "line"))
    color: Role = "bad" if worker.reliable is False else "human"
    if worker.accuracy is None:
        return picture
    picture.words = f"accuracy {worker.accuracy:.2f}"
    if worker.low is not None and worker.high is not None:
        picture.words += f", 95 % interval {worker.low:.2f} to {worker.high:.2f}"
        picture.add(Line(place(worker.low), middle, place(worker.high), middle, color, 2.5))
    picture.add(Dot(place(worker.accuracy), middle, 4, color))
    if worker.gold_accuracy is not None and worker.gold_answers:
        picture.words += (
            f"; {worker.gold_accuracy:.2f} on {count(worker.gold_answers, 'gold task')}"
        )
        x = place(worker.gold_accuracy)
        picture.add(Line(x, 1.5, x, height - 1.5, "gold", 2))
    return picture
