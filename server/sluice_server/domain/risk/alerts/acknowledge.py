"""The use case AcknowledgeAlert: a person has seen an alert and says what will be done."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sluice_server.domain.audit.event import audited
from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import RequestIdConflict, RiskResourceNotFound, StaleEtag
from sluice_server.domain.risk.alerts.alert import Alert, AlertResolved
from sluice_server.domain.unit_of_work import Store

ACKNOWLEDGE = "AcknowledgeAlert"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What AcknowledgeAlert is given. An empty etag takes whatever is stored."""

    alert_id: str
    reason: str
    etag: str = ""
    request_id: str = ""


class AcknowledgeAlert:
    """The name, the time and the reason stay with the alert, whatever becomes of it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, given: Acknowledgement, context: CallContext) -> Alert:
        """The alert with the acknowledgement. A repeat with the request_id changes nothing.

        Raises RiskResourceNotFound, AlertResolved, StaleEtag, RequestIdConflict, ConcurrentChange.
        """
        now = self._clock.now()
        subject = f"alerts/{given.alert_id}"
        async with self._store.write() as uow:
            earlier = await uow.audit.by_request(given.request_id, ACKNOWLEDGE) if given.request_id else None
            if earlier is not None and (earlier.subject != subject or earlier.reason != given.reason):
                raise RequestIdConflict(f"request_id {given.request_id!r} acknowledged {earlier.subject}")
            alert = await uow.alerts.get(given.alert_id)
            if alert is None:
                text = f"no alert {given.alert_id!r}; ListAlerts shows those that exist"
                raise RiskResourceNotFound(text, alert_id=given.alert_id)
            if earlier is not None:
                return alert
            if not alert.is_open:
                raise AlertResolved(f"{subject} is resolved: there is nothing left to do", subject=subject)
            if given.etag and given.etag != alert.etag:
                raise StaleEtag(subject, alert.etag)
            stored = await uow.alerts.save(
                replace(
                    alert,
                    acknowledged_by=context.actor.name,
                    acknowledged_at=now,
                    acknowledge_note=given.reason,
                    updated_at=now,
                )
            )
            await uow.audit.append(
                audited(
                    context,
                    now,
                    action=ACKNOWLEDGE,
                    subject=subject,
                    reason=given.reason,
                    request_id=given.request_id,
                    before={"acknowledged_by": alert.acknowledged_by},
                    after={"acknowledged_by": context.actor.name, "state": alert.state.value},
                )
            )
            await uow.commit()
        return stored
