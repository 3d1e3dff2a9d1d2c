"""Spans of served calls, after OpenTelemetry's RPC conventions."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import grpc
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.trace.status import Status, StatusCode

from sluice_server.api.context import ServerCall
from sluice_server.api.errors import CallFailed
from sluice_server.api.interceptors.pipeline import Proceed

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
_NOT_SAMPLED = TraceFlags(TraceFlags.DEFAULT)


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

    async def __call__(self, call: ServerCall, proceed: Proceed) -> Any:
        parent = self._parent(call)
        if parent is not None:
            call.trace_id = f"{parent.trace_id:032x}"
        infrastructure = call.method.startswith("grpc.")
        sampled = parent.trace_flags.sampled if parent else self._random_float() < self._ratio
        if self._tracer is None or infrastructure or not sampled:
            if parent is None and (self._tracer is None or infrastructure):
                return await proceed(call)
            # Carried on, so that everything downstream decides alike.
            carried = parent or _unsampled()
            call.trace_id = f"{carried.trace_id:032x}"
            otel_context.attach(trace.set_span_in_context(NonRecordingSpan(carried)))
            return await proceed(call)
        return await self._recorded(self._tracer, parent, call, proceed)

    async def _recorded(
        self, tracer: trace.Tracer, parent: SpanContext | None, call: ServerCall, proceed: Proceed
    ) -> Any:
        around = trace.set_span_in_context(NonRecordingSpan(parent)) if parent else otel_context.Context()
        span = tracer.start_span(
            call.method,
            context=around,
            kind=SpanKind.SERVER,
            attributes={"rpc.system.name": "grpc", "rpc.method": call.method},
        )
        call.trace_id = f"{span.get_span_context().trace_id:032x}"
        otel_context.attach(trace.set_span_in_context(span))
        code = grpc.StatusCode.OK
        try:
            return await proceed(call)
        except CallFailed as failed:
            code = failed.failure.code
            span.set_attribute("sluice.reason", failed.failure.reason)
            raise
        except grpc.aio.AbortError:
            code = ended_with(call)
            raise
        except BaseException:
            # Only a cancellation comes here: everything else has become a CallFailed.
            code = grpc.StatusCode.CANCELLED
            raise
        finally:
            span.set_attribute("rpc.response.status_code", code.name)
            span.set_attribute("sluice.request_id", call.request_id)
            if code in SERVER_ERRORS:
                span.set_attribute("error.type", code.name)
                span.set_status(Status(StatusCode.ERROR))
            span.end()

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


def _unsampled() -> SpanContext:
    # Never zero, which W3C calls invalid.
    return SpanContext(
        random.getrandbits(128) | 1, random.getrandbits(64) | 1, is_remote=False, trace_flags=_NOT_SAMPLED
    )


def ended_with(call: ServerCall) -> grpc.StatusCode:
    """The status that a handler gave by its context's ``abort`` or ``set_code``."""
    given: Any = call.grpc_context.code()
    number = given.value[0] if isinstance(given, grpc.StatusCode) else given
    return next((status for status in grpc.StatusCode if status.value[0] == number), grpc.StatusCode.UNKNOWN)
