"""Incidents and their timelines in a unit of work."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, insert, select, update

from sluice_server.domain.breaker.model import Incident, IncidentEvent, IncidentEventKind, Scope
from sluice_server.domain.errors import ConcurrentChange
from sluice_server.store.content import INCIDENT
from sluice_server.store.session import Session
from sluice_server.store.tables import incident_events, incidents


class SqlIncidents:
    """Implements ``domain.breaker.ports.IncidentRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, incident: Incident) -> None:
        await self._session.execute(
            insert(incidents).values(
                incident_id=incident.incident_id,
                insurer_id=incident.scope.insurer_id,
                product_line=incident.scope.product_line,
                opened_at=incident.opened_at,
                closed_at=incident.closed_at,
                content=INCIDENT.encode(incident),
                version=incident.version,
            )
        )
        for event in incident.events:
            await self.append(incident.incident_id, event)

    async def get(self, incident_id: str) -> Incident | None:
        statement = select(incidents).where(incidents.c.incident_id == incident_id)
        row = (await self._session.execute(statement)).mappings().first()
        if row is None:
            return None
        timeline = (
            select(incident_events)
            .where(incident_events.c.incident_id == incident_id)
            .order_by(incident_events.c.event_seq)
        )
        return _incident(row, [_event(line) for line in (await self._session.execute(timeline)).mappings()])

    async def save(self, incident: Incident) -> None:
        met = await self._session.changed(
            update(incidents)
            .where(incidents.c.incident_id == incident.incident_id, incidents.c.version == incident.version)
            .values(
                closed_at=incident.closed_at,
                content=INCIDENT.encode(incident),
                version=incidents.c.version + 1,
            )
        )
        if met == 0:
            raise ConcurrentChange(
                f"incident {incident.incident_id!r} was changed by somebody else; read it again and repeat",
                incident_id=incident.incident_id,
            )

    async def append(self, incident_id: str, event: IncidentEvent) -> None:
        await self._session.execute(
            insert(incident_events).values(
                incident_id=incident_id,
                kind=event.kind.value,
                at=event.at,
                actor=event.actor,
                reason=event.reason,
                details=dict(event.details),
            )
        )

    async def list(self, *, insurer_id: str, open_only: bool, before: str | None, limit: int) -> Sequence[Incident]:
        statement = select(incidents).order_by(incidents.c.incident_id.desc()).limit(limit)
        if insurer_id:
            statement = statement.where(incidents.c.insurer_id == insurer_id)
        if open_only:
            statement = statement.where(incidents.c.closed_at.is_(None))
        if before is not None:
            statement = statement.where(incidents.c.incident_id < before)
        return [_incident(row, []) for row in (await self._session.execute(statement)).mappings()]


def _incident(row: RowMapping, events: Sequence[IncidentEvent]) -> Incident:
    return INCIDENT.decode(
        row["content"],
        incident_id=row["incident_id"],
        scope=Scope(row["insurer_id"], row["product_line"]),
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        events=tuple(events),
        version=row["version"],
    )


def _event(row: RowMapping) -> IncidentEvent:
    return IncidentEvent(
        kind=IncidentEventKind(row["kind"]),
        at=row["at"],
        actor=row["actor"],
        reason=row["reason"],
        details=row["details"],
    )
