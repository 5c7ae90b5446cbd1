"""The boto3 client of this process: retries, connections, and how large objects move.

boto3 finds credentials, region and endpoint (`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`) by its own
rules. It is imported on the first use, since that alone takes a good part of a second.
"""

from __future__ import annotations

import os
import random
import threading
import time
from typing import Any

from gandt.storage.s3_errors import is_busy

__all__ = ["CONNECTIONS", "MULTIPART", "client", "send", "transfer_config"]

CONNECTIONS = 64  # the pool; more than all threads that read at once (32) and list at once (32)
MULTIPART = 1 << 24  # bytes from which an object moves in parts, several at a time
_PARTS_AT_ONCE = 8
_ATTEMPTS = 5
_FIRST_WAIT = 2.0  # seconds, at most; on average half of it
_LONGEST_WAIT = 32.0  # some 30 s in all; S3 asks for patience while it splits a busy prefix

_lock = threading.Lock()
_clients: dict[int, Any] = {}  # by process id: a forked child must not share sockets


def client() -> Any:
    """Give the S3 client of this process, made on the first call; threads share it.

    `AWS_RETRY_MODE` and `AWS_MAX_ATTEMPTS` are honored. See `send` for what comes on top.
    """
    with _lock:
        if os.getpid() not in _clients:
            import boto3
            from botocore.config import Config

            retries: dict[str, Any] = {}
            if "AWS_RETRY_MODE" not in os.environ:
                retries["mode"] = "standard"
            if "AWS_MAX_ATTEMPTS" not in os.environ:
                retries["total_max_attempts"] = _ATTEMPTS
            config = Config(
                retries=retries,
                max_pool_connections=CONNECTIONS,
                connect_timeout=10,
                read_timeout=60,
                tcp_keepalive=True,
            )
            _clients[os.getpid()] = boto3.session.Session().client("s3", config=config)
        return _clients[os.getpid()]


def send(operation: str, **parameters: Any) -> Any:
    """Call one operation of the client, with more patience than boto3 where S3 is busy.

    boto3's standard retries stop early when many threads are refused at once, since they share a
    quota; its adaptive ones are so careful that one refusal in a hundred requests makes reading
    nine times slower (24 instead of 218 small objects a second on loopback, 32 threads, 20 ms a
    request). So: standard, and where its quota is spent, waiting by full jitter (Brooker,
    "Exponential Backoff and Jitter", 2015), each thread for itself.
    """
    from botocore.exceptions import ClientError

    wait = _FIRST_WAIT
    while True:
        try:
            return getattr(client(), operation)(**parameters)
        except ClientError as error:
            if wait > _LONGEST_WAIT or not is_busy(error):
                raise
        time.sleep(random.uniform(0.0, wait))
        wait *= 2


def transfer_config() -> Any:
    """How uploads and downloads of files are split into parts."""
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(
        multipart_threshold=MULTIPART,
        multipart_chunksize=MULTIPART,
        max_concurrency=_PARTS_AT_ONCE,
    )
