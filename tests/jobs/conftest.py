"""Pictures, requests and jobs that the tests of jobs share."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from PIL import Image

if TYPE_CHECKING:
    from aws_fixtures import Aws


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """Make the bytes of a small picture of one color."""

    def make(
        color: tuple[int, int, int] = (200, 30, 30),
        size: tuple[int, int] = (40, 30),
        form: str = "PNG",
    ) -> bytes:
        file = io.BytesIO()
        Image.new("RGB", size, color).save(file, form)
        return file.getvalue()

    return make


@pytest.fixture
def request_of(aws: Aws, picture: Callable[..., bytes]) -> Callable[..., dict[str, Any]]:
    """Make a valid request for a job about so many pictures."""

    def make(name: str = "Round-1", images: int = 4, **human: Any) -> dict[str, Any]:
        bucket = aws.bucket()
        uris = [bucket.put(f"in/{n}.png", picture()) for n in range(images)]
        return aws.image_job(name, ["cat", "dog"], uris, bucket=bucket, **human)

    return make


@pytest.fixture
def create(aws: Aws, request_of: Callable[..., dict[str, Any]]) -> Callable[..., str]:
    """Create a job and return its name."""

    def make(name: str = "Round-1", images: int = 4, **human: Any) -> str:
        aws.call("sagemaker", "create_labeling_job", **request_of(name, images, **human))
        return name

    return make


@pytest.fixture
def ask(aws: Aws) -> Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]]]:
    """Ask SageMaker without boto3, which checks a part before it sends."""

    def send(operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        scope = "Credential=testing/20240305/us-east-1/sagemaker/aws4_request"
        headers = {
            "X-Amz-Target": f"SageMaker.{operation}",
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
        }
        asked = Request(aws.server.endpoint, json.dumps(body).encode(), headers)
        try:
            with urlopen(asked, timeout=10) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    return send
