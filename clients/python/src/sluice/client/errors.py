"""What a call can fail with: one class for each kind of status, all of them a SluiceError.

Decide by the class or by ``reason`` (a name of ``sluice.type.v1.ErrorReason`` without its prefix), never by the text::

    try:
        client.insurers.RestoreTraffic(request)
    except errors.FailedPrecondition as error:
        if error.reason == "ABNORMAL_ORDERS_REMAIN":
            ...
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import grpc

from sluice.client._google_rpc import STATUS_DETAILS_KEY, Details, Violation, read_details

__all__ = [
    "Aborted",
    "AlreadyExists",
    "Cancelled",
    "DeadlineExceeded",
    "FailedPrecondition",
    "Internal",
    "InvalidArgument",
    "NotFound",
    "PermissionDenied",
    "ResourceExhausted",
    "SluiceError",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Violation",
    "error_of",
]


class SluiceError(Exception):
    """A call that did not succeed."""

    retry_can_help: ClassVar[bool] = False
    """Whether the same request may succeed later without anything else being done."""

    def __init__(self, code: grpc.StatusCode, message: str, details: Details, request_id: str = "") -> None:
        super().__init__(code, message, details, request_id)
        self.code = code
        self.message = message
        self.reason: str = details.reason
        """Empty where the failure is not the server's word, as when it cannot be reached."""
        self.violations: tuple[Violation, ...] = details.violations
        """Every wrong field of the request."""
        self.metadata: Mapping[str, str] = details.metadata
        """Facts about the failure, by the reason: ``state``, ``etag`` …"""
        self.subject: str = details.subject
        """What is in the state that does not allow the call."""
        self.retry_after: float | None = details.retry_after_seconds
        """Seconds after which the server asks to try again."""
        self.request_id: str = details.request_id or request_id
        """The name of the call in the server's log."""

    def __str__(self) -> str:
        reason = f" {self.reason}" if self.reason else ""
        request = f" [request {self.request_id}]" if self.request_id else ""
        return f"{self.code.name}{reason}: {self.message}{request}"


class InvalidArgument(SluiceError):
    """INVALID_ARGUMENT, OUT_OF_RANGE: the request is wrong, as ``violations`` says; nothing was changed."""


class NotFound(SluiceError):
    """NOT_FOUND."""


class AlreadyExists(SluiceError):
    """ALREADY_EXISTS: the id is taken by something else."""


class FailedPrecondition(SluiceError):
    """FAILED_PRECONDITION: not possible in the present state."""


class Aborted(SluiceError):
    """ABORTED: somebody else was faster. Read again, then repeat."""


class PermissionDenied(SluiceError):
    """PERMISSION_DENIED."""


class Unauthenticated(SluiceError):
    """UNAUTHENTICATED."""


class ResourceExhausted(SluiceError):
    """RESOURCE_EXHAUSTED: the server is full; ``retry_after`` says when to try again."""

    retry_can_help = True


class Unavailable(SluiceError):
    """UNAVAILABLE: the server or its store cannot be reached."""

    retry_can_help = True


class DeadlineExceeded(SluiceError):
    """DEADLINE_EXCEEDED: the call's time was over; what it did is not known. Repeat it with the same ids."""

    retry_can_help = True


class Cancelled(SluiceError):
    """CANCELLED: the caller gave up."""


class Unimplemented(SluiceError):
    """UNIMPLEMENTED: this server does not have the call."""


class Internal(SluiceError):
    """INTERNAL, UNKNOWN, DATA_LOSS: a defect. Its owner finds it in the log by ``request_id``."""


_CLASSES: Mapping[grpc.StatusCode, type[SluiceError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.OUT_OF_RANGE: InvalidArgument,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.ABORTED: Aborted,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.UNIMPLEMENTED: Unimplemented,
}


def error_of(failed: Any, request_id: str = "") -> SluiceError:
    """The typed error of a ``grpc.RpcError`` (of either API); ``request_id`` is the one that was sent."""
    code = failed.code() or grpc.StatusCode.UNKNOWN
    trailing: Iterable[tuple[str, str | bytes]] = failed.trailing_metadata() or ()
    details = Details()
    for key, value in trailing:
        if key == STATUS_DETAILS_KEY and isinstance(value, bytes):
            details = read_details(value)
    return _CLASSES.get(code, Internal)(code, failed.details() or "", details, request_id)
