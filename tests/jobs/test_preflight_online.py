"""What AWS knows of a plan: account, names, buckets, the page; every check in every state."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gandt.jobs.plan import JobPlan

sys.path.append(str(Path(__file__).parent))
from preflight_plans import (
    ACCOUNT,
    BUCKET,
    ROLE,
    asked,
    command_in,
    fill_team,
    image_line,
    named,
    one,
    only_problem,
    plan_for,
    plan_tiles,
    shown,
)

if TYPE_CHECKING:
    from aws_fixtures import Aws


@pytest.fixture
def account(aws: Aws) -> Aws:
    """An account that lacks nothing for a job: a bucket, a role, a team of three."""
    aws.bucket(BUCKET)
    fill_team(aws, "ann", "bob", "eve")
    return aws


# ---------------------------------------------------------------------------------------- all well


def test_a_good_account_has_nothing_to_repair(account: Aws) -> None:
    counted: list[tuple[int, int]] = []
    checks = asked(plan_for(), on_progress=lambda done, of: counted.append((done, of)))
    assert [shown(check) for check in checks if check.status != "ok"] == []
    assert [check.name for check in checks] == [
        "credentials",
        "Ground Truth in us-east-1",
        "job name",
        "you may create the job",
        "you may pass the role on",
        "you may upload the files",
        "role",
        "role may read the data",
        "role may list the buckets",
        "role may write the results",
        f"bucket s3://{BUCKET}",
        f"CORS of s3://{BUCKET}",
        "work team labelers",
        "people of labelers",
        "worker page, rendered by AWS",
    ]
    assert counted == [(done, counted[0][1]) for done in range(1, counted[0][1] + 1)]


def test_looking_changes_nothing(account: Aws) -> None:
    asked(plan_for(pre_lambda=None))
    changing = ("Create", "Put", "Update", "Delete", "Add", "Stop")
    assert [c.operation for c in account.log.calls if c.operation.startswith(changing)] == []


def test_a_job_on_texts_needs_no_bucket_for_browsers(account: Aws) -> None:
    plan = plan_for("text-classification", records=[{"source": "a text"}])
    assert named(asked(plan), "CORS…") == []


# -------------------------------------------------------------------------------- who asks, of what


def test_without_credentials_nothing_can_be_asked(account: Aws) -> None:
    account.fail("GetCallerIdentity", "InvalidClientTokenId", "The token is invalid.", status=403)
    first, rest = asked(plan_for())
    assert (first.name, first.status) == ("credentials", "error")
    assert first.fix == (
        "correct them, or the clock of this machine; see whether `aws sts get-caller-identity` "
        "answers"
    )
    assert shown(rest) == (
        "not checked: everything that AWS knows: nothing can be asked without credentials\n"
        "    fix: run it again when the credentials work"
    )


def test_credentials_that_are_missing_come_with_the_command(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gandt.aws._clients", {})
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    check = one(asked(plan_for()), "credentials")
    assert check.status == "error"
    assert check.fix.startswith("run `aws configure`, or set AWS_PROFILE; see whether ")


def test_a_role_of_another_account_cannot_be_passed_on(account: Aws) -> None:
    role = "arn:aws:iam::999999999999:role/GroundTruthRole"
    check = one(asked(plan_for(role=role)), "credentials")
    assert check.status == "error"
    assert f"account {ACCOUNT} and the role to account 999999999999" in check.message


def test_an_account_without_ground_truth_is_told_what_to_do_instead(account: Aws) -> None:
    account.sagemaker.open = False
    check = one(asked(plan_for()), "Ground Truth in us-east-1")
    assert check.status == "error"
    assert (
        "Ground Truth takes no new customers, an account that never used it is refused"
        in check.message
    )
    assert command_in(check.fix) == [
        *("gandt", "label", "round1.manifest", "--labels", "cat,dog,Other")
    ]


@pytest.mark.parametrize(
    "message", ["This service is no longer open to new customers.", "You are not subscribed to it."]
)
def test_a_refusal_may_come_under_any_code(account: Aws, message: str) -> None:
    account.fail("ListLabelingJobs", "ValidationException", message, times=None)
    check = one(asked(plan_for()), "Ground Truth in us-east-1")
    assert "takes no new customers" in check.message


def test_an_identity_that_may_create_but_not_list_goes_on(account: Aws) -> None:
    account.deny("sagemaker:ListLabelingJobs")
    checks = asked(plan_for())
    check = one(checks, "Ground Truth in us-east-1")
    assert check.status == "skipped"
    assert "takes no new customers" in check.fix and "gandt label" in check.fix
    name = one(checks, "job name")
    assert (name.status, name.message) == (
        "skipped",
        "your identity may not call sagemaker:ListLabelingJobs",
    )
    assert "`gandt status`" in name.fix


def test_a_service_that_does_not_answer_is_an_error(account: Aws) -> None:
    account.fail("ListLabelingJobs", "ValidationException", "Something is odd.", times=None)
    check = one(asked(plan_for()), "Ground Truth in us-east-1")
    assert check.status == "error"
    assert "Something is odd" in check.message
    assert "`aws sagemaker list-labeling-jobs --max-results 1 --region us-east-1`" in check.fix


@pytest.mark.parametrize(
    ("there", "wanted", "message", "free"),
    [
        (["round1"], "round1", "round1 is taken", "round1-2"),
        (["Round1"], "round1", "as Round1, and names are compared without case", "round1-2"),
        (["round1", "round1-2", "Round1-3"], "round1", "round1 is taken", "round1-4"),
        (["round1", "Round1-2"], "Round1", "Round1 is taken as round1", "Round1-3"),
        (["a" * 63], "a" * 63, "is taken", "a" * 61 + "-2"),
    ],
)
def test_a_name_that_is_taken_comes_with_one_that_is_free(
    account: Aws, there: list[str], wanted: str, message: str, free: str
) -> None:
    for name in there:
        account.call("sagemaker", "create_labeling_job", **account.image_job(name, ["a", "b"], []))
    check = one(asked(plan_for(name=wanted)), "job name")
    assert check.status == "error"
    assert message in check.message
    assert f"`--name {free}`" in check.fix


def test_a_job_that_an_earlier_try_created_is_no_obstacle(account: Aws) -> None:
    plan = plan_for()
    bucket = account.bucket(BUCKET)
    documents = plan.documents
    assert documents.categories and documents.template
    labels = [{"label": label} for label in plan.settings.labels]
    categories = {"document-version": "2018-11-28", "labels": labels}
    for uri, data in (
        *plan.contents.items(),
        (documents.categories, json.dumps(categories).encode()),
        (documents.template, str(plan.template).encode()),
    ):
        bucket.put(uri.removeprefix(f"s3://{BUCKET}/"), data)
    account.call("sagemaker", "create_labeling_job", **plan.request)
    check = one(asked(plan), "job name")
    assert (check.status, check.message) == (
        "ok",
        "round1 runs already, from an earlier try that was cut off",
    )


# ----------------------------------------------------------------------------------------- buckets


def test_a_bucket_that_does_not_exist_can_be_created_by_hand(aws: Aws) -> None:
    check = one(asked(plan_for(bucket="no-groundtruth")), "bucket s3://no-groundtruth")
    assert (check.status, check.message) == ("error", "does not exist")
    assert command_in(check.fix) == [
        *("aws", "s3api", "create-bucket", "--bucket", "no-groundtruth", "--region", "us-east-1")
    ]


def test_an_image_bucket_that_does_not_exist_is_a_slip_of_the_manifest(account: Aws) -> None:
    checks = asked(plan_for(records=[image_line(1, "no-such")]))
    assert named(checks, "CORS…") == []
    check = one(checks, "bucket s3://no-such")
    assert (check.status, check.fix) == ("error", "correct the references to it in the manifest")


def test_buckets_lie_in_the_region_of_the_job(aws: Aws) -> None:
    aws.bucket(BUCKET, region="eu-west-1")
    check = one(asked(plan_for()), f"bucket s3://{BUCKET}")
    assert (check.status, check.message) == (
        "error",
        "is in eu-west-1 and the job would run in us-east-1",
    )
    assert "`--region eu-west-1`" in check.fix


def test_image_buckets_lie_there_too(account: Aws) -> None:
    account.bucket("zoo-groundtruth", region="eu-central-1")
    plan = plan_for(records=[image_line(1, "zoo-groundtruth")])
    checks = asked(plan)
    assert one(checks, f"bucket s3://{BUCKET}").status == "ok"
    check = one(checks, "bucket s3://zoo-groundtruth")
    assert check.status == "error"
    assert "is in eu-central-1, and the job in us-east-1 cannot read s3://zoo" in check.message
    assert command_in(check.fix, 1) == [
        *("aws", "s3", "sync", "s3://zoo-groundtruth"),
        f"s3://{BUCKET}/groundtruth/from-zoo-groundtruth",
    ]


@pytest.mark.parametrize(("place", "region"), [("EU", "eu-west-1"), ("", "us-east-1")])
def test_the_oldest_names_of_regions_are_understood(
    account: Aws, place: str, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = account.objects.backend.buckets[BUCKET]
    monkeypatch.setattr(backend, "region_name", place)
    plan = plan_for(region="us-east-1")
    check = one(asked(plan), f"bucket s3://{BUCKET}")
    assert region in check.message
    assert check.status == ("ok" if region == "us-east-1" else "error")


def test_a_bucket_that_may_not_be_asked_about_is_skipped(account: Aws) -> None:
    account.s3.fail(status="403 Forbidden", code="AccessDenied", path="location", times=9)
    assert one(asked(plan_for()), f"bucket s3://{BUCKET}").status == "ok"  # HEAD tells it as well
    account.s3.fail(status="403 Forbidden", code="AccessDenied", path="location", times=9)
    account.s3.fail(
        status="403 Forbidden", code="AccessDenied", method="HEAD", path=BUCKET, times=9
    )
    check = one(asked(plan_for()), f"bucket s3://{BUCKET}")
    assert (check.status, check.message) == ("skipped", "your identity may not call s3:HeadBucket")
    assert command_in(check.fix) == ["aws", "s3api", "head-bucket", "--bucket", BUCKET]


# -------------------------------------------------------------------------------------------- CORS


def test_a_bucket_without_cors_shows_no_image(account: Aws) -> None:
    account.bucket(BUCKET, cors=False)
    check = only_problem(plan_for())
    assert (check.name, check.status) == (f"CORS of s3://{BUCKET}", "error")
    words = command_in(check.fix)
    assert words[:4] == ["aws", "s3api", "put-bucket-cors", "--bucket"]
    rules = json.loads(words[-1])["CORSRules"]
    assert [rule["AllowedOrigins"] for rule in rules] == [["*"]]
    assert check.fix.startswith("give --set-cors, or run: ")
    later = one(asked(plan_for(), set_cors=True), f"CORS of s3://{BUCKET}")
    assert (later.status, later.message) == (
        "ok",
        "has no rule for browsers; --set-cors will add it",
    )


def test_a_rule_for_some_origins_may_not_be_enough(account: Aws) -> None:
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.com"]}
    account.call("s3", "put_bucket_cors", Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})
    check = only_problem(plan_for())
    assert check.status == "warning"
    assert check.fix.startswith("give --set-cors, or run (the rule there kept): ")
    rules = json.loads(command_in(check.fix)[-1])["CORSRules"]
    assert [rule["AllowedOrigins"] for rule in rules] == [["https://example.com"], ["*"]]


def test_cors_that_may_not_be_read_is_skipped(account: Aws) -> None:
    account.s3.fail(status="403 Forbidden", code="AccessDenied", path="cors", times=9)
    check = one(asked(plan_for()), f"CORS of s3://{BUCKET}")
    assert check.status == "skipped"
    assert command_in(check.fix) == ["aws", "s3api", "get-bucket-cors", "--bucket", BUCKET]


# -------------------------------------------------------------------------------------------- page


@pytest.mark.parametrize("plan", [plan_for, plan_tiles], ids=["built-in", "ours"])
def test_aws_renders_the_page_with_the_first_line(
    account: Aws, plan: Callable[..., JobPlan]
) -> None:
    assert one(asked(plan()), "worker page, rendered by AWS").status == "ok"
    request = account.log.named("RenderUiTemplate")[0].request
    assert request["RoleArn"] == ROLE
    assert f"s3://{BUCKET}/groundtruth/images/00" in request["Task"]["Input"]


def test_what_aws_cannot_render_is_an_error(account: Aws) -> None:
    plan = plan_for(page="<p>{{ task.input.taskObject }}</p>")
    found = named(asked(plan), "worker page, rendered by AWS")
    assert {check.status for check in found} == {"error"}
    assert any("has no crowd-form" in check.message for check in found)


def test_a_page_that_may_not_be_rendered_is_skipped(account: Aws) -> None:
    account.deny("sagemaker:RenderUiTemplate")
    check = only_problem(plan_tiles())
    assert check.status == "skipped"
    assert command_in(check.fix) == [
        *("gandt", "template", "render", "tiles", "--manifest", "round1.manifest")
    ]
    long = {"source": "x" * 130_000}
    account.server.denied.clear()
    check = one(
        asked(plan_for("text-classification", records=[long])), "worker page, rendered by AWS"
    )
    assert (check.status, check.message) == (
        "skipped",
        "the first task is longer than RenderUiTemplate takes",
    )


def test_pages_of_aws_are_not_rendered(account: Aws) -> None:
    plan = plan_for("text-spans", records=[{"source": "a text"}])
    assert named(asked(plan), "worker page…") == []


# ----------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("role", ["nonsense", "arn:", "arn:aws:iam::x:role"])
def test_arns_that_are_none_make_no_check_raise(account: Aws, role: str) -> None:
    checks = asked(plan_tiles(role=role, pre_lambda="arn:aws:lambda", kms_key="arn:aws:kms"))
    assert [check.name for check in checks if check.status == "error"] != []


def test_no_failure_of_aws_makes_a_check_raise(account: Aws) -> None:
    key = account.kms.add()
    pre = account.lambdas.add("gandt-PreLabelingFunction")
    plans = [plan_for(kms_key=key), plan_tiles(pre_lambda=pre)]
    operations = [
        *("ListLabelingJobs", "DescribeLabelingJob", "GetRole", "SimulatePrincipalPolicy"),
        *("DescribeWorkteam", "ListUsersInGroup", "GetFunctionConfiguration", "DescribeKey"),
        *("RenderUiTemplate",),
    ]
    for operation in operations:
        account.fail(operation, "ValidationException", "injected", times=None)
    account.s3.fail(status="400 Bad Request", code="InvalidRequest", times=99)
    account.s3.fail(status="400 Bad Request", code="InvalidRequest", method="HEAD", times=99)
    for plan in plans:
        checks = asked(plan)
        statuses = {check.name: check.status for check in checks}
        assert statuses.pop("credentials") == "ok"
        assert statuses.pop("Ground Truth in us-east-1") == "error"
        assert set(statuses.values()) == {"skipped"}, statuses
        assert len(statuses) >= 8
