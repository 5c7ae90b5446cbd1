"""Whether the team, the functions and the keys that a job names exist and can be used by it.

Asks SageMaker, Cognito, Lambda and KMS through `gandt.aws`.
"""

from __future__ import annotations

from typing import Any

from gandt import aws
from gandt.aws import AwsError
from gandt.jobs.plan import Check, JobPlan
from gandt.jobs.preflight.words import command, error, fine, not_asked, skipped, warning
from gandt.jobs.regions import parse_arn, workforce
from gandt.words import count

__all__ = ["check_function", "check_key", "check_team"]

_ENOUGH_SECONDS = 30  # of a function's time-out, as AWS's own recipe sets
_MOST_PEOPLE = 1_000  # beyond, a team is large enough for any job


def check_team(plan: JobPlan) -> list[Check]:
    """Look whether the work team exists, where, and whether it has enough people."""
    arn, region = plan.names.workteam, plan.names.region
    parts = parse_arn(arn)
    team = parts.resource.rpartition("/")[2]
    kind = workforce(arn)
    name = f"work team {team}"
    if parts.region != region:
        return [
            error(
                name,
                f"is in {parts.region} and the job would run in {region}",
                f"name a team of {region} (`gandt teams --region {region}` lists them), or give "
                f"`--region {parts.region}` with --bucket there too",
            )
        ]
    if kind == "public":
        return [fine(name, "Mechanical Turk")]
    by_hand = f"see that `gandt teams --region {region}` lists it"
    try:
        if kind == "vendor":
            aws.call("sagemaker", "describe_subscribed_workteam", region, WorkteamArn=arn)
            return [fine(name, "a vendor's, subscribed to")]
        answer = aws.call("sagemaker", "describe_workteam", region, WorkteamName=team)
    except AwsError as failure:
        if failure.missing or "not found" in failure.said.lower():
            fix = f"`gandt teams --region {region}` lists yours; {_invite(team, region)} makes one"
            if kind == "vendor":
                fix = "subscribe to the vendor in the AWS Marketplace, or take a private team"
            return [error(name, "does not exist", fix)]
        return [not_asked(name, failure, by_hand)]
    found = answer["Workteam"]
    if found["WorkteamArn"] != arn:
        return [
            error(
                name,
                f"is {found['WorkteamArn']}, and not {arn}",
                f"give `--workteam {found['WorkteamArn']}`",
            )
        ]
    return [fine(name, "exists"), *_check_people(plan, team, found["MemberDefinitions"])]


def _check_people(plan: JobPlan, team: str, members: list[dict[str, Any]]) -> list[Check]:
    name = f"people of {team}"
    wanted = int(plan.request["HumanTaskConfig"]["NumberOfHumanWorkersPerDataObject"])
    groups = [one["CognitoMemberDefinition"] for one in members if "CognitoMemberDefinition" in one]
    if len(groups) < len(members):
        return [
            skipped(
                name,
                "they come from an identity provider of your own, which AWS does not list",
                f"see that its groups hold {count(wanted, 'person', 'people')} at least",
            )
        ]
    people: set[str] = set()
    try:
        for group in groups:
            people |= _people_in(group, plan.names.region)
    except AwsError as failure:
        return [
            not_asked(
                name,
                failure,
                f"see in the SageMaker console, under Labeling workforces, that {team} has "
                f"{count(wanted, 'person', 'people')} at least",
            )
        ]
    add = f"invite people, as with {_invite(team, plan.names.region)}"
    if not people:
        return [warning(name, "nobody is in it yet, and tasks wait for people", add)]
    if len(people) < wanted:
        return [
            warning(
                name,
                f"{count(len(people), 'person', 'people')} for {wanted} answers to an object; "
                "objects would wait for the missing ones until their time is over",
                f"give `--workers {len(people)}`, or {add}",
            )
        ]
    return [fine(name, count(len(people), "person", "people"))]


def _invite(team: str, region: str) -> str:
    return command(
        *("gandt", "teams", "create", team, "--description", "People who label"),
        *("--member", "ann@example.com", "--region", region),
    )


