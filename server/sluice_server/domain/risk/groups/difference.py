"""How far a group is from the rest in the half where it is proposed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import special

from sluice_server.domain.risk.groups.group import Candidate, Condition, Side, Source, members
from sluice_server.domain.risk.models.columns import Floats, Mask, TextColumn


class Sums(NamedTuple):
    """Outcomes and exposure of a group."""

    events: float
    exposure: float


class Difference:
    """Over the rows of one half."""

    def __init__(self, outcome: Floats, exposure: Floats) -> None:
        self._y, self._e = outcome, exposure
        self.events, self.whole = float(outcome.sum()), float(exposure.sum())

    def sums(self, rows: Mask) -> Sums:
        return Sums(float(self._y[rows].sum()), float(self._e[rows].sum()))

    def strength(self, sums: Sums) -> float:
        """The root of twice the log-likelihood ratio of "its rate is its own" (Poisson): standard deviations."""
        share = sums.exposure / self.whole
        rest = self.events - sums.events
        deviance = special.xlogy(sums.events, sums.events / (self.events * share)) if sums.events > 0 else 0.0
        deviance += special.xlogy(rest, rest / (self.events * (1 - share))) if rest > 0 and share < 1 else 0.0
        return float(np.sqrt(max(2 * deviance, 0.0)))

    def side(self, sums: Sums) -> Side:
        return Side.HIGHER if sums.events * self.whole >= self.events * sums.exposure else Side.LOWER

    def effect(self, sums: Sums) -> float:
        """Rate of the group over that of the rest."""
        rest, other = self.events - sums.events, self.whole - sums.exposure
        if sums.exposure <= 0 or rest <= 0:
            return float("inf") if sums.events > 0 else 0.0
        return (sums.events / sums.exposure) / (rest / other)


def described(
    conditions: tuple[Condition, ...],
    side: Side,
    source: Source,
    dimensions: Mapping[str, TextColumn],
    outcome: Floats,
    exposure: Floats,
    half: Mask,
) -> Candidate:
    """A group that somebody else proposed, with what the rows of ``half`` say of it."""
    difference = Difference(outcome[half], exposure[half])
    sums = difference.sums(members(conditions, dimensions)[half])
    return Candidate(conditions, side, difference.effect(sums), difference.strength(sums), source)
