"""What holds for both services: who may send what from where, what replies say, and how slowly."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from desk_program import DeskThread, Visitor, raw, write_manifest
from explore_pool import ColorWords, make_pool
from explore_program import ExploreThread
from PIL import Image

Service = DeskThread | ExploreThread

POSTS = {DeskThread: ("/name", "/task/0/answer"), ExploreThread: ("/v1/search", "/v1/save")}


@pytest.fixture(scope="module", params=["desk", "explore"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Each service in turn; it has to stand all of this, one after the other."""
    folder = tmp_path_factory.mktemp("service")
    running: Service
    if request.param == "desk":
        Image.new("RGB", (60, 40), "navy").save(folder / "a.png")
        write_manifest(folder / "round1.manifest", [{"source-ref": str(folder / "a.png")}])
        labels = ("cat", "dog", "Other")
        running = DeskThread(folder, "round1.manifest", labels=labels, names=["desk.local"])
    else:
        pool = make_pool(folder, each=3)
        running = ExploreThread(
            pool.index, embedder=ColorWords(), save_folder=pool.saves, names=["desk.local"]
        )
    yield running
    running.stop()


@pytest.fixture
def ann(service: Service) -> Iterator[Visitor]:
    yield service.visitor()
    service.leave()


# ------------------------------------------------------------------------- from where, and to whom


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example"),
        *("", "[x]", "localhost:x", "localhost:80:80", "127.0.0.1@evil.example", "0x7f.1"),
    ],
)
def test_a_foreign_name_that_points_here_is_refused(ann: Visitor, host: str) -> None:
    """DNS rebinding: the browser would send everything that this machine's own pages could."""
    for path in ("/", "/healthz", "/v1/info"):
        reply = ann.get(path, {"Host": host})
        assert (reply.status, list(reply.json)) == (421, ["error", "field"])


def test_a_host_that_is_named_twice_or_never_is_refused(service: Service) -> None:
    for hosts in ("Host: localhost\r\nHost: evil.example\r\n", ""):
        reply = raw(service, f"GET /healthz HTTP/1.1\r\n{hosts}\r\n".encode(), 1)
        assert re.match(rb"HTTP/1.1 4\d\d ", reply)
    old = raw(service, b"GET /healthz HTTP/1.0\r\n\r\n", 1)
    assert b" 421 " in old.partition(b"\r\n")[0]


def test_a_body_of_two_lengths_is_refused_and_what_follows_is_not_read(service: Service) -> None:
    """Request smuggling: of what stands between, each part would see other requests."""
    for path in POSTS[type(service)]:
        sent = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        sent += "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        sent += "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with socket.create_connection((service.host, service.port), timeout=20) as connection:
            connection.sendall(sent.encode())
            reply = b"".join(iter(lambda: connection.recv(4000), b""))
        assert reply.startswith(b"HTTP/1.1 400 ")
        assert reply.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "192.168.1.20", "desk.local"])
def test_addresses_and_own_names_are_answered(service: Service, ann: Visitor, host: str) -> None:
    assert ann.get("/", {"Host": f"{host}:{service.port}"}).status == 200


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "", "http://evil.example", "http://localhost.evil.example", "http://127.0.0.1:1"),
        *("file://", "http://127.0.0.1", "HTTP://EVIL.EXAMPLE", "chrome-extension://abc"),
    ],
)
def test_what_other_sites_send_is_not_taken(service: Service, ann: Visitor, origin: str) -> None:
    for path in POSTS[type(service)]:
        for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
            reply = ann.post(path, {"id": 0}, {"Origin": origin, "Content-Type": kind})
            assert (reply.status, "Set-Cookie" in reply.headers) == (403, False)


def test_what_comes_from_no_page_is_taken_by_what_is_meant_for_programs_alone(
    service: Service, ann: Visitor
) -> None:
    reply = ann.post(POSTS[type(service)][0], {"id": 0}, {"Origin": None})
    assert reply.status == (403 if isinstance(service, DeskThread) else 200)


@pytest.mark.parametrize(
    "kind",
    [
        *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
        *("", "application/jsonx", "text/plain; application/json", "application/json-seq", None),
    ],
)
def test_a_form_of_another_site_cannot_look_like_a_program(
    service: Service, ann: Visitor, kind: str | None
) -> None:
    """Without an Origin, what browsers send to other sites unasked is told by its kind."""
    path, desk = POSTS[type(service)][0], isinstance(service, DeskThread)
    reply = ann.post(path, {"id": 0}, {"Origin": None, "Content-Type": kind})
    assert reply.status == (403 if desk else 415)
    if not desk:
        assert "application/json" in reply.json["error"]
        assert ann.post(path, {"id": 0}, {"Content-Type": kind}).status == 415


def test_json_may_say_its_character_set(service: Service, ann: Visitor) -> None:
    if isinstance(service, ExploreThread):
        kind = {"Content-Type": "Application/JSON; charset=utf-8"}
        assert ann.post("/v1/search", {"id": 0}, kind).status == 200


def test_every_reply_protects_the_page(ann: Visitor) -> None:
    nonces = set()
    for path in ("/", "/", "/nothing", "/healthz", "/static/x", "/v1/images/0/x"):
        headers = ann.get(path).headers
        policy = headers["Content-Security-Policy"]
        found = re.search(r"script-src 'nonce-([\w-]{20,})';", policy)
        assert found
        nonces.add(found[1])
        for part in (
            *("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"),
            *("form-action 'self'", "connect-src 'self'"),
        ):
            assert part in policy
        assert "unsafe" not in policy
        assert "*" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers
        assert "server" not in {name.lower() for name in headers}
    assert len(nonces) == 6


