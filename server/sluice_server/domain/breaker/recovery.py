"""The retries of an incident's abnormal orders: between the first key and the second."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from sluice_server.domain.breaker.board import BreakerBoard
from sluice_server.domain.breaker.commands import Command, find_target
from sluice_server.domain.breaker.control import open_incident, retries_completed
from sluice_server.domain.breaker.evidence import FAILURES
from sluice_server.domain.breaker.machine import BreakerEvent, Facts, advance, next_state
from sluice_server.domain.breaker.model import (
    Breaker,
    BreakerPolicy,
    BreakerState,
    Evidence,
    EvidenceKind,
    IncidentEventKind,
    Scope,
)
from sluice_server.domain.breaker.record import Author, audit, caller, count_orders, cut, cut_alarm, note, save
from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import ConcurrentChange
from sluice_server.domain.orders.model import Outcome
from sluice_server.domain.orders.retry import RetryStep
from sluice_server.domain.unit_of_work import Store

ATTEMPTS = 5
"""The watch writes the incident's numbers at the same time: so often is a write repeated that lost to it."""


class OrderRetries(Protocol):
    """The orders' side: inquiry first, then submission to the same insurer with the same key, oldest first."""

    def retry_incident(
        self, incident_id: str, insurer_id: str, policy: BreakerPolicy, context: CallContext
    ) -> AsyncIterator[RetryStep]: ...


@dataclass(frozen=True, slots=True)
class RetryProgress:
    """One message of RetryAbnormalOrders."""

    breaker: Breaker
    remaining: int
    application_id: str = ""
    outcome: Outcome | None = None
    retried: int = 0
    insured: int = 0
    rejected: int = 0
    cohort: int = 0
    done: bool = False
    stopped_because: str = ""


