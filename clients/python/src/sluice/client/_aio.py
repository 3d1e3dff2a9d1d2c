"""The client for asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

import grpc
import grpc.aio

from sluice.client._metadata import MetadataEntries, Sender, TraceContext, installed_trace_context
from sluice.client._methods import DEFAULT_TIMEOUT_SECONDS, channel_options
from sluice.client._sync import HEALTH_CHECK
from sluice.client.errors import error_of
from sluice.insurer.v1.insurer_control_pb2_grpc import InsurerControlStub
from sluice.risk.v1.risk_query_pb2_grpc import RiskQueryStub
from sluice.routing.v1.routing_pb2_grpc import RoutingStub

if TYPE_CHECKING:
    # They exist for the type checker alone: at run time one stub serves both APIs.
    from sluice.insurer.v1.insurer_control_pb2_grpc import InsurerControlAsyncStub
    from sluice.risk.v1.risk_query_pb2_grpc import RiskQueryAsyncStub
    from sluice.routing.v1.routing_pb2_grpc import RoutingAsyncStub


class AsyncSluice:
    """A connection to Sluice within one event loop; make one and keep it::

        async with AsyncSluice("127.0.0.1:7350", actor="order-service") as sluice:
            decision = await sluice.routing.Route(routing_pb2.RouteRequest(...))

    ``routing``, ``insurers`` and ``risk`` are the generated stubs; their methods take ``timeout`` and ``metadata`` as
    usual and raise ``sluice.client.errors.SluiceError``.
    """

    routing: RoutingAsyncStub
    insurers: InsurerControlAsyncStub
    risk: RiskQueryAsyncStub

    def __init__(
        self,
        target: str,
        *,
        actor: str = "",
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        credentials: grpc.ChannelCredentials | None = None,
        trace_context: TraceContext | None = None,
        options: tuple[tuple[str, Any], ...] = (),
    ) -> None:
        """Connects lazily; the arguments are those of ``Sluice``."""
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(target, channel_options(options))
        else:
            self._channel = grpc.aio.secure_channel(target, credentials, channel_options(options))
        sender = Sender(actor, trace_context or installed_trace_context())
        calls = cast(grpc.aio.Channel, _Calls(self._channel, sender, timeout))
        self.routing = RoutingStub(calls)
        self.insurers = InsurerControlStub(calls)
        self.risk = RiskQueryStub(calls)
        self._check: Any = calls.unary_unary(HEALTH_CHECK)

    async def wait_until_serving(self, timeout: float = 30.0) -> None:
        """Waits until the server answers its health check. Raises DeadlineExceeded after ``timeout`` seconds."""
        # An empty request and any answer will do: the bytes need no generated code.
        await self._check(b"", timeout=timeout, wait_for_ready=True)

    async def close(self) -> None:
        """Ends all calls that are still open."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


class _Calls:
    """Stands where a generated stub expects a channel, and makes its calls ours."""

    def __init__(self, channel: grpc.aio.Channel, sender: Sender, timeout: float) -> None:
        self._channel = channel
        self._sender = sender
        self._timeout = timeout

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> _OneAnswer:
        return _OneAnswer(self._channel.unary_unary(method, *args, **kwargs), self._sender, self._timeout)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> _OneAnswer:
        return _OneAnswer(self._channel.stream_unary(method, *args, **kwargs), self._sender, None)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> _ManyAnswers:
        return _ManyAnswers(self._channel.unary_stream(method, *args, **kwargs), self._sender)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> _ManyAnswers:
        return _ManyAnswers(self._channel.stream_stream(method, *args, **kwargs), self._sender)


class _OneAnswer:
    def __init__(self, call: Any, sender: Sender, timeout: float | None) -> None:
        self._call = call
        self._sender = sender
        self._timeout = timeout

    async def __call__(
        self, request: Any, timeout: float | None = None, metadata: MetadataEntries | None = None, **kwargs: Any
    ) -> Any:
        sent, request_id = self._sender.metadata(metadata)
        limit = self._timeout if timeout is None else timeout
        try:
            return await self._call(request, timeout=limit, metadata=sent, **kwargs)
        except grpc.aio.AioRpcError as failed:
            raise error_of(failed, request_id) from failed


class _ManyAnswers:
    def __init__(self, call: Any, sender: Sender) -> None:
        self._call = call
        self._sender = sender

    def __call__(
        self, request: Any = None, timeout: float | None = None, metadata: MetadataEntries | None = None, **kwargs: Any
    ) -> _Answers:
        sent, request_id = self._sender.metadata(metadata)
        return _Answers(self._call(request, timeout=timeout, metadata=sent, **kwargs), request_id)


class _Answers:
    """The answers of a stream, and the call behind it (``write()``, ``done_writing()``, ``cancel()`` …)."""

    def __init__(self, call: Any, request_id: str) -> None:
        self._call = call
        self._request_id = request_id

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            async for answer in self._call:
                yield answer
        except grpc.aio.AioRpcError as failed:
            raise error_of(failed, self._request_id) from failed

    async def read(self) -> Any:
        """The next answer, or ``grpc.aio.EOF``."""
        try:
            return await self._call.read()
        except grpc.aio.AioRpcError as failed:
            raise error_of(failed, self._request_id) from failed

    async def write(self, request: Any) -> None:
        """Sends a request on a stream that was opened without an iterator of requests."""
        try:
            await self._call.write(request)
        except grpc.aio.AioRpcError as failed:
            raise error_of(failed, self._request_id) from failed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)
