"""The parts of an AWS account that a labeling job leans on: roles, functions, keys.

IAM, STS, Lambda and KMS as far as a preflight asks them. Roles are as open as
their policies say; the account's tests add, bar and remove things by the methods in small letters.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from aws_objects import ACCOUNT
from aws_server import Answer, Caller
from aws_shapes import Refused

BORN = datetime(2024, 3, 1, 8, 0, tzinfo=timezone.utc)
MANAGED = "arn:aws:iam::aws:policy/AmazonSageMakerGroundTruthExecution"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
_MANAGED_NAMES = re.compile("Ground[Tt]ruth|groundtruth|SageMaker|[Ss]agemaker")
_INVOKED = re.compile("GtRecipe|SageMaker|Sagemaker|sagemaker|LabelingFunction")
Handler = Callable[[Any, Any], Any]


@dataclass
class Role:
    """A role; what it may do is everything but what `bar` took away.

    A `narrow` one has the managed policy alone: on S3 that covers only what has its name for it.
    """

    name: str
    trust: dict[str, Any] = field(default_factory=lambda: TRUST)
    policies: list[str] = field(default_factory=lambda: [MANAGED])
    barred: list[tuple[str, str]] = field(default_factory=list)
    narrow: bool = False

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role/{self.name}"

    def bar(self, action: str, resource: str = "*") -> Role:
        """Take a permission away: patterns of an action and of resources' ARNs."""
        self.barred.append((action, resource))
        return self

    def allows(self, action: str, resource: str) -> bool:
        if self.narrow and action.startswith("s3:") and not _MANAGED_NAMES.search(resource):
            return False
        return not any(
            fnmatch.fnmatchcase(action.lower(), pattern.lower())
            and fnmatch.fnmatchcase(resource, where)
            for pattern, where in self.barred
        )


class Iam:
    """Roles and users, and the simulator of policies."""

    def __init__(self) -> None:
        self.roles: dict[str, Role] = {}
        self.user = Role("testing")
        self.caller = self.user  # what it may do is what the caller may do
        self.role("GroundTruthRole")

    def role(self, name: str, **more: Any) -> Role:
        """Get a role by its name, or add it."""
        if name not in self.roles or more:
            self.roles[name] = Role(name, **more)
        return self.roles[name]

    def assumed(self, arn: str) -> Role | None:
        """Find the role that SageMaker can assume by its ARN; None where it cannot."""
        for role in self.roles.values():
            if role.arn == arn and "sagemaker.amazonaws.com" in json.dumps(role.trust):
                return role
        return None

    def _role(self, name: str) -> Role:
        if name not in self.roles:
            raise Refused("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
        return self.roles[name]

    def GetRole(self, request: Answer, caller: Caller) -> Answer:
        role = self._role(request["RoleName"])
        about = {
            "Path": "/",
            "RoleName": role.name,
            "RoleId": "AROAEXAMPLEEXAMPLE01",
            "Arn": role.arn,
            "CreateDate": BORN,
            "AssumeRolePolicyDocument": quote(json.dumps(role.trust)),
            "MaxSessionDuration": 3600,
        }
        return {"Role": about}

    def ListAttachedRolePolicies(self, request: Answer, caller: Caller) -> Answer:
        policies = self._role(request["RoleName"]).policies
        attached = [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in policies]
        return {"AttachedPolicies": attached, "IsTruncated": False}

    def ListRolePolicies(self, request: Answer, caller: Caller) -> Answer:
        self._role(request["RoleName"])
        return {"PolicyNames": [], "IsTruncated": False}

    def SimulatePrincipalPolicy(self, request: Answer, caller: Caller) -> Answer:
        source = request["PolicySourceArn"]
        if not re.fullmatch(r"arn:aws:iam::\d{12}:(role|user|group)/.+", source):
            raise Refused("InvalidInput", f"Invalid Entity Arn: {source}", 400)
        name = source.rpartition("/")[2]
        who = self.user if ":user/" in source and name == self.user.name else self._role(name)
        results = [
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": "allowed" if who.allows(action, resource) else "implicitDeny",
                "MatchedStatements": [],
                "MissingContextValues": [],
            }
            for action in request["ActionNames"]
            for resource in request.get("ResourceArns", ["*"])
        ]
        return {"EvaluationResults": results, "IsTruncated": False}


class Sts:
    """Who the caller is: a user, unless `identity` is another ARN, as that of an assumed role."""

    def __init__(self, iam: Iam) -> None:
        self.iam = iam
        self.identity = f"arn:aws:iam::{ACCOUNT}:user/testing"

    def assume(self, role: str, session: str = "session") -> None:
        """Make the caller somebody who has assumed a role, which is made if need be."""
        self.iam.caller = self.iam.role(role)
        self.identity = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"

    def GetCallerIdentity(self, request: Answer, caller: Caller) -> Answer:
        return {"UserId": "AIDAEXAMPLEEXAMPLE01", "Account": ACCOUNT, "Arn": self.identity}


