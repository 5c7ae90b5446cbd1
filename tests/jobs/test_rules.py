"""Every rule of a request, each broken alone: refused here, in words, before anything is sent."""

from __future__ import annotations

import copy
import inspect
import json
import re
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from gandt.aws import complaints, request_shape
from gandt.cli.launch import launch
from gandt.jobs.plan import Documents
from gandt.jobs.regions import REGIONS
from gandt.jobs.request import build_request, resolve_names
from gandt.jobs.rules.check import allowed_prices, check_labels, check_request
from gandt.jobs.rules.model import FIELDS, option
from gandt.jobs.settings import JobSettings
from gandt.jobs.tasks import TASKS

ACCOUNT = "111122223333"
DOCUMENTS = Documents(
    "s3://my-pool/groundtruth/manifests/a.manifest",
    "s3://my-pool/groundtruth/jobs",
    "s3://my-pool/groundtruth/categories/a.json",
    "s3://my-pool/groundtruth/templates/a.liquid.html",
)
HUMAN = "HumanTaskConfig"
AUTO = "LabelingJobAlgorithmsConfig"
TEAM = f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:workteam"
LAMBDA = "arn:aws:lambda:eu-west-1"
PUBLIC: dict[str, Any] = {"workteam": "public", "price": "0.036", "no_personal_data": True}


def settings(task: str = "image-classification", **more: Any) -> JobSettings:
    usual: dict[str, Any] = {
        "manifest": "round1.manifest",
        "task": task,
        "bucket": "my-pool",
        "role": f"arn:aws:iam::{ACCOUNT}:role/GroundTruth",
        "workteam": "cat-people",
        "labels": ("cat", "dog"),
    }
    if TASKS[task].prior:
        usual["previous_attribute"] = "round0"
    return JobSettings(**(usual | more))


def request(task: str = "image-classification", **more: Any) -> dict[str, Any]:
    made = settings(task, **more)
    names = resolve_names(made, TASKS[task], region="eu-west-1", account=ACCOUNT)
    return build_request(made, TASKS[task], names, DOCUMENTS)