# ----------------------------------------------------------------------------------- how slowly


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service with little patience."""
    here = "gandt.serving.service.patience"
    for name, seconds in (
        *(("HEAD_SECONDS", 0.6), ("IDLE_SECONDS", 0.2)),
        *(("TAKE_SECONDS", 0.5), ("_CLOSE_SECONDS", 0.3)),
    ):
        monkeypatch.setattr(f"{here}.{name}", seconds)
    monkeypatch.setattr("gandt.serving.service.guard.BODY_SECONDS", 0.6)


def trickle(connection: socket.socket, text: bytes, every: float = 0.05) -> float:
    """Send byte after byte until the other side has enough; how long it stood that."""
    began = time.monotonic()
    done = threading.Event()

    def send() -> None:
        try:
            while not done.is_set():
                for place in range(len(text)):
                    connection.sendall(text[place : place + 1])
                    if done.wait(every):
                        return
        except OSError:
            pass

    sender = threading.Thread(target=send)
    sender.start()
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    finally:
        done.set()
        sender.join(120)
    return time.monotonic() - began


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\n",
        b"POST /nothing HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 900000\r\n\r\n",
    ],
    ids=["first line", "headers", "second request", "body of what was refused"],
)
def test_headers_that_come_byte_by_byte_are_not_waited_for(
    service: Service, hurried: None, first: bytes
) -> None:
    with closing(socket.create_connection((service.host, service.port), timeout=15)) as slow:
        slow.sendall(first)
        assert trickle(slow, b"X-Slow: and slower and slower; ") < 8


def test_whoever_is_too_slow_is_told(service: Service, hurried: None) -> None:
    reply = raw(service, b"GET / HTTP/1.1\r\nHost: loc", wait=10)
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive in time" in reply
    silent = raw(service, b"", wait=10)
    assert silent == b""  # nothing was asked, so nothing is answered


def test_a_body_that_comes_byte_by_byte_is_not_waited_for(service: Service, hurried: None) -> None:
    path = POSTS[type(service)][0]
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
        "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    )
    with closing(socket.create_connection((service.host, service.port), timeout=15)) as slow:
        slow.sendall(head.encode())
        assert trickle(slow, b" ") < 8


def test_a_connection_that_is_used_stays(service: Service, hurried: None) -> None:
    ann = service.visitor()
    began = time.monotonic()
    assert ann.get("/healthz").status == 200
    kept = ann.connection.sock
    while time.monotonic() - began < 1.5:  # longer than any patience
        assert ann.get("/healthz").status == 200
    assert ann.connection.sock is kept
    service.leave()


def test_many_slow_ones_keep_nobody_out(service: Service, ann: Visitor, hurried: None) -> None:
    slow = [socket.create_connection((service.host, service.port)) for _ in range(150)]
    try:
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        assert ann.get("/healthz").status == 200
        until = time.monotonic() + 10
        while time.monotonic() < until and len(service.server.server_state.connections) > 2:
            time.sleep(0.1)
        assert len(service.server.server_state.connections) <= 2
    finally:
        for connection in slow:
            connection.close()


@pytest.fixture
def crowded(service: Service, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many connections a service has before it parts with idle ones: few."""
    monkeypatch.setattr(service.server.config, "limit_concurrency", 40)
    return 20


def connected(service: Service) -> socket.socket:
    return socket.create_connection((service.host, service.port), timeout=15)


def head_of_a_body(service: Service) -> bytes:
    path = POSTS[type(service)][0]
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{{".encode()


@pytest.mark.parametrize("said", ["nothing", "half a head", "half a body", "one request"])
def test_whoever_comes_to_a_full_house_takes_the_place_of_who_has_waited_longest(
    service: Service, ann: Visitor, crowded: int, said: str
) -> None:
    first = {
        "nothing": b"",
        "half a head": b"GET / HTTP/1.1\r\nX-Slow: ",
        "half a body": head_of_a_body(service),
        "one request": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    }[said]
    idle = []
    try:
        for _ in range(3 * crowded):
            idle.append(connected(service))
            idle[-1].sendall(first)
        until = time.monotonic() + 15
        while len(service.server.server_state.tasks) > crowded:  # requests of those who went
            assert time.monotonic() < until
            time.sleep(0.01)
        for _ in range(5):
            assert service.visitor().get("/healthz").status == 200
        assert len(service.server.server_state.connections) <= crowded
        idle[0].settimeout(15)
        with pytest.raises(ConnectionError):  # closed, whatever it had been told before
            while idle[0].recv(4000):
                pass
            raise ConnectionError
    finally:
        for connection in idle:
            connection.close()


def test_a_connection_that_is_used_is_not_the_one_that_goes(
    service: Service, ann: Visitor, crowded: int
) -> None:
    assert ann.get("/healthz").status == 200
    kept, idle = ann.connection.sock, []
    try:
        for _ in range(3 * crowded):
            idle.append(connected(service))
            assert ann.get("/healthz").status == 200
        assert ann.connection.sock is kept
    finally:
        for connection in idle:
            connection.close()
