"""The labeling desk as a real program or in a thread, and people who come to it by HTTP."""

from __future__ import annotations

import html
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from gandt.labeling.queue_open import QueueOptions, open_queue
from gandt.labeling.templates import Example
from gandt.serving.service.desk.app import Desk, desk_app
from gandt.serving.service.run import bind, make_server

__all__ = ["DeskProgram", "DeskThread", "Reply", "Visitor", "first_line", "raw", "write_manifest"]

PROGRAM = Path(sys.executable).parent / "gandt"


def write_manifest(path: Path, lines: Sequence[Mapping[str, object]]) -> Path:
    """Write lines as a manifest."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def first_line(process: subprocess.Popen[str], seconds: float = 120) -> str:
    """What a program printed first; where there is nothing in time, what it said instead."""
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], seconds)[0]:
        process.kill()
    line = process.stdout.readline()
    assert line, process.communicate(timeout=30)[1]
    return line


class _Desk:
    """Where a desk is, and who is at it."""

    def __init__(self, links: Mapping[str, str]) -> None:
        self.links = dict(links)
        parts = urlsplit(next(iter(self.links.values())))
        self.host, self.port = str(parts.hostname), int(parts.port or 80)
        self.origin = f"http://{parts.netloc}"
        self.visitors: list[Visitor] = []

    def visitor(self, name: str | None = None) -> Visitor:
        """Somebody who comes in: by their link where there is one, else by a name."""
        visitor = Visitor(self)
        self.visitors.append(visitor)
        if name is not None:
            visitor.enter(name)
        return visitor

    def leave(self) -> None:
        """Everybody goes away."""
        for visitor in self.visitors:
            visitor.connection.close()


class DeskThread(_Desk):
    """A desk of this process, with a server of its own on loopback."""

    def __init__(
        self,
        folder: Path,
        manifest: str,
        *,
        out: str = "round1.answers",
        labels: Sequence[str] = (),
        template: str | None = None,
        workers: int = 1,
        lease: float = 900.0,
        people: Sequence[str] = (),
        review: bool = False,
        port: int = 0,
        names: Sequence[str] = (),
        examples: Sequence[Example] = (),
    ) -> None:
        options = QueueOptions(tuple(labels), template, workers, lease, lambda labels: examples)
        self.queue = open_queue(str(folder / manifest), str(folder / out), options)
        bound = bind("127.0.0.1", port)
        start = f"http://127.0.0.1:{bound.getsockname()[1]}"
        invited = [self.queue.join(name) for name in people]
        tokens = {person.name: person.token for person in invited}
        super().__init__(
            {name: f"{start}/enter/{token}" for name, token in tokens.items()} or {"": f"{start}/"}
        )
        desk = Desk(self.queue, invited, review=review)
        ready = threading.Event()
        self.server = make_server(desk_app(desk, names=names), ready.set)
        self.thread = threading.Thread(target=self.server.run, args=([bound],))
        self.thread.start()
        assert ready.wait(10)
        self.bound = bound
        self.summary: dict[str, Any] = {}

    def stop(self) -> dict[str, Any]:
        """End it in good order; what was done."""
        if self.thread.is_alive():
            self.leave()
            self.server.should_exit = True
            self.thread.join(120)
            self.bound.close()
            self.summary = self.queue.summary().as_json()
            self.queue.close()
        return self.summary


class DeskProgram(_Desk):
    """`gandt label`, serving; what it printed is in `links` and, after `stop`, in `summary`."""

    def __init__(
        self, folder: Path, *arguments: object, before: Callable[[], object] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [
                *(str(PROGRAM), "label", *map(str, arguments)),
                *("--no-browser", "--json"),
                *(() if "--port" in arguments else ("--port", "0")),
            ],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,
        )
        line = first_line(self.process)
        started = json.loads(line)
        assert started["event"] == "serving"
        super().__init__(started["people"] or {"": started["url"]})
        self.summary: dict[str, Any] = {}
        self.said = ""

    def stop(self, number: int = signal.SIGINT) -> dict[str, Any]:
        """End it in good order; what it printed last."""
        self.leave()
        self.process.send_signal(number)
        printed, self.said = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, self.said
        assert "Traceback" not in self.said, self.said
        self.summary = json.loads(printed.splitlines()[-1])
        return self.summary

    def kill(self) -> None:
        """End it as a power cut would, as far as a process can tell."""
        self.leave()
        self.process.kill()
        self.said = self.process.communicate(timeout=30)[1]

    def __enter__(self) -> DeskProgram:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.kill()
            if error[1] is not None and self.said:
                print(self.said)  # pytest shows it with the failure


@dataclass(frozen=True, slots=True)
class Reply:
    """What the desk answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def desk(self) -> dict[str, Any]:
        """What the page of a task tells its bar."""
        found = re.search(r'data-desk="([^"]*)"', self.text)
        assert found, self.text[:500]
        return dict(json.loads(html.unescape(found[1])))

    @property
    def images(self) -> list[str]:
        """The addresses of the images to label."""
        found = re.findall(r'data-(?:image|src)="(/image/[^"]*)"', self.text)
        return list(dict.fromkeys(found))


