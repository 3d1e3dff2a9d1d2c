"""Calls of Route that wait for the same commit, read, decided and answered as one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from sluice.routing.v1 import routing_pb2
from sluice_server.api.routing import answers
from sluice_server.api.routing import applications as incoming
from sluice_server.api.routing.limits import RequestLimits
from sluice_server.domain.orders.decide import DECISIONS_AT_A_TIME
from sluice_server.domain.orders.route import RouteApplication
from sluice_server.domain.routing.model import Application

MOST = DECISIONS_AT_A_TIME
"""Calls of one turn. The rest waits for the next, which may follow at once."""
_Waiting = tuple[routing_pb2.RouteRequest, asyncio.Future[bytes]]


class Cohort:
    """Gathers calls until the decision log's next turn and routes them with ``RouteApplication.many``.

    A call by itself, between others' work on sockets, takes several times as long as one among many of its kind: it
    finds neither its code nor its data in the processor's caches, and whatever a batch shares it has to look up alone.
    """

    def __init__(self, route: RouteApplication, limits: RequestLimits) -> None:
        self._route = route
        self._limits = limits
        self._waiting: list[_Waiting] = []
        self._running: set[asyncio.Task[None]] = set()
        self._next: asyncio.Task[None] | None = None
        """The one that will take who waits."""

    def answer(self, request: routing_pb2.RouteRequest) -> Awaitable[bytes]:
        """The call's RouteResponse, serialized; the call has no span. Raises InvalidInput, and what
        ``RouteApplication`` raises."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            self._begin()
        self._waiting.append((request, future))
        return future

    def _begin(self) -> None:
        # In the context of its first call, which is not recorded: so what it does for all is not either.
        task = self._next = asyncio.create_task(self._run(), name="route-cohort")
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def _run(self) -> None:
        """Tells every call what became of it, whatever happens."""
        await self._route.turn()
        calls = self._taken()
        try:
            await self._answer(calls)
        except Exception as error:  # noqa: BLE001 - each call raises it, and is logged with it where it is translated
            _fail(calls, error)
        except BaseException as error:
            _fail(calls, error)
            raise

    def _taken(self) -> list[_Waiting]:
        calls, self._waiting, self._next = self._waiting[:MOST], self._waiting[MOST:], None
        if self._waiting:
            self._begin()
        return calls

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if task is self._next:
            # It has not come to its turn: it was cancelled with the loop, perhaps before it began.
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            assert error is not None, "who comes to its turn takes its calls"
            _fail(self._taken(), error)

    async def _answer(self, calls: list[_Waiting]) -> None:
        limits = self._limits
        applications: list[Application] = []
        futures: list[asyncio.Future[bytes]] = []
        for request, future in calls:
            if future.done():
                continue  # its caller has hung up
            try:
                applications.append(incoming.application_of(request, limits))
                futures.append(future)
            except Exception as error:  # noqa: BLE001 - one bad application fails alone, whatever is wrong with it
                future.set_exception(error)
        routed = await self._route.many(applications)
        ready = [each if isinstance(each, Exception) else answers.route_answer(each) for each in routed]
        for future, answer in zip(futures, ready, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)


def _fail(calls: Sequence[_Waiting], error: BaseException) -> None:
    for _, future in calls:
        if future.done():
            continue
        if isinstance(error, asyncio.CancelledError):
            future.cancel()
        else:
            future.set_exception(error)
