"""Orders as Flink reads them: one JSON object a line, in the columns of the source table ``orders``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sluice_server.domain.orders.model import Order, Submission


def order_line(order: Order) -> Mapping[str, object]:
    """One order as it stands. Money in minor units, moments RFC 3339 in UTC, empty means null.

    ``decided_at`` is the first decision's moment. ``updated_at``, with microseconds, grows with every
    change of an order: of several lines with one application_id, that with the greatest ``updated_at`` holds.
    """
    application = order.application
    return {
        "application_id": order.application_id,
        "product_code": application.product_code,
        "product_line": application.product_line,
        "insurer_id": order.insurer_id or None,
        "state": order.state.value,
        "premium_minor": application.premium.amount_minor,
        "currency": application.premium.currency_code,
        "device_model_id": application.device.model_id or None,
        "device_category": application.device.category or None,
        "store_id": application.channel.store_id or None,
        "channel_id": application.channel.channel_id or None,
        "customer_ref": application.customer_ref or None,
        "decided_at": _moment(order.decisions[0].decided_at) if order.decisions else None,
        "finished_at": _moment(_finished_at(order)) if order.final else None,
        "policy_number": order.policy_number or None,
        "attempts": len(order.submissions),
        "technical_failures": order.technical_failures,
        "rerouted": order.rerouted,
        "incident_id": order.incident_id or None,
        "updated_at": order.updated_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def _finished_at(order: Order) -> datetime:
    """When the order became final: the latest thing that is known of it, not the latest remark in its history."""
    known = [decision.decided_at for decision in order.decisions]
    known += [moment for submission in order.submissions if (moment := _ended(submission)) is not None]
    return max(known, default=order.updated_at)


def _ended(submission: Submission) -> datetime | None:
    return submission.settled_at or submission.finished_at


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