def changed(asked: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one field set, or removed where the value is `...`."""
    asked = copy.deepcopy(asked)
    *above, last = path.split(".")
    inner: Any = asked
    for name in above:
        inner = inner.setdefault(name, {})
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return asked


def only(asked: dict[str, Any], task: str = "image-classification") -> str:
    """The one sentence about a request that breaks one rule."""
    found = check_request(asked, TASKS[task])
    assert len(found) == 1, found
    assert re.fullmatch(r"[A-Z].*: [a-z].*\.", found[0])
    return found[0]


def test_a_usual_request_is_clean() -> None:
    assert check_request(request(), TASKS["image-classification"]) == ()
    assert check_request(request(**PUBLIC), TASKS["image-classification"]) == ()


def test_a_real_request_is_clean() -> None:
    path = Path(__file__).parent / "golden" / "request.public-tiles.json"
    asked = json.loads(path.read_text(encoding="utf-8"))
    assert check_request(asked, TASKS["custom"]) == ()


def test_every_field_names_an_option_that_there_is() -> None:
    known = {field.name for field in fields(JobSettings)}
    options = {f"--{name.replace('_', '-')}" for name in inspect.signature(launch).parameters}
    for path, field in FIELDS.items():
        assert field.setting in known, path
        assert option(field.setting) in options, path


# ---- the model: what boto3 checks, and what it does not


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("RoleArn", ..., "RoleArn is missing: give it (--role)."),
        ("RoleArn", 7, "RoleArn is 7: it must be a text (--role)."),
        ("Rolearn", "x", "Rolearn is unknown to CreateLabelingJob: remove it."),
        (HUMAN, [], "HumanTaskConfig is []: it must be an object."),
        (f"{HUMAN}.TaskTitle", "", "TaskTitle is empty: give at least 1 character (--title)."),
        (f"{HUMAN}.TaskKeywords", [], "TaskKeywords has 0 items: give at least 1 (--keywords)."),
        (f"{HUMAN}.TaskKeywords", "cat", "TaskKeywords is 'cat': it must be a list (--keywords)."),
        (
            f"{HUMAN}.NumberOfHumanWorkersPerDataObject",
            0,
            "is 0: it must be 1 to 9 (--workers).",
        ),
        (f"{HUMAN}.NumberOfHumanWorkersPerDataObject", "3", "must be a whole number (--workers)."),
        (f"{HUMAN}.NumberOfHumanWorkersPerDataObject", True, "must be a whole number (--workers)."),
        (f"{HUMAN}.TaskTimeLimitInSeconds", 29, "is 29: it must be 30 or more (--task-time)."),
        (
            f"{HUMAN}.TaskAvailabilityLifetimeInSeconds",
            59,
            "is 59: it must be 60 or more (--availability).",
        ),
        ("StoppingConditions.MaxHumanLabeledObjectCount", 0, "1 or more (--max-objects)."),
    ],
)
def test_what_boto3_refuses(path: str, value: Any, says: str) -> None:
    asked = changed(request(), path, value)
    shape = request_shape("sagemaker", "CreateLabelingJob")
    assert ParamValidator().validate(asked, shape).has_errors() or value is True
    assert only(asked).endswith(says)


LONG_S3 = "s3://my-pool/" + "k" * 1012


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("LabelingJobName", "my_job", "may hold only letters a to z, digits, and hyphens"),
        ("LabelingJobName", "a" * 64, "has 64 characters: shorten it to 63 at most (--name)"),
        ("LabelingJobName", "job\n", "may hold only letters"),
        ("LabelAttributeName", "läbel", "(--attribute)"),
        ("InputConfig.DataSource.S3DataSource.ManifestS3Uri", "/tmp/m", "must be an S3 URI"),
        ("OutputConfig.S3OutputPath", LONG_S3, "has 1,025 characters"),
        (
            "OutputConfig.KmsKeyId",
            "my key",
            "must be the id, alias or ARN of a KMS key (--kms-key)",
        ),
        ("RoleArn", "arn:aws:iam::1:role/GroundTruth", "must be the ARN of a role"),
        ("RoleArn", f"arn:aws:iam::{ACCOUNT}:user/eve-with-a-name", "(--role)"),
        ("LabelCategoryConfigS3Uri", "categories.json", "must be an S3 URI"),
        ("StoppingConditions.MaxPercentageOfInputDatasetLabeled", 101, "1 to 100 (--max-percent)"),
        (
            "InputConfig.DataAttributes.ContentClassifiers",
            ["FreeOfCats"],
            "ContentClassifiers[0] is 'FreeOfCats': it must be one of FreeOfPersonally",
        ),
        (f"{HUMAN}.WorkteamArn", "cat-people", "the name of a private team"),
        (f"{HUMAN}.UiConfig.UiTemplateS3Uri", "page.html", "must be an S3 URI"),
        (f"{HUMAN}.PreHumanTaskLambdaArn", "pre", "must be the ARN of a Lambda function"),
        (f"{HUMAN}.TaskKeywords", list("abcdef"), "has 6 items: give 5 at most (--keywords)"),
        (f"{HUMAN}.TaskKeywords", ["cats  dogs"], "TaskKeywords[0] is 'cats  dogs'"),
        (f"{HUMAN}.TaskKeywords", ["ok", "große"], "TaskKeywords[1] is 'große'"),
        (f"{HUMAN}.TaskKeywords", ["k" * 31], "has 31 characters"),
        (f"{HUMAN}.TaskTitle", "t" * 129, "has 129 characters"),
        (f"{HUMAN}.TaskTitle", "Cats 🐈", "may hold no emoji"),
        (f"{HUMAN}.TaskDescription", "d" * 256, "has 256 characters"),
        (f"{HUMAN}.TaskDescription", "one\ntwo", "may hold no line break (--description)"),
        (f"{HUMAN}.TaskDescription", "one\u2028two", "may hold no line break (--description)"),
        (f"{HUMAN}.NumberOfHumanWorkersPerDataObject", 10, "is 10: it must be 1 to 9 (--workers)"),
        (f"{HUMAN}.MaxConcurrentTaskCount", 5001, "1 to 5,000 (--max-concurrent)"),
        ("Tags", [{"Key": "a", "Value": "v" * 257}], "Tags[0].Value has 257 characters"),
        ("Tags", [{"Key": "k" * 129, "Value": ""}], "Tags[0].Key has 129 characters"),
        ("Tags", [{"Key": "no!", "Value": ""}], "may hold only letters, digits, blanks"),
        ("Tags", [{"Key": f"k{n}", "Value": ""} for n in range(51)], "51 items: give 50 at most"),
    ],
)
def test_what_boto3_lets_through(path: str, value: Any, says: str) -> None:
    asked = changed(request(), path, value)
    assert complaints("sagemaker", "CreateLabelingJob", asked) == ()
    assert says in only(asked)


def test_dollars_have_a_maximum_too() -> None:
    asked = changed(
        request(**PUBLIC),
        f"{HUMAN}.PublicWorkforceTaskPrice.AmountInUsd",
        {"Dollars": 3, "Cents": 100, "TenthFractionsOfACent": 10},
    )
    found = check_request(asked, TASKS["image-classification"])
    assert [sentence.split(" is ")[1] for sentence in found] == [
        "3: it must be 0 to 2 (--price).",
        "100: it must be 0 to 99 (--price).",
        "10: it must be 0 to 9 (--price).",
    ]


def test_tags_may_be_of_any_script() -> None:
    asked = request(tags={"プロジェクト": "Küche ② / a+b@c"})
    assert check_request(asked, TASKS["image-classification"]) == ()


@given(st.data())
def test_nothing_that_boto3_refuses_is_called_clean(data: st.DataObject) -> None:
    """Any field replaced by anything: we know at least what boto3 knows, and never stumble."""
    asked = request(automated=True, tags={"a": "b"}, **PUBLIC)
    paths = [path for path, _ in leaves(asked)]
    path = data.draw(st.sampled_from(paths))
    junk = st.none() | st.booleans() | st.integers() | st.text() | st.just([]) | st.just({})
    asked = changed(asked, path, data.draw(junk | st.floats() | st.lists(st.text(), max_size=3)))
    if complaints("sagemaker", "CreateLabelingJob", asked):
        assert check_request(asked, TASKS["image-classification"])
    else:
        check_request(asked, TASKS["image-classification"])


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every field of nested objects, the inner ones too."""
    found = [(path, value)] if path else []
    if isinstance(value, dict):
        for name, item in value.items():
            found += leaves(item, f"{path}.{name}" if path else name)
    return found


# ---- names


@pytest.mark.parametrize(
    ("task", "attribute", "says"),
    [
        ("image-classification", "cats-metadata", "ends in -metadata"),
        ("image-classification", "source", "is the key of the data"),
        ("image-classification", "source-ref", "is the key of the data"),
        ("image-classification", "cats-ref", "must not end in -ref"),
        ("custom", "cats-ref", "must not end in -ref"),
        ("verify-segmentation", "cats-ref", "must not end in -ref"),
        ("semantic-segmentation", "cats", "write --attribute cats-ref"),
        ("video-tracking", "cats", "write --attribute cats-ref"),
        ("adjust-point-cloud-segmentation", "cats", "write --attribute cats-ref"),
    ],
)
def test_attributes_that_the_service_refuses(task: str, attribute: str, says: str) -> None:
    assert says in only(changed(request(task), "LabelAttributeName", attribute), task)


# ---- times


@pytest.mark.parametrize(
    ("task", "seconds", "most"),
    [
        ("image-classification", 28_801, "8h"),
        ("text-spans", 28_801, "8h"),
        ("custom", 28_801, "8h"),
        ("video-classification", 28_801, "8h"),
    ],
)
def test_tasks_have_a_longest_time(task: str, seconds: int, most: str) -> None:
    assert f"give --task-time {most} at most" in only(request(task, task_seconds=seconds), task)
    assert check_request(request(task, task_seconds=seconds - 1), TASKS[task]) == ()


def test_scenes_may_take_thirty_days() -> None:
    for task in ("video-boxes", "point-cloud-tracking"):
        assert check_request(request(task, task_seconds=2_592_000), TASKS[task]) == ()
        found = check_request(request(task, task_seconds=2_592_001), TASKS[task])
        assert "give --task-time 30d at most" in found[0]


@pytest.mark.parametrize(
    ("more", "seconds", "most"),
    [
        (PUBLIC, 43_201, "a public workforce: give --availability 12h"),
        ({}, 2_592_001, "a private workforce: give --availability 30d"),
        (
            {"workteam": f"{TEAM}/vendor-crowd/v1"},
            2_592_001,
            "a vendor workforce: give --availability 30d",
        ),
    ],
)
def test_tasks_wait_no_longer_than_the_workforce_allows(
    more: dict[str, Any], seconds: int, most: str
) -> None:
    assert most in only(request(**more, availability_seconds=seconds))
    fits = request(**more, availability_seconds=seconds - 1)
    assert check_request(fits, TASKS["image-classification"]) == ()


def test_a_task_must_not_expire_while_someone_works_on_it() -> None:
    sentence = only(request(task_seconds=7200, availability_seconds=3600))
    assert "expire while someone works on them" in sentence
    assert (
        check_request(
            request(task_seconds=3600, availability_seconds=3600), TASKS["image-classification"]
        )
        == ()
    )


def test_the_services_own_availability_counts_where_none_is_said() -> None:
    asked = changed(
        request(**PUBLIC, task_seconds=28_800), f"{HUMAN}.TaskAvailabilityLifetimeInSeconds", ...
    )
    assert "more than the 21,600 seconds" in only(asked)


def test_many_tasks_at_once_need_aws_support() -> None:
    assert "only AWS Support can allow it" in only(request(max_concurrent=1001))
    assert check_request(request(max_concurrent=1000), TASKS["image-classification"]) == ()


# ---- people and money


def test_a_team_must_be_one() -> None:
    asked = changed(request(), f"{HUMAN}.WorkteamArn", f"{TEAM}/robots/r2")
    assert "is of no work team" in only(asked)


def test_the_public_team_has_one_arn() -> None:
    other = f"{TEAM}/public-crowd/default"
    asked = changed(request(**PUBLIC), f"{HUMAN}.WorkteamArn", other)
    assert "is not the public work team" in only(asked)


def test_a_public_job_needs_a_price() -> None:
    sentence = only(request(workteam="public", no_personal_data=True))
    assert "give --price, from 0.012 to 1.200 USD" in sentence


def test_a_public_job_needs_data_without_persons() -> None:
    assert "--no-personal-data" in only(request(workteam="public", price="0.012"))
    asked = request(workteam="public", price="0.012", no_adult_content=True)
    assert "--no-personal-data" in only(asked)


@pytest.mark.parametrize("task", ["video-boxes", "adjust-point-cloud-boxes"])
def test_the_public_may_not_label_scenes(task: str) -> None:
    asked = request(task, workteam="public", no_personal_data=True)
    asked[HUMAN]["TaskAvailabilityLifetimeInSeconds"] = 43_200
    assert "the public workforce may not do" in only(asked, task)


@pytest.mark.parametrize(
    ("task", "price"),
    [
        ("image-classification", "0.013"),
        ("image-classification", "0.084"),
        ("image-classification", "1.201"),
        ("bounding-box", "0.024"),
        ("adjust-bounding-box", "0.012"),
        ("semantic-segmentation", "0.720"),
        ("custom", "0"),
    ],
)
def test_public_prices_come_from_a_list(task: str, price: str) -> None:
    asked = request(task, workteam="public", price=price, no_personal_data=True)
    sentence = only(asked, task)
    assert f"which is not offered for --task {task}" in sentence
    assert f"one of {TASKS[task].lowest_price}," in sentence


@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if task.public])
def test_every_price_of_the_list_is_accepted(task: str) -> None:
    for price in allowed_prices(TASKS[task]):
        asked = request(task, workteam="public", price=str(price), no_personal_data=True)
        assert check_request(asked, TASKS[task]) == ()


