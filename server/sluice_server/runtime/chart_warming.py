"""Draws the shipped charts from each new data version, so that the first who looks need not wait."""

from __future__ import annotations

import asyncio

from sluice_server.domain.risk.charts.warm import WarmCharts
from sluice_server.runtime.order_workers import Rounds


class ChartWarmingWorker:
    """A chart a round: a stop never waits for more than one."""

    name = "chart-warming"

    def __init__(self, warm: WarmCharts, *, idle_seconds: float = 1.0) -> None:
        self._rounds = Rounds(self.name, warm, idle_seconds=idle_seconds)

    async def run(self, stopping: asyncio.Event) -> None:
        await self._rounds.run(stopping)
