"""Storage and uploads against a server that checks signatures and checksums, unlike moto's."""

from __future__ import annotations

import base64
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from seaweed import Seaweed, running

from gandt import storage
from gandt.jobs.images import inspect_images
from gandt.jobs.upload import Uploaded, document_uri, image_uri, send
from gandt.storage import s3, s3_client
from gandt.storage.s3_client import client

ODD_KEYS = [
    "p/a b.jpg",
    "p/a+b.jpg",
    "p/a%20b.jpg",
    "p/100%.jpg",
    "p/#1 of 2.jpg",
    "p/ü.jpg",
    "p/日本/写真.jpg",
    "p/q?x=1&y=2;z.jpg",
    "p/'\".jpg",
    "p/😀.jpg",
    "p/~x.jpg",
    "p/a=b,c:d@e!f(g)*.jpg",
]
NAME = "signed"


@pytest.fixture(scope="session")
def seaweed() -> Iterator[Seaweed]:
    """SeaweedFS for the whole run."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def _clients() -> dict[int, object]:
    return {}


@pytest.fixture
def root(
    seaweed: Seaweed,
    _own_home: None,
    _clients: dict[int, object],
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The URI of a bucket of the server, which every client of this test finds."""
    for name, value in seaweed.environment().items():
        monkeypatch.setenv(name, value)
    if not _clients:
        monkeypatch.setattr(s3_client, "_clients", _clients)
        client().create_bucket(Bucket=NAME)
    monkeypatch.setattr(s3_client, "_clients", _clients)
    return f"s3://{NAME}"


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    """Small pictures, each of its own bytes."""
    paths = []
    for number in range(12):
        grain = np.random.default_rng(number).integers(0, 256, (8, 9, 3)).astype(np.uint8)
        path = tmp_path / f"{number} +ü%.png"
        Image.fromarray(grain).save(path)
        paths.append(str(path))
    return paths


# ---------------------------------------------------------------------------------------- names


def test_any_key_is_signed_right(root: str) -> None:
    for key in ODD_KEYS:
        storage.write_bytes(f"{root}/{key}", key.encode())
    listed = list(storage.list_folder(f"{root}/p"))
    assert sorted(found.uri for found in listed) == sorted(f"{root}/{key}" for key in ODD_KEYS)
    for key in ODD_KEYS:
        uri = f"{root}/{key}"
        assert storage.stat(uri).size == len(key.encode())
        assert storage.read_bytes(uri) == key.encode()
        assert storage.read_bytes(uri, offset=2, size=3) == key.encode()[2:5]
        assert storage.read_start(uri, 4) == (storage.stat(uri), key.encode()[:4])
        s3.delete(uri)
    assert not storage.is_folder(f"{root}/p")


def test_a_listing_of_more_than_a_thousand_keys_has_all_in_order(root: str) -> None:
    names = [f"{root}/many/{number:05d} +.jpg" for number in range(1010)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda uri: storage.write_bytes(uri, b"x"), names))
    assert [found.uri for found in storage.list_folder(f"{root}/many")] == names


def test_ranges_are_slices(root: str) -> None:
    uri, data = f"{root}/range", b"0123456789"
    storage.write_bytes(uri, data)
    for offset, size in ((0, None), (3, 4), (8, None), (8, 50), (10, 1), (99, None)):
        stop = None if size is None else offset + size
        assert storage.read_bytes(uri, offset=offset, size=size) == data[offset:stop]
    storage.write_bytes(f"{root}/empty", b"")
    assert storage.read_start(f"{root}/empty", 10)[1] == b""
    with pytest.raises(storage.MissingObject, match="There is no object"):
        storage.read_start(f"{root}/gone", 10)


