"""What the breakers say, in memory: read by every decision, followed by every watcher."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

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
        self._sums: dict[str, int] = {}
        """Of the versions of each insurer's breakers."""
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
            revision = await uow.breakers.revision()
            if self.confirm(revision, at):
                return
            changed = await uow.breakers.changed(self._sums)
            insurers = await uow.insurers.list()
        await self.install(changed, insurers, at, revision=revision)

    def confirm(self, revision: int, read_at: datetime) -> bool:
        """Whether it shows the store as of this revision (``BreakerRepository.revision``); it is then as fresh as
        this reading."""
        if revision != self._versions:
            return False
        if self.refreshed_at is None or read_at > self.refreshed_at:
            self.refreshed_at = read_at
            self._good_until = None if self._lasts is None else read_at + self._lasts
        return True

    async def install(
        self,
        breakers: Iterable[Breaker],
        insurers: Iterable[Insurer],
        read_at: datetime,
        *,
        revision: int | None = None,
    ) -> None:
        """Shows what was read from the store; what is older than what is shown already is ignored. ``revision``: the
        store's as of this reading, if only what has changed may be given; the board is as fresh as this reading if it
        then shows the whole of it. None: everything is given."""
        known, insured = self._breakers, self._insurers
        # Versions only grow, and nothing is ever deleted: a slow read may have been overtaken.
        news = [b for b in breakers if b.scope not in known or known[b.scope].version < b.version]
        newer = [i for i in insurers if i.insurer_id not in insured or insured[i.insurer_id].version < i.version]
        moved = bool(news or newer or self._versions < 0)
        if moved:
            for breaker in news:
                insurer_id, old = breaker.scope.insurer_id, known.get(breaker.scope)
                before = 0 if old is None else old.version
                self._sums[insurer_id] = self._sums.get(insurer_id, 0) + breaker.version - before
            self._breakers = {**known, **{breaker.scope: breaker for breaker in news}}
            self._insurers = {**insured, **{insurer.insurer_id: insurer for insurer in newer}}
            version, everyone = sum(self._sums.values()), self._insurers.values()
            self._versions = version + sum(insurer.version for insurer in everyone)
            admissions = {(b.scope.insurer_id, b.scope.product_line): admission(b) for b in news}
            self._snapshot = TrafficSnapshot(
                version,
                {**self._snapshot.admissions, **admissions},
                {insurer.insurer_id: insurer.capacity for insurer in everyone if insurer.capacity != Capacity()},
            )
        self.confirm(self._versions if revision is None else revision, read_at)
        if moved:
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
