"""Whether prices still fit: an active model held against cells that are newer than those it was fitted on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy import stats

from sluice_server.domain.risk.intervals import Interval, compound_poisson
from sluice_server.domain.risk.models.columns import Codes, Floats, NumberColumn, codes_of
from sluice_server.domain.risk.models.lift import equal_exposure_bins, gini
from sluice_server.domain.risk.models.portfolio_table import PortfolioTable
from sluice_server.domain.risk.pricing.model_version import (
    GateCheck,
    ModelValidation,
    ModelVersion,
    ValidationBin,
    ValidationFigure,
)
from sluice_server.domain.risk.pricing.tariff import Tariff, price

TOLERATED = 1.1
"""Claims cost over its expectation, or the reverse, that is no drift."""
TOLERATED_STABILITY = 0.1
"""Population stability index beyond chance that is no drift."""
_FEWEST_CLAIMS = 200
"""Expected claims that a judgement needs: years are added, the newest first, until there are so many."""
_CERTAINTY = 0.99
_FEWEST_LEVEL_CLAIMS = 20
_ONE_SIGMA = 2 * NormalDist().cdf(1.0) - 1
DATA_SET = "newest_years"


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest years of a portfolio with what the model expects of them. Amounts in minor units."""

    portfolio: PortfolioTable
    predicted: Floats
    """Claims cost of a policy-year."""
    log_errors: Floats
    """Standard errors of the logarithms of ``predicted``: the model was fitted on a sample too."""

    @property
    def expected(self) -> Floats:
        """Claims cost of each row, as far as its claims can be known."""
        return self.predicted * self.portfolio.table.effective_exposure()


def newest_years(portfolio: PortfolioTable, tariff: Tariff) -> Newest:
    """The last years that have enough claims to judge by, all of them where there never are."""
    years = portfolio.table.time
    assert years is not None, "read_portfolio gives the year"
    first = float(years.min())
    for year in sorted(np.unique(years), reverse=True):
        if portfolio.table.claims[years >= year].sum() >= _FEWEST_CLAIMS:
            first = float(year)
            break
    newest = portfolio.take(years >= first)
    return Newest(newest, *predictions(newest, tariff))


def predictions(portfolio: PortfolioTable, tariff: Tariff) -> tuple[Floats, Floats]:
    """The tariff's claims cost of a policy-year of each row, and the standard error of its logarithm."""
    factors = portfolio.table.factors
    memory: dict[tuple[str, ...], tuple[float, float]] = {}
    found, errors = np.empty(len(portfolio.table)), np.empty(len(portfolio.table))
    for row in range(len(found)):
        values = {
            name: f"{column.values[row]:.10g}" if isinstance(column, NumberColumn) else column.levels[column.codes[row]]
            for name, column in factors.items()
        }
        key = tuple(values.values())
        if key not in memory:
            priced = price(tariff, values, level=_ONE_SIGMA)
            upper = priced.expected_claims_interval.upper
            assert upper is not None, "a price has both ends"
            memory[key] = (priced.expected_claims_minor, math.log(upper / priced.expected_claims_minor))
        found[row], errors[row] = memory[key]
    return found, errors


def validate_on(newest: Newest, model: ModelVersion) -> ModelValidation:
    """Level, segments, order and stability. A check that fails is drift."""
    table = newest.portfolio.table
    assert table.amount is not None
    exposure = table.effective_exposure()
    squares = newest.portfolio.incurred_squared
    variation = _variation(table.claims, table.amount, squares)
    order = gini(table.amount, exposure, newest.predicted)
    stability, limit = _stability(newest, model)
    level, interval = _level(newest, variation)
    checks = (
        level,
        _segments(newest, squares),
        GateCheck("orders", order > 0, order, 0.0, "Gini of the predicted claims cost, above 0"),
        GateCheck(
            "stability",
            stability <= limit,
            stability,
            limit,
            "population stability index of the predictions, against those of the policies that it was fitted on",
        ),
    )
    return ModelValidation(
        passed=all(check.passed for check in checks),
        checks=checks,
        figures=(
            ValidationFigure(
                "actual_to_expected", DATA_SET, float(table.amount.sum() / newest.expected.sum()), interval
            ),
            ValidationFigure("gini", DATA_SET, order),
            ValidationFigure("psi", DATA_SET, stability),
            ValidationFigure("claims", DATA_SET, float(table.claims.sum())),
            ValidationFigure("exposure_years", DATA_SET, float(table.exposure.sum())),
        ),
        lift=tuple(_lift(newest, exposure, variation)),
        data=newest.portfolio.stamp,
    )


def _level(newest: Newest, variation: float) -> tuple[GateCheck, Interval | None]:
    table = newest.portfolio.table
    assert table.amount is not None
    seen, hoped = float(table.amount.sum()), float(newest.expected.sum())
    interval = compound_poisson(seen, hoped, int(table.claims.sum()), variation, _CERTAINTY)
    chance = _chance(float(newest.portfolio.incurred_squared.sum()), seen, hoped)
    spread = _spread(chance, (newest.expected * newest.log_errors).sum())
    beyond = _beyond(seen, hoped, spread)
    limit = NormalDist().inv_cdf((1 + _CERTAINTY) / 2)
    ends = "no claims" if interval is None else f"{interval.lower:.3f} to {interval.upper:.3f}"
    text = f"claims cost {seen / hoped:.3f} times what is expected ({ends}); a tenth is tolerated"
    return GateCheck("level", seen > 0 and beyond <= limit, beyond, limit, text), interval


