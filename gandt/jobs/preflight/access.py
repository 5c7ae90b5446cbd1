"""Who asks, and whether Ground Truth answers: credentials, account, the job's name.

Asks STS and SageMaker through `gandt.aws`. Ground Truth takes no new customers, which shows as a
refusal that does not say so (developer guide, notice on every page of Ground Truth).
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Any

from gandt import aws
from gandt.aws import AwsError
from gandt.errors import JobError
from gandt.jobs.job_state import is_running_as
from gandt.jobs.plan import Check, JobPlan
from gandt.jobs.preflight.words import command, error, fine, not_asked
from gandt.jobs.regions import parse_arn

__all__ = ["Caller", "ask_caller", "check_account", "check_name"]

_LONGEST_NAME = 63
_PAGES = 50  # of 100 jobs each


@dataclass(frozen=True, slots=True)
class Caller:
    """The identity behind the credentials."""

    account: str
    arn: str


def ask_caller(plan: JobPlan) -> tuple[Caller | None, list[Check]]:
    """Ask who the caller is, and compare the account with the role's."""
    name = "credentials"
    try:
        answer = aws.call("sts", "get_caller_identity", plan.names.region)
    except AwsError as failure:
        message, cut, fix = str(failure).rstrip(".").rpartition("; ")
        look = "see whether `aws sts get-caller-identity` answers"
        return None, [error(name, message or fix, f"{fix}; {look}" if cut else look)]
    caller = Caller(str(answer["Account"]), str(answer["Arn"]))
    try:
        owner = parse_arn(plan.settings.role).account
    except JobError as wrong:
        return caller, [error(name, str(wrong).rstrip("."), "give --role the ARN of a role")]
    if owner != caller.account:
        return caller, [
            error(
                name,
                f"they belong to account {caller.account} and the role to account {owner}, and a "
                "role can be passed to a job of its own account only",
                f"set AWS_PROFILE to an identity of account {owner}, or give --role one of "
                f"account {caller.account}",
            )
        ]
    return caller, [fine(name, f"{caller.arn} in account {caller.account}")]


def check_account(plan: JobPlan) -> list[Check]:
    """Look whether SageMaker is reached and lets this account use Ground Truth."""
    name, region = f"Ground Truth in {plan.names.region}", plan.names.region
    try:
        aws.call("sagemaker", "list_labeling_jobs", region, MaxResults=1)
    except AwsError as failure:
        if _lacks_permission(failure):
            by_hand = (
                "see that the account has used Ground Truth before, which takes no new customers; "
                f"else label on this machine: {_locally(plan)}"
            )
            return [not_asked(name, failure, by_hand)]
        if failure.denied or _says_closed(failure):
            return [
                error(
                    name,
                    f"AWS refuses it ({failure.said or failure.code}); either your identity lacks "
                    "sagemaker:ListLabelingJobs, or the account: Ground Truth takes no new "
                    "customers, an account that never used it is refused",
                    "ask for that permission, where the account has used Ground Truth before; "
                    f"else label on this machine: {_locally(plan)}",
                )
            ]
        return [
            error(
                name,
                str(failure).rstrip("."),
                "run it again when AWS answers `aws sagemaker list-labeling-jobs --max-results 1 "
                f"--region {region}`; or label on this machine: {_locally(plan)}",
            )
        ]
    return [fine(name, "answers")]


def _lacks_permission(failure: AwsError) -> bool:
    """IAM's own words; a service that is closed to an account has others."""
    return "not authorized to perform" in failure.said and not _says_closed(failure)


def _says_closed(failure: AwsError) -> bool:
    said = failure.said.lower()
    return any(
        words in said
        for words in ("new customer", "no longer open", "no longer available", "not subscribed")
    )


def _locally(plan: JobPlan) -> str:
    words = ["gandt", "label", plan.settings.manifest]
    if plan.settings.labels:
        words += ["--labels", ",".join(plan.settings.labels)]
    return command(*words)


def check_name(plan: JobPlan) -> list[Check]:
    """Look whether the job's name is free; names are compared without case."""
    name, wanted, region = "job name", plan.names.job, plan.names.region
    by_hand = "see that `gandt status` lists no job of this name, in any spelling"
    try:
        there = {found.lower(): found for found in _names_like(wanted, region)}
        job = _described(there.get(wanted.lower(), wanted), region)
    except AwsError as failure:
        return [not_asked(name, failure, by_hand)]
    if job is None:
        return [fine(name, f"{wanted} is free")]
    taken = str(job["LabelingJobName"])
    if is_running_as(job, plan.request):
        return [fine(name, f"{wanted} runs already, from an earlier try that was cut off")]
    other = "" if taken == wanted else f" as {taken}, and names are compared without case"
    free = _free_name(wanted, {*there, taken.lower()})
    return [
        error(
            name,
            f"{wanted} is taken{other}",
            f"give another: `--name {free}`; or see what is there: `gandt status {taken}`",
        )
    ]


def _names_like(wanted: str, region: str) -> Iterator[str]:
    # Whether NameContains minds case is not documented, so both spellings are asked for.
    for part in dict.fromkeys((wanted, wanted.lower())):
        more: dict[str, Any] = {}
        for _ in range(_PAGES):
            answer = aws.call(
                "sagemaker",
                "list_labeling_jobs",
                region,
                NameContains=part,
                MaxResults=100,
                **more,
            )
            yield from (str(job["LabelingJobName"]) for job in answer["LabelingJobSummaryList"])
            if not answer.get("NextToken"):
                break
            more = {"NextToken": answer["NextToken"]}


def _described(wanted: str, region: str) -> dict[str, Any] | None:
    try:
        return aws.call("sagemaker", "describe_labeling_job", region, LabelingJobName=wanted)
    except AwsError as failure:
        if failure.missing or "not found" in failure.said.lower():
            return None
        raise


def _free_name(wanted: str, there: Set[str]) -> str:
    number = 2
    while True:
        tail = f"-{number}"
        name = wanted[: _LONGEST_NAME - len(tail)].rstrip("-") + tail
        if name.lower() not in there:
            return name
        number += 1