def test_price_lists_are_those_of_the_documentation() -> None:
    assert len(allowed_prices(TASKS["custom"])) == 16
    assert len(allowed_prices(TASKS["bounding-box"])) == 14
    assert [str(price) for price in allowed_prices(TASKS["semantic-segmentation"])] == [
        "0.840",
        "0.960",
        "1.080",
        "1.200",
    ]
    assert allowed_prices(TASKS["video-boxes"]) == ()
    assert max(allowed_prices(TASKS["custom"])) == Decimal("1.2")


@pytest.mark.parametrize("team", ["cat-people", f"{TEAM}/vendor-crowd/v1"])
def test_only_the_public_has_a_price(team: str) -> None:
    sentence = only(request(workteam=team, price="0.012"))
    assert "leave --price out" in sentence


@pytest.mark.parametrize("more", [PUBLIC, {"workteam": f"{TEAM}/vendor-crowd/v1"}])
def test_a_vpc_is_for_private_teams(more: dict[str, Any]) -> None:
    vpc = {"automated": True, "subnets": ("subnet-1",), "security_groups": ("sg-1",)}
    assert "VpcConfig goes with a private team only" in only(request(**more, **vpc))
    assert check_request(request(**vpc), TASKS["image-classification"]) == ()


# ---- automated labeling