class Visitor:
    """One browser's worth of HTTP: a connection that stays, and a cookie."""

    def __init__(self, desk: _Desk) -> None:
        self.desk, self.cookie = desk, ""
        self.connection = http.client.HTTPConnection(desk.host, desk.port, timeout=20)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Reply:
        """Send one request; a header that is None is left out."""
        sent: dict[str, str | None] = {"Accept": "text/html"}
        if self.cookie:
            sent["Cookie"] = self.cookie
        if method not in ("GET", "HEAD"):
            sent["Origin"] = self.desk.origin
        sent |= dict(headers or {})
        given = {name: value for name, value in sent.items() if value is not None}
        try:
            self.connection.request(method, path, body, given)
            reply = self.connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.connection.close()  # the server closed what stood idle
            self.connection.request(method, path, body, given)
            reply = self.connection.getresponse()
        return Reply(reply.status, reply.headers, reply.read())

    def get(self, path: str = "/", headers: Mapping[str, str | None] | None = None) -> Reply:
        """Ask for a page."""
        return self.ask("GET", path, headers=headers)

    def post(
        self, path: str, value: object, headers: Mapping[str, str | None] | None = None
    ) -> Reply:
        """Send JSON."""
        kind = {"Content-Type": "application/json"}
        return self.ask("POST", path, json.dumps(value).encode(), {**kind, **(headers or {})})

    def enter(self, name: str) -> Reply:
        """Come in."""
        if name in self.desk.links:
            reply = self.get(urlsplit(self.desk.links[name]).path)
        else:
            form = urlencode({"name": name}).encode()
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            reply = self.ask("POST", "/name", form, kind)
        self.cookie = (reply.headers["Set-Cookie"] or "").partition(";")[0]
        return reply

    def answer(self, label: str, desk: Mapping[str, Any] | None = None) -> Reply:
        """Give the task in hand (or one that was seen before) a label."""
        desk = desk or self.get().desk
        content = {"category": json.dumps({"label": label}), "problem": ""}
        path = f"{desk['action']}?revision={desk['revision']}&seconds=1.5"
        return self.post(path, {"answerContent": content})


class Reachable(Protocol):
    """Anything that listens on a port."""

    host: str
    port: int


def raw(place: Reachable, request: bytes, wait: float = 3) -> bytes:
    """Send bytes as they are, and read until the service closes or falls silent."""
    with socket.create_connection((place.host, place.port), timeout=wait) as connection:
        connection.sendall(request)
        found = b""
        try:
            while data := connection.recv(65536):
                found += data
        except TimeoutError:
            pass
        return found
