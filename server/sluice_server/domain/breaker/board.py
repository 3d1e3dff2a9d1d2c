"""What the breakers say, in memory: read by every decision, followed by every watcher."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime

from sluice_server.domain.breaker.machine import admission
from sluice_server.domain.breaker.model import Breaker, Evidence, Scope
from sluice_server.domain.breaker.ports import Insurer
from sluice_server.domain.context import Clock
from sluice_server.domain.errors import Unavailable
from sluice_server.domain.routing.ports import TrafficSnapshot
from sluice_server.domain.unit_of_work import Store

REFRESH_SECONDS = 0.5
"""A cut by another replica is seen at the latest after this time and one read."""
LONGEST_BACK_OFF_SECONDS = 2.0

logger = logging.getLogger(__name__)


class BreakerBoard:
    """The breakers and insurers as last read from the store (TrafficSource). As a worker it reads them all the time.

    While the store cannot be reached it goes on with what it knows; ``refreshed_at`` says how old that is.
    """

    name = "breaker-board"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._snapshot = TrafficSnapshot(0, {})
        self._breakers: Mapping[Scope, Breaker] = {}
        self._insurers: Mapping[str, Insurer] = {}
        self._evidence: Callable[[Scope], Evidence | None] = _nothing_seen
        self._versions = 0
        self._revision = 0
        self._moved = asyncio.Condition()
        self.refreshed_at: datetime | None = None
        """When the state that it shows was read; None before the first read."""

    def snapshot(self) -> TrafficSnapshot:
        return self._snapshot

    @property
    def breakers(self) -> Mapping[Scope, Breaker]:
        return self._breakers

    @property
    def insurers(self) -> Mapping[str, Insurer]:
        return self._insurers

    @property
    def revision(self) -> int:
        """Counts the changes that this board has seen; not comparable between replicas."""
        return self._revision

    def evidence(self, scope: Scope) -> Evidence | None:
        """What the watch of this replica sees; None before it has looked."""
        return self._evidence(scope)

    def take_evidence_from(self, source: Callable[[Scope], Evidence | None]) -> None:
        """The watch offers what it sees."""
        self._evidence = source

    async def refresh(self) -> None:
        """Reads breakers and insurers from the store. Raises Unavailable, and keeps what it knows."""
        at = self._clock.now()
        async with self._store.read() as uow:
            breakers = await uow.breakers.list()
            insurers = await uow.insurers.list()
        await self.install(breakers, insurers, at)

    async def install(self, breakers: Iterable[Breaker], insurers: Iterable[Insurer], read_at: datetime) -> None:
        """Shows a state that was read from the store; an older one than is shown already is ignored."""
        breakers, insurers = list(breakers), list(insurers)
        version = sum(breaker.version for breaker in breakers)
        # Versions only grow, and nothing is ever deleted.
        versions = version + sum(insurer.version for insurer in insurers)
        if versions < self._versions:
            # A slow read has been overtaken.
            return
        self.refreshed_at = read_at
        if versions == self._versions:
            return
        self._versions = versions
        by_scope = {breaker.scope: breaker for breaker in breakers}
        self._breakers, self._insurers = by_scope, {insurer.insurer_id: insurer for insurer in insurers}
        self._snapshot = TrafficSnapshot(
            version, {(s.insurer_id, s.product_line): admission(breaker) for s, breaker in by_scope.items()}
        )
        self._revision += 1
        async with self._moved:
            self._moved.notify_all()

    async def changed(self, since_revision: int) -> int:
        """Waits until the board shows something newer than that revision; the new one."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._revision > since_revision)
        return self._revision

    async def run(self, stopping: asyncio.Event) -> None:
        """Refreshes until ``stopping`` is set."""
        pause = REFRESH_SECONDS
        while not stopping.is_set():
            try:
                await self.refresh()
                pause = REFRESH_SECONDS
            except Unavailable as error:
                pause = min(LONGEST_BACK_OFF_SECONDS, pause * 2)
                logger.warning("breakers cannot be read, the last known state stays in force: %s", error.message)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)


def _nothing_seen(scope: Scope) -> None:
    return None
