"""Delivery of the outbox: alarms reach every platform at least once, however long it was away. No order waits for it.

An alarm is written to the outbox in the same transaction as what it reports; this worker takes it from there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from sluice_server.domain.breaker.ports import Alarm, AlarmNotDelivered, AlarmSink, PendingAlarm
from sluice_server.domain.context import Clock
from sluice_server.domain.errors import ConcurrentChange, Unavailable
from sluice_server.domain.unit_of_work import Store

MOST_SHOWN = 10_000
"""So many waiting alarms are counted."""


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """How alarms are delivered."""

    poll_seconds: float = 1.0
    """Time between two rounds. A round posts once to each platform, so this also limits the rate of posts."""
    batch: int = 100
    """Alarms in one post at most."""
    first_rest_seconds: float = 1.0
    """How long a platform that failed is left alone; doubled with each failure in a row …"""
    longest_rest_seconds: float = 60.0
    """… up to this, and cut at random to between half and all of it, so that replicas do not come back together."""
    quiet_seconds: float = 60.0
    """The same news of the same alarm is told once in this time: a failure that hits every order is one alarm."""
    posts_per_minute: int = 30
    """So many posts of news a platform gets at most within any minute; what comes beyond waits in the outbox, where
    newer news of the same alarm replaces it, and goes out together in the next post."""
    most_active: int = 1000
    """Lasting alarms that are repeated to platforms that forget."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did, in alarms."""

    delivered: int = 0
    quiet: int = 0
    """Not told again, because the same was told just before."""
    postponed: int = 0


@dataclass(slots=True)
class _Platform:
    sink: AlarmSink
    failures: int = 0
    rests_until: datetime | None = None
    repeated_at: datetime | None = None
    posted: deque[datetime] = field(default_factory=deque)
    """Successful posts of news within the last minute."""
    took: dict[str, datetime] = field(default_factory=dict)
    """Outbox ids that it has and another platform lacks, and when they were met last. After a restart it may be told
    these again."""

    def awake(self, now: datetime) -> bool:
        return self.rests_until is None or self.rests_until <= now


