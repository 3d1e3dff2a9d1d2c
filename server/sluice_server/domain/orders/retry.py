"""The retries of a recovery: an incident's abnormal orders, with the same insurer, oldest first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sluice_server.domain.breaker.model import BreakerPolicy
from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import ConcurrentChange, IncidentNotFound
from sluice_server.domain.orders.calls import InsurerCalls, NotDecidedYet
from sluice_server.domain.orders.failures import became_abnormal
from sluice_server.domain.orders.history import given_up
from sluice_server.domain.orders.model import Order, OrderState, Outcome, SubmissionKind
from sluice_server.domain.orders.ports import SubmissionPending
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.unit_of_work import Store

STOPPING = frozenset({Outcome.TECHNICAL_FAILURE, Outcome.UNKNOWN})
"""Outcomes that end the retries: the insurer does not work yet."""

SHORTEST_LOOK_SECONDS = 0.1
"""An order that its insurer decides later is looked at no more often than this."""

CHANGES_TOLERATED = 5
"""How often an order is read again because a worker or a late answer changed it at the same moment."""


@dataclass(frozen=True, slots=True)
class RetryStep:
    """One order was retried."""

    application_id: str
    outcome: Outcome
    """SUCCESS also when the insurer's inquiry showed that it was insured already."""
    remaining: int
    """Orders of the incident that still wait."""
    done: int
    """Orders retried in this run, this one included."""
    cohort: int
    """Size of the present cohort."""

    @property
    def stops(self) -> bool:
        """Whether the retries end with it because the insurer failed."""
        return self.outcome in STOPPING


