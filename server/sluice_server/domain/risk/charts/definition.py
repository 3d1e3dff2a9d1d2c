"""What a chart and a dashboard are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sluice_server.domain.risk.alerts.rule import Severity
from sluice_server.domain.risk.semantic.question import Question
from sluice_server.domain.risk.semantic.semantic_model import Label


class ChartType(StrEnum):
    """What a chart looks like."""

    LINE = "line"
    BAR = "bar"
    SCATTER = "scatter"
    GAUGE = "gauge"
    TABLE = "table"
    HEAT_MAP = "heat_map"


class Language(StrEnum):
    """The languages of the house."""

    ZH = "zh"
    EN = "en"


def in_language(label: Label, language: Language) -> str:
    """The label's text."""
    return label.zh if language is Language.ZH else label.en


@dataclass(frozen=True, slots=True)
class Threshold:
    """A value, in the unit of its metric, at which a chart changes its colour."""

    metric: str
    value: float
    severity: Severity
    label: Label


@dataclass(frozen=True, slots=True)
class Chart:
    """A question and how to show the answer."""

    chart_id: str
    title: Label
    type: ChartType
    question: Question
    rows: int = 0
    """Show only the first so many rows; 0 shows all of them, or refuses where there are too many to see anything."""
    interval_level: float = 0.95
    thresholds: tuple[Threshold, ...] = ()
    grid_columns: int = 6
    """Width on the dashboard's grid of 12 columns."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Charts that are looked at together."""

    dashboard_id: str
    title: Label
    description: Label
    charts: tuple[Chart, ...]
    shared_with: tuple[str, ...] = ()
    """Who sees it in lists beside its owner; empty for everybody."""
    owner: str = ""
    version: int = 0
    """Counts the saves, from 1; 0 until stored."""
    updated_at: datetime | None = None
    shipped: bool = False

    @property
    def etag(self) -> str:
        """Changes with every save; empty until stored."""
        return str(self.version) if self.version else ""

    def chart(self, chart_id: str) -> Chart | None:
        return next((chart for chart in self.charts if chart.chart_id == chart_id), None)
