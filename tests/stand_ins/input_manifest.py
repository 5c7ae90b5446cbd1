"""The input manifest of a labeling job, read as strictly as the service reads it.

The rules are those of the developer guide ("Input Data" and "Input Data Quotas"): JSON Lines in
UTF-8, exactly one of `source` and `source-ref` in each, lengths, and how many objects a job takes.
"""

from __future__ import annotations

import json

from aws_objects import Objects, split
from aws_rules import PRIOR, TEXT
from labeling_job import LabelingJob, Line

_FEWEST_AUTOMATED = 1250
_MOST_LINE, _MOST_ATTRIBUTE = 100_000, 20_000


class Broken(Exception):
    """An object, or a whole manifest, that cannot be used; the message is the reason."""


def read_manifest(job: LabelingJob, uri: str, objects: Objects) -> list[Line]:
    if not job.may("s3:GetObject", uri):
        raise Broken(f"Access denied: the role {job.role.arn} may not read the manifest {uri}.")
    data = objects.get(uri)
    found = objects.region(split(uri)[0])
    if data is None:
        raise Broken(f"The manifest {uri} does not exist or cannot be read.")
    if found != job.region:
        raise Broken(f"The manifest {uri} is in {found}, the job in {job.region}.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Broken(f"The manifest {uri} is not UTF-8 (byte {error.start + 1}).") from error
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise Broken(f"The manifest {uri} is empty.")
    parsed = [_parse(job, number, line.removesuffix("\r")) for number, line in enumerate(lines, 1)]
    most = 20_000 if job.code.endswith("SemanticSegmentation") else 100_000
    if len(parsed) > most:
        raise Broken(f"The manifest has {len(parsed)} objects; {most} are allowed.")
    if job.automated and len(parsed) < _FEWEST_AUTOMATED:
        raise Broken(
            f"The manifest has {len(parsed)} objects; automated data labeling needs at least "
            f"{_FEWEST_AUTOMATED}."
        )
    return parsed


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _parse(job: LabelingJob, number: int, text: str) -> Line:
    try:
        line = json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        raise Broken(f"Line {number} of the manifest is no JSON: {error}.") from error
    if not isinstance(line, dict):
        raise Broken(f"Line {number} of the manifest is no JSON object.")
    sources = [key for key in ("source", "source-ref") if key in line]
    if len(sources) != 1:
        raise Broken(f"Line {number} needs exactly one of source and source-ref.")
    if not isinstance(line[sources[0]], str) or not line[sources[0]]:
        raise Broken(f"Line {number}: {sources[0]} must be text.")
    if sources[0] == "source-ref" and not line["source-ref"].startswith("s3://"):
        raise Broken(f"Line {number}: source-ref must be an S3 URI.")
    wanted = "source" if job.code in TEXT else "source-ref"
    if job.code != "PassThrough" and sources[0] != wanted:
        raise Broken(f"Line {number}: tasks of type {job.code} need {wanted}.")
    if max(len(text), len(text.encode())) > _MOST_LINE:
        raise Broken(f"Line {number} is longer than {_MOST_LINE} characters.")
    for key, value in line.items():
        if key.startswith("$"):
            raise Broken(f"Line {number}: the attribute {key} begins with $.")
        held = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if len(held) > _MOST_ATTRIBUTE:
            raise Broken(f"Line {number}: {key} is longer than {_MOST_ATTRIBUTE} characters.")
    if job.code in PRIOR and prior_attribute(job, line) is None:
        raise Broken(f"Line {number} has no label of an earlier job.")
    return line


def prior_attribute(job: LabelingJob, line: Line) -> str | None:
    """The label attribute that a verification or adjustment is about."""
    kind = "object-detection" if job.code.endswith("BoundingBox") else "semantic-segmentation"
    for key, value in line.items():
        name = key.removesuffix("-metadata")
        if name in (key, job.attribute) or name not in line or not isinstance(value, dict):
            continue
        if str(value.get("type", "")).lower() == f"groundtruth/{kind}":
            return name
    return None
