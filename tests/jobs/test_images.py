"""Facts of images, from files and from S3, without unpacking one."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from gandt.errors import BadImage
from gandt.jobs.images import inspect_images
from gandt.jobs.plan import ImageFacts
from gandt.parallel import in_order
from gandt.pool.header import PIECE, Header, read_header
from gandt.storage import ServiceFailure, s3_client

if TYPE_CHECKING:
    from s3_server import Bucket

FORMATS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp"}
FORMATS |= {"TIFF": ".tif"}


def picture(
    kind: str = "JPEG", size: tuple[int, int] = (40, 30), *, turn: int | None = None, **options: Any
) -> bytes:
    """An image file with grain, so that it does not shrink to nothing."""
    grain = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    if turn is not None:
        exif = Image.Exif()
        exif[0x0112] = turn
        options["exif"] = exif
    file = io.BytesIO()
    Image.fromarray(grain).save(file, kind, **options)
    return file.getvalue()


def one(uri: str | os.PathLike[str]) -> ImageFacts:
    (facts,) = inspect_images([str(uri)])
    return facts


def header(data: bytes) -> tuple[Header, list[tuple[int, int]]]:
    """Read a header as from S3: with what had to be fetched."""
    fetched: list[tuple[int, int]] = []

    def fetch(offset: int, size: int) -> bytes:
        fetched.append((offset, size))
        return data[offset : offset + size]

    return read_header(data[:PIECE], len(data), fetch), fetched


# ---------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_is_known_by_its_bytes(tmp_path: Path, kind: str) -> None:
    data = picture(kind, (57, 41))
    path = tmp_path / "named.jpg"  # whatever it is
    path.write_bytes(data)
    assert one(path) == ImageFacts(
        str(path), len(data), hashlib.sha256(data).hexdigest(), kind, 57, 41
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_a_turned_image_says_so_with_its_size_as_stored(
    tmp_path: Path, kind: str, turn: int
) -> None:
    path = tmp_path / f"x{FORMATS[kind]}"
    path.write_bytes(picture(kind, (57, 41), turn=turn))
    facts = one(path)
    assert (facts.width, facts.height, facts.orientation) == (57, 41, turn)
    assert facts.problem is None


def test_a_foolish_orientation_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(picture(turn=77))
    assert one(tmp_path / "x.jpg").orientation == 1


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_of_every_kind_has_its_size(tmp_path: Path, lossless: bool) -> None:
    for number, more in enumerate(({}, {"exif": b"Exif\0\0"}, {"icc_profile": b"x" * 9})):
        path = tmp_path / f"{number}.webp"
        path.write_bytes(picture("WEBP", (301, 7), lossless=lossless, **more))
        assert (one(path).width, one(path).height, one(path).problem) == (301, 7, None)


def test_sixteen_bits_palettes_and_cmyk_are_images_too(tmp_path: Path) -> None:
    for mode, kind in (("I;16", "PNG"), ("P", "PNG"), ("1", "TIFF"), ("CMYK", "JPEG")):
        path = tmp_path / f"x-{mode.replace(';', '')}"
        Image.new(mode, (9, 5)).save(path, kind)
        facts = one(path)
        assert (facts.format, facts.width, facts.height, facts.problem) == (kind, 9, 5, None)


def test_pixels_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageFile

    unpacked: list[object] = []
    for kind, suffix in FORMATS.items():
        (tmp_path / f"x{suffix}").write_bytes(picture(kind))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: unpacked.append(self))
    found = inspect_images(str(path) for path in sorted(tmp_path.iterdir()))
    assert unpacked == []
    assert [facts.problem for facts in found] == [None] * len(FORMATS)


def huge(width: int, height: int) -> bytes:
    """The header of a PNG that claims to be as large as this."""

    def chunk(name: bytes, body: bytes) -> bytes:
        import zlib

        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "empty file"),
        (b"\0" * 100, "not an image: it begins with zeros only"),
        (b"hello, world", "not an image: no JPEG, PNG, WebP, TIFF, BMP or GIF"),
        (b"<!DOCTYPE html><p>Sign in", "not an image: a web page (HTML)"),
        (picture("JPEG")[:150], "truncated"),
        (picture("PNG")[:20], "truncated"),
        (picture("WEBP")[:28], "truncated"),
        (picture("TIFF")[:9], None),
        (picture("WEBP")[:26] + bytes(4) + picture("WEBP")[30:], "damaged: it claims to be 0 x 0"),
        (huge(60_000, 60_000), "too many pixels: 60000 x 60000, the limit is 200000000"),
        (huge(0, 10), None),
        (b"\xff\xd8\xff\xe0" + b"\0" * 6_000_000, None),
    ],
)
def test_what_is_wrong_is_said_of_the_image(
    tmp_path: Path, data: bytes, problem: str | None
) -> None:
    (tmp_path / "x.jpg").write_bytes(data)
    facts = one(tmp_path / "x.jpg")
    assert facts.problem is not None
    assert facts.sha256 == hashlib.sha256(data).hexdigest()
    assert facts.size == len(data)
    if problem is not None:
        assert facts.problem.startswith(problem)


def test_what_cannot_be_read_is_said_of_the_image(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    names = [f"{tmp_path}/gone.jpg", f"{tmp_path}/folder.jpg", "https://x.org/a.jpg", "gs://b/a"]
    found = inspect_images(names)
    address = "an address that is neither a file nor on S3: download it first"
    assert [facts.uri for facts in found] == names
    assert [facts.problem for facts in found] == [
        "no such file",
        "a folder, not an image",
        address,
        address,
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(picture())
    (tmp_path / "x.jpg").chmod(0)
    assert one(tmp_path / "x.jpg").problem == "cannot be read: you have no permission for it"


def test_each_image_once_in_the_order_of_first_mention(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{number:02d}.png") for number in range(40)]
    for number, path in enumerate(paths):
        Path(path).write_bytes(picture("PNG", (number + 1, 2)))
    seen: list[tuple[int, int]] = []
    found = inspect_images(
        iter([*reversed(paths), *paths]), lambda done, total: seen.append((done, total))
    )
    assert [facts.uri for facts in found] == paths[::-1]
    assert [facts.width for facts in found] == list(range(40, 0, -1))
    assert seen == [(done, 40) for done in range(1, 41)]
    assert inspect_images([]) == []


@given(
    kind=st.sampled_from(sorted(FORMATS)),
    width=st.integers(1, 80),
    height=st.integers(1, 80),
    share=st.floats(0, 1),
)
def test_a_file_cut_anywhere_gives_its_size_or_a_problem(
    kind: str, width: int, height: int, share: float
) -> None:
    data = picture(kind, (width, height))
    cut = data[: int(len(data) * share)]
    try:
        found, fetched = header(cut)
    except BadImage as error:
        assert str(error)
        assert cut != data
    else:
        assert (found.format, found.width, found.height) == (kind, width, height)
        assert fetched == []


@given(data=st.binary(max_size=300), kind=st.sampled_from(sorted(FORMATS)), at=st.integers(0, 200))
def test_damaged_headers_are_problems_and_nothing_worse(data: bytes, kind: str, at: int) -> None:
    whole = picture(kind)
    damaged = whole[:at] + data + whole[at + len(data) :]
    try:
        found, _ = header(damaged)
    except BadImage as error:
        assert str(error)
        assert "\n" not in str(error)
    else:
        assert found.width > 0
        assert found.height > 0


# ------------------------------------------------------------------------- headers read in pieces


def test_a_profile_before_the_size_makes_the_pieces_grow() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kilobytes, fetches in ((1, 0), (40, 1), (100, 2), (900, 5)):
        data = picture("JPEG", (640, 480), icc_profile=profile + bytes(kilobytes << 10))
        found, fetched = header(data)
        assert (found.width, found.height) == (640, 480)
        assert len(fetched) <= fetches
        assert sum(size for _, size in fetched) <= 2 * len(data)
        assert bool(fetched) == bool(fetches)


def test_metadata_without_end_are_a_problem() -> None:
    info = PngImagePlugin.PngInfo()
    info.add(b"prVt", bytes(9_000_000))
    data = picture("PNG", pnginfo=info)
    with pytest.raises(BadImage, match="its metadata take more room than any image needs"):
        header(data)


def test_a_header_at_the_end_is_fetched_there() -> None:
    # TIFF may keep its directory behind the pixels; so does libtiff, where it streams.
    pixels = bytes(200 * 400)
    tags = [(256, 400), (257, 200), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1)]
    tags += [(274, 6), (278, 200), (279, len(pixels))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags))
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    data = b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory
    found, fetched = header(data)
    assert found == Header("TIFF", 400, 200, 6)
    assert len(fetched) == 1
    assert fetched[0][0] >= len(data) - 2 * PIECE


def test_the_turn_of_a_webp_is_looked_up_behind_its_pixels() -> None:
    data = picture("WEBP", (300, 300), turn=6, lossless=True)
    assert len(data) > 5 * PIECE
    found, fetched = header(data)
    assert found == Header("WEBP", 300, 300, 6)
    assert len(fetched) == 1


def test_what_is_looked_up_here_and_there_is_fetched_in_single_pieces() -> None:
    data = picture("WEBP", (300, 300), turn=6)
    frames = b"".join(b"JUNK" + struct.pack("<I", 99_000) + bytes(99_000) for _ in range(5))
    found, fetched = header(data[:30] + frames + data[30:])
    assert found == Header("WEBP", 300, 300, 6)
    assert len(fetched) >= 5
    assert sum(size for _, size in fetched) <= 8 * PIECE


def test_a_webp_with_its_turn_too_far_away_is_still_an_image() -> None:
    """As of a long animation, whose frames would have to be passed one by one."""
    data = picture("WEBP", (300, 300), turn=6)
    frames = b"".join(b"JUNK" + struct.pack("<I", 60_000) + bytes(60_000) for _ in range(600))
    found, fetched = header(data[:30] + frames + data[30:])
    assert found == Header("WEBP", 300, 300, 1)
    assert sum(size for _, size in fetched) <= 1 << 23


# -------------------------------------------------------------------------------------------- S3


@pytest.fixture
def ranges(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """Method and range of every request."""
    seen: list[tuple[str, str]] = []
    answer = bucket.server._moto

    def record(environ: dict[str, Any], start_response: Any) -> Any:
        seen.append((environ["REQUEST_METHOD"], environ.get("HTTP_RANGE", "")))
        return answer(environ, start_response)

    monkeypatch.setattr(bucket.server, "_moto", record)
    yield seen


def test_an_object_takes_one_request_of_its_beginning(
    bucket: Bucket, ranges: list[tuple[str, str]]
) -> None:
    large = picture("JPEG", (1200, 900), quality=95, turn=6)
    small = picture("PNG", (9, 5))
    assert len(large) > 10 * PIECE
    uris = [bucket.put("a b+ü%20.jpg", large), bucket.put("small.png", small)]
    assert inspect_images(uris) == [
        ImageFacts(uris[0], len(large), None, "JPEG", 1200, 900, 6),
        ImageFacts(uris[1], len(small), None, "PNG", 9, 5),
    ]
    assert ranges == [("GET", f"bytes=0-{PIECE - 1}")] * 2


def test_what_is_wrong_with_an_object_is_said_of_it(bucket: Bucket) -> None:
    uris = [
        bucket.put("fine.jpg", picture()),
        bucket.put("empty.jpg", b""),
        bucket.put("cut.jpg", picture()[:100]),
        bucket.put("denied.jpg", picture()),
        bucket.put("text.jpg", b"hello"),
        bucket.uri("gone.jpg"),
        bucket.uri("folder/"),
        "s3://nowhere-at-all/x.jpg",
        bucket.put("last.png", picture("PNG")),
    ]
    bucket.server.fail(path="denied", status="403 Forbidden", code="AccessDenied")
    found = inspect_images(uris)
    assert [facts.uri for facts in found] == uris
    assert [facts.problem for facts in found] == [
        None,
        "empty file",
        "truncated",
        "may not be read: your AWS identity lacks the permission s3:GetObject on "
        f"{bucket.name}; ask for it, or set AWS_PROFILE to an identity that has it",
        "not an image: no JPEG, PNG, WebP, TIFF, BMP or GIF",
        "no such object",
        "no such object",
        "there is no bucket nowhere-at-all: check the name in s3://nowhere-at-all/x.jpg",
        None,
    ]
    assert found[0].size == len(picture())


def test_busy_answers_and_cut_bodies_are_no_problem_of_the_image(bucket: Bucket) -> None:
    data = picture("JPEG", (800, 600))
    uris = [bucket.put(f"{number}.jpg", data) for number in range(40)]
    bucket.server.fail(times=5, status="503 Slow Down", code="SlowDown")
    bucket.server.fail(times=3, path="7.jpg", cut=0.5)
    bucket.server.fail(times=2, path="9.jpg", reset=True)
    assert {facts.problem for facts in inspect_images(uris)} == {None}


def test_without_service_there_are_no_facts(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    uris = [bucket.put(f"{number}.jpg", picture()) for number in range(300)]
    bucket.server.fail(times=9999, path="", status="403 Forbidden", code="ExpiredToken")
    with pytest.raises(ServiceFailure, match=r"credentials are refused \(ExpiredToken\); renew"):
        inspect_images(uris)
    assert bucket.server.requests["GET"] <= 4 * 32 + 1  # and not one for each image
    monkeypatch.setattr(s3_client, "_clients", {})
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ServiceFailure, match="run `aws configure`"):
        inspect_images(uris[:1])


def test_many_objects_are_looked_at_together(bucket: Bucket) -> None:
    uris = [bucket.put(f"{number:03d}.png", picture("PNG")) for number in range(96)]
    bucket.server.latency = 0.05
    assert len(inspect_images(uris)) == 96
    assert 16 <= bucket.server.most_at_once <= 32


def test_files_and_objects_may_be_mixed(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(picture("PNG"))
    uris = [bucket.put("a.png", picture("PNG")), str(tmp_path / "x.png")]
    assert [facts.sha256 is None for facts in inspect_images(uris)] == [True, False]


# ------------------------------------------------------------------------------------- tar shards


def shard(images: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in images.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


@pytest.mark.parametrize("where", ["disk", "s3"])
def test_members_of_shards_are_known_with_their_sha256(
    bucket: Bucket, tmp_path: Path, where: str
) -> None:
    images = {"a b.jpg": picture(turn=3), "c/d.png": picture("PNG"), "e.jpg": b"no"}
    if where == "s3":
        uri = bucket.put("x.tar", shard(images))
    else:
        uri = str(tmp_path / "x.tar")
        Path(uri).write_bytes(shard(images))
    found = inspect_images([f"{uri}#{name}" for name in (*images, "gone.jpg")])
    assert [facts.sha256 for facts in found[:3]] == [
        hashlib.sha256(data).hexdigest() for data in images.values()
    ]
    assert [(facts.format, facts.orientation) for facts in found[:2]] == [("JPEG", 3), ("PNG", 1)]
    assert found[2].problem == "not an image: no JPEG, PNG, WebP, TIFF, BMP or GIF"
    assert found[3].problem == "its tar shard is damaged or has no such member"


def test_a_file_that_is_only_named_like_a_member_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.tar#a.jpg").write_bytes(picture())
    assert one(tmp_path / "x.tar#a.jpg").problem is None


# --------------------------------------------------------------------------------------- threads


def test_results_come_in_order_and_do_not_pile_up() -> None:
    begun: list[int] = []
    lock = threading.Lock()

    def call(number: int) -> int:
        with lock:
            begun.append(number)
        return number * number

    things = iter(range(1000))
    for position, result in enumerate(in_order(call, things, 4)):
        assert result == position**2
        assert len(begun) <= position + 1 + 16
    assert next(things, None) is None
    assert sorted(begun) == list(range(1000))


def test_after_an_error_nothing_more_begins() -> None:
    begun: list[int] = []

    def call(number: int) -> int:
        begun.append(number)
        if number > 5:
            time.sleep(0.5)  # long enough that the error is seen meanwhile
        return 1 // (5 - number)

    found = in_order(call, range(10_000), 2)
    assert [next(found) for _ in range(5)] == [0, 0, 0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(found)
    assert max(begun) <= 7  # of two threads; those that were waiting never began
