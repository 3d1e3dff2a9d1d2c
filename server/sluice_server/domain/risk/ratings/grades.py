"""Grades A to E of entities against the portfolio, by posterior tail probabilities. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from sluice_server.domain.risk.intervals import Interval, compound_poisson, poisson_rate
from sluice_server.domain.risk.ratings.shrinkage import Posterior, fit_prior, quasi_counts
from sluice_server.domain.risk.semantic.semantic_model import IntervalMethod


class RatingBasis(StrEnum):
    """What is rated."""

    CLAIM_FREQUENCY = "CLAIM_FREQUENCY"
    LOSS_RATIO = "LOSS_RATIO"


class RatingGrade(StrEnum):
    """A is far better than the portfolio, E far worse, C not distinguishable from it."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    UNRATED = "UNRATED"


@dataclass(frozen=True, slots=True)
class RatingScale:
    """When a grade is given.

    E: worse than the portfolio by ``margin`` with probability ``far_certainty``; D: worse at all with ``certainty``;
    A and B likewise on the good side; C: nothing of it can be said.
    """

    margin: float = 1.25
    far_certainty: float = 0.8
    certainty: float = 0.9

    def grade(self, posterior: Posterior) -> RatingGrade:
        if posterior.above(self.margin) >= self.far_certainty:
            return RatingGrade.E
        if 1 - posterior.above(1 / self.margin) >= self.far_certainty:
            return RatingGrade.A
        if posterior.above(1.0) >= self.certainty:
            return RatingGrade.D
        if 1 - posterior.above(1.0) >= self.certainty:
            return RatingGrade.B
        return RatingGrade.C


@dataclass(frozen=True, slots=True)
class Experience:
    """What one entity has behind it, over all months of the data version. Amounts in minor units."""

    entity_id: str
    exposure_years: float
    claims: int
    incurred: int
    earned_premium: int
    reported_share: float = 1.0
    """Share of its claims that can be known by the watermark, by the age of its exposure. Above 0."""
    mix: float = 1.0
    """What its mix of products costs anywhere, over what the portfolio's mix does."""


@dataclass(frozen=True, slots=True)
class MixRating:
    """An entity's figure had it the portfolio's mix."""

    figure: float | None
    interval: Interval | None
    adjusted: float
    """Shrunk."""
    adjusted_interval: Interval
    grade: RatingGrade


@dataclass(frozen=True, slots=True)
class Rating:
    """A rated entity: the raw and the shrunk figure side by side, in the unit of the basis.

    The raw figure is as in the data; the shrunk one and the portfolio's have the late claims in them.
    """

    entity_id: str
    basis: RatingBasis
    grade: RatingGrade
    raw: float | None
    raw_interval: Interval | None
    adjusted: float
    adjusted_interval: Interval
    credibility: float
    portfolio: float
    relative_risk: float
    """Posterior mean of the entity's figure over the portfolio's."""
    probability_better: float
    """Better than the portfolio by the margin of the scale."""
    probability_worse: float
    """Worse than the portfolio at all."""
    probability_much_worse: float
    """Worse than the portfolio by the margin of the scale."""
    exposure_years: float
    claims: int
    expected_claims: float
    warnings: tuple[str, ...]
    developed: float | None = None
    """The raw figure with its late claims, and at the portfolio's mix where the experience has one."""
    developed_interval: Interval | None = None
    reported_share: float = 1.0
    mix: MixRating | None = None
    """Beside: what is left when the mix is taken out. None where it is not known."""


