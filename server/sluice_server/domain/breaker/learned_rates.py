"""What is normal outlives a restart, and the replicas agree on it.

Every replica learns from the same outcomes and comes to the same numbers, but for two things: what it saw before it was
started, and when it takes a step (one in half an hour). So what is learned is written down when it has changed enough
to matter, a replica begins with what is written, and follows a step that another has taken later than itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sluice_server.domain.breaker.evidence import ScopeEvidence
from sluice_server.domain.breaker.model import Scope
from sluice_server.domain.breaker.normal_rate import Learned
from sluice_server.domain.errors import ConcurrentChange
from sluice_server.domain.unit_of_work import Store, UnitOfWork

EXCHANGE_EVERY = timedelta(seconds=60)
MATTERS = 0.02
"""So much of the failure rate …"""
MORE = 1.1
LEAST_ORDERS = 20.0
"""… or so many times the orders and so many more are worth writing."""


class LearnedRates:
    """Of one replica."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._exchanged_at: datetime | None = None

    async def recall(self, uow: UnitOfWork, scopes: Mapping[Scope, ScopeEvidence], now: datetime) -> None:
        """After a start: takes over what is written, before any outcome is counted."""
        for scope, learned in (await uow.breakers.learned_rates()).items():
            if scope in scopes:
                scopes[scope].normal.adopt(learned)
                scopes[scope].use_normal_rate()
        self._exchanged_at = now

    async def exchange(self, scopes: Mapping[Scope, ScopeEvidence], now: datetime) -> None:
        """Once a minute: follows the others and writes what they lack. Raises Unavailable."""
        if self._exchanged_at is not None and now - self._exchanged_at < EXCHANGE_EVERY:
            return
        async with self._store.read() as uow:
            written = await uow.breakers.learned_rates()
        lacking: dict[Scope, Learned] = {}
        for scope, known in scopes.items():
            theirs, learned = written.get(scope), known.normal.learned
            if theirs is not None and theirs.steps != learned.steps and theirs.moved_at > learned.moved_at:
                known.normal.move(theirs)
                known.use_normal_rate()
                learned = known.normal.learned
            if _is_news(learned, theirs):
                lacking[scope] = learned
        if lacking:
            try:
                async with self._store.write() as uow:
                    await uow.breakers.write_learned_rates(lacking)
                    await uow.commit()
            except ConcurrentChange:
                # Another replica writes the same; the next exchange sees what is left.
                return
        self._exchanged_at = now


def _is_news(learned: Learned, written: Learned | None) -> bool:
    if written is None:
        return learned.orders >= LEAST_ORDERS
    if learned.through <= written.through:
        return False
    return (
        learned.steps != written.steps
        or learned.orders >= MORE * written.orders + LEAST_ORDERS
        or abs(_rate(learned) - _rate(written)) > MATTERS * _rate(written)
    )


def _rate(learned: Learned) -> float:
    return learned.failures / learned.orders if learned.orders else 0.0
