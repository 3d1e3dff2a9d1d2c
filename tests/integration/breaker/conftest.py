"""A world with three insurers on each kind of store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.breaker.insurers import A, B, C
from tests.integration.breaker.world import BreakerWorld, a_breaker_world


@pytest.fixture
async def world(store_url: str) -> AsyncIterator[BreakerWorld]:
    async with a_breaker_world(store_url) as made:
        await made.know(A, B, C)
        yield made
