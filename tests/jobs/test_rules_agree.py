"""The rules of `gandt.jobs` and those of the stand-in for SageMaker, written apart, agree."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from aws_rules import BUILT_IN, PRICES, check_words
from aws_shapes import Refused, check_shape, service_model
from hypothesis import given
from hypothesis import strategies as st

from gandt.errors import JobError, UsageError
from gandt.jobs.plan import Documents
from gandt.jobs.request import build_request, resolve_names
from gandt.jobs.rules.check import check_request
from gandt.jobs.settings import JobSettings
from gandt.jobs.tasks import TASKS

ACCOUNT = "111122223333"
DOCUMENTS = Documents("s3://pool/m.manifest", "s3://pool/out", "s3://pool/c.json", "s3://pool/t")
# Tasks that expire under the worker's hands, and a limit that is the account's.
WISER = ("would expire while someone works", "only AWS Support can allow")
SHAPE = service_model("sagemaker").operation_model("CreateLabelingJob").input_shape


def refusal(request: dict[str, Any], region: str) -> str | None:
    """What the service would say; None where it takes the request."""
    try:
        check_shape(SHAPE, request)
        check_words(request, region, ACCOUNT)
    except Refused as error:
        return error.message
    return None


def built(task: str, region: str, **more: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "manifest": "round1.manifest",
        "task": task,
        "bucket": "pool",
        "role": f"arn:aws:iam::{ACCOUNT}:role/GroundTruth",
        "workteam": "cat-people",
        "labels": ("cat", "dog"),
    }
    if TASKS[task].prior:
        usual["previous_attribute"] = "round0-ref" if TASKS[task].ref else "round0"
    settings = JobSettings(**usual | more)
    names = resolve_names(settings, TASKS[task], region=region, account=ACCOUNT)
    return build_request(settings, TASKS[task], names, DOCUMENTS)


def both(request: dict[str, Any], task: str, region: str) -> tuple[tuple[str, ...], str | None]:
    """What we say, without what the service takes as it is; and what the service says."""
    ours = check_request(request, TASKS[task])
    return tuple(x for x in ours if not any(word in x for word in WISER)), refusal(request, region)


@pytest.mark.parametrize("task", TASKS)
def test_what_is_built_for_a_task_is_taken_in_every_region(task: str) -> None:
    for region in BUILT_IN:
        assert both(built(task, region), task, region) == ((), None)


@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if task.public])
def test_what_is_built_for_the_public_is_taken(task: str) -> None:
    for price in PRICES:
        request = built(
            task, "us-west-2", workteam="public", price=str(price), no_personal_data=True
        )
        ours, theirs = both(request, task, "us-west-2")
        assert bool(ours) == (theirs is not None), (price, ours, theirs)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all that is in a request."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def put(request: dict[str, Any], path: tuple[Any, ...], value: object) -> None:
    for key in path[:-1]:
        request = request.setdefault(key, {})
        if not isinstance(request, dict):
            return
    request[path[-1]] = value


HUMAN = "HumanTaskConfig"
ARNS = (
    f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:own-LabelingFunction",
    f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:own-LabelingFunction",
    *(
        f"arn:aws:lambda:{region}:{account}:function:{step}-{code}"
        for region, account in (("eu-west-1", "568282634449"), ("us-east-1", "432418664414"))
        for step in ("PRE", "ACS")
        for code in ("ImageMultiClass", "BoundingBox", "PassThrough", "Nonsense")
    ),
)
VALUES: dict[tuple[str, ...], tuple[object, ...]] = {
    ("LabelingJobName",): ("a", "a" * 63, "a" * 64, "a_b", "a.b", "-a", "a-", "a--b", "é"),
    ("LabelAttributeName",): ("a", "a-ref", "source", "a-metadata", "ref", "a" * 128, "a_b"),
    (HUMAN, "NumberOfHumanWorkersPerDataObject"): (1, 9, 10, 0),
    (HUMAN, "TaskTimeLimitInSeconds"): (29, 30, 28_800, 28_801, 2_592_000, 2_592_001),
    (HUMAN, "TaskAvailabilityLifetimeInSeconds"): (59, 60, 43_200, 43_201, 2_592_000, 2_592_001),
    (HUMAN, "MaxConcurrentTaskCount"): (0, 1, 1000, 5000, 5001),
    (HUMAN, "TaskKeywords"): ([], ["a"] * 5, ["a"] * 6, ["a b"], ["a  b"], [""], ["a" * 31]),
    (HUMAN, "TaskTitle"): ("", "t" * 128, "t" * 129, "tab\tline\n", "\x07"),
    (HUMAN, "TaskDescription"): ("", "d" * 255, "d" * 256, "a\nb", "a\rb", "a\u2028b", "a\tb"),
    (HUMAN, "PublicWorkforceTaskPrice"): (
        {"AmountInUsd": {"Cents": 1, "TenthFractionsOfACent": 2}},
        {"AmountInUsd": {"Dollars": 0, "Cents": 84, "TenthFractionsOfACent": 0}},
        {"AmountInUsd": {"Cents": 12}},
        {"AmountInUsd": {"Cents": 100}},
        {"AmountInUsd": {}},
        {},
    ),
    (HUMAN, "WorkteamArn"): (
        "arn:aws:sagemaker:eu-west-1:394669845002:workteam/public-crowd/default",
        "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default",
        f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:workteam/private-crowd/people",
        f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:workteam/vendor-crowd/people",
        "arn:aws:sagemaker:eu-west-1:394669845002:workteam/public-crowd/other",
    ),
    (HUMAN, "PreHumanTaskLambdaArn"): ARNS,
    (HUMAN, "AnnotationConsolidationConfig", "AnnotationConsolidationLambdaArn"): ARNS,
    (HUMAN, "UiConfig"): (
        {},
        {"UiTemplateS3Uri": "s3://pool/t"},
        {
            "HumanTaskUiArn": "arn:aws:sagemaker:eu-west-1:394669845002:human-task-ui/"
            "NamedEntityRecognition"
        },
    ),
    ("InputConfig", "DataAttributes", "ContentClassifiers"): (
        [],
        ["FreeOfAdultContent"],
        ["FreeOfPersonallyIdentifiableInformation"],
        ["Free"],
    ),
    ("InputConfig", "DataSource"): ({}, {"S3DataSource": {"ManifestS3Uri": "https://pool/m"}}),
    ("StoppingConditions", "MaxPercentageOfInputDatasetLabeled"): (0, 1, 100, 101),
    ("StoppingConditions", "MaxHumanLabeledObjectCount"): (0, 1, 10**6),
    ("LabelingJobAlgorithmsConfig", "LabelingJobAlgorithmSpecificationArn"): tuple(
        f"arn:aws:sagemaker:{region}:{account}:labeling-job-algorithm-specification/{name}"
        for region, account in (("eu-west-1", "027400017018"), ("us-east-1", "027400017018"))
        for name in ("image-classification", "object-detection")
    ),
    ("RoleArn",): ("arn:aws:iam::1:role/a", f"arn:aws:iam::{ACCOUNT}:role/a/b", "role"),
    ("Tags",): (
        [],
        [{"Key": "a", "Value": ""}],
        [{"Key": "a", "Value": "b"}] * 2,
        [{"Key": "a,", "Value": ""}],
        [{"Key": "a" * 129, "Value": ""}],
        [{"Key": str(n), "Value": ""} for n in range(51)],
    ),
}


@given(st.data())
def test_a_changed_request_is_refused_by_both_or_by_neither(data: st.DataObject) -> None:
    task = data.draw(st.sampled_from(sorted(TASKS)))
    more: dict[str, Any] = {}
    if TASKS[task].public and data.draw(st.booleans()):
        more = {"workteam": "public", "price": "0.840", "no_personal_data": True}
    if TASKS[task].algorithm and data.draw(st.booleans()):
        more["automated"] = True
    try:
        request = copy.deepcopy(built(task, "eu-west-1", **more))
    except (JobError, UsageError):  # one of these words has no place in the request
        return
    for path in data.draw(st.lists(st.sampled_from(list(VALUES)), max_size=2)):
        put(request, path, data.draw(st.sampled_from(VALUES[path])))
    if data.draw(st.booleans()):
        *above, last = data.draw(st.sampled_from(list(places(request))))
        holder = request
        for key in above:
            holder = holder[key]
        del holder[last]
    # A request says its Region by its team alone; nothing else may be in another one.
    team = str(request.get(HUMAN, {}).get("WorkteamArn", ""))
    region = "us-east-1" if ":us-east-1:" in team else "eu-west-1"
    ours, theirs = both(request, task, region)
    assert bool(ours) == (theirs is not None), (ours, theirs)
