"""Every operation of the document, asked for all kinds of things: it answers as the document says.

schemathesis makes requests of the OpenAPI document, some as it wants them and some that break it on
purpose. The service on a port has to answer each with a status that the document states for that
operation, a body of the schema stated there, and no failure of its own.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
import schemathesis
from explore_program import ExploreThread
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

OPERATIONS = (
    *(("GET", "/v1/info"), ("GET", "/v1/images"), ("GET", "/v1/images/{id}")),
    *(("GET", "/v1/images/{id}/file"), ("GET", "/v1/images/{id}/thumbnail")),
    *(("POST", "/v1/search"), ("POST", "/v1/select"), ("POST", "/v1/save")),
    *(("GET", "/v1/map"), ("GET", "/v1/map/points"), ("GET", "/healthz"), ("GET", "/metrics")),
    ("GET", "/v1/seed"),
)


@pytest.fixture(scope="module")
def document(service: ExploreThread) -> dict[str, Any]:
    return dict(service.visitor().get("/openapi.json").json)


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    OPENAPI_31_VALIDATOR.validate(document)
    stated = {(method.upper(), path) for path, ops in document["paths"].items() for method in ops}
    assert stated == set(OPERATIONS)


def test_the_document_says_what_each_operation_is_and_can_answer(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], path
            assert operation["description"], path
            codes = set(operation["responses"])
            assert {"200", "421"} <= codes
            assert ({"403", "408", "413", "415", "422"} <= codes) == (method == "post")
            assert ("429" in codes) == (path not in ("/healthz", "/metrics"))
            for code, reply in operation["responses"].items():
                assert reply["description"]
                if int(code) >= 400:
                    (content,) = reply["content"].values()
                    assert content["schema"] == {"$ref": "#/components/schemas/ErrorOut"}
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_names_and_limits_are_those_that_generated_clients_use(document: dict[str, Any]) -> None:
    operations = [op for ops in document["paths"].values() for op in ops.values()]
    names = [operation["operationId"] for operation in operations]
    assert {"info", "images", "search", "select", "save"} <= set(names)
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)
    number = document["paths"]["/v1/images/{id}"]["get"]["parameters"][0]["schema"]
    assert (number["minimum"], number["maximum"]) == (0, 2**53 - 1)
    for operation in operations:
        for parameter in operation.get("parameters", ()):
            assert parameter["schema"]["description"]
            assert not {"ge", "le", "anyOf"} & set(parameter["schema"])


def test_every_field_of_a_request_is_described_and_limited(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in ("RefIn", "SearchRequest", "SelectRequest", "SaveRequest"):
        schema = schemas[name]
        assert schema["additionalProperties"] is False
        for field, value in schema["properties"].items():
            assert value["description"], field
    for name in ("SearchRequest", "SelectRequest", "SaveRequest"):
        assert schemas[name]["examples"]


def test_the_examples_work(service: ExploreThread, document: dict[str, Any]) -> None:
    for name in ("search", "select", "save"):
        schema = document["components"]["schemas"][f"{name.capitalize()}Request"]
        for number, example in enumerate(schema["examples"]):
            body = {**example, "name": f"example{number}"} if name == "save" else example
            reply = service.visitor().post(f"/v1/{name}", body)
            assert reply.status == 200, (example, reply.text)
    service.leave()


CHECKS = (
    *(not_a_server_error, status_code_conformance, content_type_conformance),
    *(response_schema_conformance, response_headers_conformance),
)
WITHOUT_PARAMETERS = frozenset({"/v1/info", "/v1/map", "/v1/map/points", "/healthz", "/metrics"})


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        (method, path, mode)
        for method, path in OPERATIONS
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        # Of what takes nothing there is no wrong way to ask.
        if mode is GenerationMode.POSITIVE or path not in WITHOUT_PARAMETERS
    ],
)
def test_whatever_is_asked_is_answered_as_the_document_says(
    service: ExploreThread, document: dict[str, Any], method: str, path: str, mode: GenerationMode
) -> None:
    if path == "/v1/map/points":  # until the map is made it is 503, as the document says
        until = time.monotonic() + 60
        while not service.visitor().get("/v1/map").json["ready"] and time.monotonic() < until:
            time.sleep(0.1)
        service.leave()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=service.origin)
    seen: Counter[int] = Counter()
    wrong = mode is GenerationMode.NEGATIVE
    checks = [*CHECKS, negative_data_rejection] if wrong else list(CHECKS)

    @seed(20261122)
    @settings(
        max_examples=1 if path in WITHOUT_PARAMETERS else 25,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        headers = {"Origin": service.origin}
        reply = case.call_and_validate(headers=headers, timeout=30, checks=checks)
        seen[reply.status_code] += 1

    ask()
    assert seen
    assert not wrong or max(seen) >= 400
