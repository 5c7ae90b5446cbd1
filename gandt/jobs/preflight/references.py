"""Which files on S3 a job's workers look at, and in which buckets they lie. Pure functions.

Beside the images that a line asks about there are the example pictures of tiled tasks and of the
page itself, and the masks of an earlier job that people verify or adjust: browsers load them all.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping

from gandt.errors import ManifestError
from gandt.groundtruth.json_lines import SOURCE, SOURCE_REF, decode_tiles, image_uris
from gandt.groundtruth.reference_rules import bucket_of
from gandt.jobs.plan import JobPlan

__all__ = ["arn_of", "first_in_buckets", "image_buckets", "references"]

_IN_PAGE = re.compile(r"""(['"])s3://([a-z0-9.-]+)/(.+?)\1\s*\|\s*grant_read_access""")
_EXAMPLES = ("positive_examples", "negative_examples")


def references(
    record: Mapping[str, object], *, previous_attribute: str | None = None
) -> Iterator[str]:
    """Name every file that a browser loads for one line of the manifest; some may come twice."""
    with contextlib.suppress(ManifestError):  # the check of the lines reports it, with its place
        yield from image_uris(dict(record)) or ()
    holders: list[object] = [record]
    source = record.get(SOURCE)
    if SOURCE_REF not in record and isinstance(source, str):
        holders += decode_tiles(source) or []
    for holder in holders:
        if isinstance(holder, dict):
            for key in _EXAMPLES:
                found = holder.get(key)
                if isinstance(found, list):
                    yield from (uri for uri in found if isinstance(uri, str))
    earlier = record.get(previous_attribute) if previous_attribute else None
    if isinstance(earlier, str) and bucket_of(earlier):
        yield earlier


def first_in_buckets(plan: JobPlan) -> dict[str, str]:
    """Map each bucket that browsers load from to the first file there, by bucket."""
    found: dict[str, str] = {}
    for record in plan.records:
        for uri in references(record, previous_attribute=plan.settings.previous_attribute):
            bucket = bucket_of(uri)
            if bucket:
                found.setdefault(bucket, uri)
    for _, bucket, key in _IN_PAGE.findall(plan.template or ""):
        found.setdefault(bucket, f"s3://{bucket}/{key}")
    return dict(sorted(found.items()))


def image_buckets(plan: JobPlan) -> tuple[str, ...]:
    """Name the buckets that workers' browsers load from, each once, sorted."""
    return tuple(first_in_buckets(plan))


def arn_of(uri: str, *, partition: str = "aws") -> str:
    """Turn an S3 URI, of an object or a bucket, into the ARN that policies speak of.

    Examples
    --------
    >>> arn_of("s3://photos/cats/1.jpg")
    'arn:aws:s3:::photos/cats/1.jpg'
    """
    return f"arn:{partition}:s3:::{uri.removeprefix('s3://')}"
