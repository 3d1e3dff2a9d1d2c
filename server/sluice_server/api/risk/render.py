"""From what the use cases return to RiskQuery's messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from sluice.risk.v1 import data_pb2, query_pb2
from sluice.type.v1 import money_pb2
from sluice_server.api.risk.wire import STATES
from sluice_server.domain.risk.data_version import DataStamp, DataVersion
from sluice_server.domain.risk.intervals import Interval
from sluice_server.domain.risk.list_data_versions import DataVersionPage
from sluice_server.domain.risk.semantic.answer_query import AnswerRow, QueryAnswer
from sluice_server.domain.risk.semantic.metric_values import MetricValue
from sluice_server.domain.risk.semantic.question import Filter
from sluice_server.domain.risk.semantic.semantic_model import IntervalMethod

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


def query_filters(found: Sequence[Filter]) -> list[query_pb2.Filter]:
    """As they were asked for: of a chart's question and of an alert rule."""
    return [
        query_pb2.Filter(
            dimension=one.dimension,
            any_of=one.any_of,
            none_of=one.none_of,
            at_least=one.at_least,
            below=one.below,
            last=one.last,
        )
        for one in found
    ]
