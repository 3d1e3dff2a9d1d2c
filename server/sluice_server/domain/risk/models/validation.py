"""How well a model predicts what it was not fitted on, and whether that is enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

import numpy as np

from sluice_server.domain.risk.intervals import Interval, poisson_rate
from sluice_server.domain.risk.models.challenger import Challenger
from sluice_server.domain.risk.models.columns import Floats, ModelTable
from sluice_server.domain.risk.models.deviance import gamma_deviance, poisson_deviances
from sluice_server.domain.risk.models.glm import FittedGlm
from sluice_server.domain.risk.models.leakage import LeakageCheck
from sluice_server.domain.risk.models.lift import (
    DoubleLiftBin,
    LiftBin,
    Segment,
    calibration,
    double_lift,
    gini,
    lift,
)
from sluice_server.domain.risk.models.stability import PopulationStability, bootstrap_mean, population_stability

_TOLERATED = 1.1
"""Claims over expected, or the reverse, that a model may be off by."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """Rows with the name they go by."""

    name: str
    table: ModelTable


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One thing that a model must withstand."""

    name: str
    passed: bool
    value: float
    limit: float
    explanation: str


@dataclass(frozen=True, slots=True)
class Figures:
    """A model on one data set."""

    data_set: str
    rows: int
    exposure: float
    claims: float
    null_deviance: float
    """Mean Poisson deviance of a row under the learned mean frequency."""
    deviance: float
    deviance_interval: Interval
    gini: float
    actual_to_expected: float
    """Claims over expected claims."""
    challenger_deviance: float | None
    challenger_gini: float | None
    challenger_gain: float | None
    """Deviance of the GLM less that of the challenger."""
    challenger_gain_interval: Interval | None


@dataclass(frozen=True, slots=True)
class Validation:
    """All that is known of a model. ``passed`` when every check is."""

    figures: tuple[Figures, ...]
    """The learning rows first, then what was held out."""
    checks: tuple[GateCheck, ...]
    lift: tuple[LiftBin, ...]
    double_lift: tuple[DoubleLiftBin, ...]
    segments: tuple[Segment, ...]
    stability: PopulationStability
    severity_deviance: dict[str, float]
    """Gamma deviance for each claim, by data set, large claims included."""

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


class SeverityModel(Protocol):
    """What validation asks of a severity."""

    def predict(self, table: ModelTable) -> Floats:
        """Expected amount of a claim of each row."""
        ...


def validate(
    frequency: FittedGlm,
    challenger: Challenger | None,
    learned: DataSet,
    held_out: Sequence[DataSet],
    leakage: Sequence[LeakageCheck],
    severity: SeverityModel | None = None,
    seed: int = 1,
) -> Validation:
    """Computes every figure and check; lift, segments and stability are of the first of ``held_out``."""
    base = float(learned.table.claims.sum() / learned.table.effective_exposure().sum())
    figures = [_figures(part, frequency, challenger, base, seed) for part in (learned, *held_out)]
    asked = held_out[0].table
    exposure = asked.effective_exposure()
    predicted = frequency.predict(asked.factors)
    second = challenger.predict(asked.factors) if challenger is not None else None
    segments = calibration(asked.claims, predicted * exposure, exposure, frequency.scales, asked.factors)
    stability = population_stability(
        frequency.predict(learned.table.factors),
        learned.table.effective_exposure(),
        predicted,
        exposure,
        learned.table.group,
        asked.group,
        seed,
    )
    return Validation(
        tuple(figures),
        tuple(_checks(figures[1], asked, predicted, segments, stability, leakage, seed)),
        tuple(lift(asked.claims, exposure, predicted)),
        tuple(double_lift(asked.claims, exposure, predicted, second)) if second is not None else (),
        tuple(segments),
        stability,
        _severity_deviances(severity, (learned, *held_out)),
    )


