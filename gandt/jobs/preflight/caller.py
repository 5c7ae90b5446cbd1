"""Whether whoever launches the job may upload its files, create it and hand it the role.

Asks IAM through `gandt.aws`; see `simulate` for what a simulation does not see.
"""

from __future__ import annotations

from gandt import aws
from gandt.aws import AwsError
from gandt.jobs.plan import Check, JobPlan
from gandt.jobs.preflight.access import Caller
from gandt.jobs.preflight.references import arn_of
from gandt.jobs.preflight.role import SERVICE, judged
from gandt.jobs.preflight.simulate import simulate
from gandt.jobs.preflight.words import fine, not_asked, skipped
from gandt.jobs.regions import parse_arn

__all__ = ["check_caller"]

_WORDS = "you may"


def check_caller(plan: JobPlan, caller: Caller) -> list[Check]:
    """Look whether the caller may do what comes next."""
    region, settings = plan.names.region, plan.settings
    by_hand = (
        f"see that your identity has sagemaker:CreateLabelingJob, iam:PassRole on {settings.role} "
        f"and s3:PutObject in s3://{settings.bucket}; else the launch ends with a refusal"
    )
    identity = parse_arn(caller.arn)
    if identity.resource == "root":
        return [fine(f"{_WORDS} create the job", "the root user of the account may do everything")]
    try:
        principal = _principal(caller, region)
        if principal is None:
            return [
                skipped(
                    f"{_WORDS} create the job",
                    f"the policies of {caller.arn} cannot be simulated",
                    by_hand,
                )
            ]
        job = f"arn:{identity.partition}:sagemaker:{region}:{caller.account}:labeling-job/"
        asked = {
            "create the job": ("sagemaker:CreateLabelingJob", job + plan.names.job.lower()),
            "pass the role on": ("iam:PassRole", settings.role),
            "upload the files": (
                "s3:PutObject",
                arn_of(plan.documents.manifest, partition=identity.partition),
            ),
        }
        return [
            judged(
                f"{_WORDS} {what}",
                principal,
                simulate(
                    principal,
                    [action],
                    [resource],
                    region,
                    context={"iam:PassedToService": SERVICE} if "Pass" in action else None,
                ),
                region,
            )
            for what, (action, resource) in asked.items()
        ]
    except AwsError as failure:
        return [not_asked(f"{_WORDS} create the job", failure, by_hand)]


def _principal(caller: Caller, region: str) -> str | None:
    """Give the ARN whose policies count: a session has those of its role."""
    identity = parse_arn(caller.arn)
    if identity.service == "iam":
        return caller.arn
    kind, _, rest = identity.resource.partition("/")
    if kind != "assumed-role":
        return None
    role = rest.partition("/")[0]
    try:
        # The session's ARN leaves out the path, which roles of single sign-on have.
        return str(aws.call("iam", "get_role", region, RoleName=role)["Role"]["Arn"])
    except AwsError:
        return f"arn:{identity.partition}:iam::{caller.account}:role/{role}"
