"""The payload of a post-annotation event: the objects of a batch and what workers answered.

Reads the payload and the answers that lie in files of their own from S3. Keys are taken as they
are written, colons and blanks included. boto3 is imported when S3 is first needed; it follows the
environment (region, `AWS_ENDPOINT_URL`) and retries what passes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from gandt.errors import AnswerError, StorageError
from gandt.json_text import brief, decode, sendable

if TYPE_CHECKING:
    from typing import Any

__all__ = ["AnsweredObject", "client", "parse_uri", "read_object", "read_payload", "write_object"]

_THREADS = 16
_WRAPPER = "annotatedResult"


class AnsweredObject(NamedTuple):
    """One object of the batch."""

    id: str  # as the payload has it: the number of its line, as text
    data: object  # `{"s3Uri"}` or `{"content"}`
    responses: list[dict[str, object]]  # `{"workerId", "annotation"}`, every one that was sent
    error: str | None = None  # why the entry is no proper one


@lru_cache(maxsize=1)
def client() -> Any:
    """The client for S3, made once for all events that this process answers."""
    import boto3
    from botocore.config import Config

    retries = {"mode": "adaptive", "max_attempts": 6}
    settings = Config(
        retries=retries, connect_timeout=3, read_timeout=15, max_pool_connections=_THREADS
    )
    return boto3.client("s3", config=settings)


def parse_uri(uri: object) -> tuple[str, str]:
    """Take the bucket and the key out of `s3://bucket/key`.

    Raises
    ------
    AnswerError
        Where it is no such URI.
    """
    if isinstance(uri, str) and uri.startswith("s3://"):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if bucket and key:
            return bucket, key
    raise AnswerError(f"{brief(uri)} is no URI of an object on S3.")


def read_object(uri: str) -> bytes:
    """Read an object of S3 whole.

    Raises
    ------
    StorageError
        Where it cannot be read.
    """
    bucket, key = parse_uri(uri)
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        body: bytes = client().get_object(Bucket=bucket, Key=key)["Body"].read()
    except (BotoCoreError, ClientError) as error:
        raise StorageError(
            f"{uri} cannot be read ({error}): the function's role needs s3:GetObject on it, and "
            "kms:Decrypt where the bucket is encrypted with a key of its own."
        ) from error
    return body


def write_object(uri: str, data: bytes, kms_key: str | None = None) -> None:
    """Write an object to S3.

    Raises
    ------
    StorageError
        Where it cannot be written.
    """
    bucket, key = parse_uri(uri)
    from botocore.exceptions import BotoCoreError, ClientError

    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    try:
        client().put_object(
            Bucket=bucket, Key=key, Body=data, ContentType="application/json", **extra
        )
    except (BotoCoreError, ClientError) as error:
        raise StorageError(
            f"{uri} cannot be written ({error}): the function's role needs s3:PutObject on it."
        ) from error


def read_payload(uri: str) -> tuple[list[AnsweredObject], list[str]]:
    """Read the objects of a batch; entries of the same object are one.

    Returns
    -------
    objects, unnamed
        The objects in order, and a sentence for each entry that says of no object which it is.

    Raises
    ------
    AnswerError
        Where the payload is not a list in JSON.
    StorageError
        Where it cannot be read.
    """
    try:
        document = json.loads(read_object(uri).removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"The payload {uri} is not valid JSON: {error}.") from None
    if not isinstance(document, list):
        raise AnswerError(f"The payload {uri} is no list of objects: {brief(document)}")
    apart = _read_apart(document)
    objects: dict[str, AnsweredObject] = {}
    unnamed: list[str] = []
    for position, entry in enumerate(document):
        name = _name(entry)
        if name is None:
            unnamed.append(f"Entry {position} of {uri} names no object: {brief(entry)}")
            continue
        parsed = _object(name, entry, apart)
        before = objects.get(name)
        if before is not None:
            parsed = before._replace(
                responses=[*before.responses, *parsed.responses], error=before.error or parsed.error
            )
        objects[name] = parsed
    return list(objects.values()), unnamed


def _name(entry: object) -> str | None:
    name = entry.get("datasetObjectId") if isinstance(entry, dict) else None
    if isinstance(name, int) and not isinstance(name, bool):
        return str(name)
    return name if isinstance(name, str) and name and name == sendable(name) else None


def _annotations(entry: object) -> Sequence[object]:
    found = entry.get("annotations") if isinstance(entry, dict) else None
    return found if isinstance(found, list) else ()


def _apart(annotation: object) -> str | None:
    """Where an answer lies that is not in the payload itself."""
    data = annotation.get("annotationData") if isinstance(annotation, dict) else None
    if not isinstance(data, dict) or data.get("content") is not None:
        return None
    uri = data.get("s3Uri")
    return uri if isinstance(uri, str) else None


def _read_apart(document: Sequence[object]) -> dict[str, bytes | Exception]:
    def places() -> Iterator[str]:
        for entry in document:
            for annotation in _annotations(entry):
                if (uri := _apart(annotation)) is not None:
                    yield uri

    wanted = list(dict.fromkeys(places()))
    if not wanted:
        return {}
    with ThreadPoolExecutor(min(_THREADS, len(wanted))) as pool:
        return dict(zip(wanted, pool.map(_bytes_or_error, wanted), strict=True))


def _bytes_or_error(uri: str) -> bytes | Exception:
    try:
        return read_object(uri)
    except (AnswerError, StorageError) as error:
        return error


def _object(name: str, entry: object, apart: dict[str, bytes | Exception]) -> AnsweredObject:
    record = entry if isinstance(entry, dict) else {}
    responses = [_response(annotation, apart) for annotation in _annotations(entry)]
    error = None
    if not isinstance(record.get("annotations"), list):
        error = f"the object has no list of annotations but {brief(record.get('annotations'))}"
    return AnsweredObject(name, record.get("dataObject"), responses, error)


def _response(annotation: object, apart: dict[str, bytes | Exception]) -> dict[str, object]:
    """One answer in the shape that `gandt aggregate` reads; what cannot be decoded stays text."""
    if not isinstance(annotation, dict):
        return {"workerId": None, "annotation": sendable(annotation)}
    data = annotation.get("annotationData")
    content = data.get("content") if isinstance(data, dict) else None
    worker = sendable(annotation.get("workerId"))
    uri = _apart(annotation)
    if uri is not None:
        read = apart[uri]
        if isinstance(read, Exception):
            return {"workerId": worker, "annotation": sendable({"s3Uri": uri}), "error": str(read)}
        content = read.decode("utf-8", "backslashreplace")
    elif content is None:  # nothing is thrown away, whatever it was
        return {
            "workerId": worker,
            "annotation": sendable(data),
            "error": "the annotation has no content",
        }
    return {"workerId": worker, "annotation": _unwrapped(_decoded(content))}


def _decoded(content: object) -> object:
    if not isinstance(content, str):
        return sendable(content)
    try:
        return decode(content)
    except ValueError:
        return sendable(content)


def _unwrapped(content: object) -> object:
    """Take the answer out of the name that AWS's examples of templates give it, if it is alone."""
    if isinstance(content, dict) and set(content) == {_WRAPPER}:
        inner = content[_WRAPPER]
        return inner if isinstance(inner, dict) else content
    return content
