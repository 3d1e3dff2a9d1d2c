"""The audit trail in a unit of work: appended, never changed, chained by hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import RowMapping, Select, insert, select, update

from sluice_server.domain.audit.chain import FIELDS, ChainHead, chained
from sluice_server.domain.audit.event import AuditEvent, ChainLink
from sluice_server.store.session import Session
from sluice_server.store.tables import audit_chain, audit_events
from sluice_server.store.types import as_stored


class SqlAudit:
    """Implements ``domain.breaker.ports.AuditLog``."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._pending: list[AuditEvent] = []

    async def append(self, event: AuditEvent) -> None:
        self._pending.append(event)

    async def flush(self) -> None:
        """Chains and writes what was appended. Holds the head's lock from here to the end of the transaction: on
        PostgreSQL a row lock, so that replicas take turns; on SQLite the transaction has the one write lock already."""
        if not self._pending:
            return
        locked = select(audit_chain.c.sequence, audit_chain.c.hash).with_for_update()
        head = await self._read_head(locked)
        rows = []
        for event in self._pending:
            # What is hashed is what will be read back: tuples are lists by then, dataclasses maps.
            plain = replace(event, before=as_stored(event.before), after=as_stored(event.after))
            row, head = chained(plain, head)
            rows.append({**{name: getattr(row, name) for name in FIELDS}, **_link(row)})
        self._pending.clear()
        await self._session.execute(insert(audit_events), rows)
        await self._session.execute(update(audit_chain).values(sequence=head.sequence, hash=head.hash))

    async def head(self) -> tuple[int, str]:
        head = await self._read_head(select(audit_chain.c.sequence, audit_chain.c.hash))
        return head.sequence, head.hash

    async def by_request(self, request_id: str, action: str) -> AuditEvent | None:
        if not request_id:
            return None
        await self.flush()
        statement = (
            select(audit_events)
            .where(audit_events.c.request_id == request_id, audit_events.c.action == action)
            .order_by(audit_events.c.sequence)
            .limit(1)
        )
        row = (await self._session.execute(statement)).mappings().first()
        return None if row is None else _event(row)

    async def list(self, *, subject: str, actor: str, before: int | None, limit: int) -> Sequence[AuditEvent]:
        await self.flush()
        statement = select(audit_events).order_by(audit_events.c.sequence.desc()).limit(limit)
        if subject:
            statement = statement.where(audit_events.c.subject == subject)
        if actor:
            statement = statement.where(audit_events.c.actor == actor)
        if before is not None:
            statement = statement.where(audit_events.c.sequence < before)
        return [_event(row) for row in (await self._session.execute(statement)).mappings()]

    async def _read_head(self, statement: Select[Any]) -> ChainHead:
        row = (await self._session.execute(statement)).mappings().one()
        return ChainHead(row["sequence"], row["hash"])


def _link(event: AuditEvent) -> dict[str, object]:
    assert event.link is not None, "chained"
    return {"sequence": event.link.sequence, "previous_hash": event.link.previous_hash, "hash": event.link.hash}


def _event(row: RowMapping) -> AuditEvent:
    link = ChainLink(row["sequence"], row["previous_hash"], row["hash"])
    return AuditEvent(**{name: row[name] for name in FIELDS}, link=link)
