"""Models fitted on made rating cells and validated on later ones, of which some have drifted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from sluice_server.domain.risk.models.factors import parse_factor
from sluice_server.domain.risk.models.fit_model import ModelDefinition, fit_model
from sluice_server.domain.risk.models.portfolio_table import PortfolioTable, read_portfolio
from sluice_server.domain.risk.pricing.drift import newest_years, validate_on
from sluice_server.domain.risk.pricing.from_fit import model_content
from sluice_server.domain.risk.pricing.model_version import ModelState, ModelVersion
from tests.unit.risk.fake_reader import FakeRiskReader
from tests.unit.risk.models.rating_cells import published_cells

FACTORS = ("category", "region")


def runs(seeds: Sequence[int]) -> tuple[int, int]:
    """How many drifts of as many were found, and how many of those without one."""
    found = false = 0
    for seed in seeds:
        model = _fitted(_portfolio(seed, 1.0))
        drifted, same = (_portfolio(1_000 + seed, drift) for drift in (1.5, 1.0))
        found += not validate_on(newest_years(drifted, model.content.tariff), model).passed
        false += not validate_on(newest_years(same, model.content.tariff), model).passed
    return found, false


def _portfolio(seed: int, drift: float) -> PortfolioTable:
    reader = FakeRiskReader(published_cells(seed, drift=drift))
    return asyncio.run(read_portfolio(reader, FACTORS, None))


def _fitted(portfolio: PortfolioTable) -> ModelVersion:
    definition = ModelDefinition(tuple(parse_factor(name) for name in FACTORS), with_challenger=False)
    content = model_content(
        fit_model(portfolio.table, definition), portfolio.table, portfolio.premium, "CNY", None, portfolio.policies
    )
    return ModelVersion(1, ModelState.ACTIVE, content, "", datetime(2026, 11, 1, tzinfo=UTC), "bench")
