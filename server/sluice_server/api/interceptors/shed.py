"""Refuses on purpose what would only wait."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter

from sluice_server.api.access import ACCESS
from sluice_server.api.context import ServerCall
from sluice_server.api.interceptors.pipeline import Proceed
from sluice_server.domain.errors import Exhausted

RETRY_AFTER_SECONDS = 0.5


class Shed:
    """Holds the calls in flight to ``max_in_flight``, and the open streams to ``max_streams``.

    Control calls, health and reflection are never shed: they are what gets a server out of an overload.
    """

    def __init__(self, max_in_flight: int, max_streams: int, registry: CollectorRegistry) -> None:
        self._room = {False: max_in_flight, True: max_streams}
        self._shed = Counter("sluice_rpc_shed", "Calls refused because too many were in flight.", registry=registry)

    async def __call__(self, call: ServerCall, proceed: Proceed) -> Any:
        access = ACCESS.get(call.method)
        if access is None or access.control:
            return await proceed(call)
        if not self._room[call.streaming]:
            self._shed.inc()
            raise Exhausted(
                "too many calls in flight; try again a little later", retry_after_seconds=RETRY_AFTER_SECONDS
            )
        self._room[call.streaming] -= 1
        try:
            return await proceed(call)
        finally:
            self._room[call.streaming] += 1
