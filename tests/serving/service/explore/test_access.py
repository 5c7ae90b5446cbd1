"""Who may come in where others could: those with a token, and nobody learns one from a reply."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from explore_pool import ColorWords, ExplorePool
from explore_program import ExploreThread, token_of
from hypothesis import given
from hypothesis import strategies as st

from gandt.serving.service.explore.access import Access, kept_secret

GETS = (
    *("/", "/v1/info", "/v1/images", "/v1/images/0", "/v1/images/0/file", "/v1/map"),
    *("/v1/images/0/thumbnail", "/v1/map/points", "/metrics", "/openapi.json", "/static/main.js"),
    *("/nothing", "/enter", "/healthz/", "/docs", "//healthz", "/healthz/../v1/info"),
)
POSTS = ("/v1/search", "/v1/select", "/v1/save")


@pytest.fixture(scope="module")
def service(pool: ExplorePool) -> Iterator[ExploreThread]:
    """For Ann and Ben alone."""
    with ExploreThread(
        pool.index, embedder=ColorWords(), save_folder=pool.saves, people=["ann", "ben"]
    ) as running:
        yield running


def bearer(token: str) -> dict[str, str | None]:
    return {"Authorization": f"Bearer {token}", "Accept": "*/*"}


def test_each_has_a_token_of_their_own(service: ExploreThread) -> None:
    tokens = [token_of(service, name) for name in ("ann", "ben")]
    assert len(set(tokens)) == 2
    assert all(re.fullmatch(r"[\w-]{43}", token) for token in tokens)


def test_strangers_see_nothing_but_that_it_runs(service: ExploreThread) -> None:
    stranger = service.visitor()
    assert stranger.get("/healthz").json == {"ok": True}
    for path in GETS:
        reply = stranger.get(path, {"Accept": "*/*"})
        assert (reply.status, reply.json["field"]) == (401, None), path
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    for path in POSTS:
        assert stranger.post(path, {"id": 0}).status == 401
    page = stranger.get("/")
    assert (page.status, "You need a link" in page.text) == (401, True)
    assert "pool.index" not in page.text


def test_a_link_lets_in_by_a_cookie_that_scripts_cannot_read(service: ExploreThread) -> None:
    ann = service.visitor("ann")
    assert ann.cookie.startswith("gandt-explore-")
    for path in GETS[:6]:
        assert ann.get(path).status == 200, path
    assert ann.post("/v1/search", {"id": 0}).status == 200
    reply = service.visitor().get(f"/enter/{token_of(service, 'ben')}")
    assert reply.status == 200
    assert "ben, you are in" in reply.text
    parts = set(reply.headers["Set-Cookie"].split("; ")[1:])
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= parts
    assert reply.headers["Referrer-Policy"] == "same-origin"
    assert "Location" not in reply.headers  # the next page would come without the cookie


def test_programs_send_the_token_with_each_request(service: ExploreThread) -> None:
    program, token = service.visitor(), token_of(service, "ben")
    assert program.get("/v1/info", bearer(token)).status == 200
    assert program.get("/v1/info", {"Authorization": f"bearer  {token} "}).status == 200
    reply = program.post("/v1/search", {"id": 0}, {**bearer(token), "Origin": None})
    assert reply.status == 200
    assert program.get("/metrics", bearer(token)).status == 200
    assert program.cookie == ""
    assert "Set-Cookie" not in reply.headers


def test_a_cookie_of_ours_does_not_help_another_site(service: ExploreThread) -> None:
    ann = service.visitor("ann")
    reply = ann.post("/v1/save", {"seeds": {}}, {"Origin": "http://evil.example"})
    assert reply.status == 403


@pytest.mark.parametrize(
    "change",
    [
        *(lambda token: "", lambda token: token[:-1], lambda token: f"{token}A"),
        *(lambda token: token.swapcase(), lambda token: "A" * 43, lambda token: "%00" * 20),
        *(lambda token: f"{token[:-1]}%20", lambda token: "x" * 20_000, lambda token: "%F0%28"),
    ],
)
def test_what_is_nearly_a_token_is_none(service: ExploreThread, change: object) -> None:
    assert callable(change)
    token, stranger = change(token_of(service, "ann")), service.visitor()
    for reply in (
        stranger.get(f"/enter/{token}"),
        stranger.get("/v1/info", bearer(token)),
        stranger.get("/v1/info", {"Cookie": f"{service.access.cookie}={token}"}),
        stranger.get(f"/v1/info?token={token_of(service, 'ann')}"),
    ):
        assert reply.status in (401, 404), token
        assert "Set-Cookie" not in reply.headers


def test_a_token_is_nowhere_to_be_read(
    service: ExploreThread, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in what is said, logged or counted: neither a good one nor one that was nearly good."""
    token = token_of(service, "ann")
    nearly = f"{token[:-1]}~"
    visitor = service.visitor()
    with caplog.at_level(logging.DEBUG):
        replies = [
            visitor.get(f"/enter/{token}"),
            visitor.get(f"/enter/{nearly}"),
            visitor.get(f"/enter/{token}/more"),
            visitor.ask("POST", f"/enter/{token}", b"{}", {"Content-Type": "application/json"}),
            visitor.get("/nothing", bearer(token)),
            visitor.post("/v1/search", {"id": "x"}, bearer(token)),
            visitor.get("/metrics", bearer(token)),
            visitor.get("/v1/info", bearer(nearly)),
        ]
    for reply in replies:
        assert token[:-1] not in reply.text
        said = {name: value for name, value in reply.headers.items() if name != "set-cookie"}
        assert token[:-1] not in str(said)
    assert token[:-1] not in caplog.text
    assert 'route="/enter/{token}"' in replies[-2].text


