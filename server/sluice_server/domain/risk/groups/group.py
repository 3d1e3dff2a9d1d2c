"""What a risk group is, how groups are sought, and what the hold-out half says about one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from sluice_server.domain.risk.intervals import Interval
from sluice_server.domain.risk.models.columns import Mask, TextColumn

MOST_LEVELS = 30
"""Of a dimension only its levels with the greatest exposure are tried."""


class Side(StrEnum):
    """How a group differs from the rest."""

    HIGHER = "higher"
    LOWER = "lower"


class Source(StrEnum):
    """Who proposed a group."""

    LLM = "LLM"
    SEARCH = "SEARCH"


@dataclass(frozen=True, slots=True)
class GroupSearch:
    """How groups are sought and judged."""

    depth: int = 2
    """Most conditions of a group."""
    proposals: int = 20
    """Most groups of one source that reach the hold-out half; the false discovery rate is controlled over so many."""
    minimum_share: float = 0.01
    """Least share of the exposure that a group must have, in either half."""
    minimum_events: float = 5
    """Least outcomes that a proposed group's exposure would give in the hold-out half at the mean rate."""
    false_discovery_rate: float = 0.01
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Condition:
    """One level of one column."""

    dimension: str
    value: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A group as it is proposed: its conditions, and to which side it is said to differ."""

    conditions: tuple[Condition, ...]
    side: Side
    effect: float
    """Rate of the group over that of the rest in the discovery half."""
    strength: float
    """How far it is from the rest there, in standard deviations."""
    source: Source = Source.SEARCH
    also_by_search: bool = False
    """Proposed by the language model and found by the search as well."""

    @property
    def key(self) -> frozenset[Condition]:
        return frozenset(self.conditions)


@dataclass(frozen=True, slots=True)
class JudgedGroup:
    """A proposed group, with what the hold-out half says about it."""

    conditions: tuple[Condition, ...]
    side: Side
    accepted: bool
    refusal: str
    """Why it was refused; empty when accepted."""
    discovery_effect: float
    """Rate of the group over that of the rest in the half where it was found: flattered by the search."""
    effect: float
    """The same in the hold-out half."""
    effect_interval: Interval
    p_value: float
    q_value: float
    exposure: float
    outcomes: float
    source: Source = Source.SEARCH
    also_by_search: bool = False


def members(conditions: tuple[Condition, ...], dimensions: Mapping[str, TextColumn]) -> Mask:
    """The rows of a group. A level that the column lacks has none."""
    masks = []
    for one in conditions:
        column = dimensions[one.dimension]
        code = column.levels.index(one.value) if one.value in column.levels else -1
        masks.append(column.codes == code)
    return np.asarray(np.logical_and.reduce(masks))
