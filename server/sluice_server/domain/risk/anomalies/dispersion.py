"""How ordinary entities vary, robustly, and how improbable an entity is given that.

Each `Excess` test compares an observed with an expected quantity, entity by entity. Ordinary entities differ for
reasons that are nobody's fault (their mix of devices, their region), so the variance has a part beyond chance,
``dispersion``. It is estimated from the entities that do not stand out, and so is the expectation; the first look, with
all of them, takes medians, which a few abnormal ones hardly move, however large. The idea is that of the funnel
plots of Spiegelhalter, "Handling over-dispersion of performance indicators", Quality and Safety in Health Care 14
(2005).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_MEDIAN_CHI_SQUARE = 0.4549364231195724
"""Median of the chi-square distribution with one degree of freedom."""
_LEAST_ENTITIES = 8
_STANDS_OUT = 1e-3
_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Excess:
    """A one-sided test of every entity. NaN where an entity has nothing to test."""

    observed: Floats
    expected: Floats
    p_values: Floats
    dispersion: float
    """Standard deviation of the ordinary entities' true ratios to their expectation."""


def excess_count(observed: Floats, weights: Floats) -> Excess:
    """Counts against ``weights`` times the ordinary entities' rate. Gamma–Poisson (negative binomial) upper tail."""

    def tail(expected: Floats, tau2: float) -> Floats:
        if tau2 < 1e-9:
            return np.asarray(stats.poisson.sf(observed - 1, expected))
        shape = 1 / tau2
        return np.asarray(stats.nbinom.sf(observed - 1, shape, shape / (shape + expected)))

    return _screen(observed, weights, lambda expected: expected, lambda expected: expected**2, tail)


def excess_share(observed: Floats, trials: Floats, weights: Floats, *, all_ordinary: bool = False) -> Excess:
    """Successes among ``trials`` against ``weights`` (trials times the reference share). Beta–binomial upper tail.

    ``all_ordinary`` takes also those that stand out for ordinary: for shares that differ in clusters for reasons which
    are not the entities' own, where only one that stands out alone means something.
    """

    def share(expected: Floats) -> Floats:
        return np.clip(expected / np.maximum(trials, 1), 1e-9, 1 - 1e-9)

    def chance(expected: Floats) -> Floats:
        return trials * share(expected) * (1 - share(expected))

    def between(expected: Floats) -> Floats:
        # The true share varies with relative variance tau2: (trials share)² tau2, of which chance has one trial's part.
        return expected**2 * (1 - 1 / np.maximum(trials, 1))

    def tail(expected: Floats, tau2: float) -> Floats:
        mean = share(expected)
        if tau2 < 1e-9:
            return np.asarray(stats.binom.sf(observed - 1, trials, mean))
        # Var(share) = mean² tau2 = mean (1 - mean) / (total + 1)
        total = np.maximum((1 - mean) / (mean * tau2) - 1, 1e-3)
        return _beta_binomial_tail(observed, trials, mean * total, (1 - mean) * total)

    return _screen(observed, weights, chance, between, tail, valid=trials > 0, all_ordinary=all_ordinary)


def excess_amount(
    observed: Floats, counts: Floats, weights: Floats, squared_variation: float, third_moment: float | None = None
) -> Excess:
    """Sums of ``counts`` amounts against ``weights`` times the ordinary level. Upper tail of their ratio.

    ``squared_variation`` and ``third_moment``: second and third central moment of one amount over its mean. Where the
    third is not known, the tail is log-normal with the sum's mean and variance: single amounts are skewed with a heavy
    tail, and so are sums of few of them (Fenton, "The sum of log-normal probability distributions in scatter
    transmission systems", IRE Transactions 8, 1960). Where it is, of amounts with a cap, the tail is that of a shifted
    gamma with the three moments (the translated gamma approximation of risk theory: Kaas, Goovaerts, Dhaene and Denuit,
    "Modern Actuarial Risk Theory", 2008, section 2.5).
    """
    number = np.maximum(counts, 1)
    each = squared_variation / number

    def tail(expected: Floats, tau2: float) -> Floats:
        variance = np.maximum(each + tau2, 1e-12)
        ratio = np.maximum(observed, 1e-300) / expected
        if third_moment is None:
            spread = np.sqrt(np.log1p(variance))
            return np.asarray(special.ndtr(-(np.log(ratio) / spread + spread / 2)))
        # Of a product of independent factors with mean 1, the entity's own one taken for gamma.
        third = third_moment / number**2 + 6 * tau2 * each + 2 * tau2**2
        skewness = np.maximum(third / variance**1.5, 1e-3)
        shape = 4 / skewness**2
        place = shape + (ratio - 1) / np.sqrt(variance) * np.sqrt(shape)
        return np.asarray(special.gammaincc(shape, np.maximum(place, 0.0)))

    return _screen(
        observed, weights, lambda expected: each * expected**2, lambda expected: expected**2, tail, valid=counts > 0
    )


