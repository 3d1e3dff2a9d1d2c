"""Charts straight from a risk store, with no server between."""

from __future__ import annotations

from typing import Any

from sluice_server.domain.context import Actor, CallContext
from sluice_server.domain.errors import RiskResourceNotFound
from sluice_server.domain.risk.charts.dashboard_yaml import load_chart, load_dashboard, shipped_dashboards
from sluice_server.domain.risk.charts.definition import Chart, Language
from sluice_server.domain.risk.charts.render_chart import RenderChart, RenderChartParams
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel
from sluice_server.domain.risk.use_cases import build_risk_use_cases
from sluice_server.store.risk import RiskStoreReader

_DRIVERS = {"sqlite:": "sqlite+aiosqlite:", "postgresql:": "postgresql+asyncpg:"}


async def render_from_store(
    url: str, given: str, language: str, data_version: int, *, single: bool = False
) -> list[tuple[str, dict[str, Any]]]:
    """Id and specification of every chart. ``given``: the text of a chart's file (``single``) or of a dashboard's, or
    the name of a shipped dashboard.

    Raises InvalidInput with every mistake, RiskResourceNotFound, DataVersionNotFound, Unavailable, and ValueError for a
    URL of another kind.
    """
    model = shipped_model()
    charts = [load_chart(given, model)] if single else _charts(given, model)
    reader = RiskStoreReader(_url(url), model)
    try:
        render = RenderChart(model, build_risk_use_cases(model, reader).answer_query, None)
        context = CallContext(actor=Actor("sluice chart"), request_id="sluice-chart")
        found = []
        for chart in charts:
            params = RenderChartParams(chart, Language(language), data_version or None)
            found.append((chart.chart_id, (await render(params, context)).vega_lite))
        return found
    finally:
        await reader.close()


def _charts(given: str, model: SemanticModel) -> list[Chart]:
    if "\n" in given:
        return list(load_dashboard(given, model).charts)
    shipped = {dashboard.dashboard_id: dashboard for dashboard in shipped_dashboards(model)}
    if given not in shipped:
        raise RiskResourceNotFound(f"no dashboard {given!r} is shipped; there are {', '.join(shipped)}")
    return list(shipped[given].charts)


def _url(url: str) -> str:
    """With the driver that the reader needs, where none is named."""
    scheme, separator, rest = url.partition("//")
    return _DRIVERS.get(scheme, scheme) + separator + rest
