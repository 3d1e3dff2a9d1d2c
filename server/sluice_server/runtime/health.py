"""gRPC health whose watchers hear of the stop before their call ends."""

from __future__ import annotations

from typing import Any

from grpc_health.v1._async import HealthServicer

from sluice_server.api.interceptors.pipeline import ServerStopping

_Servicer: Any = HealthServicer


class Health(_Servicer):  # type: ignore[misc]  # the library has no types
    """The library's servicer, except that a Watch ends by itself once it has told the last state: load balancers are
    to take this server out, not to find a call broken."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = False

    async def enter_graceful_shutdown(self) -> None:
        """Everything is NOT_SERVING from now on."""
        self.stopping = True
        await super().enter_graceful_shutdown()

    async def Watch(self, request: Any, context: Any) -> None:
        """As the health protocol says; ends with UNAVAILABLE after the NOT_SERVING of a stop."""
        await super().Watch(request, _LastWord(self, context))


class _LastWord:
    """The call's context, which ends the call when the last state is written."""

    def __init__(self, health: Health, context: Any) -> None:
        self._health = health
        self._context = context

    async def write(self, answer: Any) -> None:
        await self._context.write(answer)
        if self._health.stopping:
            raise ServerStopping

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)
