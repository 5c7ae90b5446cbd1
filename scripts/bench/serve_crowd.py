#!/usr/bin/env python3
"""Measure how soon `gandt serve` says that it is well while a crowd wants selections from it.

    python scripts/bench/serve_crowd.py [--clients 50] [--seconds 60] [--rows 5000] [--pause 0.1]

A pool that is looked at whole; each question has two classes of five seeds. Clients, in a process
of their own, ask again as soon as they have an answer, and after a tenth of a second where they
were told to come again in some seconds. A third process asks the service for `/healthz` and a bare
starlette application, by itself, for a few bytes, in random order. All share the cores, so what the
bare one takes is what anything takes on this machine under this load.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parents[1] / "tests" / "stand_ins")]

SEEDS, BUDGET = 5, 60
LEAD = 2.0  # seconds that the crowd is there before anything is measured


def run_crowd(port: int, rows: int, clients: int, seconds: float, pause: float) -> None:
    """Let clients ask for selections; print how many replies of each status there were."""
    replies: Counter[int] = Counter()
    until = time.monotonic() + seconds

    def ask(number: int) -> None:
        rng = random.Random(number)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while time.monotonic() < until:
            seeds = {name: [{"id": rng.randrange(rows)} for _ in range(SEEDS)] for name in "ab"}
            body = json.dumps({"seeds": seeds, "budget": BUDGET})
            connection.request("POST", "/v1/select", body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            reply.read()
            replies[reply.status] += 1
            if reply.status == 429:
                time.sleep(pause * rng.uniform(0.5, 1.5))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(replies))


def run_probe(addresses: list[tuple[int, str]], seconds: float) -> None:
    """Ask each address in turn; print the seconds that each took."""
    rng, until = random.Random(0), time.monotonic() + seconds
    known = [(http.client.HTTPConnection("127.0.0.1", port), path) for port, path in addresses]
    took: list[list[float]] = [[] for _ in known]
    while time.monotonic() < until:
        for place in rng.sample(range(len(known)), len(known)):
            connection, path = known[place]
            begin = time.perf_counter()
            connection.request("GET", path)
            connection.getresponse().read()
            took[place].append(time.perf_counter() - begin)
            time.sleep(rng.uniform(0, 0.02))
    print(json.dumps(took))


def measure(folder: Path, options: argparse.Namespace) -> None:
    from desk import BARE, quantile
    from serve import write_index
    from serve_program import Serving

    write_index(folder / "pool.index", options.rows)
    bare = subprocess.Popen([sys.executable, "-c", BARE], stdout=subprocess.PIPE, text=True)
    try:
        assert bare.stdout is not None
        other = int(bare.stdout.readline())
        cache = {"XDG_CACHE_HOME": str(folder / "cache")}
        with Serving(folder, "--no-save", environ=cache) as service:
            service.post("/v1/select", {"seeds": {"a": [{"id": 1}]}, "budget": BUDGET})
            time.sleep(options.settle)  # what it does for nobody at the start
            me = [sys.executable, __file__, "--seconds"]
            crowd = [*me, str(options.seconds + LEAD), "--crowd", str(service.port)]
            crowd += ["--rows", str(options.rows), "--clients", str(options.clients)]
            crowd += ["--pause", str(options.pause)]
            probe = [*me, str(options.seconds), "--probe", str(service.port), str(other)]
            with subprocess.Popen(crowd, stdout=subprocess.PIPE, text=True) as hammering:
                time.sleep(LEAD)
                asked = subprocess.run(probe, stdout=subprocess.PIPE, text=True, check=True)
                replies = json.loads(hammering.communicate()[0])
    finally:
        bare.kill()
    told = ", ".join(f"{number:,} times {status}" for status, number in sorted(replies.items()))
    print(f"{options.clients} clients, {options.seconds:.0f} s, {os.cpu_count()} cores, ", end="")
    print(f"{options.rows:,} images: selections were answered {told}\n")
    print("| request | times | p50 | p99 | slowest | p99 against bare starlette |")
    print("| --- | --- | --- | --- | --- | --- |")
    took = json.loads(asked.stdout)
    base = quantile(took[1], 0.99)
    for name, each in zip(("`/healthz`", "bare starlette"), took, strict=True):
        p50, p99, most = quantile(each, 0.5), quantile(each, 0.99), max(each)
        print(
            f"| {name} | {len(each):,} | {p50 * 1e3:.1f} ms | {p99 * 1e3:.0f} ms | "
            f"{most * 1e3:.0f} ms | {p99 / base:.1f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--pause", type=float, default=0.1, help="after a refusal, in seconds")
    parser.add_argument("--settle", type=float, default=10.0, help="seconds before the crowd comes")
    parser.add_argument("--crowd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--probe", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.crowd:
        most = options.rows
        run_crowd(options.crowd, most, options.clients, options.seconds, options.pause)
    elif options.probe:
        run_probe([(options.probe[0], "/healthz"), (options.probe[1], "/")], options.seconds)
    else:
        with tempfile.TemporaryDirectory(prefix="gandt-bench-") as folder:
            measure(Path(folder), options)


if __name__ == "__main__":
    main()
