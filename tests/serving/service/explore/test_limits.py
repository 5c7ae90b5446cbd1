"""More than the service can do, larger than it takes, later than it waits: it says so and stays."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from explore_pool import ColorWords, ExplorePool
from explore_program import ExploreThread, Reply, Visitor
from hypothesis import given
from hypothesis import strategies as st

from gandt.serving.service.explore.gate import Busy, ClientGone, Gate, TooLate
from gandt.serving.service.explore.wire.models import MAX_BODY, MAX_IMAGE
from gandt.serving.service.explore.wire.sent import Bodies, field_path, read_json
from gandt.types import FloatArray, Pixels

# --------------------------------------------------------------------------------------- the gate


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate("test", at_once=2, queue=3, seconds=10)
    yield gate
    gate.close()


class Held:
    """Work that goes on until it is let go."""

    def __init__(self) -> None:
        self.begun, self.free = 0, threading.Event()
        self.lock = threading.Lock()

    def __call__(self) -> str:
        with self.lock:
            self.begun += 1
        assert self.free.wait(20)
        return "done"


def test_beyond_its_places_a_gate_refuses_at_once(gate: Gate) -> None:
    async def crowd() -> None:
        held = Held()
        inside = [asyncio.ensure_future(gate.run(held)) for _ in range(5)]
        await asyncio.sleep(0.2)
        assert (gate.working, gate.waiting, held.begun) == (2, 3, 2)
        began = time.monotonic()
        with pytest.raises(Busy) as refusal:
            await gate.run(held)
        assert time.monotonic() - began < 0.2
        assert refusal.value.seconds >= 1
        assert gate.refused == 1
        held.free.set()
        assert await asyncio.gather(*inside) == ["done"] * 5
        assert (gate.working, gate.waiting, held.begun) == (0, 0, 5)
        assert await gate.run(held) == "done"

    asyncio.run(crowd())


def test_work_whose_time_is_over_keeps_its_place_until_it_ends() -> None:
    """Threads cannot be ended: without this, each request given up would add one more at work."""
    gate = Gate("test", at_once=1, queue=1, seconds=0.2)

    async def late() -> None:
        held = Held()
        with pytest.raises(TooLate) as over:
            await gate.run(held)
        assert (over.value.waited, gate.working, gate.late) == (False, 1, 1)
        with pytest.raises(TooLate) as over:
            await gate.run(held)
        assert (over.value.waited, gate.waiting) == (True, 0)  # it had not begun, and never will
        held.free.set()
        while gate.working:
            await asyncio.sleep(0.01)
        assert held.begun == 1
        assert await gate.run(held) == "done"

    asyncio.run(late())
    gate.close()


def test_whoever_leaves_gives_up_a_place_in_the_queue(gate: Gate) -> None:
    async def leave() -> None:
        held, away = Held(), asyncio.Event()
        inside = [asyncio.ensure_future(gate.run(held)) for _ in range(2)]
        waiting = [asyncio.ensure_future(gate.run(held, away.wait)) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert gate.waiting == 3
        away.set()
        for one in waiting:
            with pytest.raises(ClientGone):
                await one
        assert (gate.waiting, gate.working) == (0, 2)
        held.free.set()
        assert await asyncio.gather(*inside) == ["done", "done"]
        assert held.begun == 2

    asyncio.run(leave())


def test_a_request_that_is_cancelled_leaves_the_queue_too(gate: Gate) -> None:
    async def cancel() -> None:
        held = Held()
        inside = [asyncio.ensure_future(gate.run(held)) for _ in range(4)]
        await asyncio.sleep(0.1)
        inside[3].cancel()
        await asyncio.sleep(0.05)
        assert gate.waiting == 1
        held.free.set()
        assert await asyncio.gather(*inside[:3]) == ["done"] * 3

    asyncio.run(cancel())


def test_what_goes_wrong_is_told_to_whoever_asked_and_the_place_is_free(gate: Gate) -> None:
    def fail() -> str:
        raise ValueError("this one")

    async def ask() -> None:
        for _ in range(20):
            with pytest.raises(ValueError, match="this one"):
                await gate.run(fail)
        assert (gate.working, gate.waiting) == (0, 0)

    asyncio.run(ask())


def test_each_thread_is_prepared_once() -> None:
    seen: list[str] = []
    gate = Gate("test", at_once=2, queue=50, seconds=10, prepare=lambda: seen.append(_thread()))

    async def many() -> None:
        await asyncio.gather(*(gate.run(lambda: time.sleep(0.01)) for _ in range(20)))

    asyncio.run(many())
    gate.close()
    assert len(seen) == len(set(seen)) <= 2
    assert all(name.startswith("gandt-test") for name in seen)


def _thread() -> str:
    return threading.current_thread().name


# ------------------------------------------------------------------------------------ the service


class Slow(ColorWords):
    """A model that takes its time, as long as somebody holds it."""

    def __init__(self) -> None:
        super().__init__()
        self.free, self.encoded = threading.Event(), 0

    def encode(self, pixels: Pixels) -> FloatArray:
        self.encoded += 1
        assert self.free.wait(30)
        return super().encode(pixels)


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.free.set()


@pytest.fixture
def held(pool: ExplorePool, slow: Slow) -> Iterator[ExploreThread]:
    """A service whose model is held."""
    with ExploreThread(pool.index, embedder=slow, save_folder=pool.saves) as running:
        yield running
        slow.free.set()


def metric(visitor: Visitor, name: str) -> float:
    for line in visitor.get("/metrics").text.splitlines():
        if line.startswith(name):
            return float(line.rpartition(" ")[2])
    return 0.0


def until(condition: object, seconds: float = 10) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def ask(service: ExploreThread, number: int) -> Reply:
    return service.visitor().post("/v1/search", {"text": f"blue {number}", "k": 3})


def test_fifty_at_once_get_an_answer_or_are_told_when_to_come_again(
    held: ExploreThread, slow: Slow
) -> None:
    with ThreadPoolExecutor(50) as crowd:
        asked = [crowd.submit(ask, held, number) for number in range(50)]
        ann = held.visitor()
        until(lambda: metric(ann, 'gandt_gate_refused_total{gate="heavy"}') == 40)
        assert metric(ann, 'gandt_gate_working{gate="heavy"}') == 2
        assert metric(ann, 'gandt_gate_waiting{gate="heavy"}') == 8
        until(lambda: slow.encoded == 2)
        for _ in range(20):  # while nothing moves, all that costs little goes on
            began = time.monotonic()
            assert ann.get("/healthz").status == 200
            assert ann.get("/v1/images/0/thumbnail").status == 200
            assert time.monotonic() - began < 5
        slow.free.set()
        replies = [reply.result() for reply in asked]
    assert Counter(reply.status for reply in replies) == {200: 10, 429: 40}
    for reply in replies:
        if reply.status == 429:
            assert 1 <= int(reply.headers["Retry-After"]) <= 60
            assert "ask again" in reply.json["error"]
    assert ask(held, 99).status == 200


def test_a_request_that_takes_too_long_is_answered_all_the_same(
    held: ExploreThread, slow: Slow
) -> None:
    held.explorer.heavy.seconds = 0.3
    replies = [ask(held, number) for number in range(4)]
    for reply in replies:
        assert reply.status == 503
        assert "within 0.3 s" in reply.json["error"]
        assert reply.headers["Retry-After"]
    assert slow.encoded == 2  # two at work, and what waited behind them never began
    slow.free.set()
    held.explorer.heavy.seconds = 30
    until(lambda: held.explorer.heavy.working == 0)
    assert ask(held, 9).status == 200


def test_a_save_that_takes_long_is_told_to_go_on(
    held: ExploreThread, slow: Slow, pool: ExplorePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written all the same, so that to say it was not would be wrong."""
    monkeypatch.setattr("gandt.serving.service.explore.explorer.SAVE_SECONDS", 0.5)
    ann = held.visitor()

    def save(name: str) -> Reply:
        return ann.post("/v1/save", {"name": name, "seeds": {"blue": [{"text": "blue"}]}})

    for name in ("late1", "late2"):
        reply = save(name)
        assert reply.status == 503
        assert "not saved within 0.5 s but goes on" in reply.json["error"]
    waited = save("never")  # behind the two
    assert "not begun within 0.5 s" in waited.json["error"]
    slow.free.set()
    until(lambda: held.explorer.heavy.working == 0)
    saved = {path.name for path in pool.saves.glob("*.manifest")}
    assert {"late1.manifest", "late2.manifest"} <= saved
    assert "never.manifest" not in saved


