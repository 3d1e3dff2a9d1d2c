"""From what the use cases of charts and dashboards return to RiskQuery's messages."""

from __future__ import annotations

from google.protobuf.struct_pb2 import Struct

from sluice.risk.v1 import dashboards_pb2, query_pb2, semantic_model_pb2
from sluice_server.api.risk.alerts_wire import SEVERITIES
from sluice_server.api.risk.charts_wire import CHART_TYPES
from sluice_server.api.risk.render import query_answer, query_filters, stamp, timestamp
from sluice_server.domain.risk.charts.dashboards import DashboardPage
from sluice_server.domain.risk.charts.definition import Chart, Dashboard, Threshold
from sluice_server.domain.risk.charts.render_chart import RenderedChart
from sluice_server.domain.risk.semantic.semantic_model import Label


def rendered_chart(found: RenderedChart) -> dashboards_pb2.RenderChartResponse:
    specification = Struct()
    specification.update(found.vega_lite)
    return dashboards_pb2.RenderChartResponse(
        vega_lite=specification, answer=query_answer(found.answer), data=stamp(found.answer.stamp)
    )


def dashboard_page(found: DashboardPage) -> dashboards_pb2.ListDashboardsResponse:
    return dashboards_pb2.ListDashboardsResponse(
        dashboards=[dashboard(one) for one in found.dashboards], next_page_token=found.next_page_token
    )


def dashboard(found: Dashboard) -> dashboards_pb2.Dashboard:
    return dashboards_pb2.Dashboard(
        dashboard_id=found.dashboard_id,
        title=found.title.zh,
        localized_title=_both(found.title),
        description=found.description.zh,
        localized_description=_both(found.description),
        charts=[chart(one) for one in found.charts],
        shared_with=found.shared_with,
        owner=found.owner,
        version=found.version,
        etag=found.etag,
        update_time=None if found.updated_at is None else timestamp(found.updated_at),
        shipped=found.shipped,
    )


def chart(found: Chart) -> dashboards_pb2.Chart:
    question = found.question
    return dashboards_pb2.Chart(
        chart_id=found.chart_id,
        title=found.title.zh,
        localized_title=_both(found.title),
        type=CHART_TYPES[found.type],
        query=query_pb2.QueryRequest(
            metrics=question.metrics,
            dimensions=question.dimensions,
            filters=query_filters(question.filters),
            having=[
                query_pb2.MetricFilter(metric=one.metric, at_least=one.at_least, below=one.below)
                for one in question.having
            ],
            order_by=question.order_by,
            top=question.top,
            page_size=found.rows,
            interval_level=found.interval_level,
        ),
        thresholds=[_threshold(one) for one in found.thresholds],
        grid_columns=found.grid_columns,
    )


def _threshold(limit: Threshold) -> dashboards_pb2.Threshold:
    return dashboards_pb2.Threshold(
        metric=limit.metric,
        value=limit.value,
        severity=SEVERITIES[limit.severity],
        label=limit.label.zh,
        localized_label=_both(limit.label),
    )


def _both(label: Label) -> semantic_model_pb2.Label | None:
    """Set where the languages differ."""
    return None if label.zh == label.en else semantic_model_pb2.Label(zh=label.zh, en=label.en)
