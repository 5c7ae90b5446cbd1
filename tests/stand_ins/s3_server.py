"""A real S3 API on loopback, inside the test process, that fails when it is told to.

moto's server answers; in front of it stands a WSGI layer that delays, refuses, cuts off or resets
the next requests that match, and counts all of them.
"""

from __future__ import annotations

import logging
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass
class Fault:
    """What happens to the next `times` requests of this method whose raw path holds `path`."""

    times: int = 1
    method: str = "GET"
    path: str = ""
    status: str = ""  # as "503 Slow Down": answered instead of S3
    code: str = ""  # in the error's XML
    region: str = ""  # in the error's XML
    cut: float = 0.0  # share of the body after which the connection closes
    reset: bool = False  # the connection is reset in the middle of the body
    slow: float = 0.0  # seconds that the body takes
    before: Callable[[], object] | None = None  # called before S3 sees the request

    def matches(self, environ: Environ) -> bool:
        raw = environ.get("RAW_URI") or environ["PATH_INFO"]
        return self.times > 0 and environ["REQUEST_METHOD"] == self.method and self.path in raw


class S3Server:
    """The server; `endpoint` is its address."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        logging.getLogger("werkzeug").setLevel("ERROR")
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()
        self.reset()
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def reset(self) -> None:
        """Forget faults, delays and counts; what is stored stays."""
        self.faults: list[Fault] = []
        self.latency = 0.0  # seconds that every request takes at least
        self.requests: Counter[str] = Counter()  # by method
        self.at_once = self.most_at_once = 0

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(120)
        self._server.server_close()

    def fail(self, **fault: Any) -> None:
        self.faults.append(Fault(**fault))

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        with self._lock:
            self.requests[environ["REQUEST_METHOD"]] += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            fault = next((fault for fault in self.faults if fault.matches(environ)), None)
            if fault is not None:
                fault.times -= 1
        try:
            if self.latency:
                time.sleep(self.latency)
            if fault is None:
                return list(self._moto(environ, start_response))
            return self._fail(fault, environ, start_response)
        finally:
            with self._lock:
                self.at_once -= 1

    def _fail(
        self, fault: Fault, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        if fault.before is not None:
            fault.before()
        if fault.status:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            region = f"<Region>{fault.region}</Region>" if fault.region else ""
            body = (
                f"<?xml version='1.0'?><Error><Code>{fault.code}</Code><Message>injected</Message>"
                f"{region}</Error>"
            ).encode()
            headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
            start_response(fault.status, headers)
            return [body]
        body = b"".join(self._moto(environ, start_response))
        return self._spoiled(fault, environ, body)

    def _spoiled(self, fault: Fault, environ: Environ, body: bytes) -> Iterator[bytes]:
        if fault.slow:
            for start in range(0, len(body), max(1, len(body) // 10)):
                time.sleep(fault.slow / 10)
                yield body[start : start + max(1, len(body) // 10)]
        elif fault.cut:
            yield body[: int(len(body) * fault.cut)]
        elif fault.reset:
            yield body[: len(body) // 2]
            connection: socket.socket = environ["werkzeug.socket"]
            linger = struct.pack("ii", 1, 0)  # closing sends RST
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.close()
        else:
            yield body


class Bucket:
    """A bucket of its own for one test, filled past HTTP where only what reads is of interest."""

    def __init__(self, server: S3Server, name: str) -> None:
        from moto.s3.models import s3_backends

        self.server = server
        self.name = name
        self._backend = s3_backends["123456789012"]["aws"]
        self._backend.create_bucket(name, "us-east-1")

    def uri(self, key: str = "") -> str:
        return f"s3://{self.name}/{key}"

    def put(self, key: str, data: bytes) -> str:
        """Store an object; returns its URI."""
        self._backend.put_object(self.name, key, data)
        return self.uri(key)

    def get(self, key: str) -> bytes:
        return bytes(self._backend.get_object(self.name, key).value)

    def delete(self, key: str) -> None:
        self._backend.delete_object(self.name, key)

    def keys(self, prefix: str = "") -> list[str]:
        found = self._backend.buckets[self.name].keys.keys()
        return sorted((key for key in found if key.startswith(prefix)), key=str.encode)
