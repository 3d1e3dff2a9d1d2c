"""Traces of a run, one span a stage, sent over OTLP/HTTP. Off unless an endpoint is set; then no SDK is loaded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode

_EXPORT_TIMEOUT_SECONDS = 5.0


@contextmanager
def tracer(endpoint: str | None) -> Iterator[trace.Tracer]:
    """A tracer for the time of the block. `endpoint` is the collector's base URL (`http://127.0.0.1:4318`).

    At the end the spans are sent, for a few seconds at most: a dead collector holds no run up.
    """
    if endpoint is None:
        yield trace.NoOpTracer()
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    version = metadata.version("sluice")
    resource = Resource.create({"service.name": "sluice-flink", "service.version": version})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_TIMEOUT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield provider.get_tracer("sluice_flink", version)
    finally:
        sending = threading.Thread(target=provider.shutdown, daemon=True)
        sending.start()
        sending.join(2 * _EXPORT_TIMEOUT_SECONDS)


@contextmanager
def span(using: trace.Tracer, name: str) -> Iterator[trace.Span]:
    """A span that becomes an error when the block raises. Of the error the type alone: texts may quote what must not
    leave the process."""
    with using.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(Status(StatusCode.ERROR))
            raise
