"""Evaluates the alert rules on each new data version, and those of the stream on each new minute."""

from __future__ import annotations

import asyncio

import structlog

from sluice_server.domain.risk.alerts.evaluate import EvaluateAlertRules
from sluice_server.runtime.order_workers import Rounds


class AlertEvaluationWorker:
    """Every replica runs one; what one has evaluated the others leave."""

    name = "alert-evaluation"

    def __init__(self, evaluate: EvaluateAlertRules, *, idle_seconds: float = 1.0) -> None:
        self._evaluate = evaluate
        self._rounds = Rounds(self.name, self.round, idle_seconds=idle_seconds)
        self._log = structlog.get_logger("sluice.worker")

    async def run(self, stopping: asyncio.Event) -> None:
        await self._rounds.run(stopping)

    async def round(self) -> bool:
        """Evaluates what is due; False: there is nothing more to do at once."""
        for one in await self._evaluate():
            log = self._log.warning if one.problem else self._log.info
            log(
                "alert rule evaluated",
                alert_rule_id=one.alert_rule_id,
                data=one.key,
                began=one.began,
                fired=one.fired,
                resolved=one.resolved,
                problem=one.problem or None,
            )
        return False
