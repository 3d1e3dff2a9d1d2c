"""From what the use cases return to RiskQuery's messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from sluice.risk.v1 import anomalies_pb2, data_pb2, query_pb2, ratings_pb2, semantic_model_pb2
from sluice.type.v1 import money_pb2
from sluice_server.api.risk.wire import BASES, GRADES, STATES
from sluice_server.domain.risk.anomaly_evidence import Place
from sluice_server.domain.risk.answer_query import AnswerRow, QueryAnswer
from sluice_server.domain.risk.data_version import DataStamp, DataVersion
from sluice_server.domain.risk.describe_model import ModelDescription
from sluice_server.domain.risk.get_risk_score import RiskScore
from sluice_server.domain.risk.intervals import Interval
from sluice_server.domain.risk.list_anomalies import Anomaly, AnomalyPage
from sluice_server.domain.risk.list_data_versions import DataVersionPage
from sluice_server.domain.risk.list_ratings import RatingPage
from sluice_server.domain.risk.metric_values import MetricValue
from sluice_server.domain.risk.ratings import Rating
from sluice_server.domain.risk.screening import Indicator
from sluice_server.domain.risk.semantic_model import (
    DimensionType,
    Direction,
    IntervalMethod,
    Label,
    Metric,
    MetricKind,
)

_METHODS = {
    IntervalMethod.EXACT_POISSON: data_pb2.INTERVAL_METHOD_EXACT_POISSON,
    IntervalMethod.COMPOUND_POISSON: data_pb2.INTERVAL_METHOD_COMPOUND_POISSON,
    IntervalMethod.EXACT_BINOMIAL: data_pb2.INTERVAL_METHOD_EXACT_BINOMIAL,
    IntervalMethod.GAMMA_MEAN: data_pb2.INTERVAL_METHOD_GAMMA_MEAN,
    IntervalMethod.GAMMA_POSTERIOR: data_pb2.INTERVAL_METHOD_GAMMA_POSTERIOR,
    IntervalMethod.BOOTSTRAP: data_pb2.INTERVAL_METHOD_BOOTSTRAP,
    IntervalMethod.WALD_LOG: data_pb2.INTERVAL_METHOD_WALD_LOG,
    IntervalMethod.RECOVERED_VARIANCE: data_pb2.INTERVAL_METHOD_RECOVERED_VARIANCE,
}
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
    return _METHODS[rule.method if over is None or over.shift is None else IntervalMethod.RECOVERED_VARIANCE]


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


def query_answer(found: QueryAnswer) -> query_pb2.QueryResponse:
    columns = [
        query_pb2.Column(name=d.name, label_zh=d.label.zh, label_en=d.label.en, metric=False) for d in found.dimensions
    ]
    columns += [
        query_pb2.Column(
            name=m.name,
            label_zh=m.label.zh,
            label_en=m.label.en,
            metric=True,
            unit=m.unit,
            exposure_unit=found.exposure_unit,
        )
        for m in found.metrics
    ]
    return query_pb2.QueryResponse(
        columns=columns,
        rows=[_row(row) for row in found.rows],
        totals=None if found.totals is None else _row(found.totals),
        total_size=found.total_size,
        next_page_token=found.next_page_token,
        data=stamp(found.stamp),
        notes=found.notes,
    )


def _row(row: AnswerRow) -> query_pb2.Row:
    return query_pb2.Row(
        dimensions=row.dimensions, metrics={name: metric_value(value) for name, value in row.metrics.items()}
    )


def metric_value(value: MetricValue) -> query_pb2.MetricValue:
    return query_pb2.MetricValue(
        value=value.value,
        amount=None
        if value.amount is None
        else money_pb2.Money(amount_minor=value.amount.amount_minor, currency_code=value.amount.currency_code),
        numerator=value.numerator,
        denominator=value.denominator,
        exposure=value.exposure,
        interval=interval(value.interval),
    )


def data_version_page(found: DataVersionPage) -> data_pb2.ListDataVersionsResponse:
    return data_pb2.ListDataVersionsResponse(
        data_versions=[_data_version(version) for version in found.data_versions],
        next_page_token=found.next_page_token,
    )


def _data_version(version: DataVersion) -> data_pb2.DataVersion:
    duration = Duration()
    duration.FromMilliseconds(round(version.duration_seconds * 1000))
    return data_pb2.DataVersion(
        data_version=version.data_version,
        watermark=None if version.watermark is None else timestamp(version.watermark),
        published_at=None if version.published_at is None else timestamp(version.published_at),
        state=STATES[version.state],
        active=version.active,
        row_counts=version.row_counts,
        fingerprint=version.fingerprint,
        flink_version=version.flink_version,
        duration=duration,
    )


def rating_page(found: RatingPage) -> ratings_pb2.ListRatingsResponse:
    return ratings_pb2.ListRatingsResponse(
        ratings=[_rating(found.entity, rating) for rating in found.ratings],
        total_size=found.total_size,
        next_page_token=found.next_page_token,
        data=stamp(found.stamp),
    )


def _rating(entity: str, rating: Rating) -> ratings_pb2.Rating:
    return ratings_pb2.Rating(
        entity=entity,
        entity_id=rating.entity_id,
        grade=GRADES[rating.grade],
        basis=BASES[rating.basis],
        raw=rating.raw,
        raw_interval=interval(rating.raw_interval),
        adjusted=rating.adjusted,
        adjusted_interval=interval(rating.adjusted_interval),
        credibility=rating.credibility,
        portfolio=rating.portfolio,
        probability_better=rating.probability_better,
        probability_worse=rating.probability_worse,
        probability_much_worse=rating.probability_much_worse,
        exposure_years=rating.exposure_years,
        claims=rating.claims,
        expected_claims=rating.expected_claims,
        warnings=rating.warnings,
        reported_share=rating.reported_share,
        mix_adjusted=rating.mix.figure if rating.mix else None,
        mix_adjusted_interval=interval(rating.mix.interval) if rating.mix else None,
        mix_grade=GRADES[rating.mix.grade] if rating.mix else None,
    )


def anomaly_page(found: AnomalyPage) -> anomalies_pb2.ListAnomaliesResponse:
    return anomalies_pb2.ListAnomaliesResponse(
        anomalies=[_anomaly(anomaly, found.currency_code) for anomaly in found.anomalies],
        total_size=found.total_size,
        next_page_token=found.next_page_token,
        screened=found.screened,
        flagged=found.flagged,
        data=stamp(found.stamp),
    )


def _anomaly(anomaly: Anomaly, currency_code: str) -> anomalies_pb2.Anomaly:
    screened = anomaly.screened
    return anomalies_pb2.Anomaly(
        entity=anomaly.entity,
        entity_id=screened.entity_id,
        channel_id=screened.channel_id,
        flagged=anomaly.flagged,
        score=screened.score,
        p_value=screened.p_value,
        q_value=screened.q_value,
        indicators=[_indicator(one, anomaly.places.get(one.name, ())) for one in screened.indicators],
        claims=screened.claims,
        incurred=money_pb2.Money(amount_minor=screened.incurred, currency_code=currency_code),
        exposure_years=screened.exposure_years,
    )


def _indicator(indicator: Indicator, places: Sequence[Place]) -> anomalies_pb2.Indicator:
    return anomalies_pb2.Indicator(
        name=indicator.name,
        reason_en=indicator.reason.en,
        reason_zh=indicator.reason.zh,
        observed=indicator.observed,
        expected=indicator.expected,
        ratio=indicator.ratio,
        unit=indicator.unit,
        p_value=indicator.p_value,
        over_dispersion=indicator.over_dispersion,
        peers=indicator.peers,
        places=[
            anomalies_pb2.IndicatorPlace(dimensions=one.dimensions, observed=one.observed, expected=one.expected)
            for one in places
        ],
    )


def risk_score(found: RiskScore) -> ratings_pb2.RiskScore:
    return ratings_pb2.RiskScore(
        entity=found.entity,
        entity_id=found.entity_id,
        score=found.score,
        relative_risk=found.relative_risk,
        relative_risk_interval=interval(found.relative_risk_interval),
        grade=GRADES[found.grade],
        abnormal=found.abnormal,
        reasons=found.reasons,
        exposure=found.exposure,
        data=stamp(found.stamp),
    )


def stamp(data: DataStamp) -> data_pb2.DataStamp:
    return data_pb2.DataStamp(
        data_version=data.data_version,
        watermark=timestamp(data.watermark),
        published_at=timestamp(data.published_at),
    )


def interval(found: Interval | None) -> data_pb2.Interval | None:
    if found is None:
        return None
    return data_pb2.Interval(lower=found.lower, upper=found.upper, level=found.level, method=_METHODS[found.method])


def _label(label: Label) -> semantic_model_pb2.Label:
    return semantic_model_pb2.Label(zh=label.zh, en=label.en)


def timestamp(moment: datetime) -> Timestamp:
    written = Timestamp()
    written.FromDatetime(moment)
    return written