@dataclass
class Function:
    """A Lambda function of the account."""

    name: str
    region: str
    timeout: int
    handler: Handler | None
    role: str
    events: list[Any] = field(default_factory=list)  # what it was invoked with

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{self.name}"


class NotInvoked(Exception):
    """A function gave no answer."""


class Lambda:
    """Functions; those named as our own are our handlers."""

    def __init__(self) -> None:
        self.functions: dict[str, Function] = {}

    def add(
        self,
        name: str,
        *,
        region: str = "us-east-1",
        timeout: int = 30,
        handler: Handler | None = None,
        role: str = f"arn:aws:iam::{ACCOUNT}:role/service-role/lambda",
    ) -> str:
        """Deploy a function and return its ARN; `…PreLabelingFunction` and
        `…PostLabelingFunction` are ours, unless a handler is given."""
        from gandt.serving.lambdas import post_annotation, pre_annotation

        if handler is None and name.endswith("PreLabelingFunction"):
            handler = pre_annotation.handler
        elif handler is None and name.endswith("PostLabelingFunction"):
            handler = post_annotation.handler
        function = Function(name, region, timeout, handler, role)
        self.functions[function.arn] = function
        return function.arn

    def find(self, name: str, region: str) -> Function | None:
        if not name.startswith("arn:"):
            name = f"arn:aws:lambda:{region}:{ACCOUNT}:function:{name}"
        return self.functions.get(name)

    def invoke(self, arn: str, region: str, role: Role, event: dict[str, Any]) -> Any:
        """Invoke a function as a labeling job does; the event and the answer are JSON.

        Raises
        ------
        NotInvoked
            With the reason, where there is no answer.
        """
        function = self.find(arn, region)
        if function is None or function.handler is None:
            raise NotInvoked(f"the Lambda function {arn} does not exist")
        covered = role.policies != [MANAGED] or _INVOKED.search(function.name)
        if not covered or not role.allows("lambda:InvokeFunction", arn):
            raise NotInvoked(f"AccessDenied: the role {role.name} may not invoke {arn}")
        event = json.loads(json.dumps(event))
        function.events.append(event)
        try:
            return json.loads(json.dumps(function.handler(event, None)))
        except Exception as error:
            raise NotInvoked(f"the Lambda function {function.name} failed: {error!r}") from error

    def _configuration(self, request: Answer, caller: Caller) -> Answer:
        found = self.find(request["FunctionName"], caller.region)
        if found is None or found.region != caller.region:
            raise Refused(
                "ResourceNotFoundException",
                f"Function not found: {request['FunctionName']}",
                404,
            )
        return {
            "FunctionName": found.name,
            "FunctionArn": found.arn,
            "Runtime": "python3.12",
            "Role": found.role,
            "Handler": "handler.handler",
            "Timeout": found.timeout,
            "MemorySize": 512,
            "State": "Active",
        }

    def GetFunctionConfiguration(self, request: Answer, caller: Caller) -> Answer:
        return self._configuration(request, caller)

    def GetFunction(self, request: Answer, caller: Caller) -> Answer:
        return {"Configuration": self._configuration(request, caller)}


class Kms:
    """Keys."""

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}  # ARN to state
        self.aliases: dict[str, str] = {}

    def add(
        self, *, region: str = "us-east-1", state: str = "Enabled", alias: str | None = None
    ) -> str:
        number = f"1234abcd-12ab-34cd-56ef-{len(self.keys):012d}"
        arn = f"arn:aws:kms:{region}:{ACCOUNT}:key/{number}"
        self.keys[arn] = state
        if alias is not None:
            self.aliases[f"alias/{alias}"] = arn
        return arn

    def DescribeKey(self, request: Answer, caller: Caller) -> Answer:
        wanted = request["KeyId"]
        base = f"arn:aws:kms:{caller.region}:{ACCOUNT}:"
        alias = wanted.removeprefix(base)
        arn = self.aliases.get(alias, wanted)
        arn = arn if arn.startswith("arn:") else f"{base}key/{arn}"
        if arn not in self.keys or f":kms:{caller.region}:" not in arn:
            raise Refused("NotFoundException", f"Key '{arn}' does not exist")
        state = self.keys[arn]
        about = {
            "AWSAccountId": ACCOUNT,
            "KeyId": arn.rpartition("/")[2],
            "Arn": arn,
            "CreationDate": BORN,
            "Enabled": state == "Enabled",
            "KeyState": state,
            "KeyUsage": "ENCRYPT_DECRYPT",
            "KeyManager": "CUSTOMER",
        }
        return {"KeyMetadata": about}
