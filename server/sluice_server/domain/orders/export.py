"""Orders and submissions as Flink reads them: one JSON object a line, in the columns of the source tables ``orders``
and ``submissions``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sluice_server.domain.orders.model import FINAL_STATES, OrderState, Outcome, Submission

_TECHNICAL = (Outcome.TECHNICAL_FAILURE, Outcome.UNKNOWN)


@dataclass(frozen=True, slots=True)
class ExportedOrder:
    """An order as the export tells it: read in this form, because a whole one takes ten times as long."""

    application_id: str
    product_code: str
    product_line: str
    application: Mapping[str, Any]
    """The rest of the application, as it is stored."""
    state: OrderState
    insurer_id: str
    """Who is in charge; empty: nobody."""
    first_decided_at: datetime | None
    last_decided_at: datetime | None
    insurers_named: int
    """How many insurers its decisions have named."""
    submissions: tuple[Submission, ...]
    incident_id: str
    policy_number: str
    updated_at: datetime


def order_line(order: ExportedOrder) -> Mapping[str, object]:
    """One order as it stands. Money in minor units, moments RFC 3339 in UTC, empty means null.

    ``decided_at`` is the first decision's moment. ``updated_at``, with microseconds, grows with every
    change of an order: of several lines with one application_id, that with the greatest ``updated_at`` holds.
    """
    application, decided_at = order.application, order.first_decided_at
    device, channel, premium = application["device"], application["channel"], application["premium"]
    return {
        "application_id": order.application_id,
        "product_code": order.product_code,
        "product_line": order.product_line,
        "insurer_id": order.insurer_id or None,
        "state": order.state.value,
        "premium_minor": premium["amount_minor"],
        "currency": premium["currency_code"],
        "device_model_id": device["model_id"] or None,
        "device_category": device["category"] or None,
        "store_id": channel["store_id"] or None,
        "channel_id": channel["channel_id"] or None,
        "customer_ref": application["customer_ref"] or None,
        "decided_at": None if decided_at is None else _moment(decided_at),
        "finished_at": _moment(_finished_at(order)) if order.state in FINAL_STATES else None,
        "policy_number": order.policy_number or None,
        "attempts": len(order.submissions),
        "technical_failures": sum(s.outcome in _TECHNICAL for s in order.submissions),
        "rerouted": order.insurers_named > 1,
        "incident_id": order.incident_id or None,
        "updated_at": _exact(order.updated_at),
    }


def submission_lines(order: ExportedOrder) -> Iterator[Mapping[str, object]]:
    """The order's submissions as they stand, without reports that decided nothing.

    ``updated_at`` is the moment of the latest event of the submission itself: the line of a submission that has not
    changed is the same, however often its order is exported. It is never after that of the order, although another
    team may tell of a call that ends by its clock in a moment's time.
    """
    for submission in order.submissions:
        if submission.flag is None:
            yield _submission_line(order, submission)


def _submission_line(order: ExportedOrder, submission: Submission) -> Mapping[str, object]:
    finished, settled = submission.finished_at, submission.settled_at
    events = (submission.started_at, submission.accepted_at, finished, settled)
    latest = max(moment for moment in events if moment is not None)
    latency = submission.latency_seconds
    return {
        "submission_id": submission.submission_id,
        "application_id": order.application_id,
        "insurer_id": submission.insurer_id,
        "product_code": order.product_code,
        "product_line": submission.product_line,
        "attempt": submission.number,
        "kind": submission.kind.value,
        "outcome": submission.outcome.value if submission.outcome is not None else None,
        "settled_outcome": submission.settled_outcome.value if submission.settled_outcome is not None else None,
        "error_code": submission.error_code or None,
        "latency_ms": round(latency * 1000) if latency is not None else None,
        "started_at": _moment(submission.started_at),
        "finished_at": _moment(finished) if finished is not None else None,
        "settled_at": _moment(settled) if settled is not None else None,
        "incident_id": order.incident_id or None,
        "updated_at": _exact(min(latest, order.updated_at)),
    }


def sign_of_life(moment: datetime) -> Mapping[str, object]:
    """A line among the submissions that says: no change before ``moment`` will be told any more. The streaming job
    closes its windows by it where no orders come."""
    return {"submission_id": None, "updated_at": _exact(moment)}


def _finished_at(order: ExportedOrder) -> datetime:
    """When the order became final: the latest thing that is known of it, not the latest remark in its history."""
    known = [] if order.last_decided_at is None else [order.last_decided_at]
    known += [moment for submission in order.submissions if (moment := _ended(submission)) is not None]
    return max(known, default=order.updated_at)


def _ended(submission: Submission) -> datetime | None:
    return submission.settled_at or submission.finished_at


def _exact(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def _moment(moment: datetime) -> str:
    return _exact(moment)[:19] + "Z"
