"""Fits a model and its challenger, and holds them against what they were not fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.models.challenger import Challenger, fit_challenger
from sluice_server.domain.risk.models.columns import Floats, Mask, ModelTable, check_table
from sluice_server.domain.risk.models.design import terms_of
from sluice_server.domain.risk.models.factors import FactorDefinition, Scale, make_scale
from sluice_server.domain.risk.models.glm import Family, FittedGlm, fit_glm
from sluice_server.domain.risk.models.large_claims import LargeClaims, cap_large_claims
from sluice_server.domain.risk.models.leakage import LeakageCheck, LeakageFound, check_leakage
from sluice_server.domain.risk.models.split import Split, given_split, make_split
from sluice_server.domain.risk.models.validation import DataSet, Validation, validate

MOST_TERMS = 1_500
"""Levels of all factors beside the base levels: the fit's memory grows with their square, its time with their cube."""


@dataclass(frozen=True, slots=True)
class ModelDefinition:
    """What is to be fitted."""

    factors: tuple[FactorDefinition, ...]
    large_claim: float | None = None
    """Threshold of large claims, in the unit of the amounts; None: the greatest hundredth."""
    allow_leakage: bool = False
    """Fit although the leakage check fails: to compare with a published split. Such a model never passes."""
    with_challenger: bool = True
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Severity:
    """Amount of a claim: a gamma GLM on capped amounts, times the loading for large ones."""

    glm: FittedGlm
    large_claims: LargeClaims

    def predict(self, table: ModelTable) -> Floats:
        """Expected amount of a claim of each row, large claims included."""
        return self.glm.predict(table.factors) * self.large_claims.loading


@dataclass(frozen=True, slots=True)
class FittedModel:
    """A fitted model with everything that speaks for and against it."""

    definition: ModelDefinition
    split: Split
    leakage: tuple[LeakageCheck, ...]
    frequency: FittedGlm
    severity: Severity | None
    challenger: Challenger | None
    validation: Validation
    unseen: dict[str, int]
    """Of each factor: held-out rows whose value was not learned."""


def fit_model(table: ModelTable, definition: ModelDefinition, learn: Mask | None = None) -> FittedModel:
    """Fits on the learning rows and validates on the others.

    ``learn`` states the split; without it groups, the last part of time or both are held out (`make_split`). Raises
    InvalidInput for a table without use, LeakageFound before anything is fitted, ModelNotFitted.
    """
    check_table(table)
    _check_definition(table, definition)
    split = make_split(table, definition.seed) if learn is None else given_split(table, learn)
    leakage = leakage_of(table, split, definition.seed)
    if not definition.allow_leakage and not all(check.passed for check in leakage):
        raise LeakageFound(leakage)

    known, asked = table.take(split.learn), table.take(split.held_out)
    scales = _scales(definition.factors, known)
    frequency = fit_glm(Family.POISSON, scales, known.factors, known.claims, known.effective_exposure(), known.group)
    challenger = None
    if definition.with_challenger:
        challenger = fit_challenger(
            definition.factors, known.factors, known.claims, known.effective_exposure(), known.group, definition.seed
        )
    severity = fit_severity(known, definition, scales) if known.amount is not None else None
    held_out = [DataSet(name, table.take(mask)) for name, mask in split.parts.items() if table.claims[mask].sum() > 0]
    return FittedModel(
        definition,
        split,
        tuple(leakage),
        frequency,
        severity,
        challenger,
        validate(frequency, challenger, DataSet("learn", known), held_out, leakage, severity, definition.seed),
        {scale.name: scale.unseen(asked.factors[scale.name]) for scale in scales},
    )


def leakage_of(table: ModelTable, split: Split, seed: int) -> list[LeakageCheck]:
    """The leakage checks of the sternest held-out part."""
    return check_leakage(table, split.learn, split.held_out, seed)


def fit_severity(table: ModelTable, definition: ModelDefinition, scales: Sequence[Scale]) -> Severity:
    """Fits the amount of a claim, by the scales of the frequency, on the rows that have one.

    Raises InvalidInput where no row has.
    """
    assert table.amount is not None
    paid = (table.claims > 0) & (table.amount > 0)
    if not paid.any():
        raise InvalidInput([Violation("amount", "no claim has an amount")])
    rows = table.take(paid)
    assert rows.amount is not None
    large = cap_large_claims(rows.amount, rows.claims, definition.large_claim)
    glm = fit_glm(Family.GAMMA, scales, rows.factors, large.capped, rows.claims, rows.group)
    return Severity(glm, large)


def _scales(definitions: Sequence[FactorDefinition], known: ModelTable) -> list[Scale]:
    exposure = known.effective_exposure()
    scales: list[Scale] = []
    violations: list[Violation] = []
    for definition in definitions:
        try:
            scales.append(make_scale(definition, known.factors[definition.name], known.claims, exposure))
        except InvalidInput as wrong:
            violations += wrong.violations
    wide = {scale.name: len(terms_of([scale])) for scale in scales}
    if sum(wide.values()) > MOST_TERMS:
        widest = max(wide, key=lambda name: wide[name])
        text = f"has {wide[widest]:,} levels; all factors together may have {MOST_TERMS:,}: leave it out, or group them"
        violations.append(Violation(f"factor {widest}", text))
    if violations:
        raise InvalidInput(violations)
    return scales


def _check_definition(table: ModelTable, definition: ModelDefinition) -> None:
    violations = []
    names = [factor.name for factor in definition.factors]
    for name in sorted({name for name in names if names.count(name) > 1}):
        violations.append(Violation(f"factor {name}", "is given twice"))
    for name in names:
        if name not in table.factors:
            violations.append(Violation(f"factor {name}", f"no such column; there are: {', '.join(table.factors)}"))
    if definition.large_claim is not None and not (np.isfinite(definition.large_claim) and definition.large_claim > 0):
        violations.append(Violation("large_claim", "must be above 0"))
    if violations:
        raise InvalidInput(violations)