class RetryAbnormalOrders:
    """Retries every abnormal order of the incident. Called again after an interruption it goes on."""

    def __init__(self, store: Store, board: BreakerBoard, clock: Clock, retries: OrderRetries) -> None:
        self._store, self._board, self._clock, self._retries = store, board, clock, retries
        self._running: set[Scope] = set()

    async def __call__(self, command: Command, context: CallContext) -> AsyncGenerator[RetryProgress, None]:
        """Yields the state at the beginning, each retried order, and a last message with ``done``.

        Raises IllegalTransition unless CONFIRMED or RETRYING; ConcurrentChange while a call retries on this replica.
        """
        scope = command.scope
        if scope in self._running:
            raise ConcurrentChange(
                f"the abnormal orders of {scope} are being retried by another call; watch it or wait for its end",
                resource=f"insurers/{scope.insurer_id}",
            )
        self._running.add(scope)
        try:
            async with aclosing(self._retry(command, context)) as messages:
                async for message in messages:
                    yield message
        finally:
            self._running.discard(scope)

    async def _retry(self, command: Command, context: CallContext) -> AsyncGenerator[RetryProgress, None]:
        author = caller(context, command.reason, command.request_id)
        progress = await self._start(command, author)
        yield progress
        if progress.done:
            return
        breaker = progress.breaker
        while True:
            retried_before = progress.retried
            steps = self._retries.retry_incident(breaker.incident_id, breaker.scope.insurer_id, breaker.policy, context)
            stopped_because = ""
            try:
                async for step in steps:
                    breaker = await self._record_step(breaker, step, author)
                    progress = _counted_step(progress, step, breaker)
                    yield progress
                    if step.outcome in FAILURES:
                        # Calls that are under way are still told; no further one begins.
                        stopped_because = stopped_because or _failed(step)
                    elif breaker.state is not BreakerState.RETRYING and not stopped_because:
                        stopped_because = f"the breaker is {breaker.state} now, changed by another call"
                        break
            finally:
                if isinstance(steps, AsyncGenerator):
                    await steps.aclose()
            left = 0 if stopped_because else await self._complete(breaker, author)
            if left and progress.retried == retried_before:
                stopped_because = f"{left} abnormal orders are in other hands at this moment; call again"
            if stopped_because or not left:
                yield _last(progress, left or progress.remaining if stopped_because else 0, stopped_because)
                return

    async def _start(self, command: Command, author: Author) -> RetryProgress:
        now = self._clock.now()
        async with self._store.write() as uow:
            target = await find_target(uow, command, "RetryAbnormalOrders", now)
            breaker = target.breaker
            if target.repeated and breaker.state is not BreakerState.RETRYING:
                remaining = await uow.orders.count_abnormal_of(breaker.incident_id) if breaker.incident_id else 0
                return RetryProgress(breaker, remaining, done=True)
            confirmed = False
            if breaker.incident_id:
                confirmed = bool((await open_incident(uow, breaker)).confirmed_by)
            after = advance(breaker, BreakerEvent.START_RETRY, Facts(confirmed=confirmed), now)
            incident, remaining = await count_orders(uow, await open_incident(uow, breaker))
            if after is breaker and remaining == 0 and retries_completed(incident):
                return RetryProgress(breaker, 0, done=True)
            stored = breaker if after is breaker else await save(uow, after)
            await uow.incidents.save(incident)
            details = {"abnormal_orders": str(remaining), "resumed": str(after is breaker).lower()}
            await note(uow, incident.incident_id, IncidentEventKind.RETRY_STARTED, author, now, details)
            await audit(uow, "RetryAbnormalOrders", breaker, after, author, now)
            await uow.alarms.put(cut_alarm(after, incident.opened_at, author.reason))
            await uow.commit()
        await self._board.refresh()
        return RetryProgress(stored, remaining)

    async def _record_step(self, breaker: Breaker, step: RetryStep, author: Author) -> Breaker:
        """Writes a retried order into the incident; a technical failure also cuts again. The breaker as it is then."""
        for attempt in range(ATTEMPTS):
            try:
                stored = await self._try_record(breaker, step, author)
                break
            except ConcurrentChange:
                if attempt == ATTEMPTS - 1:
                    raise
        if stored.state is BreakerState.OPEN:
            await self._board.refresh()
        return stored

    async def _try_record(self, breaker: Breaker, step: RetryStep, author: Author) -> Breaker:
        now = self._clock.now()
        details = {"application_id": step.application_id, "outcome": str(step.outcome)}
        async with self._store.write() as uow:
            stored = await uow.breakers.get(breaker.scope) or breaker
            incident = await open_incident(uow, breaker)
            await note(uow, incident.incident_id, IncidentEventKind.ORDER_RETRIED, author, now, details)
            await uow.incidents.save(
                replace(
                    incident,
                    retried_orders=incident.retried_orders + 1,
                    insured_by_retry=incident.insured_by_retry + (step.outcome is Outcome.SUCCESS),
                )
            )
            if step.outcome in FAILURES and stored.state is BreakerState.RETRYING:
                evidence = Evidence(breaker.scope, now, outcomes=1, failures=1, tripped=(EvidenceKind.RETRY_FAILED,))
                event, action = BreakerEvent.RETRY_FAILED, "breaker.retry_failed"
                stored = await cut(uow, stored, event, evidence, author, now, action=action, details=details)
            await uow.commit()
        return stored

    async def _complete(self, breaker: Breaker, author: Author) -> int:
        """Notes the completed run; or says how many abnormal orders have come meanwhile."""
        now = self._clock.now()
        async with self._store.write() as uow:
            stored = await uow.breakers.get(breaker.scope) or breaker
            incident, remaining = await count_orders(uow, await open_incident(uow, breaker))
            await uow.incidents.save(incident)
            if remaining:
                await uow.commit()
                return remaining
            next_state(stored.state, BreakerEvent.RETRY_COMPLETED, Facts(abnormal_orders=remaining))
            kind = IncidentEventKind.RETRY_COMPLETED
            await note(uow, incident.incident_id, kind, author, now, {"orders": str(incident.retried_orders)})
            await audit(uow, "breaker.retry_completed", stored, stored, author, now)
            await uow.commit()
        return 0


def _counted_step(progress: RetryProgress, step: RetryStep, breaker: Breaker) -> RetryProgress:
    return replace(
        progress,
        breaker=breaker,
        application_id=step.application_id,
        outcome=step.outcome,
        retried=progress.retried + 1,
        insured=progress.insured + (step.outcome is Outcome.SUCCESS),
        rejected=progress.rejected + (step.outcome in (Outcome.BUSINESS_REJECTION, Outcome.CALLER_FAULT)),
        remaining=step.remaining,
        cohort=step.cohort,
    )


def _last(progress: RetryProgress, remaining: int, stopped_because: str) -> RetryProgress:
    return replace(
        progress, application_id="", outcome=None, remaining=remaining, done=True, stopped_because=stopped_because
    )


def _failed(step: RetryStep) -> str:
    return f"the retry of {step.application_id} ended as {step.outcome}: cut again, confirm the recovery anew"