def test_large_objects_move_in_parts(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "MULTIPART", 5 << 20)
    monkeypatch.setattr(s3_client, "MULTIPART", 5 << 20)
    data = np.random.default_rng(0).bytes((11 << 20) + 17)
    (tmp_path / "x").write_bytes(data)
    stored = s3.upload(tmp_path / "x", f"{root}/large file")
    assert stored.version.endswith("-3")
    assert stored.size == len(data)
    s3.download(f"{root}/large file", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data


def test_an_object_is_created_once(root: str) -> None:
    s3.delete(f"{root}/lock")
    assert s3.create(f"{root}/lock", b"first")
    assert not s3.create(f"{root}/lock", b"second")
    assert storage.read_bytes(f"{root}/lock") == b"first"


# ---------------------------------------------------------------------------------- credentials


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("AWS_SECRET_ACCESS_KEY", "another", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "nobody", "InvalidAccessKeyId"),
    ],
)
def test_wrong_credentials_are_one_sentence_whatever_is_asked(
    root: str,
    tmp_path: Path,
    photos: list[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    code: str,
) -> None:
    storage.write_bytes(f"{root}/k", b"1")
    wanted = {path: f"{root}/images/{'0' * 64}.png" for path in photos}
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr(s3_client, "_clients", {})
    for call in (
        lambda: storage.read_bytes(f"{root}/k"),
        lambda: storage.find(f"{root}/k"),
        lambda: storage.read_start(f"{root}/k", 10),
        lambda: storage.write_bytes(f"{root}/k", b"2"),
        lambda: storage.put(f"{root}/k", b"2", content_type="image/png"),
        lambda: list(storage.list_folder(root)),
        lambda: s3.create(f"{root}/new", b"2"),
        lambda: inspect_images([f"{root}/k"]),
        lambda: send(wanted, {}),
    ):
        with pytest.raises(
            storage.ServiceFailure, match=rf"the AWS credentials are refused \({code}\); renew them"
        ):
            call()


# -------------------------------------------------------------------------------------- uploads


def test_an_upload_is_checked_by_its_sha256_and_shown_as_what_it_is(
    root: str, photos: list[str]
) -> None:
    facts = inspect_images(photos)
    wanted = {one.uri: image_uri(one, NAME, "job one") for one in facts}
    page = document_uri("templates", b"<p>", ".liquid.html", NAME, "job one")
    first = send(wanted, {page: b"<p>"})
    assert (first.sent, first.there) == (13, 0)
    assert send(wanted, {page: b"<p>"}) == Uploaded(0, 13, 0)
    for one in facts:
        key = wanted[one.uri].removeprefix(f"s3://{NAME}/")
        head = client().head_object(Bucket=NAME, Key=key, ChecksumMode="ENABLED")
        assert head["ContentType"] == "image/png"
        assert head["ContentLength"] == one.size
        assert base64.b64decode(head["ChecksumSHA256"]).hex() == one.sha256
        assert storage.read_bytes(wanted[one.uri]) == Path(one.uri).read_bytes()
    assert inspect_images(wanted.values())[3].width == 9
    head = client().head_object(Bucket=NAME, Key=page.removeprefix(f"s3://{NAME}/"))
    assert head["ContentType"] == "text/html; charset=utf-8"


SENDER = """
import json, sys
from gandt.jobs.images import inspect_images
from gandt.jobs.upload import image_uri, send
facts = inspect_images(json.load(sys.stdin))
images = {one.uri: image_uri(one, sys.argv[1], "killed") for one in facts}
send(images, {f"s3://{sys.argv[1]}/killed/manifests/m.manifest": b"{}\\n"})
"""


def test_a_killed_upload_leaves_whole_objects_and_goes_on(root: str, tmp_path: Path) -> None:
    paths = []
    for number in range(150):
        grain = np.random.default_rng(number).integers(0, 256, (300, 300, 3)).astype(np.uint8)
        paths.append(str(tmp_path / f"{number}.bmp"))
        Image.fromarray(grain).save(paths[-1])
    process = subprocess.Popen([sys.executable, "-c", SENDER, NAME], stdin=subprocess.PIPE)
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(json.dumps(paths).encode())
    end = time.monotonic() + 30
    while time.monotonic() < end and not storage.is_folder(f"{root}/killed/images"):
        time.sleep(0.002)
    process.kill()
    assert process.wait(timeout=120) == -signal.SIGKILL
    time.sleep(0.3)  # until the server has done what had reached it
    there = {found.uri for found in storage.list_folder(f"{root}/killed")}
    assert 0 < len(there) < 150
    wanted = {one.uri: image_uri(one, NAME, "killed") for one in inspect_images(paths)}
    assert there < set(wanted.values())
    done = send(wanted, {})
    assert (done.sent, done.there, done.replaced) == (150 - len(there), len(there), ())
    for path, uri in wanted.items():
        assert storage.read_bytes(uri) == Path(path).read_bytes()


class Damaging:
    """A proxy before the server that changes one byte of the first bodies that hold a mark."""

    def __init__(self, endpoint: str, mark: bytes, times: int) -> None:
        host, _, port = endpoint.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self._mark = mark
        self.times = times
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with source, target:
            try:
                while data := source.recv(1 << 16):
                    target.sendall(self._changed(data))
            except OSError:
                pass

    def _changed(self, data: bytes) -> bytes:
        with self._lock:
            if self.times > 0 and self._mark in data:
                self.times -= 1
                return data.replace(self._mark, self._mark[:-1] + b"!")
        return data


@pytest.fixture
def damaging(
    root: str,
    seaweed: Seaweed,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Damaging]:
    proxy = Damaging(seaweed.endpoint, b"precious pixels", times=0)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint)
    monkeypatch.setattr(s3_client, "_clients", {})
    yield proxy
    proxy.close()


def test_bytes_damaged_on_the_way_are_refused_and_sent_again(root: str, damaging: Damaging) -> None:
    uri = f"{root}/damaged"
    damaging.times = 2
    storage.put(uri, b"precious pixels", content_type="image/png")
    assert damaging.times == 0
    assert storage.read_bytes(uri) == b"precious pixels"
    damaging.times = 99
    with pytest.raises(
        storage.PassingFailure, match=r"its bytes are damaged on the way \(\w+\); check the network"
    ):
        storage.put(f"{root}/other", b"precious pixels", content_type="image/png")
    assert storage.find(f"{root}/other") is None


def test_the_server_is_ours_alone(seaweed: Seaweed) -> None:
    """It listens on the loopback interface only."""
    listening = []
    descriptors = Path(f"/proc/{seaweed.pid}/fd")
    if not descriptors.is_dir():
        pytest.skip("needs /proc")
    sockets = {str(link.readlink()) for link in descriptors.iterdir() if link.is_symlink()}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                listening.append(fields[1].partition(":")[0])
    assert set(listening) == {"0100007F"}
    assert len(listening) >= 4
