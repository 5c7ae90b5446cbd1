"""Uploads: named by content, sent once, taken up again after a kill, documents last."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gandt.errors import JobError, StorageError
from gandt.jobs import upload
from gandt.jobs.images import inspect_images
from gandt.jobs.plan import ImageFacts
from gandt.jobs.upload import Uploaded, document_uri, image_uri, send
from gandt.storage import ServiceFailure, s3_client

if TYPE_CHECKING:
    from s3_server import Bucket

FACTS = ImageFacts("/p/x.jpg", 9, "ab" * 32, "JPEG", 3, 3)


def picture(number: int, kind: str = "PNG") -> bytes:
    grain = np.random.default_rng(number).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grain).save(file, kind)
    return file.getvalue()


def photos(folder: Path, count: int) -> list[str]:
    """Small pictures, each of its own bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        path = folder / f"{number:04d}.png"
        path.write_bytes(picture(number))
        paths.append(str(path))
    return paths


def wanted(paths: list[str], bucket: Bucket) -> dict[str, str]:
    return {one.uri: image_uri(one, bucket.name, "gt") for one in inspect_images(paths)}


class Log:
    """Every request that the server began and ended, in order."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, str]] = []  # method and key
        self.open: Counter[tuple[str, str]] = Counter()
        self.headers: dict[str, dict[str, str]] = {}
        self.lists = 0
        self._lock = threading.Lock()

    def puts(self) -> list[str]:
        with self._lock:
            return [key for method, key in self.begun if method == "PUT"]

    def wrap(self, answer: Any) -> Any:
        def logged(environ: dict[str, Any], start_response: Any) -> Any:
            request = environ["REQUEST_METHOD"], environ["PATH_INFO"][1:].partition("/")[2]
            with self._lock:
                self.begun.append(request)
                self.open[request] += 1
                self.lists += "list-type=2" in environ["QUERY_STRING"]
                self.headers[request[1]] = {
                    name: value
                    for name, value in environ.items()
                    if name.startswith(("HTTP_", "C"))
                }
            try:
                return answer(environ, start_response)
            finally:
                with self._lock:
                    self.open[request] -= 1

        return logged


@pytest.fixture
def log(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    found = Log()
    monkeypatch.setattr(bucket.server, "_moto", found.wrap(bucket.server._moto))
    yield found


# ---------------------------------------------------------------------------------------- names


def test_an_image_is_named_by_its_bytes_and_its_real_format() -> None:
    digest = "ab" * 32
    assert image_uri(FACTS, "b", "gt") == f"s3://b/gt/images/{digest}.jpg"
    assert (
        image_uri(replace(FACTS, format="PNG"), "b", "/a/b/") == f"s3://b/a/b/images/{digest}.png"
    )
    assert image_uri(replace(FACTS, uri="/p/x.JPEG"), "b", "") == f"s3://b/images/{digest}.jpg"


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (replace(FACTS, sha256=None), "it is on S3 already"),
        (replace(FACTS, format=None, problem="truncated"), "truncated"),
    ],
)
def test_what_has_no_bytes_has_no_name(facts: ImageFacts, why: str) -> None:
    with pytest.raises(JobError, match=rf"^/p/x\.jpg cannot be uploaded as an image: {why}\.$"):
        image_uri(facts, "b", "gt")


@given(content=st.binary(max_size=20), other=st.binary(max_size=20))
def test_a_document_is_named_by_its_bytes(content: bytes, other: bytes) -> None:
    uri = document_uri("manifests", content, ".manifest", "b", "gt")
    assert re.fullmatch(r"s3://b/gt/manifests/[0-9a-f]{32}\.manifest", uri)
    same = document_uri("manifests", other, ".manifest", "b", "gt") == uri
    assert same == (content == other)


# -------------------------------------------------------------------------- what is sent, and how


def test_a_second_run_sends_nothing(bucket: Bucket, log: Log, tmp_path: Path) -> None:
    paths = photos(tmp_path, 20)
    images = wanted(paths, bucket)
    documents = {
        bucket.uri("gt/manifests/m.manifest"): b"{}\n",
        bucket.uri("gt/categories/c.json"): b"{}",
        bucket.uri("gt/templates/t.liquid.html"): b"<p>",
    }
    seen: list[tuple[int, int, int]] = []
    sizes = sum(Path(path).stat().st_size for path in paths) + 8
    first = send(images, documents, lambda *progress: seen.append(progress))
    assert first == Uploaded(sent=23, there=0, bytes=sizes)
    assert [done for done, _, _ in seen] == list(range(1, 24))
    assert {total for _, total, _ in seen} == {23}
    assert seen[-1][2] == sizes
    for path, uri in images.items():
        assert bucket.get(uri.removeprefix(bucket.uri())) == Path(path).read_bytes()
    puts = log.puts()
    assert sorted(puts) == bucket.keys()
    assert puts[20:] == [uri.removeprefix(bucket.uri()) for uri in documents]  # images came first
    assert send(images, documents) == Uploaded(sent=0, there=23, bytes=0)
    assert log.puts() == puts
    assert send({}, {}) == Uploaded(0, 0, 0)


def test_browsers_are_told_what_it_is_and_s3_what_its_bytes_are(
    bucket: Bucket, log: Log, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(picture(1, "JPEG"))
    images = wanted([str(tmp_path / "a.png")], bucket)
    page = bucket.uri("gt/templates/t.liquid.html")
    send(images, {page: b"<p>"})
    key = next(iter(images.values())).removeprefix(bucket.uri())
    assert key.endswith(".jpg")
    assert log.headers[key]["CONTENT_TYPE"] == "image/jpeg"
    digest = bytes.fromhex(Path(key).stem)
    assert base64.b64decode(log.headers[key]["HTTP_X_AMZ_CHECKSUM_SHA256"]) == digest
    assert log.headers["gt/templates/t.liquid.html"]["CONTENT_TYPE"] == "text/html; charset=utf-8"


def test_copies_are_sent_once_and_changed_files_anew(
    bucket: Bucket, log: Log, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png", "c.PNG"):
        (tmp_path / name).write_bytes(picture(1))
    paths = [str(path) for path in sorted(tmp_path.iterdir())]
    assert send(wanted(paths, bucket), {}) == Uploaded(1, 0, len(picture(1)))
    (tmp_path / "b.png").write_bytes(picture(2))
    assert send(wanted(paths, bucket), {}) == Uploaded(1, 1, len(picture(2)))
    assert len(set(log.puts())) == len(log.puts()) == 2


def test_members_of_shards_are_sent_as_files(bucket: Bucket, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for number in range(3):
            entry = tarfile.TarInfo(f"{number}.png")
            entry.size = len(picture(number))
            archive.addfile(entry, io.BytesIO(picture(number)))
    bucket.put("x.tar", (tmp_path / "x.tar").read_bytes())
    for shard in (f"{tmp_path}/x.tar", bucket.uri("x.tar")):
        images = wanted([f"{shard}#{number}.png" for number in range(3)], bucket)
        send(images, {})
        for number, uri in enumerate(images.values()):
            assert bucket.get(uri.removeprefix(bucket.uri())) == picture(number)


def test_an_object_of_another_size_is_replaced_and_named(bucket: Bucket, tmp_path: Path) -> None:
    images = wanted(photos(tmp_path, 3), bucket)
    page = bucket.uri("gt/templates/t.html")
    damaged = sorted(images.values())[1]
    bucket.put(damaged.removeprefix(bucket.uri()), b"half")
    bucket.put("gt/templates/t.html", b"")
    done = send(images, {page: b"<p>"})
    assert (done.sent, done.there, done.replaced) == (4, 0, (damaged, page))
    assert hashlib.sha256(bucket.get(damaged.removeprefix(bucket.uri()))).hexdigest() in damaged
    assert send(images, {page: b"<p>"}).replaced == ()


# --------------------------------------------------------------------------- what is there already


def test_many_images_are_looked_up_with_few_listings(
    bucket: Bucket, log: Log, tmp_path: Path
) -> None:
    images = wanted(photos(tmp_path, 1250), bucket)
    for path, uri in list(images.items())[:1200]:
        bucket.put(uri.removeprefix(bucket.uri()), Path(path).read_bytes())
    done = send(images, {})
    assert (done.sent, done.there) == (50, 1200)
    assert log.lists == 2
    assert send(images, {}) == Uploaded(0, 1250, 0)
    assert log.lists == 4
    assert bucket.server.requests == {"GET": 4, "PUT": 50}


def test_few_images_are_looked_up_one_by_one(bucket: Bucket, log: Log, tmp_path: Path) -> None:
    images = wanted(photos(tmp_path, 32), bucket)
    send(images, {})
    assert log.lists == 0
    assert bucket.server.requests["HEAD"] == 32


def test_a_folder_of_many_other_images_is_not_listed_to_its_end(
    bucket: Bucket, log: Log, tmp_path: Path
) -> None:
    for number in range(2500):
        bucket.put(f"gt/images/{hashlib.sha256(b'%d' % number).hexdigest()}.jpg", b"x")
    images = wanted(photos(tmp_path, 40), bucket)
    for uri in list(images.values())[::2]:
        path = next(path for path, other in images.items() if other == uri)
        bucket.put(uri.removeprefix(bucket.uri()), Path(path).read_bytes())
    done = send(images, {})
    assert (done.sent, done.there, done.replaced) == (20, 20, ())
    assert log.lists == 1  # and not three
    assert 0 < bucket.server.requests["HEAD"] < 40


# --------------------------------------------------------------------------------------- failures


def test_busy_answers_and_resets_are_survived(bucket: Bucket, tmp_path: Path) -> None:
    images = wanted(photos(tmp_path, 60), bucket)
    bucket.server.fail(times=8, method="PUT", status="503 Slow Down", code="SlowDown")
    bucket.server.fail(times=3, method="PUT", path="images/a", reset=True)
    bucket.server.fail(times=1, method="GET", path="list-type", status="503 x", code="SlowDown")
    assert send(images, {}).sent == 60
    assert len(bucket.keys()) == 60


@pytest.fixture
def impatient(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_client, "_clients", {})
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    monkeypatch.setattr(s3_client, "_FIRST_WAIT", 0.05)
    monkeypatch.setattr(s3_client, "_LONGEST_WAIT", 0.1)


@pytest.mark.usefixtures("impatient")
def test_what_fails_is_told_after_the_others_were_sent_and_no_manifest_is(
    bucket: Bucket, tmp_path: Path
) -> None:
    images = wanted(photos(tmp_path, 50), bucket)
    documents = {bucket.uri("gt/manifests/m.manifest"): b"{}\n"}
    poor = sorted(images.values())[:2]
    for uri in poor:
        bucket.server.fail(times=999, method="PUT", path=uri[-30:], status="503 x", code="SlowDown")
    with pytest.raises(StorageError) as raised:
        send(images, documents)
    assert re.match(
        r"2 of 50 images could not be uploaded; the first: s3://\S+ cannot be written: S3 is too "
        r"busy \(SlowDown, after all retries\); run again later\. The others are there and are "
        r"not sent again\.$",
        str(raised.value),
    )
    assert len(bucket.keys()) == 48
    bucket.server.reset()
    assert send(images, documents) == Uploaded(3, 48, bytes=send_size(images, poor) + 3)


def send_size(images: dict[str, str], uris: list[str]) -> int:
    return sum(Path(path).stat().st_size for path, uri in images.items() if uri in uris)


def test_a_file_that_changed_or_went_since_it_was_looked_at_is_refused(
    bucket: Bucket, tmp_path: Path
) -> None:
    paths = photos(tmp_path, 5)
    images = wanted(paths, bucket)
    Path(paths[1]).write_bytes(picture(99))
    with pytest.raises(StorageError) as raised:
        send(images, {})
    assert str(raised.value).startswith(
        f"1 of 5 images could not be uploaded; the first: {paths[1]} cannot be uploaded: it has "
        "changed since it was looked at; run it again."
    )
    assert len(bucket.keys()) == 4
    Path(paths[1]).unlink()
    with pytest.raises(StorageError, match=r"^\S+0001\.png cannot be uploaded: no such file\.$"):
        send(images, {})
    Path(paths[2]).unlink()  # its bytes are on S3: nobody needs it
    (tmp_path / "copy.png").write_bytes(picture(1))
    copy = {str(tmp_path / "copy.png"): images[paths[1]]}
    assert send({**images, **copy}, {}).sent == 1
    bucket.delete(images[paths[1]].removeprefix(bucket.uri()))
    assert send({**copy, **images}, {}).sent == 1


def test_where_nothing_can_be_written_not_every_image_is_tried(
    bucket: Bucket, tmp_path: Path
) -> None:
    images = wanted(photos(tmp_path, 400), bucket)
    bucket.server.fail(times=9999, method="PUT", status="403 Forbidden", code="AccessDenied")
    with pytest.raises(StorageError) as raised:
        send(images, {})
    assert str(raised.value).startswith(
        "None of the first 32 of 400 images could be uploaded, so no more were tried; the first: "
    )
    assert "lacks the permission s3:PutObject" in str(raised.value)
    assert bucket.server.requests["PUT"] < 200


def test_without_service_or_bucket_nothing_is_tried(bucket: Bucket, tmp_path: Path) -> None:
    images = wanted(photos(tmp_path, 40), bucket)
    elsewhere = {path: f"s3://nowhere-at-all/{'a' * 64}.png" for path in images}
    with pytest.raises(StorageError, match="There is no bucket nowhere-at-all"):
        send(
            {path: f"{uri[:-10]}{n:06d}.png" for n, (path, uri) in enumerate(elsewhere.items())}, {}
        )
    bucket.server.fail(times=9999, method="PUT", status="403 Forbidden", code="ExpiredToken")
    with pytest.raises(ServiceFailure, match=r"credentials are refused \(ExpiredToken\); renew"):
        send(images, {})
    assert bucket.server.requests["PUT"] < 160


def test_memory_is_bounded_by_bytes_and_not_by_files(monkeypatch: pytest.MonkeyPatch) -> None:
    room = upload._Room(100)
    inside = most = 0
    lock = threading.Lock()

    def use(size: int) -> None:
        nonlocal inside, most
        with room.taken(size):
            with lock:
                inside += size
                most = max(most, inside)
            time.sleep(0.005)
            with lock:
                inside -= size

    threads = [threading.Thread(target=use, args=(30,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert 30 < most <= 100
    use(1000)  # larger than the room: alone


# -------------------------------------------------------------------------------------------- kills


SENDER = """
import json, sys
from gandt.jobs.images import inspect_images
from gandt.jobs.upload import image_uri, send
paths, bucket = json.load(sys.stdin), sys.argv[1]
images = {one.uri: image_uri(one, bucket, "gt") for one in inspect_images(paths)}
send(images, {f"s3://{bucket}/gt/manifests/m.manifest": b"{}\\n"})
"""


@pytest.mark.parametrize("after", [1, 60, 140])
def test_a_killed_upload_goes_on_and_sends_nothing_twice(
    bucket: Bucket, log: Log, tmp_path: Path, after: int
) -> None:
    paths = photos(tmp_path, 160)
    bucket.server.latency = 0.01
    process = subprocess.Popen(
        [sys.executable, "-c", SENDER, bucket.name], stdin=subprocess.PIPE, env=dict(os.environ)
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(paths).encode())
    process.stdin.close()
    end = time.monotonic() + 60
    while len(log.puts()) < after and time.monotonic() < end:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=120) == -signal.SIGKILL
    time.sleep(0.3)  # until the server has done what had reached it
    first = log.puts()
    assert after <= len(first) < 160
    assert len(set(first)) == len(first)
    assert bucket.keys("gt/manifests") == []
    there = bucket.keys("gt/images/")
    done = send(wanted(paths, bucket), {bucket.uri("gt/manifests/m.manifest"): b"{}\n"})
    assert (done.sent, done.there, done.replaced) == (161 - len(there), len(there), ())
    twice = {key for key, count in Counter(log.puts()).items() if count > 1}
    assert not twice & set(there)
    assert len(twice) <= upload.THREADS
    assert len(bucket.keys("gt/images/")) == 160
    for path, uri in wanted(paths, bucket).items():
        assert bucket.get(uri.removeprefix(bucket.uri())) == Path(path).read_bytes()
    assert log.puts()[-1] == "gt/manifests/m.manifest"
