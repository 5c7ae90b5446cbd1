"""Thumbnails show the picture that an id means, cost little the second time, and never too much."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from explore_program import ExploreThread
from PIL import Image
from pool_engine import color_of, engine_of, noise, picture, tar_of

from gandt.errors import UsageError
from gandt.serving.service.explore.engine import Engine, NoSuchImage
from gandt.serving.service.explore.pictures.disk_cache import DiskCache
from gandt.serving.service.explore.pictures.thumbnails import SIZES, Thumbnails
from gandt.serving.service.images import NotShown

if TYPE_CHECKING:
    from s3_server import Bucket


def size_of(jpeg: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.format == "JPEG"
        image.load()
        return image.size


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(noise((1500, 1000)))
    (folder / "b.png").write_bytes(picture("lime", (50, 90), "PNG"))
    return folder


@pytest.fixture
def engine(photos: Path, tmp_path: Path) -> Engine:
    return engine_of(tmp_path / "index", photos)


def replaced(path: Path, data: bytes) -> None:
    """Write other bytes to a file, at a later time."""
    path.write_bytes(data)
    later = time.time_ns() + 2_000_000_000
    os.utime(path, ns=(later, later))


# ------------------------------------------------------------------------------------ the picture


@pytest.mark.parametrize("size", SIZES)
def test_the_longer_side_has_the_size_asked_for(engine: Engine, size: int) -> None:
    assert size_of(Thumbnails(engine, None).jpeg(0, size)) == (size, round(size * 2 / 3))


def test_a_small_picture_keeps_its_size(engine: Engine) -> None:
    assert {size_of(Thumbnails(engine, None).jpeg(1, size)) for size in SIZES} == {(50, 90)}


@pytest.mark.parametrize("size", [0, -1, 64, 255, 4096])
def test_other_sizes_do_not_exist(engine: Engine, size: int) -> None:
    with pytest.raises(UsageError, match="128, 256, 512 or 1024"):
        Thumbnails(engine, None).jpeg(0, size)


@pytest.mark.parametrize("number", [-1, 2, 10**12])
def test_an_id_of_no_image_is_said(engine: Engine, number: int) -> None:
    thumbnails = Thumbnails(engine, None)
    for ask in (thumbnails.jpeg, thumbnails.etag):
        with pytest.raises(NoSuchImage):
            ask(number, 256)


def test_an_image_that_left_the_pool_has_no_thumbnail(
    engine: Engine, photos: Path, tmp_path: Path
) -> None:
    (photos / "a.jpg").unlink()
    later = engine_of(tmp_path / "index", photos)
    thumbnails = Thumbnails(later, None)
    with pytest.raises(NoSuchImage):
        thumbnails.jpeg(0, 256)
    assert thumbnails.jpeg(1, 256)


def test_tar_members_have_thumbnails(tmp_path: Path) -> None:
    shard = tmp_path / "shard.tar"
    shard.write_bytes(tar_of({"x/a.jpg": picture("red"), "x/b.jpg": picture("blue")}))
    thumbnails = Thumbnails(engine_of(tmp_path / "index", shard), None)
    assert [color_of(thumbnails.jpeg(number, 128)) for number in (0, 1)] == ["red", "blue"]
    # The tar is packed anew, and its members lie elsewhere.
    replaced(shard, tar_of({"x/new.jpg": noise((300, 200)), "x/b.jpg": picture("blue")}))
    assert color_of(thumbnails.jpeg(1, 128)) == "blue"
    with pytest.raises(NotShown, match="no longer in its tar") as caught:
        thumbnails.jpeg(0, 128)
    assert caught.value.status == 404


def test_pictures_on_s3_are_fetched_once(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("p/a.jpg", picture("red"))
    bucket.put("p/t.tar", tar_of({"b.jpg": picture("blue")}))
    engine = engine_of(tmp_path / "index", bucket.uri("p/"))
    cache = tmp_path / "cache"
    first = Thumbnails(engine, cache)
    assert [color_of(first.jpeg(number, 128)) for number in (0, 1)] == ["red", "blue"]
    bucket.server.reset()
    again = Thumbnails(engine, cache)
    assert [color_of(again.jpeg(number, 128)) for number in (0, 1)] == ["red", "blue"]
    assert again.etag(0, 128) == first.etag(0, 128)
    assert sum(bucket.server.requests.values()) == 0


def test_many_pictures_on_s3_are_waited_for_at_the_same_time(
    bucket: Bucket, tmp_path: Path
) -> None:
    """Whoever waits for a network keeps no core busy; none is sent before all are asked for."""
    many = 12
    for number in range(many):
        bucket.put(f"p/{number:02}.jpg", picture("red", (60 + number, 40)))
    engine_of(tmp_path / "pool.index", bucket.uri("p/"))
    together = threading.Barrier(many, timeout=30)
    bucket.server.fail(times=many, path="p/", before=together.wait)
    with ExploreThread(tmp_path / "pool.index") as service, ThreadPoolExecutor(many) as crowd:
        paths = [f"/v1/images/{number}/thumbnail" for number in range(many)]
        replies = list(crowd.map(lambda path: service.visitor().get(path), paths))
    assert [reply.status for reply in replies] == [200] * many
    assert not together.broken


def test_a_tar_is_listed_once_for_all_starts_of_the_server(bucket: Bucket, tmp_path: Path) -> None:
    members = {f"{number:03}.jpg": noise((640, 480), number) for number in range(30)}
    bucket.put("p/t.tar", tar_of(members))
    cache = tmp_path / "cache"
    Thumbnails(engine_of(tmp_path / "index", bucket.uri("p/")), cache).jpeg(0, 128)
    later = Thumbnails(engine_of(tmp_path / "index", embed=False), cache)
    bucket.server.reset()
    assert size_of(later.jpeg(29, 128)) == (128, 96)
    assert bucket.server.requests == {"HEAD": 1, "GET": 1}
    # Packed anew, with other members before it.
    bucket.put("p/t.tar", tar_of({"new.jpg": picture("red"), "029.jpg": members["029.jpg"]}))
    assert later.jpeg(29, 256) == Thumbnails(engine_of(tmp_path / "index", embed=False), None).jpeg(
        29, 256
    )


def test_s3_that_fails_is_no_reason_to_remember(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("p/a.jpg", picture("red"))
    thumbnails = Thumbnails(engine_of(tmp_path / "index", bucket.uri("p/")), tmp_path / "cache")
    bucket.server.fail(times=1, path="a.jpg", status="403 Forbidden", code="AccessDenied")
    with pytest.raises(NotShown) as caught:
        thumbnails.jpeg(0, 128)
    assert caught.value.status == 404
    assert color_of(thumbnails.jpeg(0, 128)) == "red"


# ---------------------------------------------------------------------------- what cannot be shown


def test_what_cannot_be_shown_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    names = ["bomb.png", "cut.jpg", "empty.jpg", "folder.jpg", "gone.jpg", "page.jpg", "pipe.jpg"]
    for number, name in enumerate(names):
        (folder / name).write_bytes(picture((9 * number, 99, 99), (80, 60)))
    engine = engine_of(tmp_path / "index", folder)
    thumbnails = Thumbnails(engine, tmp_path / "cache", max_pixels=1_000_000)
    replaced(folder / "bomb.png", picture("red", (1001, 1000), "PNG"))
    replaced(folder / "cut.jpg", noise((900, 600))[:5000])
    replaced(folder / "empty.jpg", b"")
    replaced(folder / "page.jpg", b"<html>secret</html>")
    for name in ("folder.jpg", "gone.jpg", "pipe.jpg"):
        (folder / name).unlink()
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    said = {}
    for number, name in enumerate(names):
        for _ in range(2):  # the second time it is remembered
            with pytest.raises(NotShown) as caught:
                thumbnails.jpeg(number, 256)
        said[name] = (caught.value.status, str(caught.value))
    assert {name: status for name, (status, _) in said.items()} == {
        **dict.fromkeys(["bomb.png", "cut.jpg", "empty.jpg", "page.jpg"], 415),
        **dict.fromkeys(["folder.jpg", "gone.jpg", "pipe.jpg"], 404),
    }
    assert "1001 x 1000, the limit is 1000000" in said["bomb.png"][1]
    assert "truncated" in said["cut.jpg"][1]
    assert "empty" in said["empty.jpg"][1]
    assert "web page" in said["page.jpg"][1]
    assert "secret" not in said["page.jpg"][1]
    assert all(sentence.endswith(".") for _, sentence in said.values())


def test_a_link_to_another_file_gives_nothing_away(engine: Engine, photos: Path) -> None:
    (photos / "a.jpg").unlink()
    (photos / "a.jpg").symlink_to("/etc/passwd")
    with pytest.raises(NotShown, match="no JPEG, PNG") as caught:
        Thumbnails(engine, None).jpeg(0, 256)
    assert "root" not in str(caught.value)


# ----------------------------------------------------------------------------- a replaced picture


def test_a_replaced_picture_never_shows_the_one_before(
    engine: Engine, photos: Path, tmp_path: Path
) -> None:
    thumbnails = Thumbnails(engine, tmp_path / "cache")
    assert color_of(thumbnails.jpeg(1, 256)) == "lime"
    before = thumbnails.etag(1, 256)
    replaced(photos / "b.png", picture("blue", (50, 90), "PNG"))
    for shown in (thumbnails, Thumbnails(engine, tmp_path / "cache")):
        assert color_of(shown.jpeg(1, 256)) == "blue"
        assert shown.etag(1, 256) != before
    # Embedded anew it has a new id, and the old one is gone.
    later = Thumbnails(engine_of(tmp_path / "index", photos), tmp_path / "cache")
    assert color_of(later.jpeg(2, 256)) == "blue"
    with pytest.raises(NoSuchImage):
        later.jpeg(1, 256)


def test_bytes_that_changed_behind_a_kept_time_are_noticed(
    engine: Engine, photos: Path, tmp_path: Path
) -> None:
    path = photos / "b.png"
    time_before = path.stat().st_mtime_ns
    path.write_bytes(picture("blue", (50, 90), "PNG"))
    os.utime(path, ns=(time_before, time_before))
    thumbnails = Thumbnails(engine, tmp_path / "cache")
    promised = thumbnails.etag(1, 256)
    assert color_of(thumbnails.jpeg(1, 256)) == "blue"
    assert thumbnails.etag(1, 256) != promised
    path.write_bytes(picture("lime", (50, 90), "PNG"))
    os.utime(path, ns=(time_before + 10**9, time_before + 10**9))
    # Not even another server takes one for the other from the folder that they share.
    assert color_of(Thumbnails(engine, tmp_path / "cache").jpeg(1, 256)) == "lime"


def test_a_folder_of_another_tool_has_thumbnails_too(
    engine: Engine, photos: Path, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    index = tmp_path / "index"
    metadata = next((index / "metadata").iterdir())
    pq.write_table(pq.read_table(metadata, columns=["image_path"]), metadata)
    (index / "index.json").unlink()
    foreign = engine_of(index, embed=False)
    thumbnails = Thumbnails(foreign, tmp_path / "cache")
    assert color_of(thumbnails.jpeg(1, 256)) == "lime"
    replaced(photos / "b.png", picture("blue", (50, 90), "PNG"))
    assert color_of(thumbnails.jpeg(1, 256)) == "blue"


# -------------------------------------------------------------------------------------- the caches


def files_of(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def test_what_was_made_is_kept_on_disk(engine: Engine, photos: Path, tmp_path: Path) -> None:
    made = Thumbnails(engine, tmp_path / "cache").jpeg(0, 256)
    (kept,) = files_of(tmp_path / "cache")
    assert size_of(kept.read_bytes()) == (256, 171)  # any viewer opens it
    before = kept.stat().st_mtime_ns
    assert Thumbnails(engine, tmp_path / "cache").jpeg(0, 256) == made
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "of another", "folder"])
def test_a_damaged_file_of_the_cache_is_made_anew(
    engine: Engine, tmp_path: Path, damage: str
) -> None:
    cache = tmp_path / "cache"
    thumbnails = Thumbnails(engine, cache)
    made = thumbnails.jpeg(0, 256)
    (kept,) = files_of(cache)
    data = kept.read_bytes()
    other = Thumbnails(engine, tmp_path / "other")
    other.jpeg(1, 256)
    spoiled = {
        "cut": data[: len(data) // 2],
        "changed": data[:200] + bytes([data[200] ^ 1]) + data[201:],
        "empty": b"",
        "of another": files_of(tmp_path / "other")[0].read_bytes(),
        "folder": b"",
    }[damage]
    kept.unlink()
    if damage == "folder":
        kept.mkdir()
    else:
        kept.write_bytes(spoiled)
    assert Thumbnails(engine, cache).jpeg(0, 256) == made
    if damage != "folder":
        assert kept.read_bytes() == data


def test_a_cache_that_cannot_be_written_does_not_matter(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    thumbnails = Thumbnails(engine, tmp_path / "cache")
    assert size_of(thumbnails.jpeg(0, 256)) == (256, 171)
    assert size_of(thumbnails.jpeg(0, 512)) == (512, 341)
    assert [record.message for record in caplog.records if "cannot be written" in record.message]
    assert len(caplog.records) == 1


def test_memory_is_bounded_and_the_last_used_stay(engine: Engine, photos: Path) -> None:
    thumbnails = Thumbnails(engine, None, memory_bytes=30_000)
    small = thumbnails.jpeg(1, 128)
    large = {size: thumbnails.jpeg(0, size) for size in (128, 256, 512)}
    assert len(large[512]) + len(large[256]) + len(large[128]) > 30_000 - len(small)
    assert thumbnails.memory_held <= 30_000
    assert thumbnails.jpeg(0, 256) is not large[128]


def test_two_who_want_the_same_wait_for_one(engine: Engine, tmp_path: Path) -> None:
    thumbnails = Thumbnails(engine, None)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: thumbnails.jpeg(0, 512), range(32)))
    assert len({id(jpeg) for jpeg in found}) == 1


# ----------------------------------------------------------------------------------- the disk cache


def test_of_the_disk_those_used_longest_ago_go(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10_000)
    for number in range(9):
        cache.put(f"entry {number}", bytes(1000))
        path = max(files_of(tmp_path), key=lambda path: path.stat().st_mtime_ns)
        os.utime(path, (1_000_000 + number, 1_000_000 + number))
    assert cache.get("entry 0") is not None  # used again, now
    for number in range(9, 30):
        cache.put(f"entry {number}", bytes(1000))
        assert sum(path.stat().st_size for path in files_of(tmp_path)) <= 10_000 + 1016
    assert cache.get("entry 1") is None
    assert cache.get("entry 29") is not None


def test_what_another_process_wrote_counts_too(tmp_path: Path) -> None:
    for who in range(6):
        cache = DiskCache(tmp_path, 10_000)
        for number in range(6):
            cache.put(f"{who} {number}", bytes(1000))
    assert sum(path.stat().st_size for path in files_of(tmp_path)) <= 10_000 + 1016


def test_stray_files_of_killed_processes_go(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    stray, fresh = tmp_path / "ab" / ".1.tmp", tmp_path / "ab" / ".2.tmp"
    for path in (stray, fresh):
        path.write_bytes(b"half")
    os.utime(stray, (1, 1))
    DiskCache(tmp_path, 10_000).put("entry", b"bytes")
    assert (stray.exists(), fresh.exists()) == (False, True)


WRITER = """
import sys
from pathlib import Path
from gandt.serving.service.explore.pictures.disk_cache import DiskCache
cache = DiskCache(Path(sys.argv[1]), 60_000)
wrong = 0
for turn in range(6):
    for number in range(40):
        data = bytes([number]) * 2000
        cache.put(f"entry {number}", data)
        found = cache.get(f"entry {(number * 7) % 40}")
        wrong += found is not None and found != bytes([(number * 7) % 40]) * 2000
sys.exit(wrong)
"""


def test_two_servers_share_a_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert sum(path.stat().st_size for path in files_of(tmp_path)) <= 60_000 + 2 * 2016


def test_threads_that_read_and_write_at_once_see_whole_entries(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 8_000)
    wrong = []

    def work(seed: int) -> None:
        for turn in range(60):
            number = (seed + turn * 3) % 10
            cache.put(str(number), bytes([number]) * 1000)
            found = cache.get(str((number + 1) % 10))
            if found is not None and found != bytes([(number + 1) % 10]) * 1000:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
