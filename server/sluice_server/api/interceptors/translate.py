"""Every failure becomes one the caller can act on."""

from __future__ import annotations

import asyncio

import grpc
import structlog

from sluice_server.api.context import ServerCall
from sluice_server.api.errors import CallFailed, failure_of
from sluice_server.api.interceptors.pipeline import Hooks, Method
from sluice_server.domain.errors import NotBuiltYet


class Translate:
    """Turns what was raised inside into a CallFailed, by the table in ``api.errors``; logs defects with a traceback."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("sluice.call")

    def around(self, method: Method) -> Hooks:
        return Hooks(translate=self._translated)

    def _translated(self, call: ServerCall, error: BaseException) -> BaseException:
        match error:
            case CallFailed() | grpc.aio.AbortError():
                return error
            case asyncio.CancelledError():
                return self._cancelled(call, error)
            case NotImplementedError():
                if call.grpc_context.code() != grpc.StatusCode.UNIMPLEMENTED:
                    return self._defect(call, error)
                # The generated base class's method: in the contract, without a handler.
                name = call.method.rpartition("/")[2]
                missing = NotBuiltYet(f"{name} is part of the contract and not built in this version")
                return CallFailed(failure_of(missing, call.request_id))
            case Exception():
                failure = failure_of(error, call.request_id, deadline_passed=_deadline_passed(call))
                return self._defect(call, error) if failure.defect else CallFailed(failure)
        return error

    def _cancelled(self, call: ServerCall, error: asyncio.CancelledError) -> BaseException:
        task = asyncio.current_task()
        if _deadline_passed(call):
            # gRPC has answered the caller itself; this is for the trace, the metrics and the log.
            return CallFailed(failure_of(error, call.request_id, deadline_passed=True))
        if task is not None and task.cancelling():
            # The caller hung up, or the server's grace is over. A cancellation must not be swallowed.
            return error
        # Nobody asked for it: something inside was cancelled by mistake, and the caller still waits.
        return self._defect(call, error)

    def _defect(self, call: ServerCall, error: BaseException) -> CallFailed:
        self._log.error("defect", method=call.method, exc_info=error)
        return CallFailed(failure_of(error, call.request_id))


def _deadline_passed(call: ServerCall) -> bool:
    remaining = call.grpc_context.time_remaining()
    return remaining is not None and remaining <= 0