@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if not task.algorithm])
def test_most_tasks_cannot_be_automated(task: str) -> None:
    asked = request(task)
    asked[AUTO] = request(automated=True)[AUTO]
    assert f"is not offered for --task {task}," in only(asked, task)


def test_each_task_has_its_own_algorithm() -> None:
    asked = request("bounding-box")
    asked[AUTO] = request(automated=True)[AUTO]
    assert "is not the algorithm of --task bounding-box" in only(asked, "bounding-box")


def test_streams_are_not_automated() -> None:
    asked = request(automated=True)
    topic = {"SnsTopicArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:cats"}
    asked["InputConfig"]["DataSource"]["SnsDataSource"] = topic
    assert "does not go with SnsDataSource" in only(asked)


# ---- functions and pages


def test_a_function_of_another_regions_account_is_refused() -> None:
    arn = f"{LAMBDA}:432418664414:function:PRE-ImageMultiClass"
    asked = changed(request(), f"{HUMAN}.PreHumanTaskLambdaArn", arn)
    assert "names the account of another Region" in only(asked)


def test_a_function_of_another_task_is_refused() -> None:
    arn = f"{LAMBDA}:568282634449:function:PRE-BoundingBox"
    asked = changed(request(), f"{HUMAN}.PreHumanTaskLambdaArn", arn)
    assert "is not the function of --task image-classification, PRE-ImageMulti" in only(asked)
    swapped = f"{LAMBDA}:568282634449:function:ACS-PassThrough"
    asked = changed(request("custom"), f"{HUMAN}.PreHumanTaskLambdaArn", swapped)
    assert "is not the function" in only(asked, "custom")


