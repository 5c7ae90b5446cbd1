"""Regions and ARNs: functions, pages and algorithms of AWS, teams and functions of the user."""

from __future__ import annotations

import re

import pytest

from gandt.aws import request_shape
from gandt.errors import JobError, UsageError
from gandt.jobs.regions import (
    ACCOUNTS,
    REGIONS,
    Arn,
    algorithm,
    builtin_lambda,
    human_task_ui,
    own_lambda,
    parse_arn,
    workforce,
    workteam_arn,
)
from gandt.jobs.tasks import TASKS

ACCOUNT = "111122223333"


def documented(*path: str) -> str:
    """The words of the service model about a field of CreateLabelingJob."""
    shape = request_shape("sagemaker", "CreateLabelingJob")
    for name in path:
        shape = shape.members[name]
    return re.sub("<[^>]+>", "", shape.documentation)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("PRE", ("HumanTaskConfig", "PreHumanTaskLambdaArn")),
        (
            "ACS",
            (
                "HumanTaskConfig",
                "AnnotationConsolidationConfig",
                "AnnotationConsolidationLambdaArn",
            ),
        ),
    ],
)
def test_built_in_functions_are_those_that_the_service_model_names(
    kind: str, path: tuple[str, ...]
) -> None:
    named = set(re.findall(r"arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[\w-]+", documented(*path)))
    ours = {
        builtin_lambda(task, region, kind)  # type: ignore[arg-type]
        for task in TASKS.values()
        for region in REGIONS
    }
    assert ours == named
    assert len(ours) == len(TASKS) * 12


def test_pages_of_aws_are_those_that_the_service_model_names() -> None:
    words = documented("HumanTaskConfig", "UiConfig", "HumanTaskUiArn")
    named = set(re.findall(r"394669845002:human-task-ui/(\w+)", words))
    pages = {
        human_task_ui(task, "eu-west-1")
        for task in TASKS.values()
        if task.human_task_ui is not None
    }
    assert pages == {
        f"arn:aws:sagemaker:eu-west-1:394669845002:human-task-ui/{name}" for name in named
    }


def test_algorithms_are_those_that_the_service_model_names() -> None:
    words = documented("LabelingJobAlgorithmsConfig", "LabelingJobAlgorithmSpecificationArn")
    named = set(re.findall(r"027400017018:labeling-job-algorithm-specification/([\w-]+)", words))
    ours = {algorithm(task, "us-west-2") for task in TASKS.values() if task.algorithm is not None}
    assert ours == {
        f"arn:aws:sagemaker:us-west-2:027400017018:labeling-job-algorithm-specification/{name}"
        for name in named
    }


def test_the_account_of_us_west_2_keeps_its_zero() -> None:
    assert ACCOUNTS["us-west-2"] == "081040173940"
    assert all(re.fullmatch(r"\d{12}", account) for account in ACCOUNTS.values())


def test_a_region_without_built_in_functions_is_refused_with_those_that_have_them() -> None:
    with pytest.raises(JobError) as refused:
        builtin_lambda(TASKS["bounding-box"], "eu-north-1", "PRE")
    sentence = str(refused.value)
    assert "bounding-box are not in eu-north-1" in sentence
    assert all(region in sentence for region in REGIONS)
    assert len(REGIONS) == 12


def test_a_task_with_its_own_template_has_no_page_of_aws() -> None:
    with pytest.raises(JobError, match="no page of its own for --task image-classification"):
        human_task_ui(TASKS["image-classification"], "eu-west-1")


def test_automated_labeling_of_several_labels_is_refused() -> None:
    with pytest.raises(JobError, match=r"not offered for --task image-multi-select.*--automated"):
        algorithm(TASKS["image-multi-select"], "eu-west-1")


def test_teams_by_what_people_write() -> None:
    assert workteam_arn("public", "eu-west-1", None) == (
        "arn:aws:sagemaker:eu-west-1:394669845002:workteam/public-crowd/default"
    )
    assert workteam_arn("cat-people", "eu-west-1", ACCOUNT) == (
        "arn:aws:sagemaker:eu-west-1:111122223333:workteam/private-crowd/cat-people"
    )
    vendor = "arn:aws:sagemaker:us-east-1:111122223333:workteam/vendor-crowd/abc123"
    assert workteam_arn(vendor, "us-east-1", None) == vendor


def test_a_teams_name_needs_the_account() -> None:
    with pytest.raises(JobError, match=r"account of 'cat-people' is not known.*--workteam"):
        workteam_arn("cat-people", "eu-west-1", None)


@pytest.mark.parametrize("name", ["cat_people", "-cats", "", "a" * 64, "cät", "private-crowd/cats"])
def test_what_cannot_be_a_team_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--workteam"):
        workteam_arn(name, "eu-west-1", ACCOUNT)


def test_functions_by_name_or_arn() -> None:
    arn = "arn:aws:lambda:us-east-1:444455556666:function:SageMaker-pre:2"
    assert own_lambda(arn, "us-east-1", None) == arn
    assert own_lambda("SageMaker-pre", "us-east-1", ACCOUNT) == (
        "arn:aws:lambda:us-east-1:111122223333:function:SageMaker-pre"
    )
    with pytest.raises(JobError, match="--pre-lambda"):
        own_lambda("SageMaker-pre", "us-east-1", None)
    with pytest.raises(UsageError, match="--pre-lambda"):
        own_lambda("my function", "us-east-1", ACCOUNT)


@pytest.mark.parametrize(
    ("team", "whose"),
    [
        ("public", "public"),
        ("cat-people", "private"),
        ("arn:aws:sagemaker:eu-west-1:394669845002:workteam/public-crowd/default", "public"),
        ("arn:aws:sagemaker:eu-west-1:111122223333:workteam/private-crowd/cats", "private"),
        ("arn:aws:sagemaker:eu-west-1:111122223333:workteam/vendor-crowd/v1", "vendor"),
        ("arn:aws:sagemaker:eu-west-1:111122223333:workteam/private-crowd/", None),
        ("arn:aws:sagemaker:eu-west-1:111122223333:workteam/crowd/cats", None),
        ("arn:aws:sagemaker:eu-west-1:111122223333:labeling-job/cats", None),
        ("arn:broken", None),
    ],
)
def test_whose_people_a_team_is_of(team: str, whose: str | None) -> None:
    assert workforce(team) == whose


def test_an_arn_is_taken_apart_and_put_together() -> None:
    text = "arn:aws:lambda:us-west-2:081040173940:function:PRE-BoundingBox:7"
    arn = parse_arn(text)
    assert arn == Arn("aws", "lambda", "us-west-2", "081040173940", "function:PRE-BoundingBox:7")
    assert str(arn) == text
    role = parse_arn("arn:aws:iam::111122223333:role/service-role/GroundTruth")
    assert (role.region, role.resource) == ("", "role/service-role/GroundTruth")


@pytest.mark.parametrize("text", ["", "cats", "arn:aws:iam", "arn:aws:iam::1:", "ARN:a:b:c:d:e"])
def test_what_is_no_arn_is_refused(text: str) -> None:
    with pytest.raises(JobError, match="is no ARN: write arn:aws:"):
        parse_arn(text)
