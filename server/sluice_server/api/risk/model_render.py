"""The semantic model as RiskQuery's messages."""

from __future__ import annotations

from sluice.risk.v1 import data_pb2, semantic_model_pb2
from sluice_server.api.risk.render import METHODS, stamp
from sluice_server.domain.risk.semantic.describe_model import ModelDescription
from sluice_server.domain.risk.semantic.semantic_model import (
    DimensionType,
    Direction,
    IntervalMethod,
    Label,
    Metric,
    MetricKind,
)

_TYPES = {
    DimensionType.TEXT: semantic_model_pb2.DIMENSION_TYPE_TEXT,
    DimensionType.DAY: semantic_model_pb2.DIMENSION_TYPE_DAY,
    DimensionType.MONTH: semantic_model_pb2.DIMENSION_TYPE_MONTH,
    DimensionType.QUARTER: semantic_model_pb2.DIMENSION_TYPE_QUARTER,
    DimensionType.YEAR: semantic_model_pb2.DIMENSION_TYPE_YEAR,
}
_KINDS = {
    MetricKind.SIMPLE: semantic_model_pb2.METRIC_KIND_SIMPLE,
    MetricKind.RATIO: semantic_model_pb2.METRIC_KIND_RATIO,
    MetricKind.CUMULATIVE: semantic_model_pb2.METRIC_KIND_CUMULATIVE,
    MetricKind.PERIOD_OVER_PERIOD: semantic_model_pb2.METRIC_KIND_PERIOD_OVER_PERIOD,
}
_DIRECTIONS = {
    Direction.NEITHER: semantic_model_pb2.METRIC_DIRECTION_UNSPECIFIED,
    Direction.LOWER_IS_BETTER: semantic_model_pb2.METRIC_DIRECTION_LOWER_IS_BETTER,
    Direction.HIGHER_IS_BETTER: semantic_model_pb2.METRIC_DIRECTION_HIGHER_IS_BETTER,
}


def model_description(found: ModelDescription) -> semantic_model_pb2.DescribeModelResponse:
    dimensions = [
        semantic_model_pb2.Dimension(
            name=d.name,
            label=_label(d.label),
            description=_label(d.description),
            entity=d.entity or "",
            type=_TYPES[d.type],
            metrics=found.metrics_of[d.name],
        )
        for d in found.dimensions
    ]
    entities = [
        semantic_model_pb2.Entity(
            name=e.name,
            label=_label(e.label),
            description=_label(e.description),
            dimensions=[d.name for d in found.dimensions if d.entity == e.name],
            rated=e.rated,
            screened=e.screened,
        )
        for e in found.entities
    ]
    return semantic_model_pb2.DescribeModelResponse(
        entities=entities,
        dimensions=dimensions,
        metrics=[_metric(m, found.dimensions_of[m.name]) for m in found.metrics],
        currency_code=found.model.currency_code,
        model_hash=found.model.content_hash,
        data=None if found.stamp is None else stamp(found.stamp),
    )


def _metric(metric: Metric, dimensions: tuple[str, ...]) -> semantic_model_pb2.Metric:
    reason = ""
    if metric.kind is MetricKind.RATIO:
        reason = f"a ratio of sums: {metric.numerator} over {metric.denominator}"
    elif metric.same_period is not None:
        reason = f"counted again in every {metric.same_period}; over several ask for {metric.use_instead}"
    elif metric.base is not None:
        reason = f"runs along time; over several periods ask for {metric.base.name}"
    return semantic_model_pb2.Metric(
        name=metric.name,
        label=_label(metric.label),
        description=_label(metric.description),
        kind=_KINDS[metric.kind],
        unit=metric.unit,
        numerator=metric.numerator or "",
        denominator=metric.denominator or "",
        interval_method=_interval_method(metric),
        additive=metric.additive,
        not_additive_reason=reason,
        dimensions=dimensions,
        direction=_DIRECTIONS[metric.direction],
        base="" if metric.base is None else metric.base.name,
        span=_span(metric),
    )


def _interval_method(metric: Metric) -> data_pb2.IntervalMethod:
    rule = metric.interval_rule
    if rule is None:
        return data_pb2.INTERVAL_METHOD_UNSPECIFIED
    over = metric.over_time
    return METHODS[rule.method if over is None or over.shift is None else IntervalMethod.RECOVERED_VARIANCE]


def _span(metric: Metric) -> str:
    over = metric.over_time
    if over is None:
        return ""
    if over.to_date is not None:
        return f"{over.to_date} to date"
    span = over.window or over.shift
    if span is None:
        return "all periods"
    length = f"{span.periods} {span.grain}{'s' if span.periods > 1 else ''}"
    return length if over.shift is None else f"{length} before"


def _label(label: Label) -> semantic_model_pb2.Label:
    return semantic_model_pb2.Label(zh=label.zh, en=label.en)
