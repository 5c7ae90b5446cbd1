"""S3 objects: looking, listing, reading, writing, and files that move whole.

`s3_client` holds the client and `s3_errors` the sentences; boto3 is known in this folder alone.
boto3 repeats a request until an answer begins, but not an answer that breaks off: that is done
here, from the byte where it broke.
"""

from __future__ import annotations

import base64
import hashlib
import io
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gandt.errors import StorageError
from gandt.storage import local
from gandt.storage.objects import CHUNK, MissingObject, StoredObject
from gandt.storage.s3_client import MULTIPART, client, send, transfer_config
from gandt.storage.s3_errors import MISSING, is_cut, is_damaged, translated

__all__ = [
    "PREFIX",
    "any_below",
    "chunks",
    "create",
    "delete",
    "download",
    "find",
    "put",
    "read",
    "read_start",
    "split",
    "upload",
    "walk",
    "write",
]

PREFIX = "s3://"
_CUTS = 5  # in a row, without a byte in between
_PUTS = 3  # of one object whose bytes arrive damaged


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
    with translated("read", uri):
        from botocore.exceptions import ClientError

        try:
            head = send("head_object", Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return None
            if error.response["Error"]["Code"] == "403":
                # An answer to HEAD has no body that could tell wrong credentials from a lack of
                # permission; that to GET has.
                send("get_object", Bucket=bucket, Key=key, Range="bytes=0-0")
            raise
    return StoredObject(uri, int(head["ContentLength"]), _etag(head))


def any_below(uri: str) -> bool:
    """Whether any object lies below this prefix."""
    bucket, prefix = _folder(uri)
    with translated("listed", uri):
        page = send("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
    return bool(page.get("Contents"))


def walk(uri: str) -> Iterator[StoredObject]:
    """Yield the objects below a prefix as S3 orders them; hidden names and folder marks skipped."""
    bucket, prefix = _folder(uri)
    with translated("listed", uri):
        for page in _pages(bucket, prefix):
            for entry in page.get("Contents", ()):
                key: str = entry["Key"]
                inner = key.removeprefix(prefix)
                if key.endswith("/") or inner.startswith(".") or "/." in inner:
                    continue
                yield StoredObject(f"{PREFIX}{bucket}/{key}", int(entry["Size"]), _etag(entry))


def _pages(bucket: str, prefix: str) -> Iterator[Any]:
    more: dict[str, str] = {}
    while True:
        page = send("list_objects_v2", Bucket=bucket, Prefix=prefix, **more)
        yield page
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


def read(uri: str, offset: int, size: int | None) -> bytes:
    """Read `size` bytes from `offset` on, or all the rest."""
    return b"".join(chunks(uri, offset, size))


def read_start(uri: str, size: int) -> tuple[StoredObject, bytes]:
    """Read the first `size` bytes and what the whole object is, in one request."""
    stored: list[StoredObject] = []

    def look(answer: Any) -> None:
        # "bytes 0-99/1234"; a server that knows no ranges sends the whole, and no such header.
        whole = str(answer.get("ContentRange", "")).rpartition("/")[2]
        length = int(whole) if whole.isdecimal() else int(answer["ContentLength"])
        stored.append(StoredObject(uri, length, _etag(answer)))

    data = b"".join(chunks(uri, 0, size, look))
    if stored:
        return stored[0], data[:size]
    found = find(uri)  # no range of an empty object can be read
    if found is None:
        raise MissingObject(f"There is no object {uri}: check the name.")
    return found, b""


def chunks(
    uri: str,
    offset: int = 0,
    size: int | None = None,
    on_answer: Callable[[Any], None] | None = None,
) -> Iterator[bytes]:
    """Stream `size` bytes from `offset` on, or all the rest, in chunks of up to 1 MiB.

    Nothing where the object ends before `offset`, as a local file gives. An answer that breaks
    off is taken up again where it broke, from the same version of the object. `on_answer` sees
    the first answer, before its body is read.
    """
    bucket, key = split(uri)
    done, cuts, version = 0, 0, None
    with translated("read", uri):
        from botocore.exceptions import BotoCoreError, ClientError

        while size is None or done < size:
            wanted = _range(offset + done, None if size is None else offset + size)
            if version is not None:
                wanted["IfMatch"] = version
            try:
                answer = send("get_object", Bucket=bucket, Key=key, **wanted)
                version = answer.get("ETag")
                if on_answer is not None:
                    on_answer(answer)
                    on_answer = None
                for chunk in answer["Body"].iter_chunks(CHUNK):
                    done += len(chunk)
                    cuts = 0
                    yield chunk
                return
            except ClientError as error:
                if error.response["Error"]["Code"] in {"InvalidRange", "416"}:
                    return
                raise
            except BotoCoreError as error:
                cuts += 1
                if cuts > _CUTS or not is_cut(error):
                    raise
            time.sleep(random.uniform(0.5, 1.0) * min(0.1 * 2**cuts, 5.0))


def _range(start: int, stop: int | None) -> dict[str, str]:
    if start == 0 and stop is None:
        return {}
    return {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}


def write(uri: str, data: bytes) -> None:
    """Put an object; S3 shows it only when it is whole."""
    bucket, key = split(uri)
    with translated("written", uri):
        if len(data) < MULTIPART:
            send("put_object", Bucket=bucket, Key=key, Body=data)
        else:
            client().upload_fileobj(io.BytesIO(data), bucket, key, Config=transfer_config())


def put(uri: str, data: bytes, content_type: str) -> None:
    """Put an object in one piece; S3 refuses it where other bytes arrive than these."""
    bucket, key = split(uri)
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    with translated("written", uri):
        from botocore.exceptions import ClientError

        for left in reversed(range(_PUTS)):
            try:
                send(
                    "put_object",
                    Bucket=bucket,
                    Key=key,
                    Body=data,
                    ContentType=content_type,
                    ChecksumSHA256=digest,
                )
                return
            except ClientError as error:
                if not (left and is_damaged(error)):
                    raise


def create(uri: str, data: bytes) -> bool:
    """Put an object that is not there yet; False, and nothing changed, where it is."""
    bucket, key = split(uri)
    with translated("written", uri):
        from botocore.exceptions import ClientError

        try:
            send("put_object", Bucket=bucket, Key=key, Body=data, IfNoneMatch="*")
        except ClientError as error:
            # 409: somebody else is creating it at this moment.
            if error.response["Error"]["Code"] not in {
                *("PreconditionFailed", "412"),
                *("ConditionalRequestConflict", "409"),
            }:
                raise
            return False
    return True


def delete(uri: str) -> None:
    """Delete an object; no matter whether it is there."""
    bucket, key = split(uri)
    with translated("deleted", uri):
        send("delete_object", Bucket=bucket, Key=key)


def upload(path: Path, uri: str) -> StoredObject:
    """Put a file, in parts where it is large; returns it as it is stored now."""
    bucket, key = split(uri)
    with translated("written", uri), path.open("rb") as file:
        client().upload_fileobj(file, bucket, key, Config=transfer_config())
        head = send("head_object", Bucket=bucket, Key=key)
    return StoredObject(uri, int(head["ContentLength"]), _etag(head))


def download(uri: str, path: Path) -> None:
    """Fetch an object into a file, in parts where it is large; the file appears whole."""
    bucket, key = split(uri)
    with (
        local.replacing(str(path)) as temporary,
        translated("read", uri),
        temporary.open("wb") as file,
    ):
        client().download_fileobj(bucket, key, file, Config=transfer_config())


def _folder(uri: str) -> tuple[str, str]:
    # "photos" must not list "photos-old/1.jpg": a prefix is a folder, as it is on a disk.
    bucket, prefix = split(uri)
    return bucket, prefix if not prefix or prefix.endswith("/") else prefix + "/"


def _etag(answer: Any) -> str:
    return str(answer.get("ETag", "")).strip('"')
