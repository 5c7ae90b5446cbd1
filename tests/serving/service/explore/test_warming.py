"""What the first request needs is had before it comes, and nothing waits for that."""

from __future__ import annotations

import logging
import threading
import time

import pytest
from explore_pool import ColorWords, ExplorePool
from explore_program import ExploreThread

from gandt.errors import ModelError
from gandt.index.folder import open_index
from gandt.serving.service.explore.engine import Engine, Ref, UnusableRef
from gandt.serving.service.explore.warming import Warming
from gandt.types import Embedder


class Loads:
    """Gives the model as often as it is asked for, when it may."""

    def __init__(self) -> None:
        self.times, self.may = 0, threading.Event()

    def __call__(self) -> Embedder:
        self.times += 1
        assert self.may.wait(30)
        return ColorWords()


def ended(warming: Warming) -> bool:
    end = time.monotonic() + 60
    while warming.under_way and time.monotonic() < end:
        time.sleep(0.02)
    return not warming.under_way


def test_pool_and_model_are_there_before_anybody_asks(pool: ExplorePool) -> None:
    load, prepared = Loads(), []
    load.may.set()
    engine = Engine(open_index(pool.index), load)
    warming = Warming(engine, lambda: prepared.append(threading.current_thread().name))
    assert not warming.under_way
    warming.start()
    assert ended(warming)
    assert prepared == ["gandt-warming"]
    assert load.times == 1
    kept = engine.memory.whole()
    engine.search(Ref(text="blue"), 3)
    assert load.times == 1
    assert engine.memory.whole() is kept


def test_requests_are_answered_meanwhile_and_it_ends_without_waiting(pool: ExplorePool) -> None:
    load = Loads()
    with ExploreThread(pool.index, embedder=ColorWords()) as service:
        explorer = service.explorer
        explorer.warming = Warming(Engine(open_index(pool.index), load), lambda: None)
        explorer.warming.start()
        ann = service.visitor()
        assert ann.get("/v1/info").status == 200
        assert ann.post("/v1/select", {"seeds": {"a": [{"id": 1}]}}).status == 200
        began = time.monotonic()
        assert explorer.close(20) is False  # a thread that imports or loads cannot be ended
        assert time.monotonic() - began < 10
        load.may.set()
        assert ended(explorer.warming)
        assert explorer.close(20) is True


def test_a_model_that_cannot_be_had_is_no_news_before_somebody_needs_it(
    pool: ExplorePool, caplog: pytest.LogCaptureFixture
) -> None:
    def load() -> Embedder:
        raise ModelError("the weights of toy:colors cannot be had.")

    engine = Engine(open_index(pool.index), load)
    warming = Warming(engine, lambda: None)
    with caplog.at_level(logging.INFO):
        warming.start()
        assert ended(warming)
    assert caplog.messages == []
    with pytest.raises(ModelError, match="cannot be had"):
        engine.search(Ref(text="blue"), 3)


def test_what_is_no_image_is_refused_without_loading_a_model(pool: ExplorePool) -> None:
    load = Loads()
    engine = Engine(open_index(pool.index), load)
    whole = pool.path("red", 1).read_bytes()
    for data in (b"no image", b"", whole[: len(whole) // 2], b"<svg xmlns='x'/>"):
        with pytest.raises(UnusableRef, match="no image that can be used"):
            engine.search(Ref(image=data), 3)
        with pytest.raises(UnusableRef, match="no image that can be used"):
            engine.vectors([Ref(image=whole), Ref(image=data)])
    assert load.times == 0