class RetryOrders:
    """Drains an incident's abnormal orders at the insurer that failed them.

    An unknown one is inquired first; what the insurer does not know is submitted with the same idempotency key. A
    small first cohort doubles each time that it went well, at most ``retry_per_second`` calls begin in a second, and
    the first technical failure ends it: no further call begins, those under way are still awaited and told. Its state
    is the orders themselves, so that a run after a kill goes on where the other ended. Orders that a killed process
    left SUBMITTING are waited for until their deadline and then retried like the others.
    """

    def __init__(
        self,
        *,
        calls: InsurerCalls,
        store: Store,
        clock: Clock,
        timing: OrderTiming,
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
    ) -> None:
        self._calls = calls
        self._store = store
        self._clock = clock
        self._timing = timing
        self._sleep = sleep

    async def retry_incident(
        self, incident_id: str, insurer_id: str, policy: BreakerPolicy, context: CallContext
    ) -> AsyncGenerator[RetryStep, None]:
        """A step for each order, in the order in which the calls end; ends when none is left or after a failure.

        Closing the iterator begins no further call; the calls under way are recorded. Raises IncidentNotFound,
        InsurerNotConfigured, Unavailable.
        """
        await self._gather(incident_id)
        cohort = policy.retry_first_cohort
        done = 0
        while True:
            orders = await self._waiting(incident_id, insurer_id, limit=cohort)
            if not orders:
                return
            failed = False
            async for application_id, outcome in self._cohort(orders, policy):
                done += 1
                failed = failed or outcome in STOPPING
                remaining = await self._count(incident_id)
                yield RetryStep(application_id, outcome, remaining, done, cohort)
            if failed:
                return
            cohort *= 2

    async def _gather(self, incident_id: str) -> None:
        """Attaches what became abnormal in the moment of the trip and was seen by neither side."""
        async with self._store.write() as uow:
            incident = await uow.incidents.get(incident_id)
            if incident is None:
                raise IncidentNotFound(f"no incident {incident_id!r}", incident_id=incident_id)
            scope = incident.scope
            await uow.orders.attach_to_incident(incident_id, scope.insurer_id, scope.product_line)
            await uow.commit()

    async def _waiting(self, incident_id: str, insurer_id: str, *, limit: int) -> Sequence[Order]:
        """The next ABNORMAL orders, oldest first; waits while only calls of other processes are left."""
        while True:
            async with self._store.read() as uow:
                # What another process is submitting stands among the oldest and must not hide those behind it.
                found = await uow.orders.abnormal_of(incident_id, limit=max(4 * limit, 100))
            mine = [o for o in found if o.decision.insurer_id == insurer_id]
            abnormal = [o for o in mine if o.state is OrderState.ABNORMAL]
            if abnormal or not mine:
                return abnormal[:limit]
            now = self._clock.now()
            end = min(self._timing.overdue_at(o.last_call.deadline) for o in mine)
            if now < end:
                await self._sleep(min(1.0, (end - now).total_seconds()))
            else:
                await self._give_up([o.application_id for o in mine])

    async def _give_up(self, application_ids: Sequence[str]) -> None:
        async with self._store.write() as uow:
            now = self._clock.now()
            for application_id in application_ids:
                order = await uow.orders.get(application_id)
                if order is None or order.state is not OrderState.SUBMITTING:
                    continue
                if now >= self._timing.overdue_at(order.last_call.deadline):
                    lost = await became_abnormal(uow, given_up(order, now=now), timing=self._timing, now=now)
                    await uow.orders.save(lost)
            await uow.commit()

    async def _cohort(self, orders: Sequence[Order], policy: BreakerPolicy) -> AsyncIterator[tuple[str, Outcome]]:
        """Begins a call every 1 / retry_per_second seconds and yields the outcomes as they come."""
        tasks: set[asyncio.Task[tuple[str, Outcome | None]]] = set()
        waiting = deque(orders)
        pace: asyncio.Future[None] | None = None
        failed = False
        try:
            while tasks or (waiting and not failed):
                if waiting and not failed and pace is None:
                    tasks.add(asyncio.create_task(self._retry(waiting.popleft())))
                    pace = asyncio.ensure_future(self._sleep(1.0 / policy.retry_per_second))
                awaited: set[asyncio.Future[Any]] = {*tasks} if pace is None else {*tasks, pace}
                await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                if pace is not None and pace.done():
                    pace = None
                for task in [t for t in tasks if t.done()]:
                    tasks.discard(task)
                    application_id, outcome = task.result()
                    failed = failed or outcome in STOPPING
                    if outcome is not None:
                        yield application_id, outcome
        finally:
            for left in (*tasks, *(() if pace is None else (pace,))):
                left.cancel()  # the insurer calls inside are shielded, and recorded

    async def _count(self, incident_id: str) -> int:
        async with self._store.read() as uow:
            return await uow.orders.count_abnormal_of(incident_id)

    async def _retry(self, order: Order) -> tuple[str, Outcome | None]:
        """The outcome; None when somebody else is submitting the order now, or has taken it elsewhere."""
        for _ in range(CHANGES_TOLERATED):
            try:
                return order.application_id, await self._attempt(order)
            except ConcurrentChange:
                async with self._store.read() as uow:
                    present = await uow.orders.get(order.application_id)
                order = present or order
                if order.state is OrderState.INSURED:
                    return order.application_id, Outcome.SUCCESS
                if order.final:
                    return order.application_id, Outcome.BUSINESS_REJECTION
                if order.state is not OrderState.ABNORMAL:
                    return order.application_id, None
        raise ConcurrentChange(f"order {order.application_id!r} is changed by somebody else all the time")

    async def _attempt(self, order: Order) -> Outcome:
        now = self._clock.now()
        if order.unsettled:
            known = await self._inquire(order)
            if known is None:
                return Outcome.UNKNOWN
            if known.state is OrderState.INSURED:
                return Outcome.SUCCESS
            if known.final:
                return Outcome.BUSINESS_REJECTION
            order = known
        deadline = self._timing.call_deadline(now, None) or now
        # The lease keeps reconciliation away from an order that is about to be submitted.
        order = replace(order, next_attempt_at=self._timing.lease_until(now))
        after = await self._calls.submit(order, SubmissionKind.RETRY, deadline=deadline)
        if after.pending:
            after = await self._settled(after)
        return after.last_call.standing or Outcome.UNKNOWN

    async def _inquire(self, order: Order) -> Order | None:
        """As ``InsurerCalls.inquire``; waits for an insurer that has accepted the order and not decided yet."""
        began = self._clock.now()
        while True:
            try:
                return await self._calls.inquire(order)
            except NotDecidedYet as undecided:
                if (self._clock.now() - began).total_seconds() >= undecided.pending.settled_within_seconds:
                    return None
                await self._sleep(undecided.pending.ask_after_seconds)

    async def _settled(self, order: Order) -> Order:
        """The order when its insurer has decided, or should have."""
        look_at = order.next_attempt_at or self._clock.now()
        while order.pending and (now := self._clock.now()) < order.last_call.deadline:
            wait = (min(look_at, order.last_call.deadline) - now).total_seconds()
            await self._sleep(max(SHORTEST_LOOK_SECONDS, wait))
            try:
                polled = await self._calls.poll(order)
            except ConcurrentChange:
                polled = None  # a worker or a callback was faster
            if isinstance(polled, Order):
                return polled
            if isinstance(polled, SubmissionPending):
                look_at = self._clock.now() + timedelta(seconds=polled.ask_after_seconds)
            async with self._store.read() as uow:
                order = await uow.orders.get(order.application_id) or order
        return order
