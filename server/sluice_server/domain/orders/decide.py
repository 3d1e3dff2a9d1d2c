"""Who insures an order: the first decision, and the ones after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sluice_server.domain.context import Clock
from sluice_server.domain.errors import ApplicationConflict, InvalidInput, NoActivePlan, NoRuleMatches
from sluice_server.domain.orders.history import received, redecided, stored
from sluice_server.domain.orders.model import Order, OrderState
from sluice_server.domain.orders.ports import DecisionLog
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.routing.model import Application, Decision, Disposition
from sluice_server.domain.routing.ports import PlanSource, TrafficSource
from sluice_server.domain.tracing import Tracer, Untraced
from sluice_server.domain.unit_of_work import Store


@dataclass(frozen=True, slots=True)
class RoutedOrder:
    """An order, and whether it was known before the call."""

    order: Order
    replayed: bool


NOT_DECIDABLE = (NoActivePlan, NoRuleMatches, InvalidInput)
"""What the plan raises for an application that it has no answer for (InvalidInput: a factor cannot be computed)."""
ANY_DISPOSITION = frozenset(Disposition)
SOMEBODY = frozenset({Disposition.ROUTED})
"""Only a decision that names an insurer who takes part."""


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
        stored one when the application_id is known. ``deadline`` is the caller's.

        Raises ApplicationConflict when the application_id is stored with other content; NoActivePlan, NoRuleMatches and
        InvalidInput (a factor cannot be computed) only for a new application.
        """
        now = self._clock.now()
        fingerprint = application.fingerprint()
        try:
            decision = await self._decide(application, number=1, failed=frozenset(), now=now)
        except NOT_DECIDABLE:
            # The plan may have changed since the application was decided: a repeat is answered all the same.
            known = await self._known(application.application_id)
            if known is None:
                raise
            return self._replay(known, fingerprint)
        order = received(application, fingerprint, decision, submit=submit, now=now)
        if order.state is OrderState.PARKED:
            order = replace(order, next_attempt_at=now + timedelta(seconds=self._timing.parked_seconds))
        elif order.state is OrderState.ROUTED and submit:
            # The caller's own call goes on at once; a worker does if its process dies before the submission is written.
            end = self._timing.call_deadline(now, deadline) or now
            order = replace(order, next_attempt_at=self._timing.overdue_at(end))
        recorded = await (record or self._record)(order)
        if recorded.decisions[0].decision_id != decision.decision_id:
            return self._replay(recorded, fingerprint)
        return RoutedOrder(recorded, replayed=False)

    async def redecide(
        self, order: Order, *, failed: AbstractSet[str], accept: AbstractSet[Disposition]
    ) -> Order | None:
        """Decides a stored order again, ``failed`` insurers left out, and stores that durably.

        None, and nothing stored, when the decision's disposition is none of ``accept`` or no rule of the active plan
        matches any more. Raises ConcurrentChange; OrderStateRefused while the order may have been insured.
        """
        try:
            decision = await self._again(order, failed)
        except NOT_DECIDABLE:
            return None
        if decision.disposition not in accept:
            return None
        now = self._clock.now()
        changed = redecided(order, decision, now=now)
        if changed.state is OrderState.PARKED:
            changed = replace(changed, next_attempt_at=now + timedelta(seconds=self._timing.parked_seconds))
        elif changed.state is OrderState.ROUTED and changed.submit_requested:
            changed = replace(changed, next_attempt_at=self._timing.lease_until(now))
        await self._log.save(changed)
        return stored(changed)

    async def _again(self, order: Order, failed: AbstractSet[str]) -> Decision:
        return await self._decide(
            order.application,
            number=order.decision.number + 1,
            failed=frozenset(failed),
            now=self._clock.now(),
        )

    async def _decide(
        self, application: Application, *, number: int, failed: frozenset[str], now: datetime
    ) -> Decision:
        with self._tracer.span("routing.decide") as span:
            decision = await self._plans.current().decide(
                application, self._traffic.snapshot(), number=number, failed=failed, now=now
            )
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

    async def _record(self, order: Order) -> Order:
        with self._tracer.span("order.record"):
            return await self._log.record(order)

    async def _known(self, application_id: str) -> Order | None:
        async with self._store.read() as uow:
            return await uow.orders.get(application_id)

    @staticmethod
    def _replay(known: Order, fingerprint: str) -> RoutedOrder:
        if known.fingerprint != fingerprint:
            raise ApplicationConflict(known.application_id)
        return RoutedOrder(known, replayed=True)
