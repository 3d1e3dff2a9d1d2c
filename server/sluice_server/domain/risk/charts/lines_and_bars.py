"""Lines and bars as Vega-Lite."""

from __future__ import annotations

from typing import Any

from sluice_server.domain.risk.charts.axes import hints, quantity, series_colour, slant
from sluice_server.domain.risk.charts.frame import (
    ORDINARY,
    WIDTH,
    Json,
    Picture,
    greatest,
    severity_scale,
    threshold_layers,
)
from sluice_server.domain.risk.charts.wording import shown
from sluice_server.domain.risk.semantic.semantic_model import Dimension, DimensionType, Metric

_WHISKER = "#1f272d"
_TIME_FORMATS = {
    DimensionType.DAY: "%Y-%m-%d",
    DimensionType.MONTH: "%Y-%m",
    DimensionType.QUARTER: "%Y Q%q",
    DimensionType.YEAR: "%Y",
}


def line(picture: Picture) -> Json:
    """Lines over time with bands for their intervals."""
    answer = picture.answer
    time = next(dimension for dimension in answer.dimensions if dimension.is_time)
    values, series = _series(picture, [d for d in answer.dimensions if d is not time])
    metric = answer.metrics[0]
    x: Json = {
        "field": "start",
        "type": "temporal",
        "scale": {"type": "utc"},
        "title": None,
        "axis": {"format": _TIME_FORMATS[time.type], "labelOverlap": True, "grid": False, "labelFlush": True},
    }
    y = _quantity(picture, metric, values)
    colour = series_colour(series)
    shared: Json = {"x": x, "color": colour} if series else {"x": x}
    plain: Json = {} if series else {"color": ORDINARY}
    layers: list[Json] = [
        {
            "mark": {"type": "area", "opacity": 0.12 if series else 0.2, "clip": True, **plain},
            "transform": [{"filter": "isValid(datum.lower) && isValid(datum.upper)"}],
            "encoding": {**shared, "y": {**y, "field": "lower"}, "y2": {"field": "upper"}},
        },
        {
            "mark": {
                "type": "line",
                "strokeWidth": 2,
                "point": {"size": 22, "filled": True, **plain},
                "clip": True,
                **plain,
            },
            "encoding": {**shared, "y": y, "tooltip": hints(picture, metric, bool(series))},
        },
    ]
    for row, value in zip(_rows_of(picture, answer.metrics), values, strict=True):
        value["start"] = f"{row.dimensions[time.name]}T00:00:00Z"
    return {
        "width": WIDTH,
        "height": 260,
        "data": {"values": values},
        "layer": [*layers, *threshold_layers(picture, answer.metrics, "y")],
    }


def bar(picture: Picture) -> Json:
    """Bars with whiskers: lying where they have names, standing where they are periods."""
    answer = picture.answer
    first, others = answer.dimensions[0], answer.dimensions[1:]
    values, series = _series(picture, others)
    rows = _rows_of(picture, answer.metrics)
    for row, value in zip(rows, values, strict=True):
        value["name"] = picture.value_of(row, first)
    metric = answer.metrics[0]
    along, across = ("x", "y") if first.is_time else ("y", "x")
    names: Json = {
        "field": "name",
        "type": "nominal",
        "sort": None,
        "title": None if first.is_time else picture.name(first),
    }
    names["axis"] = {
        "labelAngle": slant(len({value["name"] for value in values})) if first.is_time else 0,
        "ticks": False,
    }
    offset: Json = {f"{along}Offset": {"field": "series", "sort": None}} if series else {}
    colour = series_colour(series)
    if not series:
        legend = {"legend": None}
        colour = {"field": "severity", "type": "nominal", "scale": severity_scale(), **legend}
    quantity = _quantity(picture, metric, values)
    step = {"step": 9 if series else 24, "for": "offset"} if series else {"step": 24}
    size: Json = {"width": WIDTH, "height": 260} if first.is_time else {"width": WIDTH, "height": step}
    whisker: Json = {**quantity, "field": "lower"}
    return {
        **size,
        "data": {"values": values},
        "layer": [
            {
                "mark": {"type": "bar", "clip": True},
                "encoding": {
                    along: names, **offset, across: quantity, "color": colour,
                    "tooltip": hints(picture, metric, bool(series), first),
                },
            },
            {
                "mark": {"type": "rule", "color": _WHISKER, "strokeWidth": 1.1, "clip": True},
                "transform": [{"filter": "isValid(datum.lower) && isValid(datum.upper)"}],
                "encoding": {along: names, **offset, across: whisker, f"{across}2": {"field": "upper"}},
            },
            *threshold_layers(picture, answer.metrics, across),
        ],
    }  # fmt: skip


def _rows_of(picture: Picture, metrics: tuple[Metric, ...]) -> list[Any]:
    """The rows in the order of `_series`: again for each metric."""
    return [row for _ in metrics for row in picture.answer.rows]


def _series(picture: Picture, others: tuple[Dimension, ...] | list[Dimension]) -> tuple[list[Json], str]:
    """A value for each row and metric, and what makes the colours: a dimension's or the metrics' names, or nothing."""
    metrics = picture.answer.metrics
    values = []
    for metric in metrics:
        for row in picture.answer.rows:
            drawn = picture.figures(row, metric)
            if others:
                drawn["series"] = picture.value_of(row, others[0])
            elif len(metrics) > 1:
                drawn["series"] = picture.name(metric)
            values.append(drawn)
    if others:
        return values, picture.name(others[0])
    return values, picture.text("指标", "Metric") if len(metrics) > 1 else ""


def _quantity(picture: Picture, metric: Metric, values: list[Json]) -> Json:
    several = len(picture.answer.metrics) > 1
    found = quantity(picture, metric, "value")
    if several:
        found["title"] = None
    limits = [shown(limit.value, metric.unit, picture.currency) or 0.0 for limit in picture.limits(metric.name)]
    end = greatest(values, limits)
    if end is not None:
        found["scale"] = {"domainMax": end}
    return found
