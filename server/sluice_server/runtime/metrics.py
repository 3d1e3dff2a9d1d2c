"""The Prometheus metrics of the process, served on a loopback HTTP port of their own."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from sluice_server.runtime.http_port import HttpPort


def new_registry() -> CollectorRegistry:
    """A registry with the process's own figures; it is made once and passed on. There are no module-level metrics."""
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class MetricsEndpoint:
    """``GET /metrics`` on HOST:PORT. ``port`` tells which one it got."""

    def __init__(self, registry: CollectorRegistry, listen: str) -> None:
        self._registry = registry
        self._http = HttpPort(listen, "SLUICE_METRICS_LISTEN")

    @property
    def port(self) -> int:
        return self._http.port

    async def start(self) -> None:
        """Listens. Raises SettingsError where the address is taken."""
        application = web.Application()
        application.router.add_get("/metrics", self._metrics)
        await self._http.open(web.AppRunner(application, access_log=None))

    async def stop(self) -> None:
        """Closes the port; open requests are cut."""
        await self._http.close()

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})
