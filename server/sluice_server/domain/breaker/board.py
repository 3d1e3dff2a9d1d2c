"""What the breakers say, in memory: read by every decision, followed by every watcher."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from sluice_server.domain.breaker.evidence_book import VERSION
from sluice_server.domain.breaker.machine import admission
from sluice_server.domain.breaker.model import Breaker, Evidence, Scope
from sluice_server.domain.breaker.ports import Capacity, Insurer
from sluice_server.domain.context import Clock
from sluice_server.domain.errors import Unavailable
from sluice_server.domain.routing.ports import TrafficSnapshot
from sluice_server.domain.unit_of_work import Store

REFRESH_SECONDS = 0.5
"""A cut by another replica is seen at the latest after this time and one read."""
LONGEST_BACK_OFF_SECONDS = 2.0
LONGEST_READ_SECONDS = 5.0
"""A database that takes the question and never answers counts as one that cannot be reached."""

logger = logging.getLogger(__name__)


class BreakerBoard:
    """The breakers and insurers as last read from the store (TrafficSource). As a worker it reads them all the time.

    While the store cannot be reached it goes on with what it knows, but not for ever: somebody may have cut an insurer
    since. ``refreshed_at`` says how old it is.
    """

    name = "breaker-board"

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        lasts_seconds: float | None = None,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        """``lasts_seconds``: how long a state that was read is good for; None: for ever. ``refresh_seconds``: the poll
        of the worker, behind ``notify``."""
        self._store = store
        self._clock = clock
        self._lasts = None if lasts_seconds is None else timedelta(seconds=lasts_seconds)
        self._refresh_seconds = refresh_seconds
        self._good_until: datetime | None = None
        self._news = asyncio.Event()
        self._snapshot = TrafficSnapshot(0, {})
        self._breakers: Mapping[Scope, Breaker] = {}
        self._insurers: Mapping[str, Insurer] = {}
        self._evidence: Callable[[Scope], Evidence | None] = _nothing_seen
        self._versions = -1
        """Its revision in the store."""
        self._revision = 0
        self._moved = asyncio.Condition()
        self.refreshed_at: datetime | None = None
        """When the state that it shows was read; None before the first read."""

    def snapshot(self) -> TrafficSnapshot:
        """Raises Unavailable when what it shows is too old to route by."""
        if self._good_until is not None and self._clock.now() > self._good_until:
            raise Unavailable(self.not_ready_because())
        return self._snapshot

    def not_ready_because(self) -> str:
        """Why nothing is routed by it; empty when it is fresh enough."""
        now = self._clock.now()
        if self._good_until is None or now <= self._good_until or self.refreshed_at is None:
            return ""
        age = (now - self.refreshed_at).total_seconds()
        return f"the breakers were read {age:.0f} seconds ago and nobody knows who was cut since; repeat the call"

    def notify(self) -> None:
        """There is news in the store: the worker reads it at once."""
        self._news.set()

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
            if self.confirm(await uow.breakers.revision(), at):
                return
            breakers = await uow.breakers.list()
            insurers = await uow.insurers.list()
        await self.install(breakers, insurers, at)

    def confirm(self, revision: int, read_at: datetime) -> bool:
        """Whether it shows the store as of this revision (``BreakerRepository.revision``); it is then as fresh as
        this reading."""
        if revision != self._versions:
            return False
        if self.refreshed_at is None or read_at > self.refreshed_at:
            self.refreshed_at = read_at
            self._good_until = None if self._lasts is None else read_at + self._lasts
        return True

    async def install(self, breakers: Iterable[Breaker], insurers: Iterable[Insurer], read_at: datetime) -> None:
        """Shows a state that was read from the store; an older one than is shown already is ignored."""
        breakers, insurers = list(breakers), list(insurers)
        version = sum(map(VERSION, breakers))
        # Versions only grow, and nothing is ever deleted.
        versions = version + sum(insurer.version for insurer in insurers)
        if versions < self._versions:
            # A slow read has been overtaken.
            return
        if self.confirm(versions, read_at):
            return
        self._versions = versions
        self.confirm(versions, read_at)
        by_scope = {breaker.scope: breaker for breaker in breakers}
        self._breakers, self._insurers = by_scope, {insurer.insurer_id: insurer for insurer in insurers}
        self._snapshot = TrafficSnapshot(
            version,
            {(s.insurer_id, s.product_line): admission(breaker) for s, breaker in by_scope.items()},
            {insurer.insurer_id: insurer.capacity for insurer in insurers if insurer.capacity != Capacity()},
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
        pause = self._refresh_seconds
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                # Before the reading: what comes during it may not be in it.
                self._news.clear()
                try:
                    async with asyncio.timeout(LONGEST_READ_SECONDS):
                        await self.refresh()
                    pause = self._refresh_seconds
                except (Unavailable, TimeoutError) as error:
                    pause = min(LONGEST_BACK_OFF_SECONDS, pause * 2)
                    because = error.message if isinstance(error, Unavailable) else "no answer in time"
                    logger.warning("breakers cannot be read, the last known state stays in force: %s", because)
                news = asyncio.create_task(self._news.wait())
                await asyncio.wait({stop, news}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        finally:
            stop.cancel()


def _nothing_seen(scope: Scope) -> None:
    return None
