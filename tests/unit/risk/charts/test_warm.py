"""The shipped charts are drawn once for each data version, before anybody asks."""

from __future__ import annotations

from sluice_server.domain.risk.charts.dashboard_yaml import shipped_dashboards
from sluice_server.domain.risk.charts.definition import Language
from sluice_server.domain.risk.charts.render_chart import RenderChart, RenderChartParams
from sluice_server.domain.risk.charts.warm import WarmCharts
from sluice_server.domain.risk.semantic.answer_query import AnswerQuery
from sluice_server.domain.risk.variation import AmountVariation
from tests.unit.risk.charts.pictures import MODEL, complete, rows
from tests.unit.risk.fake_reader import CONTEXT, FakeRiskReader


async def test_every_chart_is_drawn_once_a_version_and_then_answered_without_reading() -> None:
    reader = FakeRiskReader()
    shipped = shipped_dashboards(MODEL)
    render = RenderChart(MODEL, AnswerQuery(MODEL, reader, AmountVariation(reader)), None)
    warm = WarmCharts(reader, render, shipped)
    assert not await warm(), "nothing is published"
    charts = [chart for dashboard in shipped for chart in dashboard.charts]
    for _ in range(2):
        await reader.publish(complete(rows()))
        assert [await warm() for _ in range(len(charts) + 2)] == [True] * len(charts) + [False] * 2
        read = reader.selects
        for chart in charts:
            await render(RenderChartParams(chart, Language.EN), CONTEXT)
        assert reader.selects == read
