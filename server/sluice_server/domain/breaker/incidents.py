"""Reading incidents and the audit trail."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sluice_server.domain.audit.chain import ChainHead
from sluice_server.domain.audit.event import AuditEvent
from sluice_server.domain.breaker.model import BreakerState, Incident, Scope
from sluice_server.domain.breaker.record import shares_since_cut
from sluice_server.domain.context import Clock
from sluice_server.domain.errors import IncidentNotFound, InsurerNotFound
from sluice_server.domain.unit_of_work import Store, UnitOfWork


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An incident with what is read beside it."""

    incident: Incident
    state: BreakerState
    """Of its breaker now; CLOSED when the incident is over."""
    abnormal_orders_left: int
    seconds_to_confirm: float | None
    """From the cut to the confirmation that stands."""
    seconds_to_recover: float
    """From the cut to CLOSED, or until now."""


@dataclass(frozen=True, slots=True)
class IncidentPage:
    incidents: tuple[IncidentView, ...]
    next_before: str
    """Where the next page begins; empty on the last one."""


@dataclass(frozen=True, slots=True)
class AuditPage:
    events: tuple[AuditEvent, ...]
    next_before: str
    head: ChainHead
    """The newest row of the whole trail, as it is kept apart from the rows; of the same moment as the page."""


class ListIncidents:
    """Newest first, without timelines."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def __call__(self, *, insurer_id: str, open_only: bool, before: str, limit: int) -> IncidentPage:
        """``before``: the last incident_id of the page before; empty for the first. Raises InsurerNotFound for a filter
        that names nobody."""
        async with self._store.read() as uow:
            if insurer_id and await uow.insurers.get(insurer_id) is None:
                raise InsurerNotFound(insurer_id)
            found = await uow.incidents.list(
                insurer_id=insurer_id, open_only=open_only, before=before or None, limit=limit + 1
            )
            views = [await _view(uow, incident, self._clock) for incident in found[:limit]]
        return IncidentPage(tuple(views), found[limit - 1].incident_id if len(found) > limit else "")


class GetIncident:
    """One incident, whole."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def __call__(self, incident_id: str) -> IncidentView:
        """Raises IncidentNotFound."""
        async with self._store.read() as uow:
            incident = await uow.incidents.get(incident_id)
            if incident is None:
                raise IncidentNotFound(
                    f"no incident {incident_id!r}; ListIncidents shows those that there were", incident_id=incident_id
                )
            if incident.restored_at is None:
                incident = replace(incident, shares_after=await shares_since_cut(uow, incident, self._clock.now()))
            return await _view(uow, incident, self._clock)


class ListAuditEvents:
    """The audit trail, newest first."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, *, subject: str, actor: str, before: str, limit: int) -> AuditPage:
        """``before``: ``next_before`` of the page before; empty for the first."""
        start = int(before) if before else None
        async with self._store.read() as uow:
            found = await uow.audit.list(subject=subject, actor=actor, before=start, limit=limit + 1)
            head = ChainHead(*await uow.audit.head())
        last = found[limit - 1].link if len(found) > limit else None
        return AuditPage(tuple(found[:limit]), str(last.sequence) if last else "", head)


async def _view(uow: UnitOfWork, incident: Incident, clock: Clock) -> IncidentView:
    breaker = await uow.breakers.get(Scope(incident.scope.insurer_id, incident.scope.product_line))
    still_open = breaker is not None and breaker.incident_id == incident.incident_id
    state = breaker.state if breaker is not None and still_open else BreakerState.CLOSED
    ended = incident.closed_at or clock.now()
    confirmed = incident.confirmed_at
    return IncidentView(
        incident=incident,
        state=state,
        abnormal_orders_left=await uow.orders.count_abnormal_of(incident.incident_id),
        seconds_to_confirm=None if confirmed is None else (confirmed - incident.opened_at).total_seconds(),
        seconds_to_recover=(ended - incident.opened_at).total_seconds(),
    )
