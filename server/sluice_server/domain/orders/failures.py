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
    return joining(order, await open_incident(uow, order), timing=timing, now=now)


def joining(order: Order, incident_id: str, *, timing: OrderTiming, now: datetime) -> Order:
    """An order that Sluice submits and that has become ABNORMAL, in its insurer's incident ("" where none is open)."""
    return replace(order, incident_id=incident_id, next_attempt_at=timing.retry_at(order, now))


async def open_incident(uow: UnitOfWork, order: Order) -> str:
    """The open incident of the order's insurer, as a whole or for its product line; empty when there is none."""
    return next((b.incident_id for b in await _breakers(uow, order) if b.incident_id), "")


async def joined_recovery(uow: UnitOfWork, order: Order) -> Order | None:
    """The order in its insurer's recovery, for which it waits (see ``reconcile``); None when it waits for none.

    One that became abnormal in the moment of the trip and was seen by neither side has no incident yet.
    """
    for breaker in await _breakers(uow, order):
        if breaker.state in RECOVERING and breaker.incident_id and order.incident_id in ("", breaker.incident_id):
            return replace(order, incident_id=breaker.incident_id)
    return None


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