def test_a_page_of_ones_own_may_use_the_function_that_hands_on() -> None:
    asked = request("custom", pre_lambda=f"{LAMBDA}:568282634449:function:PRE-PassThrough")
    assert check_request(asked, TASKS["custom"]) == ()
    asked = request("custom", pre_lambda=f"{LAMBDA}:568282634449:function:PRE-ImageMultiClass")
    assert "or give the --task it is for" in only(asked, "custom")


@pytest.mark.parametrize("field", ["PreHumanTaskLambdaArn", "AnnotationConsolidationConfig"])
def test_built_in_tasks_need_their_functions(field: str) -> None:
    assert "is missing, and --task" in only(changed(request(), f"{HUMAN}.{field}", ...))


def test_there_is_one_page() -> None:
    ui = f"{HUMAN}.UiConfig"
    aws = "arn:aws:sagemaker:eu-west-1:394669845002:human-task-ui/NamedEntityRecognition"
    both = changed(request(), f"{ui}.HumanTaskUiArn", aws)
    assert "must have one of" in only(both)
    assert "must have one of" in only(changed(request(), ui, {}))
    assert "whose page is a template" in only(changed(request(), ui, {"HumanTaskUiArn": aws}))
    template = {"UiTemplateS3Uri": DOCUMENTS.template}
    spans = changed(request("text-spans"), ui, template)
    assert "must name AWS's own page" in only(spans, "text-spans")
    video = changed(request("video-boxes"), ui, {"HumanTaskUiArn": aws})
    assert "ends in :394669845002:human-task-ui/VideoObjectDetection" in only(video, "video-boxes")


# ---- one Region, one account, places


