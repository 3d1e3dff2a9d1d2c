"""The client for threads."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self, cast

import grpc

from sluice.client._metadata import MetadataEntries, Sender, TraceContext, installed_trace_context
from sluice.client._methods import DEFAULT_TIMEOUT_SECONDS, channel_options
from sluice.client.errors import error_of
from sluice.insurer.v1.insurer_control_pb2_grpc import InsurerControlStub
from sluice.risk.v1.risk_query_pb2_grpc import RiskQueryStub
from sluice.routing.v1.routing_pb2_grpc import RoutingStub

HEALTH_CHECK = "/grpc.health.v1.Health/Check"


class Sluice:
    """A connection to Sluice. Thread-safe; make one and keep it::

        with Sluice("127.0.0.1:7350", actor="order-service") as sluice:
            decision = sluice.routing.Route(routing_pb2.RouteRequest(...))

    ``routing``, ``insurers`` and ``risk`` are the generated stubs; their methods take ``timeout`` and ``metadata`` as
    usual and raise ``sluice.client.errors.SluiceError``.
    """

    routing: RoutingStub
    insurers: InsurerControlStub
    risk: RiskQueryStub

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
        """Connects lazily.

        Args:
            target: HOST:PORT or another gRPC target.
            actor: who calls, for the audit; control calls need it unless a client certificate says it.
            timeout: seconds that a call with one answer may take.
            credentials: TLS; None speaks plain text.
            trace_context: gives the headers of the present span; by default OpenTelemetry's, if it is installed.
            options: further gRPC channel options; they win.
        """
        if credentials is None:
            self._channel = grpc.insecure_channel(target, channel_options(options))
        else:
            self._channel = grpc.secure_channel(target, credentials, channel_options(options))
        sender = Sender(actor, trace_context or installed_trace_context())
        calls = cast(grpc.Channel, _Calls(self._channel, sender, timeout))
        self.routing = RoutingStub(calls)
        self.insurers = InsurerControlStub(calls)
        self.risk = RiskQueryStub(calls)
        self._check: Any = calls.unary_unary(HEALTH_CHECK)

    def wait_until_serving(self, timeout: float = 30.0) -> None:
        """Waits until the server answers its health check. Raises DeadlineExceeded after ``timeout`` seconds."""
        # An empty request and any answer will do: the bytes need no generated code.
        self._check(b"", timeout=timeout, wait_for_ready=True)

    def close(self) -> None:
        """Ends all calls that are still open."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Calls:
    """Stands where a generated stub expects a channel, and makes its calls ours."""

    def __init__(self, channel: grpc.Channel, sender: Sender, timeout: float) -> None:
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

    def __call__(
        self, request: Any, timeout: float | None = None, metadata: MetadataEntries | None = None, **kwargs: Any
    ) -> Any:
        sent, request_id = self._sender.metadata(metadata)
        try:
            return self._call(request, timeout=self._timeout if timeout is None else timeout, metadata=sent, **kwargs)
        except grpc.RpcError as failed:
            raise error_of(failed, request_id) from failed

    def with_call(
        self, request: Any, timeout: float | None = None, metadata: MetadataEntries | None = None, **kwargs: Any
    ) -> Any:
        """The answer and the call, which has the trailing metadata."""
        sent, request_id = self._sender.metadata(metadata)
        limit = self._timeout if timeout is None else timeout
        try:
            return self._call.with_call(request, timeout=limit, metadata=sent, **kwargs)
        except grpc.RpcError as failed:
            raise error_of(failed, request_id) from failed


class _ManyAnswers:
    def __init__(self, call: Any, sender: Sender) -> None:
        self._call = call
        self._sender = sender

    def __call__(
        self, request: Any, timeout: float | None = None, metadata: MetadataEntries | None = None, **kwargs: Any
    ) -> _Answers:
        sent, request_id = self._sender.metadata(metadata)
        return _Answers(self._call(request, timeout=timeout, metadata=sent, **kwargs), request_id)


class _Answers:
    """The answers of a stream, and the call behind it (``cancel()``, ``trailing_metadata()`` …)."""

    def __init__(self, call: Any, request_id: str) -> None:
        self._call = call
        self._request_id = request_id

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except grpc.RpcError as failed:
            raise error_of(failed, self._request_id) from failed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)
