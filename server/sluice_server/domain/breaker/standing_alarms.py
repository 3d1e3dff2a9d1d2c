"""Alarms about conditions that last: technical failures by kind, a growing backlog, rules without an insurer.

A condition begins, gets worse, and ends. It is told when it begins, again when its number has doubled or a minute has
passed with more of it, and when it has ended; not with each order that it hits. The numbers are those of the store, so
every replica arrives at the same ones, and what one has written another does not write again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sluice_server.domain.breaker.ports import Alarm
from sluice_server.domain.unit_of_work import UnitOfWork

UPDATE_AFTER = timedelta(seconds=60)
WORSE = 2
"""So many times the number that was told last is news."""
COUNT = "count"
"""The annotation that holds the number."""
MOST_FORGOTTEN = 1_000


@dataclass(slots=True)
class Condition:
    """One condition as it is now."""

    key: str
    name: str
    severity: str
    labels: Mapping[str, str]
    began_at: datetime
    count: int
    summary: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    ended_at: datetime | None = None

    def alarm(self) -> Alarm:
        """What the alarm platform is told."""
        return Alarm(
            key=self.key,
            name=self.name,
            severity=self.severity,
            summary=self.summary,
            labels=self.labels,
            annotations={**self.annotations, COUNT: str(self.count)},
            starts_at=self.began_at,
            resolved_at=self.ended_at,
        )


@dataclass(frozen=True, slots=True)
class _Told:
    count: int
    at: datetime


class StandingAlarms:
    """What was told, and what is worth telling."""

    def __init__(self, prefixes: tuple[str, ...]) -> None:
        """``prefixes``: of the keys that are in this one's hands."""
        self._prefixes = prefixes
        self._told: dict[str, _Told] = {}
        self._cleaned = False

    def news(self, conditions: Mapping[str, Condition], now: datetime) -> list[Condition]:
        """The conditions that are to be written now, by key."""
        return [condition for condition in conditions.values() if self._is_news(condition, now)]

    async def write(self, uow: UnitOfWork, news: list[Condition], now: datetime) -> None:
        """Puts what another replica has not put already."""
        for condition in news:
            stored = await uow.alarms.latest(condition.key)
            if _worth_writing(condition, stored, now):
                await uow.alarms.put(condition.alarm())

    def written(self, news: list[Condition], now: datetime) -> None:
        """It is committed."""
        for condition in news:
            if condition.ended_at is None:
                self._told[condition.key] = _Told(condition.count, now)
            else:
                self._told.pop(condition.key, None)

    async def end_forgotten(self, uow: UnitOfWork, conditions: Mapping[str, Condition], now: datetime) -> None:
        """Once after a start: alarms from before it about what is not the case any more are resolved."""
        if self._cleaned:
            return
        for alarm in await uow.alarms.active(now=now, limit=MOST_FORGOTTEN):
            if alarm.key.startswith(self._prefixes) and alarm.key not in conditions:
                await uow.alarms.put(replace(alarm, resolved_at=now))

    def cleaned(self) -> None:
        """``end_forgotten`` is committed."""
        self._cleaned = True

    @property
    def is_clean(self) -> bool:
        return self._cleaned

    def _is_news(self, condition: Condition, now: datetime) -> bool:
        told = self._told.get(condition.key)
        if condition.ended_at is not None or told is None:
            return True
        if condition.count >= WORSE * told.count:
            return True
        return condition.count > told.count and now - told.at >= UPDATE_AFTER


def _worth_writing(condition: Condition, stored: Alarm | None, now: datetime) -> bool:
    lasts = stored is not None and (stored.resolved_at is None or stored.resolved_at > now)
    if condition.ended_at is not None:
        return lasts
    if stored is None or not lasts:
        return True
    told = stored.annotations.get(COUNT, "")
    return not told.isdecimal() or condition.count > int(told)


def since(moment: datetime) -> str:
    """For summaries."""
    return f"since {moment:%H:%M:%S} UTC"
