"""The worker that keeps the active plan in step, while the store comes and goes."""

from __future__ import annotations

import asyncio

from sluice_server.domain.errors import Unavailable
from sluice_server.domain.routing.active import ActivePlan, PlanRefresh


class StoreAwayTwice(ActivePlan):
    """Its store does not answer at first; ``stopping`` is set once it has."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self.looks = 0
        self._stopping = stopping

    async def refresh(self) -> bool:
        self.looks += 1
        if self.looks <= 2:
            raise Unavailable("the store is not available: the connection was lost")
        self._stopping.set()
        return True


async def test_a_store_that_does_not_answer_does_not_end_the_worker() -> None:
    stopping = asyncio.Event()
    plan = StoreAwayTwice(stopping)
    await asyncio.wait_for(PlanRefresh(plan, every_seconds=0.001).run(stopping), 20)
    assert plan.looks == 3
