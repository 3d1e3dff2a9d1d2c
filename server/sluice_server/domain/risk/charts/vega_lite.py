"""From a chart and the answer to its question to a Vega-Lite specification that contains the data."""

from __future__ import annotations

from sluice_server.domain.risk.charts.definition import ChartType
from sluice_server.domain.risk.charts.frame import Json, Picture, specification
from sluice_server.domain.risk.charts.lines_and_bars import bar, line
from sluice_server.domain.risk.charts.points_and_cells import heat_map, scatter
from sluice_server.domain.risk.charts.without_axes import gauge, table

_DRAWN = {
    ChartType.LINE: line,
    ChartType.BAR: bar,
    ChartType.SCATTER: scatter,
    ChartType.GAUGE: gauge,
    ChartType.TABLE: table,
    ChartType.HEAT_MAP: heat_map,
}


def vega_lite(picture: Picture) -> Json:
    """The specification. It refers to nothing outside of itself: no data, fonts or images are fetched."""
    return specification(picture, _DRAWN[picture.chart.type](picture))
