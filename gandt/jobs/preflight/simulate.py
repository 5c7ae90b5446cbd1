"""What a role or user may do, as IAM's own simulation of its policies says.

Asks IAM's SimulatePrincipalPolicy through `gandt.aws` (IAM user guide, "Testing IAM policies with
the IAM policy simulator"). It sees the policies of the principal, its boundary and the
organization's, not those of buckets and keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gandt import aws
from gandt.jobs.preflight.words import command, document, listed

__all__ = ["Refusal", "grant", "simulate", "take_out"]

_CONTEXT_SIZE = 20  # resources to a call; IAM limits the size of its answer


@dataclass(frozen=True, slots=True)
class Refusal:
    """One action on one resource that the policies do not allow."""

    action: str
    resource: str  # ARN, or *
    explicit: bool  # a policy denies it, where else none allows it


def simulate(
    principal: str,
    actions: Sequence[str],
    resources: Sequence[str],
    region: str,
    *,
    context: Mapping[str, str] | None = None,
) -> tuple[Refusal, ...]:
    """Ask which of these actions on these resources the principal may not do.

    Parameters
    ----------
    principal
        ARN of a role or user.
    context
        Condition keys with their values, as `iam:PassedToService`.

    Raises
    ------
    AwsError
        Where the caller may not ask.
    """
    entries = [
        {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
        for key, value in (context or {}).items()
    ]
    found: list[Refusal] = []
    for start in range(0, len(resources), _CONTEXT_SIZE):
        more: dict[str, Any] = {"ContextEntries": entries} if entries else {}
        while True:
            answer = aws.call(
                "iam",
                "simulate_principal_policy",
                region,
                PolicySourceArn=principal,
                ActionNames=list(actions),
                ResourceArns=list(resources[start : start + _CONTEXT_SIZE]),
                **more,
            )
            for result in answer.get("EvaluationResults", []):
                found += _refusals(result)
            if not answer.get("IsTruncated"):
                break
            more["Marker"] = answer["Marker"]
    return tuple(dict.fromkeys(found))


def _refusals(result: Mapping[str, Any]) -> list[Refusal]:
    action = str(result["EvalActionName"])
    single = result.get("ResourceSpecificResults") or [
        {
            "EvalResourceName": result.get("EvalResourceName", "*"),
            "EvalResourceDecision": result["EvalDecision"],
        }
    ]
    return [
        Refusal(
            action,
            str(one["EvalResourceName"]),
            one["EvalResourceDecision"] == "explicitDeny",
        )
        for one in single
        if one["EvalResourceDecision"] != "allowed"
    ]


def grant(principal: str, what: str, refusals: Sequence[Refusal]) -> str:
    """Say how to allow what was refused, by a command where there is one.

    Objects are widened to all objects of their bucket, and jobs to all jobs, since one stands for
    many.

    Parameters
    ----------
    what
        Name of the check, as "role may read the data"; the policy is named after it.
    """
    kind, name = _kind(principal)
    content = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": sorted({refusal.action for refusal in refusals}),
                "Resource": sorted({_widened(refusal.resource) for refusal in refusals}),
            }
        ],
    }
    if ":role/aws-reserved/" in principal:
        # IAM lets nobody change the roles that single sign-on makes.
        return (
            f"have whoever manages single sign-on add to the permission set behind {name}: "
            f"`{document(content)}`"
        )
    policy = "gandt-" + "-".join(re.findall(r"\w+", what.partition(" may ")[2]))
    put = command(
        *("aws", "iam", f"put-{kind}-policy", f"--{kind}-name", name),
        *("--policy-name", policy, "--policy-document", document(content)),
    )
    return f"allow it: {put}"


def take_out(principal: str, refusals: Sequence[Refusal]) -> str:
    """Say what to do about a policy that denies."""
    kind, name = _kind(principal)
    actions = listed(sorted({refusal.action for refusal in refusals}))
    shown = command("aws", "iam", f"list-attached-{kind}-policies", f"--{kind}-name", name)
    return (
        f"take the Deny of {actions} out of the policy that holds it ({shown} lists those of the "
        f"{kind}; it may also be its permissions boundary, or a policy of the organization)"
    )


def _kind(principal: str) -> tuple[Literal["role", "user"], str]:
    resource = principal.partition(":iam::")[2].partition(":")[2]
    return "user" if resource.startswith("user/") else "role", principal.rpartition("/")[2]


def _widened(resource: str) -> str:
    head, slash, _ = resource.partition("/")
    if slash and (":s3:::" in head or head.endswith(":labeling-job")):
        return f"{head}/*"
    return resource
