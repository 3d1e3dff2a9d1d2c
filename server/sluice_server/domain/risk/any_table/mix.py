"""What an entity's mix (of products, of devices) would cost anywhere: effects fitted beside those of the entities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sluice_server.domain.risk.models.columns import Floats, TextColumn

_ROUNDS = 200
_CLOSE = 1e-8
_PRIOR = 0.5
"""Claims as expected that every level has beforehand: one without claims keeps a small effect, not 0."""
NESTED_SHARE = 0.95
"""An entity and a level that have this share of each other's exposure cannot be told apart."""


@dataclass(frozen=True, slots=True)
class MixAdjustment:
    """The base of each row times what its mix is worth."""

    base: Floats
    """Sums to that of the rows, so that the portfolio's level stays."""
    nested: Mapping[str, tuple[str, ...]]
    """Of each entity that is nested with its mix: ``column=level``. Its adjusted figure says nothing of its own."""


def adjust_for_mix(entity: TextColumn, mix: Mapping[str, TextColumn], observed: Floats, base: Floats) -> MixAdjustment:
    """Fits ``observed = base × entity × mix₁ × mix₂ …`` and returns ``base × mix₁ × mix₂ …``.

    Marginal totals of every column are met (Bailey, "Insurance rates with minimum bias", PCAS 50, 1963), which is the
    Poisson GLM of main effects; ``observed`` counts claims, or amounts over their mean. The effects stand beside those
    of the entities, so that a bad entity does not make its products look bad.
    """
    columns = [entity, *mix.values()]
    effects = [np.ones(len(column.levels)) for column in columns]
    seen = [np.bincount(c.codes, weights=observed, minlength=len(c.levels)) for c in columns]
    level = observed.sum() / base.sum()
    for _ in range(_ROUNDS):
        moved = 0.0
        for i, column in enumerate(columns):
            fitted = base * level
            for other, effect in zip(columns, effects, strict=True):
                fitted = fitted * effect[other.codes]
            at_one = np.bincount(column.codes, weights=fitted, minlength=len(column.levels)) / effects[i]
            effect = (seen[i] + _PRIOR) / (at_one + _PRIOR)
            moved = max(moved, float(np.abs(np.log(effect / effects[i])).max()))
            effects[i] = effect
        if moved < _CLOSE:
            break
    worth = base.copy()
    for column, effect in zip(columns[1:], effects[1:], strict=True):
        worth = worth * effect[column.codes]
    return MixAdjustment(worth * (base.sum() / worth.sum()), _nested(entity, mix, base))


def _nested(entity: TextColumn, mix: Mapping[str, TextColumn], base: Floats) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    of_entity = np.bincount(entity.codes, weights=base, minlength=len(entity.levels))
    for name, column in mix.items():
        levels = len(column.levels)
        if levels < 2:
            continue
        of_level = np.bincount(column.codes, weights=base, minlength=levels)
        together = np.bincount(
            entity.codes * levels + column.codes, weights=base, minlength=len(entity.levels) * levels
        )
        shares = together.reshape(-1, levels)
        rows, places = np.nonzero(
            (shares > 0) & (shares >= NESTED_SHARE * of_entity[:, None]) & (shares >= NESTED_SHARE * of_level[None, :])
        )
        for i, j in zip(rows, places, strict=True):
            found.setdefault(entity.levels[i], []).append(f"{name}={column.levels[j]}")
    return {who: tuple(levels) for who, levels in found.items()}
