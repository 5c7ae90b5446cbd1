"""Workers' accounts: user pools of Cognito, their groups and users."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from aws_server import Answer, Caller
from aws_shapes import Refused


@dataclass
class Pool:
    """A user pool of Cognito."""

    id: str
    clients: list[str]
    groups: dict[str, set[str]] = field(default_factory=dict)  # names of users
    users: dict[str, dict[str, str]] = field(default_factory=dict)  # attributes

    def invite(self, group: str, names: Iterable[str]) -> None:
        """Put people into a group, which is made where it is not there."""
        members = self.groups.setdefault(group, set())
        for name in names:
            self.users.setdefault(name, _person(len(self.users), {"email": name}))
            members.add(name)


class Cognito:
    """User pools, their groups and users."""

    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}
        self._numbers = itertools.count(1)

    def add(self, region: str = "us-east-1") -> Pool:
        number = next(self._numbers)
        pool = Pool(f"{region}_Ab3dEf{number:03d}", [f"client{number:020d}"])
        self.pools[pool.id] = pool
        return pool

    def _pool(self, request: Answer) -> Pool:
        name = request["UserPoolId"]
        if name not in self.pools:
            raise Refused("ResourceNotFoundException", f"User pool {name} does not exist.")
        return self.pools[name]

    def DescribeUserPool(self, request: Answer, caller: Caller) -> Answer:
        pool = self._pool(request)
        return {
            "UserPool": {
                "Id": pool.id,
                "Name": "workforce",
                "EstimatedNumberOfUsers": len(pool.users),
            }
        }

    def ListUserPoolClients(self, request: Answer, caller: Caller) -> Answer:
        pool = self._pool(request)
        clients = [
            {"ClientId": name, "UserPoolId": pool.id, "ClientName": "workers"}
            for name in pool.clients
        ]
        return {"UserPoolClients": clients}

    def CreateGroup(self, request: Answer, caller: Caller) -> Answer:
        pool = self._pool(request)
        name = request["GroupName"]
        if name in pool.groups:
            raise Refused("GroupExistsException", "A group with the name already exists.")
        pool.groups[name] = set()
        return {"Group": {"GroupName": name, "UserPoolId": pool.id}}

    def _group(self, request: Answer) -> set[str]:
        pool = self._pool(request)
        if request["GroupName"] not in pool.groups:
            raise Refused("ResourceNotFoundException", "Group not found.")
        return pool.groups[request["GroupName"]]

    def GetGroup(self, request: Answer, caller: Caller) -> Answer:
        self._group(request)
        return {"Group": {"GroupName": request["GroupName"], "UserPoolId": request["UserPoolId"]}}

    def ListGroups(self, request: Answer, caller: Caller) -> Answer:
        pool = self._pool(request)
        groups = [{"GroupName": name, "UserPoolId": pool.id} for name in sorted(pool.groups)]
        return {"Groups": groups}

    def DeleteGroup(self, request: Answer, caller: Caller) -> Answer:
        self._group(request)
        del self._pool(request).groups[request["GroupName"]]
        return {}

    def AdminCreateUser(self, request: Answer, caller: Caller) -> Answer:
        pool = self._pool(request)
        name = request["Username"]
        attributes = {pair["Name"]: pair.get("Value", "") for pair in request["UserAttributes"]}
        if name in pool.users:
            raise Refused("UsernameExistsException", "User account already exists")
        if "email" not in attributes:
            raise Refused("InvalidParameterException", "The attribute email is required.")
        pool.users[name] = _person(len(pool.users), attributes)
        return {"User": _user(name, pool.users[name])}

    def AdminGetUser(self, request: Answer, caller: Caller) -> Answer:
        pool = self._pool(request)
        if request["Username"] not in pool.users:
            raise Refused("UserNotFoundException", "User does not exist.")
        about = _user(request["Username"], pool.users[request["Username"]])
        return {
            "Username": about["Username"],
            "UserAttributes": about["Attributes"],
            "UserStatus": about["UserStatus"],
        }

    def AdminAddUserToGroup(self, request: Answer, caller: Caller) -> Answer:
        group = self._group(request)
        if request["Username"] not in self._pool(request).users:
            raise Refused("UserNotFoundException", "User does not exist.")
        group.add(request["Username"])
        return {}

    def ListUsersInGroup(self, request: Answer, caller: Caller) -> Answer:
        pool = self._pool(request)
        return {"Users": [_user(name, pool.users[name]) for name in sorted(self._group(request))]}


def _person(number: int, attributes: dict[str, str]) -> dict[str, str]:
    return {"sub": f"6b1f0e21-0000-4000-8000-{number:012d}", **attributes}


def _user(name: str, attributes: dict[str, str]) -> Answer:
    return {
        "Username": name,
        "Attributes": [{"Name": key, "Value": value} for key, value in attributes.items()],
        "Enabled": True,
        "UserStatus": "FORCE_CHANGE_PASSWORD",
    }
