"""The one place where failures become gRPC statuses.

Every status carries ``google.rpc.Status`` in ``grpc-status-details-bin`` with ErrorInfo (domain ``sluice``, a reason of
``sluice.type.v1.ErrorReason``) and RequestInfo, and BadRequest, PreconditionFailure or RetryInfo where they help.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from sluice_server.domain.errors import (
    Aborted,
    AlreadyExists,
    DeadlineExceeded,
    Exhausted,
    FailedPrecondition,
    InvalidInput,
    NotBuiltYet,
    NotFound,
    PermissionDenied,
    SluiceError,
    Unauthenticated,
    Unavailable,
)

DOMAIN = "sluice"
STATUS_DETAILS_KEY = "grpc-status-details-bin"

STATUS_OF_KIND: Mapping[type[SluiceError], grpc.StatusCode] = {
    InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    Aborted: grpc.StatusCode.ABORTED,
    PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    NotBuiltYet: grpc.StatusCode.UNIMPLEMENTED,
}

# Clients refuse trailers over 8 KiB altogether, and the caller would see that instead of the error: text and details
# are cut to fit, and say so.
MAX_MESSAGE_BYTES = 1200
MAX_DETAILS_BYTES = 4000
MAX_METADATA_VALUE_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed call as the caller will see it."""

    code: grpc.StatusCode
    reason: str
    message: str
    details: bytes
    """A serialized google.rpc.Status."""
    defect: bool = False
    """A defect of ours: nothing about it is shown, and the log has the traceback."""


class CallFailed(Exception):
    """Carries a Failure from the place of translation to the outermost interceptor, which alone ends the call."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def status_of(error: SluiceError) -> grpc.StatusCode:
    """The status of a domain error: that of the nearest kind among its classes."""
    for kind in type(error).__mro__:
        if code := STATUS_OF_KIND.get(kind):
            return code
    return grpc.StatusCode.INTERNAL


def failure_of(error: BaseException, request_id: str, *, deadline_passed: bool = False) -> Failure:
    """What the caller is told about ``error``.

    ``deadline_passed``: the caller's deadline is over, which explains time-outs and cancellations.
    """
    if not isinstance(error, SluiceError):
        if deadline_passed and isinstance(error, TimeoutError | asyncio.CancelledError):
            error = DeadlineExceeded("the call's deadline ended first; what was stored stays, repeat with the same ids")
        else:
            return _defect(request_id)
    code = status_of(error)
    if code is grpc.StatusCode.INTERNAL:
        return _defect(request_id)
    return _failure(code, error.reason, error.message, request_id, error.metadata, error=error)


def _defect(request_id: str) -> Failure:
    text = f"internal error; the server's log has it under request id {request_id}"
    return _failure(grpc.StatusCode.INTERNAL, "INTERNAL", text, request_id, {}, defect=True)


def _failure(
    code: grpc.StatusCode,
    reason: str,
    message: str,
    request_id: str,
    metadata: Mapping[str, str],
    *,
    error: SluiceError | None = None,
    defect: bool = False,
) -> Failure:
    message = _shortened(message, MAX_MESSAGE_BYTES)
    info = error_details_pb2.ErrorInfo(
        reason=reason,
        domain=DOMAIN,
        metadata={key: str(value)[:MAX_METADATA_VALUE_CHARACTERS] for key, value in metadata.items()},
    )
    status = status_pb2.Status(code=code.value[0], message=message)
    _pack(status, info)
    _pack(status, error_details_pb2.RequestInfo(request_id=request_id))
    match error:
        case InvalidInput():
            _pack(status, _bad_request(error, info, status, MAX_DETAILS_BYTES - status.ByteSize()))
        case FailedPrecondition():
            violation = error_details_pb2.PreconditionFailure.Violation(
                type=reason, subject=error.subject, description=message
            )
            _pack(status, error_details_pb2.PreconditionFailure(violations=[violation]))
        case Exhausted() | Unavailable():
            delay = Duration()
            delay.FromMilliseconds(round(error.retry_after_seconds * 1000))
            _pack(status, error_details_pb2.RetryInfo(retry_delay=delay))
    return Failure(code, reason, message, status.SerializeToString(), defect)


def _bad_request(
    error: InvalidInput, info: error_details_pb2.ErrorInfo, status: status_pb2.Status, room: int
) -> error_details_pb2.BadRequest:
    """As many violations as fit; the number of the others goes into ErrorInfo."""
    bad = error_details_pb2.BadRequest()
    for violation in error.violations:
        bad.field_violations.add(field=violation.field, description=_shortened(violation.description, 500))
        if bad.ByteSize() > room:
            del bad.field_violations[-1]
            info.metadata["violations_omitted"] = str(len(error.violations) - len(bad.field_violations))
            status.details[0].Pack(info)
            break
    return bad


def _pack(status: status_pb2.Status, detail: Any) -> None:
    packed = AnyMessage()
    packed.Pack(detail)
    status.details.append(packed)


def _shortened(text: str, limit_bytes: int) -> str:
    """``text`` so that it takes at most ``limit_bytes`` percent-encoded, as gRPC sends it."""
    if len(text) * 9 <= limit_bytes or len(quote(text, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")) <= limit_bytes:
        return text
    size = 0
    for index, character in enumerate(text):
        size += 1 if " " <= character <= "~" and character != "%" else 3 * len(character.encode())
        if size > limit_bytes - 9:
            return text[:index] + "…"
    return text
