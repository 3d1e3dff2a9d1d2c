"""Lines, bars, scatters and heat maps as Vega-Lite."""

from __future__ import annotations

from typing import Any

from sluice_server.domain.risk.charts.frame import (
    COLOURS,
    FAINT,
    ORDINARY,
    SEVERITY_COLOURS,
    WIDTH,
    Json,
    Picture,
    greatest,
    severity_scale,
    threshold_layers,
)
from sluice_server.domain.risk.charts.wording import axis_format, number_text, shown
from sluice_server.domain.risk.semantic_model import Dimension, DimensionType, Direction, Metric

_WHISKER = "#1f272d"
_TIME_FORMATS = {
    DimensionType.DAY: "%Y-%m-%d",
    DimensionType.MONTH: "%Y-%m",
    DimensionType.QUARTER: "%Y Q%q",
    DimensionType.YEAR: "%Y",
}
_CELL_TEXTS = 240
"""Most cells of a heat map that have room for their number."""


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
    colour = _colour(series)
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
            "encoding": {**shared, "y": y, "tooltip": _tooltip(picture, metric, bool(series))},
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
        "labelAngle": _slant(len({value["name"] for value in values})) if first.is_time else 0,
        "ticks": False,
    }
    offset: Json = {f"{along}Offset": {"field": "series", "sort": None}} if series else {}
    colour = _colour(series)
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
                    "tooltip": _tooltip(picture, metric, bool(series), first),
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


def scatter(picture: Picture) -> Json:
    """One metric against another; the area of a point is its exposure, thin lines are the intervals of both."""
    answer = picture.answer
    across, up = answer.metrics
    values: list[Json] = []
    for row in answer.rows:
        one, other = picture.figures(row, across), picture.figures(row, up)
        if one["value"] is None or other["value"] is None:
            continue
        grave = {one["severity"], other["severity"]} - {"ordinary"}
        severity = next((str(s) for s in reversed(SEVERITY_COLOURS) if str(s) in grave), "ordinary")
        point = {f"x_{name}": value for name, value in one.items()} | {f"y_{name}": v for name, v in other.items()}
        point |= {
            "name": picture.value_of(row, answer.dimensions[0]),
            "exposure": one["exposure"],
            "severity": severity,
        }
        if len(answer.dimensions) > 1:
            point["series"] = picture.value_of(row, answer.dimensions[1])
        values.append(point)
    series = len(answer.dimensions) > 1
    x, y = _free(picture, across, "x_value"), _free(picture, up, "y_value")
    colour: Json = {"field": "severity", "type": "nominal", "scale": severity_scale(), "legend": None}
    if series:
        colour = _colour(picture.name(answer.dimensions[1]))
    thin: Json = {"type": "rule", "opacity": 0.3, "clip": True}
    tooltip = [
        {"field": "name", "title": picture.name(answer.dimensions[0])},
        {"field": "x_value", "title": picture.name(across), "format": axis_format(across.unit)},
        {"field": "y_value", "title": picture.name(up), "format": axis_format(up.unit)},
        {"field": "exposure", "title": picture.exposure_title(), "format": ",.0f"},
    ]
    size: Json = {"field": "exposure", "type": "quantitative", "scale": {"range": [25, 320]}}
    size |= {
        "title": picture.exposure_title(),
        "legend": {"format": ",.0f", "symbolFillColor": FAINT, "symbolStrokeWidth": 0},
    }
    return {
        "width": WIDTH,
        "height": 340,
        "data": {"values": values},
        "layer": [
            {
                "mark": thin,
                "transform": [{"filter": "isValid(datum.x_lower) && isValid(datum.x_upper)"}],
                "encoding": {"x": {**x, "field": "x_lower"}, "x2": {"field": "x_upper"}, "y": y, "color": colour},
            },
            {
                "mark": thin,
                "transform": [{"filter": "isValid(datum.y_lower) && isValid(datum.y_upper)"}],
                "encoding": {"y": {**y, "field": "y_lower"}, "y2": {"field": "y_upper"}, "x": x, "color": colour},
            },
            {
                "mark": {"type": "circle", "opacity": 0.85, "clip": True},
                "encoding": {"x": x, "y": y, "size": size, "color": colour, "tooltip": tooltip},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 9, "fontSize": 10, "color": "#2b3238"},
                "transform": [{"filter": "datum.severity != 'ordinary'"}],
                "encoding": {"x": x, "y": y, "text": {"field": "name"}},
            },
            *threshold_layers(picture, [across], "x"),
            *threshold_layers(picture, [up], "y"),
        ],
    }


