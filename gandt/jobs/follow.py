"""Labeling jobs that exist: what they are, how far they got, waiting for them, stopping them.

Reads and stops jobs through SageMaker (`DescribeLabelingJob`, `ListLabelingJobs`,
`StopLabelingJob`; fields and statuses are those of its API reference). The service tells no waiter:
a job is asked about from time to time. Nothing is written here.
"""

from __future__ import annotations

import difflib
import random
import re
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

from gandt import aws
from gandt.aws import AwsError
from gandt.errors import JobError, UsageError
from gandt.jobs.job_state import (
    FINISHED,
    STATUSES,
    Counters,
    JobState,
    JobSummary,
    read_state,
    read_summary,
)

__all__ = [
    "FINISHED",
    "STATUSES",
    "Counters",
    "JobState",
    "JobSummary",
    "Pace",
    "StillRunning",
    "describe",
    "list_jobs",
    "stop",
    "wait",
]

_PAGE = 100  # the most that a listing answers at once
_FIRST = 1.0  # seconds to the second question
_PATIENCE = 900.0  # seconds of trouble in a row, before waiting is given up
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_PART_OF_NAME = re.compile(r"[a-zA-Z0-9-]{1,63}")
_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:([a-z0-9-]+):\d{12}:labeling-job/(.+)")
_WINDOW = 3600.0  # seconds over which a rate is taken


class StillRunning(JobError):
    """Waiting took longer than was allowed; the job itself goes on."""

    def __init__(self, sentence: str, state: JobState | None) -> None:
        super().__init__(sentence)
        self.state = state


class Pace:
    """How fast a job goes, and how long it may take yet, from its counters over time.

    The rate is that of the last hour, where anything was done in it, else that since the job was
    created: people pause, and the counters lag minutes behind and move by batches.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()  # seconds, objects done
        self._counters = Counters()
        self._created = 0.0

    def see(self, state: JobState, now: datetime) -> None:
        """Enter an answer of the service, got at the aware time `now`."""
        self._created = state.created.timestamp()
        self._counters = state.counters
        self._seen.append((now.timestamp(), state.counters.done))
        while len(self._seen) > 2 and self._seen[1][0] <= now.timestamp() - _WINDOW:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """Objects an hour; None where nothing was done yet."""
        if not self._seen:
            return None
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        if after <= before:
            first, before = self._created, 0
        if after <= before or last <= first:
            return None
        return (after - before) / (last - first) * 3600

    @property
    def seconds_left(self) -> float | None:
        """Seconds until all objects are done at this rate; None where there is none."""
        rate = self.rate
        left = self._counters.total - self._counters.done
        return None if rate is None else left / rate * 3600


def describe(name: str, region: str | None = None) -> JobState:
    """Ask the service about a job.

    Parameters
    ----------
    name
        Name of the job, or its ARN, which also says the Region.

    Raises
    ------
    UsageError
        Where no job could have this name, or no Region is set.
    JobError
        Where there is no such job in the Region, or the service cannot be asked.
    """
    name, where = _place(name, region)
    try:
        answer = aws.call("sagemaker", "describe_labeling_job", where, LabelingJobName=name)
    except AwsError as error:
        raise _not_described(error, name, where) from error
    return read_state(answer, where)


def list_jobs(
    region: str | None = None,
    *,
    name_contains: str | None = None,
    status: str | None = None,
    limit: int = 20,
) -> list[JobSummary]:
    """List the latest jobs of a Region, the newest first.

    Parameters
    ----------
    status
        One of `STATUSES`, in any case.
    limit
        The most to list, at least 1.

    Raises
    ------
    UsageError
        Where `name_contains` or `status` could match no job, or no Region is set.
    JobError
        Where the service cannot be asked.
    """
    wanted: dict[str, Any] = {}
    if name_contains:
        if not _PART_OF_NAME.fullmatch(name_contains):
            raise UsageError(
                f"no job has {name_contains!r} in its name: names are of letters, digits and "
                "hyphens."
            )
        wanted["NameContains"] = name_contains
    if status:
        wanted["StatusEquals"] = _status(status)
    where = aws.region(region)
    found: list[JobSummary] = []
    while len(found) < limit:
        try:
            page = aws.call(
                "sagemaker",
                "list_labeling_jobs",
                where,
                SortBy="CreationTime",
                SortOrder="Descending",
                MaxResults=min(limit - len(found), _PAGE),
                **wanted,
            )
        except AwsError as error:
            raise _refused(error) from error
        found += [read_summary(entry) for entry in page.get("LabelingJobSummaryList", ())]
        if not page.get("NextToken"):
            break
        wanted["NextToken"] = page["NextToken"]
    return found[:limit]


def wait(
    name: str,
    region: str | None = None,
    *,
    every: float = 30.0,
    timeout: float | None = None,
    on_state: Callable[[JobState], None] | None = None,
    on_trouble: Callable[[str], None] | None = None,
    patience: float = _PATIENCE,
) -> JobState:
    """Wait until a job is Completed, Failed or Stopped; the job does not notice.

    Parameters
    ----------
    every
        Seconds between two questions, on average; up to a fifth more or less. The first ones come
        sooner, for a job that is nearly over, or fails at once.
    timeout
        Seconds to wait at most.
    on_state
        Called with each answer.
    on_trouble
        Called with the reason where the service was busy or out of reach and is asked again.
    patience
        Seconds of such trouble in a row before giving up.

    Returns
    -------
    state
        The last answer, of a job that is finished.

    Raises
    ------
    StillRunning
        Where the time is over.
    JobError
        As `describe`, and where the service is out of reach for longer than `patience`.
    """
    start = time.monotonic()
    state: JobState | None = None
    trouble: float | None = None  # since when
    spacing = min(every, _FIRST)
    while True:
        try:
            state = describe(name, region)
        except AwsError as error:
            now = time.monotonic()
            trouble = now if trouble is None else trouble
            if not error.passing or now - trouble > patience:
                raise
            if on_trouble is not None:
                on_trouble(str(error))
        else:
            trouble = None
            if on_state is not None:
                on_state(state)
            if state.finished:
                return state
        pause = spacing * random.uniform(0.8, 1.2)
        spacing = min(every, spacing * 1.5)
        if timeout is not None:
            left = timeout - (time.monotonic() - start)
            if left <= 0:
                raise StillRunning(_not_over(name, state, timeout), state)
            pause = min(pause, left)
        time.sleep(pause)


def stop(name: str, region: str | None = None) -> JobState:
    """Stop a job; what is labeled already is kept. No job can be started again.

    Returns
    -------
    state
        As it is right after; `Stopping` goes on for minutes.

    Raises
    ------
    JobError
        Where the job is finished already, there is none, or the service refuses.
    """
    state = describe(name, region)
    if state.status == "Stopping":
        return state
    if state.finished:
        raise JobError(
            f"job {state.name} is {state.status} already, so there is nothing to stop; fetch what "
            f"it has with `gandt fetch {state.name}`."
        )
    try:
        aws.call("sagemaker", "stop_labeling_job", state.region, LabelingJobName=state.name)
    except AwsError as error:
        again = describe(state.name, state.region)
        if again.finished or again.status == "Stopping":  # it came to an end in this moment
            return again
        raise _refused(error) from error
    return describe(state.name, state.region)


# ------------------------------------------------------------------------------ names and errors


def _place(name: str, region: str | None) -> tuple[str, str]:
    """The job's name and Region."""
    found = _ARN.fullmatch(name)
    if found:
        if region and region != found[1]:
            raise UsageError(f"{name} is in {found[1]}, not in {region}: leave --region out.")
        return found[2], found[1]
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"no labeling job is called {name!r}: names are of up to 63 letters, digits and "
            "hyphens; `gandt status` lists yours."
        )
    return name, aws.region(region)


