"""Alert rules and alerts in a unit of work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, select, update

from sluice_server.domain.errors import ConcurrentChange
from sluice_server.domain.risk.alerts.alert import Alert
from sluice_server.domain.risk.alerts.metric_rule import StoredRule
from sluice_server.domain.risk.alerts.ports import AlertFilter
from sluice_server.store.content import METRIC_RULE, RISK_ALERT
from sluice_server.store.session import Session
from sluice_server.store.tables import LASTING, alert_rules, risk_alerts


class SqlRiskAlerts:
    """Implements ``domain.risk.alerts.ports.AlertRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def rule(self, alert_rule_id: str) -> StoredRule | None:
        statement = select(alert_rules).where(alert_rules.c.alert_rule_id == alert_rule_id)
        row = (await self._session.execute(statement)).mappings().first()
        return None if row is None else _rule(row)

    async def rules(self, *, metric: str, enabled_only: bool, after: str, limit: int) -> Sequence[StoredRule]:
        columns = alert_rules.c
        statement = select(alert_rules).where(columns.alert_rule_id > after).order_by(columns.alert_rule_id)
        if metric:
            statement = statement.where(columns.metric == metric)
        if enabled_only:
            statement = statement.where(columns.enabled)
        return [_rule(row) for row in (await self._session.execute(statement.limit(limit))).mappings()]

    async def save_rule(self, rule: StoredRule) -> bool:
        values = {
            "version": rule.version,
            "metric": rule.rule.metric,
            "enabled": rule.rule.enabled,
            "content": METRIC_RULE.encode(rule.rule),
            "updated_at": rule.updated_at,
            "updated_by": rule.updated_by,
            "evaluated": "",
            "problem": "",
        }
        key = rule.rule.alert_rule_id
        if rule.version == 1:
            return await self._session.insert_new(alert_rules, {"alert_rule_id": key, **values}, key=["alert_rule_id"])
        same = (alert_rules.c.alert_rule_id == key, alert_rules.c.version == rule.version - 1)
        return await self._session.changed(update(alert_rules).where(*same).values(**values)) == 1

    async def claim(self, rule: StoredRule, key: str, problem: str) -> bool:
        columns = alert_rules.c
        unchanged = (
            columns.alert_rule_id == rule.rule.alert_rule_id,
            columns.version == rule.version,
            columns.evaluated == rule.evaluated,
        )
        return (
            await self._session.changed(update(alert_rules).where(*unchanged).values(evaluated=key, problem=problem))
            == 1
        )

    async def add(self, alert: Alert) -> Alert:
        statement = self._session.insert(risk_alerts).values(
            alert_id=alert.alert_id,
            alert_rule_id=alert.alert_rule_id,
            group_hash=alert.group,
            version=1,
            created_at=alert.created_at,
            **_changing(alert),
        )
        added = await self._session.changed(
            statement.on_conflict_do_nothing(index_elements=["alert_rule_id", "group_hash"], index_where=LASTING)
        )
        if not added:
            raise ConcurrentChange(f"an alert of {alert.alert_rule_id} for the same group was raised meanwhile")
        return await self._existing(alert.alert_id)

    async def save(self, alert: Alert) -> Alert:
        changed = await self._session.changed(
            update(risk_alerts)
            .where(risk_alerts.c.alert_id == alert.alert_id, risk_alerts.c.version == alert.version)
            .values(version=risk_alerts.c.version + 1, **_changing(alert))
        )
        if not changed:
            raise ConcurrentChange(f"alerts/{alert.alert_id} was changed meanwhile; read it again")
        return await self._existing(alert.alert_id)

    async def get(self, alert_id: str) -> Alert | None:
        statement = select(risk_alerts).where(risk_alerts.c.alert_id == alert_id)
        row = (await self._session.execute(statement)).mappings().first()
        return None if row is None else _alert(row)

    async def open_of(self, alert_rule_id: str) -> Sequence[Alert]:
        statement = select(risk_alerts).where(risk_alerts.c.alert_rule_id == alert_rule_id, LASTING)
        return [_alert(row) for row in (await self._session.execute(statement)).mappings()]

    async def list(self, wanted: AlertFilter, *, before: str | None, limit: int) -> Sequence[Alert]:
        statement = select(risk_alerts).where(*_wanted(wanted)).order_by(risk_alerts.c.alert_id.desc()).limit(limit)
        if wanted.states:
            statement = statement.where(risk_alerts.c.state.in_(wanted.states))
        if before is not None:
            statement = statement.where(risk_alerts.c.alert_id < before)
        return [_alert(row) for row in (await self._session.execute(statement)).mappings()]

    async def updated(self, since: datetime, wanted: AlertFilter) -> Sequence[Alert]:
        columns = risk_alerts.c
        statement = (
            select(risk_alerts)
            .where(columns.updated_at >= since, *_wanted(wanted))
            .order_by(columns.updated_at, columns.alert_id)
        )
        return [_alert(row) for row in (await self._session.execute(statement)).mappings()]

    async def _existing(self, alert_id: str) -> Alert:
        alert = await self.get(alert_id)
        assert alert is not None, "written in this transaction"
        return alert


def _wanted(wanted: AlertFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.alert_rule_id:
        conditions.append(risk_alerts.c.alert_rule_id == wanted.alert_rule_id)
    if wanted.severities:
        conditions.append(risk_alerts.c.severity.in_(wanted.severities))
    return conditions


def _changing(alert: Alert) -> dict[str, Any]:
    return {
        "state": alert.state,
        "severity": alert.severity,
        "updated_at": alert.updated_at,
        "content": RISK_ALERT.encode(alert),
    }


def _rule(row: RowMapping) -> StoredRule:
    rule = METRIC_RULE.decode(
        row["content"], alert_rule_id=row["alert_rule_id"], metric=row["metric"], enabled=row["enabled"]
    )
    kept = {name: row[name] for name in ("version", "updated_at", "updated_by", "evaluated", "problem")}
    return StoredRule(rule=rule, **kept)


def _alert(row: RowMapping) -> Alert:
    columns = {name: row[name] for name in RISK_ALERT_COLUMNS}
    return RISK_ALERT.decode(row["content"], **columns)


RISK_ALERT_COLUMNS = ("alert_id", "alert_rule_id", "state", "severity", "version", "created_at", "updated_at")
