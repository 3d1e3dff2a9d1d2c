"""From a fitted model to what is stored of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.models.cells import rating_cells
from sluice_server.domain.risk.models.columns import Floats, ModelTable, NumberColumn, codes_of
from sluice_server.domain.risk.models.factors import LevelScale, NumberScale
from sluice_server.domain.risk.models.fit_model import FittedModel
from sluice_server.domain.risk.models.glm import FittedGlm
from sluice_server.domain.risk.models.validation import Validation
from sluice_server.domain.risk.pricing.model_version import (
    GateCheck,
    ModelContent,
    ModelTarget,
    ModelValidation,
    PortfolioCell,
    ValidationBin,
    ValidationFigure,
)
from sluice_server.domain.risk.pricing.tariff import FactorKind, Tariff, TariffFactor, TariffLevel

MOST_CELLS = 20_000
METHOD = "poisson-gamma-glm"


def model_content(
    fitted: FittedModel,
    table: ModelTable,
    premium: Floats,
    currency_code: str,
    data: DataStamp | None = None,
    policies: Floats | None = None,
) -> ModelContent:
    """A pricing model with the portfolio that changes of prices will be judged on.

    Amounts and premiums in minor units; ``policies`` for which each row stands, one where they are not given.
    Raises InvalidInput for a model without amounts, or a portfolio of too many different policies to be kept.
    """
    if fitted.severity is None or table.amount is None:
        raise InvalidInput([Violation("amount", "a pricing model needs the incurred amounts")])
    if (premium < 0).any() or premium.sum() <= 0:
        raise InvalidInput([Violation("premium", "must not be negative, nor all 0")])
    frequency, severity = fitted.frequency, fitted.severity.glm
    tariff = Tariff(
        currency_code,
        math.exp(frequency.intercept + severity.intercept) * fitted.severity.large_claims.loading,
        math.sqrt(frequency.covariance[0, 0] + severity.covariance[0, 0]),
        tuple(_factors(frequency, severity, table)),
        float(table.exposure.sum()),
        severity.dispersion,
    )
    return ModelContent(ModelTarget.PURE_PREMIUM, METHOD, tariff, tuple(_portfolio(table, premium, policies)), data)


def model_validation(validation: Validation, data: DataStamp | None = None) -> ModelValidation:
    """What is kept of a validation."""
    figures = []
    for one in validation.figures:
        figures += [
            ValidationFigure(
                "poisson_deviance", one.data_set, one.deviance, one.deviance_interval, one.challenger_deviance
            ),
            ValidationFigure("null_deviance", one.data_set, one.null_deviance),
            ValidationFigure("gini", one.data_set, one.gini, None, one.challenger_gini),
            ValidationFigure("actual_to_expected", one.data_set, one.actual_to_expected),
        ]
    figures.append(ValidationFigure("psi", "held_out", validation.stability.index))
    figures += [ValidationFigure("gamma_deviance", name, value) for name, value in validation.severity_deviance.items()]
    return ModelValidation(
        validation.passed,
        tuple(
            GateCheck(c.name, bool(c.passed), float(c.value), float(c.limit), c.explanation) for c in validation.checks
        ),
        tuple(figures),
        tuple(
            ValidationBin(b.number, float(b.predicted), float(b.observed), b.interval, float(b.exposure))
            for b in validation.lift
        ),
        data=data,
    )


def _factors(frequency: FittedGlm, severity: FittedGlm, table: ModelTable) -> list[TariffFactor]:
    """Both models have the same scales: their logarithms add up, and so do the variances."""
    factors = []
    place = 0
    for scale, weights in zip(frequency.scales, frequency.level_weights, strict=True):
        width = len(scale.levels) - 1 if isinstance(scale, LevelScale) else 1
        where = range(place, place + width)
        logs = [frequency.coefficients[i] + severity.coefficients[i] for i in where]
        errors = [math.sqrt(frequency.covariance[i + 1, i + 1] + severity.covariance[i + 1, i + 1]) for i in where]
        place += width
        if isinstance(scale, LevelScale):
            factors.append(_level_factor(scale, logs, errors, weights, table))
        else:
            factors.append(_number_factor(scale, logs[0], errors[0], weights[0], table))
    return factors


def _level_factor(
    scale: LevelScale, logs: Sequence[float], errors: Sequence[float], weights: Sequence[float], table: ModelTable
) -> TariffFactor:
    levels = [
        TariffLevel(name, math.exp(log), error, weight)
        for name, log, error, weight in zip(scale.levels, [0.0, *logs], [0.0, *errors], weights, strict=True)
    ]
    relativities = np.array([level.relativity for level in levels])[scale.apply(table.factors[scale.name])]
    return TariffFactor(
        scale.name,
        FactorKind.BANDS if scale.banded else FactorKind.LEVELS,
        tuple(levels),
        float(np.average(relativities, weights=table.exposure)),
        scale.assigned,
        scale.unknown,
        scale.edges,
        scale.banded,
    )


def _number_factor(scale: NumberScale, log: float, error: float, weight: float, table: ModelTable) -> TariffFactor:
    steps = scale.at(scale.shown)
    levels = [
        TariffLevel(name, math.exp(log * float(step)), error * abs(float(step)), weight)
        for name, step in zip(scale.names, steps, strict=True)
    ]
    relativities = np.exp(log * scale.apply(table.factors[scale.name]))
    definition = scale.definition
    return TariffFactor(
        scale.name,
        FactorKind.NUMBER,
        tuple(levels),
        float(np.average(relativities, weights=table.exposure)),
        {},
        slope=log / scale.spread,
        slope_error=error / scale.spread,
        centre=scale.centre,
        logarithm=definition.logarithm,
        least=definition.least,
        greatest=definition.greatest,
        order=scale.order,
    )


def _portfolio(table: ModelTable, premium: Floats, policies_of_row: Floats | None) -> list[PortfolioCell]:
    cells = rating_cells([codes_of(column) for column in table.factors.values()])
    if len(cells) > MOST_CELLS:
        text = (
            f"the table has {len(cells):,} different policies, {MOST_CELLS:,} can be kept to judge prices on: "
            "cut its numbers into classes first"
        )
        raise InvalidInput([Violation("factors", text)])
    assert table.amount is not None
    one = table.take(cells.first_row)
    policies = cells.total(np.ones(len(table)) if policies_of_row is None else policies_of_row)
    years, claims = cells.total(table.exposure), cells.total(table.claims)
    incurred, paid = cells.total(table.amount), cells.total(premium)
    return [
        PortfolioCell(
            _values(one, i),
            round(float(policies[i])),
            float(years[i]),
            round(float(claims[i])),
            round(float(incurred[i])),
            round(float(paid[i])),
        )
        for i in range(len(cells))
    ]


def _values(table: ModelTable, row: int) -> dict[str, str]:
    values: Mapping[str, str | None] = {
        name: _number(float(column.values[row]))
        if isinstance(column, NumberColumn)
        else column.levels[column.codes[row]]
        for name, column in table.factors.items()
    }
    return {name: value for name, value in values.items() if value is not None}


def _number(value: float) -> str | None:
    return None if math.isnan(value) else f"{value:.10g}"
