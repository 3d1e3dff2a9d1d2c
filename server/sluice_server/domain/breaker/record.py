"""How a change of a breaker is written down: breaker, incident, audit row and alarm, in the caller's unit of work.

Nothing here commits. The breaker is compared and set first, so that of several replicas or people who do the same at
once one writes all of it and the others write nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sluice_server.domain.audit.event import AuditEvent
from sluice_server.domain.breaker.evidence import FAILURES
from sluice_server.domain.breaker.machine import BreakerEvent, Facts, admission, advance
from sluice_server.domain.breaker.model import (
    Breaker,
    BreakerState,
    Evidence,
    Incident,
    IncidentEvent,
    IncidentEventKind,
    Scope,
)
from sluice_server.domain.breaker.ports import (
    Alarm,
)
from sluice_server.domain.context import CallContext
from sluice_server.domain.errors import ConcurrentChange
from sluice_server.domain.identity import new_id
from sluice_server.domain.unit_of_work import UnitOfWork

SHARES_WINDOW = timedelta(minutes=10)
"""How far before the first failure the insurers' shares are counted."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change, and by which call."""

    actor: str
    verified: bool
    reason: str
    request_id: str = ""
    trace_id: str = ""


def caller(context: CallContext, reason: str, request_id: str) -> Author:
    """The person behind a call. Its own request id names the change where the caller gave none to repeat it by."""
    return Author(
        context.actor.name, context.actor.verified, reason, request_id or context.request_id, context.trace_id
    )


def sluice(reason: str, request_id: str = "") -> Author:
    """Sluice itself."""
    return Author("sluice", True, reason, request_id)


async def save(uow: UnitOfWork, breaker: Breaker) -> Breaker:
    """Compare and set; the breaker as it is stored now. Raises ConcurrentChange."""
    if not await uow.breakers.save(breaker):
        raise ConcurrentChange(
            f"the breaker of {breaker.scope} was changed at the same moment; read it again and repeat",
            resource=f"insurers/{breaker.scope.insurer_id}",
        )
    return replace(breaker, version=breaker.version + 1)


async def cut(
    uow: UnitOfWork,
    breaker: Breaker,
    event: BreakerEvent,
    evidence: Evidence,
    author: Author,
    at: datetime,
    *,
    action: str,
    details: Mapping[str, str] | None = None,
) -> Breaker:
    """Takes the traffic away: OPEN, a new incident (or the one that is open goes on), abnormal orders attached to it,
    audit row, alarm. The very same breaker where it is OPEN already. ``details``: added to the timeline's line."""
    opened = advance(breaker, event, Facts(), at, incident_id=breaker.incident_id or new_id("inc"))
    if opened is breaker:
        return breaker
    stored = await save(uow, opened)
    # A breaker that goes on with its incident does so from RETRYING or RAMPING.
    incident = await uow.incidents.get(breaker.incident_id) if breaker.incident_id else None
    if incident is None:
        # The first failed order itself may have been given to another insurer since: it is not part of "before".
        before = (evidence.first_failure_at or at) - timedelta(microseconds=1)
        incident = Incident(
            incident_id=opened.incident_id,
            scope=breaker.scope,
            opened_at=at,
            evidence=evidence,
            shares_before=await uow.evidence.shares(decided_from=before - SHARES_WINDOW, decided_until=before),
        )
        incident, left = await count_orders(uow, incident)
        await uow.incidents.add(incident)
    else:
        incident, left = await count_orders(uow, incident)
        await uow.incidents.save(replace(incident, confirmed_at=None, confirmed_by="", restored_at=None))
    kind = _cut_kind(event, again=bool(breaker.incident_id))
    line = {"tripped": ",".join(evidence.tripped), "abnormal_orders": str(left), **(details or {})}
    await note(uow, opened.incident_id, kind, author, at, line)
    await audit(uow, action, breaker, opened, author, at)
    await uow.alarms.put(cut_alarm(opened, incident.opened_at, author.reason))
    return stored


def _cut_kind(event: BreakerEvent, *, again: bool) -> IncidentEventKind:
    if event is BreakerEvent.RETRY_FAILED:
        return IncidentEventKind.RETRY_FAILED
    if event is BreakerEvent.CUT_MANUALLY:
        return IncidentEventKind.CUT_MANUALLY
    return IncidentEventKind.TRIPPED_AGAIN if again else IncidentEventKind.TRIPPED


