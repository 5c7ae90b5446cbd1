"""Whether team, functions and keys of a job exist and do; every check in every state."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gandt.jobs.plan import JobPlan

sys.path.append(str(Path(__file__).parent))
from preflight_plans import (
    ACCOUNT,
    BUCKET,
    asked,
    command_in,
    fill_team,
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


def test_a_team_that_does_not_exist_can_be_created(account: Aws) -> None:
    check = only_problem(plan_for(workteam="nobody"))
    assert (check.name, check.status) == ("work team nobody", "error")
    assert command_in(check.fix, 1)[:4] == ["gandt", "teams", "create", "nobody"]


def test_teams_lie_in_the_region_of_the_job(account: Aws) -> None:
    plan = plan_for()
    arn = f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:workteam/private-crowd/labelers"
    moved = replace(plan, names=replace(plan.names, workteam=arn))
    check = only_problem(moved)
    assert (check.status, check.message) == (
        "error",
        "is in eu-west-1 and the job would run in us-east-1",
    )


def test_a_team_of_another_account_is_not_the_one_of_this_name(account: Aws) -> None:
    arn = "arn:aws:sagemaker:us-east-1:999999999999:workteam/private-crowd/labelers"
    check = only_problem(plan_for(workteam=arn))
    assert (check.status, check.fix) == ("error", f"give `--workteam {account.team}`")


@pytest.mark.parametrize(
    ("people", "status", "words"),
    [
        ((), "warning", "nobody is in it yet"),
        (("ann",), "warning", "1 person for 3 answers to an object"),
        (("ann", "bob"), "warning", "2 people for 3 answers to an object"),
        (("ann", "bob", "eve"), "ok", "3 people"),
    ],
)
def test_a_team_has_as_many_people_as_answers_are_wanted(
    account: Aws, people: tuple[str, ...], status: str, words: str
) -> None:
    fill_team(account, *people)
    check = one(asked(plan_for()), "people of labelers")
    assert check.status == status
    assert words in check.message
    if len(people) == 1:
        assert "`--workers 1`" in check.fix


def test_people_that_cannot_be_counted_are_skipped(account: Aws) -> None:
    account.deny("cognito-idp:ListUsersInGroup")
    check = only_problem(plan_for())
    assert (check.name, check.status) == ("people of labelers", "skipped")
    assert check.message == "your identity may not call cognito-idp:ListUsersInGroup"
    account.server.denied.clear()
    account.sagemaker.add_workforce(oidc=True)
    account.sagemaker.add_team("labelers")
    check = only_problem(plan_for())
    assert (check.name, check.status) == ("people of labelers", "skipped")
    assert check.fix == "see that its groups hold 3 people at least"


def test_a_team_that_may_not_be_asked_about_is_skipped(account: Aws) -> None:
    account.deny("sagemaker:DescribeWorkteam")
    check = only_problem(plan_for())
    assert (check.name, check.status) == ("work team labelers", "skipped")


def test_the_public_team_is_there_always(account: Aws) -> None:
    plan = plan_for(workteam="public", price="0.036", no_personal_data=True)
    assert one(asked(plan), "work team default").message == "Mechanical Turk"


def test_functions_exist_where_the_job_runs_and_have_time(account: Aws) -> None:
    pre = account.lambdas.add("gandt-PreLabelingFunction", timeout=30)
    post = account.lambdas.add("gandt-PostLabelingFunction", timeout=3)
    check = only_problem(plan_tiles(pre_lambda=pre, post_lambda=post))
    assert check.name == "--post-lambda gandt-PostLabelingFunction"
    assert (check.status, check.message) == (
        "warning",
        "is stopped after 3 seconds, and what it works on then fails",
    )
    assert command_in(check.fix)[:5] == [
        *("aws", "lambda", "update-function-configuration"),
        *("--function-name", "gandt-PostLabelingFunction"),
    ]
    check = only_problem(plan_tiles(pre_lambda="sagemaker-none"))
    assert check.status == "error"
    assert check.message == f"does not exist in us-east-1 of account {ACCOUNT}"
    account.deny("lambda:GetFunctionConfiguration")
    check = only_problem(plan_tiles(pre_lambda=pre))
    assert check.status == "skipped"
    assert command_in(check.fix)[:3] == ["aws", "lambda", "get-function-configuration"]


def test_functions_elsewhere_cannot_be_called(account: Aws) -> None:
    arn = account.lambdas.add("sagemaker-pre", region="eu-west-1")
    check = one(asked(plan_tiles(pre_lambda=arn)), "--pre-lambda sagemaker-pre")
    assert check.status == "error"
    assert check.fix == "deploy it in us-east-1 and give --pre-lambda its ARN there"


def test_a_function_that_failed_to_start_is_an_error(account: Aws) -> None:
    arn = account.lambdas.add("sagemaker-pre")
    configured = account.lambdas.GetFunctionConfiguration

    def failed(request: dict[str, Any], caller: Any) -> dict[str, Any]:
        return {
            **configured(request, caller),
            "State": "Failed",
            "StateReason": "The image was deleted.",
        }

    account.lambdas.GetFunctionConfiguration = failed  # type: ignore[method-assign]
    check = only_problem(plan_tiles(pre_lambda=arn))
    assert (check.status, check.message) == ("error", "cannot run: The image was deleted")


@pytest.mark.parametrize("option", ["--kms-key", "--volume-kms-key"])
def test_keys_exist_and_are_enabled(account: Aws, option: str) -> None:
    def plan(key: str) -> JobPlan:
        if option == "--kms-key":
            return plan_for(kms_key=key)
        return plan_for(automated=True, volume_kms_key=key)

    name = f"key of {option}"
    assert one(asked(plan(account.kms.add())), name).status == "ok"
    account.kms.add(alias="labels")
    assert one(asked(plan("alias/labels")), name).status == "ok"
    check = one(asked(plan("alias/none")), name)
    assert (check.status, check.message) == ("error", "alias/none does not exist in us-east-1")
    check = one(asked(plan(account.kms.add(state="Disabled"))), name)
    assert check.status == "error"
    assert command_in(check.fix)[:3] == ["aws", "kms", "enable-key"]
    check = one(asked(plan(account.kms.add(state="PendingDeletion"))), name)
    assert command_in(check.fix)[:3] == ["aws", "kms", "cancel-key-deletion"]
    check = one(asked(plan(account.kms.add(region="eu-west-1"))), name)
    assert check.fix == f"give {option} a key of us-east-1"
    account.deny("kms:DescribeKey")
    check = one(asked(plan("alias/labels")), name)
    assert (check.status, command_in(check.fix)[:3]) == ("skipped", ["aws", "kms", "describe-key"])


def test_a_key_for_signing_does_not_encrypt(account: Aws) -> None:
    key = account.kms.add()
    described = account.kms.DescribeKey

    def signing(request: dict[str, Any], caller: Any) -> dict[str, Any]:
        answer = described(request, caller)
        answer["KeyMetadata"]["KeyUsage"] = "SIGN_VERIFY"
        return answer

    account.kms.DescribeKey = signing  # type: ignore[method-assign]
    check = only_problem(plan_for(kms_key=key))
    assert (check.status, check.fix) == (
        "error",
        "give --kms-key a symmetric key for encryption",
    )
