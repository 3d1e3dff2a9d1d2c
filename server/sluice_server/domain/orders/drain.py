"""Parked orders are decided again when room or insurers return, and submitted if they came by Submit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sluice_server.domain.context import Clock
from sluice_server.domain.errors import ConcurrentChange
from sluice_server.domain.orders.calls import InsurerCalls
from sluice_server.domain.orders.decide import Decisions
from sluice_server.domain.orders.model import Order, OrderState, SubmissionKind
from sluice_server.domain.orders.ports import OrderRepository
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.routing.model import Disposition
from sluice_server.domain.unit_of_work import Store

LONGEST_WAIT_FACTOR = 8
"""An order that has been parked for long is decided again at most this many times ``parked_seconds`` later."""

UNPARKED = frozenset({Disposition.ROUTED, Disposition.KEPT_LAST, Disposition.REJECTED})


@dataclass(frozen=True, slots=True)
class DrainStep:
    """What one pass has done."""

    seen: int
    routed: tuple[Order, ...]
    """Orders that have an insurer now; those that came by Submit are to be submitted at once."""


class DrainParked:
    """Decides a batch of parked orders again, oldest wait first.

    Deciding costs no write; only an order that leaves PARKED is stored (its version is the claim on it), and those that
    stay are moved to the end of the queue in one commit, so that a product without insurers does not hold up the
    others. A parked order of a team that calls the insurer itself becomes ROUTED and is answered to its next Route.
    """

    def __init__(
        self, *, decisions: Decisions, calls: InsurerCalls, store: Store, clock: Clock, timing: OrderTiming
    ) -> None:
        self._decisions = decisions
        self._calls = calls
        self._store = store
        self._clock = clock
        self._timing = timing

    async def __call__(self, limit: int) -> DrainStep:
        """One pass over at most ``limit`` orders that are due. Raises Unavailable."""
        parked = await self._due(limit)
        routed: list[Order] = []
        stay: list[Order] = []
        for order in parked:
            try:
                moved = await self._decisions.redecide(order, failed=frozenset(), accept=UNPARKED)
            except ConcurrentChange:
                continue  # another replica was faster
            if moved is None:
                stay.append(order)
            elif moved.state is OrderState.ROUTED:
                routed.append(moved)
        if stay:
            await self._postpone(stay)
        return DrainStep(len(parked), tuple(routed))

    async def submit(self, order: Order) -> Order | None:
        """Calls the insurer of an order that the pass has routed, if Sluice is to call it.

        None when it is not, or when somebody else has the order in hand. Raises InsurerNotConfigured, Unavailable.
        """
        deadline = self._timing.call_deadline(self._clock.now(), None)
        if not order.submit_requested or deadline is None:
            return None
        try:
            return await self._calls.submit(order, SubmissionKind.SUBMIT, deadline=deadline)
        except ConcurrentChange:
            return None

    async def _due(self, limit: int) -> Sequence[Order]:
        async with self._store.read() as uow:
            ids = await uow.orders.due(states=(OrderState.PARKED,), at=self._clock.now(), limit=limit)
            found = [await uow.orders.get(application_id) for application_id in ids]
        return [order for order in found if order is not None and order.state is OrderState.PARKED]

    async def _postpone(self, orders: Sequence[Order]) -> None:
        now = self._clock.now()
        async with self._store.write() as uow:
            for order in orders:
                factor = min(LONGEST_WAIT_FACTOR, 2**order.attempts)
                wait = timedelta(seconds=self._timing.parked_seconds * factor)
                await _save_unless_changed(
                    uow.orders, replace(order, attempts=min(order.attempts + 1, 30), next_attempt_at=now + wait)
                )
            await uow.commit()


async def _save_unless_changed(orders: OrderRepository, order: Order) -> None:
    try:
        await orders.save(order)
    except ConcurrentChange:
        return  # decided by another replica, or asked to be submitted: the next pass sees it
