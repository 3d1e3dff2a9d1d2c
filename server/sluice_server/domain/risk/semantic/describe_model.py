"""The use case DescribeModel: what can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice_server.domain.context import CallContext
from sluice_server.domain.errors import DataVersionNotFound, InvalidQuery, Violation
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.ports import RiskReader
from sluice_server.domain.risk.semantic.semantic_model import Dimension, Entity, Metric, SemanticModel


@dataclass(frozen=True, slots=True)
class DescribeModelParams:
    """Names that what is described must combine with, all of them at once."""

    metrics: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """The part of the model that was asked for. ``stamp`` is None before the first publication."""

    model: SemanticModel
    entities: tuple[Entity, ...]
    dimensions: tuple[Dimension, ...]
    metrics: tuple[Metric, ...]
    metrics_of: Mapping[str, tuple[str, ...]]
    """Dimension to the metrics that can be asked by it."""
    dimensions_of: Mapping[str, tuple[str, ...]]
    """Metric to the dimensions that it can be asked by."""
    stamp: DataStamp | None


class DescribeModel:
    """Describes the semantic model, also before any data is published."""

    def __init__(self, model: SemanticModel, reader: RiskReader) -> None:
        self._model = model
        self._reader = reader

    async def __call__(self, params: DescribeModelParams, context: CallContext) -> ModelDescription:
        """Raises InvalidQuery for unknown names, Unavailable."""
        self._check(params)
        model = self._model
        metrics = [model.metrics[name] for name in params.metrics]
        dimensions = [model.dimensions[name] for name in params.dimensions]
        tables = [
            table
            for table in model.tables.values()
            if all(table.serves_metric(m) for m in metrics) and all(table.serves_dimension(d) for d in dimensions)
        ]
        found_dimensions = tuple(d for d in model.dimensions.values() if any(t.serves_dimension(d) for t in tables))
        found_metrics = tuple(m for m in model.metrics.values() if any(t.serves_metric(m) for t in tables))
        entities = {d.entity for d in found_dimensions}
        return ModelDescription(
            model=model,
            entities=tuple(e for e in model.entities.values() if e.name in entities),
            dimensions=found_dimensions,
            metrics=found_metrics,
            metrics_of={d.name: tuple(m.name for m in model.metrics_of(d)) for d in found_dimensions},
            dimensions_of={m.name: tuple(d.name for d in model.dimensions_of(m)) for m in found_metrics},
            stamp=await self._stamp(),
        )

    def _check(self, params: DescribeModelParams) -> None:
        asked = (
            ("metrics", params.metrics, self._model.metrics),
            ("dimensions", params.dimensions, self._model.dimensions),
        )
        wrong = [
            Violation(f"{field}[{i}]", f"{name!r} is not in the model")
            for field, names, known in asked
            for i, name in enumerate(names)
            if name not in known
        ]
        if wrong:
            raise InvalidQuery(wrong)

    async def _stamp(self) -> DataStamp | None:
        try:
            return await self._reader.stamp(None)
        except DataVersionNotFound:
            return None
