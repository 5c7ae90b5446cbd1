"""Many people at the same time: every answer that was accepted is found afterwards."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

from desk_program import DeskThread

from gandt.groundtruth.responses import read_answers

Start = Callable[..., DeskThread]

PEOPLE, SECONDS = 20, 4.0


def test_twenty_people_lose_nothing_and_get_in_nobodys_way(
    start: Start, lines: list[dict[str, object]], tmp_path: Path
) -> None:
    manifest = [
        {"source-ref": f"{lines[n % 6]['source-ref']}", "gandt-pool-uri": f"/p/{n}"}
        for n in range(400)
    ]
    names = [f"p{number:02d}" for number in range(PEOPLE)]
    desk = start(manifest, workers=3, people=names)
    accepted: dict[tuple[str, str], str] = {}
    faults: list[str] = []
    lock = threading.Lock()
    until = time.monotonic() + SECONDS

    def work(name: str) -> None:
        rng = random.Random(name)
        visitor = desk.visitor(name)
        while time.monotonic() < until:
            page = visitor.get()
            if "data-desk" not in page.text:
                break
            shown = page.desk
            label = rng.choice(("cat", "dog", "Other"))
            replies = [visitor.answer(label, shown) for _ in range(rng.choice((1, 1, 2)))]
            with lock:
                if any(reply.status != 200 for reply in replies):
                    faults.append(f"{name}: {[reply.status for reply in replies]}")
                key = (f"/p/{shown['task']}", name)
                if key in accepted:
                    faults.append(f"{key} was asked twice")
                accepted[key] = label

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert faults == []
    assert len(accepted) > 2 * PEOPLE
    summary = desk.stop()
    assert summary["answers"] == len(accepted)
    found = read_answers([str(tmp_path / "round1.answers")])
    assert {oddity.kind for oddity in found.oddities} <= {"unanswered"}
    said = dict(zip(zip(found.task, found.worker, strict=True), found.label, strict=True))
    assert said == accepted
    votes = [task for task, _ in accepted]
    assert max(votes.count(task) for task in set(votes)) <= 3
