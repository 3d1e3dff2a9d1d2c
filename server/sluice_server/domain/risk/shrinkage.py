"""Gamma–Poisson shrinkage of rates: an entity's own data as far as it reaches, the portfolio for the rest.

Model: claims ``y`` of an entity are Poisson with mean ``θ e``, where ``e`` is what the portfolio's rate would give and
θ, the relative risk, is gamma distributed over the entities with mean 1. Clayton and Kaldor, "Empirical Bayes
estimates of age-standardized relative risks for use in disease mapping", Biometrics 43 (1987); in insurance
Bühlmann and Gisler, "A Course in Credibility Theory" (2005), chapter 2. The posterior of θ is gamma with shape
``a + y`` and rate ``a + e``.

Sums of amounts are treated as quasi-counts (`quasi_counts`), whose variance also equals their mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

Floats = npt.NDArray[np.float64]

_LOG_SHAPES = (np.log(0.05), np.log(1e6))
"""From entities that differ twentyfold to entities that are all alike."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """Gamma distribution of an entity's relative risk."""

    shape: float
    rate: float

    @property
    def mean(self) -> float:
        return self.shape / self.rate

    def above(self, risk: float) -> float:
        """Probability that the relative risk is above ``risk``."""
        return float(special.gammaincc(self.shape, self.rate * risk))

    def central(self, level: float) -> tuple[float, float]:
        """The interval that leaves (1 - level) / 2 on each side."""
        tail = (1 - level) / 2
        lower, upper = special.gammaincinv(self.shape, tail), special.gammainccinv(self.shape, tail)
        return float(lower) / self.rate, float(upper) / self.rate


@dataclass(frozen=True, slots=True)
class GammaPrior:
    """How relative risks vary between entities: gamma with mean 1 and variance ``1 / shape``."""

    shape: float

    def posterior(self, observed: float, expected: float) -> Posterior:
        """What is known of an entity after ``observed`` claims where the portfolio's rate gives ``expected``."""
        return Posterior(self.shape + observed, self.shape + expected)

    def credibility(self, expected: float) -> float:
        """Weight of the entity's own data in the posterior mean, 0 to 1."""
        return expected / (self.shape + expected)


def fit_prior(observed: Floats, expected: Floats) -> GammaPrior:
    """The prior that makes the observed counts most likely (negative binomial margins, mean fixed at 1).

    Entities without expectation say nothing and are left out; with fewer than two entities all are taken to be alike.
    """
    used = expected > 0
    y, e = observed[used], expected[used]
    if len(y) < 2:
        return GammaPrior(float(np.exp(_LOG_SHAPES[1])))

    def minus_log_likelihood(log_shape: float) -> float:
        a = np.exp(log_shape)
        return -float(
            np.sum(special.gammaln(a + y) - special.gammaln(a) + a * np.log(a / (a + e)) + y * np.log(e / (a + e)))
        )

    # The likelihood may be flat towards large shapes: a coarse look first, then the best of its neighbourhood.
    grid = np.linspace(*_LOG_SHAPES, 40)
    best = int(np.argmin([minus_log_likelihood(point) for point in grid]))
    bounds = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    found = optimize.minimize_scalar(minus_log_likelihood, bounds=bounds, method="bounded")
    return GammaPrior(float(np.exp(found.x)))


def quasi_counts(amounts: Floats, mean_amount: float, squared_variation: float) -> Floats:
    """Sums of amounts in units of E[X²]/E[X] of a single amount X, so that variance equals mean, as of a count.

    For a compound Poisson sum S with n expected claims, Var(S) = n E[X²], so S E[X]/E[X²] has mean and variance
    n E[X]²/E[X²].
    """
    unit = mean_amount * (1 + squared_variation)
    return amounts / unit if unit > 0 else np.zeros_like(amounts)
