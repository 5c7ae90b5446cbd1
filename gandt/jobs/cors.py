"""The CORS rule that workers' browsers need on every bucket that holds images.

Without one the image widgets cannot read the pixels of an image, and tasks expire unanswered; the
console sets the rule on the manifest's bucket alone (developer guide, "CORS Requirement for Input
Image Data"). `PutBucketCors` replaces all rules of a bucket, so the ones that are there are read
first and kept. Reads and writes through `gandt.aws`; `judge` and `merged` are pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from gandt import aws
from gandt.aws import AwsError
from gandt.errors import JobError
from gandt.jobs.plan import JobPlan
from gandt.jobs.preflight.references import image_buckets

__all__ = ["RULE", "Rule", "add_cors", "add_missing_cors", "judge", "merged", "read_rules"]

Rule = Mapping[str, Any]

# As the developer guide has it.
RULE: Rule = {
    "AllowedHeaders": [],
    "AllowedMethods": ["GET"],
    "AllowedOrigins": ["*"],
    "ExposeHeaders": ["Access-Control-Allow-Origin"],
}
_MOST = 100  # rules that a bucket takes
_NONE_SET = "NoSuchCORSConfiguration"
_ANY = frozenset({"*", "https://*"})  # workers' pages come by https


def read_rules(bucket: str, region: str) -> list[dict[str, Any]]:
    """Read the CORS rules of a bucket; none where it has no such configuration.

    Raises
    ------
    AwsError
        Where the caller may not, or the bucket does not exist.
    """
    try:
        answer = aws.call("s3", "get_bucket_cors", region, Bucket=bucket)
    except AwsError as failure:
        if failure.code == _NONE_SET:
            return []
        raise
    return list(answer.get("CORSRules", []))


def judge(rules: Sequence[Rule]) -> Literal["any", "some", "none"]:
    """Say from where browsers may GET: any origin, some origins only, or none."""
    origins = {
        origin
        for rule in rules
        if "GET" in rule.get("AllowedMethods", ())
        for origin in rule.get("AllowedOrigins", ())
    }
    if origins & _ANY:
        return "any"
    return "some" if origins else "none"


def merged(rules: Sequence[Rule]) -> list[Rule]:
    """Give the rules with ours behind them, where they do not allow as much already."""
    return list(rules) if judge(rules) == "any" else [*rules, RULE]


def add_cors(bucket: str, region: str) -> bool:
    """Add the rule to a bucket that lacks it; returns whether anything was changed.

    Raises
    ------
    AwsError
        Where the caller may not read or set the rules. Nothing is set that was not read.
    JobError
        Where the bucket has as many rules as S3 takes.
    """
    rules = read_rules(bucket, region)
    if judge(rules) == "any":
        return False
    if len(rules) >= _MOST:
        raise JobError(
            f"s3://{bucket} has {len(rules)} CORS rules and S3 takes no more than {_MOST}: put "
            "GET from any origin (*) into one of them, in the bucket's permissions."
        )
    aws.call(
        "s3",
        "put_bucket_cors",
        region,
        Bucket=bucket,
        CORSConfiguration={"CORSRules": merged(rules)},
    )
    return True


def add_missing_cors(plan: JobPlan) -> tuple[str, ...]:
    """Add the rule to every bucket of a job's images that lacks it; returns those changed.

    Raises
    ------
    JobError
        As `add_cors`; buckets before the one that failed keep their new rule.
    """
    return tuple(bucket for bucket in image_buckets(plan) if add_cors(bucket, plan.names.region))