def elsewhere() -> dict[str, tuple[str, Any, str]]:
    """Fields with an ARN of another Region, and the option that the sentence names."""
    key = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"
    return {
        f"{HUMAN}.PreHumanTaskLambdaArn": (
            "custom",
            f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:SageMaker-x",
            "--pre-lambda",
        ),
        f"{HUMAN}.AnnotationConsolidationConfig.AnnotationConsolidationLambdaArn": (
            "custom",
            f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:SageMaker-x",
            "--post-lambda",
        ),
        f"{HUMAN}.UiConfig.HumanTaskUiArn": (
            "text-spans",
            "arn:aws:sagemaker:us-east-1:394669845002:human-task-ui/NamedEntityRecognition",
            "--region",
        ),
        "OutputConfig.KmsKeyId": ("custom", key, "--kms-key"),
        "OutputConfig.SnsTopicArn": ("custom", f"arn:aws:sns:us-east-1:{ACCOUNT}:t", "--region"),
        "InputConfig.DataSource.SnsDataSource.SnsTopicArn": (
            "custom",
            f"arn:aws:sns:us-east-1:{ACCOUNT}:t",
            "--region",
        ),
        f"{AUTO}.LabelingJobResourceConfig.VolumeKmsKeyId": (
            "image-classification",
            key,
            "--volume-kms-key",
        ),
        f"{AUTO}.LabelingJobAlgorithmSpecificationArn": (
            "image-classification",
            "arn:aws:sagemaker:us-east-1:027400017018:"
            "labeling-job-algorithm-specification/image-classification",
            "--region",
        ),
        f"{AUTO}.InitialActiveLearningModelArn": (
            "image-classification",
            f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model/m",
            "--initial-model",
        ),
    }


@pytest.mark.parametrize("path", elsewhere())
def test_all_of_a_job_is_in_one_region(path: str) -> None:
    task, value, named = elsewhere()[path]
    asked = request(task, automated=path.startswith(AUTO))
    sentence = only(changed(asked, path, value), task)
    assert "is in us-east-1, while the work team is in eu-west-1" in sentence
    assert f"correct {named} or --workteam" in sentence


@pytest.mark.parametrize("key", ["1234abcd-12ab-34cd-56ef-1234567890ab", "alias/cats"])
def test_keys_by_id_are_of_the_jobs_region(key: str) -> None:
    assert check_request(request(kms_key=key), TASKS["image-classification"]) == ()


def test_what_begins_like_an_arn_must_be_one() -> None:
    assert "KmsKeyId: 'arn:aws:kms' is no ARN: write" in only(request(kms_key="arn:aws:kms"))


def test_role_and_team_are_of_one_account() -> None:
    sentence = only(request(role="arn:aws:iam::999999999999:role/GroundTruth"))
    assert "give --role and --workteam of the same account" in sentence
    public = request(role="arn:aws:iam::999999999999:role/GroundTruth", **PUBLIC)
    assert check_request(public, TASKS["image-classification"]) == ()


MANIFEST = "InputConfig.DataSource.S3DataSource.ManifestS3Uri"


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (MANIFEST, "s3://My_Pool/a.manifest", "names the bucket 'My_Pool'"),
        (MANIFEST, "s3://my..pool/a.manifest", "names the bucket 'my..pool'"),
        (MANIFEST, "s3://ab/a.manifest", "names the bucket 'ab'"),
        (MANIFEST, "s3://other-pool", "names no object"),
        (MANIFEST, "s3://my-pool/folder/", "names no object"),
        ("LabelCategoryConfigS3Uri", "s3://my-pool/", "names no object"),
        (f"{HUMAN}.UiConfig.UiTemplateS3Uri", "s3://my-pool/", "names no object"),
        ("OutputConfig.S3OutputPath", "s3://MY-POOL/out", "names the bucket 'MY-POOL'"),
        ("OutputConfig.S3OutputPath", DOCUMENTS.manifest, "is where the input lies"),
        ("OutputConfig.S3OutputPath", f"{DOCUMENTS.manifest}/out/", "is where the input lies"),
        ("InputConfig.DataSource", {}, "DataSource is empty"),
    ],
)
def test_places_that_cannot_be(path: str, value: Any, says: str) -> None:
    assert says in only(changed(request(), path, value))


