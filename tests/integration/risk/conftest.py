"""A reader on each kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.store.risk import RiskStoreReader


@pytest.fixture
async def reader(store_url: str) -> AsyncIterator[RiskStoreReader]:
    """A reader of a store that nothing has been published to yet."""
    reader = RiskStoreReader(store_url, shipped_model(), poll_seconds=0.01)
    yield reader
    await reader.close()