def _people_in(group: dict[str, str], region: str) -> set[str]:
    people: set[str] = set()
    more: dict[str, Any] = {}
    while len(people) < _MOST_PEOPLE:
        answer = aws.call(
            "cognito-idp",
            "list_users_in_group",
            region,
            UserPoolId=group["UserPool"],
            GroupName=group["UserGroup"],
            **more,
        )
        people |= {str(user["Username"]) for user in answer["Users"] if user.get("Enabled", True)}
        if not answer.get("NextToken"):
            break
        more = {"NextToken": answer["NextToken"]}
    return people


def check_function(plan: JobPlan, option: str, arn: str) -> list[Check]:
    """Look whether a function exists in the job's Region and takes its time."""
    parts, region = parse_arn(arn), plan.names.region
    function = parts.resource.removeprefix("function:")
    name = f"{option} {function.partition(':')[0]}"
    if parts.region != region:
        return [
            error(
                name,
                f"is in {parts.region}, and a job in {region} needs its functions there",
                f"deploy it in {region} and give {option} its ARN there",
            )
        ]
    by_hand = command(
        *("aws", "lambda", "get-function-configuration", "--function-name", arn),
        *("--region", region),
    )
    try:
        answer = aws.call("lambda", "get_function_configuration", region, FunctionName=arn)
    except AwsError as failure:
        if failure.missing:
            return [
                error(
                    name,
                    f"does not exist in {region} of account {parts.account}",
                    f"correct {option}, or deploy the functions (scripts/package-lambdas makes the "
                    "zip, serving/lambdas holds the stack)",
                )
            ]
        return [not_asked(name, failure, f"see that {by_hand} answers")]
    if answer.get("State") == "Failed":
        reason = str(answer.get("StateReason", "")).rstrip(".") or "no reason given"
        return [error(name, f"cannot run: {reason}", "repair and deploy it again")]
    seconds = int(answer.get("Timeout", 0))
    if seconds < _ENOUGH_SECONDS:
        longer = command(
            *("aws", "lambda", "update-function-configuration", "--function-name", function),
            *("--timeout", "60", "--region", region),
        )
        return [
            warning(
                name,
                f"is stopped after {count(seconds, 'second')}, and what it works on then fails",
                f"give it a minute: {longer}",
            )
        ]
    return [fine(name, f"exists, with {count(seconds, 'second')} to answer")]


def check_key(plan: JobPlan, option: str, key: str) -> list[Check]:
    """Look whether a KMS key exists in the job's Region and can encrypt."""
    region = plan.names.region
    name = f"key of {option}"
    place = parse_arn(key).region if key.startswith("arn:") else region
    if place != region:
        return [
            error(
                name,
                f"{key} is in {place}, and a job in {region} needs a key there",
                f"give {option} a key of {region}",
            )
        ]
    by_hand = command("aws", "kms", "describe-key", "--key-id", key, "--region", region)
    try:
        answer = aws.call("kms", "describe_key", region, KeyId=key)
    except AwsError as failure:
        if failure.missing:
            shown = command("aws", "kms", "list-aliases", "--region", region)
            return [
                error(
                    name,
                    f"{key} does not exist in {region}",
                    f"correct {option}; {shown} lists the keys",
                )
            ]
        return [not_asked(name, failure, f"see that {by_hand} shows it enabled")]
    found = answer["KeyMetadata"]
    state = str(found.get("KeyState", "Enabled"))
    ident = str(found["KeyId"])
    if found.get("KeyUsage", "ENCRYPT_DECRYPT") != "ENCRYPT_DECRYPT":
        return [
            error(
                name,
                f"{key} is a key for signing, not for encrypting",
                f"give {option} a symmetric key for encryption",
            )
        ]
    if state == "Enabled":
        return [fine(name, "is enabled")]
    enable = command("aws", "kms", "enable-key", "--key-id", ident, "--region", region)
    fix = f"enable it: {enable}"
    if state == "PendingDeletion":
        kept = command("aws", "kms", "cancel-key-deletion", "--key-id", ident, "--region", region)
        fix = f"keep it, with {kept}, then enable it: {enable}"
    return [error(name, f"{key} cannot be used, it is {state}", fix)]