@pytest.mark.parametrize("output", ["s3://my-pool", "s3://my-pool/", "s3://my-pool/groundtruth/"])
def test_results_may_lie_above_the_input(output: str) -> None:
    asked = changed(request(), "OutputConfig.S3OutputPath", output)
    assert check_request(asked, TASKS["image-classification"]) == ()


def test_results_of_a_stream_lie_elsewhere() -> None:
    asked = request()
    asked["InputConfig"]["DataSource"]["SnsDataSource"] = {
        "SnsTopicArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:cats"
    }
    asked["OutputConfig"]["S3OutputPath"] = "s3://my-pool/groundtruth/manifests/"
    assert "give another --prefix" in only(asked)


def test_built_in_tasks_need_categories() -> None:
    assert "give --labels" in only(changed(request(), "LabelCategoryConfigS3Uri", ...))
    custom = changed(request("custom"), "LabelCategoryConfigS3Uri", ...)
    assert check_request(custom, TASKS["custom"]) == ()


# ---- tags


def test_tags_are_ones_own_and_once() -> None:
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    assert "has the key 'a' twice" in only(changed(request(), "Tags", twice))
    assert "begins with aws:" in only(request(tags={"AWS:team": "1"}))
    assert check_request(request(tags={"a": "1", "A": "2"}), TASKS["image-classification"]) == ()


# ---- all together


@given(st.data())
def test_legal_settings_make_clean_requests(data: st.DataObject) -> None:
    task = TASKS[data.draw(st.sampled_from(sorted(TASKS)))]
    public = task.public and data.draw(st.booleans())
    longest = 2_592_000 if task.data in ("frames", "points") else 28_800
    waits = 43_200 if public else 2_592_000
    limit = data.draw(st.none() | st.integers(30, min(longest, waits)))
    least = max(60, limit or task.seconds)
    words = st.text("abcXYZ 0123456789äé?!.,", min_size=1, max_size=128).filter(str.strip)
    plain = st.text("abc_.:/=+-@ é7", max_size=128)
    automated = task.algorithm is not None and data.draw(st.booleans())
    vpc = automated and not public and data.draw(st.booleans())
    key = st.none() | st.sampled_from(["alias/cats", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"])
    made = settings(
        task.name,
        workteam="public" if public else "cat-people",
        price=str(data.draw(st.sampled_from(allowed_prices(task)))) if public else None,
        no_personal_data=public or data.draw(st.booleans()),
        no_adult_content=data.draw(st.booleans()),
        title=data.draw(st.none() | words),
        description=data.draw(st.none() | words),
        question=data.draw(st.none() | words),
        keywords=tuple(data.draw(st.lists(st.from_regex(r"\A[a-z0-9]{1,30}\Z"), max_size=5))),
        workers=data.draw(st.none() | st.integers(1, 9)),
        task_seconds=limit,
        availability_seconds=data.draw(st.none() | st.integers(least, waits)),
        max_concurrent=data.draw(st.none() | st.integers(1, 1000)),
        max_objects=data.draw(st.none() | st.integers(1, 10**6)),
        max_percent=data.draw(st.none() | st.integers(1, 100)),
        automated=automated,
        kms_key=data.draw(key),
        volume_kms_key=data.draw(key) if automated else None,
        subnets=("subnet-1",) if vpc else (),
        security_groups=("sg-1",) if vpc else (),
        tags=data.draw(st.dictionaries(plain.map("k{}".format).map(lambda key: key[:128]), plain)),
    )
    names = resolve_names(made, task, region="us-east-1", account=ACCOUNT)
    asked = build_request(made, task, names, DOCUMENTS)
    assert check_request(asked, task) == ()


def limits(shape: Any, path: str = "") -> list[tuple[str, str, int]]:
    """Every maximum of the model: field, kind of value, the largest that is allowed."""
    found: list[tuple[str, str, int]] = []
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            found += limits(member, f"{path}.{name}" if path else name)
    elif "max" in shape.metadata and shape.type_name in ("string", "integer", "list"):
        found.append((path, shape.type_name, shape.metadata["max"]))
    return found


LIMITS = limits(request_shape("sagemaker", "CreateLabelingJob"))


@given(st.sampled_from(LIMITS), st.integers(1, 1000))
def test_whatever_is_beyond_a_maximum_is_caught(limit: tuple[str, str, int], more: int) -> None:
    path, kind, most = limit
    beyond: Any = most + more
    if kind != "integer":
        beyond = "x" * beyond if kind == "string" else ["x"] * beyond
    found = check_request(changed(request(), path, beyond), TASKS["image-classification"])
    assert any(sentence.startswith((f"{path} ", f"{path}[")) for sentence in found)


def test_the_model_has_the_maxima_that_we_think_it_has() -> None:
    known = {path: most for path, _, most in LIMITS}
    assert known["LabelingJobName"] == 63
    assert known[f"{HUMAN}.NumberOfHumanWorkersPerDataObject"] == 9
    assert known["Tags"] == 50
    assert len(known) >= 25


# ---- labels


def labels_of(*labels: str, task: str = "image-classification", **more: Any) -> tuple[str, ...]:
    return check_labels(settings(task, labels=labels, **more), TASKS[task])


def one(found: tuple[str, ...]) -> str:
    assert len(found) == 1, found
    assert re.fullmatch(r"--[a-z].*: [a-z].*\.", found[0])
    return found[0]


@pytest.mark.parametrize("task", TASKS)
def test_as_many_labels_as_a_task_may_have(task: str) -> None:
    kind = TASKS[task]
    names = [f"label {number}" for number in range((kind.most_labels or 400) + 1)]
    assert labels_of(*names[:-1], task=task) == ()
    if kind.most_labels is not None:
        assert f"more than the {kind.most_labels}" in one(labels_of(*names, task=task))
    if kind.fewest_labels:
        few = one(labels_of(*names[: kind.fewest_labels - 1], task=task))
        assert f"fewer than the {kind.fewest_labels}" in few


def test_automated_segmentation_has_fewer_labels() -> None:
    names = [f"label {number}" for number in range(21)]
    assert labels_of(*names, task="semantic-segmentation") == ()
    found = one(labels_of(*names, task="semantic-segmentation", automated=True))
    assert "may have with --automated" in found


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("", "holds an empty name"),
        ("  ", "holds an empty name"),
        (" dog", "begins or ends with a blank"),
        ("dog ", "begins or ends with a blank"),
        ("cat", "'cat' is there twice"),
        ("Cat", "'Cat' looks like 'cat'"),
        ("\uff43at", "at' looks like 'cat'"),  # a wide c
        ("d" * 257, "has 257 characters, more than 256"),
        ("dog\nhouse", "holds a line break"),
        ("dog\x07house", "holds a line break or another control character"),
    ],
)
def test_labels_that_nobody_can_use(label: str, says: str) -> None:
    assert says in one(labels_of("cat", "bird", label))


