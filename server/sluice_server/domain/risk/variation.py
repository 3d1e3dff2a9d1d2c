"""How much the amounts of single claims vary in a table, estimated once for each data version."""

from __future__ import annotations

from sluice_server.domain.risk.intervals import squared_variation
from sluice_server.domain.risk.ports import RiskReader
from sluice_server.domain.risk.semantic.semantic_model import IntervalRule, ResultTable
from sluice_server.domain.risk.version_cache import VersionCache


class AmountVariation:
    """Squared coefficients of variation of claim amounts; see `intervals.squared_variation`."""

    def __init__(self, reader: RiskReader) -> None:
        self._reader = reader
        self._cache: VersionCache[float] = VersionCache(64)

    async def of(self, table: ResultTable, rule: IntervalRule, data_version: int) -> float:
        """For the claims and amounts that ``rule`` names. Raises DataVersionNotFound, Unavailable."""
        count, amount, expected = rule.count, rule.amount, rule.expected
        if count is None or amount is None:
            return 0.0

        async def estimate() -> float:
            return squared_variation(await self._reader.amount_cells(table, count, amount, expected, data_version))

        return await self._cache.get(data_version, (table.name, count, amount, expected), estimate)
