"""Every failure becomes one the caller can act on."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import structlog

from sluice_server.api.context import ServerCall
from sluice_server.api.errors import CallFailed, failure_of
from sluice_server.api.interceptors.pipeline import Proceed
from sluice_server.domain.errors import NotBuiltYet


class Translate:
    """Turns what was raised inside into a CallFailed, by the table in ``api.errors``; logs defects with a traceback."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("sluice.call")

    async def __call__(self, call: ServerCall, proceed: Proceed) -> Any:
        try:
            return await proceed(call)
        except (CallFailed, grpc.aio.AbortError):
            raise
        except asyncio.CancelledError as cancelled:
            task = asyncio.current_task()
            if _deadline_passed(call):
                # gRPC has answered the caller itself; this is for the trace, the metrics and the log.
                raise CallFailed(failure_of(cancelled, call.request_id, deadline_passed=True)) from cancelled
            if task is not None and task.cancelling():
                # The caller hung up, or the server's grace is over. A cancellation must not be swallowed.
                raise
            # Nobody asked for it: something inside was cancelled by mistake, and the caller still waits.
            raise self._defect(call, cancelled) from cancelled
        except NotImplementedError as error:
            if call.grpc_context.code() != grpc.StatusCode.UNIMPLEMENTED:
                raise self._defect(call, error) from error
            # The generated base class's method: in the contract, without a handler.
            method = call.method.rpartition("/")[2]
            missing = NotBuiltYet(f"{method} is part of the contract and not built in this version")
            raise CallFailed(failure_of(missing, call.request_id)) from error
        except Exception as error:
            failure = failure_of(error, call.request_id, deadline_passed=_deadline_passed(call))
            if failure.defect:
                raise self._defect(call, error) from error
            raise CallFailed(failure) from error

    def _defect(self, call: ServerCall, error: BaseException) -> CallFailed:
        self._log.error("defect", method=call.method, exc_info=error)
        return CallFailed(failure_of(error, call.request_id))


def _deadline_passed(call: ServerCall) -> bool:
    remaining = call.grpc_context.time_remaining()
    return remaining is not None and remaining <= 0