def _status(word: str) -> str:
    for status in STATUSES:
        if status.lower() == word.lower():
            return status
    raise UsageError(f"--status {word!r} is none of: {', '.join(STATUSES)}.")


def _not_described(error: AwsError, name: str, where: str) -> JobError:
    if not error.missing:
        return _refused(error)
    try:
        names = [job.name for job in list_jobs(where, limit=5 * _PAGE)]
    except JobError:
        names = []  # the listing may be forbidden; that is not what was asked for
    by_lower = {other.lower(): other for other in names}
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    near += [low for low in by_lower if name.lower() in low and low not in near]
    hint = (
        f"did you mean {', '.join(by_lower[low] for low in near[:3])}?"
        if near
        else "check the name with `gandt status`, and the Region: each has jobs of its own "
        "(--region)."
    )
    return JobError(f"there is no labeling job {name} in {where}; {hint}")


def _refused(error: AwsError) -> AwsError:
    """Say what a refusal means that is no matter of permissions."""
    if not error.denied or "not authorized to perform" in error.said:
        return error
    return AwsError(
        f"{error} Where the permission is there, the account may have no access to Ground Truth, "
        "which takes no new customers; `gandt label` works without it.",
        code=error.code,
        said=error.said,
        operation=error.operation,
    )


def _not_over(name: str, state: JobState | None, timeout: float) -> str:
    far = ""
    if state is not None:
        counters = state.counters
        far = f" ({state.status}, {counters.done:,} of {counters.total:,} objects done)"
    return (
        f"job {name} is not finished after {timeout:,.0f} s{far}; it goes on: wait again, or fetch "
        f"what is there with `gandt fetch {name}`."
    )
