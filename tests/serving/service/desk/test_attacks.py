"""What a desk does not do, whatever is asked of it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from desk_program import DeskThread, Visitor, raw, write_manifest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gandt.errors import ManifestError
from gandt.serving.service.guard import MAX_BODY, Guard
from gandt.serving.service.images import image_type

Start = Callable[..., DeskThread]

NASTY = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ task.input }}{% raw %}",
    "'\u2028</style><b>",
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskThread]:
    """One desk for all attacks; it has to stand them all, one after the other."""
    folder = tmp_path_factory.mktemp("desk")
    Image.new("RGB", (60, 40), "navy").save(folder / "a name that tells.png")
    lines = [{"source-ref": str(folder / "a name that tells.png")}] * 500
    write_manifest(folder / "round1.manifest", lines)
    desk = DeskThread(folder, "round1.manifest", labels=("cat", "dog", "Other"))
    yield desk
    desk.stop()


@pytest.fixture
def desk(shared: DeskThread) -> Iterator[DeskThread]:
    """The same, for a test whose attack must leave no answer."""
    before = shared.queue.summary()
    yield shared
    shared.leave()
    after = shared.queue.summary()
    assert (after.answers, after.skipped) == (before.answers, before.skipped)


@pytest.fixture
def ann(desk: DeskThread) -> Visitor:
    """Somebody who may be here, and has a task in hand."""
    ann = desk.visitor(f"ann {next(_numbers)}")
    assert "data-desk" in ann.get().text
    return ann


_numbers = itertools.count()


# --------------------------------------------------------------------------------------- paths


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text("a secret that nobody named")
    return path


@pytest.mark.parametrize(
    "form",
    [
        "/image/{absolute}",
        "/image//{absolute}",
        "/image/..%2f..%2f{quoted}",
        "/image/%2e%2e/%2e%2e/{relative}",
        "/image/../../../../../../..{absolute}",
        "/image/..\\..\\{relative}",
        "/image/%00{absolute}",
        "/image/{quoted}",
        "/image/file:%2f%2f{quoted}",
        "//{relative}",
        "/{relative}",
        "/image/none",
        "/image/" + "0" * 32,
        "/task/../{relative}",
        "/desk.sqlite",
        "/image/%f0%28%8c%28",
    ],
)
def test_no_path_leads_to_a_file_that_the_manifest_does_not_name(
    desk: DeskThread, ann: Visitor, secret: Path, form: str
) -> None:
    path = form.format(
        absolute=secret, relative=str(secret).lstrip("/"), quoted=str(secret).replace("/", "%2f")
    )
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {ann.cookie}\r\n"
    reply = raw(desk, f"{request}Connection: close\r\n\r\n".encode())
    assert re.match(rb"HTTP/1.1 4\d\d ", reply)
    assert b"a secret" not in reply


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60))
def test_any_address_is_answered_without_a_failure(ann: Visitor, path: str) -> None:
    for start_ in ("/", "/image/", "/task/", "/enter/"):
        assert ann.get(start_ + path.replace("#", "%23")).status < 500


@pytest.mark.parametrize("digits", [1, 9, 10, 5000])
def test_a_number_may_be_as_long_as_it_likes(start: Start, digits: int) -> None:
    """Python reads no number of over 4,300 digits."""
    ann = start(review=True).visitor("ann")
    number = "9" * digits
    for path in (
        *(f"/task/{number}", f"/review/{number}/0", f"/review/0/{number}"),
        *(f"/review?from={number}", f"/progress?task={number}"),
    ):
        assert ann.get(path).status < 500, path
    content = {"answerContent": {"category": '{"label":"cat"}'}}
    for path in (f"/task/{number}/answer", f"/review/{number}/0/answer", "/task/0/answer"):
        assert ann.post(f"{path}?revision={number}&seconds={number}", content).status < 500, path


def test_a_review_takes_answers_only(start: Start) -> None:
    ann = start(review=True).visitor("ann")
    ann.answer("cat")
    assert ann.post("/review/0/0/answer?revision=1", {"skip": "no"}).status == 422
    assert json.loads(ann.get("/task/0").desk["previous"]["category"]) == {"label": "cat"}


def test_what_a_name_leads_to_is_sent_only_where_it_is_an_image(
    start: Start, tmp_path: Path, lines: list[dict[str, Any]], secret: Path
) -> None:
    """A link in the pool that leads to a key, a pipe that would wait for ever, a folder."""
    (tmp_path / "link.png").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "letter.bmp").write_text("BMW sent us a secret, and it is longer than a header.")
    (tmp_path / "page.png").write_text("<html><script>alert(1)</script>")
    (tmp_path / "drawing.svg").write_text("<svg onload='alert(1)' xmlns='x'/>")
    (tmp_path / "good.png").symlink_to(str(lines[0]["source-ref"]))
    names = (
        "letter.bmp",
        "link.png",
        "pipe.png",
        "folder.png",
        "page.png",
        "drawing.svg",
        "gone.png",
    )
    manifest = [{"source-ref": str(tmp_path / name)} for name in (*names, "good.png")]
    ann = start(manifest).visitor("ann")
    for name in names:
        began = time.monotonic()
        reply = ann.get(ann.get().images[0])
        assert reply.status in (404, 415), name
        assert b"secret" not in reply.body
        assert b"alert(1)" not in reply.body
        assert time.monotonic() - began < 2
        ann.answer("cat")
    assert ann.get(ann.get().images[0]).status == 200


def test_images_may_run_nothing_and_be_taken_by_no_other_site(ann: Visitor) -> None:
    headers = ann.get(ann.get().images[0]).headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_images_on_the_web_are_not_fetched(start: Start) -> None:
    with pytest.raises(ManifestError, match="neither on this machine nor on S3"):
        start([{"source-ref": "http://169.254.169.254/latest/meta-data"}])


@given(data=st.binary(max_size=64))
def test_only_what_begins_as_an_image_has_a_type(data: bytes) -> None:
    found = image_type(data)
    assert found is None or found.startswith("image/")
    assert found != "image/svg+xml"


# ----------------------------------------------------------------------- who asks, and from where


def test_answers_are_taken_from_those_who_were_asked_only(desk: DeskThread, ann: Visitor) -> None:
    page = ann.get().desk
    ben, stranger = desk.visitor("ben"), desk.visitor()
    assert ben.answer("cat", page).status == 403  # a task of somebody else
    assert stranger.answer("cat", page).status == 401
    stranger.cookie = ann.cookie[:-1] + ("A" if ann.cookie[-1] != "A" else "B")
    assert stranger.answer("cat", page).status == 401
    assert ann.answer("cat", {**page, "action": "/task/5/answer"}).status == 403
    assert ann.answer("cat", {**page, "action": f"/task/{10**30}/answer"}).status in (403, 404)


def test_a_replay_changes_nothing(shared: DeskThread) -> None:
    ann = shared.visitor("replayer")
    before, page = shared.queue.summary().answers, ann.get().desk
    assert [ann.answer("cat", page).status for _ in range(3)] == [200] * 3
    assert ann.answer("dog", page).status == 409
    assert shared.queue.summary().answers == before + 1


def test_images_are_for_those_who_may_be_here_under_names_that_tell_nothing(
    desk: DeskThread, ann: Visitor
) -> None:
    (address,) = ann.get().images
    assert ann.get(address).status == 200
    assert desk.visitor().get(address).status == 401
    assert re.fullmatch(r"/image/[0-9a-f]{32}", address)
    assert "tells" not in ann.get().text


# ----------------------------------------------------------------------------------- what is sent


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"not json", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"{}", "application/json", 422),
        (b'{"answerContent": []}', "application/json", 422),
        (b'{"answerContent": {}}', "application/json", 422),
        (b'{"answerContent": {"a": NaN}}', "application/json", 422),
        (b'{"answerContent": {"a": -1e999}}', "application/json", 422),
        (b'{"answerContent": {"a": "\\ud800"}}', "application/json", 422),
        (b'{"answerContent": {"a": ' + b"[" * 100_000 + b"}}", "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b'{"skip": "  "}', "application/json", 422),
        (b'{"answerContent": {"a": 1}}', "text/plain", 415),
        (b"a=1", "application/x-www-form-urlencoded", 415),
    ],
)
def test_what_no_page_sends_is_refused(
    desk: DeskThread, ann: Visitor, body: bytes, kind: str, status: int
) -> None:
    reply = ann.ask("POST", ann.get().desk["action"], body, {"Content-Type": kind})
    assert reply.status == status
    assert "error" in reply.json


def test_a_body_that_is_too_large_is_refused(desk: DeskThread, ann: Visitor) -> None:
    path = ann.get().desk["action"]
    body = b'{"answerContent": {"a": "' + b"x" * MAX_BODY + b'"}}'
    assert ann.ask("POST", path, body, {"Content-Type": "application/json"}).status == 413
    ann.connection.close()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
        f"Cookie: {ann.cookie}\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    assert (
        b" 413 "
        in raw(
            desk, head.encode() + piece * (MAX_BODY // 0x100000 + 1) + b"0\r\n\r\n", wait=1
        ).partition(b"\r\n")[0]
    )
    assert ann.get().status == 200


def test_headers_without_end_are_refused(desk: DeskThread) -> None:
    reply = raw(desk, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000)
    assert b" 400 " in reply.partition(b"\r\n")[0]


def test_a_body_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.applications import Starlette
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    monkeypatch.setattr("gandt.serving.service.guard.BODY_SECONDS", 0.1)

    async def read(request: Request) -> PlainTextResponse:
        try:
            await request.body()
        except ClientDisconnect:
            return PlainTextResponse("gone", 408)
        return PlainTextResponse("read")

    async def receive() -> dict[str, object]:
        await asyncio.sleep(60)
        return {"type": "http.request"}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    app = Guard(Starlette(routes=[Route("/", read, methods=["POST"])]))
    headers = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    scope = {"type": "http", "method": "POST", "path": "/", "scheme": "http", "headers": headers}
    began = time.monotonic()
    asyncio.run(app({**scope, "query_string": b"", "root_path": ""}, receive, send))
    assert time.monotonic() - began < 5
    assert sent[0]["status"] == 408


# ------------------------------------------------------------------------------- what comes back


@pytest.fixture
def nasty(start: Start, tmp_path: Path, lines: list[dict[str, Any]]) -> DeskThread:
    paths = []
    for number in (1, 2):
        paths.append(tmp_path / f"{number}<img src=x onerror=alert(1)>.png")
        shutil.copy(str(lines[0]["source-ref"]), paths[-1])
    return start([{"source-ref": str(path)} for path in paths], labels=NASTY, review=True)


def scripts(page: str) -> list[str]:
    return re.findall(r"<script[^>]*>", page)


def test_names_and_labels_are_text_wherever_they_are_shown(nasty: DeskThread) -> None:
    ann = nasty.visitor('"><script>alert(2)</script>')
    pages = [ann.get().text]
    assert ann.answer(NASTY[0]).status == 200
    assert ann.answer(NASTY[1]).status == 200
    pages += [ann.get(path).text for path in ("/", "/task/0", "/review", "/review/0/0")]
    for page in pages:
        assert "alert(2)</script>" not in page
        assert "alert(1)</script>" not in page
        assert "<img src=x" not in page
        policy_nonces = set(re.findall(r'nonce="([^"]+)"', page))
        assert len(policy_nonces) == 1
        assert all("nonce=" in script or "application/json" in script for script in scripts(page))
    assert "&lt;img src=x onerror" in pages[3]


def test_every_page_has_a_strict_policy_with_a_nonce_of_its_own(ann: Visitor) -> None:
    nonces = set()
    for path in ("/", "/", "/welcome", "/nothing", "/progress"):
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
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
    assert len(nonces) == 5


def test_errors_tell_no_more_than_they_should(ann: Visitor, tmp_path: Path) -> None:
    for path in ("/nothing", "/task/99999999", "/image/x", "/review"):
        reply = ann.get(path)
        assert reply.status < 500
        assert str(tmp_path) not in reply.text
        assert "Traceback" not in reply.text
    assert json.loads(ann.get("/nothing", {"Accept": "*/*"}).text) == {"error": "Not Found"}
