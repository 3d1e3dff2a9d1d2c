"""The call that is being served, for whoever runs within it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import grpc

from sluice_server.domain.context import CallContext


@dataclass(slots=True)
class ServerCall:
    """One RPC while it is served. The interceptors fill it from the outside in."""

    method: str
    """Fully qualified, without the leading slash: ``sluice.routing.v1.Routing/Route``."""
    streaming: bool
    """Whether requests or responses are a stream."""
    request: Any
    """The message, or the iterator of messages."""
    grpc_context: grpc.aio.ServicerContext[Any, Any]
    metadata: dict[str, str | bytes]
    """What the caller sent along; of a repeated key the last value."""
    request_id: str = ""
    trace_id: str = ""
    context: CallContext | None = None
    """What the use cases are told; set once the actor is known."""


_current_call: ContextVar[ServerCall | None] = ContextVar("sluice_current_call", default=None)


def current_context() -> CallContext:
    """The context of the call being served: what a handler passes to its use case."""
    call = _current_call.get()
    if call is None or call.context is None:
        raise LookupError("no call is being served here, or the interceptors have not run")
    return call.context


def current_call() -> ServerCall | None:
    """The call being served, or None in background work."""
    return _current_call.get()


def enter_call(call: ServerCall) -> None:
    """Makes ``call`` the current one of this task. Every RPC runs in a task of its own, so nothing has to be undone."""
    _current_call.set(call)
