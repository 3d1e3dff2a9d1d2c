"""Writes the alarms about lasting conditions from what the watch has read: one unit of work, and only when there is
news."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sluice_server.domain.breaker.conditions import (
    BACKLOG,
    EXHAUSTED,
    FAILURE,
    BacklogGrowth,
    ExhaustedRules,
    FailureKinds,
)
from sluice_server.domain.breaker.evidence_source import BacklogCount, OutcomeRecord
from sluice_server.domain.breaker.model import Breaker, Scope
from sluice_server.domain.breaker.standing_alarms import Condition, StandingAlarms
from sluice_server.domain.errors import ConcurrentChange
from sluice_server.domain.unit_of_work import Store

PARKED_EVERY = timedelta(seconds=5)
MOST_PARKED = 5_000
"""So many parked orders are counted; more are as bad."""


class OperationalAlarms:
    """Fed by the watch of a replica. Every replica does the same; what one has told the others leave."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._failures = FailureKinds()
        self._backlog = BacklogGrowth()
        self._rules = ExhaustedRules()
        self._standing = StandingAlarms((FAILURE, BACKLOG, EXHAUSTED))
        self._conditions: dict[str, Condition] = {}
        """By key; one that has ended stays until that is written."""
        self._parked_at: datetime | None = None

    def observe(self, record: OutcomeRecord) -> None:
        """A submission has ended."""
        self._failures.observe(record)

    async def report(self, backlog: Sequence[BacklogCount], breakers: Mapping[Scope, Breaker], now: datetime) -> None:
        """Tells what is new. ``backlog``: of this moment, by insurer and product line. Raises Unavailable; what was not
        written is written with the next report."""
        if self._parked_at is None or now - self._parked_at >= PARKED_EVERY:
            async with self._store.read() as uow:
                parked = await uow.evidence.parked(limit=MOST_PARKED)
            self._conditions.update(self._rules.conditions(parked, now))
            self._parked_at = now
        self._conditions.update(self._failures.conditions(now))
        self._conditions.update(self._backlog.conditions(backlog, breakers, now))
        # In one order on all replicas, so that two which tell the same do not deadlock.
        news = sorted(self._standing.news(self._conditions, now), key=lambda condition: condition.key)
        if not news and self._standing.is_clean:
            return
        try:
            async with self._store.write() as uow:
                await self._standing.end_forgotten(uow, self._conditions, now)
                await self._standing.write(uow, news, now)
                await uow.commit()
        except ConcurrentChange:
            # Another replica told the same; the next report sees it.
            return
        self._standing.cleaned()
        self._standing.written(news, now)
        for condition in news:
            if condition.ended_at is not None:
                del self._conditions[condition.key]
