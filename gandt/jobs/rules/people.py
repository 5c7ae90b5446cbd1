"""Rules about the people of a job: who may do it, at what price, and how long they have.

From the developer guide: "Use the Amazon Mechanical Turk Workforce", "PublicWorkforceTaskPrice",
"HumanTaskConfig". Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from gandt.jobs.regions import PUBLIC_ACCOUNT
from gandt.jobs.rules.asked import Asked
from gandt.jobs.tasks import TaskType

__all__ = ["PEOPLE_RULES", "PRICES", "allowed_prices"]

# USD a task and worker that the public workforce is paid.
PRICES = tuple(
    Decimal(text)
    for text in (
        *("0.012", "0.024", "0.036", "0.048", "0.060", "0.072", "0.120", "0.240"),
        *("0.360", "0.480", "0.600", "0.720", "0.840", "0.960", "1.080", "1.200"),
    )
)

_HOUR, _DAY = 3600, 86_400
_LONGEST_TASK = {"frames": 30 * _DAY, "points": 30 * _DAY}  # else 8 hours
_LONGEST_WAIT = {"public": 12 * _HOUR, "private": 30 * _DAY, "vendor": 30 * _DAY}
_USUAL_WAIT = {"public": 6 * _HOUR, "private": 30 * _DAY, "vendor": 30 * _DAY}
_NO_PERSONAL_DATA = "FreeOfPersonallyIdentifiableInformation"


def allowed_prices(task: TaskType) -> tuple[Decimal, ...]:
    """Give the prices, in USD, of the public workforce; none where it may not work."""
    if not task.public:
        return ()
    lowest = Decimal(task.lowest_price)
    return tuple(price for price in PRICES if price >= lowest)


def _times(asked: Asked) -> Iterator[str]:
    task, people = asked.task, asked.people or "private"
    limit = asked.human["TaskTimeLimitInSeconds"]
    longest = _LONGEST_TASK.get(task.data, 8 * _HOUR)
    if limit > longest:
        yield (
            f"TaskTimeLimitInSeconds is {limit:,}, more than the {longest:,} that --task "
            f"{task.name} may have: give --task-time {_duration(longest)} at most."
        )
    wait = asked.human.get("TaskAvailabilityLifetimeInSeconds", _USUAL_WAIT[people])
    most = _LONGEST_WAIT[people]
    if wait > most:
        yield (
            f"TaskAvailabilityLifetimeInSeconds is {wait:,}, more than the {most:,} of a {people} "
            f"workforce: give --availability {_duration(most)} at most."
        )
    if limit > wait:
        yield (
            f"TaskTimeLimitInSeconds is {limit:,}, more than the {wait:,} seconds for which tasks "
            "are available, so that tasks would expire while someone works on them: give a shorter "
            "--task-time or a longer --availability."
        )


def _concurrency(asked: Asked) -> Iterator[str]:
    most = asked.human.get("MaxConcurrentTaskCount", 0)
    if most > 1000:
        yield (
            f"MaxConcurrentTaskCount is {most:,}, and above 1,000 only AWS Support can allow it: "
            "give --max-concurrent 1000 at most."
        )


def _workforce(asked: Asked) -> Iterator[str]:
    if asked.people is None:
        yield (
            f"WorkteamArn {asked.team} is of no work team: give --workteam public, the name of a "
            "private team (`gandt teams`), or an ARN with public-crowd, private-crowd or "
            "vendor-crowd."
        )
    price = asked.human.get("PublicWorkforceTaskPrice")
    if asked.people != "public":
        if price is not None:
            yield (
                "PublicWorkforceTaskPrice is for the public workforce, and this team is "
                f"{asked.people or 'another'}: leave --price out, or give --workteam public."
            )
    else:
        yield from _public(asked, price)
    if asked.vpc is not None and asked.people != "private":
        yield (
            "VpcConfig goes with a private team only: leave --subnet and --security-group out, or "
            "give --workteam a private team."
        )


def _public(asked: Asked, price: Mapping[str, Any] | None) -> Iterator[str]:
    task = asked.task
    whole = f"{PUBLIC_ACCOUNT}:workteam/public-crowd/default"
    if f"{asked.team.account}:{asked.team.resource}" != whole:
        yield (
            f"WorkteamArn {asked.team} is not the public work team: give --workteam public, which "
            "knows its ARN."
        )
    if not task.public:
        yield (
            f"WorkteamArn is public, and the public workforce may not do --task {task.name}: give "
            "--workteam a private team (`gandt teams`)."
        )
        return
    stated = asked.request["InputConfig"].get("DataAttributes", {}).get("ContentClassifiers", [])
    if _NO_PERSONAL_DATA not in stated:
        yield (
            f"ContentClassifiers lacks {_NO_PERSONAL_DATA}, without which a public job fails: look "
            "at the data, and state it with --no-personal-data, or take a private team."
        )
    allowed = allowed_prices(task)
    if price is None:
        yield (
            "PublicWorkforceTaskPrice is missing, without which a public job fails: give --price, "
            f"from {allowed[0]} to {allowed[-1]} USD a task."
        )
    elif _amount(price) not in allowed:
        yield (
            f"PublicWorkforceTaskPrice is {_amount(price)} USD, which is not offered for --task "
            f"{task.name}: give --price one of {', '.join(map(str, allowed))}."
        )


def _amount(price: Mapping[str, Any]) -> Decimal:
    parts = price.get("AmountInUsd", {})
    tenths = 1000 * parts.get("Dollars", 0) + 10 * parts.get("Cents", 0)
    return Decimal(tenths + parts.get("TenthFractionsOfACent", 0)).scaleb(-3)


def _duration(seconds: int) -> str:
    return f"{seconds // _DAY}d" if seconds >= 2 * _DAY else f"{seconds // _HOUR}h"


PEOPLE_RULES = (_times, _concurrency, _workforce)
