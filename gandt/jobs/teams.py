"""Private work teams: who labels, listed, created, and invited.

A team is a group of people within the account's private workforce of a Region, which rests on a
user pool of Cognito or on an identity provider of one's own (OIDC). Reads and creates teams through
SageMaker (`ListWorkteams`, `ListWorkforces`, `CreateWorkteam`), groups and people through Cognito
(`CreateGroup`, `AdminCreateUser`, `AdminAddUserToGroup`). Every step looks first, so that a call
that broke off is simply made again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gandt import aws
from gandt.aws import AwsError
from gandt.errors import JobError, UsageError

__all__ = ["CreatedTeam", "Team", "Workforce", "create_team", "list_teams", "private_workforce"]

_PAGE = 100
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_MOST_GROUPS = 10
_MOST_MEMBERS = 50  # people invited by one call, so that a wrong list does no harm


@dataclass(frozen=True, slots=True)
class Team:
    """A private work team."""

    name: str
    arn: str
    description: str
    members: tuple[str, ...]  # in words: "group labelers of user pool eu-west-1_abc"
    portal: str | None  # address at which its people work
    created: str | None  # ISO 8601
    jobs: int | None = None  # that it was given; None where nobody asked or may ask


@dataclass(frozen=True, slots=True)
class Workforce:
    """The private workforce of an account in a Region."""

    name: str
    status: str  # "Active", where people can work
    portal: str | None
    pool: str | None  # of Cognito
    client: str | None
    issuer: str | None  # of OIDC


@dataclass(frozen=True, slots=True)
class CreatedTeam:
    """What came of creating a team."""

    team: Team
    before: bool  # whether the team was there already
    group_created: bool  # whether the group of Cognito was new
    invited: tuple[str, ...]  # people who get a message with a first password
    added: tuple[str, ...]  # people who had an account already


def list_teams(region: str | None = None, *, jobs: bool = False) -> list[Team]:
    """List the private work teams of a Region, by name.

    Parameters
    ----------
    jobs
        Whether to count the jobs of each team, which takes a call each.

    Raises
    ------
    JobError
        Where the service cannot be asked.
    """
    where = aws.region(region)
    found: list[Team] = []
    more: dict[str, Any] = {}
    while True:
        page = aws.call(
            "sagemaker", "list_workteams", where, SortBy="Name", MaxResults=_PAGE, **more
        )
        found += [_team(entry) for entry in page.get("Workteams", ())]
        if not page.get("NextToken"):
            break
        more = {"NextToken": page["NextToken"]}
    if jobs:
        found = [replace(team, jobs=_count_jobs(team.arn, where)) for team in found]
    return found


def private_workforce(region: str | None = None) -> Workforce | None:
    """The account's private workforce in a Region, of which there is one at most.

    Raises
    ------
    JobError
        Where the service cannot be asked.
    """
    page = aws.call("sagemaker", "list_workforces", aws.region(region), MaxResults=_PAGE)
    for entry in page.get("Workforces", ()):
        cognito, oidc = entry.get("CognitoConfig", {}), entry.get("OidcConfig", {})
        return Workforce(
            name=str(entry["WorkforceName"]),
            status=str(entry.get("Status", "Active")),
            portal=_address(entry.get("SubDomain")),
            pool=cognito.get("UserPool"),
            client=cognito.get("ClientId"),
            issuer=oidc.get("Issuer"),
        )
    return None


def create_team(
    name: str,
    description: str,
    *,
    region: str | None = None,
    group: str | None = None,
    pool: str | None = None,
    client: str | None = None,
    oidc_groups: Sequence[str] = (),
    members: Sequence[str] = (),
) -> CreatedTeam:
    """Create a private work team, its group where that is missing, and invite people.

    Parameters
    ----------
    group
        Group of Cognito; by default named as the team.
    pool, client
        User pool and app client of Cognito; those of the account's workforce where not given.
    oidc_groups
        Groups of the identity provider, where the workforce rests on one.
    members
        Addresses of people to invite into the group; those who are in it stay in it.

    Raises
    ------
    UsageError
        Where a name breaks the rules, or options do not go together.
    JobError
        Where there is no private workforce yet, the name is taken, or AWS refuses.
    """
    where = aws.region(region)
    _check(name, description, group, pool, client, oidc_groups, members)
    workforce = None if pool is not None else _workforce(where, oidc=bool(oidc_groups))
    if workforce is not None and not oidc_groups:
        pool, client = workforce.pool, workforce.client
    group = group or name
    team = _find(name, where)
    before = team is not None
    group_created = False
    if oidc_groups:
        definition: dict[str, Any] = {"OidcMemberDefinition": {"Groups": list(oidc_groups)}}
    else:
        cognito = {"UserPool": pool, "UserGroup": group, "ClientId": client}
        definition = {"CognitoMemberDefinition": cognito}
    if team is not None and _of(definition) not in team.members:
        raise JobError(
            f"there is a team {name} in {where} already, of {', '.join(team.members)}: choose "
            "another name."
        )
    if not oidc_groups:
        group_created = _make_group(str(pool), group, description, where)
    if team is None:
        _make_team(name, description, definition, workforce, where)
        team = _find(name, where)
        if team is None:
            raise JobError(f"team {name} was created, but {where} does not list it: look again.")
    invited, added = _invite(members, str(pool), group, where)
    return CreatedTeam(team, before, group_created, invited, added)


# --------------------------------------------------------------------------------------- steps


def _check(
    name: str,
    description: str,
    group: str | None,
    pool: str | None,
    client: str | None,
    oidc_groups: Sequence[str],
    members: Sequence[str],
) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"the team's name {name!r} is not possible: use up to 63 letters, digits and hyphens, "
            "a letter or digit at both ends."
        )
    if not 0 < len(description) <= 200 or "\n" in description:
        raise UsageError("--description: use one line of 1 to 200 characters; workers see it.")
    if oidc_groups and (group or pool or client or members):
        raise UsageError(
            "--oidc-group goes without --group, --pool, --client and --member: people of your own "
            "identity provider are invited there."
        )
    if (pool is None) != (client is None):
        raise UsageError("--pool and --client go together; give both, or none of them.")
    if len(oidc_groups) > _MOST_GROUPS:
        raise UsageError(f"--oidc-group: a team has at most {_MOST_GROUPS} groups.")
    if group is not None and not (0 < len(group) <= 128 and not re.search(r"\s", group)):
        raise UsageError(f"--group {group!r}: use 1 to 128 characters with no blanks.")
    if len(members) > _MOST_MEMBERS:
        raise UsageError(f"--member: invite at most {_MOST_MEMBERS} people at once.")
    wrong = [address for address in members if not _EMAIL.fullmatch(address)]
    if wrong:
        raise UsageError(f"--member {wrong[0]!r}: give an e-mail address.")


def _workforce(where: str, *, oidc: bool) -> Workforce:
    found = private_workforce(where)
    if found is None:
        raise JobError(_no_workforce(where))
    if found.status != "Active":
        raise JobError(
            f"the private workforce {found.name} in {where} is {found.status}: wait until it is "
            "Active (`aws sagemaker describe-workforce --workforce-name "
            f"{found.name} --region {where}`)."
        )
    if oidc and found.issuer is None:
        raise UsageError(
            f"the workforce {found.name} in {where} rests on Cognito: use --group, not "
            "--oidc-group."
        )
    if not oidc and found.pool is None:
        raise UsageError(
            f"the workforce {found.name} in {where} rests on your identity provider "
            f"({found.issuer}): name its groups with --oidc-group."
        )
    return found


def _no_workforce(where: str) -> str:
    return (
        f"there is no private workforce in {where} yet, which every account needs once: open "
        f"https://{where}.console.aws.amazon.com/sagemaker/groundtruth?region={where}"
        '#/labeling-workforces, choose Private, then "Create private team", and run this again; '
        "or, with a user pool of Cognito that has a domain and an app client with a secret, "
        "`aws sagemaker create-workforce --workforce-name default --cognito-config "
        f"UserPool=POOL_ID,ClientId=CLIENT_ID --region {where}`."
    )


def _find(name: str, where: str) -> Team | None:
    try:
        answer = aws.call("sagemaker", "describe_workteam", where, WorkteamName=name)
    except AwsError as error:
        # What does not exist is a ValidationException here, in words that vary.
        if error.missing or error.code == "ValidationException":
            return None
        raise
    return _team(answer["Workteam"])


def _make_group(pool: str, group: str, description: str, where: str) -> bool:
    """Create the group unless it is there; whether it was new."""
    try:
        aws.call(
            "cognito-idp",
            "create_group",
            where,
            UserPoolId=pool,
            GroupName=group,
            Description=description,
        )
    except AwsError as error:
        if error.code == "GroupExistsException":
            return False
        if error.missing:
            raise JobError(
                f"there is no user pool {pool} in {where}: check --pool, or leave it out to use "
                "that of the account's workforce."
            ) from error
        raise
    return True


def _make_team(
    name: str,
    description: str,
    definition: dict[str, Any],
    workforce: Workforce | None,
    where: str,
) -> None:
    try:
        aws.call(
            "sagemaker",
            "create_workteam",
            where,
            WorkteamName=name,
            Description=description,
            MemberDefinitions=[definition],
            **({} if workforce is None else {"WorkforceName": workforce.name}),
        )
    except AwsError as error:
        if error.code in {"ResourceLimitExceeded", "ResourceLimitExceededException"}:
            raise JobError(
                f"{where} has as many teams as the account may have (25, as a rule): use one of "
                "`gandt teams`, or ask AWS Support for more."
            ) from error
        raise


def _invite(
    members: Sequence[str], pool: str, group: str, where: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    invited: list[str] = []
    added: list[str] = []
    for address in dict.fromkeys(members):
        try:
            aws.call(
                "cognito-idp",
                "admin_create_user",
                where,
                UserPoolId=pool,
                Username=address,
                UserAttributes=[
                    {"Name": "email", "Value": address},
                    {"Name": "email_verified", "Value": "true"},
                ],
                DesiredDeliveryMediums=["EMAIL"],
            )
            invited.append(address)
        except AwsError as error:
            if error.code != "UsernameExistsException":
                raise
            added.append(address)
        aws.call(
            "cognito-idp",
            "admin_add_user_to_group",
            where,
            UserPoolId=pool,
            Username=address,
            GroupName=group,
        )
    return tuple(invited), tuple(added)


def _count_jobs(arn: str, where: str) -> int | None:
    count, more = 0, dict[str, Any]()
    try:
        while True:
            page = aws.call(
                "sagemaker",
                "list_labeling_jobs_for_workteam",
                where,
                WorkteamArn=arn,
                MaxResults=_PAGE,
                **more,
            )
            count += len(page.get("LabelingJobSummaryList", ()))
            if not page.get("NextToken"):
                return count
            more = {"NextToken": page["NextToken"]}
    except AwsError as error:
        if error.denied:  # the teams are what was asked for
            return None
        raise


# ------------------------------------------------------------------------------------- answers


def _team(entry: dict[str, Any]) -> Team:
    created = entry.get("CreateDate")
    return Team(
        name=str(entry["WorkteamName"]),
        arn=str(entry["WorkteamArn"]),
        description=str(entry.get("Description", "")),
        members=tuple(_of(part) for part in entry.get("MemberDefinitions", ())),
        portal=_address(entry.get("SubDomain")),
        created=None if created is None else created.isoformat(),
    )


def _of(definition: dict[str, Any]) -> str:
    """Say in words whose people a member definition means."""
    cognito = definition.get("CognitoMemberDefinition")
    if cognito:
        return f"group {cognito['UserGroup']} of user pool {cognito['UserPool']}"
    groups = definition.get("OidcMemberDefinition", {}).get("Groups", ())
    noun = "group" if len(groups) == 1 else "groups"
    return f"{noun} {', '.join(groups)} of your identity provider"


def _address(domain: str | None) -> str | None:
    if not domain:
        return None
    return domain if "://" in domain else f"https://{domain}"
