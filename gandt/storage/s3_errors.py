"""What boto3 raises, as one sentence with a remedy, by the kind of failure.

The codes are those of S3's API reference ("Error responses") and the exceptions those of botocore;
`PassingFailure` and `ServiceFailure` say whether trying again, or going on, makes sense.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any, Literal

from gandt.errors import StorageError
from gandt.storage.objects import MissingObject, PassingFailure, ServiceFailure

__all__ = ["MISSING", "bucket_of", "is_busy", "is_cut", "is_damaged", "translated"]

Verb = Literal["read", "listed", "written", "deleted"]

MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_DENIED = frozenset({"403", "AccessDenied", "AllAccessDisabled", "AccountProblem"})
_REFUSED = frozenset(
    {
        *("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken"),
        *("InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"),
    }
)
_ELSEWHERE = frozenset(
    {
        *("301", "307", "PermanentRedirect", "TemporaryRedirect"),
        *("AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
    }
)
_BUSY = frozenset(
    {
        *("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling"),
        *(
            "ThrottlingException",
            "RequestLimitExceeded",
            "BandwidthLimitExceeded",
            "TooManyRequests",
        ),
        *("500", "502", "503", "504", "OperationAborted"),
    }
)
_NO_CREDENTIALS = frozenset(
    {
        *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
        *("NoAuthTokenError", "TokenRetrievalError", "SSOTokenLoadError", "LoginTokenLoadError"),
        *("UnauthorizedSSOTokenError", "ProfileNotFound", "UnknownCredentialError"),
    }
)
_UNREACHABLE = frozenset(
    {"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "SSLError"}
)
_CUT = frozenset(
    {
        *("ConnectionClosedError", "ReadTimeoutError", "ResponseStreamingError"),
        *("IncompleteReadError", "RetriesExceededError", "HTTPClientError"),
    }
)
_DAMAGED = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"})
_PERMISSIONS: dict[Verb, str] = {
    "read": "s3:GetObject",
    "listed": "s3:ListBucket",
    "written": "s3:PutObject",
    "deleted": "s3:DeleteObject",
}


def bucket_of(uri: str) -> str:
    """The bucket of an `s3://` URI."""
    return uri.removeprefix("s3://").partition("/")[0]


def is_cut(error: Exception) -> bool:
    """Whether a connection broke in the middle, so that the same request may go well again."""
    return type(error).__name__ in _CUT


def is_busy(error: Any) -> bool:
    """Whether S3 answered (a `ClientError`) that it has too much to do, or failed within."""
    status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    return error.response["Error"].get("Code") in _BUSY or status.startswith("5")


def is_damaged(error: Any) -> bool:
    """Whether S3 refused (a `ClientError`) an object since other bytes arrived than were sent."""
    return error.response["Error"].get("Code") in _DAMAGED


@contextlib.contextmanager
def translated(verb: Verb, uri: str) -> Iterator[None]:
    """Turn boto3's errors into ours.

    Raises
    ------
    MissingObject, PassingFailure, ServiceFailure, StorageError
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from s3transfer.exceptions import RetriesExceededError  # type: ignore[import-untyped]

    try:
        yield
    except ClientError as error:
        raise _of_answer(verb, uri, error) from error
    except (BotoCoreError, RetriesExceededError) as error:
        if _is_endless(error):
            raise _redirects(verb, uri) from error
        raise _of_client(verb, uri, error) from error
    except RecursionError as error:
        raise _redirects(verb, uri) from error
    except ValueError as error:
        if "endpoint" not in str(error).lower():
            raise
        raise ServiceFailure(
            f"{uri} cannot be {verb}: {str(error).rstrip('.')}; correct AWS_ENDPOINT_URL."
        ) from error