def _screen(
    observed: Floats,
    weights: Floats,
    chance: Callable[[Floats], Floats],
    between: Callable[[Floats], Floats],
    tail: Callable[[Floats, float], Floats],
    valid: Mask | None = None,
    all_ordinary: bool = False,
) -> Excess:
    """Expectation and dispersion from the ordinary entities, those that stand out left out from round to round."""
    usable = weights > 0 if valid is None else (weights > 0) & valid
    if not observed[usable].sum() > 0:
        return Excess(observed, np.zeros(len(observed)), np.full(len(observed), np.nan), 0.0)
    ordinary = usable.copy()
    p = np.full(len(observed), np.nan)
    expected, tau2 = weights, 0.0
    for first in (False,) if all_ordinary else (True, *(False,) * _ROUNDS):
        level = _median_ratio if first else _ratio
        expected = weights * level(observed[ordinary], weights[ordinary])
        squares = (observed - expected) ** 2
        tau2 = _between_variance(squares[ordinary], chance(expected)[ordinary], between(expected)[ordinary], first)
        with np.errstate(invalid="ignore", divide="ignore"):
            p = np.where(usable, tail(np.where(usable, expected, 1.0), tau2), np.nan)
        part = tau2 * between(expected) / np.maximum(chance(expected) + tau2 * between(expected), 1e-300)
        p = _for_estimated_variance(p, part, int(ordinary.sum()))
        remaining = usable & ~(p < _STANDS_OUT)
        # Without anything observed among the rest there is no level to compare with.
        if not observed[remaining].sum() > 0 or (not first and (remaining == ordinary).all()):
            break
        ordinary = remaining
    return Excess(observed, expected, p, float(np.sqrt(tau2)))


def _for_estimated_variance(p: Floats, part: Floats, entities: int) -> Floats:
    """The p-values, with less certainty where few entities told how ordinary ones vary.

    ``part``: share of an entity's variance that was estimated, from so many ``entities``. A normal deviate becomes one
    of Student's t, its degrees of freedom those of the whole variance (Satterthwaite, Biometrics Bulletin 2, 1946).
    """
    freedom = max(entities - 1, 1) / np.maximum(part, 1e-3) ** 2
    # Only the upper tail is of interest, and 1e-300 is as far as the normal's quantile reaches.
    wider = special.stdtr(freedom, special.ndtri(np.clip(p, 1e-300, 1.0)))
    return np.where((p < 0.5) & (part > 0), np.maximum(wider, p), p)


def _ratio(observed: Floats, weights: Floats) -> float:
    return float(observed.sum() / weights.sum())


def _median_ratio(observed: Floats, weights: Floats) -> float:
    """The weighted median of observed / weights over the larger entities, where it is not 0.

    For the first look: an abnormal entity that is large itself would lift the plain ratio, and with it its own
    expectation, until all the others stand out on the other side.
    """
    large = weights >= np.median(weights)
    ratios, parts = observed[large] / weights[large], weights[large]
    order = np.argsort(ratios)
    middle = np.searchsorted(np.cumsum(parts[order]), parts.sum() / 2)
    return float(ratios[order][middle]) or _ratio(observed, weights)


def _between_variance(squares: Floats, chance: Floats, between: Floats, robust: bool) -> float:
    """The tau2 at which squares / (chance + tau2 between) are, on average, those of a standard normal.

    ``robust`` takes the median of the half of the entities with most information (between / chance), for a first look
    while abnormal ones are still among them; else the mean of all, which holds also for small, discrete counts (the
    moment estimator of DerSimonian and Laird, Controlled Clinical Trials 7, 1986). 0 where chance alone explains it.
    """
    used = chance > 0
    s, c, b = squares[used], chance[used], between[used]
    if len(s) < _LEAST_ENTITIES:
        return 0.0
    if robust:
        large = b / c >= np.median(b / c)
        s, c, b = s[large], c[large], b[large]
    goal = _MEDIAN_CHI_SQUARE if robust else (len(s) - 1) / len(s)

    def beyond(tau2: float) -> bool:
        scores = s / (c + tau2 * b)
        return bool((np.median(scores) if robust else np.mean(scores)) > goal)

    if not beyond(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while beyond(high) and high < 1e6:
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(middle) else (low, middle)
    return high


def _beta_binomial_tail(observed: Floats, trials: Floats, alpha: Floats, beta: Floats) -> Floats:
    """P(X ≥ observed) for each entity, summed term by term: tiny probabilities keep their digits."""
    result = np.ones(len(observed))
    for i in range(len(observed)):
        k, n = int(observed[i]), int(trials[i])
        if 0 < k <= n:
            counts = np.arange(k, n + 1)
            log_mass = (
                -np.log(n + 1)
                - special.betaln(n - counts + 1, counts + 1)
                + special.betaln(counts + alpha[i], n - counts + beta[i])
                - special.betaln(alpha[i], beta[i])
            )
            result[i] = np.exp(log_mass).sum()
    return np.clip(result, 0.0, 1.0)
