"""Reconciliation: finishes what calls have left behind.

One order at a time is taken up by moving its ``next_attempt_at`` on (compare-and-set on its version, before anything is
called), so that two replicas never work on the same order and a killed one's orders come back when its lease ends.

What happens to an order:

* SUBMITTING past its deadline: its process died; unknown.
* SUBMITTING, accepted by its insurer for later: the insurer is asked, as often as is agreed. What it has not decided in
  its time is unknown, and evidence against it.
* ABNORMAL with an unknown outcome: the insurer is asked. Insured or declined ends the order; an answer that says
  nothing leads to the next attempt (exponential back-off with jitter); "nothing known" is believed after a quiet time
  and makes the failure definite.
* ABNORMAL by definite failure: decided again without the insurers that failed and submitted; if nobody else is left,
  decided again among all whose breaker admits traffic; if nobody is left then either, the rule's word (park, keep the
  last one, reject) holds.
* ROUTED by Submit but never submitted: the process died in between; submitted.

Orders of an incident whose breaker is OPEN, CONFIRMED or RETRYING belong to the recovery: the retries with the same
insurer are what proves that it works again. They are inquired (and are INSURED if the insurer says so), but neither
submitted nor sent to others, unless ``move_orders_of_incident`` says so. From RAMPING on the recovery has done its part
(or an operator has overridden it): what is left then, and what fails anew, is moved like any other order, so that
nothing waits for a recovery that does not come back for it.

Orders whose calls another team makes (``submit_requested`` is false) are never due: that team knows what it has sent,
and with which key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sluice_server.domain.context import Clock
from sluice_server.domain.errors import ConcurrentChange, InsurerNotConfigured
from sluice_server.domain.orders.calls import InsurerCalls, NotDecidedYet
from sluice_server.domain.orders.decide import ANY_DISPOSITION, SOMEBODY, Decisions
from sluice_server.domain.orders.failures import became_abnormal, followed_up, joined_recovery
from sluice_server.domain.orders.history import given_up, stored
from sluice_server.domain.orders.model import Order, OrderState, SubmissionKind
from sluice_server.domain.orders.ports import DecisionLog
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.unit_of_work import Store

RECONCILED_STATES = (OrderState.SUBMITTING, OrderState.ABNORMAL, OrderState.ROUTED)


class ReconcileOrder:
    """Takes one order up and brings it as far as possible."""

    def __init__(
        self,
        *,
        decisions: Decisions,
        calls: InsurerCalls,
        log: DecisionLog,
        store: Store,
        clock: Clock,
        timing: OrderTiming,
    ) -> None:
        self._decisions = decisions
        self._log = log
        self._calls = calls
        self._store = store
        self._clock = clock
        self._timing = timing

    async def due(self, limit: int) -> Sequence[str]:
        """application_ids of the orders to take up now."""
        async with self._store.read() as uow:
            return await uow.orders.due(states=RECONCILED_STATES, at=self._clock.now(), limit=limit)

    async def __call__(self, application_id: str) -> Order | None:
        """The order afterwards; None when it is not due any more or somebody else has it in hand.

        Raises InsurerNotConfigured (the order comes back after its back-off) and Unavailable.
        """
        try:
            order = await self._take_up(application_id)
            return None if order is None else await self._work_on(order)
        except ConcurrentChange:
            return None

    async def _take_up(self, application_id: str) -> Order | None:
        async with self._store.read() as uow:
            order = await uow.orders.get(application_id)
        now = self._clock.now()
        if order is None or order.state not in RECONCILED_STATES or not order.submit_requested:
            return None
        if order.next_attempt_at is None or order.next_attempt_at > now:
            return None
        if order.state is OrderState.SUBMITTING and not order.pending:
            async with self._store.write() as uow:
                order = self._leased(await became_abnormal(uow, given_up(order, now=now), timing=self._timing, now=now))
                await uow.orders.save(order)
                await uow.commit()
            return stored(order)
        return await self._postpone(self._leased(order))

    def _leased(self, order: Order) -> Order:
        # A lease is no change of the order, so updated_at stays.
        return replace(order, attempts=order.attempts + 1, next_attempt_at=self._timing.lease_until(self._clock.now()))

    async def _work_on(self, order: Order) -> Order:
        try:
            if order.state is OrderState.ROUTED:
                return await self._submit_abandoned(order)
            if order.pending:
                order = await self._poll(order)
                if order.state is not OrderState.ABNORMAL:
                    return order
            if order.unsettled:
                try:
                    asked = await self._calls.inquire(order)
                except NotDecidedYet:
                    asked = None
                if asked is None:
                    return await self._wait(order)
                if asked.state is not OrderState.ABNORMAL:
                    return asked
                if asked.unsettled:
                    return await self._wait_until_quiet(asked)
                order = asked
            if not self._timing.move_orders_of_incident:
                async with self._store.read() as uow:
                    waiting = await joined_recovery(uow, order)
                if waiting is not None:
                    return await self._wait_for_recovery(waiting)
            return await self._move(order)
        except InsurerNotConfigured:
            await self._wait(order)
            raise

    async def _poll(self, order: Order) -> Order:
        """The order with what its insurer has decided; given up when the time for it is over."""
        decided = await self._calls.poll(order)
        if isinstance(decided, Order):
            return decided
        now, last = self._clock.now(), order.last_call
        if now < last.deadline:
            if decided is None:
                ask_at = self._timing.retry_at(order, now)
            else:
                ask_at = now + timedelta(seconds=decided.ask_after_seconds)
            return await self._postpone(replace(order, next_attempt_at=min(ask_at, last.deadline)))
        async with self._store.write() as uow:
            lost = given_up(order, now=now)
            lost = await followed_up(uow, lost, last.submission_id, timing=self._timing, now=now)
            await uow.orders.save(lost)
            await uow.commit()
        return stored(lost)

    async def _move(self, order: Order) -> Order:
        moved = await self._decisions.redecide(order, failed=order.failed_insurers, accept=SOMEBODY)
        if moved is None:
            moved = await self._decisions.redecide(order, failed=frozenset(), accept=ANY_DISPOSITION)
        if moved is None:  # no plan, or no rule of it, is for this order now
            return await self._wait(order)
        return await self._submit(moved, SubmissionKind.RETRY)

    async def _submit_abandoned(self, order: Order) -> Order:
        if self._decisions.cut_since(order):
            moved = await self._decisions.redecide(order, failed=order.failed_insurers, accept=ANY_DISPOSITION)
            if moved is None:
                return await self._wait(order)
            order = moved
        return await self._submit(order, SubmissionKind.SUBMIT)

    async def _submit(self, order: Order, kind: SubmissionKind) -> Order:
        deadline = self._timing.call_deadline(self._clock.now(), None)
        if order.state is not OrderState.ROUTED or deadline is None:
            return order
        return await self._calls.submit(order, kind, deadline=deadline)

    async def _wait(self, order: Order) -> Order:
        return await self._postpone(replace(order, next_attempt_at=self._timing.retry_at(order, self._clock.now())))

    async def _wait_until_quiet(self, order: Order) -> Order:
        soon = self._timing.retry_at(order, self._clock.now())
        return await self._postpone(replace(order, next_attempt_at=min(soon, self._timing.quiet_until(order))))

    async def _wait_for_recovery(self, order: Order) -> Order:
        look_again = self._clock.now() + timedelta(seconds=self._timing.recovery_seconds)
        return await self._postpone(replace(order, next_attempt_at=look_again))

    async def _postpone(self, order: Order) -> Order:
        await self._log.save(order)
        return stored(order)
