"""Where the excess of an abnormal entity lies: the months (and parts) whose claims a person should look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluice_server.domain.risk.anomalies.screening import Indicator, Screened
from sluice_server.domain.risk.experience import EntitySums, read_sums
from sluice_server.domain.risk.ports import RiskReader
from sluice_server.domain.risk.semantic.question import Filter
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel

MOST_PLACES = 3
"""Of each indicator."""

_STORE_MEASURES = {
    "claim_frequency": ("claims", "exposure_years"),
    "early_claims": ("early_claims", "claims"),
    "claim_cost": ("incurred", "claims"),
}
"""By indicator: what was counted, and in proportion to what it was to be expected."""
_SHOP_MEASURES = {
    "repeat_claims": ("shop_repeat_claims", "shop_claims"),
    "early_claims": ("shop_early_claims", "shop_claims"),
    "cost_against_peers": ("shop_incurred", "shop_expected_incurred"),
}
_KINDS = {
    "store": (("store", "month"), _STORE_MEASURES),
    "repair_shop": (("repair_shop", "part", "month"), _SHOP_MEASURES),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Claims by dimension, such as ``part`` and ``month``: what was seen of an indicator there and what expected."""

    dimensions: Mapping[str, str]
    observed: float
    expected: float


Evidence = Mapping[str, Mapping[str, Sequence[Place]]]
"""By entity's id and indicator's name, the greatest excess first."""


class FindEvidence:
    """Reads the months of those entities alone that are shown."""

    def __init__(self, model: SemanticModel, reader: RiskReader) -> None:
        self._model = model
        self._reader = reader

    async def of(self, entity: str, screened: Sequence[Screened], data_version: int) -> Evidence:
        """Raises DataVersionNotFound, Unavailable."""
        if not screened:
            return {}
        dimensions, measures = _KINDS[entity]
        names = tuple(dict.fromkeys(name for pair in measures.values() for name in pair))
        only = Filter(entity, any_of=tuple(one.entity_id for one in screened))
        sums = await read_sums(self._model, self._reader, dimensions, names, data_version, (only,))
        rows: dict[str, list[EntitySums]] = {}
        for group in sums.groups:
            rows.setdefault(group.keys[entity], []).append(group)
        return {
            one.entity_id: {
                indicator.name: _places(
                    indicator, rows.get(one.entity_id, ()), dimensions[1:], *measures[indicator.name]
                )
                for indicator in one.indicators
                if indicator.name in measures
            }
            for one in screened
        }


def _places(
    indicator: Indicator, rows: Sequence[EntitySums], dimensions: Sequence[str], counted: str, weight: str
) -> tuple[Place, ...]:
    total = sum(float(row.sums[weight]) for row in rows)
    if total <= 0:
        return ()
    places = [
        Place(
            {name: row.keys[name] for name in dimensions},
            float(row.sums[counted]),
            indicator.expected * float(row.sums[weight]) / total,
        )
        for row in rows
    ]
    beyond = [place for place in places if place.observed > place.expected]
    return tuple(sorted(beyond, key=lambda place: place.expected - place.observed)[:MOST_PLACES])