async def count_orders(uow: UnitOfWork, incident: Incident) -> tuple[Incident, int]:
    """Attaches abnormal orders that belong to no incident yet; the incident with its number of affected orders, and how
    many of them are not final. (Others were attached when they became abnormal after the cut.)"""
    scope = incident.scope
    await uow.orders.attach_to_incident(incident.incident_id, scope.insurer_id, scope.product_line)
    left = await uow.orders.count_abnormal_of(incident.incident_id)
    ended = sum(
        event.kind is IncidentEventKind.ORDER_RETRIED and event.details.get("outcome") not in FAILURES
        for event in incident.events
    )
    return replace(incident, affected_orders=max(incident.affected_orders, left + ended)), left


async def shares_since_cut(uow: UnitOfWork, incident: Incident, until: datetime) -> Mapping[str, int]:
    """Orders decided for each insurer after the cut."""
    after = incident.opened_at + timedelta(microseconds=1)
    return await uow.evidence.shares(decided_from=after, decided_until=until)


async def note(
    uow: UnitOfWork,
    incident_id: str,
    kind: IncidentEventKind,
    author: Author,
    at: datetime,
    details: Mapping[str, str] | None = None,
) -> None:
    """A line in the incident's timeline."""
    await uow.incidents.append(incident_id, IncidentEvent(kind, at, author.actor, author.reason, dict(details or {})))


async def audit(
    uow: UnitOfWork, action: str, before: Breaker | None, after: Breaker, author: Author, at: datetime
) -> None:
    """The audit row of a breaker's change: the fields that matter, before and after."""
    await write_audit(
        uow, action, subject(after.scope), author, at, {} if before is None else shown(before), shown(after)
    )


async def write_audit(
    uow: UnitOfWork,
    action: str,
    subject_name: str,
    author: Author,
    at: datetime,
    before: Mapping[str, object],
    after: Mapping[str, object],
) -> None:
    """An audit row."""
    await uow.audit.append(
        AuditEvent(
            audit_id=new_id("aud"),
            at=at,
            actor=author.actor,
            actor_verified=author.verified,
            action=action,
            subject=subject_name,
            reason=author.reason,
            request_id=author.request_id,
            trace_id=author.trace_id,
            before={key: value for key, value in before.items() if after.get(key) != value},
            after={key: value for key, value in after.items() if before.get(key) != value},
        )
    )


def subject(scope: Scope) -> str:
    """What an audit row about this scope is about: ``insurers/insurer-b`` or ``insurers/insurer-b/screen``."""
    return f"insurers/{scope}"


def shown(breaker: Breaker) -> dict[str, object]:
    """What audit rows say about a breaker."""
    return {
        "state": str(breaker.state),
        "mode": str(breaker.mode),
        "admitted_basis_points": admission(breaker).admitted_basis_points,
        "incident_id": breaker.incident_id,
        "ramp_step": breaker.ramp_step,
        "trips_in_a_row": breaker.trips_in_a_row,
    }


def cut_alarm(breaker: Breaker, opened_at: datetime, reason: str, resolved_at: datetime | None = None) -> Alarm:
    """The alarm that stands from the cut until the breaker is CLOSED again; every transition between updates it."""
    scope, state = breaker.scope, breaker.state
    summaries = {
        BreakerState.OPEN: f"traffic to {scope} is cut",
        BreakerState.CONFIRMED: f"recovery of {scope} is confirmed; its abnormal orders are to be retried",
        BreakerState.RETRYING: f"abnormal orders of {scope} are being retried",
        BreakerState.RAMPING: f"traffic returns to {scope}",
        BreakerState.CLOSED: f"{scope} takes its whole share again",
    }
    return Alarm(
        key=f"breaker/{scope}",
        name="InsurerCut",
        severity="critical",
        summary=summaries[state],
        labels={"insurer_id": scope.insurer_id, "product_line": scope.product_line},
        annotations={"state": str(state), "incident_id": breaker.incident_id, "reason": reason},
        starts_at=opened_at,
        resolved_at=resolved_at,
    )