def heat_map(picture: Picture) -> Json:
    """Colour over two dimensions: by value, or by threshold where there are some."""
    answer = picture.answer
    metric = answer.metrics[0]
    across, down = answer.dimensions
    if down.is_time and not across.is_time:
        across, down = down, across
    values = []
    for row in answer.rows:
        figures = picture.figures(row, metric)
        names = {"across": picture.value_of(row, across), "down": picture.value_of(row, down)}
        text = number_text(row.metrics[metric.name].value, metric.unit, picture.currency)
        values.append({**figures, **names, "text": text})
    columns, lines = len({value["across"] for value in values}), len({value["down"] for value in values})
    limits = sorted(shown(limit.value, metric.unit, picture.currency) or 0.0 for limit in picture.limits(metric.name))
    bad_is_high = metric.direction is not Direction.HIGHER_IS_BETTER
    scale: Json = {"scheme": "oranges" if metric.direction is Direction.LOWER_IS_BETTER else "blues"}
    if limits:
        steps = ["#dfe9ef", "#f2cf8f", "#d9705f", "#8f1f16"][: len(limits) + 1]
        scale = {"type": "threshold", "domain": limits, "range": steps if bad_is_high else steps[::-1]}
    sort = None if picture.chart.question.order_by else "ascending"
    x: Json = {"field": "across", "type": "nominal", "sort": "ascending" if across.is_time else sort}
    x |= {"title": picture.name(across), "axis": {"labelAngle": _slant(columns), "ticks": False}}
    y: Json = {"field": "down", "type": "nominal", "sort": sort, "title": picture.name(down), "axis": {"ticks": False}}
    colour: Json = {"field": "value", "type": "quantitative", "scale": scale, "title": picture.axis_title(metric)}
    colour["legend"] = {"format": axis_format(metric.unit)}
    tooltip = [
        {"field": "down", "title": picture.name(down)},
        {"field": "across", "title": picture.name(across)},
        *_tooltip(picture, metric, series=False),
    ]
    encoding = {"x": x, "y": y}
    layers: list[Json] = [
        {"mark": {"type": "rect", "stroke": "white"}, "encoding": {**encoding, "color": colour, "tooltip": tooltip}}
    ]
    width = max(WIDTH, columns * (34 if len(values) <= _CELL_TEXTS else 13))
    if len(values) <= _CELL_TEXTS:
        layers.append(
            {"mark": {"type": "text", "fontSize": 9}, "encoding": {**encoding, "text": {"field": "text"},
             "color": _readable(values, limits)}}
        )  # fmt: skip
    return {"width": width, "height": {"step": 24 if lines <= 40 else 9}, "data": {"values": values}, "layer": layers}


def _slant(labels: int) -> int:
    """The angle at which so many labels do not overlap."""
    return 0 if labels <= 8 else -45 if labels <= 24 else -90


def _readable(values: list[Json], limits: list[float]) -> Json:
    """White text on dark cells."""
    drawn = [value["value"] for value in values if value["value"] is not None]
    dark = (
        limits[-1] if limits else min(drawn, default=0.0) + 0.65 * (max(drawn, default=0.0) - min(drawn, default=0.0))
    )
    return {"condition": {"test": f"datum.value >= {dark!r}", "value": "white"}, "value": "#2b3238"}


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


def _colour(series: str) -> Json:
    legend = {"symbolOpacity": 1, "symbolType": "square"}
    scale = {"range": list(COLOURS)}
    return {"field": "series", "type": "nominal", "sort": None, "title": series, "scale": scale, "legend": legend}


def _quantity(picture: Picture, metric: Metric, values: list[Json]) -> Json:
    several = len(picture.answer.metrics) > 1
    found = _free(picture, metric, "value")
    if several:
        found["title"] = None
    limits = [shown(limit.value, metric.unit, picture.currency) or 0.0 for limit in picture.limits(metric.name)]
    end = greatest(values, limits)
    if end is not None:
        found["scale"] = {"domainMax": end}
    return found


def _free(picture: Picture, metric: Metric, field: str) -> Json:
    drawn = [value for row in picture.answer.rows if (value := row.metrics[metric.name].value) is not None]
    most = max((abs(shown(value, metric.unit, picture.currency) or 0.0) for value in drawn), default=0.0)
    axis = {"format": axis_format(metric.unit, most)}
    return {"field": field, "type": "quantitative", "title": picture.axis_title(metric), "axis": axis}


def _tooltip(picture: Picture, metric: Metric, series: bool, named: Dimension | None = None) -> list[Json]:
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
