"""What computes for long gives way to what answers at once."""

from __future__ import annotations

import os
import sys
import threading

import pytest
from explore_pool import ExplorePool
from explore_program import ExploreThread, Visitor

from gandt.serving.service.explore.background import STEPS, give_way

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="threads have a niceness of their own on Linux alone"
)


def niceness(thread: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, thread)


def niceness_by_name(start: str) -> list[int]:
    """Of the threads that are called so."""
    found = [thread.native_id for thread in threading.enumerate() if thread.name.startswith(start)]
    return [niceness(number) for number in found if number is not None]


def test_a_thread_gives_way_alone_and_with_those_that_it_starts() -> None:
    found: list[int] = []

    def note() -> None:
        found.append(niceness(threading.get_native_id()))

    def compute() -> None:
        give_way()
        note()
        helper = threading.Thread(target=note)
        helper.start()
        helper.join()

    usual = niceness(threading.get_native_id())
    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    assert found == [usual + STEPS] * 2
    assert niceness(threading.get_native_id()) == usual


def test_selections_give_way_to_answers_and_to_pictures(
    service: ExploreThread, pool: ExplorePool, ann: Visitor
) -> None:
    red = pool.id("red", 1)
    assert ann.post("/v1/select", {"seeds": {"red": [{"id": red}]}, "budget": 2}).status == 200
    assert ann.get(f"/v1/images/{red}/thumbnail").status == 200
    assert ann.get("/v1/info").status == 200
    usual = niceness(os.getpid())
    assert service.thread.native_id is not None
    assert niceness(service.thread.native_id) == usual
    # A thread that has had nothing to do yet did not need to.
    assert usual + STEPS in niceness_by_name("gandt-heavy")
    for name in ("gandt-pictures", "gandt-reading"):
        assert set(niceness_by_name(name)) == {usual}, name
