"""Axes, colours and tooltips that charts have in common."""

from __future__ import annotations

from sluice_server.domain.risk.charts.frame import COLOURS, Json, Picture
from sluice_server.domain.risk.charts.wording import axis_format, shown
from sluice_server.domain.risk.semantic.semantic_model import Dimension, Metric


def slant(labels: int) -> int:
    """The angle at which so many labels do not overlap."""
    return 0 if labels <= 8 else -45 if labels <= 24 else -90


def series_colour(series: str) -> Json:
    legend = {"symbolOpacity": 1, "symbolType": "square"}
    scale = {"range": list(COLOURS)}
    return {"field": "series", "type": "nominal", "sort": None, "title": series, "scale": scale, "legend": legend}


def quantity(picture: Picture, metric: Metric, field: str) -> Json:
    drawn = [value for row in picture.answer.rows if (value := row.metrics[metric.name].value) is not None]
    most = max((abs(shown(value, metric.unit, picture.currency) or 0.0) for value in drawn), default=0.0)
    axis = {"format": axis_format(metric.unit, most)}
    return {"field": field, "type": "quantitative", "title": picture.axis_title(metric), "axis": axis}


def hints(picture: Picture, metric: Metric, series: bool, named: Dimension | None = None) -> list[Json]:
    form = axis_format(metric.unit)
    found: list[Json] = [] if named is None else [{"field": "name", "title": picture.name(named)}]
    if series:
        found.append({"field": "series", "title": picture.text("系列", "Series")})
    return [
        *found,
        {"field": "value", "title": picture.name(metric), "format": form},
        {"field": "lower", "title": picture.text("区间下限", "Lower limit"), "format": form},
        {"field": "upper", "title": picture.text("区间上限", "Upper limit"), "format": form},
        {"field": "exposure", "title": picture.exposure_title(), "format": ",.0f"},
    ]
