"""The use case RaiseWarning: a warning that no rule on a metric raises, such as a model whose data have drifted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sluice_server.domain.context import Clock
from sluice_server.domain.identity import new_id
from sluice_server.domain.risk.alerts.alert import Alert, group_of
from sluice_server.domain.risk.alerts.replay import AlertState
from sluice_server.domain.risk.alerts.rule import Severity
from sluice_server.domain.risk.alerts.wording import alarm
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.semantic.semantic_model import Label
from sluice_server.domain.unit_of_work import Store


@dataclass(frozen=True, slots=True)
class RiskWarning:
    """``kind`` and ``dimensions`` name the condition: the same again is the same alert. ``kind`` stands in the place of
    a rule's id and is none of a stored rule."""

    kind: str
    summary: Label
    dimensions: Mapping[str, str] = field(default_factory=dict)
    severity: Severity = Severity.WARNING
    owner: str = ""
    stamp: DataStamp | None = None


class RaiseWarning:
    """Keeps one alert for as long as the condition lasts, and tells the alarm platform of its beginning and its end."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, warning: RiskWarning) -> Alert:
        """Raises ConcurrentChange when another process raised it at the same moment, Unavailable."""
        now = self._clock.now()
        async with self._store.write() as uow:
            lasting = [
                one for one in await uow.alerts.open_of(warning.kind) if one.group == group_of(warning.dimensions)
            ]
            if lasting:
                same = replace(
                    lasting[0],
                    summary=warning.summary,
                    severity=warning.severity,
                    owner=warning.owner,
                    stamp=warning.stamp,
                    moments=lasting[0].moments + 1,
                    updated_at=now,
                )
                alert = await uow.alerts.save(same)
            else:
                alert = await uow.alerts.add(
                    Alert(
                        alert_id=new_id("alt"),
                        alert_rule_id=warning.kind,
                        metric="",
                        dimensions=warning.dimensions,
                        state=AlertState.FIRING,
                        severity=warning.severity,
                        owner=warning.owner,
                        summary=warning.summary,
                        value=None,
                        limit=None,
                        worst=None,
                        moments=1,
                        start_at=now,
                        fired_at=now,
                        resolved_at=None,
                        stamp=warning.stamp,
                        created_at=now,
                        updated_at=now,
                    )
                )
            await uow.alarms.put(alarm(alert, now))
            await uow.commit()
        return alert

    async def over(self, kind: str, dimensions: Mapping[str, str]) -> bool:
        """The condition has ended; False when it was not raised. Raises ConcurrentChange, Unavailable."""
        now = self._clock.now()
        async with self._store.write() as uow:
            lasting = [one for one in await uow.alerts.open_of(kind) if one.group == group_of(dimensions)]
            for one in lasting:
                ended = replace(one, state=AlertState.RESOLVED, resolved_at=now, updated_at=now)
                await uow.alerts.save(ended)
                await uow.alarms.put(alarm(ended, now))
            await uow.commit()
        return bool(lasting)
