"""A short campaign with a fixed seed: what ``make chaos`` does at length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.campaign import Campaign, run
from tests.support.postgres import Postgres, running_postgres


@pytest.fixture
def database() -> Iterator[Postgres]:
    """One of its own: it is crashed."""
    with running_postgres() as server:
        yield server


@pytest.mark.chaos
async def test_nothing_is_lost_and_nobody_is_insured_twice_whatever_is_killed(
    database: Postgres, tmp_path: Path
) -> None:
    campaign = Campaign(seed=7, kills=5, orders=300, recovery_seconds=120)
    result = await run(campaign, database, tmp_path)
    assert result.clean, result
    assert result.kills == campaign.kills
    assert result.sent > campaign.orders, "some were routed in batches"
    # There was trouble, and the callers felt it.
    assert result.troubles["database crash"] == 1
    assert result.troubles["kill server"] > 0
    assert result.callers_saw.total() > 0
    figures = result.figures()
    for defect in ("missing", "doubly_insured", "not_final", "disagreements", "misdealt"):
        assert figures[defect] == 0
    # Those who give up at the first error were not all answered.
    assert campaign.orders / 2 < figures["acknowledged"] <= result.sent
