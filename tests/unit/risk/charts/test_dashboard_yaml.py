"""Charts and dashboards as files: mistakes are found with their line."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from sluice_server.domain.risk.charts.dashboard_yaml import (
    InvalidDashboard,
    load_chart,
    load_dashboard,
    shipped_dashboards,
)
from sluice_server.domain.risk.charts.definition import ChartType
from sluice_server.domain.risk.semantic.model_yaml import load_model, shipped_model
from tests.unit.risk.charts.pictures import rendered

MODEL = shipped_model()
CHANNELS = files("sluice_server.domain.risk.charts").joinpath("shipped", "channel-ratings.yaml").read_text("utf-8")
CHART = """
chart_id: mine
title: Loss ratio
type: bar
query:
  metrics: [loss_ratio]
  dimensions: [channel]
  filters: [{dimension: month, at_least: 2026-01}]
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(InvalidDashboard) as refused:
        load_dashboard(text, MODEL)
    return [violation.field for violation in refused.value.violations]


@pytest.mark.parametrize(
    ("good", "bad", "path"),
    [
        ("dashboard_id: channel-ratings", "dashboard_id: Channel Ratings", "dashboard_id"),
        ("type: scatter", "type: pie", "charts[1].type"),
        ("metrics: [claim_frequency, severity]", "metrics: [claim_frequency, severty]", "charts[1].query.metrics[1]"),
        ("metric: loss_ratio, value: 0.7", "metric: severity, value: 0.7", "charts[0].thresholds[0].metric"),
        ("value: 0.7, severity: WARNING", "value: much, severity: WARNING", "charts[0].thresholds[0].value"),
        ("grid_columns: 12", "grid_columns: 13", "charts[4].grid_columns"),
        ("order_by: [channel, quarter]", "order: [channel, quarter]", "charts[3].query.order"),
        ("top: 30", "top: -1", "charts[0].query.top"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_with_its_line(good: str, bad: str, path: str) -> None:
    text = CHANNELS.replace(good, bad, 1)
    found = [field for field in mistakes(text) if field.endswith(f": {path}")]
    line = text[: text.index(bad)].count("\n") + 1
    assert found, mistakes(text)
    assert abs(int(found[0].split(":")[0].removeprefix("line ")) - line) <= 1


def test_two_charts_of_one_name_are_a_mistake() -> None:
    assert any(
        field.endswith("charts[4].chart_id")
        for field in mistakes(CHANNELS.replace("chart_id: channels", "chart_id: trend"))
    )


def test_a_single_chart_is_read_with_one_title_for_both_languages() -> None:
    chart = load_chart(CHART, MODEL)
    assert (chart.type, chart.title.zh, chart.title.en) == (ChartType.BAR, "Loss ratio", "Loss ratio")
    assert chart.question.filters[0].at_least == "2026-01"
    with pytest.raises(InvalidDashboard, match="is required: one of line, bar"):
        load_chart(CHART.replace("type: bar\n", ""), MODEL)
    with pytest.raises(InvalidDashboard):
        load_chart("- a list", MODEL)


def test_shipped_dashboards_that_another_model_cannot_serve_are_left_out() -> None:
    text = files("sluice_server.domain.risk.semantic").joinpath("model.yaml").read_text("utf-8")
    other = load_model(text.replace("shop_repeat_share", "share_of_repeats"))
    with pytest.raises(InvalidDashboard):
        shipped_dashboards(other)
    assert len(shipped_dashboards(other, strict=False)) == 4


def test_the_examples_of_the_documentation_can_be_drawn() -> None:
    docs = Path(__file__).parents[4] / "docs"
    given = load_chart((docs / "example-chart.yaml").read_text(), MODEL)
    dashboard = load_dashboard((docs / "example-dashboard.yaml").read_text(), MODEL)
    for one in (given, *dashboard.charts):
        assert rendered(one).answer.rows, one.chart_id
