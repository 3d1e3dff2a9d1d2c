"""The health of a server that lives but is not fit to answer: load balancers are to pass it by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from grpc_health.v1 import health_pb2

from sluice_server.runtime.health import Health

LOOK_SECONDS = 0.25


class Readiness:
    """As a worker: keeps the health of the services in step with whether the application is ready."""

    name = "readiness"

    def __init__(self, health: Health, services: Sequence[str], not_ready_because: Callable[[], str]) -> None:
        """``services``: names whose health follows; "" is the server as a whole."""
        self._health = health
        self._services = services
        self._not_ready_because = not_ready_because
        self._ready = True
        self._log = structlog.get_logger("sluice.readiness")

    async def run(self, stopping: asyncio.Event) -> None:
        """Looks until ``stopping`` is set. The health of a stopping server stays NOT_SERVING whatever this says."""
        while not stopping.is_set():
            await self.look()
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)

    async def look(self) -> None:
        """Sets the health anew if the readiness has changed."""
        because = self._not_ready_because()
        if self._ready is not bool(because):
            return
        self._ready = not because
        status = health_pb2.HealthCheckResponse
        for name in self._services:
            await self._health.set(name, status.SERVING if self._ready else status.NOT_SERVING)
        if because:
            self._log.error("not serving", because=because)
        else:
            self._log.warning("serving again")
