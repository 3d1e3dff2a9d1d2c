"""The control calls on a breaker: cut, confirm, restore, mode. The retries between are in ``recovery``."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sluice_server.domain.breaker.board import BreakerBoard
from sluice_server.domain.breaker.commands import Command, find_target
from sluice_server.domain.breaker.machine import (
    BreakerEvent,
    Facts,
    admission,
    advance,
    hold_until,
    next_state,
)
from sluice_server.domain.breaker.model import (
    Breaker,
    BreakerMode,
    Evidence,
    EvidenceKind,
    Incident,
    IncidentEventKind,
    Scope,
)
from sluice_server.domain.breaker.ports import Alarm
from sluice_server.domain.breaker.record import (
    audit,
    caller,
    count_orders,
    cut,
    cut_alarm,
    note,
    save,
    shares_since_cut,
)
from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import AbnormalOrdersRemain, IllegalTransition, PermissionDenied
from sluice_server.domain.unit_of_work import Store, UnitOfWork


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What ConfirmRecovery is told beside the command."""

    contact: str
    """Whom the actor spoke to at the insurer."""
    evidence: str
    """What shows that it works."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Answer of ConfirmRecovery."""

    breaker: Breaker
    abnormal_orders: int


class CutTraffic:
    """切除 by hand: OPEN, an incident, an alarm. OPEN already: changes nothing."""

    def __init__(self, store: Store, board: BreakerBoard, clock: Clock) -> None:
        self._store, self._board, self._clock = store, board, clock

    async def __call__(self, command: Command, context: CallContext) -> Breaker:
        """Raises IllegalTransition while CONFIRMED or RETRYING."""
        now = self._clock.now()
        async with self._store.write() as uow:
            # A person may cut anybody; but what the breaker cuts by itself at this moment must know of it.
            await uow.breakers.serialise_cuts()
            target = await find_target(uow, command, "CutTraffic", now)
            if target.repeated:
                return target.breaker
            seen = self._board.evidence(command.scope) or Evidence(command.scope, now)
            evidence = replace(seen, at=now, tripped=(EvidenceKind.MANUAL,), first_failure_at=None)
            author = caller(context, command.reason, command.request_id)
            event = BreakerEvent.CUT_MANUALLY
            breaker = await cut(uow, target.breaker, event, evidence, author, now, action="CutTraffic")
            if breaker is target.breaker:
                return breaker
            await uow.commit()
        await self._board.refresh()
        return breaker


class ConfirmRecovery:
    """The first key: a named person has confirmed with the insurer that it works again."""

    def __init__(self, store: Store, board: BreakerBoard, clock: Clock) -> None:
        self._store, self._board, self._clock = store, board, clock

    async def __call__(self, command: Command, confirmation: Confirmation, context: CallContext) -> Confirmed:
        """Raises IllegalTransition unless OPEN (CONFIRMED: changes nothing) and held long enough."""
        now = self._clock.now()
        async with self._store.write() as uow:
            target = await find_target(uow, command, "ConfirmRecovery", now)
            breaker = target.breaker
            if target.repeated:
                return Confirmed(breaker, await uow.orders.count_abnormal_of(breaker.incident_id))
            facts = Facts(hold_left_seconds=(hold_until(breaker) - now).total_seconds())
            after = advance(breaker, BreakerEvent.CONFIRM, facts, now)
            if after is breaker:
                return Confirmed(breaker, await uow.orders.count_abnormal_of(breaker.incident_id))
            stored = await save(uow, after)
            incident, remaining = await count_orders(uow, await open_incident(uow, breaker))
            await uow.incidents.save(replace(incident, confirmed_at=now, confirmed_by=context.actor.name))
            author = caller(context, command.reason, command.request_id)
            details = {
                "contact": confirmation.contact,
                "evidence": confirmation.evidence,
                "actor_verified": str(context.actor.verified).lower(),
            }
            await note(uow, incident.incident_id, IncidentEventKind.RECOVERY_CONFIRMED, author, now, details)
            await audit(uow, "ConfirmRecovery", breaker, after, author, now)
            await uow.alarms.put(cut_alarm(after, incident.opened_at, command.reason))
            await uow.commit()
        await self._board.refresh()
        return Confirmed(stored, remaining)


