"""ReceiveCallback: an insurer tells by itself what it has decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sluice_server.domain.context import Clock
from sluice_server.domain.errors import ConcurrentChange, OrderNotFound
from sluice_server.domain.orders.contradictions import contradiction_alarm
from sluice_server.domain.orders.failures import followed_up
from sluice_server.domain.orders.history import idempotency_key, stored
from sluice_server.domain.orders.model import Order
from sluice_server.domain.orders.ports import SubmissionResult
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.orders.told import told_by_insurer
from sluice_server.domain.unit_of_work import Store

CHANGES_TOLERATED = 5
"""How often an order is read again because its call or a worker changed it at the same moment."""


@dataclass(frozen=True, slots=True)
class InsurerNotice:
    """What an insurer tells. It was checked that the insurer says it."""

    insurer_id: str
    application_id: str
    """Empty: the key tells which."""
    idempotency_key: str
    """Empty: the application's id tells which."""
    result: SubmissionResult
    """SUCCESS, BUSINESS_REJECTION or TECHNICAL_FAILURE."""


class ReceiveCallback:
    """Applies an insurer's notice. Repeats, old notices and notices that overtake the answer they belong to are
    harmless (``told.told_by_insurer``)."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        timing: OrderTiming,
        under_way: Callable[[str], str],
        notify: Callable[[], None] = lambda: None,
    ) -> None:
        """``under_way``: the application that this process is submitting with a key, or "": its notice may come before
        the answer is recorded, by which the store would find the key."""
        self._store = store
        self._clock = clock
        self._timing = timing
        self._under_way = under_way
        self._notify = notify

    async def __call__(self, notice: InsurerNotice) -> Order:
        """The order as it stands then, durable.

        Raises OrderNotFound (the insurer shall tell again: the notice may have overtaken the answer that it belongs
        to), ConcurrentChange, Unavailable.
        """
        for attempt in range(1, CHANGES_TOLERATED + 1):
            try:
                return await self._apply(notice)
            except ConcurrentChange:
                if attempt == CHANGES_TOLERATED:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _apply(self, notice: InsurerNotice) -> Order:
        now = self._clock.now()
        async with self._store.write() as uow:
            application_id = notice.application_id or self._under_way(notice.idempotency_key)
            if not application_id:
                application_id = await uow.orders.find_by_key(notice.insurer_id, notice.idempotency_key) or ""
            order = await uow.orders.get(application_id) if application_id else None
            if order is None or not _asked(order, notice):
                raise OrderNotFound(application_id or notice.idempotency_key)
            told = told_by_insurer(order, notice.insurer_id, notice.result, now=now)
            if told.order is order:
                return order
            changed = told.order
            if told.submission_id:
                changed = await followed_up(uow, changed, told.submission_id, timing=self._timing, now=now)
            if told.contradiction:
                await uow.alarms.put(contradiction_alarm(changed, told.submission_id, now))
            await uow.orders.save(changed)
            await uow.commit()
        self._notify()
        return stored(changed)


def _asked(order: Order, notice: InsurerNotice) -> bool:
    """Whether this insurer was ever asked for the order, with this key: nobody tells about somebody else's orders."""
    if notice.idempotency_key not in ("", idempotency_key(order.application_id, notice.insurer_id)):
        return False
    return any(s.insurer_id == notice.insurer_id for s in order.submissions)
