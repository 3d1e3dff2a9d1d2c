"""The use case EvaluateAlertRules: every rule once on each state of the data, by whichever replica comes first.

The alerts of a rule are what `replay` says of its series at the newest data; what is stored follows. Rule, alerts and
alarms are written in one unit of work that begins with a compare and set on the rule, so that a process that dies in
between has done nothing, and of two replicas one finds the work done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sluice_server.domain.context import Clock
from sluice_server.domain.errors import ConcurrentChange, DataVersionNotFound, InvalidInput
from sluice_server.domain.identity import new_id
from sluice_server.domain.risk.alerts.alert import Alert, group_of
from sluice_server.domain.risk.alerts.judge import Finding, Judgement, judge
from sluice_server.domain.risk.alerts.metric_rule import MetricRule, StoredRule
from sluice_server.domain.risk.alerts.replay import AlertState
from sluice_server.domain.risk.alerts.series import Evaluation, SeriesSource
from sluice_server.domain.risk.alerts.wording import alarm, summary
from sluice_server.domain.unit_of_work import Store, UnitOfWork

_RULES_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What became of one rule."""

    alert_rule_id: str
    key: str
    began: int
    """Alerts that are new, pending ones included."""
    fired: int
    """Alerts that began to fire now."""
    resolved: int
    problem: str = ""


class EvaluateAlertRules:
    """Call it again and again: what was evaluated on the newest data costs one small read."""

    def __init__(self, store: Store, sources: Sequence[SeriesSource], clock: Clock) -> None:
        self._store = store
        self._sources = tuple(sources)
        self._clock = clock

    async def __call__(self) -> Sequence[Evaluated]:
        """The rules that were evaluated now. Raises Unavailable."""
        keys: dict[str, str | None] = {}
        done: list[Evaluated] = []
        for stored in await self._enabled():
            source = next((one for one in self._sources if one.serves(stored.rule.metric)), None)
            if source is None:
                continue  # The model lost the metric; ListAlertRules shows when it was evaluated last.
            feed = source.feed(stored.rule.metric)
            if feed not in keys:
                keys[feed] = await _newest(source, feed)
            key = keys[feed]
            if key is None or key == stored.evaluated:
                continue
            try:
                found = await self._evaluate(stored, source, key)
            except (ConcurrentChange, DataVersionNotFound):
                continue  # Another replica, or another data version, was faster: the next call finds out.
            if found is not None:
                done.append(found)
        return done

    async def _enabled(self) -> Sequence[StoredRule]:
        found: list[StoredRule] = []
        async with self._store.read() as uow:
            while True:
                after = found[-1].rule.alert_rule_id if found else ""
                page = await uow.alerts.rules(metric="", enabled_only=True, after=after, limit=_RULES_AT_ONCE)
                found += page
                if len(page) < _RULES_AT_ONCE:
                    return found

    async def _evaluate(self, stored: StoredRule, source: SeriesSource, key: str) -> Evaluated | None:
        rule = stored.rule
        try:
            evaluation = await source.read(rule)
        except InvalidInput as error:
            return await self._cannot(stored, key, error.message)
        judgement = await asyncio.to_thread(judge, rule, evaluation)
        now = self._clock.now()
        async with self._store.write() as uow:
            if not await uow.alerts.claim(stored, evaluation.key, ""):
                return None
            began, fired, resolved = await _write(uow, rule, evaluation, judgement, now)
            await uow.commit()
        return Evaluated(rule.alert_rule_id, evaluation.key, began, fired, resolved)

    async def _cannot(self, stored: StoredRule, key: str, problem: str) -> Evaluated | None:
        """Keeps why; the alerts stay as they are."""
        async with self._store.write() as uow:
            if not await uow.alerts.claim(stored, key, problem):
                return None
            await uow.commit()
        return Evaluated(stored.rule.alert_rule_id, key, 0, 0, 0, problem)


async def resolve_all(uow: UnitOfWork, alert_rule_id: str, now: datetime) -> int:
    """Resolves what is open of a rule that is no longer evaluated."""
    lasting = await uow.alerts.open_of(alert_rule_id)
    for alert in lasting:
        await _resolve(uow, alert, now, now)
    return len(lasting)


async def _write(
    uow: UnitOfWork, rule: MetricRule, evaluation: Evaluation, judgement: Judgement, now: datetime
) -> tuple[int, int, int]:
    """Makes the stored alerts what the judgement says. Returns how many began, fired and resolved."""
    before = {alert.group: alert for alert in await uow.alerts.open_of(rule.alert_rule_id)}
    lasting = {group_of(one.dimensions): one for one in judgement.lasting}
    ended = {
        group_of(one.dimensions): one.alert.resolved
        for one in judgement.findings
        if one.alert.state is AlertState.RESOLVED
    }
    began = fired = resolved = 0
    # In one order on all replicas, so that two that write the same do not deadlock.
    for group in sorted(before.keys() | lasting.keys()):
        old, finding = before.get(group), lasting.get(group)
        if finding is None:
            assert old is not None, "one of the two has it"
            await _resolve(uow, old, ended.get(group) or evaluation.stamp.watermark, now)
            resolved += 1
            continue
        alert = _alert(rule, evaluation, finding, old, now)
        if old is None:
            alert = await uow.alerts.add(alert)
            began += 1
        else:
            alert = await uow.alerts.save(alert)
        if alert.state is AlertState.FIRING and (old is None or old.state is AlertState.PENDING or _other(old, alert)):
            await uow.alarms.put(alarm(alert, now))
            fired += old is None or old.state is AlertState.PENDING
    return began, fired, resolved


def _alert(rule: MetricRule, evaluation: Evaluation, finding: Finding, old: Alert | None, now: datetime) -> Alert:
    raised = finding.alert
    # What fires goes on firing although newer data of the same periods would have it pending again.
    fires = raised.state is AlertState.FIRING or (old is not None and old.state is AlertState.FIRING)
    fresh = Alert(
        alert_id=new_id("alt"),
        alert_rule_id=rule.alert_rule_id,
        metric=rule.metric,
        dimensions=finding.dimensions,
        state=AlertState.FIRING if fires else AlertState.PENDING,
        severity=rule.condition.severity,
        owner=rule.condition.owner,
        summary=summary(rule, evaluation, finding),
        value=finding.value,
        limit=raised.limit,
        worst=raised.worst,
        moments=raised.moments,
        # The history that is looked at may begin after the alert did.
        start_at=raised.start if old is None else min(raised.start, old.start_at),
        fired_at=old.fired_at if old is not None and old.fired_at is not None else raised.fired,
        resolved_at=None,
        stamp=evaluation.stamp,
        created_at=now,
        updated_at=now,
    )
    if old is None:
        return fresh
    return replace(
        fresh,
        alert_id=old.alert_id,
        created_at=old.created_at,
        acknowledged_by=old.acknowledged_by,
        acknowledged_at=old.acknowledged_at,
        acknowledge_note=old.acknowledge_note,
        version=old.version,
    )


def _other(old: Alert, new: Alert) -> bool:
    """True when whoever was told must be told anew."""
    return (old.severity, old.owner) != (new.severity, new.owner)


async def _resolve(uow: UnitOfWork, alert: Alert, at: datetime, now: datetime) -> None:
    over = replace(alert, state=AlertState.RESOLVED, resolved_at=at, updated_at=now)
    await uow.alerts.save(over)
    if alert.state is AlertState.FIRING:
        await uow.alarms.put(alarm(over, now))


async def _newest(source: SeriesSource, feed: str) -> str | None:
    try:
        return await source.key(feed)
    except DataVersionNotFound:
        return None
