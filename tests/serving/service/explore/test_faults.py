"""What goes wrong inside: whoever asked gets a sentence, whoever runs it the reason."""

from __future__ import annotations

import logging
import resource
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from explore_pool import ColorWords, ExplorePool
from explore_program import ExploreThread
from serve_program import Serving

from gandt.types import FloatArray, Pixels

FAULT = {"error": "The service could not answer this: tell whoever runs it.", "field": None}


class Broken(ColorWords):
    """A model that fails as only its own runtime knows why."""

    def encode(self, pixels: Pixels) -> FloatArray:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


@pytest.fixture(scope="module")
def broken(pool: ExplorePool) -> Iterator[ExploreThread]:
    with ExploreThread(pool.index, embedder=Broken(), people=["ann"]) as running:
        yield running


def test_what_nobody_foresaw_is_logged_once_with_its_trace(
    broken: ExploreThread, caplog: pytest.LogCaptureFixture
) -> None:
    ann = broken.visitor("ann")
    with caplog.at_level(logging.WARNING):
        reply = ann.post("/v1/search", {"text": "blue"})
        end = time.monotonic() + 20
        while not caplog.records and time.monotonic() < end:  # the reply goes first
            time.sleep(0.02)
    assert (reply.status, reply.json) == (500, FAULT)
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    (record,) = caplog.records
    assert record.getMessage() == "gandt: POST /v1/search could not be answered."
    assert record.exc_info is not None
    assert "illegal memory access" in str(record.exc_info[1])
    assert ann.get("/v1/info").status == 200
    counted = ann.get("/metrics").text
    assert 'gandt_requests_total{method="POST",route="/v1/search",status="500"} 1.0' in counted
    broken.leave()


def test_a_picture_that_gets_shorter_while_it_is_sent_ends_the_reply(
    broken: ExploreThread, pool: ExplorePool, caplog: pytest.LogCaptureFixture
) -> None:
    """What was promised cannot be sent: the client sees that it is not whole."""
    path = pool.path("green", 14)
    before = path.read_bytes()
    path.write_bytes(before + bytes(40_000_000))
    ann = broken.visitor("ann")
    head = f"GET /v1/images/{pool.id('green', 14)}/file HTTP/1.1\r\nHost: localhost\r\n"
    try:
        with socket.create_connection((broken.host, broken.port), timeout=20) as connection:
            connection.sendall(f"{head}Cookie: {ann.cookie}\r\n\r\n".encode())
            got = len(connection.recv(1000))
            path.write_bytes(before)
            with caplog.at_level(logging.WARNING):
                while data := connection.recv(1 << 20):
                    got += len(data)
    finally:
        path.write_bytes(before)
    assert 1000 <= got < 40_000_000
    assert "Content-Length" in str(caplog.records[0].exc_info)
    assert ann.get("/healthz").status == 200
    broken.leave()


def test_an_index_that_is_deleted_meanwhile_is_said_by_name(
    pool: ExplorePool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(pool.index, tmp_path / "deleted.index")
    with ExploreThread(tmp_path / "deleted.index", embedder=ColorWords()) as service:
        ann = service.visitor()
        assert ann.get("/v1/info").status == 200
        shutil.rmtree(tmp_path / "deleted.index")
        with caplog.at_level(logging.WARNING):
            replies = [
                ann.get("/v1/images"),
                ann.post("/v1/search", {"id": 1}),
                ann.post("/v1/select", {"seeds": {"a": [{"id": 1}]}}),
                ann.get("/v1/images/1/thumbnail"),
            ]
        for reply in replies:
            assert reply.status == 503
            assert reply.json["error"].endswith(".")
            assert reply.headers["Retry-After"]
        assert ann.get("/healthz").status == 200
        assert ann.get("/v1/info").status == 200
    assert len(caplog.records) == len(replies)
    assert "deleted.index" in caplog.text
    assert "Traceback" in caplog.text  # of what the system refused


def test_where_the_disk_is_full_thumbnails_come_all_the_same(
    pool: ExplorePool, tmp_path: Path
) -> None:
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    with Serving(
        *(tmp_path, "--index", pool.index, "--save-to", tmp_path),
        environ={"XDG_CACHE_HOME": str(tmp_path / "cache")},
        before=no_room,
    ) as program:
        for number in list(pool.ids.values())[:5]:
            reply = program.ask("GET", f"/v1/images/{number}/thumbnail")
            assert (reply.status, reply.headers["Content-Type"]) == (200, "image/jpeg")
        wanted = {"name": "full", "seeds": {"a": [{"id": 1}]}}
        saved = program.ask("POST", "/v1/save", wanted)
        assert saved.status == 503
        assert saved.json["error"].endswith(".")
        assert [path.name for path in tmp_path.glob("full*")] == []
        assert program.get("/v1/info")["images"]
        _, said = program.stop()
    assert said.count("it goes on without") == 1
