"""What the breaker does by itself: cut, keep (and say so), step, close. One unit of work each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sluice_server.domain.breaker.cut_limits import kept_because, limits_traffic, read_traffic
from sluice_server.domain.breaker.machine import BreakerEvent, Facts, admission, advance, steps_left
from sluice_server.domain.breaker.model import Breaker, BreakerMode, Evidence, IncidentEventKind, Scope
from sluice_server.domain.breaker.ports import Alarm
from sluice_server.domain.breaker.record import (
    audit,
    count_orders,
    cut,
    cut_alarm,
    note,
    save,
    shown,
    sluice,
    subject,
    write_audit,
)
from sluice_server.domain.context import Clock
from sluice_server.domain.errors import ConcurrentChange
from sluice_server.domain.unit_of_work import Store, UnitOfWork

WOULD_HAVE_CUT = "breaker.would_have_cut"
KEPT = "breaker.kept"


class AutomaticChanges:
    """Every method does its change if the stored breaker is still the one that was judged, and nothing otherwise."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._episodes: dict[Scope, str] = {}
        """Scopes whose evidence trips without a cut, by what was recorded about it: once while it lasts."""

    @property
    def noted(self) -> Collection[Scope]:
        """Scopes about which something was recorded that has not ended."""
        return self._episodes

    async def trip(self, breaker: Breaker, evidence: Evidence, breakers: Sequence[Breaker]) -> bool:
        """Cuts, where mode and rules allow it; records once what it did not do. True when the breaker was changed, by
        this replica or another.

        ``breakers``: all of them, as the evidence was judged.
        """
        if breaker.mode is BreakerMode.METRICS_ONLY:
            if breaker.scope not in self._episodes:
                await self._record_episode(breaker, evidence, WOULD_HAVE_CUT, "the mode is METRICS_ONLY")
            return False
        if breaker.mode is not BreakerMode.ENFORCING:
            return False
        traffic: Mapping[Scope, int] = {}
        began = evidence.first_failure_at or evidence.at
        if limits_traffic(breaker.policy):
            async with self._store.read() as uow:
                traffic = await read_traffic(uow, began)
        because = kept_because(breaker, breakers, traffic)
        if because:
            if self._episodes.get(breaker.scope) != KEPT:
                await self._record_episode(breaker, evidence, KEPT, because)
            return False
        try:
            async with self._store.write() as uow:
                await uow.breakers.serialise_cuts()
                if not await _unchanged(uow, breaker):
                    return True
                # Once more on what is stored now: another insurer may have been cut at the same moment.
                traffic = await read_traffic(uow, began) if limits_traffic(breaker.policy) else {}
                if kept_because(breaker, await uow.breakers.list(), traffic):
                    return False
                author, now = sluice(summary(evidence)), self._clock.now()
                await cut(uow, breaker, BreakerEvent.TRIP, evidence, author, now, action="breaker.trip")
                await uow.commit()
        except ConcurrentChange:
            # Another replica was faster: its cut is as good as ours.
            return True
        await self.calm(breaker)
        return True

    async def calm(self, breaker: Breaker) -> None:
        """The evidence does not trip (any more): what was said about it ends."""
        episode = self._episodes.pop(breaker.scope, None)
        if episode == KEPT:
            now = self._clock.now()
            async with self._store.write() as uow:
                await uow.alarms.put(_kept_alarm(breaker, "the evidence does not trip any more", now, resolved_at=now))
                await uow.commit()

    async def step(self, breaker: Breaker) -> bool:
        """The next step of the ramp, or CLOSED after the last. True when the breaker was changed."""
        now, left = self._clock.now(), steps_left(breaker)
        event = BreakerEvent.STEP if left else BreakerEvent.RAMP_DONE
        author = sluice("the step went well" if left else "the whole ramp went well")
        try:
            async with self._store.write() as uow:
                if not await _unchanged(uow, breaker):
                    return False
                after = advance(breaker, event, Facts(steps_left=left), now)
                await save(uow, after)
                incident = await uow.incidents.get(breaker.incident_id)
                if incident is not None:
                    if not left:
                        await uow.incidents.save(replace(incident, closed_at=now))
                    kind = IncidentEventKind.RAMP_STEP if left else IncidentEventKind.CLOSED
                    share = admission(after).admitted_basis_points
                    await note(uow, incident.incident_id, kind, author, now, {"admitted_basis_points": str(share)})
                    alarmed = replace(after, incident_id=incident.incident_id)
                    resolved_at = None if left else now
                    await uow.alarms.put(cut_alarm(alarmed, incident.opened_at, author.reason, resolved_at))
                await audit(uow, f"breaker.{event.lower()}", breaker, after, author, now)
                await uow.commit()
        except ConcurrentChange:
            return False
        return True

    async def follow_incident(self, breaker: Breaker, leaked: int) -> None:
        """Keeps an open incident's numbers: orders that became abnormal after the cut, submissions that leaked."""
        try:
            async with self._store.write() as uow:
                incident = await uow.incidents.get(breaker.incident_id)
                if incident is None:
                    return
                counted, _ = await count_orders(uow, incident)
                counted = replace(counted, leaked_orders=max(leaked, incident.leaked_orders))
                if counted != incident:
                    await uow.incidents.save(counted)
                await uow.commit()
        except ConcurrentChange:
            # Somebody else wrote the incident; the next tick counts again.
            return

    async def _record_episode(self, breaker: Breaker, evidence: Evidence, action: str, because: str) -> None:
        """One audit row (over all replicas), and an alarm where an insurer is kept although it fails."""
        now = self._clock.now()
        began = evidence.first_failure_at or now
        author = sluice(f"{because}: {summary(evidence)}", f"{action}/{breaker.scope}/{began:%Y%m%dT%H%M%S}")
        async with self._store.write() as uow:
            if await uow.audit.by_request(author.request_id, action) is None:
                state = shown(breaker)
                after = {**state, "tripped": ",".join(evidence.tripped), "evidence": numbers(evidence)}
                await write_audit(uow, action, subject(breaker.scope), author, now, state, after)
            if action == KEPT:
                await uow.alarms.put(_kept_alarm(breaker, author.reason, now))
            await uow.commit()
        self._episodes[breaker.scope] = action


