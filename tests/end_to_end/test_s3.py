"""The main job with nothing but S3: pool, seeds, index, manifest, table, and a kill on the way."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

import gandt
import gandt.errors
from gandt.groundtruth.manifest import write_manifest
from gandt.report.selection_table import write_selection_table

if TYPE_CHECKING:
    from conftest import MeanColor
    from s3_server import Bucket

CHILD = """
import sys, time
sys.path.insert(0, {tests!r})
from conftest import MeanColor
import gandt, gandt.embedding.runtime as runtime

class Slow(MeanColor):
    def encode(self, pixels):
        time.sleep(0.05)
        return super().encode(pixels)

runtime.load_embedder = lambda *name, **options: (Slow(), "the mean color")
print("ready", flush=True)
gandt.embed({pool!r}, index={index!r}, shard_rows=7, shard_seconds=0.05, decode_workers=2)
print("done", flush=True)
"""

COLORS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


def picture(color: str, number: int) -> bytes:
    rng = np.random.default_rng(number)
    grain = rng.integers(-25, 26, 3) + rng.integers(-4, 5, (24, 32, 3))
    stream = io.BytesIO()
    pixels = np.clip(np.array(COLORS[color]) + grain, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def filled(bucket: Bucket) -> Bucket:
    """`pool/` of 80 pictures under names of all sorts, 20 of them in a shard, and `seeds/`."""
    order = list(COLORS)
    for number in range(60):
        bucket.put(f"pool/ü {number:02d}+50%#.png", picture(order[number % 3], number))
    shard = io.BytesIO()
    with tarfile.open(fileobj=shard, mode="w") as archive:
        for number in range(60, 80):
            data = picture(order[number % 3], number)
            entry = tarfile.TarInfo(f"in tar/{number}.png")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    bucket.put("pool/shard-0.tar", shard.getvalue())
    bucket.put("pool/cut off.png", picture("red", 1)[:90])
    bucket.put("pool/notes.txt", b"no image")
    for color in ("red", "blue"):
        for number in range(100, 102):
            bucket.put(f"seeds/{color}/{number}.png", picture(color, number))
    return bucket


def color_of(uri: str) -> str:
    digits = "".join(c for c in uri.rsplit("/", 1)[1].split("+")[0] if c.isdigit())
    return list(COLORS)[int(digits) % 3]


@pytest.fixture
def toy_model(monkeypatch: pytest.MonkeyPatch, mean_color: MeanColor) -> None:
    import gandt.embedding.runtime as runtime

    monkeypatch.setattr(
        runtime, "load_embedder", lambda *name, **options: (mean_color, "the mean color")
    )


def uris_in(index: str) -> Counter[str]:
    opened = gandt.open_index(index)
    return Counter(opened.uris(np.setdiff1d(np.arange(opened.rows), opened.dead)))


def start(bucket: Bucket) -> subprocess.Popen[str]:
    code = CHILD.format(
        tests=str(Path(__file__).parents[1]),
        pool=bucket.uri("pool"),
        index=bucket.uri("pool.index"),
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ.copy(), stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def shards(bucket: Bucket) -> int:
    return len(bucket.keys("pool.index/img_emb/"))


@pytest.mark.usefixtures("toy_model")
def test_a_killed_run_is_resumed_and_the_job_done_without_a_local_file(
    filled: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, index = filled, filled.uri("pool.index")
    child = start(bucket)
    until = time.monotonic() + 60
    while shards(bucket) < 4 and time.monotonic() < until:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    assert child.communicate(timeout=120)[0] == ""  # it was not done yet
    assert "pool.index/writer.lock" in set(bucket.keys())

    report = gandt.embed(bucket.uri("pool"), index=index, shard_rows=50)
    assert report.progress.known >= 4 * 4
    assert report.progress.known + report.progress.embedded == 80
    found = uris_in(index)
    assert len(found) == 80 and set(found.values()) == {1}
    rejected = list(gandt.open_index(index).rejected())
    assert [record.uri for record in rejected] == [bucket.uri("pool/cut off.png")]
    assert report.ignored == {".txt": 1}
    assert "pool.index/writer.lock" not in set(bucket.keys())

    again = gandt.embed(bucket.uri("pool"), index=index)
    assert (again.progress.embedded, again.progress.known) == (0, 80)

    # Another machine selects from it, with seeds that lie on S3 too.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    selection = gandt.select(index, bucket.uri("seeds"), budget=20, duplicates=1)
    assert {candidate.label for candidate in selection.candidates} == {"red", "blue"}
    assert all(color_of(chosen.uri) == chosen.label for chosen in selection.candidates)
    write_manifest(bucket.uri("round 1.manifest"), selection)
    table, _ = write_selection_table(bucket.uri("round 1.selection.csv"), selection)
    lines = [json.loads(line) for line in bucket.get("round 1.manifest").splitlines()]
    rows = list(csv.DictReader(io.StringIO(bucket.get("round 1.selection.csv").decode())))
    assert table == bucket.uri("round 1.selection.csv")
    assert [row["uri"] for row in rows] == [chosen.uri for chosen in selection.candidates]
    assert len(lines) == 20 and lines[0]["source-ref"].startswith(bucket.uri("pool/"))

    # What was selected is left out of the next round; what people said of it are its seeds.
    first = {chosen.uri for chosen in selection.candidates}
    labels = "".join(f'"{chosen.uri}",{chosen.label}\n' for chosen in selection.candidates)
    bucket.put("round 1/labels.csv", f"task,label\n{labels}".encode())
    second = gandt.select(
        index, bucket.uri("round 1/labels.csv"), budget=20, duplicates=1,
        exclude=[bucket.uri("round 1.selection.csv")],
    )  # fmt: skip
    assert len(second) == 20
    assert not first & {chosen.uri for chosen in second.candidates}


@pytest.mark.usefixtures("toy_model")
def test_trouble_with_single_objects_is_told_and_healed_by_the_next_run(filled: Bucket) -> None:
    bucket, index = filled, filled.uri("pool.index")
    gone, denied, busy = (f"pool/ü {number:02d}+50%#.png" for number in (3, 30, 50))
    quoted = {key: key.split()[1][:2] + "%2B50" for key in (gone, denied, busy)}
    data = bucket.get(gone)
    bucket.server.fail(path=quoted[gone], before=lambda: bucket.delete(gone))
    bucket.server.fail(path=quoted[denied], status="403 Forbidden", code="AccessDenied")
    bucket.server.fail(path=quoted[busy], status="503 Slow Down", code="SlowDown")
    bucket.server.fail(path="pool/shard-0.tar", cut=0.7, times=3)
    first = gandt.embed(bucket.uri("pool"), index=index)
    assert (first.progress.embedded, first.progress.rejected) == (78, 3)
    reasons = {record.uri: record.reason for record in gandt.open_index(index).rejected()}
    assert set(reasons) == {bucket.uri(key) for key in (gone, denied, "pool/cut off.png")}
    assert reasons[bucket.uri(gone)] == "it was deleted after the pool was listed; run again"
    assert "s3:GetObject" in reasons[bucket.uri(denied)]

    second = gandt.embed(bucket.uri("pool"), index=index)
    assert (second.progress.embedded, second.progress.known) == (1, 78)  # the denied one
    assert second.rejected_in_all == 1
    bucket.put(gone, data)
    third = gandt.embed(bucket.uri("pool"), index=index)
    assert (third.progress.embedded, third.progress.known, third.rejected_in_all) == (1, 79, 1)
    assert set(uris_in(index).values()) == {1}


@pytest.mark.usefixtures("toy_model")
def test_a_run_that_loses_its_credentials_stops_and_blames_no_image(filled: Bucket) -> None:
    bucket, index = filled, filled.uri("pool.index")
    bucket.server.fail(path="50%25", status="403 Forbidden", code="ExpiredToken", times=9999)
    with pytest.raises(gandt.errors.StorageError, match=r"are refused .ExpiredToken.; renew them"):
        gandt.embed(bucket.uri("pool"), index=index)
    bucket.server.reset()
    rejected = {record.uri for record in gandt.open_index(index).rejected()}
    assert rejected <= {bucket.uri("pool/cut off.png")}
    report = gandt.embed(bucket.uri("pool"), index=index)
    assert (report.progress.embedded + report.progress.known, report.rejected_in_all) == (80, 1)


@pytest.mark.usefixtures("toy_model")
def test_a_changed_object_is_embedded_anew_and_a_deleted_one_no_longer_searched(
    filled: Bucket,
) -> None:
    bucket, index = filled, filled.uri("pool.index")
    gandt.embed(bucket.uri("pool"), index=index)
    bucket.put("pool/ü 00+50%#.png", picture("green", 999))
    bucket.delete("pool/ü 01+50%#.png")
    report = gandt.embed(bucket.uri("pool"), index=index)
    assert (report.progress.embedded, report.progress.known, report.gone) == (1, 78, 1)
    assert gandt.open_index(index).live_rows == 79
