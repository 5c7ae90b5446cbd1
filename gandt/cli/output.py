"""How commands speak: results on standard output, progress and notes on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from gandt.index.update import Progress

__all__ = [
    "duration",
    "note",
    "print_json",
    "progress_line",
    "show_counter",
    "show_line",
    "show_progress",
    "size",
]

PLAIN_SECONDS = 10.0  # between progress lines where there is no terminal


def note(text: str) -> None:
    """Say something to the person, not to the pipe."""
    typer.echo(text, err=True)


def print_json(value: Mapping[str, object]) -> None:
    """Print a result for machines: one JSON object."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def duration(seconds: float) -> str:
    """Format `8 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(number: float) -> str:
    """Format a number of bytes with a decimal unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def progress_line(progress: Progress) -> str:
    """One line that says where a run stands."""
    done = progress.embedded + progress.rejected
    of = f" of {progress.total:,}" if progress.total is not None else ""
    parts = [f"{done:,}{of} images"]
    if progress.images_per_second:
        parts.append(f"{progress.images_per_second:.0f} images/s")
    if progress.seconds_left is not None and progress.total != done:
        parts.append(f"{duration(progress.seconds_left)} left")
    if progress.known:
        parts.append(f"{progress.known:,} known")
    parts.append(f"{progress.rejected:,} rejected")
    parts.append(f"model waited {progress.waiting:.0%}")
    return ", ".join(parts)


T = TypeVar("T")


@contextmanager
def show_line(line: Callable[[T], str], *, quiet: bool) -> Iterator[Callable[[T], None]]:
    """A live line on a terminal, plain lines every few seconds elsewhere, nothing when quiet.

    `line` says a state of things in words; it is called only for what is shown.
    """
    if quiet:
        yield lambda state: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        with Live(console=Console(stderr=True), refresh_per_second=8, transient=True) as live:
            yield lambda state: live.update(Text(line(state)))
    else:
        last = time.monotonic()

        def plain(state: T) -> None:
            nonlocal last
            if time.monotonic() - last >= PLAIN_SECONDS:
                last = time.monotonic()
                note(line(state))

        yield plain


def show_progress(quiet: bool) -> AbstractContextManager[Callable[[Progress], None]]:
    """Show how an embedding run stands."""
    return show_line(progress_line, quiet=quiet)


@contextmanager
def show_counter(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Count things up to a known number."""

    def line(state: tuple[int, int]) -> str:
        return f"{state[0]:,} of {state[1]:,} {what}"

    with show_line(line, quiet=quiet) as show:
        yield lambda done, of: show((done, of))
