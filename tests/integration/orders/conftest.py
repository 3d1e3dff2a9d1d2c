"""A world on each kind of store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.orders.world import World, a_world


@pytest.fixture
async def world(store_url: str) -> AsyncIterator[World]:
    async with a_world(store_url) as made:
        yield made
