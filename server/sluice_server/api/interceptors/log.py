"""The request id, and one line in the log for each call worth one."""

from __future__ import annotations

import logging
import random
import re
import time
from typing import TypeGuard

import grpc
import structlog

from sluice_server.api.context import ServerCall
from sluice_server.api.errors import CallFailed
from sluice_server.api.interceptors.pipeline import REQUEST_ID_KEY, Hooks, Method

# What may stand in logs and headers as it is.
REQUEST_ID = re.compile(r"[A-Za-z0-9._:/-]{1,128}")


class Log:
    """Names the call: takes the caller's request id or makes one, and returns it with the trailing metadata.

    Control calls and failures are logged at ``info``, everything else at ``debug``: at thousands of orders a second a
    line for each would cost more than the routing.
    """

    def __init__(self) -> None:
        self._log = structlog.get_logger("sluice.call")
        # Asked first: to build a line that nobody wants costs structlog as much as all other interceptors together.
        self._plain = logging.getLogger("sluice.call")

    def around(self, method: Method) -> Hooks:
        level = logging.INFO if method.access is not None and method.access.control else logging.DEBUG
        wanted, random_bits = self._plain.isEnabledFor, random.getrandbits

        def enter(call: ServerCall) -> None:
            given = call.metadata.get(REQUEST_ID_KEY)
            # A malformed one is refused later, where refusals are made; until then the call needs a name for the log.
            call.request_id = given if given and is_request_id(given) else f"{random_bits(128):032x}"
            call.grpc_context.set_trailing_metadata(((REQUEST_ID_KEY, call.request_id),))

        def leave(call: ServerCall) -> None:
            if call.failed is not None:
                self._failed(call)
            elif wanted(level):
                took = _milliseconds_since(call.started)
                self._log.log(level, "call served", method=call.method, actor=_actor(call), milliseconds=took)

        return Hooks(enter=enter, leave=leave)

    def _failed(self, call: ServerCall) -> None:
        took = _milliseconds_since(call.started)
        if isinstance(call.failed, CallFailed):
            # A defect has been logged, with its traceback, where it was met.
            self._log.info(
                "call failed",
                method=call.method,
                actor=_actor(call),
                code=call.code.name,
                reason=call.reason,
                milliseconds=took,
            )
        elif not isinstance(call.failed, grpc.aio.AbortError):
            self._log.info("call cancelled", method=call.method, actor=_actor(call), milliseconds=took)


def is_request_id(value: str | bytes | None) -> TypeGuard[str]:
    """Whether ``value`` may be used as a request id as it is."""
    return isinstance(value, str) and REQUEST_ID.fullmatch(value) is not None


def _actor(call: ServerCall) -> str:
    return call.actor.name if call.actor else ""


def _milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
