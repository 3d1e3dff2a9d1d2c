"""What the breaker and the control of insurers need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sluice_server.domain.breaker.model import Breaker, Incident, IncidentEvent, Scope
from sluice_server.domain.breaker.normal_rate import Learned
from sluice_server.domain.money import Money


@dataclass(frozen=True, slots=True)
class Capacity:
    """What an insurer takes at most; None: no limit."""

    orders_per_second: int | None = None
    orders_per_day: int | None = None
    premium_per_day: Money | None = None


@dataclass(frozen=True, slots=True)
class Insurer:
    """保险公司: an underwriter known to Sluice. Its adapter is configured under the same id."""

    insurer_id: str
    display_name: str
    description: str
    capacity: Capacity
    contact: str
    """Whom to call at the insurer: a desk, a rota; never a secret."""
    created_at: datetime
    updated_at: datetime
    version: int
    """Compared and set by every write; also the etag."""


class InsurerRepository(Protocol):
    """Insurers in a unit of work."""

    async def add(self, insurer: Insurer) -> bool:
        """False, and nothing stored, when the id is known."""
        ...

    async def get(self, insurer_id: str) -> Insurer | None: ...

    async def list(self) -> Sequence[Insurer]:
        """All, by id: there are at most some hundreds."""
        ...

    async def save(self, insurer: Insurer) -> None:
        """Writes an insurer read at ``insurer.version``; raises ConcurrentChange. The stored version is one more."""
        ...


class BreakerRepository(Protocol):
    """Breakers in a unit of work."""

    async def add(self, breaker: Breaker) -> bool: ...

    async def get(self, scope: Scope) -> Breaker | None: ...

    async def list(self) -> Sequence[Breaker]: ...

    async def changed(self, known: Mapping[str, int]) -> Sequence[Breaker]:
        """All breakers of the insurers the sum of whose breakers' versions is not the known one: what has changed, and
        some that have not."""
        ...

    async def revision(self) -> int:
        """The sum of the versions of all breakers and all insurers: it grows with every change of any of them, so who
        has read all of them at this revision need not read them again."""
        ...

    async def learned_rates(self) -> Mapping[Scope, Learned]:
        """What is normal for the scopes, as it was written last."""
        ...

    async def write_learned_rates(self, learned: Mapping[Scope, Learned]) -> None:
        """Replaces what is written, where that has seen less. In one order, so that two replicas do not deadlock."""
        ...

    async def serialise_cuts(self) -> None:
        """From here to its end no other unit of work that has called this reads or cuts anybody: rules over all
        breakers (keep the last insurer) hold although two replicas cut two insurers at the same instant. Called before
        anything is read."""
        ...

    async def save(self, breaker: Breaker) -> bool:
        """Compare and set: writes a breaker that was read at ``breaker.version`` (the stored version is one more).
        False, and nothing written, when another replica or person was faster."""
        ...


class IncidentRepository(Protocol):
    """Incidents in a unit of work."""

    async def add(self, incident: Incident) -> None: ...

    async def get(self, incident_id: str) -> Incident | None: ...

    async def save(self, incident: Incident) -> None:
        """Writes the numbers and dates (not the events) of an incident read at ``incident.version``."""
        ...

    async def append(self, incident_id: str, event: IncidentEvent) -> None:
        """Adds a line to the timeline."""
        ...

    async def list(self, *, insurer_id: str, open_only: bool, before: str | None, limit: int) -> Sequence[Incident]:
        """Newest first, ids below ``before``, without events."""
        ...


@dataclass(frozen=True, slots=True)
class Alarm:
    """What the alarm platform is told. The key names the condition: the same key again is the same alarm."""

    key: str
    """Such as ``breaker/insurer-b`` or ``failure/insurer-b/screen/HTTP_503``."""
    name: str
    """InsurerCut, InsurerTechnicalFailure, InsurerRecovered …"""
    severity: str
    """critical, warning, info."""
    summary: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    resolved_at: datetime | None = None
    """When the condition ended. In the future: the alarm ends by itself then (what has no end of its own, such as a
    single failure)."""


@dataclass(frozen=True, slots=True)
class PendingAlarm:
    """An alarm in the outbox."""

    outbox_id: str
    alarm: Alarm
    attempts: int
    next_attempt_at: datetime


class AlarmOutbox(Protocol):
    """Alarms in a unit of work: written with the change that they report, delivered later.

    What is put is written by key at its end, so that two units of work with the same alarms never wait for each other
    in a ring.
    """

    async def put(self, alarm: Alarm) -> None:
        """Adds an alarm, or replaces an undelivered one with the same key. The replacement gets a new outbox_id, so
        that a delivery that is under way does not mark it as delivered."""
        ...

    async def latest(self, key: str) -> Alarm | None:
        """The newest with this key: the one that waits for delivery, else the one that was delivered."""
        ...

    async def due(self, *, now: datetime, limit: int) -> Sequence[PendingAlarm]:
        """Undelivered alarms whose next attempt is due, by it."""
        ...

    async def waiting(self, *, limit: int) -> Sequence[str]:
        """Keys of undelivered alarms, due or not."""
        ...

    async def active(self, *, now: datetime, limit: int) -> Sequence[Alarm]:
        """Delivered alarms that are the newest of their key and not resolved at ``now``: what a platform that forgets
        (Alertmanager, after some minutes) is told again."""
        ...

    async def delivered(self, outbox_id: str, at: datetime) -> None:
        """Marks it as delivered; nothing happens when it was replaced meanwhile."""
        ...

    async def postpone(self, outbox_id: str, *, until: datetime, error: str) -> None:
        """Counts a failed attempt; nothing happens when the alarm was replaced meanwhile."""
        ...


class AlarmSink(Protocol):
    """One alarm platform."""

    @property
    def name(self) -> str: ...

    @property
    def repeat_seconds(self) -> float | None:
        """How often it must be told again of an alarm that is not resolved; None: once is enough."""
        ...

    async def send(self, alarms: Sequence[Alarm]) -> None:
        """Raises AlarmNotDelivered; the outbox tries again. May be told the same alarm more than once."""
        ...


class AlarmNotDelivered(Exception):
    """The alarm platform did not take the alarms; the text says why (no secret in it)."""
