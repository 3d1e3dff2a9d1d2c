"""Reads what the entities of a kind have behind them: sums over all months of one data version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.ports import Number, RiskReader
from sluice_server.domain.risk.semantic.planner import plan_query
from sluice_server.domain.risk.semantic.question import Filter, Question
from sluice_server.domain.risk.semantic.semantic_model import Dimension, ResultTable, SemanticModel


@dataclass(frozen=True, slots=True)
class EntitySums:
    """Keys (dimension to value, empty where missing) and sums (measure to sum) of one group."""

    keys: Mapping[str, str]
    sums: Mapping[str, Number]


@dataclass(frozen=True, slots=True)
class SumsOfVersion:
    """All groups of one data version, and the table they come from."""

    stamp: DataStamp
    table: ResultTable
    groups: Sequence[EntitySums]


def key_dimension(model: SemanticModel, entity: str) -> Dimension:
    """The dimension that holds the entity's id: the first that describes it."""
    return next(dimension for dimension in model.dimensions.values() if dimension.entity == entity)


def check_entity(entity: str, kinds: Sequence[str]) -> None:
    """Raises InvalidInput unless ``entity`` is one of ``kinds``."""
    if entity not in kinds:
        raise InvalidInput([Violation("entity", f"{entity!r} is not one of {', '.join(kinds)}")])


async def read_sums(
    model: SemanticModel,
    reader: RiskReader,
    dimensions: Sequence[str],
    measures: Sequence[str],
    data_version: int | None,
    filters: tuple[Filter, ...] = (),
) -> SumsOfVersion:
    """Sums of ``measures`` by ``dimensions``. Raises DataVersionNotFound, Unavailable."""
    plan = plan_query(model, Question(tuple(measures), tuple(dimensions), filters))
    found = await reader.select(plan.query, data_version)
    names = [item.name for item in plan.query.sums]
    groups = [
        EntitySums(
            {name: str(value or "") for name, value in zip(dimensions, row.values, strict=True)},
            dict(zip(names, row.sums, strict=True)),
        )
        for row in found.rows
    ]
    return SumsOfVersion(found.stamp, plan.table, groups)
