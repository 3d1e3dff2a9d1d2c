"""Runs every RPC, whatever its kind, through one ordered list of interceptors.

grpc.aio asks its interceptors anew for each call, wraps a coroutine around each, and knows four kinds of handlers. Here
each method is wrapped once, streams are written through the context, and an interceptor says for each method what it
does before and after its calls: plain functions, called in a row. Six coroutines around a call cost as much as the
decision inside.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import grpc

from sluice_server.api.access import ACCESS, Access
from sluice_server.api.context import ServerCall, current_call, enter_call
from sluice_server.api.errors import STATUS_DETAILS_KEY, CallFailed
from sluice_server.domain.errors import Unavailable

REQUEST_ID_KEY = "sluice-request-id"
HEALTH_WATCH = "grpc.health.v1.Health/Watch"
LAST_WORD_SECONDS = 0.5


class ServerStopping(Unavailable):
    """The server ends its open subscriptions because it stops."""

    reason = "STOPPING"

    def __init__(self) -> None:
        super().__init__("the server is stopping; call again, another replica or the next start will answer")


@dataclass(frozen=True, slots=True)
class Method:
    """What calls are made of."""

    name: str
    """Fully qualified, without the leading slash: ``sluice.routing.v1.Routing/Route``."""
    streaming: bool
    """Whether requests or responses are a stream."""
    access: Access | None
    """None: health and reflection."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What one interceptor does around every call of a method; None where it has nothing to do."""

    enter: Callable[[ServerCall], None] | None = None
    """Before the call. When it raises, the call goes no further and its own ``leave`` is not run."""
    translate: Callable[[ServerCall, BaseException], BaseException] | None = None
    """What those further out get for what was raised inside."""
    leave: Callable[[ServerCall], None] | None = None
    """After the call, whatever became of it: ``call.code``, ``reason`` and ``failed`` tell. Must not raise."""


class Interceptor(Protocol):
    """One concern around every call."""

    def around(self, method: Method) -> Hooks:
        """Asked once for each method, so that whatever depends on the method alone is looked up once."""
        ...


class Pipeline(grpc.GenericRpcHandler):
    """The only handler that grpc.aio sees: every method behind ``interceptors``, the first outermost.

    Services are added to it as to a server (``add_…Servicer_to_server(servicer, pipeline)``).
    """

    def __init__(self, interceptors: Sequence[Interceptor]) -> None:
        self.interceptors = tuple(interceptors)
        self._handlers: list[grpc.GenericRpcHandler] = []
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self._subscriptions: dict[asyncio.Task[Any], ServerCall] = {}
        self._stopping = False

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """What generated code calls to add a service."""
        self._handlers += handlers

    def add_registered_method_handlers(self, service_name: str, method_handlers: object) -> None:
        """What generated code calls as well; the generic handlers know the same methods."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of a call's method, wrapped when it is first called; None when there is none."""
        path = handler_call_details.method
        wrapped = self._wrapped.get(path)
        if wrapped is None:
            handler = next(filter(None, (each.service(handler_call_details) for each in self._handlers)), None)
            if handler is None:
                return None
            wrapped = self._wrapped[path] = self._wrap(path.removeprefix("/"), handler)
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

    def _wrap(self, name: str, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        method = Method(name, handler.request_streaming or handler.response_streaming, ACCESS.get(name))
        hooks = [interceptor.around(method) for interceptor in self.interceptors]
        enters = tuple((place, hook.enter) for place, hook in enumerate(hooks) if hook.enter is not None)
        leaves = tuple(hook.leave for hook in reversed(hooks) if hook.leave is not None)
        serve = self._serve(method, handler)
        reads_on = handler.request_streaming

        async def run(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            metadata: Any = context.invocation_metadata() or ()
            call = ServerCall(name, context, dict(metadata))
            enter_call(call)
            place = 0
            try:
                for place, enter in enters:  # noqa: B007 - read when one of them raises
                    enter(call)
                place = len(hooks)
                answer = await serve(request, context)
            except BaseException as error:
                ended = _unwound(hooks[:place], call, error)
                if not isinstance(ended, CallFailed):
                    if ended is error:
                        raise
                    raise ended from error
                # The outermost place, so the only one that may abort: abort() raises, and whatever is around it would
                # take that for another failure.
                if reads_on:
                    await _read_rest(context)
                trailing = ((REQUEST_ID_KEY, call.request_id), (STATUS_DETAILS_KEY, ended.failure.details))
                await context.abort(ended.failure.code, ended.failure.message, trailing)
            for leave in leaves:
                leave(call)
            return answer

        make: Any = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[bool(handler.request_streaming), bool(handler.response_streaming)]
        wrapped: grpc.RpcMethodHandler[Any, Any] = make(
            run,
            request_deserializer=handler.request_deserializer,
            response_serializer=_serializer(handler.response_serializer),
        )
        return wrapped

    def _serve(self, method: Method, handler: grpc.RpcMethodHandler[Any, Any]) -> Callable[..., Awaitable[Any]]:
        behavior: Any = handler.stream_stream or handler.stream_unary or handler.unary_stream or handler.unary_unary
        if not handler.response_streaming:
            # The generated base classes' methods are plain functions.
            return behavior if inspect.iscoroutinefunction(behavior) else lambda *given: _answer(behavior, *given)
        if not method.name.rpartition("/")[2].startswith("Watch"):
            return lambda request, context: _write_responses(behavior, request, context)
        return lambda request, context: self._subscribe(context, _write_responses(behavior, request, context))

    async def _subscribe(self, context: Any, serving: Awaitable[None]) -> None:
        task = asyncio.current_task()
        assert task is not None, "grpc.aio runs every call in a task"
        call = current_call()
        assert call is not None, "set before it is served"
        self._subscriptions[task] = call
        try:
            await serving
        except asyncio.CancelledError:
            if not self._stopping or context.cancelled():
                raise
            task.uncancel()
            raise ServerStopping from None
        finally:
            del self._subscriptions[task]


def _serializer(serialize: Callable[[Any], bytes] | None) -> Callable[[Any], bytes] | None:
    """For handlers that may give an answer in the form that goes out already."""
    if serialize is None:
        return None
    return lambda answer: answer if isinstance(answer, bytes) else serialize(answer)


def _unwound(hooks: Sequence[Hooks], call: ServerCall, error: BaseException) -> BaseException:
    """Leaves a failed call by those that were entered, innermost first; what the caller gets."""
    _note(call, error)
    for hook in reversed(hooks):
        if hook.translate is not None:
            error = hook.translate(call, error)
            _note(call, error)
        if hook.leave is not None:
            hook.leave(call)
    return error


def _note(call: ServerCall, error: BaseException) -> None:
    call.failed = error
    match error:
        case CallFailed():
            call.code, call.reason = error.failure.code, error.failure.reason
        case grpc.aio.AbortError():
            call.code = _ended_with(call)
        case _:
            # Only a cancellation stays what it is: everything else becomes a CallFailed.
            call.code = grpc.StatusCode.CANCELLED


def _ended_with(call: ServerCall) -> grpc.StatusCode:
    """The status that a handler gave by its context's ``abort`` or ``set_code``."""
    given: Any = call.grpc_context.code()
    number = given.value[0] if isinstance(given, grpc.StatusCode) else given
    return next((status for status in grpc.StatusCode if status.value[0] == number), grpc.StatusCode.UNKNOWN)


async def _answer(behavior: Callable[..., Any], request: Any, context: Any) -> Any:
    answer = behavior(request, context)
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
