"""Whether a chart or a dashboard can be drawn: every mistake, before anything is read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.charts.definition import Chart, ChartType, Dashboard
from sluice_server.domain.risk.semantic.planner import plan_query
from sluice_server.domain.risk.semantic.semantic_model import Dimension, Metric, SemanticModel

MAX_MARKS = {
    ChartType.LINE: 5_000,
    ChartType.BAR: 200,
    ChartType.SCATTER: 5_000,
    ChartType.GAUGE: 1,
    ChartType.TABLE: 200,
    ChartType.HEAT_MAP: 5_000,
}
"""More than these nobody can see."""
MAX_SERIES = 20
"""Lines or colours in one chart."""
MAX_CHARTS = 50
MAX_THRESHOLDS = 10
_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def is_id(text: str) -> bool:
    """Lower-case letters, digits and hyphens, at most 63 of them."""
    return _ID.fullmatch(text) is not None


def chart_mistakes(model: SemanticModel, chart: Chart, field: str) -> list[Violation]:
    """What is wrong with a chart; ``field`` stands before the names of its fields, such as ``charts[2].``."""
    wrong: list[Violation] = []
    if not is_id(chart.chart_id):
        wrong.append(Violation(f"{field}chart_id", "must be lower-case letters, digits and hyphens, at most 63"))
    if not chart.title.zh or not chart.title.en:
        wrong.append(Violation(f"{field}title", "is required"))
    try:
        plan = plan_query(model, chart.question)
    except InvalidInput as refused:
        wrong += [Violation(f"{field}query.{one.field}", one.description) for one in refused.violations]
    else:
        wrong += [
            Violation(f"{field}query.{part}", text) for part, text in _RULES[chart.type](plan.metrics, plan.dimensions)
        ]
    if len(chart.thresholds) > MAX_THRESHOLDS:
        wrong.append(Violation(f"{field}thresholds", f"at most {MAX_THRESHOLDS} are allowed"))
    for i, threshold in enumerate(chart.thresholds):
        if threshold.metric not in chart.question.metrics:
            text = f"{threshold.metric!r} is not among the metrics of the chart"
            wrong.append(Violation(f"{field}thresholds[{i}].metric", text))
        if not math.isfinite(threshold.value):
            wrong.append(Violation(f"{field}thresholds[{i}].value", "must be a finite number"))
    if not 1 <= chart.grid_columns <= 12:
        wrong.append(Violation(f"{field}grid_columns", "must be 1 to 12; 0 means 6"))
    if chart.rows > MAX_MARKS[chart.type]:
        wrong.append(Violation(f"{field}query.page_size", f"at most {MAX_MARKS[chart.type]:,} for a {chart.type}"))
    return wrong


def dashboard_mistakes(model: SemanticModel, dashboard: Dashboard, field: str) -> list[Violation]:
    """What is wrong with a dashboard and its charts."""
    wrong: list[Violation] = []
    if not is_id(dashboard.dashboard_id):
        wrong.append(Violation(f"{field}dashboard_id", "must be lower-case letters, digits and hyphens, at most 63"))
    if not dashboard.title.zh or not dashboard.title.en:
        wrong.append(Violation(f"{field}title", "is required"))
    if not 1 <= len(dashboard.charts) <= MAX_CHARTS:
        wrong.append(Violation(f"{field}charts", f"1 to {MAX_CHARTS} are needed, not {len(dashboard.charts)}"))
    seen: set[str] = set()
    for i, chart in enumerate(dashboard.charts[:MAX_CHARTS]):
        wrong += chart_mistakes(model, chart, f"{field}charts[{i}].")
        if chart.chart_id in seen:
            wrong.append(Violation(f"{field}charts[{i}].chart_id", f"{chart.chart_id!r} is there twice"))
        seen.add(chart.chart_id)
    return wrong


Rule = Callable[[Sequence[Metric], Sequence[Dimension]], list[tuple[str, str]]]


def _one_axis(metrics: Sequence[Metric], dimensions: Sequence[Dimension], others: int) -> list[tuple[str, str]]:
    """Several metrics share one axis, and only where nothing else makes the colours."""
    wrong = []
    if len({metric.unit for metric in metrics}) > 1:
        wrong.append(("metrics", "share one axis and must have the same unit; make a chart for each"))
    if len(metrics) > 1 and len(dimensions) > others:
        wrong.append(("metrics", "only one is possible where a dimension makes the colours"))
    return wrong


def _line(metrics: Sequence[Metric], dimensions: Sequence[Dimension]) -> list[tuple[str, str]]:
    wrong = _one_axis(metrics, dimensions, 1)
    if sum(dimension.is_time for dimension in dimensions) != 1 or len(dimensions) > 2:
        wrong.append(("dimensions", "a line needs exactly one of time, and at most one other"))
    return wrong


def _bar(metrics: Sequence[Metric], dimensions: Sequence[Dimension]) -> list[tuple[str, str]]:
    wrong = _one_axis(metrics, dimensions, 1)
    if not 1 <= len(dimensions) <= 2:
        wrong.append(("dimensions", "bars need one or two"))
    return wrong


def _scatter(metrics: Sequence[Metric], dimensions: Sequence[Dimension]) -> list[tuple[str, str]]:
    wrong = []
    if len(metrics) != 2:
        wrong.append(("metrics", "a scatter needs exactly two, the horizontal one first"))
    if not 1 <= len(dimensions) <= 2:
        wrong.append(("dimensions", "a scatter needs one, for its points, and may have a second one for their colour"))
    return wrong


def _gauge(metrics: Sequence[Metric], dimensions: Sequence[Dimension]) -> list[tuple[str, str]]:
    wrong = []
    if len(metrics) != 1:
        wrong.append(("metrics", "a gauge shows exactly one"))
    if dimensions:
        wrong.append(("dimensions", "a gauge shows one value: filter instead"))
    return wrong


def _table(metrics: Sequence[Metric], dimensions: Sequence[Dimension]) -> list[tuple[str, str]]:
    return []


def _heat_map(metrics: Sequence[Metric], dimensions: Sequence[Dimension]) -> list[tuple[str, str]]:
    wrong = []
    if len(metrics) != 1:
        wrong.append(("metrics", "a heat map shows exactly one"))
    if len(dimensions) != 2:
        wrong.append(("dimensions", "a heat map needs exactly two"))
    return wrong


_RULES: dict[ChartType, Rule] = {
    ChartType.LINE: _line,
    ChartType.BAR: _bar,
    ChartType.SCATTER: _scatter,
    ChartType.GAUGE: _gauge,
    ChartType.TABLE: _table,
    ChartType.HEAT_MAP: _heat_map,
}
