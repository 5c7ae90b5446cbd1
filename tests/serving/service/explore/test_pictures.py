"""The file of a picture is sent as it is; whatever else lies under its name gives nothing away."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pool_engine import engine_of, noise, picture, tar_of

from gandt.serving.service.explore.engine import Engine, NoSuchImage
from gandt.serving.service.explore.pictures.whole import OpenPicture, open_picture
from gandt.serving.service.images import NotShown

if TYPE_CHECKING:
    from s3_server import Bucket


def body(opened: OpenPicture) -> bytes:
    return b"".join(opened.chunks)


def open_files() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photos" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(noise((2400, 1800)))
    return path


@pytest.fixture
def engine(photo: Path, tmp_path: Path) -> Engine:
    return engine_of(tmp_path / "index", photo.parent)


def test_the_file_comes_as_it_is(engine: Engine, photo: Path) -> None:
    kind, size, chunks, etag = open_picture(engine, 0)
    data = photo.read_bytes()
    assert (kind, size) == ("image/jpeg", len(data))
    assert b"".join(chunks) == data
    assert etag.startswith('"')
    assert etag == open_picture(engine, 0).etag


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_what_browsers_show_is_told_by_its_bytes(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.jpg").write_bytes(picture(kind=kind))
    opened = open_picture(engine_of(tmp_path / "index", tmp_path / "a.jpg"), 0)
    assert opened.media_type == f"image/{kind.lower()}"
    assert body(opened) == picture(kind=kind)


def test_a_tiff_is_said_to_be_none_that_browsers_show(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(picture(kind="TIFF"))
    with pytest.raises(NotShown, match="no image that a browser") as caught:
        open_picture(engine_of(tmp_path / "index", tmp_path / "a.tif"), 0)
    assert caught.value.status == 415


def test_members_of_a_tar_come_alone(tmp_path: Path) -> None:
    members = {"x/a.jpg": noise((1200, 900), 1), "x/b.png": picture("blue", kind="PNG")}
    (tmp_path / "shard.tar").write_bytes(tar_of(members))
    engine = engine_of(tmp_path / "index", tmp_path / "shard.tar")
    opened = [open_picture(engine, number) for number in (0, 1)]
    assert [one.media_type for one in opened] == ["image/jpeg", "image/png"]
    assert [one.size for one in opened] == [len(data) for data in members.values()]
    assert [body(one) for one in opened] == list(members.values())
    assert opened[0].etag != opened[1].etag


def test_a_file_whose_name_looks_like_a_member_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "photos" / "x.tar#a.jpg"
    path.parent.mkdir()
    path.write_bytes(picture("red"))
    assert body(open_picture(engine_of(tmp_path / "index", path.parent), 0)) == picture("red")


def test_objects_on_s3_come_through_the_service(bucket: Bucket, tmp_path: Path) -> None:
    data = {"p/a.jpg": noise((2400, 1800)), "p/t.tar": tar_of({"b.jpg": picture("blue")})}
    for key, value in data.items():
        bucket.put(key, value)
    engine = engine_of(tmp_path / "index", bucket.uri("p/"))
    assert body(open_picture(engine, 0)) == data["p/a.jpg"]
    assert body(open_picture(engine, 1)) == picture("blue")
    before = open_picture(engine, 0).etag
    bucket.put("p/a.jpg", picture("red"))
    assert open_picture(engine, 0).etag != before
    bucket.put("p/a.jpg", b"<html>secret</html>")
    with pytest.raises(NotShown):
        open_picture(engine, 0)
    bucket.delete("p/a.jpg")
    with pytest.raises(NotShown) as caught:
        open_picture(engine, 0)
    assert caught.value.status == 404
    bucket.put("p/t.tar", b"no tar any more" * 100)
    with pytest.raises(NotShown) as caught:
        open_picture(engine, 1)
    assert caught.value.status == 404


@pytest.mark.parametrize("number", [-1, 1, 10**12])
def test_an_id_of_no_image_is_said(engine: Engine, number: int) -> None:
    with pytest.raises(NoSuchImage):
        open_picture(engine, number)


@pytest.mark.parametrize(
    ("what", "status"),
    [
        *[("secret", 415), ("link to a secret", 415), ("pipe", 415), ("folder", 415)],
        *[("device", 415), ("svg", 415), ("empty", 415), ("nothing", 404), ("loop", 404)],
        ("unreadable", 404),
    ],
)
def test_a_name_that_leads_to_something_else_gives_nothing_away(
    engine: Engine, photo: Path, tmp_path: Path, what: str, status: int
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password: 1234")
    photo.unlink()
    if what == "secret":
        photo.write_text("password: 1234")
    elif what == "link to a secret":
        photo.symlink_to(secret)
    elif what == "pipe":
        os.mkfifo(photo)
    elif what == "folder":
        photo.mkdir()
    elif what == "device":
        photo.symlink_to("/dev/zero")
    elif what == "svg":
        photo.write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>")
    elif what == "empty":
        photo.write_bytes(b"")
    elif what == "loop":
        photo.symlink_to(photo)
    elif what == "unreadable":
        if os.geteuid() == 0:
            pytest.skip("root may read everything")
        photo.write_bytes(picture())
        photo.chmod(0)
    before = open_files()
    started = time.monotonic()
    with pytest.raises(NotShown) as caught:
        open_picture(engine, 0)
    assert caught.value.status == status
    assert time.monotonic() - started < 5
    assert "1234" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    del caught
    assert open_files() == before


def test_a_file_too_large_is_not_sent(engine: Engine, photo: Path) -> None:
    os.truncate(photo, 200_000_001)  # a file with a hole
    with pytest.raises(NotShown, match="200,000,001 bytes") as caught:
        open_picture(engine, 0)
    assert caught.value.status == 413


def test_what_nobody_takes_is_closed(engine: Engine) -> None:
    before = open_files()
    opened = open_picture(engine, 0)
    assert open_files() == before + 1
    opened.chunks.close()
    assert open_files() == before
    begun = open_picture(engine, 0)
    assert next(begun.chunks)
    del opened, begun
    assert open_files() == before


def test_a_file_that_grows_meanwhile_sends_what_was_promised(engine: Engine, photo: Path) -> None:
    opened = open_picture(engine, 0)
    with photo.open("ab") as file:
        file.write(bytes(3_000_000))
    assert len(body(opened)) == opened.size
