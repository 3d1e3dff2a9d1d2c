"""From RiskQuery's requests about charts and dashboards to parameters."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.risk.v1 import dashboards_pb2, semantic_model_pb2
from sluice_server.api.risk.alerts_wire import MAX_REASON, SEVERITIES
from sluice_server.api.risk.wire import MAX_TEXT, Checks, parsed_query
from sluice_server.domain.errors import Violation
from sluice_server.domain.risk.alerts.rule import Severity
from sluice_server.domain.risk.charts.check import MAX_CHARTS, MAX_THRESHOLDS
from sluice_server.domain.risk.charts.dashboards import (
    FIELDS,
    DeleteDashboardParams,
    ListDashboardsParams,
    SaveDashboardParams,
)
from sluice_server.domain.risk.charts.definition import Chart, ChartType, Dashboard, Language, Threshold
from sluice_server.domain.risk.charts.render_chart import ChartReference, RenderChartParams
from sluice_server.domain.risk.semantic.question import Question
from sluice_server.domain.risk.semantic.semantic_model import Label

CHART_TYPES = {
    ChartType.LINE: dashboards_pb2.CHART_TYPE_LINE,
    ChartType.BAR: dashboards_pb2.CHART_TYPE_BAR,
    ChartType.SCATTER: dashboards_pb2.CHART_TYPE_SCATTER,
    ChartType.GAUGE: dashboards_pb2.CHART_TYPE_GAUGE,
    ChartType.TABLE: dashboards_pb2.CHART_TYPE_TABLE,
    ChartType.HEAT_MAP: dashboards_pb2.CHART_TYPE_HEAT_MAP,
}
DEFAULT_GRID_COLUMNS = 6
MAX_DESCRIPTION = 2_000
MAX_SHARED = 200
_TYPE_OF = {int(number): kind for kind, number in CHART_TYPES.items()}
_SEVERITY_OF = {int(number): severity for severity, number in SEVERITIES.items()}


def render_chart_params(request: dashboards_pb2.RenderChartRequest) -> RenderChartParams:
    checks = Checks()
    version = checks.data_version(request.data_version)
    language = checks.one_of("language", request.language or Language.ZH, list(Language))
    wrong: list[Violation] = []
    source: Chart | ChartReference = ChartReference("", "")
    match request.WhichOneof("source"):
        case "chart":
            source = _chart(request.chart, "chart.", wrong)
        case "reference":
            dashboard_id = checks.text("reference.dashboard_id", request.reference.dashboard_id, required=True)
            source = ChartReference(
                dashboard_id, checks.text("reference.chart_id", request.reference.chart_id, required=True)
            )
        case None:
            checks.wrong("chart", "is required, or a reference to a dashboard's chart")
    known = Language(language) if language in tuple(Language) else Language.ZH
    return RenderChartParams(source, known, version, (*checks.found, *wrong))


def list_dashboards_params(request: dashboards_pb2.ListDashboardsRequest) -> ListDashboardsParams:
    checks = Checks()
    owner = checks.text("owner", request.owner)
    page = checks.page(request.page_size, request.page_token, 50)
    checks.done()
    return ListDashboardsParams(owner, page)


def save_dashboard_params(request: dashboards_pb2.SaveDashboardRequest) -> SaveDashboardParams:
    """What is wrong is told together with what is wrong in words of the model, so it is not raised here."""
    checks = Checks()
    wrong: list[Violation] = []
    given = request.dashboard
    mask = frozenset(request.update_mask.paths)
    for path in sorted(mask - FIELDS):
        checks.wrong("update_mask", f"{path[:MAX_TEXT]!r} is not one of {', '.join(sorted(FIELDS))}")
    prefixed = Checks("dashboard.")
    dashboard = Dashboard(
        dashboard_id=given.dashboard_id,
        title=_label(prefixed, "title", given.title, given.localized_title),
        description=_label(
            prefixed, "description", given.description, given.localized_description, most=MAX_DESCRIPTION
        ),
        charts=tuple(
            _chart(chart, f"dashboard.charts[{i}].", wrong) for i, chart in enumerate(given.charts[: MAX_CHARTS + 1])
        ),
        shared_with=prefixed.texts("shared_with", given.shared_with, MAX_SHARED),
    )
    reason = reason_of(checks, request.reason)
    request_id = checks.text("request_id", request.request_id)
    return SaveDashboardParams(
        dashboard=dashboard,
        etag=given.etag,
        mask=mask & FIELDS,
        reason=reason,
        request_id=request_id,
        validate_only=request.validate_only,
        violations=(*checks.found, *prefixed.found, *wrong),
    )


def delete_dashboard_params(request: dashboards_pb2.DeleteDashboardRequest) -> DeleteDashboardParams:
    checks = Checks()
    params = DeleteDashboardParams(
        dashboard_id=checks.text("dashboard_id", request.dashboard_id, required=True),
        etag=checks.text("etag", request.etag),
        reason=reason_of(checks, request.reason),
        request_id=checks.text("request_id", request.request_id),
    )
    checks.done()
    return params


def reason_of(checks: Checks, reason: str) -> str:
    if not reason.strip():
        checks.wrong("reason", "is required: it is kept in the audit trail")
    elif len(reason) > MAX_REASON:
        checks.wrong("reason", f"must have at most {MAX_REASON:,} characters")
    return reason


def _chart(given: dashboards_pb2.Chart, field: str, wrong: list[Violation]) -> Chart:
    checks = Checks(field)
    if given.type not in _TYPE_OF:
        checks.wrong("type", f"must be one of {', '.join(kind.name for kind in ChartType)}")
    if given.query.page_token:
        checks.wrong("query.page_token", "must be empty: a chart shows the first rows")
    if given.query.data_version:
        checks.wrong("query.data_version", "must be 0: RenderChart says which version to read")
    query_checks = Checks(f"{field}query.")
    query = parsed_query(given.query, query_checks)
    chart = Chart(
        chart_id=given.chart_id,
        title=_label(checks, "title", given.title, given.localized_title),
        type=_TYPE_OF.get(given.type, ChartType.TABLE),
        question=_without_totals(query.question),
        rows=max(0, given.query.page_size),
        interval_level=query.interval_level,
        thresholds=_thresholds(checks, given.thresholds),
        grid_columns=given.grid_columns or DEFAULT_GRID_COLUMNS,
    )
    wrong += [*checks.found, *query.violations]
    return chart


def _without_totals(question: Question) -> Question:
    """A chart shows rows; that totals are read for its subtitle is the server's business."""
    return Question(
        question.metrics, question.dimensions, question.filters, question.having, question.order_by, question.top
    )


def _thresholds(checks: Checks, given: Sequence[dashboards_pb2.Threshold]) -> tuple[Threshold, ...]:
    found = []
    for i, one in enumerate(given[: MAX_THRESHOLDS + 1]):
        field = f"thresholds[{i}]"
        if one.severity not in _SEVERITY_OF:
            checks.wrong(f"{field}.severity", f"must be one of {', '.join(Severity)}")
        found.append(
            Threshold(
                metric=one.metric,
                value=one.value,
                severity=_SEVERITY_OF.get(one.severity, Severity.INFO),
                label=_label(checks, f"{field}.label", one.label, one.localized_label),
            )
        )
    return tuple(found)


def _label(
    checks: Checks, field: str, text: str, localized: semantic_model_pb2.Label, *, most: int = MAX_TEXT
) -> Label:
    """A text by language; where only one is given, it is that one everywhere."""
    zh, en = localized.zh or localized.en or text, localized.en or localized.zh or text
    if max(len(zh), len(en)) > most:
        checks.wrong(field, f"must have at most {most:,} characters")
    return Label(zh, en)
