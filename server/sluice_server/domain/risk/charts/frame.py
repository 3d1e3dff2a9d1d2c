"""What all charts have in common: the rows as values, title and subtitle, colours, fonts, thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sluice_server.domain.risk.alerts.rule import Severity
from sluice_server.domain.risk.charts.definition import Chart, ChartType, Language, Threshold, in_language
from sluice_server.domain.risk.charts.wording import shown, unit_text, value_text
from sluice_server.domain.risk.semantic.answer_query import AnswerRow, QueryAnswer
from sluice_server.domain.risk.semantic.semantic_model import Dimension, Direction, Metric, start_of

Json = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""The name of the language, never fetched."""
FONT = "Noto Sans CJK SC, Noto Sans SC, PingFang SC, Microsoft YaHei, sans-serif"
WIDTH = 560
COLOURS = ("#33658a", "#e07a3f", "#4f9d69", "#a23b72", "#7d6b91", "#c9a227", "#3aa6a6", "#8c5e3c", "#6b7a8f", "#b0413e")
ORDINARY = COLOURS[0]
SEVERITY_COLOURS = {Severity.INFO: "#3aa6a6", Severity.WARNING: "#e0a030", Severity.CRITICAL: "#c0392b"}
LINE_COLOURS = {Severity.INFO: "#1f6f6f", Severity.WARNING: "#8a5a00", Severity.CRITICAL: "#7b1d13"}
"""Darker ones, for lines and texts that may lie on bars of the same severity."""
_GRAVE = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
FAINT = "#5b6770"


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart with the answer that it shows."""

    chart: Chart
    answer: QueryAnswer
    language: Language
    currency: str

    def text(self, zh: str, en: str) -> str:
        return zh if self.language is Language.ZH else en

    def name(self, of: Metric | Dimension) -> str:
        return in_language(of.label, self.language)

    def axis_title(self, metric: Metric) -> str:
        """Label and unit."""
        unit = unit_text(metric.unit, self.currency, self.language)
        if not unit or unit.lower() in self.name(metric).lower():
            return self.name(metric)
        return f"{self.name(metric)}（{unit}）" if self.language is Language.ZH else f"{self.name(metric)} ({unit})"

    def limits(self, metric: str) -> tuple[Threshold, ...]:
        return tuple(threshold for threshold in self.chart.thresholds if threshold.metric == metric)

    def severity(self, metric: Metric, value: float | None) -> Severity | None:
        """The gravest threshold that ``value`` is beyond: above it, or below where a greater value is better."""
        beyond = set()
        for limit in self.limits(metric.name):
            if value is None:
                continue
            below = metric.direction is Direction.HIGHER_IS_BETTER
            if value < limit.value if below else value >= limit.value:
                beyond.add(limit.severity)
        return next((severity for severity in _GRAVE if severity in beyond), None)

    def figures(self, row: AnswerRow, metric: Metric) -> Json:
        """The value, its interval and its exposure, as they are drawn."""
        found = row.metrics[metric.name]
        drawn: Json = {"value": shown(found.value, metric.unit, self.currency), "exposure": found.exposure}
        if found.value is not None and found.interval is not None:
            drawn["lower"] = shown(found.interval.lower, metric.unit, self.currency)
            drawn["upper"] = shown(found.interval.upper, metric.unit, self.currency)
        severity = self.severity(metric, found.value)
        drawn["severity"] = "ordinary" if severity is None else str(severity)
        return drawn

    def value_of(self, row: AnswerRow, dimension: Dimension) -> str:
        return value_text(row.dimensions[dimension.name], dimension, self.language)

    def exposure_title(self) -> str:
        unit = unit_text(self.answer.exposure_unit, self.currency, self.language)
        if self.answer.exposure_unit != "years":
            return self.text(f"依据（{unit}）", f"From ({unit})")
        return self.text(f"风险暴露（{unit}）", f"Exposure ({unit})")


def specification(picture: Picture, content: Mapping[str, Any]) -> Json:
    """The whole specification around the marks of a chart."""
    return {
        "$schema": SCHEMA,
        "title": {
            "text": in_language(picture.chart.title, picture.language),
            "subtitle": _subtitle(picture),
            "anchor": "start",
            "frame": "group",
            "offset": 22,
        },
        "background": "white",
        "padding": 14,
        **content,
        "config": {
            "font": FONT,
            "view": {"stroke": None},
            "title": {"fontSize": 16, "subtitleFontSize": 11, "subtitleColor": FAINT, "subtitlePadding": 5},
            "axis": {
                "labelFontSize": 11,
                "titleFontSize": 11,
                "titleFontWeight": "normal",
                "titleColor": FAINT,
                "labelLimit": 260,
                "gridColor": "#e8ecef",
                "domainColor": "#9aa5ae",
                "tickColor": "#9aa5ae",
            },
            "legend": {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelLimit": 240},
            "range": {"category": list(COLOURS)},
        },
        "usermeta": {
            "dataVersion": picture.answer.stamp.data_version,
            "watermark": picture.answer.stamp.watermark.isoformat(),
        },
    }


def _subtitle(picture: Picture) -> list[str]:
    """Data version, watermark and exposure; what the intervals are; what is cut off."""
    answer = picture.answer
    unit = unit_text(answer.exposure_unit, picture.currency, picture.language)
    stamp = answer.stamp
    first = picture.text(f"数据版本 {stamp.data_version} · 截至 {stamp.watermark:%Y-%m-%d}",
                         f"Data version {stamp.data_version} · up to {stamp.watermark:%Y-%m-%d}")  # fmt: skip
    if answer.exposure is not None:
        basis = (
            picture.text("风险暴露", "exposure") if answer.exposure_unit == "years" else picture.text("依据", "from")
        )
        first += f" · {basis} {answer.exposure:,.0f} {unit}"
    second = []
    if has_intervals(answer):
        second.append(_intervals_text(picture))
    if len(answer.rows) < answer.total_size:
        rows, size = len(answer.rows), answer.total_size
        second.append(picture.text(f"前 {rows:,} 行，共 {size:,} 行", f"the first {rows:,} of {size:,} rows"))
    for dimension in answer.dimensions:
        if dimension.is_time:
            last = start_of(dimension.type, stamp.watermark.date()).isoformat()
            if last != stamp.watermark.date().isoformat() and any(
                r.dimensions[dimension.name] == last for r in answer.rows
            ):
                name = value_text(last, dimension, picture.language)
                second.append(picture.text(f"{name} 尚未完整", f"{name} is not complete"))
    joined = picture.text("；", "; ").join(second)
    return [first, joined] if joined else [first]


def _intervals_text(picture: Picture) -> str:
    level = f"{picture.chart.interval_level:.0%}"
    zh, en = {
        ChartType.LINE: (f"色带为 {level} 区间", f"bands are {level} intervals"),
        ChartType.BAR: (f"须线为 {level} 区间", f"whiskers are {level} intervals"),
        ChartType.SCATTER: (f"细线为 {level} 区间", f"thin lines are {level} intervals"),
        ChartType.GAUGE: (f"外弧为 {level} 区间", f"the outer arc is the {level} interval"),
        ChartType.TABLE: (f"括号内为 {level} 区间", f"in brackets {level} intervals"),
        ChartType.HEAT_MAP: (f"{level} 区间见各格提示", f"{level} intervals are in the cells' tooltips"),
    }[picture.chart.type]
    return picture.text(zh, en)


def has_intervals(answer: QueryAnswer) -> bool:
    return any(value.interval is not None for row in answer.rows for value in row.metrics.values())


def severity_scale() -> Json:
    """Colours of values by what they are beyond."""
    names = ["ordinary", *(str(severity) for severity in SEVERITY_COLOURS)]
    return {"domain": names, "range": [ORDINARY, *SEVERITY_COLOURS.values()]}


def threshold_layers(picture: Picture, metrics: Sequence[Metric], channel: str) -> list[Json]:
    """A line with its text at each threshold; ``channel``: the axis that the metric lies on."""
    layers: list[Json] = []
    for metric in metrics:
        for limit in picture.limits(metric.name):
            at = {"datum": shown(limit.value, metric.unit, picture.currency)}
            colour = LINE_COLOURS[limit.severity]
            layers.append(
                {
                    "data": {"values": [{}]},
                    "mark": {"type": "rule", "color": colour, "strokeDash": [6, 4], "strokeWidth": 1.4},
                    "encoding": {channel: at},
                }
            )
            text = in_language(limit.label, picture.language)
            if text:
                place: Json = {"align": "right", "baseline": "bottom", "dy": -3}
                other: Json = {"x": {"value": WIDTH}}
                if channel == "x":
                    place, other = {"align": "center", "baseline": "bottom", "dy": -3}, {"y": {"value": 0}}
                layers.append(
                    {
                        "data": {"values": [{}]},
                        "mark": {"type": "text", "color": colour, "fontSize": 11, "text": text, **place},
                        "encoding": {channel: at, **other},
                    }
                )
    return layers


def greatest(values: Sequence[Json], thresholds: Sequence[float]) -> float | None:
    """The end of an axis where a few wide intervals would press everything else flat; None where none do."""
    drawn = [abs(value["value"]) for value in values if value["value"] is not None]
    most = max([*drawn, *thresholds], default=0.0)
    widest = max((value["upper"] for value in values if value.get("upper") is not None), default=0.0)
    return most * 1.5 if most > 0 and widest > most * 2 else None


def first_day(row: AnswerRow, dimension: Dimension) -> date:
    return date.fromisoformat(row.dimensions[dimension.name])
