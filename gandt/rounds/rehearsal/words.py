"""What is said of a rehearsal: for a terminal, for machines, and for the page.

Everything is a mean over draws where there are several, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gandt.active.simulate import Strategy
from gandt.rounds.rehearsal.rehearsal import Mean, Rehearsal
from gandt.words import count

__all__ = [
    "NAMES",
    "amount",
    "commonest",
    "conclusion",
    "how_played",
    "joined",
    "lines",
    "milestones",
    "share",
    "sought",
    "standings",
    "stop_sentence",
    "summary",
    "what_it_does_not_tell",
]

NAMES: dict[Strategy, str] = {
    "rounds": "gandt",
    "scan": "full scan",
    "nearest": "nearest neighbor",
    "random": "random order",
}
_SHOWN = 6  # classes that a line names before the rest is only counted
_PARTS = {"half": 0.5, "80%": 0.8, "90%": 0.9, "all": 1.0}  # of what there is to find
_EN = "\N{EN DASH}"  # where there is nothing to tell
_ROUNDING = 1e-9  # a mean of whole numbers may miss one by so much


def lines(played: Rehearsal) -> Iterator[str]:
    """Say it in a terminal."""
    yield f"{'sought':<12} {sought(played)}"
    yield f"{'played':<12} {how_played(played)}"
    yield f"{'found':<12} {conclusion(played)}"
    yield ""
    table = standings(played)
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        cells = [f"{row[0]:<{widths[0]}}"]
        cells += [f"{cell:>{wide}}" for cell, wide in zip(row[1:], widths[1:], strict=True)]
        yield "   ".join(cells).rstrip()
    yield ""
    yield f"{'stop':<12} {stop_sentence(played)}"


def sought(played: Rehearsal) -> str:
    """What there was to be found."""
    total, seeds = sum(played.there), played.options.seeds
    names = joined(played.targets, _SHOWN)
    images = total + seeds * len(played.targets)
    of, each = ("of ", " of each") if len(played.targets) > 1 else ("", "")
    return (
        f"{images:,} images are {of}{names}, {images / played.images:.1%} of {played.images:,}: "
        f"{seeds:,}{each} {'is a seed' if seeds == 1 and not each else 'are seeds'}, "
        f"{total:,} to find"
    )


def how_played(played: Rehearsal) -> str:
    """How the rehearsal was played."""
    options = played.options
    sim = options.played(played.budget, played.targets)
    people = "the truth told"
    if options.workers:
        people = (
            f"{count(sim.answers, 'answer')} each by {count(options.workers, 'worker')} who "
            f"{'is' if options.workers == 1 else 'are'} right in {options.worker_accuracy:.0%}"
        )
    text = f"{count(options.rounds, 'round')} of {count(played.budget, 'image')}, {people}"
    if tuple(options.mix) != ("find",):
        text += f"; goals {', '.join(f'{goal} {share:g}' for goal, share in options.mix.items())}"
    if options.repeat > 1:
        text += f"; means of {options.repeat} draws"
    return text


def conclusion(played: Rehearsal) -> str:
    """Say how many were found for what, and how many by other ways for as much.

    It is of the last milestone that our rounds reached, or else of the end; follows "found".
    """
    ours, there = played.means("rounds"), sum(played.there)
    last = len(ours) - 1
    at, found = last, f"{amount(sum(ours[last].found))} of {there:,}"
    for words, part in reversed(_PARTS.items()):
        reached = _reached(played, "rounds", part)
        if reached is not None:
            at, found = reached, f"{words} {'' if part == 1 else 'of '}{there:,}"
            break
    answers = f" ({_counted(ours[at].answers, 'answer')})" if played.options.workers else ""
    expected = there * min(_spent(played, ours[at]) / played.per_image / played.open, 1)
    beside = []
    for strategy in played.games:
        if strategy not in ("rounds", "random"):
            theirs = played.means(strategy)[: at + 1][-1]  # the pool may have ended before
            beside.append(f"{NAMES[strategy]} found {amount(sum(theirs.found))}")
    beside.append(f"chance would find {amount(expected)}")
    spent = f"{_counted(ours[at].labels, 'label')}{answers}"
    said = f"{found} within {spent}, where {joined(beside)}"
    if sum(ours[last].found) > sum(ours[at].found):
        total, labels = amount(sum(ours[last].found)), _counted(ours[last].labels, "label")
        said += f"; {total} within {labels}"
    return said


def milestones(played: Rehearsal) -> list[list[str]]:
    """Give a table of what was spent until so many were found: a head, and a row per strategy.

    Images labeled, or answers where some were asked more often; told by the end of the round that
    first got so far in the mean, a dash where none did. Chance is what random order is expected to
    take, which may lie far beyond the rounds played.
    """
    rows = [["", *_PARTS]]
    for strategy in played.games:
        if strategy != "random":
            means = played.means(strategy)
            reached = [_reached(played, strategy, part) for part in _PARTS.values()]
            spent = [None if at is None else _spent(played, means[at]) for at in reached]
            rows.append([NAMES[strategy], *(_EN if n is None else amount(n) for n in spent)])
    expected = [part * played.open * played.per_image for part in _PARTS.values()]
    return [*rows, ["chance", *(f"{n:,.0f}" for n in expected)]]


def _spent(played: Rehearsal, mean: Mean) -> float:
    return mean.answers if played.again else mean.labels


def _reached(played: Rehearsal, strategy: Strategy, part: float) -> int | None:
    """Give the first round after which a share of what was there had been found."""
    wanted = part * sum(played.there) - _ROUNDING
    means = played.means(strategy)
    return next((at for at, mean in enumerate(means) if sum(mean.found) >= wanted), None)


def standings(played: Rehearsal) -> list[list[str]]:
    """Give a table of what was reached in the end: a head, and a row per strategy."""
    people = played.options.workers > 0
    automatic = played.options.target_accuracy is not None
    head = ["", "labeled", "found"]
    head += ["answers", "labels right"] if people else []
    head += ["pool right"] + (["automatic", "of them right"] if automatic else [])
    head += ["pool looked at"]
    rows = [head]
    for strategy in played.games:
        last = played.means(strategy)[-1]
        row = [
            NAMES[strategy],
            amount(last.labels),
            f"{amount(sum(last.found))} of {sum(played.there):,}",
        ]
        row += [amount(last.answers), share(last.right)] if people else []
        row.append(share(last.reached))
        if automatic:
            made = [game[-1].automatic for game in played.games[strategy]]
            row += [_span(made), share(last.automatic_right)]
        rows.append([*row, share(last.scored)])
    return rows


def stop_sentence(played: Rehearsal) -> str:
    """Where `gandt next` would have said stop, and what was really left then; follows "stop"."""
    stops = played.stops()
    said = [stop for stop in stops if stop is not None]
    if not said:
        several = f" in any of {len(stops)} draws" if len(stops) > 1 else ""
        rounds = max(len(game) for game in played.games["rounds"]) - 1
        return f"would not have been said within {count(rounds, 'round')}{several}"
    there = sum(played.there)
    draws = f"in {len(said)} of {len(stops)} draws, " if len(stops) > 1 else ""
    labels = [stop.labels for stop in said]
    return (
        f"would have been said {draws}after {_span(labels)} labels, with "
        f"{_span([sum(stop.found) for stop in said])} of {there:,} found: "
        f"{_span([sum(stop.left) for stop in said])} left, where "
        f"{_span([round(sum(stop.at_most)) for stop in said])} were expected at most"
    )


def what_it_does_not_tell(played: Rehearsal) -> Iterator[str]:
    """The limits of a rehearsal, a sentence or two each."""
    yield (
        f"Other classes. These figures are those of {joined(played.targets, _SHOWN)} in this pool, "
        "seen by this model. A class that looks less alike is found more slowly, and one that the "
        "model cannot see is not found at all."
    )
    if played.options.workers:
        yield (
            "Other people. Simulated workers err by chance and name every other class equally "
            "often. Real ones confuse what looks alike, tire, and err together on the same image, "
            "which answers of several do not mend."
        )
    else:
        yield (
            "Other people. Every answer was right at once. Real people err: rehearse with "
            "--workers 5 to see what that costs."
        )
    yield (
        "Other seeds. The seeds were drawn at random from the class. Those you have may be alike, "
        "and then show less of it."
    )
    yield (
        "Other pools. The truth of this pool is known because somebody labeled it; a pool that "
        "nobody has labeled may hold other things, and a larger one more of what looks alike."
    )
    if played.options.repeat == 1:
        yield (
            "Chance. This is one draw of seeds and answers; --repeat 5 plays five and shows their "
            "means."
        )


def summary(played: Rehearsal) -> dict[str, Any]:
    """Give the result for machines."""
    return {
        "index": played.index,
        "truth": played.truth,
        "images": played.images,
        "classes": dict(zip(played.classes, played.counts, strict=True)),
        "targets": dict(zip(played.targets, played.there, strict=True)),
        "seeds": played.options.seeds,
        "budget": played.budget,
        "repeat": played.options.repeat,
        "strategies": {
            strategy: {
                **_in_the_end(played.means(strategy)[-1], played.targets),
                "rounds": len(played.means(strategy)) - 1,
                "seconds_per_round": _seconds(played, strategy),
            }
            for strategy in played.games
        },
        "stops": [
            stop
            and {
                "round": stop.round,
                "labels": stop.labels,
                "found": dict(zip(played.targets, stop.found, strict=True)),
                "left": dict(zip(played.targets, stop.left, strict=True)),
                "at_most_left": dict(zip(played.targets, stop.at_most, strict=True)),
                "held": stop.held,
            }
            for stop in played.stops()
        ],
        "seconds": round(played.seconds, 1),
        "notes": list(played.notes),
    }


def _in_the_end(last: Mean, targets: Sequence[str]) -> dict[str, Any]:
    return {
        "labels": last.labels,
        "answers": last.answers,
        "found": dict(zip(targets, last.found, strict=True)),
        "labels_right": last.right,
        "pool_right": last.reached,
        "automatic": last.automatic,
        "automatic_right": None if math.isnan(last.automatic_right) else last.automatic_right,
        "scored": last.scored,
    }


def _seconds(played: Rehearsal, strategy: Strategy) -> float:
    """Give the median time that the choice of a round took."""
    times = [state.seconds for game in played.games[strategy] for state in game[1:]]
    return round(float(np.median(times)), 3) if times else 0.0


def joined(names: Sequence[str], most: int = 1_000_000) -> str:
    """List names as a sentence does: "a, b and c"."""
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1:,} more classes"
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def commonest(played: Rehearsal) -> tuple[str, float]:
    """Name the class with the most images, and its share of the pool."""
    most = max(played.counts)
    return played.classes[played.counts.index(most)], most / played.images


def amount(value: float) -> str:
    """Write a count, or a mean of counts with one decimal."""
    return f"{value:,.1f}".removesuffix(".0")


def _counted(value: float, noun: str) -> str:
    return f"{amount(value)} {noun if value == 1 else noun + 's'}"


def share(value: float) -> str:
    """Write a share in percent; a dash where there is none."""
    if math.isnan(value):
        return _EN
    text = f"{value:.1%}"
    return "> 99.9%" if text == "100.0%" and value < 1 else text.replace("100.0%", "100%")


def _span(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
