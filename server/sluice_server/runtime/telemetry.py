"""Traces, sent over OTLP/HTTP. Off unless an endpoint is set; then nothing of the SDK is even loaded."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import metadata
from typing import TYPE_CHECKING

import structlog
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from sluice_server.api.context import current_call
from sluice_server.domain.tracing import AttributeValue, Span, SpanKind, Tracer, Untraced

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

QUEUE_SPANS = 65_536
"""Spans that wait to be sent; the SDK's 2,048 overflow within a second of full sampling."""
BATCH_SPANS = 1_024
SCHEDULE_MILLISECONDS = 1_000
EXPORT_TIMEOUT_SECONDS = 5.0

_KINDS = {
    SpanKind.INTERNAL: trace.SpanKind.INTERNAL,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
    SpanKind.SERVER: trace.SpanKind.SERVER,
}
_NOT_RECORDED = Untraced().span("")
_PROPAGATOR = TraceContextTextMapPropagator()


class Telemetry:
    """What the composition root passes on: ``tracer`` for the domain and the adapters, ``call_tracer`` for the
    interceptor (None when tracing is off)."""

    def __init__(self, endpoint: str | None, sample_ratio: float) -> None:
        """``endpoint`` is the collector's base URL (``http://127.0.0.1:4318``), None turns tracing off."""
        self.sample_ratio = sample_ratio
        self.call_tracer: trace.Tracer | None = None
        self.tracer: Tracer = _Carrying()
        self._provider: TracerProvider | None = None
        self._log = structlog.get_logger("sluice.telemetry")
        if endpoint is not None:
            self._start(endpoint)

    def _start(self, endpoint: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

        version = metadata.version("sluice")
        resource = Resource.create(
            {
                "service.name": "sluice",
                "service.version": version,
                "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
            }
        )
        # Sampling is decided before a span is begun (the Trace interceptor and _Recording.span), so the SDK keeps what
        # it is given. It must not flush at the interpreter's exit: that is not bounded, close() is.
        self._provider = TracerProvider(resource=resource, sampler=ParentBased(ALWAYS_ON), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT_SECONDS)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=QUEUE_SPANS,
                max_export_batch_size=BATCH_SPANS,
                schedule_delay_millis=SCHEDULE_MILLISECONDS,
            )
        )
        self.call_tracer = self._provider.get_tracer("sluice", version)
        self.tracer = _Recording(self.call_tracer, self.sample_ratio)

    async def close(self, timeout_seconds: float) -> bool:
        """Sends what is left, for at most ``timeout_seconds``; False if that was not enough and spans were given up.

        A dead collector holds up nothing: the flush runs in a daemon thread that nobody waits for.
        """
        if self._provider is None:
            return True
        loop = asyncio.get_running_loop()
        flushed = asyncio.Event()
        provider, self._provider = self._provider, None

        def flush() -> None:
            try:
                provider.shutdown()
            finally:
                # The loop may be gone when a dead collector's time-out is over at last.
                if not loop.is_closed():
                    loop.call_soon_threadsafe(flushed.set)

        threading.Thread(target=flush, name="telemetry-flush", daemon=True).start()
        try:
            await asyncio.wait_for(flushed.wait(), timeout_seconds)
        except TimeoutError:
            self._log.warning("spans given up: the collector did not take them in time", seconds=timeout_seconds)
            return False
        return True


class _Carrying(Untraced):
    """Makes no spans, but hands the caller's trace context on to outgoing calls."""

    def headers(self) -> Mapping[str, str]:
        return _headers()


class _Recording:
    """The domain's Tracer, by OpenTelemetry."""

    def __init__(
        self, tracer: trace.Tracer, sample_ratio: float, random_float: Callable[[], float] = random.random
    ) -> None:
        self._tracer = tracer
        self._ratio = sample_ratio
        self._random_float = random_float

    def span(
        self, name: str, *, kind: SpanKind = SpanKind.INTERNAL, attributes: Mapping[str, AttributeValue] | None = None
    ) -> AbstractContextManager[Span]:
        call = current_call()
        if call is not None and call.unsampled:
            return _NOT_RECORDED
        parent = trace.get_current_span().get_span_context()
        if parent.is_valid:
            if not parent.trace_flags.sampled:
                return _NOT_RECORDED
        elif self._random_float() >= self._ratio:
            # Background work that begins a trace of its own. What is inside must not decide again.
            return _not_recorded_root()
        return self._recorded(name, kind, attributes)

    def recording(self) -> bool:
        call = current_call()
        if call is not None and call.unsampled:
            return False
        parent = trace.get_current_span().get_span_context()
        return not parent.is_valid or parent.trace_flags.sampled

    @contextmanager
    def _recorded(self, name: str, kind: SpanKind, attributes: Mapping[str, AttributeValue] | None) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            name, kind=_KINDS[kind], attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            recorded = _RecordedSpan(span)
            try:
                yield recorded
            except BaseException as error:
                # The type alone: texts may quote what must not leave the process.
                recorded.fail(type(error).__name__)
                raise

    def headers(self) -> Mapping[str, str]:
        return _headers()


class _RecordedSpan:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set_attribute(self, name: str, value: AttributeValue) -> None:
        self._span.set_attribute(name, value)

    def fail(self, error_type: str, description: str = "") -> None:
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(Status(StatusCode.ERROR, description or None))


@contextmanager
def _not_recorded_root() -> Iterator[Span]:
    context = trace.SpanContext(random.getrandbits(128) | 1, random.getrandbits(64) | 1, is_remote=False)
    unrecorded = trace.use_span(NonRecordingSpan(context), record_exception=False, set_status_on_exception=False)
    with unrecorded, _NOT_RECORDED as span:
        yield span


def _headers() -> Mapping[str, str]:
    call = current_call()
    if call is not None and call.unsampled:
        # Its trace has no context to be found in: most such calls never need one.
        return {"traceparent": f"00-{call.trace_id}-{random.getrandbits(64) | 1:016x}-00"}
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier
