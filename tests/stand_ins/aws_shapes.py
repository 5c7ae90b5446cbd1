"""Requests and answers held against botocore's model of a service, and what boto3 leaves out.

boto3 refuses unknown and missing fields, wrong types and what is too short or too small; patterns,
what is too long or too large, and enums it leaves to the service. Here all of it is refused, in the
words of the service's ValidationException.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator

_MODELS: dict[str, ServiceModel] = {}


class Refused(Exception):
    """The service answers with an error."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def invalid(message: str) -> Refused:
    return Refused("ValidationException", message)


def service_model(service: str) -> ServiceModel:
    """Botocore's model of a service, read once."""
    if service not in _MODELS:
        _MODELS[service] = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    return _MODELS[service]


def check_shape(shape: Shape, value: object) -> None:
    """Refuse what the service model does not allow: fields, types, lengths, patterns, enums."""
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        raise Refused("SerializationException", report.generate_report().replace("\n", "; "))
    broken = list(_broken(shape, value, ""))
    if broken:
        count = len(broken)
        raise invalid(
            f"{count} validation error{'s' if count > 1 else ''} detected: {'; '.join(broken)}"
        )


def _broken(shape: Shape, value: Any, place: str) -> Iterator[str]:
    limits = shape.metadata
    name = place[:1].lower() + place[1:]
    said = f"Value '{value}' at '{name}' failed to satisfy constraint: Member must"
    if shape.type_name == "structure":
        for member, inner in value.items():
            if inner is not None:
                path = f"{place}.{member}" if place else member
                yield from _broken(shape.members[member], inner, path)
        return
    if shape.type_name == "list":
        if len(value) > limits.get("max", len(value)):
            yield f"{said} have length less than or equal to {limits['max']}"
        for number, item in enumerate(value, 1):
            yield from _broken(shape.member, item, f"{place}.{number}.member")
        return
    if shape.type_name == "string":
        if len(value) > limits.get("max", len(value)):
            yield f"{said} have length less than or equal to {limits['max']}"
        if len(value) < limits.get("min", 0):
            yield f"{said} have length greater than or equal to {limits['min']}"
        if "pattern" in limits and not _pattern(limits["pattern"]).fullmatch(value):
            yield f"{said} satisfy regular expression pattern: {limits['pattern']}"
        if limits.get("enum") and value not in limits["enum"]:
            yield f"{said} satisfy enum value set: {limits['enum']}"
    elif shape.type_name in ("integer", "long") and not isinstance(value, bool):
        if value > limits.get("max", value):
            yield f"{said} have value less than or equal to {limits['max']}"
        if value < limits.get("min", value):
            yield f"{said} have value greater than or equal to {limits['min']}"


def _pattern(text: str) -> re.Pattern[str]:
    r"""Translate Java's expressions: classes of Unicode, and a dot that stops at any line's end."""
    for java, python in (
        *((r"\p{L}", r"\w"), (r"\p{N}", r"\d"), (r"\p{Z}", " \u00a0\u2028\u2029")),
        *(
            (r"\p{M}", "\u0300-\u036f"),
            (r"\p{S}", "$+<=>^`|~"),
            (r"\p{P}", r"!-#%-*,-/:;?@\[-\]_{}"),
        ),
    ):
        text = text.replace(java, python)
    text = re.sub(r"(?<![\\\[])\.(?=[+*)])", "[^\n\r\u0085\u2028\u2029]", text)
    return re.compile(text)
