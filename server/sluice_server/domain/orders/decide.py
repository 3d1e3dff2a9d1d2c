"""Who insures an order: the first decision, and the ones after it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sluice_server.domain.context import Clock
from sluice_server.domain.errors import ApplicationConflict, InvalidInput, NoActivePlan, NoRuleMatches, SluiceError
from sluice_server.domain.orders.history import received, redecided, stored
from sluice_server.domain.orders.model import Order, OrderState
from sluice_server.domain.orders.open_order import OpenOrder
from sluice_server.domain.orders.ports import DecisionLog, NewOrder
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.routing.books import OpenDecision, needs
from sluice_server.domain.routing.frame import FirstDecision
from sluice_server.domain.routing.model import Application, Decision, Disposition
from sluice_server.domain.routing.ports import PlanSource, TrafficSource
from sluice_server.domain.tracing import Tracer, Untraced
from sluice_server.domain.unit_of_work import Store


@dataclass(frozen=True, slots=True)
class RoutedOrder:
    """An order, and whether it was known before the call."""

    order: Order
    replayed: bool


Answer = RoutedOrder | FirstDecision
"""The answer to one of many: the decision alone says all of an order that was new and is not submitted."""
NOT_DECIDABLE = (NoActivePlan, NoRuleMatches, InvalidInput)
"""What the plan raises for an application that it has no answer for (InvalidInput: a factor cannot be computed)."""
ANY_DISPOSITION = frozenset(Disposition)
SOMEBODY = frozenset({Disposition.ROUTED})
"""Only a decision that names an insurer who takes part."""
DECISIONS_AT_A_TIME = 128
"""Of a batch; then other calls get a turn, and the plan and the breakers are looked at again."""


class Decisions:
    """Decides with the active plan and the breakers' present word."""

    def __init__(
        self,
        *,
        plans: PlanSource,
        traffic: TrafficSource,
        log: DecisionLog,
        store: Store,
        clock: Clock,
        timing: OrderTiming,
        tracer: Tracer | None = None,
    ) -> None:
        self._plans = plans
        self._traffic = traffic
        self._log = log
        self._store = store
        self._clock = clock
        self._timing = timing
        self._tracer: Tracer = tracer or Untraced()
        self.turn = log.turn

    async def first(
        self,
        application: Application,
        *,
        submit: bool,
        deadline: datetime | None,
        record: Callable[[Order], Awaitable[Order]] | None = None,
    ) -> RoutedOrder:
        """Decides a new application and stores the order durably, or finds the stored one.

        ``record`` stores the order instead of the decision log, and may bring it further; like the log it returns the
        stored one when the application_id is known. An order whose insurer is chosen when it is stored always goes to
        the log. ``deadline`` is the caller's.

        Raises ApplicationConflict when the application_id is stored with other content; NoActivePlan, NoRuleMatches and
        InvalidInput (a factor cannot be computed) only for a new application.
        """
        try:
            order = self._received(application, self._clock.now(), submit=submit, deadline=deadline)
        except NOT_DECIDABLE:
            known = await self._replayed(application)
            if known is None:
                raise
            return known
        if isinstance(order, OpenOrder) or record is None:
            if not self._tracer.recording():
                return self._routed(order, await self._log.record(order))
            with self._tracer.span("order.record"):
                return self._routed(order, await self._log.record(order))
        return self._routed(order, await record(order))

    async def first_of_many(self, applications: Sequence[Application]) -> Sequence[Answer | Exception]:
        """What ``first`` does, for many that are not submitted, in shared commits: in each place what ``first`` would
        return or raise, in the short form where there is one."""
        orders: list[NewOrder] = []
        failed: dict[int, Exception] = {}
        for start in range(0, len(applications), DECISIONS_AT_A_TIME):
            if start:
                await asyncio.sleep(0)  # the turn of other calls
            places = range(start, min(start + DECISIONS_AT_A_TIME, len(applications)))
            try:
                plan, traffic, now = self._plans.current(), self._traffic.snapshot(), self._clock.now()
            except SluiceError as error:
                failed |= dict.fromkeys(places, error)
                continue
            for place in places:
                application = applications[place]
                try:
                    decision = plan.first(application, traffic, now=now)
                    orders.append(
                        decision
                        if isinstance(decision, FirstDecision)
                        else self._order(application, decision, submit=False, deadline=None, now=now)
                    )
                except Exception as error:  # noqa: BLE001 - told in its place: the others go on
                    failed[place] = error
        with self._tracer.span("order.record"):
            recorded = iter(zip(orders, await self._log.record_all(orders), strict=True))
        # Those that cannot be decided are read last: the others' decisions must not grow old meanwhile.
        return [
            await self._replayed_or(application, failed[place]) if place in failed else self._told(*next(recorded))
            for place, application in enumerate(applications)
        ]

    def _told(self, asked: NewOrder, recorded: Order | FirstDecision | Exception) -> Answer | Exception:
        if isinstance(recorded, FirstDecision | Exception):
            return recorded
        try:
            return self._routed(asked, recorded)
        except ApplicationConflict as error:
            return error

    async def _replayed_or(self, application: Application, error: Exception) -> RoutedOrder | Exception:
        """The stored order of an application that cannot be decided now, else why not."""
        if not isinstance(error, NOT_DECIDABLE):
            return error
        try:
            return await self._replayed(application) or error
        except SluiceError as other:
            return other

    def _received(
        self, application: Application, now: datetime, *, submit: bool, deadline: datetime | None
    ) -> Order | OpenOrder:
        """The order of a new application with its first decision, not stored yet. Raises NOT_DECIDABLE."""
        decision = self._decide(application, number=1, failed=frozenset(), now=now)
        return self._order(application, decision, submit=submit, deadline=deadline, now=now)

    def _order(
        self,
        application: Application,
        decision: Decision | OpenDecision,
        *,
        submit: bool,
        deadline: datetime | None,
        now: datetime,
    ) -> Order | OpenOrder:
        fingerprint = application.fingerprint()
        if not isinstance(decision, OpenDecision):
            return self._new(application, fingerprint, decision, submit, deadline, now)
        return OpenOrder(
            order=self._new(application, fingerprint, decision.draft, submit, deadline, now),
            new=True,
            decision=decision,
            complete=lambda settled: self._new(application, fingerprint, settled, submit, deadline, now),
        )

    def _new(
        self,
        application: Application,
        fingerprint: str,
        decision: Decision,
        submit: bool,
        deadline: datetime | None,
        now: datetime,
    ) -> Order:
        order = received(application, fingerprint, decision, submit=submit, now=now)
        if order.state is OrderState.PARKED:
            return replace(order, next_attempt_at=now + timedelta(seconds=self._timing.parked_seconds))
        if order.state is OrderState.ROUTED and submit:
            # The caller's own call goes on at once; a worker does if its process dies before the submission is written.
            end = self._timing.call_deadline(now, deadline) or now
            return replace(order, next_attempt_at=self._timing.overdue_at(end))
        return order

    def _routed(self, asked: NewOrder, recorded: Order) -> RoutedOrder:
        if recorded is asked:
            return RoutedOrder(recorded, replayed=False)
        if isinstance(asked, FirstDecision):
            return self._replay(recorded, asked.application.fingerprint())
        order = asked.order if isinstance(asked, OpenOrder) else asked
        if recorded.decisions[0].decision_id == order.decisions[0].decision_id:
            return RoutedOrder(recorded, replayed=False)
        return self._replay(recorded, order.fingerprint)

    async def _replayed(self, application: Application) -> RoutedOrder | None:
        """The stored order of an application that the present plan cannot decide: the plan may have changed since it
        was decided, and a repeat is answered all the same."""
        known = await self._known(application.application_id)
        return None if known is None else self._replay(known, application.fingerprint())

    async def redecide(
        self, order: Order, *, failed: AbstractSet[str], accept: AbstractSet[Disposition]
    ) -> Order | None:
        """Decides a stored order again, ``failed`` insurers left out, and stores that durably.

        None, and nothing stored, when the decision's disposition is none of ``accept`` or no rule of the active plan
        matches any more. Raises ConcurrentChange; OrderStateRefused while the order may have been insured.
        """
        now = self._clock.now()
        try:
            decision = self._decide(
                order.application, number=order.decision.number + 1, failed=frozenset(failed), now=now
            )
        except NOT_DECIDABLE:
            return None
        if isinstance(decision, OpenDecision):
            return await self._settle(order, decision, accept, now)
        if decision.disposition not in accept:
            return None
        changed = self._changed(order, decision, now)
        await self._log.save(changed)
        return stored(changed)

    async def _settle(
        self, order: Order, decision: OpenDecision, accept: AbstractSet[Disposition], now: datetime
    ) -> Order | None:
        draft = self._changed(order, decision.draft, now)
        if Disposition.PARKED not in accept:
            # Parked orders without room come here again and again: most of the time that should cost no write.
            async with self._store.read() as uow:
                books = await uow.books.read(*needs([decision]))
            if decision.settle(books).decision.disposition not in accept:
                return None

        def complete(settled: Decision) -> Order | None:
            return self._changed(order, settled, now) if settled.disposition in accept else None

        return await self._log.settle(OpenOrder(draft, new=False, decision=decision, complete=complete))

    def _changed(self, order: Order, decision: Decision, now: datetime) -> Order:
        changed = redecided(order, decision, now=now)
        if changed.state is OrderState.PARKED:
            return replace(changed, next_attempt_at=now + timedelta(seconds=self._timing.parked_seconds))
        if changed.state is OrderState.ROUTED and changed.submit_requested:
            return replace(changed, next_attempt_at=self._timing.lease_until(now))
        return changed

    def _decide(
        self, application: Application, *, number: int, failed: frozenset[str], now: datetime
    ) -> Decision | OpenDecision:
        plan, traffic = self._plans.current(), self._traffic.snapshot()
        if not self._tracer.recording():
            return plan.draft(application, traffic, number=number, failed=failed, now=now)
        with self._tracer.span("routing.decide") as span:
            drafted = plan.draft(application, traffic, number=number, failed=failed, now=now)
            if isinstance(drafted, OpenDecision):
                # Who it is shows on the order: the span ends before the books are asked.
                span.set_attribute("sluice.plan_version", drafted.draft.plan_version)
                span.set_attribute("sluice.rule", drafted.draft.rule)
                return drafted
            decision = drafted
            span.set_attribute("sluice.plan_version", decision.plan_version)
            span.set_attribute("sluice.rule", decision.rule)
            span.set_attribute("sluice.disposition", decision.disposition)
            span.set_attribute("sluice.insurer_id", decision.insurer_id)
            return decision

    def cut_since(self, order: Order) -> bool:
        """Whether the insurer in charge has been cut since it was chosen (one that the rule kept knowingly is not)."""
        if order.decision.disposition is not Disposition.ROUTED:
            return False
        admission = self._traffic.snapshot().admission(order.decision.insurer_id, order.application.product_line)
        return admission.admitted_basis_points == 0

    async def _known(self, application_id: str) -> Order | None:
        async with self._store.read() as uow:
            return await uow.orders.get(application_id)

    @staticmethod
    def _replay(known: Order, fingerprint: str) -> RoutedOrder:
        if known.fingerprint != fingerprint:
            raise ApplicationConflict(known.application_id)
        return RoutedOrder(known, replayed=True)