class RestoreTraffic:
    """恢复, the second key: traffic returns in steps."""

    def __init__(self, store: Store, board: BreakerBoard, clock: Clock) -> None:
        self._store, self._board, self._clock = store, board, clock

    async def __call__(self, command: Command, context: CallContext, *, override: bool = False) -> Breaker:
        """``override``: also with abnormal orders left; it is only used, and recorded, where it is needed.

        Raises IllegalTransition, AbnormalOrdersRemain; PermissionDenied for the person who confirmed.
        """
        now = self._clock.now()
        async with self._store.write() as uow:
            target = await find_target(uow, command, "RestoreTraffic", now)
            breaker = target.breaker
            if target.repeated:
                return breaker
            # A closed breaker has no incident; the table refuses it with these facts.
            incident = await uow.incidents.get(breaker.incident_id) if breaker.incident_id else None
            facts = Facts()
            if incident is not None:
                incident, left = await count_orders(uow, incident)
                facts = Facts(
                    confirmed=bool(incident.confirmed_by),
                    retries_completed=retries_completed(incident),
                    abnormal_orders=left,
                )
            event = _restoring_event(breaker, facts, override=override)
            after = advance(breaker, event, facts, now)
            if after is breaker or incident is None:
                return breaker
            _check_two_keys(incident, context)
            stored = await save(uow, after)
            since_cut = await shares_since_cut(uow, incident, now)
            await uow.incidents.save(replace(incident, restored_at=now, shares_after=since_cut))
            author = caller(context, command.reason, command.request_id)
            overridden = event is BreakerEvent.OVERRIDE
            kind = IncidentEventKind.OVERRIDDEN if overridden else IncidentEventKind.TRAFFIC_RESTORED
            details = {
                "admitted_basis_points": str(admission(after).admitted_basis_points),
                "abnormal_orders": str(facts.abnormal_orders),
                "actor_verified": str(context.actor.verified).lower(),
            }
            await note(uow, incident.incident_id, kind, author, now, details)
            await audit(uow, "RestoreTraffic", breaker, after, author, now)
            await uow.alarms.put(cut_alarm(after, incident.opened_at, command.reason))
            await uow.commit()
        await self._board.refresh()
        return stored


class SetBreakerMode:
    """What the breaker may do; its state stays."""

    def __init__(self, store: Store, board: BreakerBoard, clock: Clock) -> None:
        self._store, self._board, self._clock = store, board, clock

    async def __call__(self, command: Command, mode: BreakerMode, context: CallContext) -> Breaker:
        now = self._clock.now()
        async with self._store.write() as uow:
            await uow.breakers.serialise_cuts()
            target = await find_target(uow, command, "SetBreakerMode", now)
            breaker = target.breaker
            if target.repeated or breaker.mode is mode:
                return breaker
            after = replace(breaker, mode=mode)
            stored = await save(uow, after)
            author = caller(context, command.reason, command.request_id)
            await audit(uow, "SetBreakerMode", breaker, after, author, now)
            if breaker.incident_id and mode is BreakerMode.FORCED_CLOSED:
                # Traffic flows although nobody has confirmed or retried: the incident must show it.
                details = {"mode": str(mode)}
                await note(uow, breaker.incident_id, IncidentEventKind.OVERRIDDEN, author, now, details)
            forced = (BreakerMode.FORCED_OPEN, BreakerMode.FORCED_CLOSED)
            if mode in forced or breaker.mode in forced:
                await uow.alarms.put(_forced_alarm(after, command.reason, ended=mode not in forced, clock=self._clock))
            await uow.commit()
        await self._board.refresh()
        return stored


async def open_incident(uow: UnitOfWork, breaker: Breaker) -> Incident:
    """The incident of a breaker that is not CLOSED."""
    incident = await uow.incidents.get(breaker.incident_id)
    if incident is None:
        raise LookupError(f"the breaker of {breaker.scope} names incident {breaker.incident_id!r}, which is not stored")
    return incident


def retries_completed(incident: Incident) -> bool:
    """Whether the last run of retries went through to its end and nothing has begun anew since."""
    decisive = (
        IncidentEventKind.RETRY_STARTED,
        IncidentEventKind.RETRY_COMPLETED,
        IncidentEventKind.RETRY_FAILED,
        IncidentEventKind.RECOVERY_CONFIRMED,
        IncidentEventKind.TRIPPED_AGAIN,
        IncidentEventKind.CUT_MANUALLY,
    )
    kinds = [event.kind for event in incident.events if event.kind in decisive]
    return bool(kinds) and kinds[-1] is IncidentEventKind.RETRY_COMPLETED


def _restoring_event(breaker: Breaker, facts: Facts, *, override: bool) -> BreakerEvent:
    """RESTORE; OVERRIDE where it is asked for and RESTORE would be refused."""
    if override:
        try:
            next_state(breaker.state, BreakerEvent.RESTORE, facts)
        except (AbnormalOrdersRemain, IllegalTransition):
            return BreakerEvent.OVERRIDE
    return BreakerEvent.RESTORE


def _check_two_keys(incident: Incident, context: CallContext) -> None:
    """Two people: whoever confirmed is not the one who restores. Declared names are taken at their word, and recorded
    as unverified."""
    if context.actor.name == incident.confirmed_by:
        raise PermissionDenied(
            f"{context.actor.name} has confirmed this recovery; traffic is restored by a second person",
            confirmed_by=incident.confirmed_by,
            incident_id=incident.incident_id,
        )


def _forced_alarm(breaker: Breaker, reason: str, *, ended: bool, clock: Clock) -> Alarm:
    scope: Scope = breaker.scope
    now = clock.now()
    return Alarm(
        key=f"forced/{scope}",
        name="InsurerBreakerForced",
        severity="warning",
        summary=f"the breaker of {scope} is {breaker.mode}",
        labels={"insurer_id": scope.insurer_id, "product_line": scope.product_line},
        annotations={"mode": str(breaker.mode), "reason": reason},
        starts_at=now,
        resolved_at=now if ended else None,
    )