class AlarmDelivery:
    """The worker. With no platform configured alarms are only logged."""

    name = "alarm delivery"

    def __init__(
        self,
        store: Store,
        sinks: Sequence[AlarmSink],
        *,
        clock: Clock,
        registry: CollectorRegistry,
        settings: DeliverySettings | None = None,
        random: Random | None = None,
    ) -> None:
        self._store = store
        self._platforms = [_Platform(sink) for sink in sinks]
        self._clock = clock
        self._settings = settings or DeliverySettings()
        self._random = random or Random()  # noqa: S311 - spreads retries over time, protects nothing
        self._told: dict[str, tuple[tuple[str, ...], datetime]] = {}
        self._log = structlog.get_logger("sluice.alarms")
        self._posts = Counter(
            "sluice_alarm_posts", "Posts of alarms to a platform.", ("sink", "result"), registry=registry
        )
        self._waiting_since: dict[str, datetime] = {}
        self._waiting = Gauge(
            "sluice_alarm_outbox_waiting", f"Alarms that wait for delivery (at most {MOST_SHOWN}).", registry=registry
        )
        self._oldest = Gauge(
            "sluice_alarm_outbox_oldest_seconds",
            "How long this process has seen the oldest of them wait; newer news of the same alarm do not shorten it.",
            registry=registry,
        )

    async def run(self, stopping: asyncio.Event | None = None) -> None:
        """Rounds until ``stopping`` is set, or until cancelled."""
        stopping = stopping or asyncio.Event()
        while not stopping.is_set():
            try:
                await self.deliver()
            except Unavailable as error:
                self._log.warning("alarms wait: the store does not answer", error=error.message)
            except ConcurrentChange:
                # Another replica delivers the same alarms; the next round sees what is left.
                self._log.info("alarms wait: another replica records them")
            try:
                await asyncio.wait_for(stopping.wait(), self._settings.poll_seconds)
            except TimeoutError:
                continue

    async def deliver(self) -> Round:
        """One round. Raises Unavailable when the store cannot be reached."""
        now = self._clock.now()
        await self._repeat(now)
        async with self._store.read() as uow:
            due = await uow.alarms.due(now=now, limit=self._settings.batch)
            self._show_waiting(await uow.alarms.waiting(limit=MOST_SHOWN), now)
        if not due:
            return Round()
        self._forget_what_was_told(now)
        quiet = [pending for pending in due if self._was_told(pending.alarm, now)]
        fresh = [pending for pending in due if pending not in quiet]
        if fresh:
            await asyncio.gather(*(self._offer(platform, fresh, now) for platform in self._platforms))
        lacking = {p.outbox_id for p in fresh for platform in self._platforms if p.outbox_id not in platform.took}
        delivered = [pending for pending in fresh if pending.outbox_id not in lacking]
        await self._record(delivered + quiet, [p for p in fresh if p.outbox_id in lacking], now)
        for pending in delivered:
            alarm = pending.alarm
            self._told[alarm.key] = (_news(alarm, now), now)
            self._log.warning("alarm", key=alarm.key, alarm=alarm.name, severity=alarm.severity, summary=alarm.summary)
        return Round(len(delivered), len(quiet), len(lacking))

    def _show_waiting(self, keys: Sequence[str], now: datetime) -> None:
        self._waiting_since = {key: self._waiting_since.get(key, now) for key in keys}
        oldest = min(self._waiting_since.values(), default=now)
        self._waiting.set(len(keys))
        self._oldest.set((now - oldest).total_seconds())

    async def _offer(self, platform: _Platform, pending: Sequence[PendingAlarm], now: datetime) -> None:
        """Sends what the platform lacks, unless it rests."""
        lacking = [p for p in pending if p.outbox_id not in platform.took]
        sent = bool(lacking) and platform.awake(now) and await self._send(platform, [p.alarm for p in lacking], now)
        if sent:
            self._count_post(platform, now)
        platform.took.update({p.outbox_id: now for p in pending if sent or p.outbox_id in platform.took})

    def _count_post(self, platform: _Platform, now: datetime) -> None:
        """Lets the platform rest when it has had its posts of this minute."""
        platform.posted.append(now)
        minute = timedelta(seconds=60)
        while platform.posted[0] <= now - minute:
            platform.posted.popleft()
        if len(platform.posted) >= self._settings.posts_per_minute:
            platform.rests_until = platform.posted[0] + minute

    async def _repeat(self, now: datetime) -> None:
        """Tells platforms that forget what still lasts."""
        forgetful = []
        for platform in self._platforms:
            every = platform.sink.repeat_seconds
            last = platform.repeated_at
            if every is not None and platform.awake(now) and (last is None or (now - last).total_seconds() >= every):
                forgetful.append(platform)
        if not forgetful:
            return
        async with self._store.read() as uow:
            active = await uow.alarms.active(now=now, limit=self._settings.most_active)
        for platform in forgetful:
            batches = [active[i : i + self._settings.batch] for i in range(0, len(active), self._settings.batch)]
            for batch in batches:
                if not await self._send(platform, batch, now):
                    break
            else:
                platform.repeated_at = now

    async def _send(self, platform: _Platform, alarms: Sequence[Alarm], now: datetime) -> bool:
        sink, settings = platform.sink, self._settings
        try:
            await sink.send(alarms)
        except AlarmNotDelivered as error:
            self._log.warning("alarms not delivered", sink=sink.name, error=str(error), alarms=len(alarms))
        except Exception:  # noqa: BLE001 - a defect of one sink must not keep alarms from the others
            self._log.exception("alarm sink failed", sink=sink.name)
        else:
            self._posts.labels(sink.name, "delivered").inc()
            platform.failures, platform.rests_until = 0, None
            return True
        self._posts.labels(sink.name, "failed").inc()
        rest = min(settings.first_rest_seconds * 2 ** min(platform.failures, 30), settings.longest_rest_seconds)
        platform.failures += 1
        platform.rests_until = now + timedelta(seconds=rest * self._random.uniform(0.5, 1.0))
        return False

    async def _record(self, done: Sequence[PendingAlarm], lacking: Sequence[PendingAlarm], now: datetime) -> None:
        finished = {pending.outbox_id for pending in done}
        async with self._store.write() as uow:
            # By key, as every other transaction writes them: none waits for another in a ring.
            for pending in sorted([*done, *lacking], key=lambda each: each.alarm.key):
                if pending.outbox_id in finished:
                    await uow.alarms.delivered(pending.outbox_id, now)
                    continue
                waits_for = [p for p in self._platforms if pending.outbox_id not in p.took]
                until = min(p.rests_until for p in waits_for if p.rests_until is not None)
                names = ", ".join(p.sink.name for p in waits_for)
                await uow.alarms.postpone(pending.outbox_id, until=until, error=f"not delivered to {names}")
            await uow.commit()
        for platform in self._platforms:
            platform.took = {
                outbox_id: met
                for outbox_id, met in platform.took.items()
                # One that is not met any more was replaced by newer news.
                if outbox_id not in finished and (now - met).total_seconds() < 10 * self._settings.longest_rest_seconds
            }

    def _was_told(self, alarm: Alarm, now: datetime) -> bool:
        told = self._told.get(alarm.key)
        return told is not None and told[0] == _news(alarm, now)

    def _forget_what_was_told(self, now: datetime) -> None:
        quiet = timedelta(seconds=self._settings.quiet_seconds)
        self._told = {key: entry for key, entry in self._told.items() if now - entry[1] < quiet}


def _news(alarm: Alarm, now: datetime) -> tuple[str, ...]:
    """What makes a reader's difference; when it began and which order it hit last does not."""
    over = alarm.resolved_at is not None and alarm.resolved_at <= now
    state = alarm.annotations.get("state", "")
    return (alarm.name, alarm.severity, alarm.summary, state, "resolved" if over else "firing")
