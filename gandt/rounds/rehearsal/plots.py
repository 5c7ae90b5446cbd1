"""The two plots of a rehearsal: what was found, and how much of the pool is right, for what.

Lines are means over draws. The line of random order in the plot of what was found is no draw but
what is expected of it: the same share of what is there as of the pool.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gandt.active.simulate import Strategy
from gandt.report.charts import Picture, Role, Shape
from gandt.report.curves import Curve, Flag, curve_chart
from gandt.rounds.rehearsal.rehearsal import Mean, Rehearsal
from gandt.rounds.rehearsal.words import NAMES, amount, commonest, joined, share

__all__ = ["accuracy_plot", "found_plot"]

_LOOKS: dict[Strategy, tuple[Role, Shape]] = {
    "rounds": ("human", "circle"),
    "scan": ("gold", "square"),
    "nearest": ("machine", "diamond"),
    "random": ("unknown", "ring"),
}
_WIDTH, _HEIGHT = 680.0, 380.0
_NAMED = 3  # classes in a title, before they are only counted


def found_plot(
    played: Rehearsal, width: float = _WIDTH, height: float = _HEIGHT, *, brief: bool = False
) -> Picture:
    """Draw what was spent against the images found, of all classes to find together.

    Parameters
    ----------
    brief
        Whether names are short and without numbers, for a narrow place.
    """
    cost = _Cost(played)
    there = float(sum(played.there))
    curves = [
        _curve(strategy, [(cost.of(mean), sum(mean.found)) for mean in means], amount, brief)
        for strategy, means in _means(played)
        if strategy != "random"
    ]
    most = max(curve.points[-1][0] for curve in curves)
    expected = min(there * most / cost.per_image / played.open, there)
    note = "" if brief else f"{amount(expected)} expected"
    curves.append(
        _level(_name("random", brief), ((0.0, 0.0), (most, expected)), "unknown", note),
    )
    curves.append(_level(f"all {there:,.0f}", ((0.0, there), (most, there)), "soft"))
    return curve_chart(
        curves,
        title=f"{_classes(played)}: images found",
        across=cost.words(brief),
        width=width,
        height=height,
        shares=False,
        flags=_flags(played, cost),
    )


def accuracy_plot(
    played: Rehearsal, width: float = _WIDTH, height: float = _HEIGHT, *, brief: bool = False
) -> Picture:
    """Draw what was spent against the share of the pool that is right.

    From the first round on: the seeds are of the classes to find alone, and a probe of them can
    name no other. Beside it what calling everything by the commonest class would reach, and, where
    workers err, how many of people's own labels are right.
    """
    cost = _Cost(played)
    curves = [
        _curve(strategy, [(cost.of(mean), mean.reached) for mean in means[1:]], share, brief)
        for strategy, means in _means(played)
    ]
    if played.options.workers:
        points = tuple((cost.of(mean), mean.right) for mean in played.means("rounds")[1:])
        told = "" if brief else share(points[-1][1])
        name = "people" if brief else "people's labels"
        curves.append(Curve(name, points, "accent", "square", note=told))
    most = max(curve.points[-1][0] for curve in curves)
    name, level = commonest(played)
    note = "" if brief else share(level)
    curves.append(_level(f"all {name}", ((0.0, level), (most, level)), "soft", note))
    return curve_chart(
        curves,
        title="Share of the pool with the right label, where a probe labels what people did not",
        across=cost.words(brief),
        width=width,
        height=height,
        flags=_flags(played, cost),
    )


class _Cost:
    """The axis across: images labeled, or answers where some images were asked more often."""

    def __init__(self, played: Rehearsal) -> None:
        self.again, self.per_image = played.again, played.per_image
        self._repeat = played.options.repeat

    def of(self, mean: Mean) -> float:
        return mean.answers if self.again else mean.labels

    def words(self, brief: bool) -> str:
        if brief:
            return "answers" if self.again else "images labeled"
        draws = f" (means of {self._repeat} draws)" if self._repeat > 1 else ""
        what = "answers given by people" if self.again else "images labeled by people"
        return f"{what}, seeds not counted{draws}"


def _means(played: Rehearsal) -> list[tuple[Strategy, tuple[Mean, ...]]]:
    return [(strategy, played.means(strategy)) for strategy in played.games]


def _name(strategy: Strategy, brief: bool) -> str:
    # One word for a narrow place: the page says beside it what it means.
    return strategy if brief and strategy in ("nearest", "random") else NAMES[strategy]


def _curve(
    strategy: Strategy,
    points: Sequence[tuple[float, float]],
    told: Callable[[float], str],
    brief: bool,
) -> Curve:
    color, shape = _LOOKS[strategy]
    note = "" if brief else told(points[-1][1])
    return Curve(_name(strategy, brief), tuple(points), color, shape, note=note)


def _level(
    name: str, points: tuple[tuple[float, float], ...], color: Role, note: str = ""
) -> Curve:
    return Curve(name, points, color, dashed=True, marks=False, note=note)


def _classes(played: Rehearsal) -> str:
    if len(played.targets) > _NAMED:
        return f"{len(played.targets)} classes"
    return joined(played.targets)


def _flags(played: Rehearsal, cost: _Cost) -> list[Flag]:
    """Say where the verdict was to stop, if it was in every draw: the mean of them."""
    stops = [stop for stop in played.stops() if stop is not None]
    if len(stops) < played.options.repeat:
        return []
    states = [game[stop.round] for game, stop in zip(played.games["rounds"], stops, strict=True)]
    spent = [state.answers if cost.again else state.labels for state in states]
    return [Flag(sum(spent) / len(spent), "gandt next says: stop")]
