"""Compares every insurer's list of policies with the store once a day."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from sluice_server.domain.context import Clock
from sluice_server.domain.errors import ConcurrentChange, InsurerUnavailable, ReconciliationNotFound
from sluice_server.domain.orders.reconcile_policies import GetPolicyReconciliation, ReconcilePolicies
from sluice_server.runtime.order_workers import Rounds

AFTER_MIDNIGHT = timedelta(hours=1)
"""An insurer's list of a day is complete this long after its midnight."""


class PolicyReconciliationWorker:
    """``insurer_ids``: those that have an adapter; the ones without a list are left out. ``idle_seconds``: how often it
    looks whether a day is over that was not compared, and tries again what did not succeed."""

    name = "policy-reconciliation"

    def __init__(
        self,
        reconcile: ReconcilePolicies,
        results: GetPolicyReconciliation,
        insurer_ids: Sequence[str],
        *,
        clock: Clock,
        idle_seconds: float = 600.0,
    ) -> None:
        self._reconcile = reconcile
        self._results = results
        self._insurer_ids = tuple(insurer_ids)
        self._clock = clock
        self._rounds = Rounds(self.name, self.round, idle_seconds=idle_seconds)
        self._log = structlog.get_logger("sluice.worker")

    async def run(self, stopping: asyncio.Event) -> None:
        await self._rounds.run(stopping)

    async def round(self) -> bool:
        """Compares each insurer's yesterday, if it was not compared yet; False: there is nothing more to do at once."""
        for insurer_id in self._insurer_ids:
            yesterday = self._reconcile.day_of(insurer_id)
            if yesterday is None or self._clock.now() < yesterday.end + AFTER_MIDNIGHT:
                continue
            try:
                await self._results(insurer_id, yesterday.day)
                continue
            except ReconciliationNotFound:
                pass
            try:
                found = await self._reconcile(insurer_id, yesterday.day)
            except ConcurrentChange:
                continue  # another replica does it
            except InsurerUnavailable as error:
                self._log.warning("policies not compared", insurer_id=insurer_id, error=error.message)
                continue
            self._log.info(
                "policies compared",
                insurer_id=insurer_id,
                day=str(found.day),
                policies=found.policies,
                orders=found.orders,
                orphans=found.orphan_count,
            )
        return False
