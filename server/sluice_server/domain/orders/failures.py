"""What a technical failure sets in motion, in the unit of work that records it: incident, next attempt.

The alarm about it is not written here: the breaker's watch counts failures of one kind together
(``domain.breaker.operational_alarms``), and no order waits for another's alarm.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sluice_server.domain.breaker.model import Breaker, BreakerState, Scope
from sluice_server.domain.breaker.ports import Alarm
from sluice_server.domain.orders.history import insured_elsewhere
from sluice_server.domain.orders.model import Order, OrderState, Submission
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.unit_of_work import UnitOfWork

RECOVERING = frozenset({BreakerState.OPEN, BreakerState.CONFIRMED, BreakerState.RETRYING})
"""While a breaker is in one of these, its incident's orders belong to the recovery."""


async def followed_up(
    uow: UnitOfWork, order: Order, submission_id: str, *, timing: OrderTiming, now: datetime
) -> Order:
    """The order as it is to be saved after one of its submissions has ended; writes the alarm when it was insured
    twice.

    An order that became ABNORMAL joins the open incident of its insurer's breaker and, if Sluice submits it, gets the
    time of its next attempt.
    """
    submission = next(s for s in order.submissions if s.submission_id == submission_id)
    if insured_elsewhere(order, submission_id):
        await uow.alarms.put(_insured_twice_alarm(order, submission, now))
    return await became_abnormal(uow, order, timing=timing, now=now)


async def became_abnormal(uow: UnitOfWork, order: Order, *, timing: OrderTiming, now: datetime) -> Order:
    """An ABNORMAL order with its incident and its next attempt; any other order as it is."""
    if order.state is not OrderState.ABNORMAL:
        return order
    if not order.submit_requested:
        return replace(order, next_attempt_at=None)
    incident_id = next((b.incident_id for b in await _breakers(uow, order) if b.incident_id), "")
    return replace(order, incident_id=incident_id, next_attempt_at=timing.retry_at(order, now))


async def belongs_to_recovery(uow: UnitOfWork, order: Order) -> bool:
    """Whether the order waits for the recovery of its insurer (see ``reconcile``)."""
    return order.incident_id != "" and any(
        b.incident_id == order.incident_id and b.state in RECOVERING for b in await _breakers(uow, order)
    )


async def _breakers(uow: UnitOfWork, order: Order) -> list[Breaker]:
    """Of the order's insurer as a whole and of its product line, where they exist."""
    insurer_id, line = order.decision.insurer_id, order.application.product_line
    found = [await uow.breakers.get(Scope(insurer_id)), await uow.breakers.get(Scope(insurer_id, line))]
    return [breaker for breaker in found if breaker is not None]


def _insured_twice_alarm(order: Order, submission: Submission, now: datetime) -> Alarm:
    return Alarm(
        key=f"insured-twice/{order.application_id}",
        name="OrderInsuredTwice",
        severity="critical",
        summary=(
            f"application {order.application_id} was insured by {submission.insurer_id} after it had been given to "
            "another insurer; cancel one of the policies"
        ),
        labels={"insurer_id": submission.insurer_id, "product_line": submission.product_line},
        annotations={"application_id": order.application_id, "submission_id": submission.submission_id},
        starts_at=now,
    )
