"""What a channel's mix of products, devices and regions costs anywhere: for ratings with the mix taken out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sluice_server.domain.risk.any_table.mix import MixAdjustment, adjust_for_mix
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.models.columns import Floats, TextColumn
from sluice_server.domain.risk.ports import RiskReader
from sluice_server.domain.risk.ratings.grades import Experience, RatingBasis
from sluice_server.domain.risk.result_rows import Kind, ResultRows
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel

MIX_TABLE = "channel_mix"
MIX_COLUMNS: Mapping[str, Kind] = {
    "channel_id": str,
    "product_code": str,
    "product_line": str,
    "category": str,
    "region": str,
    "tier": str,
    "exposure_years": float,
    "earned_premium_minor": int,
    "claims": int,
    "incurred_minor": int,
}
_KEYS = {"channel": "channel_id"}
"""The kinds whose mix the table tells, and their column in it."""


@dataclass(frozen=True, slots=True)
class Mix:
    """The experience of all entities with what their mix is worth."""

    experiences: list[Experience]
    nested: Mapping[str, Sequence[str]]
    """Of each entity that is nested with its mix: ``column=level``."""


class MixOfVersion:
    """Takes the mix that the semantic model names for a kind out of its experience."""

    def __init__(self, model: SemanticModel, reader: RiskReader) -> None:
        self._model = model
        self._reader = reader

    async def of(
        self, entity: str, basis: RatingBasis, experiences: Sequence[Experience], stamp: DataStamp
    ) -> Mix | None:
        """None where the model names no mix for the kind, or the data version does not tell it.

        Raises DataVersionNotFound, Unavailable.
        """
        columns = self._model.entities[entity].mix if entity in self._model.entities else ()
        if not columns or entity not in _KEYS:
            return None
        rows = await self._reader.rows(MIX_TABLE, MIX_COLUMNS, stamp.data_version)
        if rows is None or not len(rows):
            return None
        return await asyncio.to_thread(_mix, rows, _KEYS[entity], columns, basis, experiences)


def _mix(
    rows: ResultRows, key: str, columns: Sequence[str], basis: RatingBasis, experiences: Sequence[Experience]
) -> Mix | None:
    claims, amounts = rows.numbers("claims"), rows.numbers("incurred_minor")
    loss_ratio = basis is RatingBasis.LOSS_RATIO
    base = np.maximum(rows.numbers("earned_premium_minor" if loss_ratio else "exposure_years"), 0.0)
    mean = amounts.sum() / claims.sum() if claims.sum() else 0.0
    observed = amounts / mean if loss_ratio and mean > 0 else claims
    if base.sum() <= 0 or observed.sum() <= 0:
        return None
    entity = rows.texts(key)
    adjustment = adjust_for_mix(entity, {name: rows.texts(name) for name in columns}, observed, base)
    worth = _worth(entity, adjustment, base)
    return Mix([replace(one, mix=worth.get(one.entity_id, 1.0)) for one in experiences], adjustment.nested)


def _worth(entity: TextColumn, adjustment: MixAdjustment, base: Floats) -> dict[str, float]:
    adjusted = np.bincount(entity.codes, weights=adjustment.base, minlength=len(entity.levels))
    plain = np.bincount(entity.codes, weights=base, minlength=len(entity.levels))
    return {
        level: float(adjusted[i] / plain[i]) if plain[i] > 0 and adjusted[i] > 0 else 1.0
        for i, level in enumerate(entity.levels)
    }
