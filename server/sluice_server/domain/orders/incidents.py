"""The open incidents that failing orders join, read once for all that fail at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import Any

from sluice_server.domain.orders.failures import joining, open_incident
from sluice_server.domain.orders.model import Order
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.unit_of_work import Store


class OpenIncidents:
    """Looks up the incident of an order that has become ABNORMAL, outside of the commit that records it.

    Whoever asks while a question about the same insurer and product line is under way gets the answer to the next one.
    An order that misses a trip by this is found later: by the reconciliation, or by the retries of the recovery.
    """

    def __init__(self, store: Store, timing: OrderTiming) -> None:
        self._store = store
        self._timing = timing
        self._asking: dict[tuple[str, str], asyncio.Task[str]] = {}
        self._next: dict[tuple[str, str], asyncio.Task[str]] = {}

    async def joined(self, order: Order, now: datetime) -> Order:
        """The order with its incident and the time of its next attempt; without either when a team submits it. Raises
        Unavailable."""
        if not order.submit_requested:
            return order
        return joining(order, await self._incident_of(order), timing=self._timing, now=now)

    async def _incident_of(self, order: Order) -> str:
        key = (order.decision.insurer_id, order.application.product_line)
        asking = self._asking.get(key)
        if asking is None:
            task = self._asking[key] = self._begun(self._ask(key, order, after=None))
        else:
            # The answer under way may be older than this failure.
            task = self._next.get(key) or self._begun(self._ask(key, order, after=asking))
            self._next[key] = task
        return await asyncio.shield(task)

    @staticmethod
    def _begun(question: Coroutine[Any, Any, str]) -> asyncio.Task[str]:
        task = asyncio.create_task(question)
        # Those who wait hear of a failure; if all of them were cancelled, nobody needs to.
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return task

    async def _ask(self, key: tuple[str, str], order: Order, after: asyncio.Task[str] | None) -> str:
        me = asyncio.current_task()
        assert me is not None, "runs as a task"
        if after is not None:
            await asyncio.wait({after})
            self._next.pop(key, None)
            self._asking[key] = me
        try:
            async with self._store.read() as uow:
                return await open_incident(uow, order)
        finally:
            if self._asking.get(key) is me:
                del self._asking[key]
