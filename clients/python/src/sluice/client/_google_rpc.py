"""google.rpc's error details, read without a package for them.

The messages live in a descriptor pool of their own: where an application also has googleapis-common-protos, the two do
not meet in the default pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from sluice.client._google_rpc_descriptors import FILE_DESCRIPTOR_SET

STATUS_DETAILS_KEY = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class Violation:
    """One wrong field of a request: where it is (``application.price.amount_minor``) and what is wrong with it."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class Details:
    """What a status says beyond its code and text; empty where the server said nothing."""

    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    subject: str = ""
    retry_after_seconds: float | None = None
    request_id: str = ""


def read_details(serialized: bytes) -> Details:
    """The details in a serialized google.rpc.Status. What is damaged or unknown is passed over: it must not hide the
    error it came with."""
    found: dict[str, Any] = {}
    try:
        status = _message("google.rpc.Status").FromString(serialized)
        for packed in status.details:
            _read(packed.type_url.rpartition("/")[2], packed.value, found)
    except DecodeError:
        return Details(**found)
    return Details(**found)


def _read(name: str, value: bytes, into: dict[str, Any]) -> None:
    match name:
        case "google.rpc.ErrorInfo":
            info = _message(name).FromString(value)
            into["reason"] = info.reason
            into["metadata"] = dict(info.metadata)
        case "google.rpc.BadRequest":
            bad = _message(name).FromString(value)
            into["violations"] = tuple(Violation(v.field, v.description) for v in bad.field_violations)
        case "google.rpc.PreconditionFailure":
            failed = _message(name).FromString(value)
            into["subject"] = next((v.subject for v in failed.violations), "")
        case "google.rpc.RetryInfo":
            delay = _message(name).FromString(value).retry_delay
            into["retry_after_seconds"] = delay.seconds + delay.nanos / 1e9
        case "google.rpc.RequestInfo":
            into["request_id"] = _message(name).FromString(value).request_id


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(FILE_DESCRIPTOR_SET).file:
        pool.Add(file)
    return pool


@cache
def _message(full_name: str) -> Any:
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(full_name))
