"""The CORS rule of image buckets: read, judged, and added beside what is there, never instead."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.aws import AwsError
from gandt.errors import JobError
from gandt.jobs.cors import RULE, add_cors, add_missing_cors, judge, merged, read_rules

sys.path.append(str(Path(__file__).parent))
from preflight_plans import image_line, make_plan

if TYPE_CHECKING:
    from aws_fixtures import Aws

SHOP = {
    "ID": "shop",
    "AllowedMethods": ["GET", "PUT"],
    "AllowedOrigins": ["https://shop.example.com"],
    "AllowedHeaders": ["x-shop"],
    "MaxAgeSeconds": 60,
}


def set_rules(aws: Aws, bucket: str, *rules: dict[str, Any]) -> None:
    aws.call("s3", "put_bucket_cors", Bucket=bucket, CORSConfiguration={"CORSRules": list(rules)})


@pytest.mark.parametrize(
    ("rules", "who"),
    [
        ([], "none"),
        ([RULE], "any"),
        ([{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://*"]}], "any"),
        ([{"AllowedMethods": ["PUT"], "AllowedOrigins": ["*"]}], "none"),
        ([{"AllowedMethods": ["GET"], "AllowedOrigins": ["http://*"]}], "some"),
        ([SHOP], "some"),
        ([SHOP, RULE], "any"),
        ([{"AllowedMethods": ["HEAD"], "AllowedOrigins": ["*"]}, SHOP], "some"),
    ],
)
def test_rules_are_judged_by_who_may_get(rules: list[dict[str, Any]], who: str) -> None:
    assert judge(rules) == who


RULES = st.lists(
    st.fixed_dictionaries(
        {
            "AllowedMethods": st.lists(st.sampled_from(["GET", "PUT", "HEAD"]), max_size=2),
            "AllowedOrigins": st.lists(
                st.sampled_from(["*", "https://*", "https://a.example"]), max_size=2
            ),
        }
    ),
    max_size=4,
)


@given(RULES)
def test_merging_keeps_every_rule_and_is_enough_at_once(rules: list[dict[str, Any]]) -> None:
    found = merged(rules)
    assert found[: len(rules)] == rules
    assert judge(found) == "any"
    assert merged(found) == found
    assert len(found) - len(rules) == (judge(rules) != "any")


def test_the_first_rule_of_a_bucket(aws: Aws) -> None:
    bucket = aws.bucket(cors=False).name
    assert read_rules(bucket, aws.region) == []
    assert add_cors(bucket, aws.region) is True
    assert aws.objects.browsers_may_read(bucket)
    (rule,) = read_rules(bucket, aws.region)
    assert rule["ExposeHeaders"] == ["Access-Control-Allow-Origin"]


def test_rules_that_are_there_stay_word_for_word(aws: Aws) -> None:
    bucket = aws.bucket(cors=False).name
    set_rules(aws, bucket, SHOP)
    before = read_rules(bucket, aws.region)
    assert add_cors(bucket, aws.region) is True
    after = read_rules(bucket, aws.region)
    assert after[:-1] == before
    assert after[0]["AllowedOrigins"] == ["https://shop.example.com"]
    assert aws.objects.browsers_may_read(bucket)


def test_a_bucket_with_the_rule_is_left_alone(aws: Aws) -> None:
    bucket = aws.bucket(cors=False).name
    add_cors(bucket, aws.region)
    before = aws.s3.requests["PUT"]
    assert add_cors(bucket, aws.region) is False
    assert aws.s3.requests["PUT"] == before


def test_what_could_not_be_read_is_not_replaced(aws: Aws) -> None:
    bucket = aws.bucket(cors=False).name
    set_rules(aws, bucket, SHOP)
    before = aws.s3.requests["PUT"]
    aws.s3.fail(status="403 Forbidden", code="AccessDenied", path="cors")
    with pytest.raises(AwsError, match="GetBucketCors"):
        add_cors(bucket, aws.region)
    assert aws.s3.requests["PUT"] == before
    assert judge(read_rules(bucket, aws.region)) == "some"


def test_a_bucket_full_of_rules_is_not_changed(aws: Aws) -> None:
    bucket = aws.bucket(cors=False).name
    many = [
        {"AllowedMethods": ["GET"], "AllowedOrigins": [f"https://{number}.example.com"]}
        for number in range(100)
    ]
    set_rules(aws, bucket, *many)
    with pytest.raises(JobError, match="has 100 CORS rules and S3 takes no more than 100"):
        add_cors(bucket, aws.region)


def test_every_bucket_of_a_job_gets_what_it_lacks(aws: Aws) -> None:
    aws.bucket("zoo", cors=False)
    aws.bucket("art", cors=True)
    aws.bucket("sea", cors=False)
    plan = make_plan(
        records=[image_line(number, name) for number, name in enumerate(("zoo", "art", "sea"))]
    )
    assert add_missing_cors(plan) == ("sea", "zoo")
    assert all(aws.objects.browsers_may_read(name) for name in ("zoo", "art", "sea"))
    assert add_missing_cors(plan) == ()
    text = make_plan("text-classification", records=[{"source": "a text"}])
    assert add_missing_cors(text) == ()
