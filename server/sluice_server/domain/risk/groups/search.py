"""Subgroup search on the discovery half, by pysubgroup's depth-first search.

Lemmerich and Becker, "pysubgroup: Easy-to-use subgroup discovery in Python", ECML PKDD 2018. The quality is the signed
root of the Poisson deviance between a group and the rest, so that a group is as strong as its difference is unlikely.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pysubgroup as ps
from scipy import special

from sluice_server.domain.risk.groups.group import (
    MOST_LEVELS,
    Candidate,
    Condition,
    GroupSearch,
    Side,
    Source,
    members,
)
from sluice_server.domain.risk.models.columns import Floats, Mask, TextColumn

_WORTH_JUDGING = 1.645
"""Standard deviations from the rest that a group must have in the discovery half to be proposed. Low, because what
decides is the hold-out half: a group that chance made small where it was sought may still be shown there."""
_KEPT = 2_000
_one_search = threading.Lock()
"""pysubgroup keeps the number of rows in a class: two searches at once would mix them up."""


def propose(
    dimensions: Mapping[str, TextColumn], outcome: Floats, exposure: Floats, half: Mask, search: GroupSearch
) -> tuple[list[Candidate], int]:
    """The strongest differences of the rows of ``half``, without those that a part of their conditions explains, and
    how many combinations were looked at."""
    y, e = outcome[half], exposure[half]
    rate = float(y.sum() / e.sum())
    least = max(search.minimum_share * float(e.sum()), search.minimum_events / rate if rate > 0 else np.inf)
    frame = pd.DataFrame({name: column.codes[half] for name, column in dimensions.items()})
    space = [
        ps.EqualitySelector(name, int(i)) for name, column in dimensions.items() for i in _greatest(column, exposure)
    ]
    quality = _Difference(y, e, least)
    task = ps.SubgroupDiscoveryTask(frame, None, space, quality, _KEPT, search.depth, min_quality=0.0)
    with _one_search:
        found = ps.DFS().execute(task).results
    inside = {name: column.take(half) for name, column in dimensions.items()}
    candidates: list[Candidate] = []
    for strength, group, statistics in sorted(found, key=lambda one: (-one[0], str(one[1]))):
        if strength < _WORTH_JUDGING or len(candidates) == search.proposals:
            break
        conditions = _conditions(group, dimensions)
        if not conditions:
            continue
        side = quality.side(statistics)
        if _adds(conditions, side, statistics, inside, y, e):
            candidates.append(Candidate(conditions, side, quality.effect(statistics), float(strength)))
    return candidates, quality.tried


def described(
    conditions: tuple[Condition, ...],
    side: Side,
    source: Source,
    dimensions: Mapping[str, TextColumn],
    outcome: Floats,
    exposure: Floats,
    half: Mask,
) -> Candidate:
    """A group that somebody else proposed, with what the discovery half says of it."""
    inside = members(conditions, dimensions)[half]
    y, e = outcome[half], exposure[half]
    quality = _Difference(y, e, 0.0)
    statistics = quality.of(inside)
    return Candidate(conditions, side, quality.effect(statistics), quality.strength(statistics), source)


class _Sums(NamedTuple):
    events: float
    exposure: float


class _Difference(ps.BoundedInterestingnessMeasure):  # type: ignore[misc]  # no types
    """Quality of a group for pysubgroup: the root of twice the log-likelihood ratio of "its rate is its own"."""

    def __init__(self, outcome: Floats, exposure: Floats, least: float) -> None:
        self._y, self._e, self._least = outcome, exposure, least
        self._events, self._whole = float(outcome.sum()), float(exposure.sum())
        self.tried = 0

    def calculate_constant_statistics(self, data: Any, target: Any) -> None:
        """Known already."""

    def calculate_statistics(self, subgroup: Any, target: Any, data: Any, statistics: Any = None) -> _Sums:
        return self.of(subgroup.representation)

    def of(self, rows: Mask) -> _Sums:
        return _Sums(float(self._y[rows].sum()), float(self._e[rows].sum()))

    def evaluate(self, subgroup: Any, target: Any, data: Any, statistics: _Sums) -> float:
        if statistics.exposure < self._least or self._whole - statistics.exposure < self._least:
            return -float("inf")
        self.tried += 1
        return self.strength(statistics)

    def optimistic_estimate(self, subgroup: Any, target: Any, data: Any, statistics: _Sums) -> float:
        """Whatever a part of a group is like, it has no more exposure."""
        return float("inf") if statistics.exposure >= self._least else -float("inf")

    def strength(self, sums: _Sums) -> float:
        share = sums.exposure / self._whole
        rest = self._events - sums.events
        deviance = special.xlogy(sums.events, sums.events / (self._events * share)) if sums.events > 0 else 0.0
        deviance += special.xlogy(rest, rest / (self._events * (1 - share))) if rest > 0 else 0.0
        return float(np.sqrt(max(2 * deviance, 0.0)))

    def side(self, sums: _Sums) -> Side:
        return Side.HIGHER if sums.events * self._whole >= self._events * sums.exposure else Side.LOWER

    def effect(self, sums: _Sums) -> float:
        rest, other = self._events - sums.events, self._whole - sums.exposure
        if sums.exposure <= 0 or rest <= 0:
            return float("inf") if sums.events > 0 else 0.0
        return (sums.events / sums.exposure) / (rest / other)


def _adds(
    conditions: tuple[Condition, ...],
    side: Side,
    sums: _Sums,
    inside: Mapping[str, TextColumn],
    y: Floats,
    e: Floats,
) -> bool:
    """True where the group differs also from each group with one condition less, by two standard deviations."""
    if len(conditions) == 1:
        return True
    for fewer in itertools.combinations(conditions, len(conditions) - 1):
        outer = members(fewer, inside)
        expected = float(y[outer].sum()) / float(e[outer].sum()) * sums.exposure
        if expected <= 0:
            return False
        excess = (sums.events - expected) / np.sqrt(expected)
        if (excess if side is Side.HIGHER else -excess) < 2:
            return False
    return True


def _conditions(group: Any, dimensions: Mapping[str, TextColumn]) -> tuple[Condition, ...]:
    chosen = {one.attribute_name: one.attribute_value for one in group.selectors}
    return tuple(Condition(name, dimensions[name].levels[chosen[name]]) for name in dimensions if name in chosen)


def _greatest(column: TextColumn, exposure: Floats) -> Sequence[int]:
    years = np.bincount(column.codes, weights=exposure, minlength=len(column.levels))
    order = np.argsort(-years, kind="stable")[:MOST_LEVELS]
    return [int(i) for i in order if years[i] > 0]
