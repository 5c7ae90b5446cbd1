"""Stands in for AWS on loopback, S3 apart: one HTTP server in the test process, in threads.

Services are told apart by the credential scope of the signature, as AWS does. SageMaker, Cognito
and KMS speak JSON 1.1, IAM and STS the query protocol with XML, Lambda REST with JSON. Every
request is held against botocore's model of the service and against its patterns, maxima and enums,
which boto3 does not check; every answer against the model, too. Faults are injected with `fail`,
calls are written down in `log`.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

from aws_shapes import Refused, check_shape, invalid, service_model
from botocore.model import Shape

Answer = dict[str, Any]
Operation = Callable[[Answer, "Caller"], Answer | None]

_SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_DENIED = {"iam": "AccessDenied", "sts": "AccessDenied"}
_REQUEST = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Caller:
    """Who asks, and in which Region."""

    region: str
    key: str


@dataclass
class Call:
    """One request as it was received."""

    service: str
    operation: str
    region: str
    request: Answer
    error: str | None = None  # code of the answer


@dataclass
class Fault:
    """What the next `times` calls of an operation are answered with; None: all of them."""

    operation: str
    code: str
    message: str
    times: int | None
    status: int
    seconds: float  # waited before the answer


@dataclass
class Log:
    """What was asked, in order."""

    calls: list[Call] = field(default_factory=list)

    def named(self, operation: str) -> list[Call]:
        return [call for call in self.calls if call.operation == operation]

    def __len__(self) -> int:
        return len(self.calls)


class AwsServer:
    """The server; `endpoint` is its address, `services` what answers: objects whose methods bear
    the names of operations."""

    def __init__(self) -> None:
        self.services: dict[str, object] = {}
        self.reset()
        server = self

        class Handler(_Handler):
            aws = server

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def reset(self) -> None:
        """Forget faults, refusals and calls."""
        self.log = Log()
        self.faults: list[Fault] = []
        self.denied: set[str] = set()
        self._lock = threading.Lock()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(120)
        self._server.server_close()

    def fail(
        self,
        operation: str,
        code: str = "InternalFailure",
        message: str = "injected",
        times: int | None = 1,
        *,
        status: int | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Answer the next `times` calls of an operation with an error; None: all of them."""
        if status is None:
            status = 500 if code in ("InternalFailure", "ServiceUnavailable") else 400
        self.faults.append(Fault(operation, code, message, times, status, seconds))

    def deny(self, *actions: str) -> None:
        """Refuse the caller these actions, as `iam:GetRole`; `iam:*` for a whole service."""
        self.denied.update(actions)

    def answer(self, service: str, operation: str, request: Answer, caller: Caller) -> Answer:
        """Answer one call, or raise `Refused`."""
        call = Call(service, operation, caller.region, request)
        with self._lock:
            self.log.calls.append(call)
            fault = next(
                (f for f in self.faults if f.operation == operation and f.times != 0), None
            )
            if fault is not None and fault.times is not None:
                fault.times -= 1
        try:
            if fault is not None:
                time.sleep(fault.seconds)
                raise Refused(fault.code, fault.message, fault.status)
            if {f"{service}:{operation}", f"{service}:*"} & self.denied:
                raise Refused(
                    _DENIED.get(service, "AccessDeniedException"),
                    f"User: arn:aws:iam::123456789012:user/{caller.key} is not authorized to "
                    f"perform: {service}:{operation} because no identity-based policy allows it",
                    403 if service in _DENIED or service == "lambda" else 400,
                )
            return self._called(service, operation, request, caller)
        except Refused as error:
            call.error = error.code
            raise

    def _called(self, service: str, operation: str, request: Answer, caller: Caller) -> Answer:
        model = service_model(service)
        found: Operation | None = getattr(self.services.get(service), operation, None)
        if operation not in model.operation_names or found is None:
            raise Refused("UnknownOperationException", f"{service}:{operation} is not known here.")
        shapes = model.operation_model(operation)
        if shapes.input_shape is not None:
            check_shape(shapes.input_shape, request)
        answer = found(request, caller) or {}
        if shapes.output_shape is not None:
            check_answer(shapes.output_shape, answer)
        return answer


def check_answer(shape: Shape, answer: Answer) -> None:
    """Break where the stand-in itself does not keep to the service model."""
    try:
        check_shape(shape, answer)
    except Refused as error:
        raise AssertionError(f"the answer is none of the service: {error.message}") from error


def moment(value: object) -> datetime:
    """Read a time as requests have it: seconds since 1970, or ISO 8601."""
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, timezone.utc)
    return datetime.fromisoformat(str(value).replace("Z", "+00:00"))


