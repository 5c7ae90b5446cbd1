"""`gandt label` under load: many people at once, each answer looked for afterwards.

    python scripts/bench/desk.py [--people 50] [--seconds 60] [--think 1.0]

Each simulated person fetches a task, answers it, asks a bare starlette application in a process of
its own for a few bytes, and thinks for an exponentially distributed time. Latencies are those that
the client sees; the clients' threads share the cores with both servers, so only their ratio says
something. An answer counts as accepted when the desk said so.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "stand_ins"))
from desk_program import DeskProgram, write_manifest
from PIL import Image

LABELS = ("cat", "dog", "Other")
BARE = """
import socket, sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("fine"))])
# Only with its protocol named does asyncio send at once, without waiting for more (Nagle).
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listener.bind(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
config = uvicorn.Config(app, log_level="warning", timeout_keep_alive=600)
uvicorn.Server(config).run(sockets=[listener])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--think", type=float, default=1.0)
    arguments = parser.parse_args()
    bare = subprocess.Popen([sys.executable, "-c", BARE], stdout=subprocess.PIPE, text=True)
    try:
        assert bare.stdout is not None
        port = int(bare.stdout.readline())
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), arguments.people, arguments.seconds, arguments.think, port)
    finally:
        bare.kill()


def measure(folder: Path, people: int, seconds: float, think: float, port: int) -> None:
    from gandt.groundtruth.responses import read_answers

    picture = folder / "a.png"
    Image.effect_noise((600, 400), 60).save(picture)
    lines = [{"source-ref": str(picture), "gandt-pool-uri": f"/pool/{n}"} for n in range(20_000)]
    write_manifest(folder / "round1.manifest", lines)
    names = [f"person{number}" for number in range(people)]
    desk = DeskProgram(
        folder,
        *("round1.manifest", "--labels", ",".join(LABELS), "--workers-per-task", 3),
        *("--people", ",".join(names)),
    )
    accepted: dict[tuple[str, str], str] = {}
    times: dict[str, list[float]] = {"page": [], "answer": [], "bare starlette": []}
    lock, end = threading.Lock(), time.monotonic() + seconds

    def work(name: str) -> None:
        rng = random.Random(name)
        visitor = desk.visitor(name)
        other = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

        def bare() -> float:
            start = time.perf_counter()
            other.request("GET", "/")
            other.getresponse().read()
            return time.perf_counter() - start

        time.sleep(rng.random() * think)
        while time.monotonic() < end:
            bare_first = rng.random() < 0.5  # what comes next to what must favor nobody
            took = bare() if bare_first else 0.0
            start = time.perf_counter()
            shown = visitor.get().desk
            seen = time.perf_counter()
            label = rng.choice(LABELS)
            reply = visitor.answer(label, shown)
            saved = time.perf_counter()
            with lock:
                if reply.status == 200:
                    accepted[f"/pool/{shown['task']}", name] = label
            took = took if bare_first else bare()
            with lock:
                times["page"].append(seen - start)
                times["answer"].append(saved - seen)
                times["bare starlette"].append(took)
            time.sleep(rng.expovariate(1 / think))

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    desk.stop()
    found = read_answers([str(folder / "round1.answers")])
    stored = dict(
        zip(zip(found.task, found.worker, strict=True), map(str, found.label), strict=True)
    )
    lost = sum(stored.get(key) != label for key, label in accepted.items())
    print(f"{people} people, {seconds:.0f} s, {os.cpu_count()} cores: {len(accepted):,} answers")
    print(f"accepted, {lost} of them lost, {len(stored) - len(accepted)} more stored\n")
    print("| request | p50 | p99 | p99 against bare starlette |")
    print("| --- | --- | --- | --- |")
    base = quantile(times["bare starlette"], 0.99)
    for kind, each in times.items():
        half, most = quantile(each, 0.5), quantile(each, 0.99)
        print(f"| {kind} | {half * 1e3:.1f} ms | {most * 1e3:.0f} ms | {most / base:.1f} |")


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


if __name__ == "__main__":
    main()
