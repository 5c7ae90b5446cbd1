"""Whether the buckets exist, lie in the job's Region, and let workers' browsers read them.

Asks S3 through `gandt.aws`; changes nothing (`cors` does, when it is told to).
"""

from __future__ import annotations

from gandt import aws
from gandt.aws import AwsError
from gandt.jobs.cors import judge, merged, read_rules
from gandt.jobs.plan import Check, JobPlan
from gandt.jobs.preflight.references import first_in_buckets
from gandt.jobs.preflight.words import command, document, error, fine, not_asked, warning

__all__ = ["check_bucket", "check_cors"]


def check_bucket(plan: JobPlan, bucket: str) -> list[Check]:
    """Look whether a bucket exists and where."""
    name, region = f"bucket s3://{bucket}", plan.names.region
    ours = bucket == plan.settings.bucket
    by_hand = (
        f"see that {command('aws', 's3api', 'head-bucket', '--bucket', bucket)} answers with "
        f'"BucketRegion": "{region}"'
    )
    try:
        where = _region_of(bucket, region)
    except AwsError as failure:
        if failure.missing:
            return [error(name, "does not exist", _create(plan, bucket))]
        return [not_asked(name, failure, by_hand)]
    if where == region:
        return [fine(name, f"is in {region}")]
    if ours:
        return [
            error(
                name,
                f"is in {where} and the job would run in {region}",
                f"give `--region {where}` (with --workteam there too), or --bucket one in {region}",
            )
        ]
    first = first_in_buckets(plan).get(bucket, f"s3://{bucket}")
    copied = command("aws", "s3", "sync", f"s3://{bucket}", _copy_of(plan, bucket))
    return [
        error(
            name,
            f"is in {where}, and the job in {region} cannot read {first} and what else lies there",
            f"give `--region {where}` with --bucket and --workteam there too; or copy the images "
            f"({copied}) and name the copies in the manifest",
        )
    ]


def _copy_of(plan: JobPlan, bucket: str) -> str:
    prefix = plan.settings.prefix.strip("/")
    return f"s3://{plan.settings.bucket}/{prefix + '/' if prefix else ''}from-{bucket}"


def _create(plan: JobPlan, bucket: str) -> str:
    if bucket != plan.settings.bucket:
        return "correct the references to it in the manifest"
    region = plan.names.region
    made = ["aws", "s3api", "create-bucket", "--bucket", bucket, "--region", region]
    if region != "us-east-1":  # which refuses to be named as a place
        made += ["--create-bucket-configuration", f"LocationConstraint={region}"]
    return f"correct --bucket, or create it: {command(*made)}"


def _region_of(bucket: str, region: str) -> str:
    try:
        answer = aws.call("s3", "get_bucket_location", region, Bucket=bucket)
    except AwsError as failure:
        if not failure.denied:
            raise
        # Only the owner may ask for the place, and many a policy forgets it.
        answer = aws.call("s3", "head_bucket", region, Bucket=bucket)
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        found = answer.get("BucketRegion") or headers.get("x-amz-bucket-region")
        if not found:
            raise failure from None
        return str(found)
    place = answer.get("LocationConstraint") or "us-east-1"
    return "eu-west-1" if place == "EU" else str(place)


def check_cors(plan: JobPlan, bucket: str, set_cors: bool = False) -> list[Check]:
    """Look whether browsers may read the images of a bucket.

    Parameters
    ----------
    set_cors
        Whether a missing rule will be added before the job is created.
    """
    name, region = f"CORS of s3://{bucket}", plan.names.region
    shown = command("aws", "s3api", "get-bucket-cors", "--bucket", bucket)
    try:
        rules = read_rules(bucket, region)
    except AwsError as failure:
        if failure.missing:
            return []  # the check of the bucket says so
        return [
            not_asked(
                name,
                failure,
                f"see that {shown} shows a rule with GET for the origin *; without one workers "
                "see no image",
            )
        ]
    found = judge(rules)
    if found == "any":
        return [fine(name, "browsers may read its images")]
    if set_cors:
        return [fine(name, "has no rule for browsers; --set-cors will add it")]
    configuration = document({"CORSRules": merged(rules)})
    put = command(
        *("aws", "s3api", "put-bucket-cors", "--bucket", bucket),
        *("--cors-configuration", configuration),
    )
    kept = f" ({'the rule' if len(rules) == 1 else f'the {len(rules)} rules'} there kept)"
    fix = f"give --set-cors, or run{kept if rules else ''}: {put}"
    if found == "some":
        return [
            warning(
                name,
                "lets only some origins read its images, and workers' pages may come from others",
                fix,
            )
        ]
    return [
        error(
            name,
            "has no rule that lets workers' browsers read its images, so tasks would show none "
            "and expire",
            fix,
        )
    ]
