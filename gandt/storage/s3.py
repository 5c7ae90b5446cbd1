"""S3 objects: looking, listing, reading and writing through one boto3 client per process.

The client retries with boto3's adaptive mode, which also slows down where S3 answers "SlowDown".
boto3 itself is imported on the first use, since that alone takes a good part of a second.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

from gandt.errors import StorageError
from gandt.storage.objects import CHUNK, StoredObject

__all__ = ["PREFIX", "any_below", "chunks", "client", "find", "read", "split", "walk", "write"]

PREFIX = "s3://"
_MISSING = {"404", "NoSuchKey", "NotFound"}
_lock = threading.Lock()
_clients: dict[int, Any] = {}  # by process id: a forked child must not share sockets


def client() -> Any:
    """Give the S3 client of this process; safe to share between its threads."""
    with _lock:
        if os.getpid() not in _clients:
            import boto3
            from botocore.config import Config

            config = Config(
                retries={"mode": "adaptive", "max_attempts": 8},
                max_pool_connections=64,
                connect_timeout=20,
                read_timeout=60,
            )
            _clients[os.getpid()] = boto3.session.Session().client("s3", config=config)
        return _clients[os.getpid()]


def split(uri: str) -> tuple[str, str]:
    """Split `s3://bucket/key` into bucket and key (which may be empty)."""
    bucket, _, key = uri.removeprefix(PREFIX).partition("/")
    if not bucket:
        raise StorageError(f"{uri} names no bucket: write s3://bucket/key.")
    return bucket, key


def find(uri: str) -> StoredObject | None:
    """Look up one object; None where there is none."""
    bucket, key = split(uri)
    if not key or key.endswith("/"):
        return None
    with _translated("read", uri):
        from botocore.exceptions import ClientError

        try:
            head = client().head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
    return StoredObject(uri, int(head["ContentLength"]), _etag(head))


def any_below(uri: str) -> bool:
    """Whether any object lies below this prefix."""
    bucket, prefix = _folder(uri)
    with _translated("listed", uri):
        page = client().list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
    return bool(page.get("Contents"))


def walk(uri: str) -> Iterator[StoredObject]:
    """Yield the objects below a prefix as S3 orders them; hidden names and folder marks skipped."""
    bucket, prefix = _folder(uri)
    with _translated("listed", uri):
        pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", ()):
                key: str = entry["Key"]
                inner = key.removeprefix(prefix)
                if key.endswith("/") or inner.startswith(".") or "/." in inner:
                    continue
                yield StoredObject(f"{PREFIX}{bucket}/{key}", int(entry["Size"]), _etag(entry))


def read(uri: str, offset: int, size: int | None) -> bytes:
    """Read `size` bytes from `offset` on, or all the rest."""
    bucket, key = split(uri)
    wanted: dict[str, str] = {}
    if offset or size is not None:
        last = "" if size is None else str(offset + size - 1)
        wanted["Range"] = f"bytes={offset}-{last}"
    with _translated("read", uri):
        from botocore.exceptions import ClientError

        try:
            data: bytes = client().get_object(Bucket=bucket, Key=key, **wanted)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in {"InvalidRange", "416"}:
                return b""  # begins past the end, as reading a local file there gives nothing
            raise
    return data


def chunks(uri: str) -> Iterator[bytes]:
    """Stream an object in chunks of 1 MiB."""
    bucket, key = split(uri)
    with _translated("read", uri):
        yield from client().get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(CHUNK)


def write(uri: str, data: bytes) -> None:
    """Put an object; S3 shows it only when it is whole."""
    bucket, key = split(uri)
    with _translated("written", uri):
        client().put_object(Bucket=bucket, Key=key, Body=data)


def _folder(uri: str) -> tuple[str, str]:
    # "photos" must not list "photos-old/1.jpg": a prefix is a folder, as it is on a disk.
    bucket, prefix = split(uri)
    return bucket, prefix if not prefix or prefix.endswith("/") else prefix + "/"


def _etag(answer: Any) -> str:
    return str(answer.get("ETag", "")).strip('"')


@contextlib.contextmanager
def _translated(verb: str, uri: str) -> Iterator[None]:
    """Turn boto3's errors into one sentence with a remedy."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise StorageError(_client_sentence(verb, uri, code, error)) from error
    except BotoCoreError as error:
        name = type(error).__name__
        if name in {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}:
            remedy = "no AWS credentials were found; run `aws configure` or set AWS_PROFILE"
        elif name == "EndpointConnectionError":
            remedy = "S3 cannot be reached; check the network and AWS_ENDPOINT_URL"
        else:
            remedy = str(error).rstrip(".")
        raise StorageError(f"{uri} cannot be {verb}: {remedy}.") from error


def _client_sentence(verb: str, uri: str, code: str, error: Exception) -> str:
    bucket, _ = split(uri)
    if code == "NoSuchBucket":
        return f"There is no bucket {bucket}: check the name in {uri}."
    if code in _MISSING:
        return f"There is no object {uri}: check the name."
    if code in {"AccessDenied", "403", "AllAccessDisabled"}:
        return f"{uri} may not be {verb}: your AWS identity lacks the permission on {bucket}."
    if code in {"ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"}:
        return f"{uri} cannot be {verb}: the AWS credentials are refused ({code}); renew them."
    return f"{uri} cannot be {verb}: {str(error).rstrip('.')}."
