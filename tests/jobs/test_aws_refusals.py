"""What the stand-in for SageMaker refuses, when a job is created and when it begins."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gandt.aws import AwsError

if TYPE_CHECKING:
    from aws_fixtures import Aws

PUBLIC_PRICE = {"AmountInUsd": {"Dollars": 0, "Cents": 3, "TenthFractionsOfACent": 6}}
Change = Callable[[dict[str, Any]], object]
Ask = Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]]]


def human(**fields: Any) -> Change:
    return lambda request: request["HumanTaskConfig"].update(fields)


def top(**fields: Any) -> Change:
    return lambda request: request.update(fields)


def public(request: dict[str, Any], price: object = PUBLIC_PRICE, *, stated: bool = True) -> None:
    team = "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default"
    request["HumanTaskConfig"]["WorkteamArn"] = team
    if price is not None:
        request["HumanTaskConfig"]["PublicWorkforceTaskPrice"] = price
    if stated:
        words = ["FreeOfPersonallyIdentifiableInformation"]
        request["InputConfig"]["DataAttributes"] = {"ContentClassifiers": words}


def built_in(code: str, region: str = "us-east-1", account: str = "432418664414") -> Change:
    def change(request: dict[str, Any]) -> None:
        base = f"arn:aws:lambda:{region}:{account}:function:"
        request["HumanTaskConfig"]["PreHumanTaskLambdaArn"] = f"{base}PRE-{code}"
        acs = {"AnnotationConsolidationLambdaArn": f"{base}ACS-{code}"}
        request["HumanTaskConfig"]["AnnotationConsolidationConfig"] = acs

    return change


def automated(algorithm: str, account: str = "027400017018") -> Change:
    arn = f"arn:aws:sagemaker:us-east-1:{account}:labeling-job-algorithm-specification/{algorithm}"
    return top(LabelingJobAlgorithmsConfig={"LabelingJobAlgorithmSpecificationArn": arn})


def both(*changes: Change) -> Change:
    return lambda request: [change(request) for change in changes]


REFUSED: dict[str, tuple[Change, str]] = {
    "underscore in the name": (top(LabelingJobName="round_1"), "pattern"),
    "name of 64 letters": (top(LabelingJobName="a" * 64), "less than or equal to 63"),
    "ten workers": (human(NumberOfHumanWorkersPerDataObject=10), "less than or equal to 9"),
    "six keywords": (human(TaskKeywords=["a", "b", "c", "d", "e", "f"]), "less than or equal to 5"),
    "keyword with an accent": (human(TaskKeywords=["café"]), "pattern"),
    "description of two lines": (human(TaskDescription="one\ntwo"), "pattern"),
    "title of 129 letters": (human(TaskTitle="t" * 129), "less than or equal to 128"),
    "role that is none": (top(RoleArn="arn:aws:iam::123456789012:user/somebody"), "pattern"),
    "unknown classifier": (
        lambda r: r["InputConfig"].update(DataAttributes={"ContentClassifiers": ["Clean"]}),
        "enum",
    ),
    "percentage of 101": (
        top(StoppingConditions={"MaxPercentageOfInputDatasetLabeled": 101}),
        "less than or equal to 100",
    ),
    "tag with a comma": (top(Tags=[{"Key": "a,b", "Value": "c"}]), "pattern"),
    "two tags of one key": (top(Tags=[{"Key": "a", "Value": "b"}] * 2), "unique"),
    "three dollars": (
        lambda r: public(r, {"AmountInUsd": {"Dollars": 3}}),
        "less than or equal to 2",
    ),
    "-ref for classification": (top(LabelAttributeName="label-ref"), "must not end with -ref"),
    "-metadata": (top(LabelAttributeName="label-metadata"), "reserved"),
    "segmentation without -ref": (built_in("SemanticSegmentation"), "must end with -ref"),
    "unknown role": (top(RoleArn="arn:aws:iam::123456789012:role/Nobody"), "Could not assume"),
    "unknown team": (
        human(WorkteamArn="arn:aws:sagemaker:us-east-1:123456789012:workteam/private-crowd/x"),
        "does not exist",
    ),
    "team of another Region": (
        human(WorkteamArn="arn:aws:sagemaker:eu-west-1:123456789012:workteam/private-crowd/x"),
        "is in Region eu-west-1",
    ),
    "function of another Region": (
        built_in("ImageMultiClass", "eu-west-1", "568282634449"),
        "is in Region eu-west-1",
    ),
    "built-in function of a wrong account": (
        built_in("ImageMultiClass", account="081040173940"),
        "not the built-in function",
    ),
    "unknown built-in function": (built_in("ImageMultiClas"), "no built-in function"),
    "two built-in functions that differ": (
        lambda r: r["HumanTaskConfig"].update(
            PreHumanTaskLambdaArn=r["HumanTaskConfig"]["PreHumanTaskLambdaArn"].replace(
                "ImageMultiClass", "BoundingBox"
            )
        ),
        "does not consolidate",
    ),
    "no consolidation": (
        lambda r: r["HumanTaskConfig"].pop("AnnotationConsolidationConfig"),
        "are required",
    ),
    "page of AWS for images": (
        human(
            UiConfig={
                "HumanTaskUiArn": "arn:aws:sagemaker:us-east-1:394669845002:human-task-ui/Image"
            }
        ),
        "needs UiConfig.UiTemplateS3Uri",
    ),
    "template for spans": (built_in("NamedEntityRecognition"), "needs UiConfig.HumanTaskUiArn"),
    "nine hours for a task": (human(TaskTimeLimitInSeconds=9 * 3600), "at most 28800"),
    "31 days of availability": (
        human(TaskAvailabilityLifetimeInSeconds=31 * 86_400),
        "at most 2592000",
    ),
    "public, 13 hours of availability": (
        both(public, human(TaskAvailabilityLifetimeInSeconds=13 * 3600)),
        "at most 43200",
    ),
    "public without a statement": (
        lambda r: public(r, stated=False),
        "FreeOfPersonallyIdentifiableInformation",
    ),
    "public without a price": (lambda r: public(r, None), "needs PublicWorkforceTaskPrice"),
    "price not on the list": (
        lambda r: public(r, {"AmountInUsd": {"Cents": 1, "TenthFractionsOfACent": 3}}),
        r"\$0.013 is not allowed",
    ),
    "price too low for boxes": (
        both(
            built_in("BoundingBox"),
            lambda r: public(r, {"AmountInUsd": {"Cents": 1, "TenthFractionsOfACent": 2}}),
        ),
        "not allowed for task type BoundingBox",
    ),
    "price for a private team": (human(PublicWorkforceTaskPrice=PUBLIC_PRICE), "public workforce"),
    "automated labeling of several labels": (
        both(built_in("ImageMultiClassMultiLabel"), automated("image-classification")),
        "does not support",
    ),
    "algorithm of another task": (automated("object-detection"), "The algorithm for"),
    "algorithm of another account": (
        automated("image-classification", "394669845002"),
        "The algorithm for",
    ),
    "no source": (top(InputConfig={"DataSource": {}}), "S3DataSource or SnsDataSource"),
    "no such output bucket": (
        top(OutputConfig={"S3OutputPath": "s3://no-such-bucket-here/"}),
        "bucket of .* does not exist",
    ),
    "no such template": (
        human(UiConfig={"UiTemplateS3Uri": "s3://no-such-bucket-here/page"}),
        "does not exist",
    ),
    "no categories": (lambda r: r.pop("LabelCategoryConfigS3Uri"), "is required"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_is_refused(
    aws: Aws, request_of: Callable[..., dict[str, Any]], name: str
) -> None:
    change, said = REFUSED[name]
    request = copy.deepcopy(request_of())
    change(request)
    with pytest.raises(AwsError, match=said) as caught:
        aws.call("sagemaker", "create_labeling_job", **request)
    assert caught.value.code == "ValidationException"
    assert not aws.sagemaker.jobs


ACCEPTED: dict[str, Change] = {
    "as it is": lambda r: None,
    "public": public,
    "public for two cents and four tenths": lambda r: public(
        r, {"AmountInUsd": {"Cents": 2, "TenthFractionsOfACent": 4}}
    ),
    "automated": automated("image-classification"),
    "tags of all alphabets": top(Tags=[{"Key": "Straße", "Value": "東京 1-2"}]),
    "longest times": human(
        TaskTimeLimitInSeconds=28_800, TaskAvailabilityLifetimeInSeconds=2_592_000
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_request_is_accepted(
    aws: Aws, request_of: Callable[..., dict[str, Any]], name: str
) -> None:
    request = copy.deepcopy(request_of())
    ACCEPTED[name](request)
    answer = aws.call("sagemaker", "create_labeling_job", **request)
    arn = "arn:aws:sagemaker:us-east-1:123456789012:labeling-job/round-1"
    assert answer["LabelingJobArn"] == arn


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (top(Nonsense=1), "Nonsense"),
        (lambda r: r.pop("RoleArn"), "RoleArn"),
        (human(NumberOfHumanWorkersPerDataObject="three"), "NumberOfHumanWorkersPerDataObject"),
    ],
)
def test_fields_that_boto3_would_not_send_are_refused(
    ask: Ask, request_of: Callable[..., dict[str, Any]], change: Change, said: str
) -> None:
    request = request_of()
    change(request)
    status, answer = ask("CreateLabelingJob", request)
    assert status == 400
    assert said in answer["message"]


MANIFESTS = {
    "none": (None, "does not exist"),
    "empty": (b"", "is empty"),
    "no JSON": (b"{'source-ref': 's3://b/k'}\n", "Line 1 .* is no JSON"),
    "pretty-printed": (b'{\n"source-ref": "s3://b/k"\n}\n', "Line 1 .* is no JSON"),
    "a list": (b'[{"source-ref": "s3://b/k"}]\n', "no JSON object"),
    "not a number": (b'{"source-ref": "s3://b/k", "x": NaN}\n', "NaN"),
    "byte-order mark": (b'\xef\xbb\xbf{"source-ref": "s3://b/k"}\n', "Line 1"),
    "blank line": (b'{"source-ref": "s3://b/k"}\n\n{"source-ref": "s3://b/k"}\n', "Line 2"),
    "Latin-1": (b'{"source-ref": "s3://b/\xe9.png"}\n', "not UTF-8"),
    "both sources": (b'{"source-ref": "s3://b/k", "source": "x"}\n', "exactly one"),
    "no source": (b'{"image": "s3://b/k"}\n', "exactly one"),
    "text for images": (b'{"source": "hello"}\n', "need source-ref"),
    "list as source": (b'{"source-ref": ["s3://b/k"]}\n', "must be text"),
    "local path": (b'{"source-ref": "/home/a.png"}\n', "must be an S3 URI"),
    "dollar": (b'{"source-ref": "s3://b/k", "$id": 1}\n', r"begins with \$"),
    "long attribute": (
        b'{"source-ref": "s3://b/k", "x": "' + b"y" * 20_001 + b'"}\n',
        "longer than 20000",
    ),
    "long line": (
        b'{"source-ref": "s3://b/k"'
        + b"".join(b', "%d": "%s"' % (n, b"y" * 19_000) for n in range(6))
        + b"}\n",
        "longer than 100000",
    ),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_cannot_be_used_fails_the_job(
    aws: Aws, request_of: Callable[..., dict[str, Any]], name: str
) -> None:
    data, said = MANIFESTS[name]
    request = request_of()
    source = request["InputConfig"]["DataSource"]["S3DataSource"]
    uri = f"{source['ManifestS3Uri']}.broken"
    if data is not None:
        aws.objects.put(uri, data)
    source["ManifestS3Uri"] = uri
    aws.call("sagemaker", "create_labeling_job", **request)
    aws.describe("Round-1")
    failed = aws.describe("Round-1")
    assert failed["LabelingJobStatus"] == "Failed"
    assert re.search(said, failed["FailureReason"])


def test_too_few_objects_for_automated_labeling_fail_the_job(
    aws: Aws, request_of: Callable[..., dict[str, Any]]
) -> None:
    request = request_of()
    automated("image-classification")(request)
    aws.call("sagemaker", "create_labeling_job", **request)
    aws.describe("Round-1")
    assert "at least 1250" in aws.describe("Round-1")["FailureReason"]


def test_a_role_that_does_not_trust_sagemaker_cannot_be_assumed(
    aws: Aws, request_of: Callable[..., dict[str, Any]]
) -> None:
    aws.iam.role("GroundTruthRole", trust={"Statement": []})
    with pytest.raises(AwsError, match="does not trust sagemaker"):
        aws.call("sagemaker", "create_labeling_job", **request_of())


@pytest.mark.parametrize("action", ["iam:PassRole", "sagemaker:CreateLabelingJob"])
def test_the_caller_needs_two_permissions(
    aws: Aws, request_of: Callable[..., dict[str, Any]], action: str
) -> None:
    aws.sts.assume("Admin")
    aws.iam.role("Admin").bar(action)
    with pytest.raises(AwsError, match=f"not authorized to perform: {action}") as caught:
        aws.call("sagemaker", "create_labeling_job", **request_of())
    assert caught.value.denied


@pytest.mark.parametrize(
    ("action", "said"), [("s3:GetObject", "read the manifest"), ("s3:PutObject", "write")]
)
def test_a_role_without_the_bucket_fails_the_job(
    aws: Aws, request_of: Callable[..., dict[str, Any]], action: str, said: str
) -> None:
    aws.iam.role("GroundTruthRole").bar(action, "arn:aws:s3:::sagemaker-*")
    aws.call("sagemaker", "create_labeling_job", **request_of())
    aws.describe("Round-1")
    assert f"may not {said}" in aws.describe("Round-1")["FailureReason"]


def test_the_managed_policy_covers_buckets_and_keys_with_its_words(aws: Aws) -> None:
    role = aws.iam.role("Narrow", narrow=True)
    for resource, covered in (
        ("arn:aws:s3:::cats/a.png", False),
        ("arn:aws:s3:::my-sagemaker-cats/a.png", True),
        ("arn:aws:s3:::cats/groundtruth/a.png", True),
        ("arn:aws:s3:::cats/GROUNDTRUTH/a.png", False),
    ):
        assert role.allows("s3:GetObject", resource) == covered
