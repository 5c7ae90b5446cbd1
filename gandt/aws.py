"""Calls of AWS services other than S3: one function, one kind of error.

boto3 finds credentials, Region and endpoints (`AWS_ENDPOINT_URL_SAGEMAKER`, `AWS_ENDPOINT_URL`) by
its own rules. It is imported on the first call, since that alone takes a good part of a second.
Busy answers and broken connections are tried again by boto3's standard rules.
"""

from __future__ import annotations

import functools
import os
import threading
from typing import Any

from gandt.errors import JobError, UsageError

__all__ = ["AwsError", "call", "client", "complaints", "region", "request_shape"]

_ATTEMPTS = 6
_lock = threading.Lock()
_clients: dict[tuple[int, str, str], Any] = {}  # by process, service, Region

_MISSING = frozenset(
    {
        *("ResourceNotFound", "ResourceNotFoundException", "NoSuchEntity", "NotFoundException"),
        *("NoSuchCORSConfiguration", "NoSuchBucket", "NoSuchKey", "404", "NotFound"),
    }
)
_DENIED = frozenset(
    {
        *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden"),
        *("NotAuthorizedException", "OptInRequired", "SubscriptionRequiredException"),
    }
)

_PASSING = frozenset(
    {
        *("Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"),
        *("InternalFailure", "InternalServerError", "InternalError", "ServiceUnavailable"),
        *("ServiceUnavailableException", "RequestTimeout", "500", "502", "503", "504"),
        *("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError"),
        *("ConnectionClosedError", "ProxyConnectionError", "HTTPClientError", "SSLError"),
        *("ResponseStreamingError", "IncompleteReadError"),
    }
)


class AwsError(JobError):
    """A call that AWS refused, or that never reached it.

    `code` is AWS's name of the error (`AccessDeniedException`), or the name of boto3's exception;
    `said` is the message without its code; `operation` is the call, as `sagemaker.StopLabelingJob`.
    """

    def __init__(self, sentence: str, *, code: str, said: str, operation: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.said = said
        self.operation = operation

    @property
    def missing(self) -> bool:
        """Whether what was asked about does not exist."""
        return self.code in _MISSING or (
            self.code == "ValidationException" and "not exist" in self.said
        )

    @property
    def denied(self) -> bool:
        """Whether the caller lacks the permission."""
        return self.code in _DENIED

    @property
    def passing(self) -> bool:
        """Whether AWS was busy or out of reach, so that the same call may go well later."""
        return self.code in _PASSING


def region(wanted: str | None = None) -> str:
    """Give the Region to work in: as wanted, or as the environment and boto3's settings say.

    Raises
    ------
    UsageError
        Where none is set anywhere.
    """
    if wanted:
        return wanted
    import boto3

    found = os.environ.get("AWS_REGION") or boto3.session.Session().region_name
    if not found:
        raise UsageError(
            "no AWS Region is set; give --region, or set AWS_DEFAULT_REGION to the Region of your "
            "jobs and their bucket."
        )
    return str(found)


def client(service: str, where: str) -> Any:
    """Give the client of a service in a Region, made on the first call; threads share it."""
    key = (os.getpid(), service, where)
    with _lock:
        if key not in _clients:
            import boto3
            from botocore.config import Config

            config = Config(
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                connect_timeout=10,
                read_timeout=60,
            )
            _clients[key] = boto3.session.Session().client(
                service, region_name=where, config=config
            )
        return _clients[key]


def call(service: str, operation: str, where: str, /, **parameters: Any) -> dict[str, Any]:
    """Call an operation, as `call("sagemaker", "describe_labeling_job", "eu-west-1", …)`.

    Raises
    ------
    AwsError
        With a sentence that names the operation, the reason and, for the common reasons, the
        remedy; callers that know better look at `code`, `missing` and `denied`.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    name = f"{service}:{''.join(part.capitalize() for part in operation.split('_'))}"
    try:
        made = client(service, where)
        answer: dict[str, Any] = getattr(made, operation)(**parameters)
    except ClientError as error:
        code = str(error.response["Error"].get("Code", ""))
        said = _one_line(error.response["Error"].get("Message", ""))
        raise AwsError(
            _of_answer(name, where, code, said), code=code, said=said, operation=name
        ) from error
    except (BotoCoreError, ValueError) as error:
        code, said = type(error).__name__, _one_line(error)
        raise AwsError(
            f"{name} in {where} failed: {said}; {_remedy(code)}.",
            code=code,
            said=said,
            operation=name,
        ) from error
    return answer


@functools.lru_cache(maxsize=16)
def request_shape(service: str, operation: str) -> Any:
    """Give botocore's model of a request, as of `CreateLabelingJob`; no credentials needed."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    description = Loader().load_service_model(service, "service-2")
    return ServiceModel(description, service).operation_model(operation).input_shape


def complaints(service: str, operation: str, parameters: dict[str, Any]) -> tuple[str, ...]:
    """List what boto3 would refuse of a request before sending it; nothing is sent.

    That is little: no pattern, no maximum and no list of allowed values.
    """
    from botocore.validate import ParamValidator

    report = ParamValidator().validate(parameters, request_shape(service, operation))
    return tuple(report.generate_report().splitlines()) if report.has_errors() else ()


def _of_answer(name: str, where: str, code: str, said: str) -> str:
    if code in _DENIED:
        detail = f" ({said})" if said else ""
        return (
            f"AWS refuses {name} in {where}{detail}; ask for the permission {name}, or set "
            "AWS_PROFILE to an identity that has it."
        )
    if code in {"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException"}:
        return f"The AWS credentials are refused ({code}); renew them, or set AWS_PROFILE."
    if code in {"InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch"}:
        return (
            f"The AWS credentials are refused ({code}); correct them, or the clock of this machine."
        )
    if code in {"Throttling", "ThrottlingException", "RequestLimitExceeded"}:
        return f"AWS is too busy for {name} in {where} after {_ATTEMPTS} tries; run it again later."
    reason = said if not code or code in said else f"{said} ({code})" if said else code
    return f"{name} in {where} failed: {reason}."


def _remedy(code: str) -> str:
    if code in {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}:
        return "run `aws configure`, or set AWS_PROFILE"
    if code == "ProfileNotFound":
        return "correct AWS_PROFILE"
    if code == "EndpointConnectionError":
        return "check the network, the Region and AWS_ENDPOINT_URL"
    if code == "ParamValidationError":
        return "correct it"
    return "check the network and run it again"


def _one_line(value: object) -> str:
    return " ".join(str(value).split()).rstrip(".")
