"""Errors as the client reads them."""

from __future__ import annotations

import pickle
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from sluice.client import Violation, errors
from sluice.client._google_rpc import Details, read_details


def status(*details: Any) -> bytes:
    message = status_pb2.Status(code=9, message="no")
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        message.details.append(packed)
    serialized: bytes = message.SerializeToString()
    return serialized


class Failed(grpc.RpcError):
    """A finished call, as far as errors need it."""

    def __init__(self, code: grpc.StatusCode, trailing: tuple[tuple[str, Any], ...] | None = None) -> None:
        self._code = code
        self._trailing = trailing

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "the text"

    def trailing_metadata(self) -> Any:
        return self._trailing


def test_every_detail_is_read() -> None:
    violation = error_details_pb2.PreconditionFailure.Violation(type="T", subject="insurers/b", description="d")
    serialized = status(
        error_details_pb2.ErrorInfo(reason="ILLEGAL_TRANSITION", domain="sluice", metadata={"state": "OPEN"}),
        error_details_pb2.RequestInfo(request_id="r-1"),
        error_details_pb2.BadRequest(field_violations=[{"field": "a", "description": "b"}]),
        error_details_pb2.PreconditionFailure(violations=[violation]),
        error_details_pb2.RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000)),
        error_details_pb2.Help(),  # one that the client does not know what to do with
    )
    assert read_details(serialized) == Details(
        reason="ILLEGAL_TRANSITION",
        metadata={"state": "OPEN"},
        violations=(Violation("a", "b"),),
        subject="insurers/b",
        retry_after_seconds=1.5,
        request_id="r-1",
    )


@pytest.mark.parametrize("damaged", [b"\xff\xff\xff", status(error_details_pb2.ErrorInfo(reason="X"))[:-1]])
def test_damaged_details_do_not_hide_the_error(damaged: bytes) -> None:
    error = errors.error_of(Failed(grpc.StatusCode.NOT_FOUND, (("grpc-status-details-bin", damaged),)), "r-2")
    assert isinstance(error, errors.NotFound)
    assert (error.message, error.request_id) == ("the text", "r-2")


def test_damage_after_the_first_detail_keeps_it() -> None:
    broken = AnyMessage(type_url="type.googleapis.com/google.rpc.BadRequest", value=b"\xff\xff")
    message = status_pb2.Status.FromString(status(error_details_pb2.ErrorInfo(reason="X")))
    message.details.append(broken)
    assert read_details(message.SerializeToString()).reason == "X"


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_status_has_a_class(code: grpc.StatusCode) -> None:
    error = errors.error_of(Failed(code))
    assert type(error) is not errors.SluiceError
    assert error.code is code
    assert error.reason == ""


def test_errors_can_be_pickled_and_say_everything_in_one_line() -> None:
    failed = Failed(grpc.StatusCode.NOT_FOUND, (("grpc-status-details-bin", status()),))
    error = errors.error_of(failed, "r-3")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "NOT_FOUND: the text [request r-3]"
