"""`gandt serve` as a real process, and what another program asks of it: no cookie, no `Origin`."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from desk_program import first_line

__all__ = ["PROGRAM", "Reply", "Serving", "upload"]

PROGRAM = Path(sys.executable).parent / "gandt"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Serving:
    """The process; `started` is the event that it printed, `links` where one comes in."""

    def __init__(
        self,
        folder: Path,
        *arguments: object,
        environ: Mapping[str, str] | None = None,
        before: Callable[[], object] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [
                *(str(PROGRAM), "serve", *map(str, arguments), "--no-browser", "--json"),
                *(() if "--port" in arguments else ("--port", "0")),
            ],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(environ or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,
        )
        line = first_line(self.process)
        self.started = json.loads(line)
        assert self.started["event"] == "serving"
        links = self.started["people"] or {"": self.started["url"]}
        parts = urlsplit(next(iter(links.values())))
        self.links: dict[str, str] = links
        self.host, self.port = str(parts.hostname), int(parts.port or 80)
        self.token = parts.path.rpartition("/")[2]

    def ask(
        self, method: str, path: str, value: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        sent = dict(headers or {})
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        body = None
        if value is not None:
            body = json.dumps(value)
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, sent)
            reply = connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        reply = self.ask("GET", path)
        assert reply.status == 200, reply.body
        return reply.json

    def post(self, path: str, value: object) -> Any:
        reply = self.ask("POST", path, value)
        assert reply.status == 200, reply.body
        return reply.json

    def stop(self, number: int = signal.SIGINT) -> tuple[list[dict[str, Any]], str]:
        """End it in good order; the events printed since the first, and what it said."""
        self.process.send_signal(number)
        printed, said = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, said
        assert "Traceback" not in said, said
        return [json.loads(line) for line in printed.splitlines()], said

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()


def upload(path: Path) -> dict[str, str]:
    """The ref of an image that is sent along."""
    return {"image": base64.b64encode(path.read_bytes()).decode()}
