"""Refuses on purpose what would only wait."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from sluice_server.api.context import ServerCall
from sluice_server.api.interceptors.pipeline import Hooks, Method
from sluice_server.domain.errors import Exhausted

RETRY_AFTER_SECONDS = 0.5


class Shed:
    """Holds the calls in flight to ``max_in_flight``, and the open streams to ``max_streams``.

    Control calls, health and reflection are never shed: they are what gets a server out of an overload.
    """

    def __init__(self, max_in_flight: int, max_streams: int, registry: CollectorRegistry) -> None:
        self._room = [max_in_flight, max_streams]
        self._shed = Counter("sluice_rpc_shed", "Calls refused because too many were in flight.", registry=registry)

    def around(self, method: Method) -> Hooks:
        if method.access is None or method.access.control:
            return Hooks()
        room, kind = self._room, int(method.streaming)

        def enter(call: ServerCall) -> None:
            if not room[kind]:
                self._shed.inc()
                raise Exhausted(
                    "too many calls in flight; try again a little later", retry_after_seconds=RETRY_AFTER_SECONDS
                )
            room[kind] -= 1

        def leave(call: ServerCall) -> None:
            room[kind] += 1

        return Hooks(enter=enter, leave=leave)
