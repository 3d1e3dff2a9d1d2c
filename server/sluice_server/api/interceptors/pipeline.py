"""Runs every RPC, whatever its kind, through one ordered list of interceptors.

grpc.aio wraps handlers anew for each call and knows four kinds of them. Here a handler is wrapped once, streams are
written through the context, and so an interceptor is one coroutine around the call, the same for all kinds.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import grpc

from sluice_server.api.context import ServerCall, enter_call
from sluice_server.api.errors import STATUS_DETAILS_KEY, CallFailed
from sluice_server.domain.errors import Unavailable

REQUEST_ID_KEY = "sluice-request-id"
HEALTH_WATCH = "grpc.health.v1.Health/Watch"
LAST_WORD_SECONDS = 0.5

Proceed = Callable[[ServerCall], Awaitable[Any]]


class ServerStopping(Unavailable):
    """The server ends its open subscriptions because it stops."""

    reason = "STOPPING"

    def __init__(self) -> None:
        super().__init__("the server is stopping; call again, another replica or the next start will answer")


class Interceptor(Protocol):
    """One concern around every call."""

    async def __call__(self, call: ServerCall, proceed: Proceed) -> Any:
        """Awaits ``proceed(call)`` once, or raises; returns what it returned (None where responses are a stream)."""
        ...


class Pipeline(grpc.aio.ServerInterceptor):
    """The only interceptor that grpc.aio sees. ``interceptors`` run in their order, the first outermost."""

    def __init__(self, interceptors: Sequence[Interceptor]) -> None:
        self.interceptors = tuple(interceptors)
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self._subscriptions: dict[asyncio.Task[Any], ServerCall] = {}
        self._stopping = False

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            wrapped = self._wrapped[method] = self._wrap(method.removeprefix("/"), handler)
        return wrapped

    async def end_subscriptions(self) -> None:
        """Ends the open Watch… calls with UNAVAILABLE, reason STOPPING; the drain would wait for them to its end.

        Those that watch the health end by themselves with the news of the stop, and are given a moment for it.
        """
        self._stopping = True
        told = [task for task, call in self._subscriptions.items() if call.method == HEALTH_WATCH]
        for task in self._subscriptions.keys() - set(told):
            task.cancel()
        if told:
            _, silent = await asyncio.wait(told, timeout=LAST_WORD_SECONDS)
            for task in silent:
                task.cancel()

    def _wrap(self, method: str, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        streaming = handler.request_streaming or handler.response_streaming
        behavior: Any = handler.stream_stream or handler.stream_unary or handler.unary_stream or handler.unary_unary
        innermost = _write_responses if handler.response_streaming else _answer
        subscription = handler.response_streaming and method.rpartition("/")[2].startswith("Watch")

        def serve(call: ServerCall) -> Awaitable[Any]:
            served = innermost(behavior, call.request, call.grpc_context)
            return self._subscribe(call, served) if subscription else served

        proceed: Proceed = serve
        for interceptor in reversed(self.interceptors):
            proceed = _Around(interceptor, proceed)

        async def run(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            metadata: Any = context.invocation_metadata() or ()
            call = ServerCall(method, streaming, request, context, dict(metadata))
            enter_call(call)
            try:
                return await proceed(call)
            except CallFailed as failed:
                # The outermost place, so the only one that may abort: abort() raises, and whatever is around it would
                # take that for another failure.
                if handler.request_streaming:
                    await _read_rest(context)
                trailing = ((REQUEST_ID_KEY, call.request_id), (STATUS_DETAILS_KEY, failed.failure.details))
                await context.abort(failed.failure.code, failed.failure.message, trailing)

        make: Any = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[bool(handler.request_streaming), bool(handler.response_streaming)]
        wrapped: grpc.RpcMethodHandler[Any, Any] = make(
            run,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return wrapped

    async def _subscribe(self, call: ServerCall, serving: Awaitable[None]) -> None:
        task = asyncio.current_task()
        assert task is not None, "grpc.aio runs every call in a task"
        self._subscriptions[task] = call
        try:
            await serving
        except asyncio.CancelledError:
            if not self._stopping or call.grpc_context.cancelled():
                raise
            task.uncancel()
            raise ServerStopping from None
        finally:
            del self._subscriptions[task]


class _Around:
    """``interceptor`` with what comes after it bound."""

    __slots__ = ("_interceptor", "_proceed")

    def __init__(self, interceptor: Interceptor, proceed: Proceed) -> None:
        self._interceptor = interceptor
        self._proceed = proceed

    def __call__(self, call: ServerCall) -> Awaitable[Any]:
        return self._interceptor(call, self._proceed)


async def _answer(behavior: Callable[..., Any], request: Any, context: Any) -> Any:
    answer = behavior(request, context)
    # The generated base classes' methods are plain functions.
    return await answer if inspect.isawaitable(answer) else answer


async def _write_responses(behavior: Callable[..., Any], request: Any, context: Any) -> None:
    responses = behavior(request, context)
    if isinstance(responses, AsyncGenerator):
        async with aclosing(responses) as stream:
            async for response in stream:
                await _write_whole(context, response)
    elif inspect.isawaitable(responses):
        await responses


async def _write_whole(context: Any, response: Any) -> None:
    """Writes one response. A cancellation in between waits for the write: gRPC knows one operation at a time on a
    stream, and the status that ends the call would be refused (TOO_MANY_OPERATIONS) while a write is under way."""
    write = asyncio.ensure_future(context.write(response))
    try:
        await asyncio.shield(write)
    except asyncio.CancelledError:
        # A reader that takes nothing must not hold up the stop.
        await asyncio.wait({write}, timeout=LAST_WORD_SECONDS)
        write.cancel()
        raise


async def _read_rest(context: Any) -> None:
    """Reads what a caller is still sending, for a moment. A grpc.aio client whose message is refused by a call that has
    just ended reports an error of its own core instead of the status that we send."""
    try:
        async with asyncio.timeout(LAST_WORD_SECONDS):
            while await context.read() is not grpc.aio.EOF:
                pass
    except TimeoutError:
        return
