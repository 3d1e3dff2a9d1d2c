"""Ratings A to E of the entities of any table: raw, shrunk, and adjusted for their mix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.any_table.mix import adjust_for_mix
from sluice_server.domain.risk.intervals import Interval
from sluice_server.domain.risk.models.columns import Floats, TextColumn
from sluice_server.domain.risk.ratings.grades import Experience, Rating, RatingBasis, RatingGrade, rate

_SCALE = 100
"""Amounts are rated as whole hundredths."""
_CONFIDENT = 30
"""Rows with claims that it takes to tell how amounts vary."""


@dataclass(frozen=True, slots=True)
class RatingRows:
    """Any number of rows for each entity. All columns are equally long."""

    entity: TextColumn
    exposure: Floats
    claims: Floats
    amount: Floats | None = None
    premium: Floats | None = None
    """With ``amount``: the loss ratio is rated instead of the claim frequency."""
    mix: Mapping[str, TextColumn] | None = None


@dataclass(frozen=True, slots=True)
class RatedEntity:
    """An entity's grade, with its raw figure, the shrunk one and the one that its mix is taken out of."""

    entity: str
    rating: RatingGrade
    """From ``estimate``."""
    estimate: float
    """Shrunk towards the portfolio; adjusted for the mix where one is given and the entity is not nested with it."""
    lower: float
    upper: float
    """Credible interval of ``estimate``, 95 %."""
    raw: float | None
    """Claims over exposure, or amount over premium, as they are."""
    raw_interval: Interval | None
    """Confidence interval of ``raw``, 95 %: exact Poisson, or compound Poisson of a loss ratio."""
    raw_rating: RatingGrade
    """The grade without the mix taken out."""
    raw_estimate: float
    """Shrunk, without the mix taken out."""
    adjusted: float | None
    """The raw figure at the portfolio's mix; None where no mix is given."""
    adjusted_interval: Interval | None
    """Confidence interval of ``adjusted``, 95 %, the worth of the mix taken for known."""
    credibility: float
    """Weight of the entity's own data in the estimate."""
    probability_worse: float
    exposure: float
    claims: int
    amount: float | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RatedTable:
    """All entities, the most probably worse first."""

    basis: RatingBasis
    portfolio: float
    entities: tuple[RatedEntity, ...]


def rate_entities(rows: RatingRows) -> RatedTable:
    """Rates every entity of the table. Raises InvalidInput."""
    _check(rows)
    basis = RatingBasis.CLAIM_FREQUENCY if rows.premium is None else RatingBasis.LOSS_RATIO
    base = rows.exposure if rows.premium is None else rows.premium
    variation = _variation(rows) if rows.amount is not None else 1.0
    raw = {one.entity_id: one for one in rate(_experiences(rows, base, base), basis, variation)}
    if not raw:
        raise InvalidInput([Violation("claims", "there is nothing to rate by: no claims, or no exposure")])
    fair, nested = raw, {}
    if rows.mix:
        mean = rows.amount.sum() / rows.claims.sum() if rows.amount is not None and rows.premium is not None else 1.0
        seen = rows.claims if rows.premium is None or rows.amount is None else rows.amount / mean
        adjustment = adjust_for_mix(rows.entity, rows.mix, seen, base)
        nested = dict(adjustment.nested)
        fair = {one.entity_id: one for one in rate(_experiences(rows, adjustment.base, base), basis, variation)}
    amounts = None if rows.amount is None else _sums(rows, rows.amount)
    entities = [
        _entity(
            level, raw[level], fair[level], nested.get(level, ()), rows.mix, None if amounts is None else amounts[i]
        )
        for i, level in enumerate(rows.entity.levels)
        if level in raw
    ]
    entities.sort(key=lambda one: (-one.probability_worse, -one.estimate, one.entity))
    return RatedTable(basis, next(iter(raw.values())).portfolio, tuple(entities))


def _entity(
    level: str,
    raw: Rating,
    fair: Rating,
    nested: tuple[str, ...],
    mix: Mapping[str, TextColumn] | None,
    amount: float | None,
) -> RatedEntity:
    # What only this entity has cannot be taken out: its own badness would go with it.
    used = raw if nested else fair
    warnings = list(used.warnings)
    if nested:
        warnings.append(f"nested with {', '.join(nested)}: what is its own and what is the mix's cannot be told apart")
    elif mix and used.grade is not raw.grade:
        warnings.append(f"{raw.grade} before its mix is taken out")
    upper = used.adjusted_interval.upper
    assert upper is not None, "a gamma posterior has both ends"
    return RatedEntity(
        level,
        used.grade,
        used.adjusted,
        used.adjusted_interval.lower,
        upper,
        raw.raw,
        raw.raw_interval,
        raw.grade,
        raw.adjusted,
        fair.raw if mix else None,
        fair.raw_interval if mix else None,
        used.credibility,
        used.probability_worse,
        raw.exposure_years,
        raw.claims,
        amount,
        tuple(warnings),
    )


def _experiences(rows: RatingRows, base: Floats, plain: Floats) -> list[Experience]:
    """One for each entity with a base; ``base`` takes the place of exposure and premium."""
    bases, plains, claims = _sums(rows, base), _sums(rows, plain), _sums(rows, rows.claims)
    amounts = _sums(rows, rows.amount) if rows.amount is not None else np.zeros(len(bases))
    loss_ratio = rows.premium is not None
    years = _sums(rows, rows.exposure)
    return [
        Experience(
            level,
            float(years[i] if loss_ratio else bases[i]),
            round(float(claims[i])),
            round(float(amounts[i]) * _SCALE),
            round(float(bases[i]) * _SCALE) if loss_ratio else 0,
        )
        for i, level in enumerate(rows.entity.levels)
        if plains[i] > 0
    ]


def _variation(rows: RatingRows) -> float:
    """Squared coefficient of variation of one claim's amount, from rows of n claims: mean of n (mean amount/m - 1)²."""
    assert rows.amount is not None
    paid = rows.claims > 0
    if paid.sum() < _CONFIDENT or rows.amount.sum() <= 0:
        return 1.0
    n, amount = rows.claims[paid], rows.amount[paid]
    mean = amount.sum() / n.sum()
    return max(float((n * (amount / n / mean - 1) ** 2).sum() / (len(n) - 1)), 1e-6)


def _sums(rows: RatingRows, values: Floats) -> Floats:
    return np.bincount(rows.entity.codes, weights=values, minlength=len(rows.entity.levels)).astype(np.float64)


def _check(rows: RatingRows) -> None:
    violations = []
    for name, values in (("exposure", rows.exposure), ("claims", rows.claims), ("amount", rows.amount)):
        if values is not None and (values < 0).any():
            violations.append(Violation(name, f"negative in {int((values < 0).sum())} rows"))
    if (rows.claims != np.floor(rows.claims)).any():
        violations.append(Violation("claims", "must be whole numbers"))
    if rows.claims.sum() <= 0:
        violations.append(Violation("claims", "there is not one claim"))
    if violations:
        raise InvalidInput(violations)
