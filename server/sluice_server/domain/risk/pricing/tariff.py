"""A fitted model as a table of relativities, and the price of one cover by it. Needs no model library."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.intervals import Interval
from sluice_server.domain.risk.semantic.semantic_model import IntervalMethod

DAYS_IN_YEAR = 365
PORTFOLIO_MEAN = "(portfolio mean)"
"""The level of a factor that was not given."""


class FactorKind(StrEnum):
    """How a value finds its relativity."""

    LEVELS = "levels"
    BANDS = "bands"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class TariffLevel:
    """One level. ``log_error``: standard error of the logarithm of the relativity, 0 for the base level."""

    level: str
    relativity: float
    log_error: float
    exposure_years: float


@dataclass(frozen=True, slots=True)
class TariffFactor:
    """A rating factor, frequency and amount of a claim multiplied into one relativity."""

    name: str
    kind: FactorKind
    levels: tuple[TariffLevel, ...]
    """The base level first; of a number, some values for people."""
    mean_relativity: float
    """Over the exposure: what is charged where the factor is not known."""
    assigned: dict[str, int]
    """LEVELS: index of the level by value; a value that is not in it takes ``unknown``."""
    unknown: int = 0
    edges: tuple[float, ...] = ()
    """BANDS: upper ends, rising."""
    banded: tuple[int, ...] = ()
    """BANDS: index of the level of each band, and of a missing number as the last."""
    slope: float = 0.0
    """NUMBER: change of the logarithm for a step of 1 (of the number's logarithm, where that is taken)."""
    slope_error: float = 0.0
    centre: float = 0.0
    logarithm: bool = False
    least: float | None = None
    greatest: float | None = None
    order: tuple[str, ...] = ()
    """NUMBER from ordered text: the levels; the number is the place, from 1."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """Expected claims cost of a year of cover by factors. Amounts in minor units."""

    currency_code: str
    base_claims_minor: float
    """At all base levels, large claims included."""
    base_log_error: float
    factors: tuple[TariffFactor, ...]
    exposure_years: float
    squared_variation: float
    """Squared coefficient of variation of one claim's amount."""


@dataclass(frozen=True, slots=True)
class PriceStep:
    """One multiplication. ``factor`` is a factor's name, ``base``, ``cover`` or ``loading``."""

    factor: str
    level: str
    relativity: float
    interval: Interval | None
    exposure_years: float


@dataclass(frozen=True, slots=True)
class Price:
    """A price with the steps that make it: the product of the steps' relativities, in minor units, unrounded."""

    expected_claims_minor: float
    expected_claims_interval: Interval
    premium_minor: float
    steps: tuple[PriceStep, ...]
    exposure_years: float
    """Of the thinnest level that was used."""


def price(
    tariff: Tariff, values: Mapping[str, str], loading: float = 0.0, cover_days: int = DAYS_IN_YEAR, level: float = 0.95
) -> Price:
    """The price of a cover. Factors that are not given take the portfolio's mean.

    Raises InvalidInput naming every unknown factor and every value that is no number where one is needed.
    """
    _check(tariff, values)
    z = NormalDist().inv_cdf((1 + level) / 2)
    steps = [PriceStep("base", "", tariff.base_claims_minor, None, tariff.exposure_years)]
    expected, variance, thinnest = tariff.base_claims_minor, tariff.base_log_error**2, tariff.exposure_years
    for factor in tariff.factors:
        found = relativity(factor, values.get(factor.name))
        expected *= found.relativity
        variance += found.log_error**2
        thinnest = min(thinnest, found.exposure_years)
        ends = (found.relativity * math.exp(-z * found.log_error), found.relativity * math.exp(z * found.log_error))
        interval = Interval(*ends, level, IntervalMethod.WALD_LOG) if found.log_error else None
        steps.append(PriceStep(factor.name, found.level, found.relativity, interval, found.exposure_years))
    cover = cover_days / DAYS_IN_YEAR
    steps.append(PriceStep("cover", f"{cover_days} days", cover, None, tariff.exposure_years))
    steps.append(PriceStep("loading", "", 1 + loading, None, tariff.exposure_years))
    expected *= cover
    error = z * math.sqrt(variance)
    ends = (expected * math.exp(-error), expected * math.exp(error))
    return Price(
        expected,
        Interval(*ends, level, IntervalMethod.WALD_LOG),
        expected * (1 + loading),
        tuple(steps),
        thinnest,
    )


def relativity(factor: TariffFactor, value: str | None) -> TariffLevel:
    """The level that a value has; the portfolio's mean for None. The value must be one that `price` accepts."""
    if value is None:
        exposure = sum(level.exposure_years for level in factor.levels)
        if factor.kind is FactorKind.NUMBER:
            exposure = max(level.exposure_years for level in factor.levels)
        return TariffLevel(PORTFOLIO_MEAN, factor.mean_relativity, 0.0, exposure)
    if factor.kind is FactorKind.LEVELS:
        return factor.levels[factor.assigned.get(_as_level(value), factor.unknown)]
    if factor.kind is FactorKind.BANDS:
        number = float(value) if value else math.nan
        place = len(factor.edges) + 1 if math.isnan(number) else bisect.bisect_left(factor.edges, number)
        return factor.levels[factor.banded[place]]
    distance = _number(factor, value) - factor.centre
    exposure = factor.levels[0].exposure_years
    return TariffLevel(value, math.exp(factor.slope * distance), factor.slope_error * abs(distance), exposure)


def _number(factor: TariffFactor, value: str) -> float:
    if factor.order:
        return float(factor.order.index(value) + 1) if value in factor.order else factor.centre
    number = float(value)
    if factor.least is not None:
        number = max(number, factor.least)
    if factor.greatest is not None:
        number = min(number, factor.greatest)
    if not factor.logarithm:
        return number
    return math.log(number) if number > 0 else factor.centre


def _as_level(value: str) -> str:
    """Numbers as levels are written as short as they are: 3.0 is 3."""
    try:
        return f"{float(value):.10g}"
    except ValueError:
        return value


def _check(tariff: Tariff, values: Mapping[str, str]) -> None:
    known = {factor.name: factor for factor in tariff.factors}
    violations = []
    for name, value in values.items():
        if name not in known:
            text = f"no factor of this model; there are: {', '.join(known)}"
            violations.append(Violation(f"factors.{name}", text))
        elif known[name].kind is not FactorKind.LEVELS and not known[name].order and not _is_number(value):
            violations.append(Violation(f"factors.{name}", "must be a number"))
    if violations:
        raise InvalidInput(violations)


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False