def test_two_services_on_one_machine_keep_their_cookies_apart(pool: ExplorePool) -> None:
    """Browsers keep cookies by host, whatever the port."""
    assert Access.for_people(["ann"], subject="/a").cookie != Access({}, subject="/b").cookie
    assert Access.for_people(["ann"], subject="/a").cookie == Access({}, subject="/a").cookie


@given(st.text())
def test_only_a_token_is_somebodys(text: str) -> None:
    access = Access({"ann": "a token", "ben": "another"})
    assert access.person_of(text) is (None if text not in ("a token", "another") else text)
    assert access.person_of("a token") == "ann"
    assert access.person_of("another") == "ben"


def test_the_document_says_what_is_needed(service: ExploreThread) -> None:
    reply = service.visitor().get("/openapi.json", bearer(token_of(service, "ann")))
    document = reply.json
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert document["components"]["securitySchemes"]["cookie"]["name"] == service.access.cookie
    for path, operations in document["paths"].items():
        for operation in operations.values():
            asked = operation["security"]
            assert asked == ([] if path == "/healthz" else [{"token": []}, {"cookie": []}])
            assert ("401" in operation["responses"]) == (path != "/healthz")


def test_people_keep_their_links_from_one_start_to_the_next(tmp_path: Path) -> None:
    """The file is the owner's alone; each index, each person and each secret has other links."""
    file = tmp_path / "cache" / "links.key"
    secret = kept_secret(file)
    assert secret is not None and kept_secret(file) == secret
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["links.key"]

    def tokens(secret: bytes | None, subject: str = "/a") -> dict[str, str]:
        return Access.for_people(["ann", "ben"], subject=subject, secret=secret).tokens

    again = tokens(secret)
    assert again == tokens(secret)
    every = [again, tokens(secret, "/b"), tokens(None), tokens(kept_secret(tmp_path / "other.key"))]
    assert len({token for found in every for token in found.values()}) == 8
    assert all(len(token) == 43 for token in again.values())


def test_where_nothing_can_be_kept_links_last_as_long_as_the_service(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert kept_secret(tmp_path / "file" / "links.key") is None
    (tmp_path / "damaged.key").write_bytes(b"short")
    assert kept_secret(tmp_path / "damaged.key") is None
