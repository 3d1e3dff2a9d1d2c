"""The audit trail in a unit of work: appended, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import insert, select

from sluice_server.domain.breaker.ports import AuditEvent
from sluice_server.store.session import Session
from sluice_server.store.tables import audit_events

_FIELDS = tuple(field.name for field in fields(AuditEvent))


class SqlAudit:
    """Implements ``domain.breaker.ports.AuditLog``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def append(self, event: AuditEvent) -> None:
        await self._session.execute(insert(audit_events).values({name: getattr(event, name) for name in _FIELDS}))

    async def by_request(self, request_id: str, action: str) -> AuditEvent | None:
        if not request_id:
            return None
        statement = (
            select(audit_events)
            .where(audit_events.c.request_id == request_id, audit_events.c.action == action)
            .order_by(audit_events.c.audit_id)
            .limit(1)
        )
        row = (await self._session.execute(statement)).mappings().first()
        return None if row is None else AuditEvent(**row)

    async def list(self, *, subject: str, actor: str, before: str | None, limit: int) -> Sequence[AuditEvent]:
        statement = select(audit_events).order_by(audit_events.c.audit_id.desc()).limit(limit)
        if subject:
            statement = statement.where(audit_events.c.subject == subject)
        if actor:
            statement = statement.where(audit_events.c.actor == actor)
        if before is not None:
            statement = statement.where(audit_events.c.audit_id < before)
        return [AuditEvent(**row) for row in (await self._session.execute(statement)).mappings()]
