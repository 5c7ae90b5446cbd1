"""`gandt simulate`: the rounds rehearsed on images whose labels are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gandt.cli.goals import parse_goals
from gandt.cli.output import duration, note, print_json, show_line
from gandt.cli.threads import one_blas_thread
from gandt.errors import UsageError

if TYPE_CHECKING:
    from gandt.active.simulate import Strategy
    from gandt.rounds.rehearsal.rehearsal import Progress

__all__ = ["SIMULATE_EXAMPLE", "simulate"]

SIMULATE_EXAMPLE = "gandt simulate --truth truth.csv --target defect --out simulation/"


def simulate(
    truth: Annotated[
        str,
        typer.Option(
            help="Table of path and label of the pool's images; images that it does not name are "
            "of the contrast class.",
            show_default=False,
        ),
    ],
    index: Annotated[str, typer.Option(help="Index folder, local or s3://.")] = "pool.index",
    out: Annotated[str, typer.Option(help="Folder to write, local or s3://.")] = "simulation/",
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS",
            help="Class to find. May be given several times.",
            show_default="the rarer half",
        ),
    ] = None,
    other: Annotated[
        str, typer.Option(help="The contrast class: never a class to find by itself.")
    ] = "Other",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds to play.")] = 10,
    budget: Annotated[
        int | None,
        typer.Option(min=1, help="Images per round.", show_default="1 % of the pool, 10 to 500"),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Labeled images of each class to find, at the start.")
    ] = 5,
    workers: Annotated[
        int, typer.Option(min=0, help="Simulated workers; 0: the truth is told.")
    ] = 5,
    worker_accuracy: Annotated[
        float, typer.Option(help="Share of a worker's answers that is right, on average.")
    ] = 0.85,
    answers: Annotated[
        int | None,
        typer.Option(min=1, help="Answers per image.", show_default="3, or one per worker"),
    ] = None,
    goal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=SHARE]",
            help="What our rounds are for: find, learn or balance, mixed by share.",
            show_default="find",
        ),
    ] = None,
    uniform: Annotated[
        float, typer.Option(min=0, max=1, help="Share of a round that is drawn uniformly.")
    ] = 0.05,
    neighbors: Annotated[
        int, typer.Option(min=1, help="Neighbors of labeled images that become candidates.")
    ] = 50,
    again: Annotated[
        bool,
        typer.Option("--again/--no-again", help="Ask labeled images again where that is worth it."),
    ] = True,
    target_accuracy: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="What is promised of automatic labels, counted after every round; 0: none.",
        ),
    ] = 0.95,
    beside: Annotated[
        str,
        typer.Option(
            help="What to play beside our rounds: random, nearest and scan (the whole pool as "
            "candidates), comma-separated, or none."
        ),
    ] = "random,nearest",
    until_stop: Annotated[
        bool, typer.Option("--until-stop", help="End where `gandt next` would say stop.")
    ] = False,
    repeat: Annotated[
        int, typer.Option(min=1, help="Draws of seeds and workers; their means are shown.")
    ] = 3,
    random_seed: Annotated[int, typer.Option(min=0, help="Same seed, same history.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Rehearse the rounds on images whose labels are known.

    Plays select, label by simulated workers, aggregate, label automatically, and on to the next
    round, beside other ways to spend the same budget: what would be found, at what cost. Automatic
    labels are counted and left in the pool. Writes the history, two plots and a page.
    """
    one_blas_thread()
    from gandt.rounds.rehearsal.files import check_folder, write_rehearsal
    from gandt.rounds.rehearsal.rehearsal import RehearsalOptions, rehearse
    from gandt.rounds.rehearsal.words import lines, summary

    check_folder(out)
    options = RehearsalOptions(
        targets=tuple(target or ()),
        other=other,
        rounds=rounds,
        budget=budget,
        seeds=seeds,
        workers=workers,
        worker_accuracy=worker_accuracy,
        answers=answers,
        mix=parse_goals(goal or ["find"]),
        uniform=uniform,
        neighbors=neighbors,
        again=again,
        target_accuracy=target_accuracy or None,
        beside=_strategies(beside),
        until_stop=until_stop,
        repeat=repeat,
        random_seed=random_seed,
    )
    try:
        with show_line(_standing, quiet=json) as show:
            played = rehearse(index, truth, options, on_progress=show)
    except KeyboardInterrupt:
        note(f"gandt: stopped before the end; nothing was written to {out}.")
        raise typer.Exit(130) from None
    files = write_rehearsal(out, played)
    if json:
        print_json({**summary(played), "files": files})
        return
    for line in lines(played):
        typer.echo(line)
    typer.echo(f"{'history':<12} {files['history']}")
    typer.echo(f"{'plots':<12} {files['found']}, {files['accuracy']}")
    typer.echo(f"{'page':<12} {files['page']}")
    for text in played.notes:
        note(f"note: {text}")


def _strategies(text: str) -> tuple[Strategy, ...]:
    """Parse what is to be played beside."""
    from gandt.active.simulate import STRATEGIES

    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["none"]:
        return ()
    others = [strategy for strategy in STRATEGIES if strategy != "rounds"]
    for name in names:
        if name not in others:
            raise UsageError(
                f"--beside {text}: there is no {name!r}; choose of {', '.join(others)}, or none."
            )
    return tuple(strategy for strategy in others if strategy in names)


def _standing(progress: Progress) -> str:
    """Say where it stands, and for how long it will go on."""
    from gandt.rounds.rehearsal.words import NAMES

    state = progress.played
    parts = [
        f"{NAMES[progress.strategy]}, draw {progress.draw}, round {state.round}: "
        f"{int(state.found.sum()):,} found, {state.labels:,} labeled",
        f"{progress.done / progress.total:.0%}",
    ]
    if progress.done and progress.done < progress.total:
        left = progress.seconds * (progress.total - progress.done) / progress.done
        parts.append(f"{duration(left)} left")
    return ", ".join(parts)
