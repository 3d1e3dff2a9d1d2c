"""The alarm about news that cannot be true together with what is known of an order."""

from __future__ import annotations

from datetime import datetime

from sluice_server.domain.breaker.ports import Alarm
from sluice_server.domain.orders.model import Order, Outcome


def contradiction_alarm(order: Order, submission_id: str, now: datetime) -> Alarm:
    """``submission_id``: of the report in the order's history. Critical where a customer may have two policies, or one
    that the store does not know of."""
    report = next(s for s in order.submissions if s.submission_id == submission_id)
    said = (report.standing or Outcome.UNKNOWN).value
    return Alarm(
        key=f"contradiction/{order.application_id}",
        name="OrderReportContradicts",
        severity="critical" if report.standing is Outcome.SUCCESS else "warning",
        summary=(
            f"{report.insurer_id} is said to have answered application {order.application_id} with {said}, which "
            f"contradicts what is known: the order is {order.state}; look at its submissions and ask the insurer"
        ),
        labels={"insurer_id": report.insurer_id, "product_line": report.product_line},
        annotations={"application_id": order.application_id, "submission_id": submission_id},
        starts_at=now,
    )
