"""The use cases of plans on each kind of store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.routing.world import PlanRoom, a_plan_room


@pytest.fixture
async def room(store_url: str) -> AsyncIterator[PlanRoom]:
    async with a_plan_room(store_url) as made:
        await made.know("insurer-a", "insurer-b")
        yield made


@pytest.fixture
async def replica(room: PlanRoom, store_url: str) -> AsyncIterator[PlanRoom]:
    """The same room in another process: it shares nothing with the first one but the store."""
    async with a_plan_room(store_url) as made:
        yield made
