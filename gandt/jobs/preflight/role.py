"""Whether the job's role exists, trusts SageMaker and may do what the job needs.

Asks IAM through `gandt.aws`. What a role needs is listed in the developer guide, "Create an
Execution Role to Start a Labeling Job"; permissions are simulated where the caller may.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gandt import aws
from gandt.aws import AwsError
from gandt.jobs.plan import Check, JobPlan
from gandt.jobs.preflight.references import arn_of, first_in_buckets
from gandt.jobs.preflight.request import own_functions, role_name
from gandt.jobs.preflight.simulate import Refusal, grant, simulate, take_out
from gandt.jobs.preflight.words import (
    command,
    document,
    error,
    fine,
    listed,
    not_asked,
    warning,
)

__all__ = ["SERVICE", "Need", "check_permissions", "check_trust", "judged", "needs"]

SERVICE = "sagemaker.amazonaws.com"
_MANAGED = "arn:aws:iam::aws:policy/AmazonSageMakerGroundTruthExecution"
_ASSUME = frozenset({"sts:assumerole", "sts:*", "*"})
_KEY_USES = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey")


def check_trust(plan: JobPlan) -> list[Check]:
    """Look whether the role exists and lets SageMaker take it on."""
    name, role = "role", role_name(plan.settings.role)
    shown = command("aws", "iam", "get-role", "--role-name", role)
    try:
        answer = aws.call("iam", "get_role", plan.names.region, RoleName=role)
    except AwsError as failure:
        if failure.missing:
            made = command(
                *("aws", "iam", "create-role", "--role-name", role),
                *("--assume-role-policy-document", document(_trusting([]))),
            )
            attached = command(
                *("aws", "iam", "attach-role-policy", "--role-name", role),
                *("--policy-arn", _MANAGED),
            )
            return [
                error(
                    name,
                    f"{plan.settings.role} does not exist",
                    f"correct --role, or create it: {made}, then {attached}",
                )
            ]
        return [not_asked(name, failure, f"see that {shown} answers and names {SERVICE}")]
    found = answer["Role"]
    if found["Arn"] != plan.settings.role:
        return [
            error(
                name,
                f"{plan.settings.role} does not exist, and the role of this name is {found['Arn']}",
                f"give `--role {found['Arn']}`",
            )
        ]
    statements = _statements(found.get("AssumeRolePolicyDocument"))
    if any(_trusts(statement) for statement in statements):
        return [fine(name, f"{role} exists and trusts SageMaker")]
    update = command(
        *("aws", "iam", "update-assume-role-policy", "--role-name", role),
        *("--policy-document", document(_trusting(statements))),
    )
    return [
        error(
            name,
            f"{role} does not trust {SERVICE}, so no labeling job can take it on",
            f"add that to whom it trusts: {update}",
        )
    ]


def _statements(policy: object) -> list[Mapping[str, Any]]:
    found = policy.get("Statement", []) if isinstance(policy, dict) else []
    return [found] if isinstance(found, dict) else list(found)


def _trusts(statement: Mapping[str, Any]) -> bool:
    if statement.get("Effect") != "Allow":
        return False
    principal = statement.get("Principal", {})
    services = _texts(principal.get("Service")) if isinstance(principal, dict) else ()
    actions = {action.lower() for action in _texts(statement.get("Action"))}
    return SERVICE in services and bool(actions & _ASSUME)


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def _trusting(statements: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    trust = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [*statements, trust]}


@dataclass(frozen=True, slots=True)
class Need:
    """Something that the role has to do."""

    what: str  # in words, after "role may"
    actions: tuple[str, ...]
    resources: tuple[str, ...]  # ARNs
    context: Mapping[str, str] = field(default_factory=dict)  # condition keys


def check_permissions(plan: JobPlan, need: Need) -> list[Check]:
    """Look whether the role may do one of the things that `needs` lists."""
    name = f"role may {need.what}"
    role, region = plan.settings.role, plan.names.region
    by_hand = (
        f"see in the IAM console that {role_name(role)} has {listed(need.actions)} on "
        f"{listed(need.resources)}"
    )
    try:
        refusals = simulate(role, need.actions, need.resources, region, context=need.context)
    except AwsError as failure:
        if failure.missing:
            return []  # the check of the role says so
        return [not_asked(name, failure, by_hand)]
    return [judged(name, role, refusals, region)]


def needs(plan: JobPlan) -> tuple[Need, ...]:
    """List what the role has to do for this job."""
    documents, settings = plan.documents, plan.settings
    partition = [*settings.role.split(":"), "aws"][1]

    def arns(uris: Iterable[str]) -> tuple[str, ...]:
        return tuple(arn_of(uri, partition=partition) for uri in uris)

    read = [uri for uri in (documents.manifest, documents.categories, documents.template) if uri]
    read += first_in_buckets(plan).values()
    buckets = sorted({uri.removeprefix("s3://").partition("/")[0] for uri in read})
    result = f"{documents.output}/{plan.names.job}/manifests/output/output.manifest"
    found = [
        Need("read the data", ("s3:GetObject",), arns(read)),
        Need("list the buckets", ("s3:ListBucket",), arns(buckets)),
        Need("write the results", ("s3:PutObject",), arns([result])),
    ]
    functions = tuple(own_functions(plan).values())
    if functions:
        found.append(Need("invoke the functions", ("lambda:InvokeFunction",), functions))
    for what, key, uses in (
        ("use the key", settings.kms_key, _KEY_USES),
        ("use the disks' key", settings.volume_kms_key, (*_KEY_USES, "kms:CreateGrant")),
    ):
        # Of an alias the policies say nothing; they name keys.
        if key is not None and key.startswith("arn:") and ":key/" in key:
            found.append(Need(what, uses, (key,)))
    if settings.automated:
        itself = "pass itself on, for automated labeling"
        context = {"iam:PassedToService": SERVICE}
        found.append(Need(itself, ("iam:PassRole",), (settings.role,), context))
    return tuple(found)


def judged(name: str, principal: str, refusals: Sequence[Refusal], region: str) -> Check:
    """Turn what a simulation refuses into a check with its fix."""
    if not refusals:
        return fine(name, "its policies allow it")
    denied = [refusal for refusal in refusals if refusal.explicit]
    if denied:
        return error(name, f"a policy denies {_what(denied)}", take_out(principal, denied))
    message = f"no policy of {role_name(principal)} allows {_what(refusals)}"
    fix = grant(principal, name, refusals)
    holder = _could_allow(refusals, region)
    if holder is not None:
        return warning(name, f"{message}; {holder} may, which was not looked into", fix)
    return error(name, message, fix)


def _what(refusals: Sequence[Refusal]) -> str:
    actions = sorted({refusal.action for refusal in refusals})
    return f"{listed(actions)} on {listed(sorted({refusal.resource for refusal in refusals}))}"


def _could_allow(refusals: Sequence[Refusal], region: str) -> str | None:
    """Name the policy at the other end that could allow it all, since the simulation sees none."""
    services = {refusal.action.partition(":")[0] for refusal in refusals}
    if services == {"kms"}:
        return "the policy of the key"
    if services != {"s3"}:
        return None
    buckets = sorted({r.resource.partition(":::")[2].partition("/")[0] for r in refusals})
    if all(_has_policy(bucket, region) for bucket in buckets):
        return f"the policy of the bucket {listed(buckets)}"
    return None


def _has_policy(bucket: str, region: str) -> bool:
    """Whether a bucket has a policy; True also where the caller may not know."""
    try:
        aws.call("s3", "get_bucket_policy", region, Bucket=bucket)
    except AwsError as failure:
        return failure.code not in ("NoSuchBucketPolicy", "NoSuchBucket")
    return True
