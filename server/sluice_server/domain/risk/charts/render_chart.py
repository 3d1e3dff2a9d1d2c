"""The use case RenderChart: a chart and the answer to its question as a Vega-Lite specification."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sluice_server.domain.context import CallContext
from sluice_server.domain.errors import InvalidInput, InvalidQuery, RiskResourceNotFound, Violation
from sluice_server.domain.risk.charts.check import MAX_MARKS, MAX_SERIES, chart_mistakes
from sluice_server.domain.risk.charts.dashboards import FindDashboard
from sluice_server.domain.risk.charts.definition import Chart, ChartType, Language
from sluice_server.domain.risk.charts.frame import Picture
from sluice_server.domain.risk.charts.vega_lite import vega_lite
from sluice_server.domain.risk.paging import Page
from sluice_server.domain.risk.semantic.answer_query import AnswerQuery, QueryAnswer, QueryParams
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel


@dataclass(frozen=True, slots=True)
class ChartReference:
    """A chart of a dashboard."""

    dashboard_id: str
    chart_id: str


@dataclass(frozen=True, slots=True)
class RenderChartParams:
    """What to render, in which language. ``data_version`` None means the active one."""

    source: Chart | ChartReference
    language: Language
    data_version: int | None = None
    violations: tuple[Violation, ...] = ()
    """What is wrong with the request as it was sent."""


@dataclass(frozen=True, slots=True)
class RenderedChart:
    """The specification and the answer it was made from."""

    vega_lite: dict[str, Any]
    answer: QueryAnswer


class RenderChart:
    """Draws charts given or stored."""

    def __init__(self, model: SemanticModel, answer_query: AnswerQuery, find: FindDashboard | None) -> None:
        """``find`` None: only charts that are given can be drawn."""
        self._model = model
        self._answer_query = answer_query
        self._find = find

    async def __call__(self, params: RenderChartParams, context: CallContext) -> RenderedChart:
        """Raises InvalidInput, InvalidQuery (a wrong chart, or one with too many marks to see anything),
        RiskResourceNotFound, DataVersionNotFound, Unavailable."""
        chart, field = await self._chart(params)
        wrong = chart_mistakes(self._model, chart, field)
        if wrong:
            raise InvalidQuery(list({one.field: one for one in (*wrong, *params.violations)}.values()))
        if params.violations:
            raise InvalidInput(params.violations)
        most = MAX_MARKS[chart.type]
        asked = QueryParams(
            question=replace(chart.question, totals=True),
            page=Page(chart.rows or most),
            data_version=params.data_version,
            interval_level=chart.interval_level,
        )
        answer = await self._answer_query(asked, context)
        _check_size(chart, answer, field)
        currency = answer.stamp.currency or self._model.currency_code
        return RenderedChart(vega_lite(Picture(chart, answer, params.language, currency)), answer)

    async def _chart(self, params: RenderChartParams) -> tuple[Chart, str]:
        """The chart, and what stands before the names of its fields in messages."""
        if isinstance(params.source, Chart):
            return params.source, "chart."
        if params.violations:
            raise InvalidInput(params.violations)
        if self._find is None:
            raise RiskResourceNotFound("no dashboards are stored here")
        dashboard = await self._find(params.source.dashboard_id)
        chart = dashboard.chart(params.source.chart_id)
        if chart is None:
            known = ", ".join(one.chart_id for one in dashboard.charts)
            raise RiskResourceNotFound(
                f"dashboard {dashboard.dashboard_id} has no chart {params.source.chart_id!r}; it has {known}"
            )
        return chart, "chart."


def _check_size(chart: Chart, answer: QueryAnswer, field: str) -> None:
    """Refuses what nobody could see anything in."""
    rows = len(answer.rows) if chart.rows else answer.total_size
    marks = rows * len(answer.metrics) if chart.type in {ChartType.LINE, ChartType.BAR} else rows
    most = MAX_MARKS[chart.type]
    if marks > most:
        text = (
            f"{marks:,} marks are more than the {most:,} that a {chart.type} can show; give top, page_size or filters"
        )
        raise InvalidQuery([Violation(f"{field}query", text)])
    colours = next((d for d in answer.dimensions[::-1] if not d.is_time), None)
    if chart.type is ChartType.LINE and colours is not None:
        _check_series(len({row.dimensions[colours.name] for row in answer.rows}), colours.name, field)
    if chart.type in {ChartType.BAR, ChartType.SCATTER} and len(answer.dimensions) > 1:
        name = answer.dimensions[1].name
        _check_series(len({row.dimensions[name] for row in answer.rows}), name, field)


def _check_series(series: int, name: str, field: str) -> None:
    if series > MAX_SERIES:
        text = f"{series:,} values of {name} are more than {MAX_SERIES} colours; filter on {name}"
        raise InvalidQuery([Violation(f"{field}query.dimensions", text)])
