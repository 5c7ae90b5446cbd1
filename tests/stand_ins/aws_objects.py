"""What the stand-ins for AWS see of S3: moto's objects, read and written past HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from s3_server import Bucket, S3Server

ACCOUNT = "123456789012"
OPEN_CORS = [
    {
        "AllowedHeader": [],
        "AllowedMethod": ["GET"],
        "AllowedOrigin": ["*"],
        "ExposeHeader": ["Access-Control-Allow-Origin"],
    }
]


def split(uri: str) -> tuple[str, str]:
    """Take bucket and key out of `s3://bucket/key`; keys are not URL-encoded there."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


class Objects:
    """The objects of S3, by their URIs."""

    def __init__(self) -> None:
        from moto.s3.models import s3_backends

        self.backend: Any = s3_backends[ACCOUNT]["aws"]

    def region(self, bucket: str) -> str | None:
        """Region of a bucket; None where there is no such bucket."""
        found = self.backend.buckets.get(bucket)
        return None if found is None else str(found.region_name)

    def get(self, uri: str) -> bytes | None:
        """Read an object; None where it, or its bucket, does not exist."""
        bucket, key = split(uri)
        if self.region(bucket) is None or not key:
            return None
        found = self.backend.get_object(bucket, key)
        return None if found is None else bytes(found.value)

    def size(self, uri: str) -> int | None:
        bucket, key = split(uri)
        if self.region(bucket) is None or not key:
            return None
        found = self.backend.get_object(bucket, key)
        return None if found is None else int(found.size)

    def put(self, uri: str, data: bytes) -> None:
        self.backend.put_object(*split(uri), data)

    def browsers_may_read(self, bucket: str) -> bool:
        """Whether a worker's browser may look at the pixels of this bucket's images."""
        if self.region(bucket) is None:
            return False
        return any(
            "GET" in _texts(rule.allowed_methods) and "*" in _texts(rule.allowed_origins)
            for rule in self.backend.buckets[bucket].cors
        )


def _texts(value: str | Iterable[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


class AwsBucket(Bucket):
    """A bucket in a Region, new for this test even where an earlier one had its name."""

    def __init__(
        self, server: S3Server, name: str, region: str = "us-east-1", *, cors: bool = True
    ) -> None:
        objects = Objects()
        backend = objects.backend
        if name in backend.buckets:
            for key in list(backend.buckets[name].keys):
                backend.delete_object(name, key)
            backend.delete_bucket(name)
        self.server = server
        self.name = name
        self._backend = backend
        backend.create_bucket(name, region)
        if cors:
            backend.put_bucket_cors(name, OPEN_CORS)
