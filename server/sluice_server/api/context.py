"""The call that is being served, for whoever runs within it."""

from __future__ import annotations

import random
import time
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import grpc

from sluice_server.domain.context import Actor, CallContext, Clock


class ServerCall:
    """One RPC while it is served. The interceptors fill it from the outside in.

    Made for every call, so it holds what every call needs; what only some need is made when it is asked for.
    """

    __slots__ = (
        "_context",
        "_trace_id",
        "actor",
        "clock",
        "code",
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
        self.actor: Actor | None = None
        """Who calls, once it is known."""
        self.clock: Clock | None = None
        """Whose time the call's deadline is told in; set with the actor."""
        self._context: CallContext | None = None
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
    def context(self) -> CallContext | None:
        """What the use cases are told; None until the actor is known. Made when it is first asked for."""
        if self._context is None and self.actor is not None and self.clock is not None:
            remaining = self.grpc_context.time_remaining()
            deadline = None if remaining is None else self.clock.now() + timedelta(seconds=remaining)
            self._context = CallContext(self.actor, self.request_id, self.trace_id, deadline)
        return self._context

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


def recorded() -> bool:
    """Whether the call being served has a span."""
    call = current_call()
    return call is not None and call.span is not None


def current_context() -> CallContext:
    """The context of the call being served: what a handler passes to its use case."""
    call = current_call()
    if call is None or call.context is None:
        raise LookupError("no call is being served here, or the interceptors have not run")
    return call.context
