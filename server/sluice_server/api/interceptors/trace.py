"""Spans of served calls, after OpenTelemetry's RPC conventions."""

from __future__ import annotations

import random
from collections.abc import Callable

import grpc
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.trace.status import Status, StatusCode

from sluice_server.api.context import ServerCall
from sluice_server.api.interceptors.pipeline import Hooks, Method

# Of a server's span: a caller's mistake is no error of the server.
SERVER_ERRORS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_PROPAGATOR = TraceContextTextMapPropagator()


class Trace:
    """Continues the caller's trace (W3C traceparent) or begins one.

    Whether a call is recorded is decided before a span exists: as the caller decided, else by ``sample_ratio``. A span
    that is dropped later costs as much as one that is kept.

    ``tracer`` is None when tracing is off: a caller's trace context is then still handed on and shown in the logs.
    """

    def __init__(
        self, tracer: trace.Tracer | None, sample_ratio: float, *, random_float: Callable[[], float] = random.random
    ) -> None:
        self._tracer = tracer
        self._ratio = sample_ratio
        self._random_float = random_float

    def around(self, method: Method) -> Hooks:
        tracer = None if method.access is None else self._tracer
        random_float, ratio = self._random_float, self._ratio

        def enter(call: ServerCall) -> None:
            parent = self._parent(call) if "traceparent" in call.metadata else None
            if parent is None:
                if tracer is None:
                    return
                if random_float() >= ratio:
                    # Carried on by this mark, so that everything downstream decides alike.
                    call.unsampled = True
                    return
            elif tracer is None or not parent.trace_flags.sampled:
                call.trace_id = f"{parent.trace_id:032x}"
                otel_context.attach(trace.set_span_in_context(NonRecordingSpan(parent)))
                return
            _begin(tracer, parent, call)

        return Hooks(enter=enter, leave=None if tracer is None else _end)

    @staticmethod
    def _parent(call: ServerCall) -> SpanContext | None:
        header = call.metadata.get("traceparent")
        if not isinstance(header, str):
            return None
        carrier = {"traceparent": header}
        state = call.metadata.get("tracestate")
        if isinstance(state, str):
            carrier["tracestate"] = state
        found = trace.get_current_span(_PROPAGATOR.extract(carrier, otel_context.Context())).get_span_context()
        return found if found.is_valid else None


def _begin(tracer: trace.Tracer, parent: SpanContext | None, call: ServerCall) -> None:
    around = trace.set_span_in_context(NonRecordingSpan(parent)) if parent else otel_context.Context()
    span = call.span = tracer.start_span(
        call.method,
        context=around,
        kind=SpanKind.SERVER,
        attributes={"rpc.system.name": "grpc", "rpc.method": call.method},
    )
    call.trace_id = f"{span.get_span_context().trace_id:032x}"
    otel_context.attach(trace.set_span_in_context(span))


def _end(call: ServerCall) -> None:
    span = call.span
    if span is None:
        return
    if call.reason:
        span.set_attribute("sluice.reason", call.reason)
    span.set_attribute("rpc.response.status_code", call.code.name)
    span.set_attribute("sluice.request_id", call.request_id)
    if call.code in SERVER_ERRORS:
        span.set_attribute("error.type", call.code.name)
        span.set_status(Status(StatusCode.ERROR))
    span.end()
