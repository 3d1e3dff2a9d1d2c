"""The workers that finish orders: reconciliation and the drain of parked ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import structlog

from sluice_server.domain.errors import SluiceError, Unavailable
from sluice_server.domain.orders.drain import DrainParked
from sluice_server.domain.orders.reconcile import ReconcileOrder

LONGEST_PAUSE_SECONDS = 30.0
T = TypeVar("T")


async def paused(stopping: asyncio.Event, seconds: float) -> None:
    """Waits, but not longer than until the server stops."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return


class Rounds:
    """Repeats a round of work until the server stops.

    A round says whether there is more to do at once. When the store does not answer, the next round waits, longer each
    time; what else goes wrong leaves ``run``: it is logged with its traceback, counted, and the worker begins again.
    """

    def __init__(self, name: str, round_: Callable[[], Awaitable[bool]], *, idle_seconds: float) -> None:
        self._log = structlog.get_logger("sluice.worker")
        self._name = name
        self._round = round_
        self._idle_seconds = idle_seconds

    async def run(self, stopping: asyncio.Event) -> None:
        """Returns after the round that is under way when ``stopping`` is set."""
        wait = self._idle_seconds
        while not stopping.is_set():
            try:
                more = await self._round()
            except Unavailable as error:
                self._log.warning("store unavailable", worker=self._name, error=error.message, wait_seconds=wait)
                await paused(stopping, wait)
                wait = min(wait * 2, LONGEST_PAUSE_SECONDS)
                continue
            wait = self._idle_seconds
            if not more:
                await paused(stopping, self._idle_seconds)


async def each(work: Callable[[T], Awaitable[object]], items: Iterable[T], *, concurrency: int, worker: str) -> None:
    """Does the work on all items, at most ``concurrency`` at once, whatever happens to one of them.

    An order that cannot go on (InsurerNotConfigured and the like) is logged: it comes back after its back-off. Raises
    Unavailable, or the defects of all items as a group, when all are done.
    """
    log = structlog.get_logger("sluice.worker")
    limit = asyncio.Semaphore(concurrency)
    unavailable: list[Unavailable] = []
    defects: list[Exception] = []

    async def one(item: T) -> None:
        async with limit:
            try:
                await work(item)
            except Unavailable as error:
                unavailable.append(error)
            except SluiceError as error:
                log.warning("order cannot go on", worker=worker, reason=error.reason, error=error.message)
            except Exception as error:  # noqa: BLE001 - raised below, after the others have had their turn
                defects.append(error)

    await asyncio.gather(*(one(item) for item in items))
    if defects:
        raise ExceptionGroup(f"{worker} met defects", defects)
    if unavailable:
        raise unavailable[0]


class ReconciliationWorker:
    """Takes up the orders that are due (``domain.orders.reconcile`` says what then happens to them).

    ``concurrency``: orders at once; ``idle_seconds``: how often it looks while nothing is due.
    """

    name = "reconciliation"

    def __init__(self, reconcile: ReconcileOrder, *, concurrency: int = 16, idle_seconds: float = 0.5) -> None:
        self._reconcile = reconcile
        self._concurrency = concurrency
        self._rounds = Rounds(self.name, self.round, idle_seconds=idle_seconds)

    async def run(self, stopping: asyncio.Event) -> None:
        await self._rounds.run(stopping)

    async def round(self) -> bool:
        """One batch; whether it was full."""
        limit = 4 * self._concurrency
        due = await self._reconcile.due(limit)
        await each(self._reconcile, due, concurrency=self._concurrency, worker=self.name)
        return len(due) == limit


class ParkedDrainWorker:
    """Decides parked orders again and submits those that have an insurer now.

    ``batch``: orders decided in one pass; ``concurrency``: submissions at once.
    """

    name = "parked-drain"

    def __init__(
        self, drain: DrainParked, *, batch: int = 100, concurrency: int = 16, idle_seconds: float = 0.5
    ) -> None:
        self._drain = drain
        self._batch = batch
        self._concurrency = concurrency
        self._rounds = Rounds(self.name, self.round, idle_seconds=idle_seconds)

    async def run(self, stopping: asyncio.Event) -> None:
        await self._rounds.run(stopping)

    async def round(self) -> bool:
        """One batch; whether it was full."""
        step = await self._drain(self._batch)
        await each(self._drain.submit, step.routed, concurrency=self._concurrency, worker=self.name)
        return step.seen == self._batch