def test_whoever_closes_the_page_makes_room(held: ExploreThread, slow: Slow) -> None:
    body = json.dumps({"text": "blue"}).encode()
    head = (
        "POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    crowd = [socket.create_connection((held.host, held.port)) for _ in range(10)]
    for connection in crowd:
        connection.sendall(head.encode() + body)
    heavy = held.explorer.heavy
    until(lambda: (heavy.working, heavy.waiting) == (2, 8))
    assert ask(held, 1).status == 429
    for connection in crowd:
        connection.close()
    until(lambda: (heavy.working, heavy.waiting) == (2, 0))
    slow.free.set()
    assert ask(held, 2).status == 200


def test_it_ends_although_something_is_under_way(pool: ExplorePool, slow: Slow) -> None:
    service = ExploreThread(pool.index, embedder=slow)
    with ThreadPoolExecutor(1) as crowd:
        asked = crowd.submit(ask, service, 1)
        until(lambda: slow.encoded == 1)
        assert service.explorer.close(0.2) is False
        slow.free.set()
        assert asked.result().status == 200
        assert service.explorer.close(5) is True
    service.stop()


# ------------------------------------------------------------------------------------ what is sent

KIND = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "missing"),
        (b"not json", "line 1, column 1"),
        (b'{"id": 1,}', "not valid JSON"),
        (b'{"id": 1} {"id": 2}', "not valid JSON"),
        (b'{"id": NaN}', "NaN"),
        (b'{"id": 1, "k": -Infinity}', "-Infinity"),
        (b'{"id": 1, "k": 1e999}', "k has to be"),
        (b'{"id": 1, "k": ' + b"9" * 5000 + b"}", "too long"),
        (b'{"id": 1, "id": 2}', '"id" twice'),
        (b'{"id": 1, "\\u0069d": 2}', '"id" twice'),
        (b'{"text": "\\ud800"}', "text holds half a character"),
        (b'{"id": 1, "\\ud800": 2}', "half a character"),
        (b'{"id": 1, "\xff": 2}', "no UTF-8"),
        (b"\xff\xfe{\x00}\x00", "no UTF-8"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'{"exclude": ' + b"[" * 50_000 + b"]" * 50_000 + b', "id": 1}', "too deeply"),
        (b'{"exclude": ' + b"[" * 200_000 + b"}", "more than 100,000 values"),
        (b'{"a":' * 30_000 + b"1" + b"}" * 30_000, "too deeply"),
        (b'{"id": 1, "exclude": [' + b"1," * 30_000 + b"1]}", "more than 20000"),
        (b'{"id": 1, "exclude": [' + b"1," * 200_000 + b"1]}", "more than 100,000 values"),
        (b'"' + b"x" * 1_000_000 + b'"', "object"),
    ],
)
def test_what_is_no_request_is_refused_in_a_sentence(ann: Visitor, body: bytes, words: str) -> None:
    reply = ann.ask("POST", "/v1/search", body, KIND)
    assert reply.status == 422, reply.text
    assert words in reply.json["error"]
    assert len(reply.body) < 400


