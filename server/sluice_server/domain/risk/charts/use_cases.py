"""The use cases of charts and dashboards."""

from __future__ import annotations

from dataclasses import dataclass

from sluice_server.domain.context import Clock
from sluice_server.domain.risk.charts.dashboard_yaml import shipped_dashboards
from sluice_server.domain.risk.charts.dashboards import DeleteDashboard, FindDashboard, ListDashboards, SaveDashboard
from sluice_server.domain.risk.charts.definition import Dashboard
from sluice_server.domain.risk.charts.render_chart import RenderChart
from sluice_server.domain.risk.semantic.answer_query import AnswerQuery
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel
from sluice_server.domain.unit_of_work import Store


@dataclass(frozen=True, slots=True)
class ChartUseCases:
    """What the RiskQuery service calls for charts and dashboards."""

    render_chart: RenderChart
    list_dashboards: ListDashboards
    save_dashboard: SaveDashboard
    delete_dashboard: DeleteDashboard
    shipped: tuple[Dashboard, ...]


def build_chart_use_cases(
    model: SemanticModel, answer_query: AnswerQuery, store: Store, clock: Clock, *, strict: bool
) -> ChartUseCases:
    """The use cases over ``store``. ``strict``: raises InvalidDashboard where a shipped dashboard does not fit
    ``model``; without it, for a model that does not ship, such a dashboard is left out."""
    shipped = shipped_dashboards(model, strict=strict)
    return ChartUseCases(
        render_chart=RenderChart(model, answer_query, FindDashboard(store, shipped)),
        list_dashboards=ListDashboards(store, shipped),
        save_dashboard=SaveDashboard(model, store, clock, shipped),
        delete_dashboard=DeleteDashboard(store, clock, shipped),
        shipped=shipped,
    )
