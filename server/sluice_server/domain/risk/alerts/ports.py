"""What the warnings need from the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sluice_server.domain.risk.alerts.alert import Alert
from sluice_server.domain.risk.alerts.metric_rule import StoredRule
from sluice_server.domain.risk.alerts.replay import AlertState
from sluice_server.domain.risk.alerts.rule import Severity


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts; empty parts do not restrict."""

    states: tuple[AlertState, ...] = ()
    alert_rule_id: str = ""
    severities: tuple[Severity, ...] = ()


class AlertRepository(Protocol):
    """Alert rules and alerts in a unit of work."""

    async def rule(self, alert_rule_id: str) -> StoredRule | None: ...

    async def rules(self, *, metric: str, enabled_only: bool, after: str, limit: int) -> Sequence[StoredRule]:
        """By id, ids above ``after``."""
        ...

    async def save_rule(self, rule: StoredRule) -> bool:
        """Writes version n over version n - 1 (the first is 1); False, and nothing written, when that is not stored.
        It counts as not evaluated."""
        ...

    async def claim(self, rule: StoredRule, key: str, problem: str) -> bool:
        """Compare and set: from here on ``rule`` is evaluated on ``key``, by whoever was first. False when it was
        evaluated or saved meanwhile."""
        ...

    async def add(self, alert: Alert) -> Alert:
        """A new alert; of a rule and group at most one may be open. Raises ConcurrentChange."""
        ...

    async def save(self, alert: Alert) -> Alert:
        """Writes an alert read at ``alert.version``; raises ConcurrentChange. The stored version is one more."""
        ...

    async def get(self, alert_id: str) -> Alert | None: ...

    async def open_of(self, alert_rule_id: str) -> Sequence[Alert]:
        """The pending and firing ones of a rule."""
        ...

    async def list(self, wanted: AlertFilter, *, before: str | None, limit: int) -> Sequence[Alert]:
        """Newest first, ids below ``before``."""
        ...

    async def updated(self, since: datetime, wanted: AlertFilter) -> Sequence[Alert]:
        """Those changed at or after ``since``, in the order of the change, whatever state they are in."""
        ...
