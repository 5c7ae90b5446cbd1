"""Whether the role and the caller may do what a job needs; every check in every state."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.append(str(Path(__file__).parent))
from preflight_plans import (
    ACCOUNT,
    BUCKET,
    ROLE,
    asked,
    command_in,
    fill_team,
    named,
    one,
    only_problem,
    plan_for,
    plan_tiles,
)

if TYPE_CHECKING:
    from aws_fixtures import Aws


@pytest.fixture
def account(aws: Aws) -> Aws:
    """An account that lacks nothing for a job: a bucket, a role, a team of three."""
    aws.bucket(BUCKET)
    fill_team(aws, "ann", "bob", "eve")
    return aws


# -------------------------------------------------------------------------------------------- role


def test_a_role_that_does_not_exist_can_be_created_by_hand(account: Aws) -> None:
    checks = asked(plan_for(role=f"arn:aws:iam::{ACCOUNT}:role/NoRole"))
    assert named(checks, "role may…") == []
    check = one(checks, "role")
    assert (check.status, check.message) == (
        "error",
        f"arn:aws:iam::{ACCOUNT}:role/NoRole does not exist",
    )
    create, attach = command_in(check.fix), command_in(check.fix, 1)
    assert create[:5] == ["aws", "iam", "create-role", "--role-name", "NoRole"]
    trust = json.loads(create[-1])["Statement"]
    assert trust[0]["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert attach[-1] == "arn:aws:iam::aws:policy/AmazonSageMakerGroundTruthExecution"


def test_a_role_with_a_path_is_named_with_it(account: Aws) -> None:
    check = one(asked(plan_for(role=f"arn:aws:iam::{ACCOUNT}:role/a/GroundTruthRole")), "role")
    assert (check.status, check.fix) == ("error", f"give `--role {ROLE}`")


LAMBDA = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}


@pytest.mark.parametrize(
    ("statement", "trusted"),
    [
        ({"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}, True),
        (
            {
                "Principal": {"Service": ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
            },
            True,
        ),
        ({"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:*"}, True),
        ({"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}, False),
        ({"Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}, False),
        ({"Principal": "*", "Action": "sts:AssumeRole"}, False),
        (
            {
                "Effect": "Deny",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            },
            False,
        ),
    ],
)
def test_the_role_trusts_sagemaker(
    account: Aws, statement: dict[str, object], trusted: bool
) -> None:
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
    account.iam.role("GroundTruthRole", trust=policy)
    check = one(asked(plan_for()), "role")
    assert check.status == ("ok" if trusted else "error")
    if not trusted:
        words = command_in(check.fix)
        assert words[:3] == ["aws", "iam", "update-assume-role-policy"]
        statements = json.loads(words[-1])["Statement"]
        assert statements[0] == policy["Statement"][0]  # who is trusted today, stays so
        assert statements[1]["Principal"] == {"Service": "sagemaker.amazonaws.com"}


def test_a_role_that_may_not_be_asked_about_is_skipped(account: Aws) -> None:
    account.deny("iam:*")
    checks = asked(plan_for())
    skipped = {check.name for check in checks if check.status == "skipped"}
    assert skipped == {
        *("role", "role may read the data", "role may list the buckets"),
        *("role may write the results", "you may create the job"),
    }
    reading = one(checks, "role may read the data")
    assert reading.message == "your identity may not call iam:SimulatePrincipalPolicy"
    assert "GroundTruthRole has s3:GetObject on arn:aws:s3:::" in reading.fix
    assert not [check for check in checks if check.status == "error"]


@pytest.mark.parametrize(
    ("action", "what", "resource"),
    [
        ("s3:GetObject", "role may read the data", f"arn:aws:s3:::{BUCKET}/*"),
        ("s3:ListBucket", "role may list the buckets", f"arn:aws:s3:::{BUCKET}"),
        ("s3:PutObject", "role may write the results", f"arn:aws:s3:::{BUCKET}/*"),
    ],
)
def test_what_the_role_may_not_do_can_be_allowed_by_hand(
    account: Aws, action: str, what: str, resource: str
) -> None:
    account.iam.role("GroundTruthRole").bar(action)
    check = only_problem(plan_for())
    assert (check.name, check.status) == (what, "error")
    assert f"no policy of GroundTruthRole allows {action} on arn:aws:s3:::{BUCKET}" in check.message
    words = command_in(check.fix)
    assert words[:5] == ["aws", "iam", "put-role-policy", "--role-name", "GroundTruthRole"]
    assert words[6] == "gandt-" + what.removeprefix("role may ").replace(" ", "-")
    statement = json.loads(words[-1])["Statement"][0]
    assert statement == {"Effect": "Allow", "Action": [action], "Resource": [resource]}


def test_a_policy_of_the_bucket_may_allow_it_too(account: Aws) -> None:
    account.iam.role("GroundTruthRole").bar("s3:GetObject")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": ROLE},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.call("s3", "put_bucket_policy", Bucket=BUCKET, Policy=policy)
    check = only_problem(plan_for())
    assert check.status == "warning"
    assert check.message.endswith(
        f"the policy of the bucket {BUCKET} may, which was not looked into"
    )


def test_a_policy_that_denies_has_to_be_changed(account: Aws) -> None:
    account.iam.role("GroundTruthRole").bar("s3:PutObject")
    simulate = account.iam.SimulatePrincipalPolicy

    def denying(request: dict[str, Any], caller: Any) -> dict[str, Any]:
        answer = simulate(request, caller)
        for result in answer["EvaluationResults"]:
            if result["EvalDecision"] == "implicitDeny":
                result["EvalDecision"] = "explicitDeny"
        return answer

    account.iam.SimulatePrincipalPolicy = denying  # type: ignore[method-assign]
    check = only_problem(plan_for())
    assert check.status == "error"
    assert check.message.startswith("a policy denies s3:PutObject on arn:aws:s3:::")
    assert check.fix.startswith("take the Deny of s3:PutObject out of the policy that holds it")


def test_results_by_resource_and_in_pages_are_read(account: Aws) -> None:
    """As IAM answers where one action is asked about for several resources."""

    def by_resource(request: dict[str, Any], caller: Any) -> dict[str, Any]:
        resources = request.get("ResourceArns", ["*"])
        second = request.get("Marker") == "2"
        result = {
            "EvalActionName": request["ActionNames"][0],
            "EvalResourceName": "*",
            "EvalDecision": "implicitDeny",
            "ResourceSpecificResults": [
                {
                    "EvalResourceName": arn,
                    "EvalResourceDecision": "implicitDeny"
                    if second and arn.endswith(".manifest")
                    else "allowed",
                }
                for arn in resources
            ],
        }
        more = {} if second else {"Marker": "2"}
        return {"EvaluationResults": [result], "IsTruncated": not second, **more}

    account.iam.SimulatePrincipalPolicy = by_resource  # type: ignore[method-assign]
    check = one(asked(plan_for()), "role may read the data")
    assert check.message.endswith(
        f"allows s3:GetObject on arn:aws:s3:::{BUCKET}/groundtruth/manifests/0123.manifest"
    )


def test_the_role_invokes_functions_uses_keys_and_passes_itself_on(account: Aws) -> None:
    key = account.kms.add()
    pre = account.lambdas.add("gandt-PreLabelingFunction")
    role = account.iam.role("GroundTruthRole")
    role.bar("lambda:InvokeFunction")
    check = only_problem(plan_tiles(pre_lambda=pre))
    assert (check.name, check.status) == ("role may invoke the functions", "error")
    role.barred.clear()
    role.bar("kms:*")
    check = only_problem(plan_for(kms_key=key))
    assert (check.name, check.status) == ("role may use the key", "warning")
    assert "the policy of the key may, which was not looked into" in check.message
    role.barred.clear()
    role.bar("iam:PassRole")
    plan = plan_for(automated=True, volume_kms_key=key)
    check = only_problem(plan)
    assert (check.name, check.status) == (
        "role may pass itself on, for automated labeling",
        "error",
    )


def test_to_whom_the_role_is_passed_is_part_of_the_question(account: Aws) -> None:
    asked(plan_for(automated=True))
    contexts = {
        call.request["PolicySourceArn"]: call.request["ContextEntries"]
        for call in account.log.named("SimulatePrincipalPolicy")
        if call.request["ActionNames"] == ["iam:PassRole"]
    }
    to_sagemaker = [
        {
            "ContextKeyName": "iam:PassedToService",
            "ContextKeyType": "string",
            "ContextKeyValues": ["sagemaker.amazonaws.com"],
        }
    ]
    assert contexts == {ROLE: to_sagemaker, f"arn:aws:iam::{ACCOUNT}:user/testing": to_sagemaker}


# ------------------------------------------------------------------------------------------ caller


def test_the_caller_must_be_able_to_create_the_job(account: Aws) -> None:
    account.iam.user.bar("sagemaker:CreateLabelingJob")
    check = only_problem(plan_for())
    assert (check.name, check.status) == ("you may create the job", "error")
    assert "labeling-job/round1" in check.message
    assert command_in(check.fix)[:5] == [
        *("aws", "iam", "put-user-policy", "--user-name", "testing")
    ]


def test_a_session_has_the_policies_of_its_role(account: Aws) -> None:
    account.iam.role("Admin").bar("iam:PassRole")
    account.sts.assume("Admin")
    check = only_problem(plan_for())
    assert (check.name, check.status) == ("you may pass the role on", "error")
    assert command_in(check.fix)[:5] == ["aws", "iam", "put-role-policy", "--role-name", "Admin"]
    account.deny("iam:GetRole")
    assert one(asked(plan_for()), "you may pass the role on").status == "error"


def test_a_role_of_single_sign_on_is_changed_where_it_is_made(account: Aws) -> None:
    name = "AWSReservedSSO_Labeler_0123456789abcdef"
    account.iam.role(name).bar("sagemaker:CreateLabelingJob")
    account.sts.assume(name, "ann@example.com")
    described = account.iam.GetRole

    def with_path(request: dict[str, Any], caller: Any) -> dict[str, Any]:
        answer = described(request, caller)
        if request["RoleName"] == name:
            answer["Role"]["Arn"] = (
                f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-west-1/{name}"
            )
        return answer

    account.iam.GetRole = with_path  # type: ignore[method-assign]
    check = only_problem(plan_for())
    assert (check.name, check.status) == ("you may create the job", "error")
    assert check.fix.startswith(
        f"have whoever manages single sign-on add to the permission set behind {name}: "
    )
    assert f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:labeling-job/*" in check.fix


def test_root_may_everything_and_a_federated_user_is_not_known(account: Aws) -> None:
    account.sts.identity = f"arn:aws:iam::{ACCOUNT}:root"
    check = one(asked(plan_for()), "you may create the job")
    assert check.status == "ok"
    account.sts.identity = f"arn:aws:sts::{ACCOUNT}:federated-user/ann"
    check = one(asked(plan_for()), "you may create the job")
    assert check.status == "skipped"
    assert "s3:PutObject in s3://" in check.fix
