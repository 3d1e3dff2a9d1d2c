"""The ratings that plans read, over a risk store of each kind that the Flink loader has filled."""

from __future__ import annotations

from typing import Any

from sluice_server.domain.risk.facts import RiskFactsBoard
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.use_cases import build_risk_use_cases
from sluice_server.domain.routing.ports import RiskNeed
from sluice_server.store.risk import RiskStoreReader
from tests.integration.risk.published import publish
from tests.unit.risk.portfolio import MONTHS, channel_row

NEEDS: frozenset[RiskNeed] = frozenset({("rating", "channel"), ("score", "channel")})


def channels(bad: str, *, months: int = 3) -> dict[str, Any]:
    """Six channels over some months; one has nine times the claims."""
    claims = {f"CH{n}": 300 if f"CH{n}" == bad else 33 for n in range(6)}
    return {
        "channel_month": [
            channel_row(name, month, earned_premium_minor=3_000_000, claims=n, incurred_minor=n * 30_000)
            for name, n in claims.items()
            for month in MONTHS[:months]
        ]
    }


async def test_each_published_version_is_taken_over_whole(reader: RiskStoreReader, store_url: str) -> None:
    risk = build_risk_use_cases(shipped_model(), reader)
    facts = RiskFactsBoard(shipped_model(), reader, risk.list_ratings, risk.get_risk_score, patience_seconds=60)
    await facts.need(NEEDS)
    assert (facts.snapshot().data_version, facts.snapshot().ratings) == (0, {})
    for bad in ("CH2", "CH4"):
        version = await publish(store_url, channels(bad))
        await facts.refresh()
        held = facts.snapshot()
        assert held.data_version == version
        assert [entity for (_, entity), grade in held.ratings.items() if grade == "E"] == [bad]
        assert max(held.scores, key=held.scores.__getitem__) == ("channel", bad)
        assert len(held.ratings) == len(held.scores) == 6
