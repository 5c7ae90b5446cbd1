"""The stand-in for AWS: it speaks as AWS does, and refuses what AWS would refuse."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from simulated_workers import Misbehavior, crew

from gandt.aws import AwsError

if TYPE_CHECKING:
    from aws_fixtures import Aws

GOOD = Misbehavior.none()
Ask = Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]]]


def test_what_it_does_not_know_is_an_unknown_operation(ask: Ask) -> None:
    for operation in ("CreateModel", "NoSuchThing", "start", "jobs"):
        status, answer = ask(operation, {})
        assert (status, answer["__type"]) == (400, "UnknownOperationException")


def test_names_are_compared_without_case(
    aws: Aws,
    create: Callable[..., str],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    create("Round-1")
    with pytest.raises(AwsError, match="already in use") as caught:
        aws.call("sagemaker", "create_labeling_job", **request_of("ROUND-1"))
    assert caught.value.code == "ResourceInUse"
    assert aws.describe("rOUND-1")["LabelingJobName"] == "Round-1"


def test_more_tasks_at_once_than_the_account_may_have_are_a_limit(
    aws: Aws, request_of: Callable[..., dict[str, Any]]
) -> None:
    with pytest.raises(AwsError, match="ask AWS Support") as caught:
        aws.call("sagemaker", "create_labeling_job", **request_of(MaxConcurrentTaskCount=1001))
    assert caught.value.code == "ResourceLimitExceeded"


def test_an_account_without_ground_truth_is_denied(aws: Aws, create: Callable[..., str]) -> None:
    aws.sagemaker.open = False
    with pytest.raises(AwsError) as caught:
        create()
    assert caught.value.denied
    with pytest.raises(AwsError) as caught:
        aws.call("sagemaker", "list_labeling_jobs")
    assert caught.value.denied


def test_a_job_goes_through_its_states(aws: Aws, create: Callable[..., str]) -> None:
    create()
    first = aws.describe("Round-1")
    assert first["LabelingJobStatus"] == "Initializing"
    assert "LabelingJobOutput" not in first
    assert aws.describe("Round-1")["LabelingJobStatus"] == "InProgress"
    aws.sagemaker.work("Round-1", objects=3, misbehavior=GOOD)
    midway = aws.describe("Round-1")
    assert midway["LabelingJobStatus"] == "InProgress"
    assert midway["LabelCounters"] == {
        "TotalLabeled": 3,
        "HumanLabeled": 3,
        "MachineLabeled": 0,
        "FailedNonRetryableError": 0,
        "Unlabeled": 1,
    }
    aws.sagemaker.work("Round-1", misbehavior=GOOD)
    last = aws.describe("Round-1")
    assert last["LabelingJobStatus"] == "Completed"
    assert last["LabelCounters"]["Unlabeled"] == 0
    uri = last["LabelingJobOutput"]["OutputDatasetS3Uri"]
    assert uri.endswith("/output/Round-1/manifests/output/output.manifest")
    assert aws.objects.get(uri)
    assert last["LastModifiedTime"] >= last["CreationTime"]


def test_a_job_stops_in_two_steps_and_keeps_what_it_has(
    aws: Aws, create: Callable[..., str]
) -> None:
    create()
    job = aws.sagemaker.work("Round-1", objects=1, misbehavior=GOOD)
    aws.call("sagemaker", "stop_labeling_job", LabelingJobName="Round-1")
    assert [aws.describe("Round-1")["LabelingJobStatus"] for _ in range(2)] == [
        "Stopping",
        "Stopped",
    ]
    lines = (aws.objects.get(f"{job.root}/manifests/output/output.manifest") or b"").splitlines()
    assert [b"label-metadata" in line for line in lines].count(True) == 1
    assert len(lines) == 4
    with pytest.raises(AwsError, match="cannot be stopped"):
        aws.call("sagemaker", "stop_labeling_job", LabelingJobName="Round-1")


@pytest.mark.parametrize("operation", ["describe_labeling_job", "stop_labeling_job"])
def test_a_job_that_is_not_there_is_missing(aws: Aws, operation: str) -> None:
    with pytest.raises(AwsError) as caught:
        aws.call("sagemaker", operation, LabelingJobName="nobody")
    assert caught.value.code == "ResourceNotFound"
    assert caught.value.missing


def names(answer: dict[str, Any]) -> list[str]:
    return [job["LabelingJobName"] for job in answer["LabelingJobSummaryList"]]


def test_jobs_are_listed_in_pages(aws: Aws, create: Callable[..., str]) -> None:
    made = [create(f"Job-{n}", images=1) for n in range(7)]
    pages = []
    more: dict[str, Any] = {}
    while True:
        page = aws.call("sagemaker", "list_labeling_jobs", MaxResults=3, **more)
        pages.append(names(page))
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(name for page in pages for name in page) == made
    with pytest.raises(AwsError, match="NextToken"):
        aws.call("sagemaker", "list_labeling_jobs", NextToken="nonsense")


def test_jobs_are_listed_by_name_state_and_time(aws: Aws, create: Callable[..., str]) -> None:
    for name in ("cats-1", "Dogs-1", "cats-2"):
        create(name, images=1)
        time.sleep(0.002)
    aws.sagemaker.work("cats-1", misbehavior=GOOD)

    def listed(**wanted: Any) -> list[str]:
        return names(aws.call("sagemaker", "list_labeling_jobs", **wanted))

    assert listed() == ["cats-1", "Dogs-1", "cats-2"]
    assert listed(SortOrder="Descending") == ["cats-2", "Dogs-1", "cats-1"]
    assert listed(SortBy="Name") == ["cats-1", "cats-2", "Dogs-1"]
    assert listed(NameContains="cats") == ["cats-1", "cats-2"]
    assert listed(StatusEquals="Completed") == ["cats-1"]
    hour = timedelta(hours=1)
    now = datetime.now(timezone.utc)
    assert listed(CreationTimeAfter=now - hour, CreationTimeBefore=now + hour) == listed()
    assert listed(CreationTimeAfter=now + hour) == []
    first = aws.sagemaker.job("cats-1").created
    assert listed(CreationTimeAfter=first + timedelta(milliseconds=1))[0] == "Dogs-1"


def test_jobs_of_another_region_are_elsewhere(aws: Aws, create: Callable[..., str]) -> None:
    from gandt.aws import call

    create()
    assert names(call("sagemaker", "list_labeling_jobs", "eu-west-1")) == []


def test_work_in_the_background_can_be_watched(aws: Aws, create: Callable[..., str]) -> None:
    create(images=20)
    job = aws.sagemaker.work("Round-1", over=1.0, misbehavior=GOOD)
    seen = set()
    while (found := aws.describe("Round-1"))["LabelingJobStatus"] == "InProgress":
        seen.add(found["LabelCounters"]["TotalLabeled"])
        time.sleep(0.02)
    job.join()
    assert len(seen) > 3
    assert aws.describe("Round-1")["LabelCounters"]["TotalLabeled"] == 20


def test_work_in_the_background_can_be_stopped(aws: Aws, create: Callable[..., str]) -> None:
    create(images=20)
    job = aws.sagemaker.work("Round-1", over=4.0, steps=20, misbehavior=GOOD)
    aws.call("sagemaker", "stop_labeling_job", LabelingJobName="Round-1")
    job.join()
    found = aws.describe("Round-1")
    assert found["LabelingJobStatus"] == "Stopped"
    assert found["LabelCounters"]["Unlabeled"] > 10


def test_a_call_fails_as_often_as_it_is_told_to(aws: Aws, create: Callable[..., str]) -> None:
    create()
    aws.fail("DescribeLabelingJob", "ThrottlingException", "Rate exceeded", times=2)
    assert aws.describe("Round-1")["LabelingJobName"] == "Round-1"  # boto3 tries again
    asked = aws.log.named("DescribeLabelingJob")
    assert [call.error for call in asked] == ["ThrottlingException", "ThrottlingException", None]
    assert asked[0].request == {"LabelingJobName": "Round-1"}
    aws.fail("DescribeLabelingJob", "AccessDeniedException", "no", times=None)
    for _ in range(2):
        with pytest.raises(AwsError) as caught:
            aws.describe("Round-1")
        assert caught.value.denied


def test_a_denied_action_is_refused_in_the_words_of_its_service(aws: Aws) -> None:
    aws.deny("iam:GetRole", "lambda:*", "sagemaker:ListWorkteams")
    for service, operation, more in (
        ("iam", "get_role", {"RoleName": "GroundTruthRole"}),
        ("lambda", "get_function_configuration", {"FunctionName": "f"}),
        ("sagemaker", "list_workteams", {}),
    ):
        with pytest.raises(AwsError, match="not authorized") as caught:
            aws.call(service, operation, **more)
        assert caught.value.denied


def test_the_caller_is_a_user_or_has_assumed_a_role(aws: Aws) -> None:
    identity = aws.call("sts", "get_caller_identity")
    assert identity["Account"] == aws.account
    assert identity["Arn"].endswith(":user/testing")
    aws.sts.assume("Admin", "jane")
    arn = "arn:aws:sts::123456789012:assumed-role/Admin/jane"
    assert aws.call("sts", "get_caller_identity")["Arn"] == arn


def test_a_role_shows_its_trust_and_its_policies(aws: Aws) -> None:
    role = aws.call("iam", "get_role", RoleName="GroundTruthRole")["Role"]
    assert role["Arn"] == aws.role
    statement = role["AssumeRolePolicyDocument"]["Statement"][0]  # boto3 decodes the URL encoding
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    found = aws.call("iam", "list_attached_role_policies", RoleName="GroundTruthRole")
    named = [policy["PolicyName"] for policy in found["AttachedPolicies"]]
    assert named == ["AmazonSageMakerGroundTruthExecution"]
    with pytest.raises(AwsError) as caught:
        aws.call("iam", "get_role", RoleName="Nobody")
    assert caught.value.missing


def test_the_simulator_of_policies_answers_for_each_action_and_resource(aws: Aws) -> None:
    aws.iam.role("GroundTruthRole").bar("s3:Put*", "arn:aws:s3:::closed/*")
    asked = {
        "ActionNames": ["s3:GetObject", "s3:PutObject"],
        "ResourceArns": ["arn:aws:s3:::open/a", "arn:aws:s3:::closed/a"],
        "ContextEntries": [
            {
                "ContextKeyName": "iam:PassedToService",
                "ContextKeyType": "string",
                "ContextKeyValues": ["sagemaker.amazonaws.com"],
            }
        ],
    }
    answer = aws.call("iam", "simulate_principal_policy", PolicySourceArn=aws.role, **asked)
    decisions = {
        (result["EvalActionName"], result["EvalResourceName"]): result["EvalDecision"]
        for result in answer["EvaluationResults"]
    }
    assert decisions == {
        ("s3:GetObject", "arn:aws:s3:::open/a"): "allowed",
        ("s3:GetObject", "arn:aws:s3:::closed/a"): "allowed",
        ("s3:PutObject", "arn:aws:s3:::open/a"): "allowed",
        ("s3:PutObject", "arn:aws:s3:::closed/a"): "implicitDeny",
    }
    seen = aws.log.named("SimulatePrincipalPolicy")[0].request
    assert seen["ContextEntries"] == asked["ContextEntries"]
    session = "arn:aws:sts::123456789012:assumed-role/GroundTruthRole/jane"
    with pytest.raises(AwsError, match="Invalid Entity Arn"):
        aws.call("iam", "simulate_principal_policy", PolicySourceArn=session, **asked)


def test_functions_and_keys_are_found_in_their_region(aws: Aws) -> None:
    from gandt.aws import call

    arn = aws.lambdas.add("gandt-PreLabelingFunction", timeout=3)
    found = aws.call("lambda", "get_function_configuration", FunctionName=arn)
    assert (found["FunctionArn"], found["Timeout"]) == (arn, 3)
    whole = aws.call("lambda", "get_function", FunctionName="gandt-PreLabelingFunction")
    assert whole["Configuration"]["FunctionArn"] == arn
    key = aws.kms.add(state="Disabled", alias="output")
    for name in (key, "alias/output", key.rpartition("/")[2]):
        about = aws.call("kms", "describe_key", KeyId=name)["KeyMetadata"]
        assert (about["Arn"], about["KeyState"]) == (key, "Disabled")
    for service, operation, more in (
        ("lambda", "get_function", {"FunctionName": arn}),
        ("kms", "describe_key", {"KeyId": key}),
    ):
        with pytest.raises(AwsError) as caught:
            call(service, operation, "eu-west-1", **more)
        assert caught.value.missing


def test_a_page_is_rendered_or_its_errors_are_listed(aws: Aws) -> None:
    def render(template: str) -> dict[str, Any]:
        return aws.call(
            "sagemaker",
            "render_ui_template",
            UiTemplate={"Content": template},
            Task={"Input": json.dumps({"label": '<b>"&', "source-ref": "s3://b/c d.png"})},
            RoleArn=aws.role,
        )

    crowd = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>'
    good = render(
        f"{crowd}<crowd-form>{{{{ task.input.label }}}}"
        "<i a='{{ task.input.label | to_json | escape }}'></i>"
        "{{ task.input.label | escape_once }}{{ task.input.label | skip_autoescape }}"
        "<img src='{{ task.input.source-ref | grant_read_access }}'></crowd-form>"
    )
    page = good["RenderedContent"]
    assert good["Errors"] == []
    assert page.startswith(f"{crowd}<crowd-form>&lt;b&gt;&#34;&amp;<i a='&#34;&lt;b&gt;\\&#34;")
    assert '<b>"&<img' in page
    assert "https://b.s3.amazonaws.com/c d.png?X-Amz-Signature" in page
    for broken in ("{% if %}<crowd-form>", "{{ a | no_such_filter }}", "<p>no form</p>"):
        assert render(broken)["Errors"]


def test_teams_are_founded_by_the_rules(aws: Aws) -> None:
    workforce = aws.call("sagemaker", "describe_workforce", WorkforceName="default")["Workforce"]
    pool = workforce["CognitoConfig"]["UserPool"]
    user = {"UserPoolId": pool, "Username": "a@b.c"}
    with pytest.raises(AwsError, match="email"):
        aws.call("cognito-idp", "admin_create_user", UserAttributes=[], **user)
    email = [{"Name": "email", "Value": "a@b.c"}]
    aws.call("cognito-idp", "admin_create_user", UserAttributes=email, **user)
    member = {
        "UserPool": pool,
        "UserGroup": "two",
        "ClientId": workforce["CognitoConfig"]["ClientId"],
    }
    team = {
        "WorkteamName": "Two",
        "Description": "the second",
        "MemberDefinitions": [{"CognitoMemberDefinition": member}],
    }
    with pytest.raises(AwsError, match="group two does not exist"):
        aws.call("sagemaker", "create_workteam", **team)
    aws.call("cognito-idp", "create_group", UserPoolId=pool, GroupName="two")
    aws.call("cognito-idp", "admin_add_user_to_group", GroupName="two", **user)
    arn = aws.call("sagemaker", "create_workteam", **team)["WorkteamArn"]
    assert arn.endswith(":workteam/private-crowd/two")
    with pytest.raises(AwsError) as caught:
        aws.call("sagemaker", "create_workteam", **team)
    assert caught.value.code == "ResourceInUse"
    found = aws.call("sagemaker", "describe_workteam", WorkteamName="Two")["Workteam"]
    assert found["WorkteamArn"] == arn
    listed = aws.call("sagemaker", "list_workteams", SortBy="Name")["Workteams"]
    assert [entry["WorkteamName"] for entry in listed] == ["Two", "labelers"]
    with pytest.raises(AwsError) as caught:
        aws.call("sagemaker", "describe_workteam", WorkteamName="nobody")
    assert caught.value.missing
    people = aws.call("cognito-idp", "list_users_in_group", UserPoolId=pool, GroupName="two")
    assert [person["Username"] for person in people["Users"]] == ["a@b.c"]


def test_the_same_seed_gives_the_same_answers(aws: Aws, create: Callable[..., str]) -> None:
    contents = []
    for name in ("Round-1", "Round-1"):
        aws.sagemaker._jobs.clear()
        create(name)
        job = aws.sagemaker.work(name, workers=crew(4), seed=3)
        contents.append(
            [[sent.content for sent in job.outcomes[n].submissions] for n in sorted(job.outcomes)]
        )
    assert contents[0] == contents[1]
