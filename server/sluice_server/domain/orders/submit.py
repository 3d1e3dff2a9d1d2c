"""SubmitApplication: decide, bind, call the insurer, record what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import ConcurrentChange, OrderNotFound
from sluice_server.domain.orders.calls import InsurerCalls
from sluice_server.domain.orders.decide import ANY_DISPOSITION, SOMEBODY, Decisions, RoutedOrder
from sluice_server.domain.orders.failures import became_abnormal
from sluice_server.domain.orders.history import given_up, stored
from sluice_server.domain.orders.model import Order, OrderState, SubmissionKind
from sluice_server.domain.orders.ports import DecisionLog
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.routing.model import Application
from sluice_server.domain.unit_of_work import Store


class SubmitApplication:
    """投保: an application is insured, rejected, parked, or abnormal (then Sluice goes on with it by itself)."""

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

    async def __call__(self, application: Application, context: CallContext) -> RoutedOrder:
        """The order as it stands when the insurer has answered, or when the caller's time is over.

        A definite technical failure goes to another insurer while the deadline lasts; an unknown outcome never does. A
        repeat never calls twice: a final order is answered as stored, one under way (here or in another process) as it
        is, one whose process died becomes ABNORMAL for reconciliation. An order that was only routed before is
        submitted now: a team that calls Submit does not call the insurer itself.

        Raises ApplicationConflict, NoActivePlan, NoRuleMatches, InsurerNotConfigured (the order is kept, and tried
        again), Unavailable.
        """

        async def record(order: Order) -> Order:
            deadline = self._timing.call_deadline(self._clock.now(), context.deadline)
            if order.state is not OrderState.ROUTED or deadline is None:
                return await self._log.record(order)
            return await self._calls.submit_new(order, deadline=deadline)

        routed = await self._decisions.first(application, submit=True, deadline=context.deadline, record=record)
        try:
            order = await (self._carry_on if routed.replayed else self._submit)(routed.order, context)
        except ConcurrentChange:
            order = await self._present(routed.order)  # another call or a worker has it in hand
        return RoutedOrder(order, routed.replayed)

    async def _carry_on(self, order: Order, context: CallContext) -> Order:
        if order.final:
            return order
        if order.state is OrderState.SUBMITTING:
            return await self._under_way(order, context)
        if order.state is OrderState.PARKED:
            return order if order.submit_requested else await self._save(replace(order, submit_requested=True))
        if order.state is OrderState.ABNORMAL and (order.submit_requested or order.unsettled):
            return order  # a worker's turn, or that of the team that called
        return await self._submit(order, context)

    async def _submit(self, order: Order, context: CallContext) -> Order:
        """From ROUTED, or from ABNORMAL by a definite failure, as far as the deadline allows."""
        for _ in range(self._timing.decisions_per_submit):
            if order.state not in (OrderState.ROUTED, OrderState.ABNORMAL) or order.unsettled:
                return order
            deadline = self._timing.call_deadline(self._clock.now(), context.deadline)
            if deadline is None:
                return await self._leave(order)
            if order.state is OrderState.ABNORMAL:
                moved = await self._decisions.redecide(order, failed=order.failed_insurers, accept=SOMEBODY)
                if moved is None:
                    return await self._leave(order)
                order = moved
            elif self._decisions.cut_since(order):
                moved = await self._decisions.redecide(order, failed=order.failed_insurers, accept=ANY_DISPOSITION)
                if moved is None:
                    return await self._leave(order)
                order = moved
                if order.state is not OrderState.ROUTED:
                    return order if order.submit_requested or order.final else await self._leave(order)
            order = await self._calls.submit(order, SubmissionKind.SUBMIT, deadline=deadline)
        return order

    async def _under_way(self, order: Order, context: CallContext) -> Order:
        """An order that is being submitted already: waits if this process does it, gives it up if nobody does. One that
        its insurer has accepted for later is a worker's."""
        task = self._calls.under_way(order.application_id)
        now = self._clock.now()
        if task is not None:
            end = self._timing.call_deadline(now, context.deadline)
            await asyncio.wait({task}, timeout=0 if end is None else (end - now).total_seconds())
            return await self._present(order)
        if order.pending or now < self._timing.overdue_at(order.last_call.deadline):
            return order
        async with self._store.write() as uow:
            lost = await became_abnormal(uow, given_up(order, now=now), timing=self._timing, now=now)
            lost = replace(lost, next_attempt_at=now)
            await uow.orders.save(lost)
            await uow.commit()
        return stored(lost)

    async def _leave(self, order: Order) -> Order:
        """Too little time, or no insurer now: a worker goes on with it."""
        if order.submit_requested and order.state is OrderState.ABNORMAL:
            return order  # its next attempt is set already
        return await self._save(replace(order, submit_requested=True, next_attempt_at=self._clock.now()))

    async def _save(self, order: Order) -> Order:
        await self._log.save(order)
        return stored(order)

    async def _present(self, order: Order) -> Order:
        async with self._store.read() as uow:
            present = await uow.orders.get(order.application_id)
        if present is None:
            raise OrderNotFound(order.application_id)
        return present
