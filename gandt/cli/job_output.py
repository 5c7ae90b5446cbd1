"""How the commands about labeling jobs speak: aligned lines, a bar of progress, JSON."""

from __future__ import annotations

import shlex
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import typer

from gandt.cli.output import duration, note, show_line, size
from gandt.words import count

if TYPE_CHECKING:
    from gandt.jobs.failures import Explained
    from gandt.jobs.fetch import Fetched, FetchProgress
    from gandt.jobs.follow import Counters, JobState, JobSummary, Pace

__all__ = [
    "command",
    "ended",
    "far",
    "fetched_json",
    "fetched_lines",
    "job_table",
    "say",
    "show_fetch",
    "show_pace",
    "state_json",
    "state_lines",
    "summary_json",
]

_BAR = 24  # characters
_PROSE = 86  # characters a line


def say(lines: Sequence[tuple[str, str]]) -> None:
    """Print facts, their names in one column."""
    for name, value in lines:
        typer.echo(f"{name:<12} {value}".rstrip())


def command(name: str, job: str, region: str | None, *options: str) -> str:
    """Write the command that comes next, ready to be copied."""
    place = ("--region", region) if region else ()
    return shlex.join(["gandt", name, job, *options, *place])


# -------------------------------------------------------------------------------------- a job


def far(counters: Counters) -> str:
    """Say how far a job is: `40 of 100 objects (40%), 2 of them failed`."""
    if not counters.total:
        return "no object counted yet"
    parts = [f"{counters.done:,} of {count(counters.total, 'object')} ({counters.share:.0%})"]
    if counters.machine:
        parts.append(f"{counters.human:,} by people, {counters.machine:,} automatically")
    if counters.failed:
        parts.append(f"{counters.failed:,} of them failed")
    return ", ".join(parts)


def state_lines(
    state: JobState, pace: Pace, now: datetime, region: str | None, *, explain: bool = True
) -> list[tuple[str, str]]:
    """Say all that is known of a job, why it failed (`explain`), and what to do next."""
    team = state.workteam.rpartition(":workteam/")[2]
    lines = [
        ("job", f"{state.name}, {state.task}"),
        ("status", f"{state.status} {_since(state, now)}"),
        ("progress", f"{_bar(state.counters)} {far(state.counters)}"),
    ]
    if not state.finished and (speed := _speed(pace)):
        lines.append(("rate", speed))
    lines += [
        ("team", f"{team}, {count(state.workers, 'worker')} an object"),
        ("attribute", state.attribute or "not named"),
        ("output", state.output),
    ]
    if state.failure is not None and explain:
        lines += _failure(state.failure)
    elif state.status == "Failed" and explain:
        lines.append(("failed", "AWS gives no reason"))
        lines += _wrapped(
            "remedy",
            "read the job's log in CloudWatch (/aws/sagemaker/LabelingJobs), or ask AWS Support",
        )
    if state.counters.failed:
        lines.append(("objects", f"{state.counters.failed:,} failed; `gandt fetch` says why"))
    if not state.finished:
        lines.append(("next", command("wait", state.name, region)))
    elif state.counters.done:
        lines.append(("next", command("fetch", state.name, region, "--out", "answers/")))
    return lines


def ended(state: JobState, region: str | None) -> str:
    """Say why a job that is finished is not Completed."""
    from gandt.jobs.failures import explain_job

    if state.status == "Stopped":
        return (
            f"job {state.name} was stopped with {far(state.counters)}; fetch what it has with "
            f"`{command('fetch', state.name, region)}`."
        )
    if state.failure is None:
        return (
            f"job {state.name} failed and AWS gives no reason; ask AWS Support about {state.arn}."
        )
    explained = explain_job(state.failure)
    return f"job {state.name} failed: {explained.cause} ({explained.said}); {explained.remedy}."


def _failure(reason: str) -> list[tuple[str, str]]:
    from gandt.jobs.failures import explain_job

    explained = explain_job(reason)
    return [
        *_wrapped("failed", explained.cause),
        *_wrapped("", f"AWS says: {explained.said}"),
        *_wrapped("remedy", explained.remedy),
    ]


def _wrapped(name: str, text: str) -> list[tuple[str, str]]:
    """Break prose into lines; words, as commands and names, stay whole."""
    lines = textwrap.wrap(text, _PROSE, break_long_words=False, break_on_hyphens=False)
    return [(name if number == 0 else "", line) for number, line in enumerate(lines)]


def _since(state: JobState, now: datetime) -> str:
    if state.finished:
        took = (state.modified - state.created).total_seconds()
        return f"since {state.modified:%Y-%m-%d %H:%M} UTC, after {_long(took)}"
    return f"for {_long((now - state.created).total_seconds())}"


def _speed(pace: Pace) -> str:
    rate, left = pace.rate, pace.seconds_left
    if rate is None:
        return ""
    ahead = f", about {_long(left)} left" if left else ""
    return f"{rate:,.0f} objects an hour{ahead}"


def _long(seconds: float) -> str:
    """Format a time that may take days; clocks that differ make none of it negative."""
    if seconds < 2 * 86400:
        return duration(max(seconds, 0.0))
    return f"{seconds / 86400:.1f} days"


def _bar(counters: Counters) -> str:
    full = int(counters.share * _BAR)
    return f"[{'#' * full}{'.' * (_BAR - full)}]"


