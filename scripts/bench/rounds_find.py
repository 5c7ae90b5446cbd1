"""Finding a rare class, and when to stop: `find`, `found` and `stop` of `rounds.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rounds_peers import uncertain_first
from rounds_plots import found_picture, left_picture, write
from rounds_pools import Hunt

from gandt.active.estimates import upper_share
from gandt.active.simulate import Played, SimOptions, Strategy, simulate
from gandt.active.stop import DRY_RUN
from gandt.index.ann import ExactIndex
from gandt.index.arrays import ArrayStore
from gandt.types import HalfArray, IntArray

__all__ = ["find_held_out", "find_tuned", "stop_held_out", "stop_tuned"]

PLAIN: dict[Strategy, str] = {
    "random": "random order",
    "nearest": "one-shot nearest neighbor",
    "scan": "most likely positive, full scan",
    "rounds": "**gandt, neighbors and probe**",
}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "no slice": ("gandt without the uniform 5 %", {"uniform": 0.0}),
    "learn": ("gandt, goal `learn` (margin and distance)", {"mix": {"learn": 1.0}}),
}
PEER = "scikit-activeml, least sure first"


@dataclass(slots=True)
class _Searched:
    """What the strategies found in one hunt; each list has an entry per redraw."""

    at_marks: dict[str, list[list[float]]]
    curves: dict[str, list[list[float]]]
    scored: list[float]


def _options(hunt: Hunt, rows: int, redraw: int) -> SimOptions:
    return SimOptions(
        rounds=round(hunt.marks[-1] / hunt.step),
        budget=round(hunt.step * rows),
        targets=(hunt.name,),
        workers=0,
        measure=False,
        random_seed=redraw,
    )


def _search(hunt: Hunt, redraws: int, peer: bool) -> _Searched:
    out = _Searched({}, {}, [])
    for redraw in range(redraws):
        vectors, truth = hunt.draw(redraw)
        plain = _options(hunt, len(truth), redraw)
        ways = {title: replace(plain, strategy=key) for key, title in PLAIN.items()}
        ways |= {title: replace(plain, **changes) for title, changes in VARIANTS.values()}
        for title, options in ways.items():
            history = _play(vectors, truth, hunt, options)
            spent = [played.labels for played in history]
            _note(out, hunt, title, spent, [played.recall[0] for played in history], len(truth))
            if title == PLAIN["rounds"]:
                out.scored.append(history[-1].scored)
        if peer:
            told = uncertain_first(vectors, truth, plain)
            if told is not None:
                spent = [plain.budget * at for at in range(len(told))]
                _note(out, hunt, PEER, spent, told, len(truth))
    return out


def _play(
    vectors: HalfArray, truth: IntArray, hunt: Hunt, options: SimOptions
) -> tuple[Played, ...]:
    store = ArrayStore(vectors)
    return simulate(store, ExactIndex(store), truth, (hunt.name, "Other"), options)


def _note(
    out: _Searched,
    hunt: Hunt,
    title: str,
    spent: Sequence[int],
    recall: Sequence[float],
    rows: int,
) -> None:
    marks = []
    for mark in hunt.marks:
        reached = [at for at, labels in enumerate(spent) if labels >= round(mark * rows)]
        marks.append(recall[reached[0] if reached else -1])
    out.at_marks.setdefault(title, []).append(marks)
    out.curves.setdefault(title, []).append(list(recall))


def find_tuned(hunts: Sequence[Hunt], redraws: int, plots: Path | None) -> list[str]:
    """Recall of a rare class on the pool that rounds were tuned on, the mean over classes."""
    searched = [_search(hunt, redraws, peer=True) for hunt in hunts]
    first = hunts[0]
    assert first.share is not None
    curves = {
        title: np.mean([curve for each in searched for curve in each.curves[title]], axis=0)
        for title in searched[0].curves
    }
    write(plots, "rounds-find", found_picture(curves, first.step, f"{first.share:.0%}", PLAIN))
    scored = np.mean([share for each in searched for share in each.scored])
    lines = [
        f"{len(hunts)} classes of {first.share:.0%}, {redraws} redraws, batches of "
        f"{first.step:.1%}, 5 seeds; gandt had scored {scored:.0%} of the pool in the end.",
        "",
        f"| recall at | {' | '.join(f'{100 * mark:.0f} %' for mark in first.marks)} labeled |",
        "| --- | --- | --- | --- |",
    ]
    for title in searched[0].at_marks:
        means = np.mean([marks for each in searched for marks in each.at_marks[title]], axis=0)
        lines.append(f"| {title} | {' | '.join(f'{value:.2f}' for value in means)} |")
    return lines


def find_held_out(hunts: Sequence[Hunt], redraws: int) -> list[str]:
    """Recall of each class of the held-out pools, the mean over redraws."""
    searched = [_search(hunt, redraws, peer=True) for hunt in hunts]
    marks = " / ".join(f"{100 * mark:.0f}" for mark in hunts[0].marks)
    lines = [
        f"{redraws} redraws, batches of {hunts[0].step:.1%}, 5 seeds; recall at {marks} % labeled.",
        "",
        f"| recall at {marks} % labeled | {' | '.join(hunt.key for hunt in hunts)} |",
        "| --- |" + " --- |" * len(hunts),
    ]
    for title in searched[0].at_marks:
        cells = [
            " / ".join(f"{value:.2f}" for value in np.mean(each.at_marks[title], axis=0))
            for each in searched
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


@dataclass(frozen=True, slots=True)
class _Stopped:
    """One rehearsal that ended where the verdict said so."""

    left: int  # images of the class that were really left
    said: float  # estimated upper end
    spent: float  # share of the pool labeled
    recall: float
    ended: bool  # whether the verdict ended it, and not the pool


def _rehearse(hunt: Hunt, redraw: int) -> _Stopped:
    vectors, truth = hunt.draw(redraw)
    options = replace(_options(hunt, len(truth), redraw), rounds=60, budget=20, until_stop=True)
    history = _play(vectors, truth, hunt, options)
    # The verdict came before the last round was labeled.
    before, last = history[-2], history[-1]
    left = int((truth == 0).sum()) - options.seeds - int(before.found[0])
    return _Stopped(
        left, last.upper_left[0], before.labels / len(truth), before.recall[0], last.stop
    )


def _stop_row(title: str, stopped: Sequence[_Stopped]) -> str:
    """Tell of the rehearsals that the verdict ended; the others labeled the whole pool."""
    ended = [each for each in stopped if each.ended]
    if not ended:
        return f"| {title} | 0 of {len(stopped)} | | | | | |"
    held = sum(each.left <= each.said for each in ended)
    return (
        f"| {title} | {len(ended)} of {len(stopped)} | {np.mean([s.spent for s in ended]):.0%} | "
        f"{np.mean([s.recall for s in ended]):.0%} | {np.mean([s.left for s in ended]):.1f} | "
        f"{np.median([s.said for s in ended]):.0f} | {held} of {len(ended)} |"
    )


STOP_HEAD = [
    "| rehearsals | ended by the verdict | labeled | found | left, mean | said: at most, median | "
    "the estimate held |",
    "| --- | --- | --- | --- | --- | --- | --- |",
]


def stop_tuned(hunts: Sequence[Hunt], redraws: int, plots: Path | None) -> list[str]:
    """What had been said when 60 chosen labels in a row missed, and what was left."""
    stopped = [_rehearse(hunt, redraw) for redraw in range(redraws) for hunt in hunts]
    pairs = [(each.left, each.said) for each in stopped if each.ended]
    write(plots, "rounds-stop", left_picture(pairs))
    lines = [
        f"Ended at {DRY_RUN} chosen labels in a row that missed; rounds of 20.",
        "",
        *STOP_HEAD,
        _stop_row(f"{hunts[0].pool.name}, {len(hunts)} classes", stopped),
        "",
        "| uniform labels without a hit | at most left (95 %) |",
        "| --- | --- |",
    ]
    return lines + [f"| {drawn} | {upper_share(drawn):.2%} |" for drawn in (200, 400, 600)]


def stop_held_out(hunts: Sequence[Hunt], redraws: int) -> list[str]:
    """The same for each class of the held-out pools."""
    rows = [
        _stop_row(hunt.key, [_rehearse(hunt, redraw) for redraw in range(redraws)])
        for hunt in hunts
    ]
    return [*STOP_HEAD, *rows]
