"""Gauges and tables as Vega-Lite."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sluice_server.domain.risk.alerts.rule import Severity
from sluice_server.domain.risk.charts.frame import FAINT, SEVERITY_COLOURS, Json, Picture
from sluice_server.domain.risk.charts.wording import number_text, unit_text
from sluice_server.domain.risk.semantic.semantic_model import Direction, Metric

_GOOD = "#4f9d69"
_TRACK = "#e3e8ec"
_WIDTH, _HEIGHT = 340, 190
_CENTRE = 140
"""Where the half circle stands, in pixels from the top."""
_RADIUS = 130
_MIDDLE = {"x": _WIDTH / 2, "y": _CENTRE}


def gauge(picture: Picture) -> Json:
    """A half circle: zones between the thresholds, a needle at the value, an outer arc over its interval."""
    metric = picture.answer.metrics[0]
    value = picture.answer.rows[0].metrics[metric.name]
    interval = value.interval
    limits = sorted(picture.limits(metric.name), key=lambda limit: limit.value)
    upper = None if interval is None else interval.upper
    end = _end(metric, [value.value or 0.0, upper or 0.0, *(limit.value for limit in limits)])

    def angle(at: float) -> float:
        return -math.pi / 2 + math.pi * min(max(at / end, 0.0), 1.0)

    def arc(first: float, last: float, inner: float, outer: float, colour: str) -> Json:
        return {
            "data": {"values": [{"first": first, "last": last}]},
            "mark": {"type": "arc", "innerRadius": inner, "outerRadius": outer, "color": colour, **_MIDDLE},
            "encoding": {
                "theta": {"field": "first", "type": "quantitative", "scale": None},
                "theta2": {"field": "last"},
            },
        }

    layers = [arc(angle(0.0), angle(end), _RADIUS * 0.68, _RADIUS, _TRACK)]
    ends = [0.0, *(limit.value for limit in limits), end]
    below = metric.direction is Direction.HIGHER_IS_BETTER
    zones: list[Severity | None] = [None, *(limit.severity for limit in limits)]
    if below:
        zones = [*(limit.severity for limit in limits), None]
    for severity, first, last in zip(zones, ends[:-1], ends[1:], strict=True):
        if limits and last > first:
            colour = _GOOD if severity is None else SEVERITY_COLOURS[severity]
            layers.append(arc(angle(first), angle(last), _RADIUS * 0.68, _RADIUS, colour))
    if value.value is not None:
        at = angle(value.value)
        layers.append(arc(at - 0.012, at + 0.012, _RADIUS * 0.5, _RADIUS * 1.04, "#1f272d"))
    if interval is not None:
        last = end if interval.upper is None else interval.upper
        layers.append(arc(angle(interval.lower), angle(last), _RADIUS * 1.06, _RADIUS * 1.1, "#1f272d"))
    layers += [_text(number_text(value.value, metric.unit, picture.currency), -14, 28, "#1f272d"), _text(
        f"{picture.name(metric)}{_in_brackets(picture, metric)}", 14, 12, FAINT)]  # fmt: skip
    if interval is not None:
        layers.append(_text(_interval_text(picture, metric), 34, 11, FAINT))
    layers += [
        _text(number_text(at, metric.unit, picture.currency), 14, 10, FAINT, across=across)
        for at, across in ((0.0, -_RADIUS * 0.84), (end, _RADIUS * 0.84))
    ]
    return {"width": _WIDTH, "height": _HEIGHT, "layer": layers}


def _end(metric: Metric, values: Sequence[float]) -> float:
    """The end of the scale: a round number a little above everything."""
    most = max(values) * 1.15
    if metric.unit == "share" and most > 0.5:
        return 1.0
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0) if step * power >= most)


def _text(text: str, down: float, size: int, colour: str, *, across: float = 0.0) -> Json:
    """A text, so many pixels from the middle of the half circle."""
    place = {"x": _WIDTH / 2 + across, "y": _CENTRE + down}
    return {
        "data": {"values": [{}]},
        "mark": {"type": "text", "text": text, "fontSize": size, "color": colour, **place},
    }


def _in_brackets(picture: Picture, metric: Metric) -> str:
    unit = unit_text(metric.unit, picture.currency, picture.language)
    if not unit or unit.lower() in picture.name(metric).lower():
        return ""
    return picture.text(f"（{unit}）", f" ({unit})")


def _interval_text(picture: Picture, metric: Metric, row: int = 0) -> str:
    interval = picture.answer.rows[row].metrics[metric.name].interval
    assert interval is not None, "the caller has looked"
    lower = number_text(interval.lower, metric.unit, picture.currency)
    upper = "∞" if interval.upper is None else number_text(interval.upper, metric.unit, picture.currency)
    return f"{lower} – {upper}"


def table(picture: Picture) -> Json:
    """Rows and columns of text: numbers to the right, beyond a threshold in its colour."""
    answer = picture.answer
    titles = [picture.name(dimension) for dimension in answer.dimensions]
    titles += [f"{picture.name(metric)}{_in_brackets(picture, metric)}" for metric in answer.metrics]
    lines: list[Json] = []
    for i, row in enumerate(answer.rows):
        cells = [picture.value_of(row, dimension) for dimension in answer.dimensions]
        severities = ["ordinary"] * len(cells)
        for metric in answer.metrics:
            found = row.metrics[metric.name]
            text = number_text(found.value, metric.unit, picture.currency)
            if found.value is not None and found.interval is not None:
                text += f"  [{_interval_text(picture, metric, i)}]"
            cells.append(text)
            severities.append(str(picture.severity(metric, found.value) or "ordinary"))
        lines.append({"line": i + 1, **_numbered("c", cells), **_numbered("s", severities)})
    widths = [
        18 + max(_width(title, 6.6), *(_width(str(line[f"c{i}"]), 6.3) for line in lines), 30)
        for i, title in enumerate(titles)
    ]
    y: Json = {"field": "line", "type": "ordinal", "axis": None, "scale": {"padding": 0}}
    layers: list[Json] = [
        {
            "data": {"values": [line for line in lines if line["line"] % 2 == 0]},
            "mark": {"type": "rect", "color": "#f3f6f8"},
            "encoding": {"y": y, "x": {"value": 0}, "x2": {"value": sum(widths)}},
        }
    ]
    left = 0.0
    for i, (title, width) in enumerate(zip(titles, widths, strict=True)):
        number = i >= len(answer.dimensions)
        at, align = (left + width - 8, "right") if number else (left + 8, "left")
        place: Json = {"y": y, "x": {"value": at}}
        layers.append(
            {
                "data": {"values": [{"line": 0, "title": title}]},
                "mark": {"type": "text", "align": align, "fontSize": 11, "fontWeight": "bold", "color": FAINT},
                "encoding": {**place, "text": {"field": "title"}},
            }
        )
        layers.append(
            {
                "mark": {"type": "text", "align": align, "fontSize": 11},
                "encoding": {**place, "text": {"field": f"c{i}"}, "color": _colour(f"s{i}")},
            }
        )
        left += width
    return {"width": sum(widths), "height": {"step": 22}, "data": {"values": lines}, "layer": layers}


def _numbered(letter: str, values: Sequence[str]) -> Json:
    return {f"{letter}{i}": value for i, value in enumerate(values)}


def _colour(field: str) -> Json:
    conditions = [
        {"test": f"datum.{field} == '{severity}'", "value": colour} for severity, colour in SEVERITY_COLOURS.items()
    ]
    return {"condition": conditions, "value": "#1f272d"}


def _width(text: str, letter: float) -> float:
    """Pixels of a text: Chinese characters take about twice the room of others."""
    return sum(letter * (1.75 if ord(character) > 0x2E80 else 1.0) for character in text)
