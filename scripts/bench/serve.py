#!/usr/bin/env python3
"""Measure `gandt serve` over loopback against the same calls within its own process.

    python scripts/bench/serve.py [--rows 1000000] [--seconds 20] [--folder FOLDER]

One million vectors of 512 dimensions; each question has two classes of five seeds each, another
set of seeds every time. The server is a process of its own. For each kind of request and number of
clients, threads in that process call the engine that it serves, then as many clients in another
process ask over HTTP, then they ask a bare starlette application in a third for a few bytes. A
client sends its next request when it has the answer. Clients share the cores with the server.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parents[1] / "tests"), str(HERE.parents[1] / "tests/stand_ins")]

DIMENSION, SHARD = 512, 100_000
QUESTIONS, SEEDS, NEIGHBORS = 24, 5, 50
KINDS = ("select 60", "select 500", "search")
CLIENTS = (1, 2, 8)


def write_index(folder: Path, rows: int) -> None:
    """Write an index as `gandt embed` leaves one, of vectors around topics."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from search import write_pool

    from gandt.index.card import IndexCard, write_card
    from gandt.types import ModelCard, Preprocessing

    write_pool(folder, rows, DIMENSION, SHARD, 0.2)
    how = Preprocessing(224, "crop", 0.875, "bicubic", (0.5,) * 3, (0.5,) * 3)
    write_card(folder, IndexCard(ModelCard("made", "0" * 64, DIMENSION, how), "fast"))
    (folder / "metadata").mkdir()
    for number, first in enumerate(range(0, rows, SHARD)):
        images = range(first, min(first + SHARD, rows))
        table = {
            "image_path": [f"/photos/{image // 1000:04d}/{image:08d}.jpg" for image in images],
            "size": [40_000] * len(images),
            "version": ["1"] * len(images),
            "sha256": [f"{image * 2654435761 % 2**64:064x}" for image in images],
            "width": pa.array([640] * len(images), pa.int32()),
            "height": pa.array([480] * len(images), pa.int32()),
        }
        pq.write_table(pa.table(table), folder / "metadata" / f"metadata_{number:04d}.parquet")


def timed(work: Callable[[int], object], clients: int, seconds: float) -> dict[str, object]:
    """Let so many threads work for some seconds, each at least once; how long each piece took."""
    took: list[float] = []
    numbers = itertools.count()
    begin = time.perf_counter()

    def client() -> None:
        done = 0
        while not done or time.perf_counter() - begin < seconds:
            start = time.perf_counter()
            work(next(numbers))
            took.append(time.perf_counter() - start)
            done += 1

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"took": took, "seconds": time.perf_counter() - begin}


def run_server(folder: Path) -> None:
    """Serve an index, and work on the same engine for whoever asks on standard input."""
    from explore_program import ExploreThread

    from gandt.index.search import search
    from gandt.selection.select import SelectOptions
    from gandt.serving.service.explore.engine import Ref

    with ExploreThread(folder) as place:
        engine = place.engine
        rng = np.random.default_rng(0)
        rows = rng.choice(engine.index.rows, 2 * QUESTIONS, replace=False)
        near = search(engine.index, engine.index.take(rows), SEEDS).ids.tolist()
        questions = [{"a": near[2 * q], "b": near[2 * q + 1]} for q in range(QUESTIONS)]

        def work(kind: str) -> Callable[[int], object]:
            def find(number: int) -> object:
                return engine.search(Ref(id=int(rows[number % len(rows)])), NEIGHBORS)

            def choose(number: int) -> object:
                seeds = {
                    name: [Ref(id=row) for row in group]
                    for name, group in questions[number % QUESTIONS].items()
                }
                return engine.select(seeds, SelectOptions(budget=int(kind.split()[1])))

            return find if kind == "search" else choose

        bodies = {"search": [{"id": int(row), "k": NEIGHBORS} for row in rows]}
        for kind in KINDS[:2]:
            bodies[kind] = [
                {
                    "seeds": {n: [{"id": row} for row in group] for n, group in question.items()},
                    "budget": int(kind.split()[1]),
                }
                for question in questions
            ]
        for kind in KINDS:
            work(kind)(0)  # what is read and kept once
        address = place.bound.getsockname()
        print(json.dumps({"port": address[1], "bodies": bodies}), flush=True)
        for line in sys.stdin:
            ask = json.loads(line)
            print(json.dumps(timed(work(ask["kind"]), ask["clients"], ask["seconds"])), flush=True)