def test_blanks_and_case_together_are_both_said() -> None:
    assert len(labels_of("cat", "CAT ")) == 2


def test_labels_of_scenes_are_short() -> None:
    assert labels_of("x" * 16, task="video-boxes") == ()
    assert "more than 16" in one(labels_of("x" * 17, task="point-cloud-boxes"))


def test_words_on_the_page_of_scenes_are_short() -> None:
    assert labels_of("car", task="video-boxes", question="q" * 254) == ()
    long = labels_of("car", task="video-boxes", question="q" * 255, instructions="i" * 2048)
    assert [sentence.split(" has ")[0] for sentence in long] == ["--question", "--instructions"]


@given(st.lists(st.text(max_size=20), max_size=8), st.sampled_from(sorted(TASKS)))
def test_any_labels_are_judged_and_duplicates_never_pass(labels: list[str], task: str) -> None:
    found = labels_of(*labels, task=task)
    folded = {label.strip().casefold() for label in labels}
    if len(folded) < len(labels):
        assert found
    assert all(re.fullmatch(r"(?s)--.*: .*\.", sentence) for sentence in found)


def test_regions_do_not_matter_to_the_rules() -> None:
    made = settings(**PUBLIC)
    for region in REGIONS:
        names = resolve_names(made, TASKS[made.task], region=region, account=ACCOUNT)
        asked = build_request(made, TASKS[made.task], names, DOCUMENTS)
        assert check_request(asked, TASKS[made.task]) == ()
