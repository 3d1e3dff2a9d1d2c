"""Subgroup search on the discovery half, by pysubgroup's depth-first search.

Lemmerich and Becker, "pysubgroup: Easy-to-use subgroup discovery in Python", ECML PKDD 2018. The quality is the signed
root of the Poisson deviance between a group and the rest, so that a group is as strong as its difference is unlikely.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pysubgroup as ps

from sluice_server.domain.risk.groups.difference import Difference, Sums
from sluice_server.domain.risk.groups.group import (
    MOST_LEVELS,
    Candidate,
    Condition,
    GroupSearch,
    Side,
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
    difference = Difference(y, e)
    quality = _Quality(difference, least)
    task = ps.SubgroupDiscoveryTask(frame, None, space, quality, _KEPT, search.depth, min_quality=0.0)
    with _one_search:
        found = ps.DFS().execute(task).results
    inside = {name: column.take(half) for name, column in dimensions.items()}
    candidates: list[Candidate] = []
    taken: set[bytes] = set()
    for strength, group, statistics in sorted(found, key=lambda one: (-one[0], one[1].depth, str(one[1]))):
        if strength < _WORTH_JUDGING or len(candidates) == search.proposals:
            break
        conditions = _conditions(group, dimensions)
        if not conditions:
            continue
        side = difference.side(statistics)
        rows = np.packbits(members(conditions, inside)).tobytes()
        if rows in taken:
            continue  # The same rows in other words, such as a product that is all of its line.
        if _adds(conditions, side, statistics, inside, y, e):
            taken.add(rows)
            candidates.append(Candidate(conditions, side, difference.effect(statistics), float(strength)))
    return candidates, quality.tried


class _Quality(ps.BoundedInterestingnessMeasure):  # type: ignore[misc]  # no types
    """The difference of a group from the rest, as pysubgroup asks for it."""

    def __init__(self, difference: Difference, least: float) -> None:
        self._difference = difference
        self._least = least
        self.tried = 0

    def calculate_constant_statistics(self, data: Any, target: Any) -> None:
        """Known already."""

    def calculate_statistics(self, subgroup: Any, target: Any, data: Any, statistics: Any = None) -> Sums:
        return self._difference.sums(subgroup.representation)

    def evaluate(self, subgroup: Any, target: Any, data: Any, statistics: Sums) -> float:
        if min(statistics.exposure, self._difference.whole - statistics.exposure) < self._least:
            return -float("inf")
        self.tried += 1
        return self._difference.strength(statistics)

    def optimistic_estimate(self, subgroup: Any, target: Any, data: Any, statistics: Sums) -> float:
        """Whatever a part of a group is like, it has no more exposure."""
        return float("inf") if statistics.exposure >= self._least else -float("inf")


def _adds(
    conditions: tuple[Condition, ...],
    side: Side,
    sums: Sums,
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