def paged(items: Iterable[Any], request: Mapping[str, Any]) -> tuple[list[Any], Answer]:
    """Cut a list into pages of `MaxResults`; the token is the place where the next one begins."""
    found = list(items)
    token = request.get("NextToken", "0")
    if not str(token).isdecimal():
        raise invalid("The NextToken is not valid.")
    start = int(token)
    end = start + int(request.get("MaxResults", 10))
    return found[start:end], {"NextToken": str(end)} if end < len(found) else {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    aws: AwsServer

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = _SCOPE.search(self.headers.get("Authorization", ""))
        if found is None:
            self._send(403, "application/json", b'{"__type":"MissingAuthenticationTokenException"}')
            return
        key, region, service = found.groups()
        caller = Caller(region, key)
        if service in ("iam", "sts"):
            self._query(service, body, caller)
        elif service == "lambda":
            self._rest(caller)
        else:
            self._json(service, body, caller)

    do_POST = do_GET

    def _json(self, service: str, body: bytes, caller: Caller) -> None:
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        try:
            try:
                request = json.loads(body or b"{}")
            except ValueError as error:
                raise Refused("SerializationException", "The body is no JSON.") from error
            answer = self.aws.answer(service, operation, request, caller)
            self._send(200, "application/x-amz-json-1.1", _to_json(answer))
        except Refused as error:
            said = {"__type": error.code, "message": error.message}
            self._send(error.status, "application/x-amz-json-1.1", _to_json(said))

    def _rest(self, caller: Caller) -> None:
        path = unquote(urlsplit(self.path).path)
        found = re.fullmatch(r"/2015-03-31/functions/([^/]+)(/configuration)?/?", path)
        operation = "UnknownOperation"
        if found is not None and self.command == "GET":
            operation = "GetFunctionConfiguration" if found[2] else "GetFunction"
        request = {"FunctionName": found[1]} if found is not None else {}
        try:
            answer = self.aws.answer("lambda", operation, request, caller)
            self._send(200, "application/json", _to_json(answer))
        except Refused as error:
            said = {"Type": "User", "Message": error.message}
            self._send(error.status, "application/json", _to_json(said), error.code)

    def _query(self, service: str, body: bytes, caller: Caller) -> None:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        operation = form.pop("Action", "")
        form.pop("Version", None)
        model = service_model(service)
        try:
            request: Answer = {}
            if operation in model.operation_names:
                shape = model.operation_model(operation).input_shape
                request = _of_form(shape, form) if shape is not None else {}
            answer = self.aws.answer(service, operation, request, caller)
            output = model.operation_model(operation).output_shape
            inner = _to_xml(output, answer) if output is not None else ""
            text = (
                f'<{operation}Response xmlns="{model.metadata["xmlNamespace"]}"><{operation}Result>'
                f"{inner}</{operation}Result><ResponseMetadata><RequestId>{_REQUEST}</RequestId>"
                f"</ResponseMetadata></{operation}Response>"
            )
            self._send(200, "text/xml", text.encode())
        except Refused as error:
            text = (
                f'<ErrorResponse xmlns="{model.metadata["xmlNamespace"]}"><Error>'
                f"<Type>Sender</Type><Code>{error.code}</Code><Message>{escape(error.message)}"
                f"</Message></Error><RequestId>{_REQUEST}</RequestId></ErrorResponse>"
            )
            self._send(error.status, "text/xml", text.encode())

    def _send(self, status: int, kind: str, body: bytes, error: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", _REQUEST)
        if error is not None:
            self.send_header("x-amzn-ErrorType", error)
        self.end_headers()
        self.wfile.write(body)


def _to_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, default=lambda when: round(when.timestamp(), 3)).encode()


def _of_form(shape: Shape, form: Mapping[str, str], place: str = "") -> Any:
    """Read a parameter of the query protocol; None where the form has nothing of it."""
    if shape.type_name == "structure":
        dot = f"{place}." if place else ""
        members = {
            name: found
            for name, member in shape.members.items()
            if (found := _of_form(member, form, dot + name)) is not None
        }
        return members if members or not place else None
    if shape.type_name == "list":
        items: list[Any] = []
        while (
            item := _of_form(shape.member, form, f"{place}.member.{len(items) + 1}")
        ) is not None:
            items.append(item)
        return items or None
    text = form.get(place)
    if text is None or shape.type_name == "string":
        return text
    return text == "true" if shape.type_name == "boolean" else int(text)


def _to_xml(shape: Shape, value: Any) -> str:
    if shape.type_name == "structure":
        return "".join(
            f"<{name}>{_to_xml(shape.members[name], inner)}</{name}>"
            for name, inner in value.items()
            if inner is not None
        )
    if shape.type_name == "list":
        return "".join(f"<member>{_to_xml(shape.member, item)}</member>" for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return escape(str(value))
