"""Specifications: valid by Vega-Lite's own schema, with everything that a figure must not be shown without."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import altair as alt
import jsonschema_rs
import pytest

from sluice_server.domain.errors import InvalidQuery
from sluice_server.domain.risk.alerts.rule import Severity
from sluice_server.domain.risk.charts.dashboard_yaml import shipped_dashboards
from sluice_server.domain.risk.charts.definition import Chart, ChartType, Dashboard, Language, Threshold
from sluice_server.domain.risk.semantic.question import Filter
from sluice_server.domain.risk.semantic.semantic_model import Label
from tests.unit.risk.charts.pictures import MODEL, MONTHS, chart, rendered
from tests.unit.risk.portfolio import channel_row

SHIPPED = shipped_dashboards(MODEL)
EVERY = [(dashboard, one) for dashboard in SHIPPED for one in dashboard.charts]


@cache
def vega_lite_schema() -> jsonschema_rs.Validator:
    """Vega-Lite's schema, with its references written as the standard wants them."""
    text = (Path(alt.__file__).parent / "vegalite/v6/schema/vega-lite-schema.json").read_text()

    def encoded(item: dict[str, Any]) -> dict[str, Any]:
        reference = item.get("$ref")
        return {**item, "$ref": quote(reference, safe="#/")} if isinstance(reference, str) else item

    return jsonschema_rs.validator_for(json.loads(text, object_hook=encoded))


def layers(specification: dict[str, Any], mark: str) -> list[dict[str, Any]]:
    return [layer for layer in specification["layer"] if layer["mark"]["type"] == mark]


def limit(metric: str, value: float, severity: Severity = Severity.CRITICAL) -> Threshold:
    return Threshold(metric, value, severity, Label("上限", "limit"))


def test_the_shipped_dashboards_are_the_five_and_of_every_kind() -> None:
    names = ["channel-ratings", "device-risk", "insurer-health", "pricing-model", "repair-shops"]
    assert [dashboard.dashboard_id for dashboard in SHIPPED] == names
    assert {one.type for _, one in EVERY} == set(ChartType)
    assert all(dashboard.shipped and dashboard.title.zh != dashboard.title.en for dashboard in SHIPPED)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(("dashboard", "one"), EVERY, ids=[f"{d.dashboard_id}/{c.chart_id}" for d, c in EVERY])
def test_every_shipped_chart_is_valid_vega_lite_with_data_version_watermark_and_exposure(
    dashboard: Dashboard, one: Chart, language: Language
) -> None:
    found = rendered(one, language=language)
    specification = found.vega_lite
    vega_lite_schema().validate(specification)
    assert found.answer.rows, dashboard.dashboard_id
    title = specification["title"]
    assert title["text"] == (one.title.zh if language is Language.ZH else one.title.en)
    first = title["subtitle"][0]
    assert ("数据版本 1" in first) == (language is Language.ZH)
    assert ("Data version 1" in first) == (language is Language.EN)
    assert "2026-11-01" in first
    assert f"{found.answer.exposure:,.0f}" in first
    assert "url" not in json.dumps(specification).replace('"$schema": "https://vega.github.io', "")


def test_a_line_has_a_band_for_its_interval_and_a_rule_for_each_threshold() -> None:
    found = rendered(chart(ChartType.LINE, "loss_ratio", dimensions=("month",), thresholds=(limit("loss_ratio", 0.5),)))
    specification = found.vega_lite
    value = specification["data"]["values"][-1]
    assert value["start"] == "2026-10-01T00:00:00Z"
    assert value["lower"] < value["value"] < value["upper"]
    assert value["exposure"] == 40.0
    assert len(layers(specification, "area")) == len(layers(specification, "rule")) == 1
    assert layers(specification, "rule")[0]["encoding"]["y"] == {"datum": 0.5}
    assert layers(specification, "text")[0]["mark"]["text"] == "上限"


def test_bars_have_whiskers_and_take_the_colour_of_what_they_are_beyond() -> None:
    limits = (limit("loss_ratio", 1.0, Severity.WARNING), limit("loss_ratio", 2.0))
    given = chart(ChartType.BAR, "loss_ratio", dimensions=("channel",), thresholds=limits)
    specification = rendered(given).vega_lite
    severities = {value["name"]: value["severity"] for value in specification["data"]["values"]}
    assert severities == {"CH0": "ordinary", "CH1": "ordinary", "CH2": "ordinary", "CH3": "ordinary"}
    found = rendered(given, {"channel_month": [channel_row(f"CH{c}", incurred_minor=c * 60_000) for c in range(5)]})
    severities = {value["name"]: value["severity"] for value in found.vega_lite["data"]["values"]}
    assert severities == {"CH0": "ordinary", "CH1": "ordinary", "CH2": "WARNING", "CH3": "WARNING", "CH4": "CRITICAL"}
    assert any(layer["encoding"].get("x2") == {"field": "upper"} for layer in layers(specification, "rule"))


def test_a_threshold_of_what_is_better_high_is_crossed_from_above() -> None:
    given = chart(ChartType.BAR, "insured_rate", dimensions=("insurer",), thresholds=(limit("insured_rate", 0.95),))
    assert {value["severity"] for value in rendered(given).vega_lite["data"]["values"]} == {"CRITICAL"}


