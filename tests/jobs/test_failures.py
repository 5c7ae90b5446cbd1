"""The service's words become a cause and a remedy; what is not known is handed on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.jobs.failures import Explained, explain_job, explain_object, summarize

EXPIRED = "ClientError: Annotation tasks expired."
LONG = (
    f"{EXPIRED} The possible reasons are: the task availability lifetime is too short, the reward "
    "is too low, the custom template is broken, the data object is corrupt or too big, or all "
    "workers declined the task."
)


@pytest.mark.parametrize(
    ("reason", "cause", "remedy"),
    [
        (EXPIRED, "nobody submitted", "--availability"),
        (LONG, "nobody submitted", "CORS"),
        ("ClientError: All workers declined the task.", "declined", "ask the workers"),
        (
            "ClientError: Pre-human-task Lambda returned no taskInput.",
            "pre-annotation",
            "CloudWatch",
        ),
        ("ClientError: The consolidation Lambda timed out.", "makes a label", "gandt aggregate"),
        ("AccessDenied: s3://b/a.jpg", "may not read", "s3:GetObject"),
        ("NoSuchKey: s3://b/a.jpg", "no such object", "URL-encoded"),
        ("ClientError: The object s3://b/a.jpg does not exist.", "no such object", "key"),
        ("ClientError: The image is too large.", "too large", "40 MB"),
        ("ClientError: Unsupported image format.", "cannot be read", "JPEG or PNG"),
        ("ClientError: The image s3://b/a.jpg cannot be read", "cannot be read", "JPEG or PNG"),
    ],
)
def test_objects(reason: str, cause: str, remedy: str) -> None:
    explained = explain_object(reason)
    assert cause in explained.cause
    assert remedy in explained.remedy
    assert explained.said == reason.rstrip(".")


@pytest.mark.parametrize(
    ("reason", "cause", "remedy"),
    [
        (  # as a job of 2021 said it
            "ClientError: Exception invoking the Lambda function arn:aws:lambda:us-east-1:"
            "123456789012:function:pre. LambdaErrorCode: Unhandled. Ensure the Lambda function "
            "exists, that the role arn:aws:iam::123456789012:role/r has permissions to invoke it "
            "and try your request again.",
            "could not be run",
            "read its log in CloudWatch",
        ),
        ("ClientError: AccessDenied for lambda:InvokeFunction", "could not be run", "SageMaker"),
        ("The post-annotation Lambda returned an invalid response.", "does not take", "log"),
        (
            "ClientError: FreeOfPersonallyIdentifiableInformation must be set for public crowds.",
            "free of personal data",
            "--no-personal-data",
        ),
        ("InvalidPrice: the AmountInUsd is not supported", "price", "--price"),
        ("CORS is not enabled on the bucket", "browsers", "--set-cors"),
        (
            "ClientError: Unable to assume role arn:aws:iam::123456789012:role/r",
            "cannot act in the role",
            "sts:AssumeRole",
        ),
        (
            "The role arn:aws:iam::123456789012:role/r is not authorized to perform iam:PassRole",
            "handed on",
            "iam:PassRole",
        ),
        ("ClientError: Invalid liquid in the UI template", "page", "gandt validate TEMPLATE"),
        (LONG, "nobody submitted", "--price"),
        (
            "ClientError: Access Denied to s3://model-template/lambda/kms.json.",
            "lacks a permission",
            "s3:GetObject",
        ),
        ("KMS key arn:aws:kms:… cannot be used", "KMS", "kms:Decrypt"),
        (
            "ClientError: More than 10% of the human annotation tasks failed.",
            "gives up at 10 %",
            "see why objects failed",
        ),
        ("AlgorithmError: training failed", "automated labeling failed", "without --automated"),
        (
            "ClientError: The labeling job expired after 30 days.",
            "ran out of time",
            "output manifest",
        ),
        ("ResourceLimitExceeded: ml.p3.2xlarge", "quota", "AWS Support"),
        (
            "ClientError: The manifest s3://b/m is no valid JSON Lines file.",
            "manifest",
            "gandt validate MANIFEST",
        ),
        ("Label category configuration is empty", "categories", "--labels"),
        ("The work team does not exist", "work team", "gandt teams"),
        ("ClientError: Access Denied to s3://b/x", "lacks a permission", "s3:PutObject"),
        ("NoSuchBucket: b", "missing", "Region"),
        ("InternalServerError", "service itself", "AWS Support"),
    ],
)
def test_jobs(reason: str, cause: str, remedy: str) -> None:
    explained = explain_job(reason)
    assert cause in explained.cause
    assert remedy in explained.remedy


def test_what_is_not_known_is_handed_on() -> None:
    for explained in (explain_job("Ä new\nreason."), explain_object("Ä new\nreason.")):
        assert explained.said == "Ä new reason"
        assert "CloudWatch" in explained.remedy


def test_many_objects_are_one_line_a_cause() -> None:
    found = summarize([EXPIRED, "AccessDenied: a", LONG, "AccessDenied: b", EXPIRED])
    assert [(count, explained.cause.split()[0]) for count, explained in found] == [
        (3, "nobody"),
        (2, "the"),
    ]
    assert summarize([]) == []


@given(st.text(max_size=200))
def test_every_text_is_explained_in_clauses(reason: str) -> None:
    for explained in (explain_job(reason), explain_object(reason)):
        assert isinstance(explained, Explained)
        assert explained.cause[0].islower()
        assert not explained.cause.endswith(".")
        assert not explained.remedy.endswith(".")
        assert "\n" not in explained.said
