"""The conformance suite: what every database behind the store must do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sluice_server.store import SqlStore, open_store


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[SqlStore]:
    """A fresh store, once on each database."""
    async with open_store(store_url) as opened:
        yield opened


@pytest.fixture
async def replica(store: SqlStore, store_url: str) -> AsyncIterator[SqlStore]:
    """A second store on the same database: another process of the same house."""
    async with open_store(store_url) as opened:
        yield opened