def test_amounts_are_drawn_in_whole_units_of_the_currency() -> None:
    given = chart(ChartType.BAR, "incurred", dimensions=("channel",), filters=(Filter("month", ("2026-10",)),))
    specification = rendered(given).vega_lite
    assert {value["value"] for value in specification["data"]["values"]} == {600.0}
    assert layers(specification, "bar")[0]["encoding"]["x"]["title"] == "已发生赔款（CNY）"


def test_several_metrics_make_the_colours() -> None:
    given = chart(ChartType.LINE, "average_premium", "pure_premium", dimensions=("quarter",))
    values = rendered(given, language=Language.EN).vega_lite["data"]["values"]
    assert {value["series"] for value in values} == {"Average premium", "Pure premium"}


def test_a_gauge_writes_its_value_and_interval() -> None:
    given = chart(ChartType.GAUGE, "loss_ratio", thresholds=(limit("loss_ratio", 0.7),))
    texts = [layer["mark"]["text"] for layer in layers(rendered(given).vega_lite, "text")]
    assert texts[0] == "60.0%"
    assert any(" – " in text for text in texts)


def test_a_table_writes_every_figure_with_its_interval() -> None:
    given = chart(ChartType.TABLE, "claims", "loss_ratio", dimensions=("channel",), order_by=("-claims",))
    first = rendered(given).vega_lite["data"]["values"][0]
    assert (first["c0"], first["c1"]) == ("CH3", str(4 * len(MONTHS)))
    assert first["c2"].startswith("60.0%  [")


def test_names_with_a_meaning_elsewhere_are_only_text() -> None:
    name = "<b>'x\"; datum[0] \\"
    given = chart(ChartType.BAR, "claims", dimensions=("channel",))
    specification = rendered(given, {"channel_month": [channel_row(name)]}).vega_lite
    vega_lite_schema().validate(specification)
    assert specification["data"]["values"][0]["name"] == name


def test_nothing_left_is_an_empty_chart_and_no_error() -> None:
    for kind, metrics, dimensions in (
        (ChartType.LINE, ("loss_ratio",), ("month",)),
        (ChartType.BAR, ("loss_ratio",), ("channel",)),
        (ChartType.SCATTER, ("loss_ratio", "severity"), ("channel",)),
        (ChartType.HEAT_MAP, ("loss_ratio",), ("month", "channel")),
        (ChartType.TABLE, ("loss_ratio",), ("channel",)),
        (ChartType.GAUGE, ("loss_ratio",), ()),
    ):
        filters = (Filter("channel", ("nobody",)),)
        vega_lite_schema().validate(rendered(chart(kind, *metrics, dimensions=dimensions, filters=filters)).vega_lite)


def test_what_is_cut_off_is_told() -> None:
    given = chart(ChartType.BAR, "claims", dimensions=("channel",), rows=3)
    assert "前 3 行，共 4 行" in rendered(given).vega_lite["title"]["subtitle"][1]


@pytest.mark.parametrize(
    ("given", "field", "text"),
    [
        (chart(ChartType.LINE, "claims", dimensions=("channel",)), "chart.query.dimensions", "exactly one of time"),
        (chart(ChartType.LINE, "claims", "severity", dimensions=("month",)), "chart.query.metrics", "same unit"),
        (chart(ChartType.BAR, "claims"), "chart.query.dimensions", "one or two"),
        (chart(ChartType.SCATTER, "claims", dimensions=("channel",)), "chart.query.metrics", "exactly two"),
        (chart(ChartType.GAUGE, "claims", dimensions=("channel",)), "chart.query.dimensions", "filter instead"),
        (chart(ChartType.HEAT_MAP, "claims", dimensions=("channel",)), "chart.query.dimensions", "exactly two"),
        (chart(ChartType.TABLE, "clams", dimensions=("channel",)), "chart.query.metrics[0]", "did you mean 'claims'"),
        (chart(ChartType.BAR, "claims", dimensions=("channel",), rows=201), "chart.query.page_size", "at most 200"),
        (
            chart(ChartType.BAR, "claims", dimensions=("channel",), thresholds=(limit("severity", 1),)),
            "chart.thresholds[0].metric",
            "not among the metrics",
        ),
        (
            chart(ChartType.BAR, "claims", dimensions=("channel",), thresholds=(limit("claims", float("nan")),)),
            "chart.thresholds[0].value",
            "finite",
        ),
    ],
)
def test_a_chart_that_cannot_be_drawn_is_refused_with_the_reason(given: Chart, field: str, text: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        rendered(given)
    assert [violation.field for violation in refused.value.violations] == [field]
    assert text in refused.value.violations[0].description


def test_ten_thousand_marks_are_refused() -> None:
    many = {"channel_month": [channel_row(f"CH{i}") for i in range(10_000)]}
    for kind, metrics in ((ChartType.BAR, ("claims",)), (ChartType.SCATTER, ("claims", "incurred"))):
        with pytest.raises(InvalidQuery, match="10,000 marks are more than the") as refused:
            rendered(chart(kind, *metrics, dimensions=("channel",)), many)
        assert [violation.field for violation in refused.value.violations] == ["chart.query"]
    assert len(rendered(chart(ChartType.BAR, "claims", dimensions=("channel",), top=200), many).answer.rows) == 200


def test_more_lines_than_colours_are_refused() -> None:
    many = {"channel_month": [channel_row(f"CH{i}") for i in range(21)]}
    with pytest.raises(InvalidQuery, match="21 values of channel are more than 20 colours"):
        rendered(chart(ChartType.LINE, "claims", dimensions=("month", "channel")), many)
