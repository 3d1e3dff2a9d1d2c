"""Charts and dashboards as files: read, and checked against the semantic model, with the line of every mistake."""

from __future__ import annotations

from importlib.resources import files

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.located_yaml import Mistakes, Section, read_section
from sluice_server.domain.risk.alerts.rule import Severity
from sluice_server.domain.risk.charts.check import chart_mistakes, dashboard_mistakes
from sluice_server.domain.risk.charts.definition import Chart, ChartType, Dashboard, Threshold
from sluice_server.domain.risk.semantic.model_yaml import read_label
from sluice_server.domain.risk.semantic.question import Filter, MetricFilter, Question
from sluice_server.domain.risk.semantic.semantic_model import Label, SemanticModel

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
    root = read_section(text, mistakes)
    if root is None:
        raise InvalidDashboard(mistakes.violations())
    root.only("dashboard_id", "title", "description", "charts", "shared_with")
    dashboard = Dashboard(
        dashboard_id=root.text("dashboard_id", required=True),
        title=_label(root, "title"),
        description=_label(root, "description") if "description" in root else Label("", ""),
        charts=tuple(_chart(section) for section in root.sections("charts")),
        shared_with=root.texts("shared_with"),
        owner="sluice" if shipped else "",
        shipped=shipped,
    )
    _check(root, [] if mistakes.has_errors or model is None else dashboard_mistakes(model, dashboard, ""))
    return dashboard


def load_chart(text: str, model: SemanticModel | None) -> Chart:
    """The single chart that ``text`` describes; else as `load_dashboard`."""
    mistakes = Mistakes()
    root = read_section(text, mistakes)
    if root is None:
        raise InvalidDashboard(mistakes.violations())
    chart = _chart(root)
    _check(root, [] if mistakes.has_errors or model is None else chart_mistakes(model, chart, ""))
    return chart


def _check(root: Section, found: list[Violation]) -> None:
    for violation in found:
        root.report_at(violation.field, violation.description)
    if root.mistakes.has_errors:
        raise InvalidDashboard(root.mistakes.violations())


def _chart(section: Section) -> Chart:
    section.only("chart_id", "title", "type", "query", "thresholds", "grid_columns")
    if "type" not in section:
        section.report("type", f"is required: one of {', '.join(ChartType)}")
    query = section.needed_section("query")
    query.only("metrics", "dimensions", "filters", "having", "order_by", "top", "page_size", "interval_level", "totals")
    level = query.number("interval_level")
    if level is not None and not 0.5 <= level <= 0.999:
        query.report("interval_level", "must be 0.5 to 0.999")
    return Chart(
        chart_id=section.text("chart_id", required=True),
        title=_label(section, "title"),
        type=section.choice("type", ChartType, ChartType.BAR),
        question=Question(
            metrics=query.texts("metrics"),
            dimensions=query.texts("dimensions"),
            filters=tuple(_filter(item) for item in query.sections("filters")),
            having=tuple(_having(item) for item in query.sections("having")),
            order_by=query.texts("order_by"),
            top=query.integer("top", minimum=0, maximum=10_000) or 0,
        ),
        rows=query.integer("page_size", minimum=0, maximum=10_000) or 0,
        interval_level=level or 0.95,
        thresholds=tuple(_threshold(item) for item in section.sections("thresholds")),
        grid_columns=section.integer("grid_columns", minimum=1, maximum=12) or 6,
    )


def _filter(section: Section) -> Filter:
    section.only("dimension", "any_of", "none_of", "at_least", "below", "last")
    return Filter(
        dimension=section.text("dimension", required=True),
        any_of=section.texts("any_of"),
        none_of=section.texts("none_of"),
        at_least=str(section.plain("at_least") or ""),
        below=str(section.plain("below") or ""),
        last=section.integer("last", minimum=0, maximum=10_000) or 0,
    )


def _having(section: Section) -> MetricFilter:
    section.only("metric", "at_least", "below")
    return MetricFilter(section.text("metric", required=True), section.number("at_least"), section.number("below"))


def _threshold(section: Section) -> Threshold:
    section.only("metric", "value", "severity", "label")
    return Threshold(
        metric=section.text("metric", required=True),
        value=section.number("value", required=True) or 0.0,
        severity=section.choice("severity", Severity, Severity.WARNING),
        label=_label(section, "label") if "label" in section else Label("", ""),
    )


def _label(section: Section, key: str) -> Label:
    """A text by language, or one text for both."""
    if isinstance(section.plain(key), str):
        text = section.text(key, required=True)
        return Label(text, text)
    return read_label(section, key)
