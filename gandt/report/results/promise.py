"""What a results report says of automatic labels: the promise, and whether people bore it out."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from gandt.report.chart_parts import (
    AXIS,
    MOST_ROWS,
    SMALL,
    more_height,
    name_column,
    percent,
    put_more,
    put_name,
)
from gandt.report.charts import Dot, Line, Picture, Role, Text
from gandt.report.results.model import Automatic, ClassPromise, Measured
from gandt.report.results.parts import Chart, Grid, Section
from gandt.words import count

__all__ = ["audit_chart", "promise_facts", "promise_numbers", "promise_sections"]

_ALL = "all checked"
_NONE = "\N{EN DASH}"
_LEAST_SPAN = 0.1  # of the axis, below the promise
_CONTRAST = "Other"  # the class for everything else, by default
_ROUNDING = 1e-9
_NBSP = "\N{NO-BREAK SPACE}"


def promise_numbers(automatic: Automatic) -> list[tuple[str, str]]:
    """Give the numbers that matter most, as (number, what it is)."""
    found = []
    if automatic.target is not None:
        found.append((_promised(automatic.target), "promised to be right"))
    if automatic.measured:
        all_ = automatic.measured[0]
        span = f"{100 * all_.low:.1f}\N{EN DASH}{100 * all_.high:.1f}{_NBSP}%"
        what = f"of {all_.checked:,} checked are right ({span})"
        found.append((percent(all_.right / all_.checked), what))
    elif automatic.sample:
        found.append((f"0 of {automatic.sample:,}", "checked by people"))
    return found


def promise_facts(automatic: Automatic) -> list[tuple[str, str]]:
    """Tell what the labels were learned from and what they leave, as (name, value)."""
    found = [("Learned from", count(automatic.labeled, "labeled image"))]
    if automatic.copies:
        found.append(("Taken over from near-copies", f"{automatic.copies:,}"))
    found.append(("Left to people", count(automatic.rest, "image")))
    return found


def promise_sections(automatic: Automatic) -> list[Section]:
    """Tell what was promised, by class, and what an audit measured."""
    return [_promise(automatic), _audit(automatic)]


def _promise(automatic: Automatic) -> Section:
    said = [f"{automatic.promise}."] if automatic.promise else []
    if automatic.target is None:
        said.insert(0, "Nothing is promised.")
    said += automatic.caution
    if automatic.copies:
        taken = count(automatic.copies, "label was", "labels were")
        said.append(
            f"{taken} taken over from near-copies of labeled images: each is as sure as the label "
            "of its original, and the promise says nothing of it."
        )
    reasons = any(each.reason for each in automatic.classes)
    rows = tuple(
        (
            each.name,
            f"{each.labels:,}",
            _NONE if each.threshold is None else f"{each.threshold:.2f}",
            _NONE if each.threshold is None else f"{each.right:,} of {each.cases:,}",
            *((_why_none(each),) if reasons else ()),
        )
        for each in sorted(automatic.classes, key=lambda each: -each.labels)
    )
    columns = ("class", "labels", "from", "cases right", *(("why none",) if reasons else ()))
    grid = Grid(columns, frozenset({1, 2, 3}), rows) if rows and automatic.target else None
    if grid:
        said.append(
            "The table has, for each class, how many labels it was given, from which probability "
            "on, and how many cases were right there: labels of people that the probe had not seen."
        )
    return Section("promise", "Promise", " ".join(said), grid=grid)


def _why_none(each: ClassPromise) -> str:
    """Of a class that is given to nothing the cases are all that the probe took for it."""
    if not each.reason or not each.cases:
        return each.reason
    return f"{each.reason}; {each.right:,} of its {count(each.cases, 'prediction')} right"


def _audit(automatic: Automatic) -> Section:
    if not automatic.measured:
        return _unchecked(automatic)
    all_, *classes = automatic.measured
    shown = (all_, *sorted(classes, key=lambda each: -each.checked))
    target = automatic.target or 0.0
    grid = Grid(
        ("class", "right", "checked", f"95{_NBSP}% interval"),
        frozenset({1, 2, 3}),
        tuple(
            (
                each.name or _ALL,
                f"{each.right:,}",
                f"{each.checked:,}",
                f"{100 * each.low:.1f} \N{EN DASH} {100 * each.high:.1f}{_NBSP}%",
            )
            for each in shown
        ),
    )
    chart = Chart("Right, of those checked", lambda width: audit_chart(shown, target, width), grid)
    return Section(
        "audit", _TITLES.get(automatic.verdict, "Audit"), " ".join(automatic.said), (chart,)
    )


_TITLES = {
    "kept": "Audit: the promise is confirmed",
    "open": "Audit: the promise is not proven yet",
    "refuted": "Audit: the promise is refuted",
}


def _unchecked(automatic: Automatic) -> Section:
    name = automatic.folder.rstrip("/").rpartition("/")[2]
    if not automatic.sample:
        words = "Nobody has checked these labels"
        if automatic.target is None:
            return Section("audit", "Audit", f"{words}: all are copies of labels of people.")
        words += ", and no sample was drawn for it: run `gandt autolabel` again with --audit 100."
        return Section("audit", "Audit", words)
    images = count(automatic.sample, "image")
    classes = sorted(each.name for each in automatic.classes)
    classes.sort(key=lambda name: name == _CONTRAST)  # that one last
    words = (
        f"Nobody has checked these labels yet. {name}/audit.manifest holds a random sample of "
        f"{images}: what people say of it, in a job or on this machine, tells how many labels are "
        "right."
    )
    answers, folder = f"{name}-audit.answers", f"{name}-audit/"
    offered = ["--labels", ",".join(classes)]
    commands = (
        ["label", f"{name}/audit.manifest", *offered, "--out", answers],
        ["aggregate", answers, "--out", folder],
        ["autolabel", "--audited", folder, "--out", name],
    )
    return Section(
        "audit", "Audit", words, commands=tuple(shlex.join(["gandt", *c]) for c in commands)
    )


def audit_chart(measured: Sequence[Measured], target: float, width: float) -> Picture:
    """Draw the share that is right with its 95 % interval, beside what was promised."""
    shown = measured[:MOST_ROWS]
    names = [each.name or _ALL for each in shown]
    left = name_column(names, width) + 12
    column = 70.0
    room = max(width - left - column - 14, 40)
    row, top = 22.0, 24.0
    bottom = top + row * len(shown)
    step, start = _axis(min(target - _LEAST_SPAN / 2, *(each.low for each in shown)))

    def place(share: float) -> float:
        return left + room * (share - start) / (1 - start)

    words = "; ".join(
        f"{name}: {each.right} of {each.checked}, 95 % interval {each.low:.3f} to {each.high:.3f}"
        for name, each in zip(names, shown, strict=True)
    )
    picture = Picture(
        width,
        bottom + AXIS + more_height(measured),
        f"Right, of those checked; {_promised(target)} promised. {words}.",
    )
    ticks = round((1 - start) / step)
    for tick in range(ticks + 1):
        share = start + tick * step
        x = place(share)
        picture.add(
            Line(x, top, x, bottom, "line"),
            Text(x, bottom + 14, f"{100 * share:.0f}{_NBSP}%", "soft", SMALL, "middle"),
        )
    goal = place(target)
    picture.add(
        Line(goal, top - 6, goal, bottom, "soft", 1.2, dashed=True),
        Text(goal, 11, f"{_promised(target)} promised", "soft", SMALL, "middle"),
        Text(width, 11, "right", "soft", SMALL, "end"),
    )
    for n, (name, each) in enumerate(zip(names, shown, strict=True)):
        middle = top + n * row + row / 2
        color: Role = "bad" if each.high < target else "machine"
        put_name(picture, name, left - 12, middle + 3.5)
        picture.add(
            Line(place(each.low), middle, place(each.high), middle, color, 2.5),
            Dot(place(each.right / max(each.checked, 1)), middle, 4.5, color, "diamond"),
            Text(
                width,
                middle + 3.5,
                f"{each.right:,} of {each.checked:,}",
                "ink",
                SMALL,
                "end",
                bold=not each.name,
            ),
        )
    put_more(picture, measured, "classes")
    return picture


def _axis(least: float) -> tuple[float, float]:
    """Give the distance of the ticks, and where an axis up to 1 begins that shows `least`."""
    for step, span in ((0.05, 0.1), (0.05, 0.2), (0.1, 0.4), (0.2, 0.6)):
        if least >= 1 - span - _ROUNDING:
            return step, 1 - span
    return 0.25, 0.0


def _promised(share: float) -> str:
    return f"{100 * share:g}{_NBSP}%"
