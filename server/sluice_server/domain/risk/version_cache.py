"""What was computed from a data version, kept while it is used. Data versions never change, so nothing goes stale."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class VersionCache(Generic[V]):
    """Keeps the results used last, as many as weigh no more than ``capacity`` together. A result that several callers
    want at once is computed once."""

    def __init__(self, capacity: int, weigh: Callable[[V], int] = lambda _: 1) -> None:
        """``weigh``: the weight of a result, such as its bytes; by default results are counted."""
        self._capacity = capacity
        self._weigh = weigh
        self._weight = 0
        self._kept: OrderedDict[Hashable, V] = OrderedDict()
        self._running: dict[Hashable, asyncio.Task[V]] = {}

    def peek(self, data_version: int, key: Hashable) -> V | None:
        """What is kept, without computing."""
        full = (data_version, key)
        if full in self._kept:
            self._kept.move_to_end(full)
        return self._kept.get(full)

    def keep(self, data_version: int, key: Hashable, value: V) -> None:
        """Keeps a result; those not used for longest are dropped when all weigh too much. One that is too heavy by
        itself is not kept."""
        full = (data_version, key)
        if full in self._kept:
            self._weight -= self._weigh(self._kept.pop(full))
        weight = self._weigh(value)
        if weight > self._capacity:
            return
        self._kept[full] = value
        self._weight += weight
        while self._weight > self._capacity:
            _, dropped = self._kept.popitem(last=False)
            self._weight -= self._weigh(dropped)

    async def get(self, data_version: int, key: Hashable, compute: Callable[[], Awaitable[V]]) -> V:
        """What is kept, or what ``compute`` returns. A caller that gives up does not stop it for the others."""
        found = self.peek(data_version, key)
        if found is not None:
            return found
        full = (data_version, key)
        task = self._running.get(full)
        if task is None:
            task = asyncio.ensure_future(self._compute(data_version, key, compute))
            self._running[full] = task
            task.add_done_callback(lambda done: self._finish(full, done))
        return await asyncio.shield(task)

    async def _compute(self, data_version: int, key: Hashable, compute: Callable[[], Awaitable[V]]) -> V:
        value = await compute()
        self.keep(data_version, key, value)
        return value

    def _finish(self, full: Hashable, task: asyncio.Task[V]) -> None:
        self._running.pop(full, None)
        if not task.cancelled():
            task.exception()  # Every waiting caller gets it; marks it as seen when all of them have gone.
