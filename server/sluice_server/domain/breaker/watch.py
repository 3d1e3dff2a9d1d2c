"""Looks at the evidence all the time; cuts, steps the ramp on, and closes.

Every replica watches everything: what one of them does first, compare-and-set makes the only thing done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sluice_server.domain.breaker.automatic import AutomaticChanges
from sluice_server.domain.breaker.backlog import BacklogCounts, Window, window_of
from sluice_server.domain.breaker.board import BreakerBoard
from sluice_server.domain.breaker.evidence import ScopeEvidence
from sluice_server.domain.breaker.evidence_book import ADMITTING, EvidenceBook
from sluice_server.domain.breaker.evidence_source import BacklogCount, EvidenceSource, OutcomeRecord
from sluice_server.domain.breaker.leaks import LeakCount
from sluice_server.domain.breaker.learned_rates import LearnedRates
from sluice_server.domain.breaker.model import Breaker, BreakerMode, BreakerState, Evidence, Scope
from sluice_server.domain.breaker.operational_alarms import OperationalAlarms
from sluice_server.domain.breaker.ports import Insurer
from sluice_server.domain.context import Clock
from sluice_server.domain.errors import Unavailable
from sluice_server.domain.unit_of_work import Store, UnitOfWork

TICK_SECONDS = 1.0
GAP_SECONDS = 0.1
"""How long news are collected before they are looked at."""
OVERLAP_SECONDS = 5.0
"""How far each reading goes back behind the newest outcome known: another replica's commit can become visible after
outcomes that ended later. Replicas whose clocks differ by more than this miss each other's evidence."""
SHORT_OVERLAP_SECONDS = 0.5
"""The same for readings between two full ones (one a tick)."""
PAGE = 5_000
LONGEST_BACK_OFF_SECONDS = 5.0
REBUILD_LOOK_BACKS = (timedelta(hours=24), timedelta(hours=2))
"""How far a restart reads back, the longest first …"""
REBUILD_ORDERS = 50_000
"""… whose orders are not more than this. Failing that, the longest window of a policy."""

logger = logging.getLogger(__name__)


