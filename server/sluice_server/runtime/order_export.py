"""Exports changed orders and their submissions for Flink, into files and, where configured, to Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from sluice_server.domain.context import Clock
from sluice_server.domain.orders.export import ExportedOrder
from sluice_server.domain.orders.ports import OrderPosition
from sluice_server.domain.unit_of_work import Store
from sluice_server.runtime.export_files import ExportCursor
from sluice_server.runtime.order_workers import Rounds

LONGEST_WINDOW = timedelta(minutes=35)
"""So long after the last order a streaming job has windows left to close."""


class ExportDestination(Protocol):
    """Where an export goes. Its calls wait; the worker makes them in a thread."""

    name: str
    """Of the worker that exports there."""

    def exclusive(self) -> AbstractContextManager[bool]:
        """Whether this process alone exports there, held until the block ends."""
        ...

    def cursor(self) -> ExportCursor:
        """How far it has come."""
        ...

    def write(self, cursor: ExportCursor, orders: Sequence[ExportedOrder], alive_at: datetime | None) -> ExportCursor:
        """Exports the orders, in their order, then a sign of life if there is to be one; then the cursor moves on.
        Raises Unavailable when the place does not answer."""
        ...

    def close(self) -> None:
        """Gives back what it holds."""
        ...


class OrderExportWorker:
    """Exports every order, with its submissions, each time that it has changed, final or not.

    At least once: a line may be told twice, and an order has a line for each state in which it was seen. The reader
    keeps, for each application_id or submission_id, the line with the greatest ``updated_at``. The destination keeps
    the cursor and moves it on when everything is there; a process that is killed before that exports the same again.

    An order that is being changed while it is read could be passed by, so only changes older than ``settle_seconds``
    are taken: longer than any write lasts from taking the time to its commit, and than clocks of replicas differ.
    When all of these are exported, a sign of life says so, and again every ``alive_seconds`` while streaming jobs may
    wait for it. One process exports into a directory (``_lock`` is held meanwhile); others wait until it ends.

    A batch is read in parts of ``part`` orders with pauses in between, ``leisure`` times as long as the reading: calls
    never wait for more than one part, and of a busy loop the export takes no more than its share. What it leaves behind
    then, it makes up for when the loop has time.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        destination: ExportDestination,
        *,
        batch: int = 5000,
        part: int = 500,
        leisure: float = 4.0,
        settle_seconds: float = 3.0,
        idle_seconds: float = 2.0,
        alive_seconds: float = 10.0,
    ) -> None:
        self.name = destination.name
        self._store = store
        self._clock = clock
        self._destination = destination
        self._batch = batch
        self._part = part
        self._leisure = leisure
        self._settle = timedelta(seconds=settle_seconds)
        self._idle_seconds = idle_seconds
        self._alive_every = timedelta(seconds=alive_seconds)
        self._alive_at: datetime | None = None
        """Of the last sign of life; an export that begins anew gives one at once."""
        self._log = structlog.get_logger("sluice.worker")

    async def run(self, stopping: asyncio.Event) -> None:
        try:
            await Rounds(self.name, self.round, idle_seconds=self._idle_seconds).run(stopping)
        finally:
            self._destination.close()

    async def round(self) -> bool:
        """Exports one batch; whether it was full. Nothing when another process exports to the same place."""
        with self._destination.exclusive() as alone:
            return alone and await self._export()

    async def _export(self) -> bool:
        cursor = await asyncio.to_thread(self._destination.cursor)
        until = self._clock.now() - self._settle
        orders: list[ExportedOrder] = []
        after = cursor.after
        while len(orders) < self._batch:
            began = time.perf_counter()
            limit = min(self._part, self._batch - len(orders))
            async with self._store.read() as uow:
                part = await uow.orders.exported(after=after, until=until, limit=limit)
            orders += part
            if len(part) < limit:
                break
            after = OrderPosition(part[-1].updated_at, part[-1].application_id)
            await asyncio.sleep(self._leisure * (time.perf_counter() - began))
        full = len(orders) == self._batch
        alive_at = until if not full and self._awaited(cursor, orders, until) else None
        if not orders and alive_at is None:
            return False
        # Not interrupted by a cancellation between the lines and the cursor: the thread runs to its end.
        await asyncio.to_thread(self._destination.write, cursor, orders, alive_at)
        self._alive_at = alive_at or self._alive_at
        self._log.debug("orders exported", worker=self.name, orders=len(orders))
        return full

    def _awaited(self, cursor: ExportCursor, orders: Sequence[ExportedOrder], until: datetime) -> bool:
        """Whether a streaming job may wait for a sign of life."""
        if orders:
            return True
        if cursor.after is None or until - cursor.after.at > LONGEST_WINDOW:
            return False
        return self._alive_at is None or until - self._alive_at >= self._alive_every
