"""Charts and dashboards as files: read, and checked against the semantic model, with the line of every mistake."""

from __future__ import annotations

from importlib.resources import files

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.alerts.rule import Severity
from sluice_server.domain.risk.charts.check import chart_mistakes, dashboard_mistakes
from sluice_server.domain.risk.charts.definition import Chart, ChartType, Dashboard, Threshold
from sluice_server.domain.risk.located import Mistakes, Node, read_mapping
from sluice_server.domain.risk.question import Filter, MetricFilter, Question
from sluice_server.domain.risk.semantic_model import Label, SemanticModel

_SHIPPED = ("channel-ratings", "device-risk", "insurer-health", "pricing-model", "repair-shops")


class InvalidDashboard(InvalidInput):
    """A dashboard's or a chart's file is wrong; each violation's field is ``line N: path``."""

    reason = "INVALID_FIELD"


def shipped_dashboards(model: SemanticModel, *, strict: bool = True) -> tuple[Dashboard, ...]:
    """The dashboards that are packaged with the server, by id.

    Raises InvalidDashboard where ``model`` does not have what they show; without ``strict`` they are left out.
    """
    folder = files("sluice_server.domain.risk.charts").joinpath("shipped")
    found = []
    for name in _SHIPPED:
        try:
            found.append(load_dashboard(folder.joinpath(f"{name}.yaml").read_text("utf-8"), model, shipped=True))
        except InvalidDashboard:
            if strict:
                raise
    return tuple(found)


def load_dashboard(text: str, model: SemanticModel | None, *, shipped: bool = False) -> Dashboard:
    """The dashboard that ``text`` describes. Raises InvalidDashboard with every mistake.

    ``model`` None: names are not looked up; the server that it is sent to does that.
    """
    mistakes = Mistakes()
    root = read_mapping(text, mistakes)
    if root is None:
        raise InvalidDashboard(mistakes.found)
    root.only("dashboard_id", "title", "description", "charts", "shared_with")
    dashboard = Dashboard(
        dashboard_id=root.text("dashboard_id"),
        title=_label(root, "title"),
        description=_label(root, "description") if root.has("description") else Label("", ""),
        charts=tuple(_chart(node) for node in root.items("charts")),
        shared_with=root.list_of_texts("shared_with"),
        owner="sluice" if shipped else "",
        shipped=shipped,
    )
    _check(mistakes, [] if mistakes.found or model is None else dashboard_mistakes(model, dashboard, ""))
    return dashboard


def load_chart(text: str, model: SemanticModel | None) -> Chart:
    """The single chart that ``text`` describes; else as `load_dashboard`."""
    mistakes = Mistakes()
    root = read_mapping(text, mistakes)
    if root is None:
        raise InvalidDashboard(mistakes.found)
    chart = _chart(root)
    _check(mistakes, [] if mistakes.found or model is None else chart_mistakes(model, chart, ""))
    return chart


def _check(mistakes: Mistakes, found: list[Violation]) -> None:
    for violation in found:
        mistakes.add_at(violation.field, violation.description)
    if mistakes.found:
        raise InvalidDashboard(mistakes.found)


def _chart(node: Node) -> Chart:
    node.only("chart_id", "title", "type", "query", "thresholds", "grid_columns")
    if not node.has("type"):
        node.wrong("type", f"is required: one of {', '.join(ChartType)}")
    query = node.child("query")
    query.only("metrics", "dimensions", "filters", "having", "order_by", "top", "page_size", "interval_level", "totals")
    level = query.optional_number("interval_level")
    if level is not None and not 0.5 <= level <= 0.999:
        query.wrong("interval_level", "must be 0.5 to 0.999")
    return Chart(
        chart_id=node.text("chart_id"),
        title=_label(node, "title"),
        type=node.one_of("type", ChartType, ChartType.BAR),
        question=Question(
            metrics=query.list_of_texts("metrics"),
            dimensions=query.list_of_texts("dimensions"),
            filters=tuple(_filter(item) for item in query.items("filters")),
            having=tuple(_having(item) for item in query.items("having")),
            order_by=query.list_of_texts("order_by"),
            top=query.whole("top", 0, 10_000, 0),
        ),
        rows=query.whole("page_size", 0, 10_000, 0),
        interval_level=level or 0.95,
        thresholds=tuple(_threshold(item) for item in node.items("thresholds")),
        grid_columns=node.whole("grid_columns", 1, 12, 6),
    )


def _filter(node: Node) -> Filter:
    node.only("dimension", "any_of", "none_of", "at_least", "below", "last")
    return Filter(
        dimension=node.text("dimension"),
        any_of=node.list_of_texts("any_of"),
        none_of=node.list_of_texts("none_of"),
        at_least=str(node.get("at_least") or ""),
        below=str(node.get("below") or ""),
        last=node.whole("last", 0, 10_000, 0),
    )


def _having(node: Node) -> MetricFilter:
    node.only("metric", "at_least", "below")
    return MetricFilter(node.text("metric"), node.optional_number("at_least"), node.optional_number("below"))


def _threshold(node: Node) -> Threshold:
    node.only("metric", "value", "severity", "label")
    return Threshold(
        metric=node.text("metric"),
        value=node.number("value"),
        severity=node.one_of("severity", Severity, Severity.WARNING),
        label=_label(node, "label") if node.has("label") else Label("", ""),
    )


def _label(node: Node, key: str) -> Label:
    """A text by language, or one text for both."""
    if isinstance(node.get(key), str):
        text = node.text(key)
        return Label(text, text)
    return node.label(key)