def _beyond(seen: float, hoped: float, spread: float) -> float:
    """Standard deviations from the nearest expectation within the tolerated."""
    nearest = min(max(seen, hoped / TOLERATED), hoped * TOLERATED)
    return abs(seen - nearest) / spread if spread > 0 else 0.0


def _chance(squares: float, seen: float, hoped: float) -> float:
    """The sum of squares that is to be expected where fewer claims came than expected: few claims look certain."""
    return float(squares) * max(float(hoped) / float(seen), 1.0) if seen > 0 else float(squares)


def _spread(squares: float, model_error: float) -> float:
    """The variance of a compound Poisson sum is the sum of the squares of its amounts; the model's errors of one level
    are one, so that they add up."""
    return math.sqrt(float(squares) + float(model_error) ** 2)


def _segments(newest: Newest, squares: Floats) -> GateCheck:
    """The level of a factor that is farthest from its expectation, beyond the tolerated, in standard deviations."""
    table = newest.portfolio.table
    assert table.amount is not None
    worst, name, tried = 0.0, "none", 0
    text = "no level has enough claims"
    for factor, column in table.factors.items():
        codes = codes_of(column)
        levels = (
            column.levels
            if not isinstance(column, NumberColumn)
            else tuple(f"{value:.10g}" for value in np.unique(column.values))
        )
        claims = np.bincount(codes, weights=table.claims, minlength=len(levels))
        seen = np.bincount(codes, weights=table.amount, minlength=len(levels))
        hoped = np.bincount(codes, weights=newest.expected, minlength=len(levels))
        chance = np.bincount(codes, weights=squares, minlength=len(levels))
        model_error = np.bincount(codes, weights=newest.expected * newest.log_errors, minlength=len(levels))
        for i in np.flatnonzero((claims >= _FEWEST_LEVEL_CLAIMS) & (chance > 0)):
            tried += 1
            spread = _spread(_chance(chance[i], seen[i], hoped[i]), model_error[i])
            beyond = _beyond(float(seen[i]), float(hoped[i]), spread)
            if beyond >= worst:
                worst, name = beyond, f"{factor} {levels[i]}"
                text = f"worst: {name}, claims cost {seen[i] / hoped[i]:.3f} times what is expected"
    limit = NormalDist().inv_cdf(1 - 0.005 / max(tried, 1))
    return GateCheck("segments", worst <= limit, worst, limit, text)


def _stability(newest: Newest, model: ModelVersion) -> tuple[float, float]:
    """Index over ten bins of the predictions, with the limit: what is tolerated, or what chance makes of so few."""
    cells = model.content.portfolio
    if not cells:
        return 0.0, TOLERATED_STABILITY
    tariff = model.content.tariff
    then = np.array([price(tariff, cell.values).expected_claims_minor for cell in cells])
    weights = np.array([cell.exposure_years for cell in cells])
    bins = equal_exposure_bins(then, weights)
    ends = np.array([then[bins == i].max() for i in range(int(bins.max()) + 1)])[:-1]
    now: Codes = np.searchsorted(ends * (1 + 1e-9), newest.predicted, side="left")
    p = np.bincount(bins, weights=weights, minlength=len(ends) + 1)
    q = np.bincount(now, weights=newest.portfolio.table.exposure, minlength=len(ends) + 1)
    p, q = (np.maximum(part / part.sum(), 1e-6) for part in (p, q))
    few = 1 / max(sum(cell.policies for cell in cells), 1) + 1 / max(float(newest.portfolio.policies.sum()), 1.0)
    # The index of two samples of one distribution is chi-square by (bins - 1) times the sum of their inverse sizes.
    chance = float(stats.chi2.ppf(_CERTAINTY, max(len(ends), 1))) * few
    return float(np.sum((q - p) * np.log(q / p))), max(TOLERATED_STABILITY, chance)


def _lift(newest: Newest, exposure: Floats, variation: float) -> Sequence[ValidationBin]:
    table = newest.portfolio.table
    assert table.amount is not None
    bins = equal_exposure_bins(newest.predicted, exposure)
    found: list[ValidationBin] = []
    for i in range(int(bins.max()) + 1):
        inside = bins == i
        years, amount = float(exposure[inside].sum()), float(table.amount[inside].sum())
        interval = compound_poisson(amount, years, int(table.claims[inside].sum()), variation, 0.95)
        if years > 0 and interval is not None:
            predicted = float(newest.expected[inside].sum()) / years
            found.append(ValidationBin(len(found) + 1, predicted, amount / years, interval, years))
    return found


def _variation(claims: Floats, amount: Floats, squares: Floats) -> float:
    """Squared coefficient of variation of one claim's amount."""
    number, total = float(claims.sum()), float(amount.sum())
    return max(float(squares.sum()) / number / (total / number) ** 2 - 1, 0.0) if number and total else 1.0