def test_names_that_are_half_a_character_are_refused(ann: Visitor) -> None:
    for body in (
        b'{"seeds": {"\\ud800": [{"id": 1}]}}',
        b'{"seeds": {"a": [{"id": 1}]}, "other": "\\udfff"}',
        b'{"seeds": {"a": [{"uri": "\\ud800"}]}}',
        b'{"seeds": {"a": [{"id": 1}]}, "quotas": {"\\ud800": 1}}',
        b'{"seeds": {"a": [{"id": 1}]}, "strategy": "\\ud800"}',
        b'{"seeds": {"a": [{"image": "\\ud800AAAA"}]}}',
    ):
        reply = ann.ask("POST", "/v1/select", body, KIND)
        assert reply.status == 422, body
        assert reply.json["error"]


def test_a_body_that_is_too_large_is_refused_before_it_is_read(
    service: ExploreThread, ann: Visitor
) -> None:
    head = "POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for length in (MAX_BODY + 1, 10**19):
        stated = f"{head}Content-Length: {length}\r\n\r\n".encode()
        with socket.create_connection((service.host, service.port), timeout=10) as connection:
            connection.sendall(stated)
            assert b" 413 " in connection.recv(200).partition(b"\r\n")[0]
    piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with socket.create_connection((service.host, service.port), timeout=10) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(MAX_BODY // 0x100000 + 1):
            connection.sendall(piece)
        assert b" 413 " in connection.recv(200).partition(b"\r\n")[0]
    assert ann.get("/healthz").status == 200
    assert service.explorer.bodies.held == 0


def test_an_image_that_is_too_large_is_refused(ann: Visitor) -> None:
    reply = ann.post("/v1/search", {"image": "A" * (4 * (MAX_IMAGE // 3 + 3))})
    assert (reply.status, reply.json["field"]) == (422, "image")


def test_a_body_that_does_not_come_is_told_so(
    service: ExploreThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gandt.serving.service.guard.BODY_SECONDS", 0.3)
    head = (
        "POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        'Content-Length: 100\r\n\r\n{"id"'
    )
    with socket.create_connection((service.host, service.port), timeout=10) as connection:
        connection.sendall(head.encode())
        reply = b""
        while not reply.endswith(b"}"):
            data = connection.recv(4000)
            assert data, reply
            reply += data
    assert b" 408 " in reply.partition(b"\r\n")[0]
    assert b"within 0.3 s" in reply
    assert service.explorer.bodies.held == 0


def test_bodies_under_way_take_no_more_than_is_allowed_together(
    service: ExploreThread, ann: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.explorer.bodies, "most", 300_000)
    head = (
        "POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 250000\r\n\r\n"
    )
    with socket.create_connection((service.host, service.port), timeout=10) as first:
        first.sendall(head.encode() + b" " * 200_000)
        until(lambda: service.explorer.bodies.held >= 190_000)
        reply = ann.post("/v1/search", {"text": "x" * 150_000})
        assert (reply.status, reply.headers["Retry-After"]) == (429, "2")
        assert ann.post("/v1/search", {"id": 0}).status == 200
    until(lambda: service.explorer.bodies.held == 0)


def test_bodies_are_counted_together() -> None:
    bodies = Bodies(100)
    bodies.take(60)
    with pytest.raises(Busy):
        bodies.take(41)
    bodies.take(40)
    bodies.give_back(60)
    assert bodies.held == 40


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_json_is_read_as_everybody_reads_it(value: object) -> None:
    assert read_json(json.dumps(value).encode()) == value


@given(st.dictionaries(st.text(), st.integers()))
def test_objects_too(value: dict[str, int]) -> None:
    assert read_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (("seeds", "cat", 0, "id"), "seeds.cat[0].id"),
        (("seeds", "a b", 3), 'seeds["a b"][3]'),
        (("seeds", "café", 3), "seeds.café[3]"),
        (("seeds", "x", "[key]"), "seeds.x"),
        (("seeds", '"', "[key]"), 'seeds["\\""]'),
        (("seeds", "\ud800"), 'seeds["\\ud800"]'),
        ((), ""),
    ],
)
def test_fields_are_named_as_programs_name_them(location: tuple[str | int, ...], path: str) -> None:
    assert field_path(location) == path
