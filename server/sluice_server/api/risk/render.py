"""From what the use cases return to RiskQuery's messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from sluice.risk.v1 import anomalies_pb2, data_pb2, query_pb2, ratings_pb2
from sluice.type.v1 import money_pb2
from sluice_server.api.risk.wire import BASES, GRADES, STATES
from sluice_server.domain.risk.anomaly_evidence import Place
from sluice_server.domain.risk.answer_query import AnswerRow, QueryAnswer
from sluice_server.domain.risk.data_version import DataStamp, DataVersion
from sluice_server.domain.risk.get_risk_score import RiskScore
from sluice_server.domain.risk.intervals import Interval
from sluice_server.domain.risk.list_anomalies import Anomaly, AnomalyPage
from sluice_server.domain.risk.list_data_versions import DataVersionPage
from sluice_server.domain.risk.list_ratings import RatingPage
from sluice_server.domain.risk.metric_values import MetricValue
from sluice_server.domain.risk.ratings import Rating
from sluice_server.domain.risk.screening import Indicator
from sluice_server.domain.risk.semantic_model import (
    IntervalMethod,
)

METHODS = {
    IntervalMethod.EXACT_POISSON: data_pb2.INTERVAL_METHOD_EXACT_POISSON,
    IntervalMethod.COMPOUND_POISSON: data_pb2.INTERVAL_METHOD_COMPOUND_POISSON,
    IntervalMethod.EXACT_BINOMIAL: data_pb2.INTERVAL_METHOD_EXACT_BINOMIAL,
    IntervalMethod.GAMMA_MEAN: data_pb2.INTERVAL_METHOD_GAMMA_MEAN,
    IntervalMethod.GAMMA_POSTERIOR: data_pb2.INTERVAL_METHOD_GAMMA_POSTERIOR,
    IntervalMethod.BOOTSTRAP: data_pb2.INTERVAL_METHOD_BOOTSTRAP,
    IntervalMethod.WALD_LOG: data_pb2.INTERVAL_METHOD_WALD_LOG,
    IntervalMethod.RECOVERED_VARIANCE: data_pb2.INTERVAL_METHOD_RECOVERED_VARIANCE,
}


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
    return data_pb2.Interval(lower=found.lower, upper=found.upper, level=found.level, method=METHODS[found.method])


def timestamp(moment: datetime) -> Timestamp:
    written = Timestamp()
    written.FromDatetime(moment)
    return written