def run_client(port: int, clients: int, seconds: float) -> None:
    """Ask for the path and with the bodies that standard input says, in turn; no bodies: GET."""
    path, bodies = json.loads(sys.stdin.read())
    sent = [json.dumps(body) for body in bodies]
    own = threading.local()

    def work(number: int) -> None:
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        if sent:
            headers = {"Content-Type": "application/json"}
            own.connection.request("POST", path, sent[number % len(sent)], headers)
        else:
            own.connection.request("GET", path)
        reply = own.connection.getresponse()
        data = reply.read()
        if reply.status != 200:
            raise SystemExit(f"{path}: {reply.status} {data[:200]!r}")

    print(json.dumps(timed(work, clients, seconds)))


def measure(folder: Path, seconds: float, kinds: Sequence[str], numbers: Sequence[int]) -> None:
    from desk import BARE

    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    server = subprocess.Popen([sys.executable, __file__, "--server", str(folder)], **pipes)  # type: ignore[call-overload]
    bare = subprocess.Popen([sys.executable, "-c", BARE], **pipes)  # type: ignore[call-overload]
    try:
        told = json.loads(server.stdout.readline())
        bare_port = int(bare.stdout.readline())

        def within(kind: str, clients: int) -> dict[str, object]:
            ask = {"kind": kind, "clients": clients, "seconds": seconds}
            server.stdin.write(json.dumps(ask) + "\n")
            server.stdin.flush()
            return dict(json.loads(server.stdout.readline()))

        def over_http(port: int, path: str, bodies: list[object], clients: int, most: float):
            command = [sys.executable, __file__, "--client", str(port)]
            command += ["--clients", str(clients), "--seconds", str(most)]
            done = subprocess.run(
                command, input=json.dumps([path, bodies]), capture_output=True, text=True,
                check=True,
            )  # fmt: skip
            return json.loads(done.stdout)

        print(
            "| request | clients | in the process | over HTTP | HTTP : process | bare starlette |"
        )
        print("| --- | --- | --- | --- | --- | --- |")
        for kind in kinds:
            for clients in numbers:
                inner = within(kind, clients)
                path = f"/v1/{kind.split()[0]}"
                outer = over_http(told["port"], path, told["bodies"][kind], clients, seconds)
                plain = over_http(bare_port, "/", [], clients, min(seconds, 3))
                share = rate(outer) / rate(inner)
                print(
                    f"| {kind} | {clients} | {words(inner)} | {words(outer)} | {share:.2f} | "
                    f"{words(plain)} |",
                    flush=True,
                )
    finally:
        server.kill()
        bare.kill()


def rate(run: dict) -> float:
    return len(run["took"]) / run["seconds"]


def words(run: dict) -> str:
    """Requests a second, the median and the 99th percentile (of few: the slowest)."""
    took = sorted(run["took"])
    p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    each = f"{rate(run):,.0f}" if rate(run) >= 20 else f"{rate(run):.2g}"
    return f"{each}/s, {shown(p50)}, {shown(p99)}"


def shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each figure")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--clients", nargs="+", type=int, default=CLIENTS)
    parser.add_argument("--folder", type=Path, help="an index to serve; default: one is made")
    parser.add_argument("--server", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--client", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.server:
        run_server(options.server)
        return
    if options.client:
        run_client(options.client, options.clients[0], options.seconds)
        return
    with tempfile.TemporaryDirectory(prefix="gandt-bench-") as made:
        folder = options.folder or Path(made) / "pool.index"
        if options.folder is None:
            print(f"Writing {options.rows:,} x {DIMENSION} …", file=sys.stderr)
            write_index(folder, options.rows)
        from gandt.index.folder import open_index

        index = open_index(folder)
        print(
            f"{index.live_rows:,} vectors of {index.dimension} dimensions, {os.cpu_count()} cores; "
            "requests a second, p50, p99\n"
        )
        measure(folder, options.seconds, options.kinds, options.clients)


if __name__ == "__main__":
    main()