class BreakerWatch:
    """As a worker: ticks regularly, and soon after ``notify``."""

    name = "breaker-watch"

    def __init__(
        self,
        store: Store,
        board: BreakerBoard,
        clock: Clock,
        *,
        tick_seconds: float = TICK_SECONDS,
        alarms: OperationalAlarms | None = None,
    ) -> None:
        """``alarms``: what is to be told of lasting conditions with each full reading; None: nothing is."""
        self._store = store
        self._board = board
        self._clock = clock
        self._tick_seconds = tick_seconds
        self._book = EvidenceBook()
        self._leaks = LeakCount()
        self._alarms = alarms
        self._learned = LearnedRates(store)
        self._changes = AutomaticChanges(store, clock)
        self._breakers: dict[Scope, Breaker] = {}
        self._sums: dict[str, int] = {}
        """Of the versions of each insurer's breakers."""
        self._in_incident: Sequence[Breaker] = ()
        self._revision = -1
        self._readings: dict[Window, _Reading] = {}
        self._cursor: datetime | None = None
        self._seen: dict[str, datetime] = {}
        self._full_reading_at: datetime | None = None
        self._wake = asyncio.Event()
        self._ticking = asyncio.Lock()
        board.take_evidence_from(self.evidence)

    def notify(self) -> None:
        """There is news: an outcome was stored."""
        self._wake.set()

    def evidence(self, scope: Scope) -> Evidence | None:
        """What is known about the scope now; None for one without a breaker."""
        known = self._book.scopes().get(scope)
        if known is None:
            return None
        reading = self._readings.get(window_of(known.breaker))
        if reading is not None and known not in self._book.suspects and reading.start >= known.since:
            # Nobody had to look at its backlog; here somebody wants to see it.
            self._book.backlog_of(known, reading.counts)
        return known.evidence(self._clock.now())

    def leaked(self, breaker: Breaker) -> int:
        """Submissions of its open incident that began after the cut, as far as this replica has read."""
        return self._leaks.of(breaker.incident_id)

    async def tick(self) -> None:
        """Reads what is new, judges every scope, and does what follows. Raises Unavailable."""
        async with self._ticking:
            now = self._clock.now()
            full = await self._read(now)
            moved = False
            noted = (self._book.scopes()[scope] for scope in self._changes.noted)
            judged = {*self._book.suspects, *self._book.ramping, *noted}
            to_cut = self._book.to_cut(judged, now)
            for known in judged:
                if known in to_cut:
                    moved |= await self._changes.trip(known.breaker, known.evidence(now), list(self._breakers.values()))
                    continue
                if not known.suspicious:
                    self._book.suspects.discard(known)
                await self._changes.calm(known.breaker)
                if self._step_is_due(known, now):
                    moved |= await self._changes.step(known.breaker)
            for breaker in self._in_incident if full else ():
                if breaker.state not in ADMITTING:
                    await self._changes.follow_incident(breaker, self.leaked(breaker))
            if moved:
                await self._board.refresh()
            # After the cuts, which are more urgent.
            if full:
                await self._learned.exchange(self._book.scopes(), now)
            if full and self._alarms is not None:
                await self._alarms.report(self._waiting(), self._board.breakers, now)

    async def run(self, stopping: asyncio.Event) -> None:
        """Ticks until ``stopping`` is set."""
        pause = self._tick_seconds
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                try:
                    await self.tick()
                    pause = self._tick_seconds
                except Unavailable as error:
                    pause = min(LONGEST_BACK_OFF_SECONDS, pause * 2)
                    logger.warning("evidence cannot be read: %s", error.message)
                await self._wait_for_news(stop, pause)
        finally:
            stop.cancel()

    async def _wait_for_news(self, stop: asyncio.Task[bool], pause: float) -> None:
        news = asyncio.create_task(self._wake.wait())
        await asyncio.wait({stop, news}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        if news.done():
            # What comes within the gap is looked at in one go.
            await asyncio.wait({stop}, timeout=GAP_SECONDS)
            self._wake.clear()
        else:
            news.cancel()

    def _step_is_due(self, known: ScopeEvidence, now: datetime) -> bool:
        breaker, policy = known.breaker, known.breaker.policy
        return (
            breaker.state is BreakerState.RAMPING
            and breaker.mode is not BreakerMode.FORCED_OPEN
            and (now - breaker.state_since).total_seconds() >= policy.ramp_dwell_seconds
            and known.step_outcomes >= policy.ramp_minimum_outcomes
        )

    async def _read(self, now: datetime) -> bool:
        """Breakers, new outcomes and the backlog, from one consistent state of the store. True for a full reading."""
        full = self._full_reading_at is None or ((now - self._full_reading_at).total_seconds() >= self._tick_seconds)
        async with self._store.read() as uow:
            # First the breakers: a return of traffic makes the evidence before it void.
            changed = await self._read_breakers(uow)
            for breaker in self._in_incident:
                if not self._leaks.knows(breaker):
                    incident = await uow.incidents.get(breaker.incident_id)
                    if incident is not None:
                        self._leaks.learn(breaker, incident)
            if self._cursor is None:
                await self._learned.recall(uow, self._book.scopes(), now)
                self._cursor = await _rebuild_from(uow.evidence, list(self._breakers.values()), now)
            overlap = timedelta(seconds=OVERLAP_SECONDS if full else SHORT_OVERLAP_SECONDS)
            await self._read_outcomes(uow.evidence, self._cursor - overlap, now)
            if full:
                await self._read_backlog(uow.evidence, now)
                self._full_reading_at = now
        if changed is not None:
            await self._board.install(*changed, now, revision=self._revision)
        else:
            self._board.confirm(self._revision, now)
        return full

    async def _read_breakers(self, uow: UnitOfWork) -> tuple[Sequence[Breaker], Sequence[Insurer]] | None:
        """The breakers that have changed, and the insurers; None when nothing has since the last reading."""
        if await uow.breakers.revision() == self._revision:
            return None
        found, insurers = await uow.breakers.changed(self._sums), await uow.insurers.list()
        changed = []
        for breaker in found:
            scope, old = breaker.scope, self._breakers.get(breaker.scope)
            if old is None or old.version != breaker.version:
                before = 0 if old is None else old.version
                self._sums[scope.insurer_id] = self._sums.get(scope.insurer_id, 0) + breaker.version - before
                self._breakers[scope] = breaker
                changed.append(breaker)
        self._revision = sum(self._sums.values()) + sum(insurer.version for insurer in insurers)
        self._in_incident = [breaker for breaker in self._breakers.values() if breaker.incident_id]
        self._book.follow(changed)
        return changed, insurers

    async def _read_outcomes(self, source: EvidenceSource, start: datetime, now: datetime) -> None:
        limit = PAGE
        while True:
            page = await source.outcomes(finished_from=start, limit=limit)
            self._take(page, now)
            if len(page) < limit:
                break
            if page[-1].finished_at > start:
                start, limit = page[-1].finished_at, PAGE
            else:
                # More than a page at one moment: only a larger page gets past it.
                limit *= 2
        assert self._cursor is not None
        horizon = self._cursor - timedelta(seconds=OVERLAP_SECONDS)
        self._seen = {key: at for key, at in self._seen.items() if at >= horizon}

    def _take(self, page: Sequence[OutcomeRecord], now: datetime) -> None:
        for record in page:
            if record.submission_id in self._seen:
                continue
            self._seen[record.submission_id] = record.finished_at
            self._book.observe(record)
            self._leaks.observe(record)
            if self._alarms is not None:
                self._alarms.observe(record)
            # A replica whose clock is ahead must not move the cursor past what the others will write.
            if self._cursor is None or record.finished_at > self._cursor:
                self._cursor = min(record.finished_at, now)

    def _waiting(self) -> list[BacklogCount]:
        """The backlog of every product line, as its breaker or its insurer's looks at it."""
        scopes = self._book.scopes()
        found = []
        for window, reading in self._readings.items():
            for count in reading.counts.waiting:
                known = scopes.get(count.scope) or scopes.get(Scope(count.scope.insurer_id))
                if known is not None and window_of(known.breaker) == window:
                    found.append(count)
        return found

    async def _read_backlog(self, source: EvidenceSource, now: datetime) -> None:
        """The backlog by the policies' windows, in one query for all scopes with the same."""
        own: dict[tuple[datetime, datetime], BacklogCounts] = {}

        async def counts(start: datetime, until: datetime) -> BacklogCounts:
            if (start, until) not in own:
                found = () if start >= until else await source.backlog(decided_from=start, decided_until=until)
                own[start, until] = BacklogCounts(found)
            return own[start, until]

        self._readings = {}
        for window in self._book.windows:
            start, until = (now - timedelta(seconds=seconds) for seconds in window)
            reading = self._readings[window] = _Reading(start, until, await counts(start, until))
            self._book.suspect(reading.counts)
        for known in self._book.suspects:
            reading = self._readings[window_of(known.breaker)]
            start = max(reading.start, known.since)
            self._book.backlog_of(known, await counts(start, reading.until))
            if known.may_be_silent:
                # Another query only for those who may have been silent for longer than the grace.
                since = max(start, known.last_success_began or start)
                self._book.silence_of(known, await counts(since, reading.until))


@dataclass(frozen=True, slots=True)
class _Reading:
    """The backlog of one window, for all scopes whose policies have it."""

    start: datetime
    until: datetime
    counts: BacklogCounts


async def _rebuild_from(source: EvidenceSource, breakers: Sequence[Breaker], now: datetime) -> datetime:
    """How far back to read after a start: as far as the store gives without reading for long, so that the sequential
    test goes on where it was even with a few orders a day."""
    for look_back in REBUILD_LOOK_BACKS:
        shares = await source.shares(decided_from=now - look_back, decided_until=now)
        if sum(shares.values()) <= REBUILD_ORDERS:
            return now - look_back
    longest = max((breaker.policy.window_seconds for breaker in breakers), default=0.0)
    return now - timedelta(seconds=longest)
