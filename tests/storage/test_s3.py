"""S3 as storage: against a real server that pages, refuses, breaks off and is slow."""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gandt import storage
from gandt.errors import StorageError
from gandt.storage import s3, s3_client, s3_errors

if TYPE_CHECKING:
    from s3_server import Bucket

ODD_KEYS = [
    "p/a b.jpg",
    "p/a+b.jpg",
    "p/a%20b.jpg",
    "p/100%.jpg",
    "p/#1 of 2.jpg",
    "p/\u00fc.jpg",
    "p/u\u0308.jpg",  # the same to the eye
    "p/日本/写真.jpg",
    "p/dots.../x.jpg.",
    "p/q?x=1&y=2;z.jpg",
    "p/'\"\\.jpg",
    "p//empty//name.jpg",
    "p/😀.jpg",
    "p/~x.jpg",
]


@pytest.fixture
def impatient(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two attempts a request, where the outcome of all retries is looked at."""
    monkeypatch.setattr(s3_client, "_clients", {})
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    monkeypatch.setattr(s3_client, "_FIRST_WAIT", 0.1)
    monkeypatch.setattr(s3_client, "_LONGEST_WAIT", 0.2)


# ------------------------------------------------------------------------- names and listings


def test_any_key_is_written_listed_found_and_read(bucket: Bucket) -> None:
    for key in ODD_KEYS:
        storage.write_bytes(bucket.uri(key), key.encode())
    listed = list(storage.list_folder(bucket.uri("p")))
    assert [found.uri for found in listed] == [
        bucket.uri(key) for key in sorted(ODD_KEYS, key=str.encode)
    ]
    for found in listed:
        key = found.uri.removeprefix(bucket.uri())
        assert storage.stat(found.uri) == found
        assert storage.read_bytes(found.uri) == key.encode()
        assert found.version == hashlib.md5(key.encode()).hexdigest()


def test_a_listing_of_more_than_a_thousand_keys_has_all_in_order(bucket: Bucket) -> None:
    keys = [f"many/{number:05d} +ü%.jpg" for number in range(1005)]
    for key in keys:
        bucket.put(key, b"x")
    bucket.put("many-more/x.jpg", b"x")  # of another folder
    bucket.put("many/", b"")  # the mark that consoles leave for a folder
    bucket.put("many/.hidden/x.jpg", b"x")
    found = [
        entry.uri.removeprefix(bucket.uri()) for entry in storage.list_folder(bucket.uri("many"))
    ]
    assert found == keys
    assert bucket.server.requests["GET"] == 2


def test_a_path_that_lost_a_slash_is_still_s3(bucket: Bucket) -> None:
    bucket.put("k.txt", b"1")
    path = Path(bucket.uri("k.txt"))
    assert str(path).startswith("s3:/b")
    assert storage.is_remote(path)
    assert storage.normalize(path) == bucket.uri("k.txt")
    assert storage.read_bytes(path) == b"1"
    assert not storage.is_remote(Path("s3/x"))


def test_a_prefix_is_a_folder_and_a_key_a_file(bucket: Bucket) -> None:
    bucket.put("photos/a.jpg", b"123")
    assert storage.is_folder(bucket.uri("photos")) and storage.is_folder(bucket.uri())
    assert not storage.is_folder(bucket.uri("photo"))
    assert storage.exists(bucket.uri("photos/a.jpg")) and not storage.exists(bucket.uri("x"))
    assert storage.find(bucket.uri("photos")) is None
    assert storage.stat(bucket.uri("photos/a.jpg")).size == 3


# ------------------------------------------------------------------------------ whole and ranges


@pytest.mark.parametrize(
    ("offset", "size"), [(0, None), (3, 4), (8, None), (8, 50), (10, 1), (99, None)]
)
def test_ranges_are_slices(bucket: Bucket, offset: int, size: int | None) -> None:
    data = b"0123456789"
    uri = bucket.put("x", data)
    stop = None if size is None else offset + size
    assert storage.read_bytes(uri, offset=offset, size=size) == data[offset:stop]
    assert storage.read_bytes(bucket.put("empty", b""), offset=offset, size=size) == b""


def test_the_start_of_an_object_comes_with_what_it_is_in_one_request(bucket: Bucket) -> None:
    data = np.random.default_rng(0).bytes(300_000)
    uri = bucket.put("x", data)
    stored = storage.stat(uri)
    bucket.server.reset()
    for size in (1, 1000, 300_000, 999_999):
        assert storage.read_start(uri, size) == (stored, data[:size])
    assert bucket.server.requests == {"GET": 4}
    bucket.server.fail(times=2, path="/x", cut=0.4)
    assert storage.read_start(uri, 200_000) == (stored, data[:200_000])
    empty = bucket.put("empty", b"")
    assert storage.read_start(empty, 10) == (storage.stat(empty), b"")
    for gone in (bucket.uri("gone"), bucket.uri("folder/")):
        with pytest.raises(storage.MissingObject, match=f"There is no object {gone}: check"):
            storage.read_start(gone, 10)


def test_what_is_put_for_browsers_has_a_type_and_is_sent_again_where_it_was_damaged(
    bucket: Bucket,
) -> None:
    uri = bucket.uri("a b.png")
    storage.put(uri, b"pixels", content_type="image/png")
    head = s3_client.client().head_object(Bucket=bucket.name, Key="a b.png")
    assert head["ContentType"] == "image/png"
    for times, fails in ((2, False), (3, True)):
        bucket.server.fail(times=times, method="PUT", status="400 Bad Request", code="BadDigest")
        if fails:
            with pytest.raises(storage.PassingFailure, match="damaged on the way"):
                storage.put(uri, b"others", content_type="image/png")
        else:
            storage.put(uri, b"pixel 2", content_type="image/png")
    assert bucket.get("a b.png") == b"pixel 2"


def test_a_refused_look_says_why(bucket: Bucket) -> None:
    uri = bucket.put("k", b"1")
    for method in ("HEAD", "GET"):  # only the answer to GET has words
        bucket.server.fail(method=method, status="403 Forbidden", code="ExpiredToken")
    with pytest.raises(storage.ServiceFailure, match=r"refused \(ExpiredToken\); renew them"):
        storage.find(uri)


def test_lines_are_streamed(bucket: Bucket) -> None:
    lines = [b"a" * 2_500_000, b"", "zwölf".encode()]
    uri = bucket.put("lines.txt", b"\r\n".join(lines))
    assert list(storage.open_lines(uri)) == lines


def test_large_objects_move_in_parts(bucket: Bucket, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(s3, "MULTIPART", 5 << 20)
    monkeypatch.setattr(s3_client, "MULTIPART", 5 << 20)
    data = np.random.default_rng(0).bytes((12 << 20) + 17)
    (tmp_path / "x.bin").write_bytes(data)
    stored = s3.upload(tmp_path / "x.bin", bucket.uri("file"))
    assert stored.version.endswith("-3") and stored.size == len(data)
    assert stored == storage.stat(bucket.uri("file"))
    storage.write_bytes(bucket.uri("memory"), data)
    assert storage.stat(bucket.uri("memory")).version == stored.version
    before = bucket.server.requests["GET"]
    s3.download(bucket.uri("file"), tmp_path / "back" / "x.bin")
    assert (tmp_path / "back" / "x.bin").read_bytes() == data
    assert bucket.server.requests["GET"] - before == 3


def test_a_file_for_s3_is_made_here_and_uploaded_whole(bucket: Bucket) -> None:
    with storage.atomic_path(bucket.uri("report.pdf")) as temporary:
        assert temporary.suffix == ".pdf"
        temporary.write_bytes(b"%PDF")
        assert bucket.keys() == []
    assert bucket.get("report.pdf") == b"%PDF"
    assert not temporary.exists()
    with pytest.raises(RuntimeError), storage.atomic_path(bucket.uri("other.pdf")) as temporary:
        temporary.write_bytes(b"%P")
        raise RuntimeError
    assert bucket.keys() == ["report.pdf"]
    assert not temporary.exists()


def test_an_object_is_created_once(bucket: Bucket) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda n: s3.create(bucket.uri("lock"), b"%d" % n), range(8)))
    assert sum(made) == 1
    assert bucket.get("lock") == b"%d" % made.index(True)
    s3.delete(bucket.uri("lock"))
    s3.delete(bucket.uri("lock"))
    assert bucket.keys() == []


# -------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("fault", [{"cut": 0.4}, {"reset": True}, {"cut": 0.001}])
def test_a_body_that_breaks_off_is_taken_up_where_it_broke(bucket: Bucket, fault) -> None:
    data = np.random.default_rng(1).bytes(3_000_000)
    uri = bucket.put("big", data)
    bucket.server.fail(times=2, path="big", **fault)
    assert storage.read_bytes(uri) == data
    bucket.server.fail(times=2, path="big", **fault)
    assert storage.read_bytes(uri, offset=1000, size=2_000_000) == data[1000:2_001_000]
    bucket.server.fail(times=1, path="big", **fault)
    assert b"\n".join(storage.open_lines(uri)) == data.rstrip(b"\n").replace(b"\r\n", b"\n")


def test_a_download_that_breaks_off_goes_on(bucket: Bucket, tmp_path: Path) -> None:
    data = np.random.default_rng(2).bytes(500_000)
    uri = bucket.put("big", data)
    bucket.server.fail(times=2, path="big", cut=0.5)
    s3.download(uri, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == data


def test_a_slow_body_is_waited_for(bucket: Bucket) -> None:
    uri = bucket.put("slow", b"x" * 1000)
    bucket.server.fail(path="slow", slow=0.5)
    assert storage.read_bytes(uri) == b"x" * 1000


def test_a_body_that_always_breaks_off_is_given_up(bucket: Bucket, monkeypatch) -> None:
    monkeypatch.setattr(s3.time, "sleep", lambda seconds: None)
    uri = bucket.put("big", b"x" * 10)
    bucket.server.fail(times=99, path="big", cut=1e-9)
    with pytest.raises(
        storage.PassingFailure, match=r"broke off again and again .*run again later"
    ):
        storage.read_bytes(uri)
    assert bucket.server.requests["GET"] == 6


def test_an_object_replaced_in_the_middle_is_never_mixed(bucket: Bucket) -> None:
    uri = bucket.put("big", b"a" * 3_000_000)
    bucket.server.fail(path="big", cut=0.5)
    bucket.server.fail(path="big", before=lambda: bucket.put("big", b"b" * 3_000_000))
    with pytest.raises(storage.PassingFailure, match="was replaced while it was read; run again"):
        storage.read_bytes(uri)
    assert storage.read_bytes(uri) == b"b" * 3_000_000


@pytest.mark.parametrize("status", ["503 Slow Down", "500 Internal Server Error"])
def test_a_busy_server_is_asked_again(bucket: Bucket, status: str) -> None:
    uri = bucket.put("k", b"1")
    code = "SlowDown" if "503" in status else "InternalError"
    bucket.server.fail(times=2, status=status, code=code)
    assert storage.read_bytes(uri) == b"1"
    bucket.server.fail(times=1, method="PUT", status=status, code=code)
    storage.write_bytes(uri, b"2")
    bucket.server.fail(times=1, path="list-type=2", status=status, code=code)
    assert [found.uri for found in storage.list_folder(bucket.uri())] == [uri]
    assert bucket.get("k") == b"2"


def refuse(bucket: Bucket, status: str, code: str, **more: object) -> None:
    bucket.server.fail(times=99, method="GET", status=status, code=code, **more)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("status", "code", "kind", "sentence"),
    [
        ("503 Slow Down", "SlowDown", storage.PassingFailure,
         r"cannot be read: S3 is too busy \(SlowDown, after all retries\); run again later\.$"),
        ("403 Forbidden", "AccessDenied", StorageError,
         r"may not be read: your AWS identity lacks the permission s3:GetObject on bucket-\d+;"),
        ("403 Forbidden", "ExpiredToken", storage.ServiceFailure,
         r"the AWS credentials are refused \(ExpiredToken\); renew them\.$"),
        ("403 Forbidden", "RequestTimeTooSkewed", storage.ServiceFailure,
         r"set the clock of this machine\.$"),
        ("403 Forbidden", "InvalidObjectState", StorageError, r"it is archived; restore it first"),
        ("404 Not Found", "NoSuchKey", storage.MissingObject, r"There is no object s3://.*: check"),
        ("400 Bad Request", "KeyTooLongError", StorageError,
         r"cannot be read: S3 says: injected \(KeyTooLongError\)\.$"),
    ],
)  # fmt: skip
def test_what_s3_refuses_is_one_sentence_with_a_remedy(
    bucket: Bucket, status: str, code: str, kind: type[StorageError], sentence: str
) -> None:
    uri = bucket.put("k", b"1")
    refuse(bucket, status, code)
    with pytest.raises(StorageError, match=sentence) as raised:
        storage.read_bytes(uri)
    assert type(raised.value) is kind
    assert str(raised.value).count("\n") == 0
    assert raised.value.__cause__ is not None


def test_a_bucket_in_another_region_is_named_with_its_region(bucket: Bucket) -> None:
    uri = bucket.put("k", b"1")
    for status, code in (
        ("301 Moved Permanently", "PermanentRedirect"),
        ("400 Bad Request", "AuthorizationHeaderMalformed"),
    ):
        refuse(bucket, status, code, region="eu-west-3")
        with pytest.raises(
            StorageError, match=r"is in region eu-west-3; set AWS_DEFAULT_REGION=eu"
        ):
            storage.read_bytes(uri)
        bucket.server.reset()


def test_an_endpoint_that_redirects_everything_is_no_endpoint(bucket: Bucket) -> None:
    for method in ("GET", "HEAD"):
        moved = {"status": "301 Moved Permanently", "code": "PermanentRedirect"}
        bucket.server.fail(times=9999, method=method, **moved)
    with pytest.raises(storage.ServiceFailure, match="endpoint redirects every request; correct A"):
        storage.read_bytes(bucket.uri("k"))


def test_where_the_stack_is_full_is_chance() -> None:
    """It may be within the HTTP client, which wraps what happens to it."""
    from botocore.exceptions import HTTPClientError

    def sentence(error: Exception) -> str:
        with (
            pytest.raises(storage.StorageError) as caught,
            s3_errors.translated("read", "s3://b/k"),
        ):
            raise error
        return str(caught.value)

    full = sentence(RecursionError())
    assert "endpoint redirects every request" in full
    assert sentence(HTTPClientError(error=RecursionError())) == full
    assert sentence(HTTPClientError(error=OSError("cut"))) != full


def test_a_missing_bucket_is_said_whatever_is_asked_of_it(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    sentence = "There is no bucket nowhere: check the name in s3://nowhere/k"
    for call in (
        lambda: storage.read_bytes("s3://nowhere/k"),
        lambda: storage.write_bytes("s3://nowhere/k", b"1"),
        lambda: storage.is_folder("s3://nowhere/k"),
        lambda: list(storage.list_folder("s3://nowhere/k")),
        lambda: s3.upload(tmp_path / "x", "s3://nowhere/k"),
        lambda: s3.create("s3://nowhere/k", b"1"),
        lambda: s3.delete("s3://nowhere/k"),
    ):
        with pytest.raises(StorageError, match=sentence):
            call()
    with pytest.raises(StorageError, match="names no bucket: write s3://bucket/key"):
        storage.read_bytes("s3:///k")
    with pytest.raises(StorageError, match=r"S3 allows no such name .*; write s3://bucket/key"):
        storage.read_bytes("s3://no spaces/k")
    with pytest.raises(storage.MissingObject, match="There is no object"):
        s3.download(bucket.uri("gone"), tmp_path / "y")
    assert not (tmp_path / "y").exists()


def test_without_credentials_the_remedy_is_named(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_client, "_clients", {})
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(
        storage.ServiceFailure, match="no AWS credentials were found; run `aws configure`, or set"
    ):
        storage.read_bytes(bucket.uri("k"))
    monkeypatch.setattr(s3_client, "_clients", {})
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(storage.ServiceFailure, match=r"nobody.* or set AWS_PROFILE"):
        storage.read_bytes(bucket.uri("k"))


@pytest.mark.usefixtures("impatient")
def test_an_endpoint_that_does_not_answer_is_named(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_client, "_clients", {})
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(
        storage.ServiceFailure, match=r"S3 cannot be reached .*127\.0\.0\.1:9.* AWS_ENDPOINT_URL"
    ):
        storage.read_bytes(bucket.uri("k"))
    monkeypatch.setattr(s3_client, "_clients", {})
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "127.0.0.1:9")
    with pytest.raises(storage.ServiceFailure, match=r"correct AWS_ENDPOINT_URL"):
        storage.read_bytes(bucket.uri("k"))


def test_bytes_that_do_not_match_their_checksum_are_refused(bucket: Bucket) -> None:
    storage.write_bytes(bucket.uri("k"), b"12345678")  # boto3 sends a CRC along

    def spoil() -> None:
        bucket._backend.get_object(bucket.name, "k").checksum_value = "AAAAAA=="

    bucket.server.fail(path="/k", before=spoil)
    with pytest.raises(StorageError, match="do not match the checksum that S3 keeps of them"):
        storage.read_bytes(bucket.uri("k"))


# ------------------------------------------------------------------------------------- clients


@pytest.mark.usefixtures("impatient")
def test_one_client_a_process_shared_by_its_threads(bucket: Bucket) -> None:
    with ThreadPoolExecutor(8) as threads:
        clients = set(map(id, threads.map(lambda _: s3_client.client(), range(32))))
    assert len(clients) == 1
    assert list(s3_client._clients) == [os.getpid()]


def test_threads_read_at_once(bucket: Bucket) -> None:
    uris = [bucket.put(f"{number}", b"x") for number in range(64)]
    bucket.server.latency = 0.05
    barrier = threading.Barrier(32)

    def read(number: int) -> bytes:
        if number < 32:
            barrier.wait(60)
        return storage.read_bytes(uris[number])

    with ThreadPoolExecutor(32) as threads:
        assert list(threads.map(read, range(64))) == [b"x"] * 64
    assert bucket.server.most_at_once >= 16  # of one client, over as many connections
