"""Intervals of counts, rates, shares, mean amounts and sums of amounts.

All are central: each tail has probability (1 - level) / 2. ``upper`` is None where nothing bounds it.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy import special

from sluice_server.domain.risk.ports import AmountCells
from sluice_server.domain.risk.semantic.semantic_model import IntervalMethod


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true value lies with probability ``level``, in the unit of the value."""

    lower: float
    upper: float | None
    level: float
    method: IntervalMethod


def poisson_rate(count: float, exposure: float, level: float) -> Interval | None:
    """Exact interval of a Poisson rate ``count / exposure``. None without exposure.

    Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28 (1936): the limits are gamma quantiles with
    shapes ``count`` and ``count + 1``.
    """
    if exposure <= 0:
        return None
    tail = (1 - level) / 2
    lower = float(special.gammaincinv(count, tail)) if count > 0 else 0.0
    upper = float(special.gammainccinv(count + 1, tail))
    return Interval(lower / exposure, upper / exposure, level, IntervalMethod.EXACT_POISSON)


def binomial_share(successes: int, trials: int, level: float) -> Interval | None:
    """Exact interval of a share. None without trials, or where there are more successes than trials.

    Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26 (1934): the limits are beta quantiles.
    """
    if trials <= 0 or not 0 <= successes <= trials:
        return None
    tail = (1 - level) / 2
    lower = float(special.betaincinv(successes, trials - successes + 1, tail)) if successes > 0 else 0.0
    upper = float(special.betaincinv(successes + 1, trials - successes, 1 - tail)) if successes < trials else 1.0
    return Interval(lower, upper, level, IntervalMethod.EXACT_BINOMIAL)


def compound_poisson(
    total: float, denominator: float, count: int, squared_variation: float, level: float
) -> Interval | None:
    """Interval of ``total / denominator`` where ``total`` sums the amounts of a Poisson number of claims.

    ``squared_variation`` is the squared coefficient of variation of one amount. None without a denominator or claims.

    Gamma interval of Fay and Feuer, "Confidence intervals for directly standardized rates", Statistics in Medicine 16
    (1997), with the sum y and its variance v = y² (1 + cv²) / n, so that k = y²/v = n / (1 + cv²); for the greatest
    weight, which is not known, v/y is taken. With cv² = 0 it is Garwood's interval times the amount of a claim.
    """
    if denominator <= 0 or count <= 0 or total <= 0:
        return None
    tail = (1 - level) / 2
    k = count / (1 + squared_variation)
    scale = total / k / denominator
    return Interval(
        float(special.gammaincinv(k, tail)) * scale,
        float(special.gammainccinv(k + 1, tail)) * scale,
        level,
        IntervalMethod.COMPOUND_POISSON,
    )


def gamma_mean(mean: float, count: int, squared_variation: float, level: float) -> Interval | None:
    """Interval of the mean of ``count`` amounts, relative to any fixed unit. None without amounts.

    Exact where the amounts are gamma distributed with this squared coefficient of variation: the mean of n such amounts
    over its expectation is gamma distributed with shape n / cv² and mean 1, a pivot (Johnson, Kotz and Balakrishnan,
    "Continuous Univariate Distributions", volume 1, chapter 17).
    """
    if count <= 0 or mean <= 0 or squared_variation <= 0:
        return None
    tail = (1 - level) / 2
    shape = count / squared_variation
    smallest = float(special.gammaincinv(shape, tail)) / shape
    greatest = float(special.gammainccinv(shape, tail)) / shape
    upper = mean / smallest if smallest > 0 else None
    return Interval(mean / greatest, upper, level, IntervalMethod.GAMMA_MEAN)


def squared_variation(cells: AmountCells) -> float:
    """Squared coefficient of variation of one claim's amount, estimated from sums over cells.

    A cell of n claims with amount S and expectation E has Var(S/E) = cv²/n, so n (S/E - 1)² estimates cv² in each cell;
    this is the mean over the cells with one degree of freedom less. It contains what cells differ by beyond chance, so
    intervals are wide rather than narrow. 1 (exponential amounts) where there are too few cells to tell.
    """
    if cells.cells < 30:
        return 1.0
    residual = cells.relative_squares - 2 * cells.relative_sum + cells.claims
    return max(residual / (cells.cells - 1), 1e-6)
