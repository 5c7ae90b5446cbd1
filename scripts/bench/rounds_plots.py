"""Plots of the bench of rounds, as SVG files of their own, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gandt.active.simulate import Strategy
from gandt.report.charts import Picture, Role, Shape
from gandt.report.curves import Curve, curve_chart, svg_file

__all__ = [
    "OURS",
    "Look",
    "found_picture",
    "growth_pictures",
    "learned_picture",
    "left_picture",
    "rules_picture",
    "write",
]

Values = npt.NDArray[np.float64] | Sequence[float]
Look = tuple[Role, Shape, bool]

OURS: Look = ("human", "circle", False)
_FOUND: dict[Strategy, tuple[str, Look]] = {
    "rounds": ("gandt", OURS),
    "scan": ("full scan", ("gold", "square", True)),
    "nearest": ("nearest neighbor", ("machine", "diamond", False)),
    "random": ("random", ("unknown", "ring", False)),
}


def write(plots: Path | None, name: str, picture: Picture) -> None:
    """Write a picture into a folder; without one, do nothing."""
    if plots is None:
        return
    plots.mkdir(parents=True, exist_ok=True)
    (plots / f"{name}.svg").write_text(svg_file(picture), encoding="utf-8")


def found_picture(
    found: Mapping[str, Values], step: float, rare: str, titles: Mapping[Strategy, str]
) -> Picture:
    """Draw the mean recall over the share of the pool that is labeled, in percent."""
    curves = [
        _curve(name, enumerate(found[titles[strategy]]), look, 100 * step)
        for strategy, (name, look) in _FOUND.items()
    ]
    title = f"Share of a rare class ({rare} of the pool) that was found"
    return curve_chart(curves, title=title, across="percent of the pool labeled")


def left_picture(pairs: Iterable[tuple[int, float]]) -> Picture:
    """Draw what was left against what was said, rehearsals in the order of what was left."""
    ordered = sorted(pairs)
    curves = [
        _curve("said: at most", enumerate((said for _, said in ordered), 1), OURS),
        _curve(
            "really left",
            enumerate((left for left, _ in ordered), 1),
            ("machine", "diamond", False),
        ),
    ]
    return curve_chart(
        [replace(curve, joined=False) for curve in curves],
        title="Images of the rare class that were left when the verdict said stop",
        across="rehearsals, those with the fewest left first",
        shares=False,
    )


def rules_picture(
    shares: Sequence[float],
    rules: Mapping[str, tuple[Values, Look]],
    title: str,
    *,
    limit: tuple[str, float] | None = None,
) -> Picture:
    """Draw a figure of several rules for automatic labels over the percent labeled."""
    curves = [
        Curve(
            name,
            tuple((100 * share, float(value)) for share, value in zip(shares, values, strict=True)),
            *look,
        )
        for name, (values, look) in rules.items()
    ]
    if limit is not None:
        name, height = limit
        ends = ((0.0, height), (100 * shares[-1], height))
        curves.append(Curve(name, ends, "soft", dashed=True, marks=False))
    return curve_chart(curves, title=title, across="percent of the pool labeled by people")


def growth_pictures(
    sizes: Sequence[int], scored: Sequence[float], seconds: Sequence[float]
) -> dict[str, Picture]:
    """Draw the share ever scored and the seconds of a round over the pool's size."""
    across = "thousand images in the pool, 1,200 of them labeled"
    percent = [100 * value for value in scored]
    figures = {
        "rounds-scored": (percent, "Percent of the pool that was ever scored", "ever scored"),
        "rounds-seconds": (list(seconds), "Seconds that the choice of a round takes", "a round"),
    }
    out = {}
    for name, (values, title, line) in figures.items():
        points = tuple((size / 1000, value) for size, value in zip(sizes, values, strict=True))
        out[name] = curve_chart(
            [Curve(line, points, *OURS)], title=title, across=across, shares=False
        )
    return out


def learned_picture(
    reached: Mapping[str, tuple[Values, Look]], start: int, batch: int, where: str
) -> Picture:
    """Draw the share of the pool that is right over the answers spent."""
    curves = [
        Curve(
            name,
            tuple((start + batch * at, float(value)) for at, value in enumerate(values)),
            *look,
        )
        for name, (values, look) in reached.items()
    ]
    return curve_chart(
        curves, title=f"Share of the pool that is right ({where})", across="answers of people"
    )


def _curve(name: str, values: Iterable[tuple[int, float]], look: Look, step: float = 1) -> Curve:
    return Curve(name, tuple((step * at, float(value)) for at, value in values), *look)
