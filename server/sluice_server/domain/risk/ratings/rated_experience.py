"""What the entities of a kind are rated by: their sums, and how much of their claims can be known yet."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

import numpy as np

from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.experience import key_dimension, read_sums
from sluice_server.domain.risk.ports import Number, RiskReader
from sluice_server.domain.risk.ratings.grades import Experience, RatingBasis
from sluice_server.domain.risk.ratings.late_claims import MonthDevelopment, read_development
from sluice_server.domain.risk.ratings.portfolio_mix import MIX_COLUMNS, MIX_TABLE
from sluice_server.domain.risk.ratings.repair_costs import REPAIR_SHOP
from sluice_server.domain.risk.result_rows import month_number
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel
from sluice_server.domain.risk.variation import AmountVariation
from sluice_server.domain.risk.version_cache import VersionCache

_MEASURES = ("claims", "incurred", "earned_premium", "exposure_years")
CUSTOMER_SEGMENT = "customer_segment"
"""Customers by where and what they bought: ``tier/region/category``, such as ``T1/north/phone``."""
SEGMENT_COLUMNS = ("tier", "region", "category")


def rated_kinds(model: SemanticModel) -> tuple[str, ...]:
    """The kinds of entities that are rated."""
    return (*model.rated, CUSTOMER_SEGMENT)


def listed_kinds(model: SemanticModel) -> tuple[str, ...]:
    """The kinds of entities that ListRatings rates: those, and repair shops by what a claim costs there."""
    return (*rated_kinds(model), REPAIR_SHOP)


def scored_kinds(model: SemanticModel) -> tuple[str, ...]:
    """The kinds of entities that have a score: those rated or screened."""
    return (*model.scored, CUSTOMER_SEGMENT)


class RatedExperience:
    """Reads the experience of all entities of a kind in a data version."""

    def __init__(self, model: SemanticModel, reader: RiskReader, variation: AmountVariation) -> None:
        self._model = model
        self._reader = reader
        self._variation = variation
        self._developments: VersionCache[MonthDevelopment | None] = VersionCache(8)

    async def of(self, entity: str, basis: RatingBasis, stamp: DataStamp) -> tuple[list[Experience], float]:
        """The experience, and the squared coefficient of variation of one claim's amount (0 where it is not needed).

        Raises DataVersionNotFound, Unavailable.
        """
        if entity == CUSTOMER_SEGMENT:
            return await self._segments(stamp), await self._amounts("channel", basis, stamp)
        key = key_dimension(self._model, entity).name
        sums = await read_sums(self._model, self._reader, [key, "month"], _MEASURES, stamp.data_version)
        development = await self._development(stamp.data_version)
        months: dict[str, list[tuple[str, dict[str, Number]]]] = defaultdict(list)
        for group in sums.groups:
            months[group.keys[key]].append((group.keys["month"], dict(group.sums)))
        found = [_experience(name, rows, basis, development) for name, rows in months.items()]
        rule = self._model.metrics["loss_ratio"].interval
        variation = 0.0
        if basis is RatingBasis.LOSS_RATIO and rule is not None:
            variation = await self._variation.of(sums.table, rule, stamp.data_version)
        return found, variation

    async def _amounts(self, kind: str, basis: RatingBasis, stamp: DataStamp) -> float:
        rule = self._model.metrics["loss_ratio"].interval
        if basis is not RatingBasis.LOSS_RATIO or rule is None:
            return 0.0
        return await self._variation.of(self._model.tables[f"{kind}_month"], rule, stamp.data_version)

    async def _development(self, data_version: int) -> MonthDevelopment | None:
        return await self._developments.get(
            data_version, "development", lambda: read_development(self._reader, data_version)
        )

    async def _segments(self, stamp: DataStamp) -> list[Experience]:
        """Sums of the mix table by segment; its rows have no months, so that late claims are not developed."""
        rows = await self._reader.rows(MIX_TABLE, MIX_COLUMNS, stamp.data_version)
        if rows is None:
            return []
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0, 0, 0])
        names = [*SEGMENT_COLUMNS, "exposure_years", "claims", "incurred_minor", "earned_premium_minor"]
        for *segment, years, claims, incurred, premium in zip(*(rows.columns[name] for name in names), strict=True):
            total = sums["/".join(str(part) for part in segment)]
            for i, value in enumerate((years, claims, incurred, premium)):
                total[i] += value
        return [Experience(name, one[0], int(one[1]), int(one[2]), int(one[3])) for name, one in sums.items()]


def _experience(
    name: str, rows: list[tuple[str, dict[str, Number]]], basis: RatingBasis, development: MonthDevelopment | None
) -> Experience:
    total = {measure: sum(sums[measure] for _, sums in rows) for measure in _MEASURES}
    share = 1.0
    if development is not None:
        weight = "exposure_years" if basis is RatingBasis.CLAIM_FREQUENCY else "earned_premium"
        weights = np.maximum(np.array([float(sums[weight]) for _, sums in rows]), 0.0)
        if weights.sum() > 0:
            months = np.array([month_number(date.fromisoformat(month)) for month, _ in rows], dtype=np.int64)
            share = float(np.average(development.reported_share(months), weights=weights))
    return Experience(
        entity_id=name,
        exposure_years=float(total["exposure_years"]),
        claims=int(total["claims"]),
        incurred=int(total["incurred"]),
        earned_premium=int(total["earned_premium"]),
        reported_share=share,
    )