def _of_answer(verb: Verb, uri: str, error: Any) -> StorageError:
    """The sentence for what S3 answered."""
    bucket = bucket_of(uri)
    answer: dict[str, Any] = error.response
    code = str(answer["Error"].get("Code", ""))
    said = " ".join(str(answer["Error"].get("Message", "")).split()).rstrip(".")
    if code == "NoSuchBucket":
        return StorageError(f"There is no bucket {bucket}: check the name in {uri}.")
    if code in MISSING:
        return MissingObject(f"There is no object {uri}: check the name.")
    if code in _REFUSED:
        remedy = "set the clock of this machine" if "Skew" in code else "renew them"
        return ServiceFailure(
            f"{uri} cannot be {verb}: the AWS credentials are refused ({code}); {remedy}."
        )
    if code in _DENIED:
        key_permission = re.search(r"kms:\w+", said)
        lacked = key_permission[0] if key_permission else _PERMISSIONS[verb]
        return StorageError(
            f"{uri} may not be {verb}: your AWS identity lacks the permission {lacked} on "
            f"{bucket}; ask for it, or set AWS_PROFILE to an identity that has it."
        )
    if code in _ELSEWHERE:
        return StorageError(f"{uri} cannot be {verb}: {_region_sentence(bucket, answer)}.")
    if is_busy(error):
        return PassingFailure(
            f"{uri} cannot be {verb}: S3 is too busy ({code}, after all retries); run again later."
        )
    if is_damaged(error):
        return PassingFailure(
            f"{uri} cannot be {verb}: its bytes are damaged on the way ({code}); check the network "
            "(a proxy, perhaps) and run again."
        )
    if code == "InvalidObjectState":
        return StorageError(
            f"{uri} cannot be {verb}: it is archived; restore it first, with "
            "`aws s3api restore-object`."
        )
    if code in {"PreconditionFailed", "412"}:
        return PassingFailure(f"{uri} was replaced while it was {verb}; run again.")
    reason = f"{said} ({code})" if said and code not in said else said or code
    return StorageError(f"{uri} cannot be {verb}: S3 says: {reason}.")


def _region_sentence(bucket: str, answer: dict[str, Any]) -> str:
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = answer["Error"].get("Region") or headers.get("x-amz-bucket-region")
    if region:
        return f"bucket {bucket} is in region {region}; set AWS_DEFAULT_REGION={region}"
    return (
        f"bucket {bucket} is in another region; set AWS_DEFAULT_REGION to the one that "
        f"`aws s3api get-bucket-location --bucket {bucket}` names"
    )


def _is_endless(error: BaseException) -> bool:
    """Whether it began with a stack that was full; where exactly that shows is chance."""
    inner = getattr(error, "kwargs", {}).get("error") or error.__context__
    return isinstance(inner, RecursionError)


def _redirects(verb: Verb, uri: str) -> ServiceFailure:
    """What to say where botocore looks for the bucket's region by the same request, for ever."""
    return ServiceFailure(
        f"{uri} cannot be {verb}: the endpoint redirects every request; correct "
        "AWS_ENDPOINT_URL (https instead of http, perhaps)."
    )


def _of_client(verb: Verb, uri: str, error: Exception) -> StorageError:
    """The sentence for what went wrong before S3 answered, or within its answer."""
    name = type(error).__name__
    if name in _NO_CREDENTIALS:
        why = "no AWS credentials were found"
        if name not in {"NoCredentialsError", "NoAuthTokenError"}:
            why = f"the AWS credentials cannot be had ({_one_line(error)})"
        return ServiceFailure(
            f"{uri} cannot be {verb}: {why}; run `aws configure`, or set AWS_PROFILE."
        )
    if name in _UNREACHABLE:
        return ServiceFailure(
            f"{uri} cannot be {verb}: S3 cannot be reached ({_one_line(error)}); check the network "
            "and AWS_ENDPOINT_URL."
        )
    if name in _CUT:
        return PassingFailure(
            f"{uri} cannot be {verb}: the connection broke off again and again "
            f"({_one_line(error)}); run again later."
        )
    if name == "FlexibleChecksumError":
        return StorageError(
            f"{uri} cannot be {verb}: its bytes do not match the checksum that S3 keeps of them; "
            "upload it anew."
        )
    if name == "ParamValidationError":
        return StorageError(
            f"{uri} cannot be {verb}: S3 allows no such name ({_one_line(error)}); write "
            "s3://bucket/key."
        )
    return StorageError(f"{uri} cannot be {verb}: {_one_line(error)}.")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
