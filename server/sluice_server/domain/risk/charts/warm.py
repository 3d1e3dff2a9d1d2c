"""Answers the questions of the shipped dashboards once for each data version, before people ask them."""

from __future__ import annotations

from collections.abc import Sequence

from sluice_server.domain.context import Actor, CallContext
from sluice_server.domain.errors import DataVersionNotFound, InvalidInput
from sluice_server.domain.risk.charts.definition import Dashboard, Language
from sluice_server.domain.risk.charts.render_chart import RenderChart, RenderChartParams
from sluice_server.domain.risk.ports import RiskReader

_SERVER = CallContext(Actor("sluice", verified=True), "chart-warming")


class WarmCharts:
    """Its answers stay in the cache of `AnswerQuery`, and the tables that they need are loaded into memory."""

    def __init__(self, reader: RiskReader, render: RenderChart, dashboards: Sequence[Dashboard]) -> None:
        self._reader = reader
        self._render = render
        self._charts = [chart for dashboard in dashboards for chart in dashboard.charts]
        self._data_version: int | None = None
        self._done = 0
        """How many charts were drawn from that version."""

    async def __call__(self) -> bool:
        """Draws the next chart of the active version; False when all are drawn. Raises Unavailable."""
        try:
            active = (await self._reader.stamp(None)).data_version
        except DataVersionNotFound:
            return False
        if active != self._data_version:
            self._data_version, self._done = active, 0
        if self._done == len(self._charts):
            return False
        chart = self._charts[self._done]
        self._done += 1
        try:
            await self._render(RenderChartParams(chart, Language.ZH, active), _SERVER)
        except (InvalidInput, DataVersionNotFound):
            return True  # Too much to see in this data, or replaced meanwhile: whoever asks is told.
        return True
