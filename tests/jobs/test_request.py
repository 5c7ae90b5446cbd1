"""The request of CreateLabelingJob: pure, complete, and the same for the same settings."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from gandt.aws import request_shape
from gandt.errors import JobError, UsageError
from gandt.jobs.plan import Documents, Names
from gandt.jobs.regions import REGIONS, parse_arn
from gandt.jobs.request import build_request, categories_json, price_of, resolve_names
from gandt.jobs.rules.check import check_labels, check_request
from gandt.jobs.settings import JobSettings
from gandt.jobs.tasks import TASKS

GOLDEN = Path(__file__).parent / "golden"
ACCOUNT = "111122223333"
DOCUMENTS = Documents(
    manifest="s3://my-pool/groundtruth/manifests/6b86b273ff34fce19d6b804eff5a3f57.manifest",
    output="s3://my-pool/groundtruth/jobs",
    categories="s3://my-pool/groundtruth/categories/d4735e3a265e16eee03f59718b9b5d03.json",
    template="s3://my-pool/groundtruth/templates/4e07408562bedb8b60ce05c1decfe3ad.liquid.html",
)


def settings(task: str = "image-classification", **more: Any) -> JobSettings:
    usual: dict[str, Any] = {
        "manifest": "rounds/round1.manifest",
        "task": task,
        "bucket": "my-pool",
        "role": f"arn:aws:iam::{ACCOUNT}:role/GroundTruth",
        "workteam": "cat-people",
        "labels": ("cat", "dog", "Other"),
    }
    if TASKS[task].prior:
        usual["previous_attribute"] = "round0-ref" if TASKS[task].ref else "round0"
    return JobSettings(**(usual | more))


def named(made: JobSettings, region: str = "eu-west-1") -> Names:
    return resolve_names(made, TASKS[made.task], region=region, account=ACCOUNT)


def built(
    made: JobSettings, region: str = "eu-west-1", documents: Documents = DOCUMENTS
) -> dict[str, Any]:
    return build_request(made, TASKS[made.task], named(made, region), documents)


# ---- golden requests

KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"

CASES = {
    "image-classification-private": settings(),
    "image-classification-public": settings(
        workteam="public",
        price="0.036",
        no_personal_data=True,
        no_adult_content=True,
        workers=3,
        keywords=("animals", "photos"),
        title="Cat or dog?",
        description="Say which animal a photo shows.",
        task_seconds=120,
        max_objects=500,
    ),
    "bounding-box-automated": settings(
        "bounding-box",
        automated=True,
        initial_model=f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:model/round0-final",
        kms_key=KEY,
        volume_kms_key=KEY,
        subnets=("subnet-0a1b2c3d", "subnet-4e5f6a7b"),
        security_groups=("sg-0123456789abcdef0",),
        tags={"project": "pets", "cost center": "42"},
        max_percent=80,
        max_concurrent=200,
    ),
    "semantic-segmentation": settings("semantic-segmentation"),
    "text-spans": settings(
        "text-spans",
        labels=("Person", "Place", "Personal pronoun"),
        question="Mark people & places.",
        instructions="Mark whole names.\n\nTitles, as in Dr. Ito, are part of it.",
    ),
    "verify-bounding-box": settings("verify-bounding-box", labels=("good", "bad")),
    "adjust-bounding-box": settings("adjust-bounding-box"),
    "custom-without-lambda": settings(
        "custom", template="tiles", labels=(), question="Which of these show a party?"
    ),
    "custom-with-lambdas": settings(
        "custom",
        template="tiles",
        pre_lambda="gandt-PreLabelingFunction",
        post_lambda=f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:gandt-PostLabelingFunction",
    ),
    "text-multi-select": settings("text-multi-select"),
    "video-boxes": settings("video-boxes"),
    "adjust-video-boxes": settings("adjust-video-boxes"),
    "point-cloud-tracking": settings("point-cloud-tracking", question="Follow every car."),
}


@pytest.mark.parametrize("name", CASES)
def test_requests_stay_as_they_were(name: str) -> None:
    """With GANDT_UPDATE_GOLDEN set, the files are written instead; then read the difference."""
    made = CASES[name]
    task = TASKS[made.task]
    categories = categories_json(made, task)
    documents = DOCUMENTS
    if categories is None:
        documents = Documents(DOCUMENTS.manifest, DOCUMENTS.output, None, DOCUMENTS.template)
    content = {
        "request": built(made, documents=documents),
        "categories": None if categories is None else json.loads(categories),
    }
    path = GOLDEN / f"request.{name}.json"
    if os.environ.get("GANDT_UPDATE_GOLDEN"):
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert content == json.loads(path.read_text(encoding="utf-8"))
    assert check_request(content["request"], task) == ()
    assert check_labels(made, task) == ()


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("task", TASKS)
def test_every_task_in_every_region_passes_boto3_and_our_rules(task: str, region: str) -> None:
    request = built(settings(task), region)
    shape = request_shape("sagemaker", "CreateLabelingJob")
    assert not ParamValidator().validate(request, shape).has_errors()
    assert check_request(request, TASKS[task]) == ()
    arns = re.findall(r"arn:aws:(?!iam)[^\"]+", json.dumps(request))
    assert {parse_arn(arn).region for arn in arns} == {region}


@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if task.public])
def test_every_public_task_passes_at_its_lowest_price(task: str) -> None:
    made = settings(task, workteam="public", price=TASKS[task].lowest_price, no_personal_data=True)
    assert check_request(built(made), TASKS[task]) == ()


@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if task.algorithm])
def test_every_automated_task_passes(task: str) -> None:
    assert check_request(built(settings(task, automated=True)), TASKS[task]) == ()


def test_the_order_of_tags_makes_no_difference() -> None:
    one = built(settings(tags={"a": "1", "b": "2"}))
    other = built(settings(tags={"b": "2", "a": "1"}))
    assert json.dumps(one) == json.dumps(other)


# ---- names


@pytest.mark.parametrize(
    ("manifest", "job"),
    [
        ("round1.manifest", "round1"),
        ("/data/Round 1 (final).manifest", "Round-1-final"),
        ("s3://pool/a_b.v2.jsonl", "a-b-v2"),
        ("café.manifest", "cafe"),
        ("s3://pool/my/own/rounds/r2.manifest", "r2"),
        ("manifests/output/output.manifest", "output"),
        ("my.photos.manifest.gz", "my-photos"),
        ("写真.manifest", "image-classification-1"),
        (".manifest", "manifest"),
        ("x" * 62 + "-yz.manifest", "x" * 62),
        (
            "s3://pool/out/Cats-1/manifests/output/output.manifest",
            "Cats-1-image-classification",
        ),
    ],
)
def test_a_job_is_named_after_its_manifest(manifest: str, job: str) -> None:
    assert named(settings(manifest=manifest)).job == job


@given(st.text(max_size=90), st.sampled_from(sorted(TASKS)), st.none() | st.text(max_size=20))
def test_names_made_by_us_are_always_legal(manifest: str, task: str, previous: str | None) -> None:
    made = settings(task, manifest=manifest, previous_attribute=previous)
    names = named(made)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", names.job)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,126}", names.attribute)
    assert names.attribute.endswith("-ref") == TASKS[task].ref
    assert not names.attribute.endswith("-metadata")
    assert names.attribute not in ("source", "source-ref", previous)


@pytest.mark.parametrize(
    ("job", "task", "attribute"),
    [
        ("cats", "image-classification", "cats"),
        ("cats", "semantic-segmentation", "cats-ref"),
        ("cats-ref", "semantic-segmentation", "cats-ref"),
        ("cats-ref", "bounding-box", "cats"),
        ("cats-metadata-ref", "bounding-box", "cats"),
        ("source", "bounding-box", "source-label"),
        ("source", "semantic-segmentation", "source-label-ref"),
        ("round0", "adjust-bounding-box", "round0-adjust"),
        ("round0", "adjust-segmentation", "round0-adjust-ref"),
    ],
)
def test_the_attribute_is_named_after_the_job(job: str, task: str, attribute: str) -> None:
    assert named(settings(task, name=job)).attribute == attribute


@pytest.mark.parametrize(
    ("given_name", "better"),
    [
        ("my_job", "my-job"),
        ("v1.2", "v1-2"),
        ("-x", "x"),
        ("a" * 64, "a" * 63),
        ("", "labels-1"),
        ("ä!", "a"),
    ],
)
def test_an_illegal_job_name_is_refused_with_a_legal_one(given_name: str, better: str) -> None:
    with pytest.raises(UsageError) as refused:
        named(settings(name=given_name))
    assert str(refused.value).endswith(f": write --name {better}.")
    assert named(settings(name=better)).job == better


@pytest.mark.parametrize(
    ("task", "attribute", "better"),
    [
        ("image-classification", "my_label", "my-label"),
        ("image-classification", "label-metadata", "label"),
        ("image-classification", "source", "label"),
        ("image-classification", "source-ref", "label"),
        ("image-classification", "label-ref", "label"),
        ("semantic-segmentation", "label", "label-ref"),
        ("verify-segmentation", "label-ref", "label"),
        ("adjust-bounding-box", "round0", "round0-adjust"),
        ("adjust-segmentation", "round0-ref", "round0-adjust-ref"),
        ("image-classification", "x" * 128, "x" * 100),
        ("image-classification", "", "label"),
    ],
)
def test_an_illegal_attribute_is_refused_with_a_legal_one(
    task: str, attribute: str, better: str
) -> None:
    with pytest.raises(UsageError) as refused:
        named(settings(task, attribute=attribute))
    assert str(refused.value).endswith(f": write --attribute {better}.")
    assert named(settings(task, attribute=better)).attribute == better


def test_names_that_the_user_gave_stay() -> None:
    names = named(settings(name="Cats--2", attribute="Kind-of-Cat"))
    assert (names.job, names.attribute) == ("Cats--2", "Kind-of-Cat")


def test_a_team_of_another_region_is_refused() -> None:
    team = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:workteam/private-crowd/cats"
    with pytest.raises(UsageError, match="is in us-east-1, and the job would be in eu-west-1"):
        named(settings(workteam=team))


# ---- the file of categories


def test_the_order_of_labels_is_kept_and_letters_stay_letters() -> None:
    made = settings(labels=("Zebra", "Äpfel", "cat"))
    content = categories_json(made, TASKS[made.task])
    assert content is not None
    assert "Äpfel" in content.decode()
    assert json.loads(content) == {
        "document-version": "2018-11-28",
        "labels": [{"label": "Zebra"}, {"label": "Äpfel"}, {"label": "cat"}],
    }


def test_a_custom_job_may_have_no_labels() -> None:
    made = settings("custom", labels=())
    assert categories_json(made, TASKS["custom"]) is None
    request = built(
        made, documents=Documents("s3://my-pool/m", "s3://my-pool/o", None, "s3://my-pool/t")
    )
    assert "LabelCategoryConfigS3Uri" not in request
    assert "PreHumanTaskLambdaArn" not in request["HumanTaskConfig"]
    assert "AnnotationConsolidationConfig" not in request["HumanTaskConfig"]


def test_words_for_the_page_of_aws_are_escaped() -> None:
    made = settings(
        "text-spans", question="Is 1 < 2 & x?", instructions="<script>\n\n  two\nlines "
    )
    content = categories_json(made, TASKS["text-spans"])
    assert content is not None
    assert json.loads(content)["instructions"] == {
        "shortInstruction": "<p>Is 1 &lt; 2 &amp; x?</p>",
        "fullInstruction": "<p>&lt;script&gt;</p><p>two lines</p>",
    }


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=40, unique=True))
def test_short_names_of_text_labels_are_short_and_different(labels: list[str]) -> None:
    made = settings("text-spans", labels=tuple(labels))
    content = json.loads((categories_json(made, TASKS["text-spans"]) or b"").decode())
    shorts = [label["shortDisplayName"] for label in content["labels"]]
    assert len(set(shorts)) == len(labels)
    assert all(re.fullmatch(r"[a-z0-9]{1,4}", short) for short in shorts)


def test_labels_that_are_no_text_are_refused() -> None:
    """The command line hands on bytes that are not UTF-8 as half of a letter."""
    made = settings(labels=("cat", "caf\udce9"))
    with pytest.raises(UsageError, match="--labels"):
        categories_json(made, TASKS[made.task])


def test_repaired_tracks_name_the_attribute_that_they_repair() -> None:
    made = settings("adjust-video-tracking", previous_attribute="tracks-ref")
    content = categories_json(made, TASKS[made.task])
    assert content is not None
    assert json.loads(content)["auditLabelAttributeName"] == "tracks-ref"


# ---- defaults


@pytest.mark.parametrize(("workteam", "seconds"), [("public", 43_200), ("cat-people", 2_592_000)])
def test_tasks_wait_as_long_as_the_workforce_allows(workteam: str, seconds: int) -> None:
    human = built(settings(workteam=workteam))["HumanTaskConfig"]
    assert human["TaskAvailabilityLifetimeInSeconds"] == seconds


@given(
    st.sampled_from(sorted(TASKS)),
    st.lists(st.text(min_size=1, max_size=60), max_size=30),
    st.none() | st.text(max_size=300),
)
def test_words_made_by_us_are_always_legal(
    task: str, labels: list[str], question: str | None
) -> None:
    human = built(settings(task, labels=tuple(labels), question=question))["HumanTaskConfig"]
    assert 1 <= len(human["TaskTitle"]) <= 128
    assert 1 <= len(human["TaskDescription"]) <= 255
    assert len(human["TaskDescription"].splitlines()) == 1
    assert 1 <= len(human["TaskKeywords"]) <= 5


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("0.012", (0, 1, 2)),
        ("0.036", (0, 3, 6)),
        ("0.29", (0, 29, 0)),  # 28.999999999999996 cents as a binary fraction
        ("1.2", (1, 20, 0)),
        ("$0.060", (0, 6, 0)),
        (" 1.08 ", (1, 8, 0)),
    ],
)
def test_prices_are_exact(text: str, parts: tuple[int, int, int]) -> None:
    human = built(settings(workteam="public", price=text))["HumanTaskConfig"]
    amount = human["PublicWorkforceTaskPrice"]["AmountInUsd"]
    assert (amount["Dollars"], amount["Cents"], amount["TenthFractionsOfACent"]) == parts


@pytest.mark.parametrize("text", ["", "cheap", "0.0361", "-0.012", "NaN", "inf", "0,036", "1e-5"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--price"):
        price_of(text)


# ---- what cannot be built


def test_nothing_asked_for_is_dropped_silently() -> None:
    for option, more in {
        "--initial-model": {"initial_model": "arn:aws:sagemaker:eu-west-1:1:model/m"},
        "--volume-kms-key": {"volume_kms_key": "k"},
        "--subnet": {"subnets": ("subnet-1",)},
        "--security-group": {"security_groups": ("sg-1",)},
    }.items():
        with pytest.raises(UsageError, match=f"{option} is about automated labeling"):
            built(settings(**more))


@pytest.mark.parametrize(
    ("more", "lacking"),
    [({"subnets": ("s",)}, "--security-group"), ({"security_groups": ("s",)}, "--subnet")],
)
def test_half_a_vpc_is_refused(more: dict[str, Any], lacking: str) -> None:
    with pytest.raises(UsageError, match=f"add {lacking}"):
        built(settings(automated=True, **more))


def test_a_repair_needs_to_know_what_to_repair() -> None:
    with pytest.raises(UsageError, match="--previous-attribute"):
        built(settings("adjust-bounding-box", previous_attribute=None))
    with pytest.raises(UsageError, match=r"--previous-attribute.*leave it out"):
        built(settings("bounding-box", previous_attribute="round0"))


def test_missing_documents_are_named() -> None:
    bare = Documents("s3://my-pool/m", "s3://my-pool/o")
    with pytest.raises(JobError, match="--labels"):
        built(settings(), documents=bare)
    with pytest.raises(JobError, match="--template"):
        built(settings("custom", labels=()), documents=bare)


def test_a_region_without_built_in_functions_still_runs_custom_jobs() -> None:
    with pytest.raises(JobError, match="not in eu-north-1"):
        built(settings(), "eu-north-1")
    request = built(settings("custom"), "eu-north-1")
    assert check_request(request, TASKS["custom"]) == ()


def test_own_functions_take_the_place_of_the_built_in_ones() -> None:
    human = built(settings(post_lambda="SageMaker-vote"))["HumanTaskConfig"]
    assert human["PreHumanTaskLambdaArn"].endswith(":function:PRE-ImageMultiClass")
    assert human["AnnotationConsolidationConfig"] == {
        "AnnotationConsolidationLambdaArn": (
            f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:SageMaker-vote"
        )
    }
