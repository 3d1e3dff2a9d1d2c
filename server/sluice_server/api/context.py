"""The call that is being served, for whoever runs within it."""

from __future__ import annotations

import random
import time
from contextvars import ContextVar
from typing import Any

import grpc

from sluice_server.domain.context import CallContext


class ServerCall:
    """One RPC while it is served. The interceptors fill it from the outside in.

    Made for every call, so it holds what every call needs; what only some need is made when it is asked for.
    """

    __slots__ = (
        "_trace_id",
        "code",
        "context",
        "failed",
        "grpc_context",
        "metadata",
        "method",
        "reason",
        "request_id",
        "span",
        "started",
        "unsampled",
    )

    def __init__(
        self,
        method: str,
        grpc_context: grpc.aio.ServicerContext[Any, Any],
        metadata: dict[str, str | bytes],
    ) -> None:
        self.method = method
        """Fully qualified, without the leading slash: ``sluice.routing.v1.Routing/Route``."""
        self.grpc_context = grpc_context
        self.metadata = metadata
        """What the caller sent along; of a repeated key the last value."""
        self.started = time.perf_counter()
        self.request_id = ""
        self.context: CallContext | None = None
        """What the use cases are told; set once the actor is known."""
        self.unsampled = False
        """Whether a trace began here that is not recorded. It gets an id only where somebody asks for it."""
        self.span: Any = None
        """The recorded span of the call, if there is one."""
        self._trace_id = ""
        self.code = grpc.StatusCode.OK
        """How the call ended, as the caller gets it."""
        self.reason = ""
        """Of a failure: the one in its ErrorInfo."""
        self.failed: BaseException | None = None
        """What ended the call when it did not succeed."""

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits; empty when the call belongs to no trace."""
        if not self._trace_id and self.unsampled:
            # Never zero, which W3C calls invalid.
            self._trace_id = f"{random.getrandbits(128) | 1:032x}"
        return self._trace_id

    @trace_id.setter
    def trace_id(self, value: str) -> None:
        self._trace_id = value


_current_call: ContextVar[ServerCall | None] = ContextVar("sluice_current_call", default=None)

current_call = _current_call.get
"""The call being served, or None in background work."""
enter_call = _current_call.set
"""Makes a call the current one of this task. Every RPC runs in a task of its own, so nothing has to be undone."""


def current_context() -> CallContext:
    """The context of the call being served: what a handler passes to its use case."""
    call = current_call()
    if call is None or call.context is None:
        raise LookupError("no call is being served here, or the interceptors have not run")
    return call.context
