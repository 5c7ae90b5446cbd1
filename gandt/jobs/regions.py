"""Regions, and the ARNs that follow from them.

The accounts that own Ground Truth's built-in functions, pages, algorithms and its public work team
are those that the SageMaker service model prints ("HumanTaskConfig", "UiConfig",
"AnnotationConsolidationConfig", "LabelingJobAlgorithmsConfig"); the built-in functions are in 12
Regions only. Pure: asks nobody, reads nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from gandt.errors import JobError, UsageError
from gandt.jobs.settings import PUBLIC
from gandt.jobs.tasks import TaskType

__all__ = [
    "ACCOUNTS",
    "ALGORITHM_ACCOUNT",
    "PUBLIC_ACCOUNT",
    "REGIONS",
    "Arn",
    "Workforce",
    "algorithm",
    "builtin_lambda",
    "human_task_ui",
    "own_lambda",
    "parse_arn",
    "workforce",
    "workteam_arn",
]

Workforce = Literal["public", "private", "vendor"]

# Owners of the functions PRE-<task> and ACS-<task>; texts, since one begins with 0.
ACCOUNTS = {
    "us-east-1": "432418664414",
    "us-east-2": "266458841044",
    "us-west-2": "081040173940",
    "ca-central-1": "918755190332",
    "eu-west-1": "568282634449",
    "eu-west-2": "487402164563",
    "eu-central-1": "203001061592",
    "ap-northeast-1": "477331159723",
    "ap-northeast-2": "845288260483",
    "ap-south-1": "565803892007",
    "ap-southeast-1": "377565633583",
    "ap-southeast-2": "454466003867",
}
REGIONS = tuple(ACCOUNTS)
PUBLIC_ACCOUNT = "394669845002"  # owns the public work team and the pages
ALGORITHM_ACCOUNT = "027400017018"

_TEAM = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", re.ASCII)
_FUNCTION = re.compile(r"[a-zA-Z0-9_-]{1,64}(:[a-zA-Z0-9$_-]{1,128})?", re.ASCII)
_CROWDS: dict[str, Workforce] = {
    "public-crowd": "public",
    "private-crowd": "private",
    "vendor-crowd": "vendor",
}


@dataclass(frozen=True, slots=True)
class Arn:
    """The parts of an Amazon Resource Name."""

    partition: str  # aws, aws-cn, aws-us-gov
    service: str
    region: str  # empty for global services, as IAM
    account: str  # 12 digits, or empty
    resource: str  # all that follows, colons included: "workteam/private-crowd/people"

    def __str__(self) -> str:
        """Give the ARN as AWS writes it."""
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def parse_arn(text: str) -> Arn:
    """Take an ARN apart.

    Raises
    ------
    JobError
        Where it is none.
    """
    parts = text.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn" or not (parts[1] and parts[2] and parts[5]):
        raise JobError(
            f"{text!r} is no ARN: write arn:aws:<service>:<Region>:<account>:<resource>, as the "
            "AWS console shows it."
        )
    return Arn(*parts[1:])


def builtin_lambda(task: TaskType, region: str, kind: Literal["PRE", "ACS"]) -> str:
    """Give the ARN of AWS's own function that prepares (PRE) or consolidates (ACS) a task.

    Raises
    ------
    JobError
        Where the Region has none.
    """
    account = ACCOUNTS.get(region)
    if account is None:
        raise JobError(
            f"Ground Truth's own functions for --task {task.name} are not in {region}: choose "
            f"--region among {', '.join(REGIONS)}, with the bucket in the same."
        )
    return f"arn:aws:lambda:{region}:{account}:function:{kind}-{task.code}"


def human_task_ui(task: TaskType, region: str) -> str:
    """Give the ARN of AWS's own page for a task.

    Raises
    ------
    JobError
        Where the task has none, and wants a template.
    """
    if task.human_task_ui is None:
        raise JobError(
            f"AWS has no page of its own for --task {task.name}; it needs a template in S3."
        )
    return f"arn:aws:sagemaker:{region}:{PUBLIC_ACCOUNT}:human-task-ui/{task.human_task_ui}"


def algorithm(task: TaskType, region: str) -> str:
    """Give the ARN of the algorithm that labels automatically.

    Raises
    ------
    JobError
        Where there is none for the task.
    """
    if task.algorithm is None:
        raise JobError(
            f"automated labeling is not offered for --task {task.name}, only for image and text "
            "classification with one label, bounding boxes and segmentation: leave --automated out."
        )
    return (
        f"arn:aws:sagemaker:{region}:{ALGORITHM_ACCOUNT}:"
        f"labeling-job-algorithm-specification/{task.algorithm}"
    )


def workteam_arn(text: str, region: str, account: str | None) -> str:
    """Give the ARN of a work team: `public`, an ARN, or the name of a private team.

    Raises
    ------
    UsageError
        Where it cannot be a team's name.
    JobError
        Where a name needs the account, and that is not known.
    """
    if text == PUBLIC:
        return f"arn:aws:sagemaker:{region}:{PUBLIC_ACCOUNT}:workteam/public-crowd/default"
    if text.startswith("arn:"):
        return text
    if not _TEAM.fullmatch(text):
        raise UsageError(
            f"--workteam {text!r} is neither {PUBLIC!r} nor an ARN nor the name of a private team "
            "(letters, digits and hyphens inside, 63 at most); `gandt teams` lists yours."
        )
    return _of_account(
        text, "--workteam", account, f"sagemaker:{region}", f"workteam/private-crowd/{text}"
    )


def own_lambda(name: str, region: str, account: str | None) -> str:
    """Give the ARN of a function of the user's: an ARN stays, a name is of the account.

    Raises
    ------
    UsageError
        Where it cannot be a function's name.
    JobError
        Where a name needs the account, and that is not known.
    """
    if name.startswith("arn:"):
        return name
    if not _FUNCTION.fullmatch(name):
        raise UsageError(
            f"{name!r} is neither an ARN nor the name of a Lambda function (letters, digits, - and "
            "_, 64 at most): correct --pre-lambda or --post-lambda."
        )
    return _of_account(
        name, "--pre-lambda or --post-lambda", account, f"lambda:{region}", f"function:{name}"
    )


def workforce(text: str) -> Workforce | None:
    """Tell whose people a team is of, by what `--workteam` takes; None where the ARN is of no team.

    A bare name is of a private team.
    """
    if not text.startswith("arn:"):
        return "public" if text == PUBLIC else "private"
    kind, crowd, team = (*text.split(":", 5)[-1].split("/", 2), "", "")[:3]
    return _CROWDS.get(crowd) if kind == "workteam" and team else None


def _of_account(name: str, option: str, account: str | None, place: str, resource: str) -> str:
    if account is None:
        raise JobError(
            f"the account of {name!r} is not known, since AWS could not be asked who you are: give "
            f"the whole ARN with {option}, or set AWS_PROFILE."
        )
    return f"arn:aws:{place}:{account}:{resource}"
