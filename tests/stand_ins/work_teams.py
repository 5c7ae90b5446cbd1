"""Workforces and work teams of a stand-in for SageMaker."""

from __future__ import annotations

from typing import Any

from aws_account import BORN
from aws_objects import ACCOUNT
from aws_people import Cognito, Pool
from aws_server import Answer, Caller, paged
from aws_shapes import Refused, invalid

_MOST_TEAMS = 25


class Teams:
    """The private workforce of a Region, where there is one, and its teams."""

    def __init__(self, cognito: Cognito) -> None:
        self.cognito = cognito
        self.workforces: dict[str, Pool | None] = {}  # by Region; None: people of an OIDC provider
        self.teams: dict[str, Answer] = {}  # by ARN

    def add_workforce(self, region: str = "us-east-1", *, oidc: bool = False) -> Pool | None:
        """Found the private workforce of a Region."""
        self.workforces[region] = None if oidc else self.cognito.add(region)
        return self.workforces[region]

    def add_team(
        self, name: str, region: str = "us-east-1", *, vendor: bool = False, people: int = 5
    ) -> str:
        """Found a team of so many people and return its ARN."""
        if vendor:
            arn = f"arn:aws:sagemaker:{region}:{ACCOUNT}:workteam/vendor-crowd/{name}"
            self.teams[arn] = _team(name, arn, [], "of a vendor")
            return arn
        if region not in self.workforces:
            self.add_workforce(region)
        pool = self.workforces[region]
        members: list[Answer] = [{"OidcMemberDefinition": {"Groups": [name]}}]
        if pool is not None:
            pool.invite(name, [f"{name}-{number}@example.com" for number in range(people)])
            about = {"UserPool": pool.id, "UserGroup": name, "ClientId": pool.clients[0]}
            members = [{"CognitoMemberDefinition": about}]
        arn = self._arn(name, region)
        self.teams[arn] = _team(name, arn, members, f"The team {name}")
        self.teams[arn]["WorkforceArn"] = f"arn:aws:sagemaker:{region}:{ACCOUNT}:workforce/default"
        return arn

    def team(self, arn: str) -> Answer | None:
        return self.teams.get(arn)

    @staticmethod
    def _arn(name: str, region: str) -> str:
        return f"arn:aws:sagemaker:{region}:{ACCOUNT}:workteam/private-crowd/{name.lower()}"

    def _of(self, region: str) -> list[Answer]:
        return [
            team
            for arn, team in self.teams.items()
            if f":{region}:" in arn and "/vendor-crowd/" not in arn
        ]

    def ListWorkteams(self, request: Answer, caller: Caller) -> Answer:
        wanted = [
            team
            for team in self._of(caller.region)
            if request.get("NameContains", "").lower() in team["WorkteamName"].lower()
        ]
        key = "CreateDate" if request.get("SortBy", "CreateDate") != "Name" else "WorkteamName"
        wanted.sort(key=lambda team: team[key], reverse=request.get("SortOrder") == "Descending")
        page, token = paged(wanted, request)
        return {"Workteams": page, **token}

    def DescribeWorkteam(self, request: Answer, caller: Caller) -> Answer:
        for team in self._of(caller.region):
            if team["WorkteamName"].lower() == request["WorkteamName"].lower():
                return {"Workteam": team}
        # The service has no error of its own for this.
        raise invalid(f"The work team {request['WorkteamName']} does not exist.")

    def DescribeSubscribedWorkteam(self, request: Answer, caller: Caller) -> Answer:
        arn = request["WorkteamArn"]
        if arn not in self.teams or "/vendor-crowd/" not in arn:
            raise invalid(f"The work team {arn} does not exist.")
        about = {"WorkteamArn": arn, "SellerName": "A vendor", "ListingId": "listing"}
        return {"SubscribedWorkteam": about}

    def CreateWorkteam(self, request: Answer, caller: Caller) -> Answer:
        region = caller.region
        if region not in self.workforces:
            raise invalid("There is no workforce in this account and Region.")
        if request.get("WorkforceName", "default") != "default":
            raise invalid(f"The workforce {request['WorkforceName']} does not exist.")
        arn = self._arn(request["WorkteamName"], region)
        if arn in self.teams:
            raise Refused("ResourceInUse", f"The work team {request['WorkteamName']} exists.")
        if len(self._of(region)) >= _MOST_TEAMS:
            raise Refused("ResourceLimitExceeded", f"At most {_MOST_TEAMS} work teams.")
        for member in request["MemberDefinitions"]:
            self._check_member(member, self.workforces[region])
        team = _team(
            request["WorkteamName"], arn, request["MemberDefinitions"], request["Description"]
        )
        team["WorkforceArn"] = f"arn:aws:sagemaker:{region}:{ACCOUNT}:workforce/default"
        for field in ("NotificationConfiguration", "WorkerAccessConfiguration"):
            if field in request:
                team[field] = request[field]
        self.teams[arn] = team
        return {"WorkteamArn": arn}

    @staticmethod
    def _check_member(member: Answer, pool: Pool | None) -> None:
        if len(member) != 1:
            raise invalid("A member definition is of Cognito or of OIDC.")
        if pool is None:
            if "OidcMemberDefinition" not in member:
                raise invalid("The workforce is one of OIDC groups.")
            return
        about: dict[str, Any] = member.get("CognitoMemberDefinition", {})
        if about.get("UserPool") != pool.id or about.get("ClientId") not in pool.clients:
            raise invalid("The user pool and the client must be those of the workforce.")
        if about["UserGroup"] not in pool.groups:
            raise invalid(f"The user group {about['UserGroup']} does not exist in {pool.id}.")

    def ListWorkforces(self, request: Answer, caller: Caller) -> Answer:
        there = caller.region in self.workforces
        return {"Workforces": [self._workforce(caller.region)] if there else []}

    def DescribeWorkforce(self, request: Answer, caller: Caller) -> Answer:
        if request["WorkforceName"] != "default" or caller.region not in self.workforces:
            raise invalid(f"The workforce {request['WorkforceName']} does not exist.")
        return {"Workforce": self._workforce(caller.region)}

    def _workforce(self, region: str) -> Answer:
        pool = self.workforces[region]
        about: Answer = {
            "WorkforceName": "default",
            "WorkforceArn": f"arn:aws:sagemaker:{region}:{ACCOUNT}:workforce/default",
            "SubDomain": f"ab12cd34ef.labeling.{region}.sagemaker.aws",
            "CreateDate": BORN,
            "Status": "Active",
        }
        if pool is not None:
            about["CognitoConfig"] = {"UserPool": pool.id, "ClientId": pool.clients[0]}
        else:
            issuer = "https://id.example.com"
            about["OidcConfig"] = {
                "ClientId": "client",
                "Issuer": issuer,
                **{
                    name: f"{issuer}/{name}"
                    for name in (
                        *("AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint"),
                        *("LogoutEndpoint", "JwksUri"),
                    )
                },
            }
        return about


def _team(name: str, arn: str, members: list[Answer], description: str) -> Answer:
    return {
        "WorkteamName": name,
        "WorkteamArn": arn,
        "MemberDefinitions": members,
        "Description": description,
        "SubDomain": "ab12cd34ef.labeling.us-east-1.sagemaker.aws",
        "CreateDate": BORN,
        "LastUpdatedDate": BORN,
    }
