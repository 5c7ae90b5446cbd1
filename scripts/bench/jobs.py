"""Uploads, looks at images, and fetches of a labeling job, against bare boto3 in as many threads.

    python scripts/bench/jobs.py [--files 1000] [--latency 0.02] [--rounds 3]

S3 is moto in a process of its own on loopback, each request delayed by `--latency` seconds; it
shares the cores, and is the limit of both sides. The peer sends, reads or fetches the same objects
by `put_object` and `get_object` with one client and 32 threads, without hashes, checksums, atomic
files or any record of what was done. Rounds are interleaved.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

STAND_INS = Path(__file__).resolve().parents[2] / "tests" / "stand_ins"
THREADS = 32
BUCKET = "sagemaker-bench"

SERVER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from aws_fixtures import Aws
from aws_server import AwsServer
from s3_server import S3Server
import json
aws = Aws(AwsServer(), S3Server())
bucket = aws.bucket("sagemaker-bench")
image = bucket.put("one.png", b"")
request = aws.image_job("bench", ["cat", "dog"], [image], bucket=bucket)
for number in range(int(sys.argv[3])):
    key = f"output/bench/annotations/worker-response/iteration-1/{number}/2026-01-05_09:15:00.json"
    bucket.put(key, json.dumps({"answers": []}).encode() * 30)
print(json.dumps({"env": aws.environment, "request": request}), flush=True)
aws.s3.latency = float(sys.argv[2])
time.sleep(1e6)
"""


def pictures(folder: Path, count: int) -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    found = {}
    for number in range(count):
        stream = io.BytesIO()
        pixels = rng.integers(0, 256, (160, 160, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(stream, "JPEG", quality=90)
        path = folder / f"{number:05d}.jpg"
        path.write_bytes(stream.getvalue())
        found[str(path)] = stream.getvalue()
    return found


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, STAND_INS, str(arguments.latency), str(arguments.files)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        os.environ.update(told["env"])
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), arguments.files, arguments.rounds, told["request"])
    finally:
        server.kill()


def measure(folder: Path, files: int, rounds: int, request: dict[str, Any]) -> None:
    import boto3
    from botocore.config import Config

    from gandt import aws
    from gandt.jobs.fetch import fetch
    from gandt.jobs.images import inspect_images
    from gandt.jobs.upload import image_uri, send

    aws.call("sagemaker", "create_labeling_job", "us-east-1", **request)
    client = boto3.client("s3", config=Config(max_pool_connections=2 * THREADS))
    images = pictures(folder, files)
    answers = [
        f"output/bench/annotations/worker-response/iteration-1/{n}/2026-01-05_09:15:00.json"
        for n in range(files)
    ]
    times: dict[str, list[float]] = {}

    def timed(name: str, run: Callable[[], Any]) -> None:
        times.setdefault(name, []).append(seconds(run))

    def bare(work: Callable[[str], Any], things: list[str]) -> None:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(work, things))

    def get(key: str, **how: str) -> bytes:
        return bytes(client.get_object(Bucket=BUCKET, Key=key, **how)["Body"].read())

    for turn in range(rounds):
        prefix = f"round-{turn}"
        facts = inspect_images(list(images))
        to_s3 = {each.uri: image_uri(each, BUCKET, prefix) for each in facts}
        timed("send", lambda to_s3=to_s3: send(to_s3, {}))  # type: ignore[misc]
        timed(
            "bare send",
            lambda turn=turn: bare(  # type: ignore[misc]
                lambda path: client.put_object(
                    Bucket=BUCKET, Key=f"bare-{turn}/{Path(path).name}", Body=images[path]
                ),
                list(images),
            ),
        )
        timed("send again", lambda to_s3=to_s3: send(to_s3, {}))  # type: ignore[misc]
        there = list(to_s3.values())
        timed("inspect", lambda there=there: inspect_images(there))  # type: ignore[misc]
        timed(
            "bare inspect",
            lambda there=there: bare(  # type: ignore[misc]
                lambda uri: get(uri.removeprefix(f"s3://{BUCKET}/"), Range="bytes=0-32767"), there
            ),
        )
        target = folder / f"answers-{turn}"
        timed("fetch", lambda target=target: fetch("bench", str(target), "us-east-1"))  # type: ignore[misc]
        timed("bare fetch", lambda: bare(get, answers))
        timed(
            "fetch again",
            lambda target=target: fetch("bench", str(target), "us-east-1"),  # type: ignore[misc]
        )
    best = {name: statistics.median(each) for name, each in times.items()}
    print(f"| what ({files:,} files) | gandt | bare boto3 | ratio of rates | nothing new |")
    print("| --- | --- | --- | --- | --- |")
    for name, what in (
        ("send", "upload"),
        ("inspect", "look at images on S3"),
        ("fetch", "fetch answers"),
    ):
        again = f"{best[f'{name} again']:.1f} s" if f"{name} again" in best else ""
        ours, theirs = best[name], best[f"bare {name}"]
        print(f"| {what} | {ours:.1f} s | {theirs:.1f} s | **{theirs / ours:.2f}** | {again} |")


if __name__ == "__main__":
    main()
