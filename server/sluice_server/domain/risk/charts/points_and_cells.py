"""Scatters and heat maps as Vega-Lite."""

from __future__ import annotations

import statistics

from sluice_server.domain.risk.charts.axes import hints, quantity, series_colour, slant
from sluice_server.domain.risk.charts.frame import (
    FAINT,
    SEVERITY_COLOURS,
    WIDTH,
    Json,
    Picture,
    severity_scale,
    threshold_layers,
)
from sluice_server.domain.risk.charts.wording import axis_format, number_text, shown
from sluice_server.domain.risk.semantic.semantic_model import Direction

_SCATTER_HEIGHT, _MOST_NAMES = 340, 25
_CELL_TEXTS = 240
"""Most cells of a heat map that have room for their number."""


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
    _name_points(values)
    series = len(answer.dimensions) > 1
    x, y = quantity(picture, across, "x_value"), quantity(picture, up, "y_value")
    colour: Json = {"field": "severity", "type": "nominal", "scale": severity_scale(), "legend": None}
    if series:
        colour = series_colour(picture.name(answer.dimensions[1]))
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
        "height": _SCATTER_HEIGHT,
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
                "transform": [{"filter": "datum.named"}],
                "encoding": {"x": x, "y": y, "text": {"field": "name"}},
            },
            *threshold_layers(picture, [across], "x"),
            *threshold_layers(picture, [up], "y"),
        ],
    }


def _name_points(points: list[Json]) -> None:
    """Marks the points that get their name written beside them: those beyond a threshold, then those that lie apart,
    as far as the names do not cover each other."""
    ends = [max((point[f"{axis}_value"] for point in points), default=0.0) or 1.0 for axis in "xy"]
    middle = [statistics.median(point[f"{axis}_value"] for point in points) if points else 0.0 for axis in "xy"]

    def apart(point: Json) -> float:
        across, up = ((point[f"{axis}_value"] - middle[i]) / ends[i] for i, axis in enumerate("xy"))
        return float(across * across + up * up)

    taken: list[tuple[float, float, float]] = []
    for point in sorted(points, key=lambda point: (point["severity"] == "ordinary", -apart(point))):
        left, up = point["x_value"] / ends[0] * WIDTH, point["y_value"] / ends[1] * _SCATTER_HEIGHT
        right = left + 14 + 6.5 * len(point["name"])
        free = all(abs(up - other) > 13 or right < begin or left > end for begin, end, other in taken)
        point["named"] = free and len(taken) < _MOST_NAMES
        if point["named"]:
            taken.append((left, right, up))


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
    x |= {"title": picture.name(across), "axis": {"labelAngle": slant(columns), "ticks": False}}
    y: Json = {"field": "down", "type": "nominal", "sort": sort, "title": picture.name(down), "axis": {"ticks": False}}
    colour: Json = {"field": "value", "type": "quantitative", "scale": scale, "title": picture.axis_title(metric)}
    colour["legend"] = {"format": axis_format(metric.unit)}
    tooltip = [
        {"field": "down", "title": picture.name(down)},
        {"field": "across", "title": picture.name(across)},
        *hints(picture, metric, series=False),
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


def _readable(values: list[Json], limits: list[float]) -> Json:
    """White text on dark cells."""
    drawn = [value["value"] for value in values if value["value"] is not None]
    dark = (
        limits[-1] if limits else min(drawn, default=0.0) + 0.65 * (max(drawn, default=0.0) - min(drawn, default=0.0))
    )
    return {"condition": {"test": f"datum.value >= {dark!r}", "value": "white"}, "value": "#2b3238"}