def state_json(state: JobState) -> dict[str, object]:
    """What `--json` prints of a job."""
    from gandt.jobs.failures import explain_job

    return {
        "job": state.name,
        "arn": state.arn,
        "region": state.region,
        "status": state.status,
        "task": state.task,
        "attribute": state.attribute,
        "created": state.created.isoformat(),
        "modified": state.modified.isoformat(),
        **_counters_json(state.counters),
        "workteam": state.workteam,
        "workers": state.workers,
        "output": state.output,
        "output_manifest": state.output_manifest,
        "input_manifest": state.input_manifest,
        "failure": None if state.failure is None else _explained_json(explain_job(state.failure)),
    }


def _explained_json(explained: Explained) -> dict[str, str]:
    return {"said": explained.said, "cause": explained.cause, "remedy": explained.remedy}


def _counters_json(counters: Counters) -> dict[str, object]:
    return {
        "objects": counters.total,
        "done": counters.done,
        "labeled": counters.labeled,
        "human": counters.human,
        "machine": counters.machine,
        "failed": counters.failed,
    }


# ------------------------------------------------------------------------------------ many jobs


def job_table(jobs: Sequence[JobSummary]) -> list[str]:
    """Lines of a table of jobs; none where there are no jobs."""
    if not jobs:
        return []
    rows = [("job", "status", "done", "task", "created (UTC)")]
    rows += [
        (
            job.name,
            job.status,
            f"{job.counters.done:,}/{job.counters.total:,}",
            job.task,
            f"{job.created:%Y-%m-%d %H:%M}",
        )
        for job in jobs
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def summary_json(job: JobSummary) -> dict[str, object]:
    """What `--json` prints of a job in a listing."""
    return {
        "job": job.name,
        "arn": job.arn,
        "status": job.status,
        "task": job.task,
        "created": job.created.isoformat(),
        "modified": job.modified.isoformat(),
        **_counters_json(job.counters),
        "workteam": job.workteam,
        "failure": job.failure,
    }


# --------------------------------------------------------------------------------------- fetched


def fetched_lines(fetched: Fetched, out: str, region: str | None) -> list[tuple[str, str]]:
    """Say what a fetch brought into `out`, and what to do next."""
    state = fetched.state
    folder = f"{out.rstrip('/')}/{state.name}"
    lines = [
        ("job", f"{state.name}, {state.status}, {far(state.counters)}"),
        ("new", f"{count(fetched.new, 'file')} ({size(fetched.bytes)})"),
        ("known", f"{fetched.known:,} unchanged"),
        ("answers", f"{count(fetched.responses, 'file')} of worker responses"),
        ("folder", folder),
    ]
    for objects, explained in fetched.failed:
        lines += _wrapped("failed", f"{count(objects, 'object')}: {explained.cause}")
        lines += _wrapped("remedy", explained.remedy)
    if fetched.partial:
        lines.append(("partial", "the job goes on; run the same command again for the rest"))
        lines.append(("next", command("wait", state.name, region)))
    elif fetched.responses or state.counters.labeled:
        step = shlex.join(["gandt", "aggregate", folder, "--out", f"{state.name}/"])
        lines.append(("next", step))
    return lines


def fetched_json(fetched: Fetched) -> dict[str, object]:
    """What `--json` prints of a fetch."""
    return {
        **state_json(fetched.state),
        "folder": fetched.folder,
        "new": fetched.new,
        "known": fetched.known,
        "bytes": fetched.bytes,
        "responses": fetched.responses,
        "partial": fetched.partial,
        "failures": [
            {"objects": objects, **_explained_json(explained)}
            for objects, explained in fetched.failed
        ],
        "problems": [{"uri": uri, "reason": reason} for uri, reason in fetched.problems],
        "notes": list(fetched.notes),
    }


# -------------------------------------------------------------------------------------- progress


@contextmanager
def show_pace() -> Iterator[Callable[[JobState], None]]:
    """A live bar on a terminal; elsewhere a plain line whenever something has changed."""
    from gandt.jobs.follow import Pace

    pace = Pace()

    def line(state: JobState) -> str:
        pace.see(state, datetime.now(timezone.utc))
        speed = "" if state.finished else _speed(pace)
        return f"{state.status}, {far(state.counters)}" + (f", {speed}" if speed else "")

    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}", markup=False))
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("asking", total=None)

            def live(state: JobState) -> None:
                total = state.counters.total or None
                bar.update(
                    task, total=total, completed=state.counters.done, description=line(state)
                )

            yield live
        return
    last: tuple[str, Counters] | None = None

    def plain(state: JobState) -> None:
        nonlocal last
        text = line(state)
        if last != (state.status, state.counters):
            last = state.status, state.counters
            note(f"{datetime.now(timezone.utc):%H:%M:%S} UTC  {text}")

    yield plain


def show_fetch(quiet: bool) -> AbstractContextManager[Callable[[FetchProgress], None]]:
    """Show how many files are home."""
    start = time.monotonic()

    def line(progress: FetchProgress) -> str:
        here = progress.new + progress.known
        seconds = time.monotonic() - start
        rate = f", {size(progress.bytes / seconds)}/s" if seconds > 1 else ""
        more = "" if progress.complete else " so far"
        of = f"{here:,} of {count(progress.listed, 'file')}{more}"
        return f"{of}, {size(progress.bytes)} new{rate}"

    return show_line(line, quiet=quiet)