def rate(
    experiences: Sequence[Experience],
    basis: RatingBasis,
    squared_variation: float,
    level: float = 0.95,
    scale: RatingScale = RatingScale(),
) -> list[Rating]:
    """Rates every entity against all of them together, the most probably worse first.

    ``squared_variation``: squared coefficient of variation of one claim's amount; used for LOSS_RATIO only.
    """
    claims = np.array([e.claims for e in experiences], dtype=np.float64)
    if basis is RatingBasis.CLAIM_FREQUENCY:
        base = np.array([e.exposure_years for e in experiences], dtype=np.float64)
        amounts, observed = claims, claims
    else:
        base = np.array([e.earned_premium for e in experiences], dtype=np.float64)
        amounts = np.array([e.incurred for e in experiences], dtype=np.float64)
        mean = float(amounts.sum() / claims.sum()) if claims.sum() else 0.0
        observed = quasi_counts(amounts, mean, squared_variation)
    plain = np.maximum(base, 0.0)  # Refunds may exceed the premium earned; such an entity has nothing to be rated by.
    base = plain * np.array([e.reported_share * e.mix for e in experiences], dtype=np.float64)
    if base.sum() <= 0 or observed.sum() <= 0:
        return []
    portfolio = float(amounts.sum() / base.sum())
    expected = base * (observed.sum() / base.sum())
    prior = fit_prior(observed, expected)

    ratings = []
    for i, experience in enumerate(experiences):
        posterior = prior.posterior(float(observed[i]), float(expected[i]))
        lower, upper = posterior.central(level)
        rated = base[i] > 0
        ratings.append(
            Rating(
                entity_id=experience.entity_id,
                basis=basis,
                grade=scale.grade(posterior) if rated else RatingGrade.UNRATED,
                raw=float(amounts[i] / plain[i]) if rated else None,
                raw_interval=_interval(experience, float(plain[i]), basis, squared_variation, level),
                adjusted=posterior.mean * portfolio,
                adjusted_interval=Interval(lower * portfolio, upper * portfolio, level, IntervalMethod.GAMMA_POSTERIOR),
                credibility=prior.credibility(float(expected[i])),
                portfolio=portfolio,
                relative_risk=posterior.mean,
                probability_better=1 - posterior.above(1 / scale.margin),
                probability_worse=posterior.above(1.0),
                probability_much_worse=posterior.above(scale.margin),
                exposure_years=experience.exposure_years,
                claims=experience.claims,
                expected_claims=float(base[i] * claims.sum() / base.sum()),
                warnings=_warnings(len(experiences), prior.credibility(float(expected[i]))),
                developed=float(amounts[i] / base[i]) if rated else None,
                developed_interval=_interval(experience, float(base[i]), basis, squared_variation, level),
                reported_share=experience.reported_share,
            )
        )
    return sorted(ratings, key=lambda r: (-r.probability_worse, -r.adjusted, r.entity_id))


def _interval(
    experience: Experience, base: float, basis: RatingBasis, squared_variation: float, level: float
) -> Interval | None:
    if basis is RatingBasis.CLAIM_FREQUENCY:
        return poisson_rate(experience.claims, base, level)
    return compound_poisson(experience.incurred, base, experience.claims, squared_variation, level)


def beside_mix(
    plain: Sequence[Rating], adjusted: Sequence[Rating], nested: Mapping[str, Sequence[str]]
) -> list[Rating]:
    """The ratings with those of the same entities at the portfolio's mix beside them, and what is to be said of it.

    ``nested``: entities of which a mix is nearly only theirs, with it. What their figure owes to it cannot be told.
    """
    by_id = {one.entity_id: one for one in adjusted}
    return [_beside(one, by_id[one.entity_id], nested.get(one.entity_id, ())) for one in plain]


def _beside(one: Rating, fair: Rating, nested: Sequence[str]) -> Rating:
    warnings = list(one.warnings)
    if nested:
        warnings.append(f"nested with {', '.join(nested)}: what is its own and what is the mix's cannot be told apart")
    elif fair.grade is not one.grade:
        warnings.append(f"{fair.grade} once its mix is taken out")
    mix = MixRating(fair.developed, fair.developed_interval, fair.adjusted, fair.adjusted_interval, fair.grade)
    return replace(one, mix=mix, warnings=tuple(warnings))


def _warnings(entities: int, credibility: float) -> tuple[str, ...]:
    warnings = []
    if entities == 1:
        warnings.append("the only one of its kind: it is compared with itself")
    if credibility < 0.2:
        warnings.append(f"rests on the portfolio for {1 - credibility:.0%}: too little data of its own")
    return tuple(warnings)
