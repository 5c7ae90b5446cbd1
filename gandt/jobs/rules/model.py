"""What the service model says of a request, and boto3 does not look at.

Before it sends, boto3 checks names, types and minima. Patterns, maximum lengths, maximum numbers
and lists of allowed values stand in the same model (API version 2017-07-24, shipped in botocore),
but only the service itself looks at them, once everything is uploaded. Here the whole model is
walked, and every breach becomes a sentence; what to do stands after its last colon.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gandt import aws

__all__ = ["FIELDS", "Field", "check_model", "option"]

_SHOWN = 60  # characters of a value, in a sentence


@dataclass(frozen=True, slots=True)
class Field:
    """How a user sets a field of the request."""

    setting: str  # name in `JobSettings`
    allowed: str = ""  # what its pattern means, as the end of "may hold only …" or "must be …"


_URI = "must be an S3 URI, as s3://bucket/key"
_NAME = "may hold only letters a to z, digits, and hyphens inside"
_FUNCTION = "must be the ARN of a Lambda function in the job's Region"
_KEY = "must be the id, alias or ARN of a KMS key"
_HUMAN = "HumanTaskConfig"
_AUTO = "LabelingJobAlgorithmsConfig"
_RESOURCES = f"{_AUTO}.LabelingJobResourceConfig"
_PRICE = f"{_HUMAN}.PublicWorkforceTaskPrice"

# Fields without their list positions. What is not listed is set by no option.
FIELDS = {
    "LabelingJobName": Field("name", _NAME),
    "LabelAttributeName": Field("attribute", _NAME),
    "InputConfig.DataSource.S3DataSource.ManifestS3Uri": Field("prefix", _URI),
    "OutputConfig.S3OutputPath": Field("prefix", _URI),
    "OutputConfig.KmsKeyId": Field("kms_key", _KEY),
    "RoleArn": Field(
        "role", "must be the ARN of a role, as arn:aws:iam::111122223333:role/GroundTruth"
    ),
    "LabelCategoryConfigS3Uri": Field("prefix", _URI),
    "StoppingConditions.MaxHumanLabeledObjectCount": Field("max_objects"),
    "StoppingConditions.MaxPercentageOfInputDatasetLabeled": Field("max_percent"),
    _AUTO: Field("automated"),
    f"{_AUTO}.LabelingJobAlgorithmSpecificationArn": Field("automated"),
    f"{_AUTO}.InitialActiveLearningModelArn": Field(
        "initial_model", "must be the ARN of a model that an automated job ended with"
    ),
    f"{_RESOURCES}.VolumeKmsKeyId": Field("volume_kms_key", _KEY),
    f"{_RESOURCES}.VpcConfig": Field("subnets"),
    f"{_RESOURCES}.VpcConfig.SecurityGroupIds": Field(
        "security_groups", "must be the id of a security group, as sg-0123456789abcdef0"
    ),
    f"{_RESOURCES}.VpcConfig.Subnets": Field(
        "subnets", "must be the id of a subnet, as subnet-0123456789abcdef0"
    ),
    f"{_HUMAN}.WorkteamArn": Field(
        "workteam", "must be 'public', the name of a private team, or the ARN of a work team"
    ),
    f"{_HUMAN}.UiConfig.UiTemplateS3Uri": Field("prefix", _URI),
    f"{_HUMAN}.PreHumanTaskLambdaArn": Field("pre_lambda", _FUNCTION),
    f"{_HUMAN}.AnnotationConsolidationConfig.AnnotationConsolidationLambdaArn": Field(
        "post_lambda", _FUNCTION
    ),
    f"{_HUMAN}.TaskKeywords": Field(
        "keywords", "may hold only letters a to z and digits, with single blanks between words"
    ),
    f"{_HUMAN}.TaskTitle": Field("title", "may hold no emoji and no control characters"),
    f"{_HUMAN}.TaskDescription": Field("description", "may hold no line break"),
    f"{_HUMAN}.NumberOfHumanWorkersPerDataObject": Field("workers"),
    f"{_HUMAN}.TaskTimeLimitInSeconds": Field("task_seconds"),
    f"{_HUMAN}.TaskAvailabilityLifetimeInSeconds": Field("availability_seconds"),
    f"{_HUMAN}.MaxConcurrentTaskCount": Field("max_concurrent"),
    _PRICE: Field("price"),
    f"{_PRICE}.AmountInUsd": Field("price"),
    f"{_PRICE}.AmountInUsd.Dollars": Field("price"),
    f"{_PRICE}.AmountInUsd.Cents": Field("price"),
    f"{_PRICE}.AmountInUsd.TenthFractionsOfACent": Field("price"),
    "Tags": Field("tags", "may hold only letters, digits, blanks and _.:/=+-@"),
}

# Options whose name is not the setting's: times are written with a unit, and lists one by one.
_OPTIONS = {
    "task_seconds": "--task-time",
    "availability_seconds": "--availability",
    "tags": "--tag",
    "subnets": "--subnet",
    "security_groups": "--security-group",
}


def option(setting: str) -> str:
    """Give the option of `gandt launch` that sets a field of `JobSettings`."""
    return _OPTIONS.get(setting, f"--{setting.replace('_', '-')}")


def check_model(request: Mapping[str, Any]) -> tuple[str, ...]:
    """List every breach of the service model, a sentence each; empty where there is none."""
    shape = aws.request_shape("sagemaker", "CreateLabelingJob")
    found = tuple(_walk(shape, request, ""))
    if found:
        return found
    return tuple(
        f"boto3 refuses the request ({line}): correct it."
        for line in aws.complaints("sagemaker", "CreateLabelingJob", dict(request))
    )


def _walk(shape: Any, value: object, path: str) -> Iterator[str]:
    kind = shape.type_name
    if kind == "structure":
        yield from _structure(shape, value, path)
    elif kind == "list":
        yield from _list(shape, value, path)
    elif kind == "string":
        yield from _string(shape, value, path)
    elif not isinstance(value, int) or isinstance(value, bool):
        yield _sentence(path, f"is {_shown(value)}", "must be a whole number")
    else:
        yield from _number(shape, value, path)


def _structure(shape: Any, value: object, path: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield _sentence(path, f"is {_shown(value)}", "must be an object")
        return
    for name in shape.required_members:
        if name not in value:
            yield _sentence(_below(path, name), "is missing", "give it")
    for name, item in value.items():
        if name not in shape.members:
            yield _sentence(_below(path, str(name)), "is unknown to CreateLabelingJob", "remove it")
        else:
            yield from _walk(shape.members[name], item, _below(path, name))


def _list(shape: Any, value: object, path: str) -> Iterator[str]:
    if not isinstance(value, list | tuple):
        yield _sentence(path, f"is {_shown(value)}", "must be a list")
        return
    limits = shape.metadata
    if len(value) < limits.get("min", 0):
        yield _sentence(path, f"has {len(value)} items", f"give at least {limits['min']}")
    if len(value) > limits.get("max", len(value)):
        yield _sentence(path, f"has {len(value)} items", f"give {limits['max']} at most")
    for number, item in enumerate(value):
        yield from _walk(shape.member, item, f"{path}[{number}]")


def _string(shape: Any, value: object, path: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield _sentence(path, f"is {_shown(value)}", "must be a text")
        return
    limits = shape.metadata
    if len(value) < limits.get("min", 0):
        least = limits["min"]
        yield _sentence(
            path,
            "is empty" if not value else f"has {len(value)} characters",
            f"give at least {least} character{'s' * (least > 1)}",
        )
        return
    if len(value) > limits.get("max", len(value)):
        yield _sentence(
            path,
            f"has {len(value):,} characters",
            f"shorten it to {limits['max']:,} at most",
        )
        return  # what is too long breaks most patterns too
    pattern = limits.get("pattern")
    if pattern is not None and not _matches(pattern, value):
        yield _sentence(path, f"is {_shown(value)}", _allowed(path) or f"must match {pattern}")
    if shape.enum and value not in shape.enum:
        yield _sentence(path, f"is {_shown(value)}", f"must be one of {', '.join(shape.enum)}")


def _number(shape: Any, value: int, path: str) -> Iterator[str]:
    limits = shape.metadata
    low, high = limits.get("min"), limits.get("max")
    if (low is not None and value < low) or (high is not None and value > high):
        between = f"{low:,} or more" if high is None else f"{low:,} to {high:,}"
        yield _sentence(path, f"is {value:,}", f"must be {between}")


def _sentence(path: str, what: str, remedy: str) -> str:
    """Write field, fault and remedy as one sentence that names the option, where there is one."""
    field = _field(path)
    how = f" ({option(field.setting)})" if field is not None else ""
    return f"{path or 'The request'} {what}: {_joined(remedy)}{how}."


def _joined(remedy: str) -> str:
    return f"it {remedy}" if remedy.startswith(("must ", "may ")) else remedy


def _field(path: str) -> Field | None:
    plain = re.sub(r"\[\d+\]", "", path)
    return FIELDS.get(plain) or FIELDS.get(plain.rpartition(".")[0])


def _allowed(path: str) -> str:
    field = _field(path)
    return field.allowed if field is not None else ""


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _matches(pattern: str, text: str) -> bool:
    if r"\p{" in pattern:
        text = "".join(_STAND_INS.get(unicodedata.category(letter)[0], letter) for letter in text)
    return _compiled(pattern).fullmatch(text) is not None


# Python's `re` knows no \p{L}: letters, blanks and numbers of every script are looked up, and one
# of each stands for all.
_STAND_INS = {"L": "a", "Z": " ", "N": "0"}
_CLASSES = {r"\p{L}": "a", r"\p{Z}": " ", r"\p{N}": "0"}


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    r"""Compile a pattern of AWS: `.` is no line break of any kind, `\d` an ASCII digit."""
    for name, stand_in in _CLASSES.items():
        pattern = pattern.replace(name, stand_in)
    parts, in_class, escaped = [], False, False
    for letter in pattern:
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == "[":
            in_class = True
        elif letter == "]":
            in_class = False
        elif letter == "." and not in_class:
            letter = r"[^\n\r\x85\u2028\u2029]"
        parts.append(letter)
    return re.compile("".join(parts), re.ASCII)
