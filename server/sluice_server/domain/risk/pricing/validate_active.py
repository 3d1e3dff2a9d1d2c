"""The use case ValidateActiveModel: the active model on the newest data, and a warning for as long as it drifts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from sluice_server.domain.context import Clock
from sluice_server.domain.risk.alerts.raise_warning import RaiseWarning, RiskWarning
from sluice_server.domain.risk.models.portfolio_table import read_portfolio
from sluice_server.domain.risk.pricing.drift import newest_years, validate_on
from sluice_server.domain.risk.pricing.model_version import ModelValidation, ModelVersion, no_such_model
from sluice_server.domain.risk.result_rows import ResultRowsReader
from sluice_server.domain.risk.semantic.semantic_model import Label
from sluice_server.domain.unit_of_work import Store

WARNING = "model-drift"
"""The kind of the warning. There is one at most: of the model that is active."""


@dataclass(frozen=True, slots=True)
class ValidatedAgain:
    """A stored validation, and whether it is new."""

    model_version: int
    validation: ModelValidation
    is_new: bool


class ValidateActiveModel:
    """Validates, stores the result with the model version, raises the warning or ends it."""

    def __init__(self, store: Store, reader: ResultRowsReader, clock: Clock) -> None:
        self._store = store
        self._reader = reader
        self._clock = clock
        self._warning = RaiseWarning(store, clock)

    async def __call__(self, data_version: int | None = None, *, again: bool = True) -> ValidatedAgain:
        """On the active data version, or the one named. Without ``again`` what was validated on it already stays.

        Raises RiskResourceNotFound without an active model, InvalidInput for one with factors that the rating cells do
        not have, DataVersionNotFound, Unavailable.
        """
        async with self._store.read() as uow:
            model = await uow.models.active()
            newest = await uow.models.validation(model.version, None) if model is not None else None
        if model is None:
            raise no_such_model(None)
        factors = [factor.name for factor in model.content.tariff.factors]
        portfolio = await read_portfolio(self._reader, factors, data_version)
        known = newest is not None and newest.data is not None and newest.data.data_version
        if not again and newest is not None and known == portfolio.stamp.data_version:
            return ValidatedAgain(model.version, newest, False)
        judged = await asyncio.to_thread(lambda: validate_on(newest_years(portfolio, model.content.tariff), model))
        async with self._store.write() as uow:
            await uow.models.lock()
            now = self._clock.now()
            stored = await uow.models.add_validation(model.version, replace(judged, created_at=now))
            await uow.commit()
        if stored.passed:
            await self._warning.over(WARNING, {})
        else:
            await self._warning(_warning(model, stored))
        return ValidatedAgain(model.version, stored, True)


def _warning(model: ModelVersion, validation: ModelValidation) -> RiskWarning:
    failed = [check for check in validation.checks if not check.passed]
    reasons = "; ".join(f"{check.name}: {check.explanation}" for check in failed)
    names = "、".join(check.name for check in failed)
    return RiskWarning(
        kind=WARNING,
        summary=Label(
            f"定价模型第 {model.version} 版在最新数据上出现漂移：{names} 未通过",
            f"pricing model version {model.version} drifts on the newest data: {reasons}",
        ),
        stamp=validation.data,
    )
