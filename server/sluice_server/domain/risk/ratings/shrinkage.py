"""Gamma–Poisson shrinkage of rates: an entity's own data as far as it reaches, the portfolio for the rest.

Model: claims ``y`` of an entity are Poisson with mean ``θ e``, where ``e`` is what the portfolio's rate would give and
θ, the relative risk, is gamma distributed over the entities. Clayton and Kaldor, "Empirical Bayes
estimates of age-standardized relative risks for use in disease mapping", Biometrics 43 (1987); in insurance
Bühlmann and Gisler, "A Course in Credibility Theory" (2005), chapter 2. With a prior of mean m and variance m²/a the
posterior of θ is gamma with shape ``a + y`` and rate ``a/m + e``; a and m are integrated over.

Sums of amounts are treated as quasi-counts (`quasi_counts`), whose variance also equals their mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

_SPREADS = (0.01, 4.0)
"""Standard deviations between entities that are held possible: from all alike to manifold different."""
_STEPS = 20
_SCALE = 0.5
"""s of the prior of the standard deviation."""
_MEAN_STEPS = np.linspace(-3.5, 3.5, 9)
_LEAST_WEIGHT = 1e-5
_MOST_ENTITIES = 3_000


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
    """How relative risks vary between entities: gamma distributions, each with the probability that it is the one.

    How much entities vary, and where their mean lies, is known only as well as the entities tell. The nodes hold what
    is possible, so that intervals are as wide with eight entities as eight entities make them.
    """

    shapes: Floats
    """One over the variance of each node's relative risks around their mean."""
    means: Floats
    weights: Floats
    """Sum to 1."""

    def posterior(self, observed: float, expected: float) -> Posterior:
        """What is known of an entity after ``observed`` claims where the portfolio's rate gives ``expected``.

        The gamma distribution with the mean and the variance of the mixture over the nodes.
        """
        rates = self.shapes / self.means + expected
        means = (self.shapes + observed) / rates
        mean = float(self.weights @ means)
        variance = float(self.weights @ (means / rates + (means - mean) ** 2))
        return Posterior(mean**2 / variance, mean / variance)

    def credibility(self, expected: float) -> float:
        """Weight of the entity's own data in the posterior mean, 0 to 1."""
        return float(self.weights @ (expected / (self.shapes / self.means + expected)))


def fit_prior(observed: Floats, expected: Floats) -> GammaPrior:
    """What the entities tell of how they vary: negative binomial margins over a grid of means and variances.

    The standard deviation σ between entities has a prior ∝ σ (1 + (σ/s)²)^(-3/2), the logarithm of their mean a flat
    one. It is 0 at σ = 0, where the likelihood of few entities often has its maximum although they differ: without it
    their intervals are too short (Chung, Rabe-Hesketh, Dorie, Gelman and Liu, "A nondegenerate penalized likelihood
    estimator for variance parameters in multilevel models", Psychometrika 78, 2013). Entities without expectation say
    nothing and are left out; of very many, every n-th tells enough.
    """
    used = expected > 0
    y, e = observed[used], expected[used]
    every = max(1, len(y) // _MOST_ENTITIES)
    y, e = y[::every], e[::every]
    logs = np.linspace(np.log(_SPREADS[0]), np.log(_SPREADS[1]), _STEPS)
    # A coarse look first: thousands of entities leave nothing possible between two of its steps.
    for _ in range(2):
        best = _nodes(y, e, logs)
        possible = np.log(1 / np.sqrt(best.shapes))
        step = logs[1] - logs[0]
        logs = np.linspace(
            max(possible.min() - step, np.log(_SPREADS[0])), min(possible.max() + step, np.log(_SPREADS[1])), _STEPS
        )
    return _nodes(y, e, logs)


def _nodes(y: Floats, e: Floats, log_spreads: Floats) -> GammaPrior:
    shapes, means, logs = [], [], []
    for sigma in np.exp(log_spreads):
        a = 1 / sigma**2
        information = float(np.sum(e / (1 + e / a)))
        centre = max(float(np.sum(y / (1 + e / a))) / information, 1e-3) if len(y) else 1.0
        width = min(1 / np.sqrt(max(information * centre, 1e-6)), 1.0) if len(y) else 1.0
        # The grid is even in log sigma and, by ``width``, in the log of the mean.
        log_prior = 2 * np.log(sigma) - 1.5 * np.log1p((sigma / _SCALE) ** 2) + np.log(width)
        for step in _MEAN_STEPS:
            mean = centre * np.exp(step * width)
            at = mean * e
            margin = special.gammaln(a + y) - special.gammaln(a) + a * np.log(a / (a + at)) + y * np.log(at / (a + at))
            shapes.append(a)
            means.append(mean)
            logs.append(float(margin.sum()) + log_prior)
    weights = np.exp(np.array(logs) - max(logs))
    weights /= weights.sum()
    kept = weights > _LEAST_WEIGHT
    return GammaPrior(np.array(shapes)[kept], np.array(means)[kept], weights[kept] / weights[kept].sum())


def quasi_counts(amounts: Floats, mean_amount: float, squared_variation: float) -> Floats:
    """Sums of amounts in units of E[X²]/E[X] of a single amount X, so that variance equals mean, as of a count.

    For a compound Poisson sum S with n expected claims, Var(S) = n E[X²], so S E[X]/E[X²] has mean and variance
    n E[X]²/E[X²].
    """
    unit = mean_amount * (1 + squared_variation)
    return amounts / unit if unit > 0 else np.zeros_like(amounts)
