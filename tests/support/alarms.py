"""Alarms for tests, a clock that is moved by hand, and a sink that fails when it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sluice_server.domain.breaker.ports import Alarm, AlarmNotDelivered

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class HandClock:
    """Stands still until it is moved."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class SinkInMemory:
    """An alarm platform that keeps what it gets, and takes nothing while it is ``down``."""

    def __init__(self, name: str = "memory", repeat_seconds: float | None = None) -> None:
        self.name = name
        self.repeat_seconds = repeat_seconds
        self.down = False
        self.posts: list[list[Alarm]] = []
        self.attempts = 0

    async def send(self, alarms: Sequence[Alarm]) -> None:
        self.attempts += 1
        if self.down:
            raise AlarmNotDelivered("down")
        self.posts.append(list(alarms))

    @property
    def got(self) -> list[Alarm]:
        return [alarm for post in self.posts for alarm in post]

    @property
    def keys(self) -> list[str]:
        return [alarm.key for alarm in self.got]


def alarm(
    key: str = "breaker/insurer-b",
    *,
    summary: str = "traffic to insurer-b is cut",
    starts_at: datetime = NOON,
    resolved_at: datetime | None = None,
    state: str = "OPEN",
) -> Alarm:
    """An alarm such as the breaker raises."""
    return Alarm(
        key=key,
        name="InsurerCut",
        severity="critical",
        summary=summary,
        labels={"insurer_id": "insurer-b", "product_line": ""},
        annotations={"state": state, "incident-id": "inc-1"},
        starts_at=starts_at,
        resolved_at=resolved_at,
    )
