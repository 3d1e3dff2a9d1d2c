"""A real OTLP/HTTP receiver that keeps the spans it gets."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Receiver:
    """``url`` is the endpoint to configure; ``spans`` what has arrived."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    def named(self, name: str) -> Span:
        """The one span of this name."""
        (span,) = [span for span in self.spans if span.name == name]
        return span

    async def wait_for(self, *names: str, seconds: float = 15.0) -> None:
        """Waits until spans of all these names have arrived."""
        async with self._arrived, asyncio.timeout(seconds):
            await self._arrived.wait_for(lambda: set(names) <= {span.name for span in self.spans})

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        async with self._arrived:
            for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resources.append({a.key: a.value.string_value for a in resource_spans.resource.attributes})
                for scope_spans in resource_spans.scope_spans:
                    self.spans.extend(scope_spans.spans)
            self._arrived.notify_all()
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
        )


@asynccontextmanager
async def otlp_receiver() -> AsyncIterator[Receiver]:
    """Receives on a free loopback port."""
    receiver = Receiver()
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_post("/v1/traces", receiver.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def attributes(span: Span) -> dict[str, Any]:
    """The span's attributes as plain values."""
    return {a.key: getattr(a.value, str(a.value.WhichOneof("value"))) for a in span.attributes}
