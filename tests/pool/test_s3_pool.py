"""A pool on S3: everything that names images on a disk names them there, and trouble is told."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

import pytest

from gandt.embedding.decoding import DecodingOptions, start_decoder
from gandt.errors import BadImage, PoolError
from gandt.pool.ahead import ReadAhead
from gandt.pool.shards import SHARDS_AHEAD
from gandt.pool.sources import Pool, Unavailable, find_items, open_pool, read_item
from gandt.storage import ServiceFailure, s3_client
from gandt.types import Item, Preprocessing

if TYPE_CHECKING:
    from s3_server import Bucket

JPEG = b"\xff\xd8\xff these bytes are listed, not decoded"


def uris(pool: Pool, bucket: Bucket) -> list[str]:
    return [item.uri.removeprefix(bucket.uri()) for item in pool]


def tar_of(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


# -------------------------------------------------------------------------------------- naming


def test_a_prefix_is_a_folder_of_images_shards_and_the_rest(bucket: Bucket) -> None:
    for key in ("p/b +%.jpg", "p/a/ü#1.png", "p/notes.txt", "p-other/x.jpg"):
        bucket.put(key, JPEG)
    bucket.put("p/c.tar", tar_of({"1.jpg": JPEG, "2.png": b"png", "1.json": b"{}"}))
    pool = open_pool([bucket.uri("p")])
    assert uris(pool, bucket) == ["p/a/ü#1.png", "p/b +%.jpg", "p/c.tar#1.jpg", "p/c.tar#2.png"]
    assert pool.ignored == {".txt": 1, ".json": 1}
    assert not pool.problems
    assert pool.covers(bucket.uri("p/z.jpg")) and not pool.covers(bucket.uri("p-other/z.jpg"))
    assert [read_item(item) for item in pool] == [JPEG, JPEG, JPEG, b"png"]


def test_wildcards_and_whole_buckets(bucket: Bucket) -> None:
    for key in ("2025/a.jpg", "2025/deep/b.jpg", "2026/c.jpg", "2026/d.png"):
        bucket.put(key, JPEG)
    assert uris(open_pool([bucket.uri("*/*.jpg")]), bucket) == ["2025/a.jpg", "2026/c.jpg"]
    assert uris(open_pool([bucket.uri("**/*.jpg")]), bucket) == [
        *("2025/a.jpg", "2025/deep/b.jpg", "2026/c.jpg"),
    ]
    assert len(uris(open_pool([f"s3://{bucket.name}"]), bucket)) == 4


def test_lists_and_tables_name_images_beside_them(bucket: Bucket) -> None:
    for key in ("photos/a.jpg", "photos/b.jpg", "photos/c.jpg"):
        bucket.put(key, JPEG)
    text = f"../photos/a.jpg\n{bucket.uri('photos/b.jpg')}\n./gone.jpg\n"
    bucket.put("lists/some.txt", text.encode())
    listed = list(open_pool([bucket.uri("lists/some.txt")]))
    assert [(item.uri, item.size) for item in listed] == [
        (bucket.uri("photos/a.jpg"), len(JPEG)),
        (bucket.uri("photos/b.jpg"), len(JPEG)),
        (bucket.uri("lists/gone.jpg"), -1),
    ]
    with pytest.raises(BadImage, match="no such file"):
        read_item(listed[2])
    bucket.put("photos/some.csv", b"image_path,label\nc.jpg,cat\n")
    assert uris(open_pool([bucket.uri("photos/some.csv")]), bucket) == ["photos/c.jpg"]
    bucket.put(
        "photos/round.manifest", b'{"source-ref":"%s"}\n' % bucket.uri("photos/a.jpg").encode()
    )
    assert uris(open_pool([bucket.uri("photos/round.manifest")]), bucket) == ["photos/a.jpg"]


def test_members_of_one_shard_are_found_with_one_listing_of_it(bucket: Bucket) -> None:
    uri = bucket.put("x.tar", tar_of({f"{number}.jpg": JPEG for number in range(40)}))
    before = bucket.server.requests["GET"]
    found = find_items([f"{uri}#{number}.jpg" for number in range(40)])
    assert all(read_item(item) == JPEG for item in list(found.values())[:3])
    assert bucket.server.requests["GET"] - before <= 1 + 3


# ------------------------------------------------------------------------------------ tar shards


def test_only_headers_of_large_members_are_fetched(bucket: Bucket) -> None:
    files = {f"{number}.jpg": bytes([number]) * 700_000 for number in range(8)}
    uri = bucket.put("big.tar", tar_of(files))
    sent: list[int] = []
    real = bucket.server._moto

    def counting(environ, start_response):
        body = list(real(environ, start_response))
        sent.append(sum(map(len, body)))
        return body

    bucket.server._moto = counting
    try:
        items = list(open_pool([uri]))
    finally:
        bucket.server._moto = real
    assert len(items) == 8
    assert sum(sent) < 600_000  # of 5.6 MB
    assert [read_item(item) for item in items] == list(files.values())


def test_shards_are_listed_at_once_and_come_in_order(bucket: Bucket) -> None:
    for number in range(SHARDS_AHEAD + 4):
        files = {f"{k}.jpg": b"x" * 300_000 for k in range(4)}
        bucket.put(f"s/{number:02d}.tar", tar_of(files))
    bucket.put("s/05.jpg", JPEG)
    bucket.server.latency = 0.05
    names = uris(open_pool([bucket.uri("s/")]), bucket)
    bucket.server.latency = 0.0
    assert names == sorted(names) and len(names) == 4 * (SHARDS_AHEAD + 4) + 1
    assert bucket.server.most_at_once > 4
    assert uris(open_pool([bucket.uri("s/*.tar")]), bucket) == [n for n in names if ".tar" in n]


def test_a_damaged_shard_is_told_and_what_precedes_the_damage_is_used(bucket: Bucket) -> None:
    data = tar_of({"1.jpg": JPEG, "2.jpg": b"x" * 5000})
    bucket.put("s/a.tar", data[:3000])
    bucket.put("s/b.jpg", JPEG)
    pool = open_pool([bucket.uri("s")])
    assert uris(pool, bucket) == ["s/a.tar#1.jpg", "s/b.jpg"]
    assert "is cut off within 2.jpg: copy it anew" in pool.problems[0][1]
    assert not pool.covers(bucket.uri("s/a.tar#2.jpg"))


# ----------------------------------------------------------------------------------------- trouble


def test_what_is_no_source_is_said_at_once(bucket: Bucket) -> None:
    with pytest.raises(PoolError, match="There is no bucket nowhere: check the name"):
        open_pool(["s3://nowhere/p"])
    with pytest.raises(PoolError, match=r"There is no file or folder s3://.*/p on S3: check"):
        open_pool([bucket.uri("p")])
    bucket.put("docs/a.pdf", b"x")
    with pytest.raises(PoolError, match=r"There are no images in s3://.*\(other files: 1 \.pdf\)"):
        list(open_pool([bucket.uri("docs")]))


def test_an_object_deleted_after_the_listing_is_one_bad_image(bucket: Bucket) -> None:
    bucket.put("p/a.jpg", JPEG)
    [item] = open_pool([bucket.uri("p")])
    bucket.delete("p/a.jpg")
    with pytest.raises(Unavailable, match="deleted after the pool was listed; run again"):
        read_item(item)


def test_denied_is_of_one_image_and_refused_credentials_of_all(bucket: Bucket) -> None:
    bucket.put("p/a.jpg", JPEG)
    [item] = open_pool([bucket.uri("p")])
    bucket.server.fail(path="a.jpg", status="403 Forbidden", code="AccessDenied")
    with pytest.raises(Unavailable, match="lacks the permission s3:GetObject"):
        read_item(item)
    bucket.server.fail(path="a.jpg", status="403 Forbidden", code="ExpiredToken")
    with pytest.raises(ServiceFailure, match="renew them"):
        read_item(item)


# ------------------------------------------------------------------------------------ reading ahead


@pytest.fixture
def photos(bucket: Bucket) -> list[Item]:
    for number in range(96):
        bucket.put(f"p/{number:03d}.jpg", b"%03d" % number * 10)
    return list(open_pool([bucket.uri("p")]))


def test_images_come_in_order_many_at_once(bucket: Bucket, photos: list[Item]) -> None:
    bucket.server.reset()
    bucket.server.latency = 0.05
    ahead = ReadAhead()
    started = time.monotonic()
    try:
        reads = ahead.start(photos)
        assert [read() for read in reads] == [b"%03d" % n * 10 for n in range(96)]
    finally:
        ahead.close()
    assert time.monotonic() - started < 96 * 0.05 / 2  # one by one would take 4.8 s
    assert bucket.server.most_at_once > 8


def test_memory_is_bounded_and_the_oldest_comes_first(bucket: Bucket, photos: list[Item]) -> None:
    bucket.server.reset()
    ahead = ReadAhead(readers=8, max_bytes=100)  # three images of 30 bytes
    try:
        reads = ahead.start(photos)
        time.sleep(0.3)
        assert bucket.server.requests["GET"] == 3
        assert [read() for read in reads] == [b"%03d" % n * 10 for n in range(96)]
    finally:
        ahead.close()


def test_an_image_larger_than_the_bound_is_read_alone(bucket: Bucket, photos: list[Item]) -> None:
    ahead = ReadAhead(readers=4, max_bytes=10)
    try:
        assert [len(read()) for read in ahead.start(photos[:9])] == [30] * 9
    finally:
        ahead.close()


def test_who_waits_is_released_when_the_run_ends(bucket: Bucket, photos: list[Item]) -> None:
    bucket.server.latency = 0.2
    ahead = ReadAhead(readers=1)
    reads = ahead.start(photos)
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            reads[-1]()
        except CancelledError as error:
            outcome.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    ahead.close()
    waiting.join(5)
    assert len(outcome) == 1


def test_local_images_need_no_reader(tmp_path) -> None:
    (tmp_path / "a.jpg").write_bytes(JPEG)
    before = threading.active_count()
    ahead = ReadAhead()
    [read] = ahead.start(list(open_pool([tmp_path])))
    assert read() == JPEG
    assert threading.active_count() == before
    ahead.close()


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_workers_of_either_kind_read_from_s3(bucket: Bucket, kind, photos: list[Item]) -> None:
    options = DecodingOptions(
        Preprocessing(8, "crop", 1.0, "bicubic", (0.0,) * 3, (1.0,) * 3), False, 1000
    )
    bucket.put("p/000.jpg", b"")
    bucket.delete("p/001.jpg")
    decoder = start_decoder(options, workers=1, kind=kind)
    try:
        pictures = decoder.submit(photos[:3])()
    finally:
        decoder.close()
    assert [(picture.item.version == "", picture.reason) for picture in pictures] == [
        (False, "empty file"),
        (True, "it was deleted after the pool was listed; run again"),
        (False, "not an image: no JPEG, PNG, WebP, TIFF, BMP or GIF"),
    ]


def test_a_run_ends_where_s3_serves_nothing_at_all(
    bucket: Bucket, photos: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_client, "_clients", {})
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    ahead = ReadAhead()
    try:
        with pytest.raises(ServiceFailure, match="credentials"):
            ahead.start(photos[:1])[0]()
    finally:
        ahead.close()