def _figures(part: DataSet, frequency: FittedGlm, challenger: Challenger | None, base: float, seed: int) -> Figures:
    table, exposure = part.table, part.table.effective_exposure()
    predicted = frequency.predict(table.factors)
    deviances = poisson_deviances(table.claims, predicted * exposure)
    challenger_deviance = challenger_gini = gain = None
    gain_interval = None
    if challenger is not None:
        other = challenger.predict(table.factors)
        others = poisson_deviances(table.claims, other * exposure)
        challenger_deviance, challenger_gini = float(others.mean()), gini(table.claims, exposure, other)
        gain = float((deviances - others).mean())
        gain_interval = bootstrap_mean(deviances - others, table.group, seed=seed)
    return Figures(
        part.name,
        len(table),
        float(exposure.sum()),
        float(table.claims.sum()),
        float(poisson_deviances(table.claims, base * exposure).mean()),
        float(deviances.mean()),
        bootstrap_mean(deviances, table.group, seed=seed),
        gini(table.claims, exposure, predicted),
        float(table.claims.sum() / (predicted * exposure).sum()),
        challenger_deviance,
        challenger_gini,
        gain,
        gain_interval,
    )


def _checks(
    figures: Figures,
    asked: ModelTable,
    predicted: Floats,
    segments: Sequence[Segment],
    stability: PopulationStability,
    leakage: Sequence[LeakageCheck],
    seed: int,
) -> list[GateCheck]:
    checks = [
        GateCheck(f"leakage_{c.name}", c.passed, c.repeated_share - c.chance_share, c.limit, c.explanation)
        for c in leakage
    ]
    gain = figures.null_deviance - figures.deviance
    checks.append(
        GateCheck(
            "better_than_the_mean",
            gain > 0,
            gain,
            0.0,
            f"deviance {figures.deviance:.5f} against {figures.null_deviance:.5f} of the mean frequency",
        )
    )
    checks.append(GateCheck("orders", figures.gini > 0, figures.gini, 0.0, "Gini of the predictions, above 0"))
    checks.append(_level(figures, asked, predicted, seed))
    checks.append(_segments(segments))
    checks.append(
        GateCheck(
            "stability",
            not stability.drifted,
            stability.index,
            stability.limit,
            "population stability index of the predictions, against what chance alone makes",
        )
    )
    return checks


def _level(figures: Figures, asked: ModelTable, predicted: Floats, seed: int) -> GateCheck:
    """Total claims over expected, allowed to leave 1 by a tenth beyond its interval."""
    expected = float((predicted * asked.effective_exposure()).sum())
    interval = poisson_rate(float(asked.claims.sum()), expected, 0.99)
    assert interval is not None
    assert interval.upper is not None
    passed = interval.lower <= _TOLERATED and interval.upper >= 1 / _TOLERATED
    text = (
        f"{asked.claims.sum():.0f} claims where {expected:.1f} were expected; "
        f"their ratio is {interval.lower:.3f} to {interval.upper:.3f}"
    )
    return GateCheck("level", passed, figures.actual_to_expected, _TOLERATED, text)


def _segments(segments: Sequence[Segment]) -> GateCheck:
    """The segment that is farthest from its expectation."""
    limit = _segment_limit(len(segments))
    worst = max(segments, key=_beyond)
    text = f"worst: {worst.factor} {worst.level}, {worst.claims:.0f} claims where {worst.expected:.1f} were expected"
    return GateCheck("segments", _beyond(worst) <= limit, _beyond(worst), limit, text)


def _beyond(segment: Segment) -> float:
    """Root of the Poisson deviance from the nearest expectation within a tenth of the model's; 0 within the tenth.

    The size of a standard normal where the expectation is a tenth off, smaller where it is right: on millions of rows
    no model is exactly right, and one that is off by a hundredth need not be refused.
    """
    nearest = float(np.clip(segment.claims, segment.expected / _TOLERATED, segment.expected * _TOLERATED))
    return float(np.sqrt(poisson_deviances(np.array([segment.claims]), np.array([nearest]))[0]))


def _segment_limit(segments: int) -> float:
    """What the worst of so many segments stays below in 99 of 100 models that are nowhere off by more than a tenth."""
    return NormalDist().inv_cdf(1 - 0.005 / max(segments, 1))


def _severity_deviances(severity: SeverityModel | None, parts: Sequence[DataSet]) -> dict[str, float]:
    if severity is None:
        return {}
    result = {}
    for part in parts:
        table = part.table
        assert table.amount is not None
        paid = table.take((table.claims > 0) & (table.amount > 0))
        if len(paid) and paid.amount is not None:
            predicted = severity.predict(paid)
            result[part.name] = gamma_deviance(paid.amount / paid.claims, predicted, paid.claims)
    return result