async def _unchanged(uow: UnitOfWork, breaker: Breaker) -> bool:
    stored = await uow.breakers.get(breaker.scope)
    return stored is not None and stored.version == breaker.version


def _kept_alarm(breaker: Breaker, reason: str, at: datetime, resolved_at: datetime | None = None) -> Alarm:
    scope = breaker.scope
    return Alarm(
        key=f"kept/{scope}",
        name="InsurerKeptThoughFailing",
        severity="critical",
        summary=f"{scope} fails and is not cut by itself",
        labels={"insurer_id": scope.insurer_id, "product_line": scope.product_line},
        annotations={"reason": reason},
        starts_at=at,
        resolved_at=resolved_at,
    )


def numbers(evidence: Evidence) -> dict[str, float]:
    """The evidence's numbers, for audit rows."""
    return {
        "orders": evidence.orders,
        "backlog": evidence.backlog,
        "outcomes": evidence.outcomes,
        "failures": evidence.failures,
        "slow": evidence.slow,
        "sequential_statistic": round(evidence.sequential_statistic, 3),
        "sequential_limit": round(evidence.sequential_limit, 3),
    }


def summary(evidence: Evidence) -> str:
    """One sentence for people: what trips, with its numbers."""
    parts = {
        "BACKLOG": f"{evidence.backlog} of {evidence.orders} orders are unfinished",
        "FAILURE_RATE": f"{evidence.failures} of {evidence.outcomes} outcomes failed",
        "SLOW_RATE": f"{evidence.slow} of {evidence.outcomes} answers were slow",
        "SEQUENTIAL": f"the last {evidence.orders_since_first_failure} orders look like an outage",
    }
    return "; ".join(parts.get(kind, str(kind)) for kind in evidence.tripped)
