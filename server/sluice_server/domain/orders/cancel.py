"""CancelOrder: an application is withdrawn before anybody has insured it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sluice_server.domain.audit.event import audited
from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import OrderNotFound, OrderStateRefused, RequestIdConflict
from sluice_server.domain.orders.history import stored
from sluice_server.domain.orders.life import OrderEvent, advance
from sluice_server.domain.orders.model import Order, OrderState
from sluice_server.domain.unit_of_work import Store

ACTION = "CancelOrder"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What CancelOrder is given."""

    application_id: str
    reason: str
    request_id: str = ""


class CancelOrder:
    """Ends an order that nobody can have insured: ROUTED, PARKED, or ABNORMAL by definite failures."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, cancellation: Cancellation, context: CallContext) -> Order:
        """The order, CANCELLED. One that is CANCELLED already is answered as it is.

        Raises OrderNotFound, OrderStateRefused, RequestIdConflict, ConcurrentChange (a call to an insurer began at the
        same moment).
        """
        subject = f"orders/{cancellation.application_id}"
        now = self._clock.now()
        async with self._store.write() as uow:
            request_id = cancellation.request_id
            earlier = await uow.audit.by_request(request_id, ACTION) if request_id else None
            if earlier is not None and earlier.subject != subject:
                raise RequestIdConflict(f"request_id {request_id!r} has cancelled another order; use a new one")
            order = await uow.orders.get(cancellation.application_id)
            if order is None:
                raise OrderNotFound(cancellation.application_id)
            if order.state is OrderState.CANCELLED:
                return order
            if order.unsettled:
                raise OrderStateRefused(
                    f"application {order.application_id!r} is {order.state} and may be insured by "
                    f"{order.unsettled[-1].insurer_id!r}; wait until its outcome is known",
                    subject=subject,
                    state=order.state.value,
                )
            changed = replace(
                order,
                state=advance(order.state, OrderEvent.CANCELLED),
                next_attempt_at=None,
                updated_at=now,
            )
            await uow.orders.save(changed)
            await uow.audit.append(
                audited(
                    context,
                    now,
                    action=ACTION,
                    subject=subject,
                    reason=cancellation.reason,
                    request_id=request_id,
                    before={"state": order.state.value},
                    after={"state": changed.state.value},
                )
            )
            await uow.commit()
        return stored(changed)
