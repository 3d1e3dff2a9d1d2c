"""Entities whose rows stand out among those of all entities: shops by their claims, stores by their sales.

Each indicator compares an entity with what the others' rows of the same peers (part, region) would give for as many
rows, so size alone is never abnormal, and allows for the variation between ordinary entities (`dispersion`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.any_table.indicators import (
    Indicator,
    Screened,
    bursts,
    concentration,
    cost,
    equal_amounts,
    large_amounts,
    repeats,
)
from sluice_server.domain.risk.any_table.peers import Peers
from sluice_server.domain.risk.models.columns import Codes, Floats, Mask, TextColumn
from sluice_server.domain.risk.multiple_testing import combined_p, q_values

DEFAULT_RATE = 0.01
"""Share of false findings tolerated among the flagged."""
_LEAST_MEANT = 0.05
"""An indicator with a p-value above this is no reason."""


@dataclass(frozen=True, slots=True)
class Rows:
    """One row for each claim. All columns are equally long."""

    entity: TextColumn
    amount: Floats
    """At least 0."""
    day: Floats | None = None
    """Days since 1970 where ``dated``, else any number that rises with time."""
    peers: Mapping[str, TextColumn] | None = None
    """What makes rows alike, by column; the most important first."""
    subject: Codes | None = None
    """Rows about the same thing (a device, a policy) have the same number."""
    dated: bool = True

    def take(self, rows: Mask) -> Rows:
        """Only these rows."""
        entity = self.entity.take(rows)
        # An entity whose rows are all left out is none.
        levels, codes = np.unique(entity.codes, return_inverse=True)
        return Rows(
            TextColumn(tuple(entity.levels[i] for i in levels), codes.astype(np.int64)),
            self.amount[rows],
            None if self.day is None else self.day[rows],
            None if self.peers is None else {name: column.take(rows) for name, column in self.peers.items()},
            None if self.subject is None else self.subject[rows],
            self.dated,
        )


@dataclass(frozen=True, slots=True)
class Reason:
    """One way in which an entity stands out."""

    indicator: str
    observed: float
    expected: float
    ratio: float
    p_value: float
    text: str


@dataclass(frozen=True, slots=True)
class AbnormalEntity:
    """An entity with its evidence."""

    entity: str
    volume: int
    """Its rows."""
    observed: float
    """Its amount."""
    expected: float
    """The amount that its peers' rows would have."""
    score: float
    """Minus the decimal logarithm of ``p_value``."""
    p_value: float
    q_value: float
    flagged: bool
    reasons: tuple[Reason, ...]
    """The strongest first; only those that mean something."""


def find_abnormal(rows: Rows, false_discovery_rate: float = DEFAULT_RATE) -> list[AbnormalEntity]:
    """Screens all entities, the strongest evidence first. Raises InvalidInput."""
    _check(rows)
    peers = rows.peers or {}
    entity = rows.entity.codes
    volume = np.bincount(entity, minlength=len(rows.entity.levels)).astype(np.float64)
    screened = Screened(entity, volume, Peers.of(entity, list(peers.values())))
    costs = cost(screened, rows.amount)
    indicators = [costs, large_amounts(screened, rows.amount), equal_amounts(screened, rows.amount)]
    if rows.subject is not None:
        indicators.append(repeats(screened, rows.subject))
    if rows.day is not None:
        indicators.append(bursts(screened, rows.day, rows.dated))
    indicators += [concentration(screened, name, column) for name, column in peers.items()]

    p = combined_p(np.column_stack([one.excess.p_values for one in indicators]))
    q = q_values(p)
    found = [
        AbnormalEntity(
            level,
            int(volume[i]),
            float(costs.excess.observed[i]),
            float(costs.excess.expected[i]),
            -math.log10(max(float(p[i]), 1e-300)),
            float(p[i]),
            float(q[i]),
            bool(q[i] <= false_discovery_rate),
            _reasons(indicators, i, int(volume[i])),
        )
        for i, level in enumerate(rows.entity.levels)
        if volume[i] > 0
    ]
    return sorted(found, key=lambda one: (one.p_value, -one.volume, one.entity))


def _reasons(indicators: list[Indicator], i: int, volume: int) -> tuple[Reason, ...]:
    reasons = []
    for one in indicators:
        p, seen, hoped = (
            float(values[i]) for values in (one.excess.p_values, one.excess.observed, one.excess.expected)
        )
        if p <= _LEAST_MEANT:
            ratio = seen / hoped if hoped > 0 else math.inf
            reasons.append(Reason(one.name, seen, hoped, ratio, p, one.text(i, seen, hoped, volume)))
    return tuple(sorted(reasons, key=lambda reason: reason.p_value))


def _check(rows: Rows) -> None:
    violations = []
    if (rows.amount < 0).any():
        violations.append(Violation("amount", f"negative in {int((rows.amount < 0).sum())} rows"))
    if len(rows.entity.levels) < 8:
        count = len(rows.entity.levels)
        violations.append(
            Violation("entity", f"only {count} different ones: there is nobody to compare with (8 are needed)")
        )
    if violations:
        raise InvalidInput(violations)


def area_under_curve(scores: Floats, positive: Floats) -> float:
    """Probability that a positive scores above a negative; ties count half. NaN without both."""
    ones = int((positive > 0).sum())
    zeros = len(positive) - ones
    if not ones or not zeros:
        return math.nan
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    _, place = np.unique(scores, return_inverse=True)
    mean_rank = np.bincount(place, weights=ranks) / np.bincount(place)
    total = float(mean_rank[place][positive > 0].sum())
    return (total - ones * (ones + 1) / 2) / (ones * zeros)
