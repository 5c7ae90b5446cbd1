"""`gandt status`, `wait`, `stop` and `fetch`: labeling jobs from their start to their answers."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timezone
from typing import Annotated

import typer

from gandt.cli.job_output import (
    command,
    ended,
    far,
    fetched_json,
    fetched_lines,
    job_table,
    say,
    show_fetch,
    show_pace,
    state_json,
    state_lines,
    summary_json,
)
from gandt.cli.output import note, print_json
from gandt.errors import JobError, UsageError
from gandt.words import count

__all__ = [
    "FETCH_EXAMPLE",
    "STATUS_EXAMPLE",
    "STOP_EXAMPLE",
    "WAIT_EXAMPLE",
    "fetch",
    "status",
    "stop",
    "wait",
]

STATUS_EXAMPLE = "gandt status round1"
WAIT_EXAMPLE = "gandt wait round1 --timeout 8h"
STOP_EXAMPLE = "gandt stop round1"
FETCH_EXAMPLE = "gandt fetch round1 --out answers/"

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|)")

Job = Annotated[str, typer.Argument(help="Name or ARN of the job.", show_default=False)]
Region = Annotated[
    str | None,
    typer.Option(help="AWS Region of the job.", show_default="of your AWS settings"),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def status(
    job: Annotated[
        str | None,
        typer.Argument(help="Name or ARN of a job; without one, the latest jobs are listed."),
    ] = None,
    region: Region = None,
    contains: Annotated[
        str | None,
        typer.Option(help="List only jobs with this in their name.", show_default=False),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option("--status", help="List only InProgress, Completed, …", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Jobs to list at most.")] = 20,
    json: Json = False,
) -> None:
    """Say how far a labeling job is, or list the latest jobs.

    A failure is explained, with what to do about it.
    """
    from gandt.jobs.follow import Pace, describe, list_jobs

    if job is None:
        found = list_jobs(region, name_contains=contains, status=only, limit=limit + 1)
        jobs = found[:limit]
        if json:
            print_json({"jobs": [summary_json(entry) for entry in jobs]})
            return
        for line in job_table(jobs):
            typer.echo(line)
        if len(found) > limit:
            note("There are older ones; --limit shows more.")
        if not jobs:
            note("No labeling job here; each Region has jobs of its own (--region).")
        return
    state = describe(job, region)
    if json:
        print_json(state_json(state))
        return
    now = datetime.now(timezone.utc)
    pace = Pace()
    pace.see(state, now)
    say(state_lines(state, pace, now, region))


def wait(
    job: Job,
    region: Region = None,
    timeout: Annotated[
        str | None,
        typer.Option(help="Give up after this time, as 90s, 30m, 8h or 2d.", show_default=False),
    ] = None,
    every: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two looks; fewer at first.")
    ] = 30.0,
    json: Json = False,
) -> None:
    """Wait until a labeling job is finished.

    Shows a bar of its progress. Leaves with 0 when it is completed, and with 1 when it failed or
    was stopped. Ctrl-C ends the waiting, not the job.
    """
    from gandt.jobs.follow import Pace, describe
    from gandt.jobs.follow import wait as wait_for

    seconds = None if timeout is None else _seconds(timeout)
    name = describe(job, region).name
    try:
        with show_pace() as on_state:
            state = wait_for(
                job, region, every=every, timeout=seconds, on_state=on_state, on_trouble=note
            )
    except KeyboardInterrupt:
        note(
            f"gandt: stopped waiting; job {name} goes on. `{command('wait', name, region)}` waits "
            f"again, `{command('stop', name, region)}` stops the job."
        )
        raise typer.Exit(130) from None
    if json:
        print_json(state_json(state))
    else:
        now = datetime.now(timezone.utc)
        say(state_lines(state, Pace(), now, region, explain=False))
    if state.status != "Completed":
        raise JobError(ended(state, region))


def stop(
    job: Job,
    region: Region = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Stop a labeling job for good; what is labeled already is kept.

    A stopped job cannot be started again, but a new one from its output manifest goes on where it
    ended.
    """
    from gandt.jobs.follow import describe
    from gandt.jobs.follow import stop as stop_job

    state = describe(job, region)
    if not yes and not state.finished:
        done = far(state.counters)
        if not sys.stdin.isatty():
            raise UsageError(
                f"job {state.name} ({done}) would be stopped for good: say --yes if that is meant."
            )
        note(f"Job {state.name} is {state.status}, {done}. It cannot be started again.")
        if not typer.confirm("Stop it?", err=True):
            note("Nothing was stopped.")
            raise typer.Exit(1)
    state = stop_job(job, region)
    if json:
        print_json(state_json(state))
        return
    say(
        [
            ("job", state.name),
            ("status", state.status),
            ("progress", far(state.counters)),
            ("next", command("fetch", state.name, region, "--out", "answers/")),
        ]
    )


def fetch(
    job: Job,
    out: Annotated[str, typer.Option(help="Local folder; the job gets one in it.")] = "answers/",
    region: Region = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Bring the answers of a labeling job home.

    `gandt aggregate` reads them from there. Only what is new or has changed is transferred.
    Interrupt it at any moment and run it again; a job that is still running is fetched as far as
    it is. Colons in file names become hyphens.
    """
    from gandt.jobs.fetch import fetch as fetch_job

    with show_fetch(quiet) as on_progress:
        fetched = fetch_job(job, out, region, on_progress)
    if json:
        print_json(fetched_json(fetched))
    else:
        say(fetched_lines(fetched, out, region))
    for line in fetched.notes:
        note(f"note: {line}")
    if fetched.problems:
        uri, reason = fetched.problems[0]
        raise JobError(
            f"{count(len(fetched.problems), 'file')} could not be fetched, the first {uri} "
            f"({reason.rstrip('.')}); run the same command again."
        )


def _seconds(text: str) -> float:
    """Parse a time, as `90s`, `30m`, `8h` or `2d`; a bare number is seconds."""
    found = _TIME.fullmatch(text.strip().lower())
    if found is None or not float(found[1]):
        raise UsageError(f"--timeout {text!r}: write a time as 90s, 30m, 8h or 2d.")
    return float(found[1]) * _UNITS[found[2]]
