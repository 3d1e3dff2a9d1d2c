"""A small pricing model, fitted on simulated policies."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from sluice_server.domain.risk.models.columns import Floats, ModelTable, NumberColumn
from sluice_server.domain.risk.models.factors import parse_factor
from sluice_server.domain.risk.models.fit_model import FittedModel, ModelDefinition, fit_model
from sluice_server.domain.risk.pricing.from_fit import model_content, model_validation
from sluice_server.domain.risk.pricing.model_version import ModelContent, ModelValidation
from tests.unit.risk.models.simulated import portfolio

CURRENCY = "CNY"


@cache
def policies() -> tuple[ModelTable, Floats]:
    """Policies with amounts in minor units, and what they paid: a flat 100.00 a year."""
    table = portfolio(6_000)
    assert table.amount is not None
    age = table.factors["age"]
    assert isinstance(age, NumberColumn)
    table = replace(
        table,
        amount=np.round(table.amount * 100),
        factors={
            "device_model": table.factors["model"],
            "channel_id": table.factors["channel"],
            "age": NumberColumn(np.floor(age.values)),
        },
    )
    return table, np.round(table.exposure * 10_000)


@cache
def fitted() -> FittedModel:
    factors = tuple(parse_factor(text) for text in ("device_model", "channel_id", "age:number"))
    return fit_model(policies()[0], ModelDefinition(factors, with_challenger=False))


def content() -> ModelContent:
    table, premium = policies()
    return model_content(fitted(), table, premium, CURRENCY)


def validation() -> ModelValidation:
    return model_validation(fitted().validation)
