"""A server with everything around the calls, and calls whose behaviour a test sets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sluice.insurer.v1 import insurer_control_pb2, insurer_control_pb2_grpc
from sluice.routing.v1 import routing_pb2, routing_pb2_grpc
from sluice_server.api.context import current_context
from sluice_server.domain.context import CallContext
from sluice_server.runtime.lifecycle import Application, Platform, Server, Service
from sluice_server.runtime.settings import Settings, load_settings
from sluice_server.runtime.workers import Worker

ROUTING = "sluice.routing.v1.Routing"
INSURER_CONTROL = "sluice.insurer.v1.InsurerControl"

_RoutingServicer: Any = routing_pb2_grpc.RoutingServicer
_InsurerControlServicer: Any = insurer_control_pb2_grpc.InsurerControlServicer


async def nothing() -> None:
    """The behaviour of a call that just succeeds."""


@dataclass
class Probe:
    """What the calls do, and what they saw."""

    behavior: Callable[[], Awaitable[None]] = nothing
    """Runs within every call, before its (next) answer."""
    seen: list[CallContext] = field(default_factory=list)
    platform: Platform | None = None
    closed: bool = False

    async def step(self) -> None:
        self.seen.append(current_context())
        await self.behavior()


class ProbeRouting(_RoutingServicer):  # type: ignore[misc]
    """GetOrder (one to one), SimulatePlan (one to many), RouteStream (many to many)."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    async def GetOrder(self, request: Any, context: Any) -> Any:
        await self._probe.step()
        return routing_pb2.GetOrderResponse()

    async def SimulatePlan(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield routing_pb2.SimulatePlanResponse(replayed=1)
        await self._probe.step()
        yield routing_pb2.SimulatePlanResponse(replayed=2)

    async def RouteStream(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            await self._probe.step()
            yield routing_pb2.RouteStreamResponse(chunk_id=request.chunk_id)


class ProbeInsurers(_InsurerControlServicer):  # type: ignore[misc]
    """CutTraffic (a control call) and WatchInsurers (a subscription)."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    async def CutTraffic(self, request: Any, context: Any) -> Any:
        await self._probe.step()
        return insurer_control_pb2.CutTrafficResponse()

    async def WatchInsurers(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield insurer_control_pb2.WatchInsurersResponse(initial=True)
        await self._probe.step()


def probe_settings(**overrides: Any) -> Settings:
    """Settings for a server on free loopback ports."""
    return load_settings(
        environ={}, **{"listen": "127.0.0.1:0", "metrics_listen": "off", "drain_seconds": 5.0, **overrides}
    )


@asynccontextmanager
async def serving(probe: Probe, *, workers: Sequence[Worker] = (), **overrides: Any) -> AsyncIterator[Server]:
    """The probe's server, stopped at the end."""

    async def close() -> None:
        probe.closed = True

    async def build(platform: Platform) -> Application:
        probe.platform = platform
        routing, insurers = ProbeRouting(probe), ProbeInsurers(probe)
        return Application(
            services=[
                Service(ROUTING, lambda server: routing_pb2_grpc.add_RoutingServicer_to_server(routing, server)),
                Service(
                    INSURER_CONTROL,
                    lambda server: insurer_control_pb2_grpc.add_InsurerControlServicer_to_server(insurers, server),
                ),
            ],
            workers=workers,
            close=close,
        )

    server = Server(build, probe_settings(**overrides))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
