"""Between the messages of SimulateBreaker and the domain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sluice.insurer.v1 import insurer_control_pb2
from sluice_server.api.insurer import render, wire
from sluice_server.api.insurer.checks import Checks
from sluice_server.domain.breaker.model import BreakerPolicy
from sluice_server.domain.breaker.replay import SimulatedTrip, Totals
from sluice_server.domain.breaker.replayed_order import (
    EARLIEST,
    LATEST,
    LONGEST_LATENCY_SECONDS,
    ReplayedOrder,
)
from sluice_server.domain.orders.model import Outcome

PENDING = "PENDING"
"""In a replay: a call that never ended."""
MOST_RECORDED_OUTCOMES = 200_000
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Simulation:
    """What SimulateBreaker is asked."""

    policy: BreakerPolicy
    orders: list[ReplayedOrder]
    insurer_id: str
    start: datetime | None
    until: datetime | None


def request(message: insurer_control_pb2.SimulateBreakerRequest) -> Simulation:
    """Fields of the policy that are absent (or zero, which no threshold may be) have their defaults."""
    checks = Checks()
    checks.text("insurer_id", message.insurer_id, most=64, pattern=wire.INSURER_ID)
    start = _moment(checks, message, "from_time", "")
    until = _moment(checks, message, "until_time", "")
    if start is not None and until is not None and until <= start:
        checks.refuse("until_time", "must be after from_time")
    if message.outcomes and (message.insurer_id or start is not None or until is not None):
        checks.refuse("outcomes", "not together with insurer_id, from_time or until_time, which choose stored ones")
    if len(message.outcomes) > MOST_RECORDED_OUTCOMES:
        checks.refuse("outcomes", f"at most {MOST_RECORDED_OUTCOMES} in one call")
        checks.raise_if_any()
    orders = [_recorded(checks, index, outcome) for index, outcome in enumerate(message.outcomes)]
    checks.raise_if_any()
    given = [field.name for field, _ in message.policy.ListFields()]
    found = [order for order in orders if order is not None]
    return Simulation(wire.policy(message.policy, given), found, message.insurer_id, start, until)


def _recorded(checks: Checks, index: int, outcome: insurer_control_pb2.RecordedOutcome) -> ReplayedOrder | None:
    path = f"outcomes[{index}]."
    at = _moment(checks, outcome, "event_time", path)
    if not outcome.HasField("event_time"):
        checks.refuse(f"{path}event_time", "required")
    if outcome.outcome not in (*Outcome, PENDING):
        checks.refuse(f"{path}outcome", f"must be one of {', '.join((*Outcome, PENDING))}")
        return None
    if at is not None and not EARLIEST <= at < LATEST:
        checks.refuse(f"{path}event_time", "must be a time between the years 1900 and 9000")
    if not 0 <= wire.seconds(outcome.latency) <= LONGEST_LATENCY_SECONDS:
        checks.refuse(f"{path}latency", f"must be from 0 to {LONGEST_LATENCY_SECONDS:g} seconds")
    if not 0 <= outcome.count <= MOST_RECORDED_OUTCOMES:
        checks.refuse(f"{path}count", f"must be from 0 to {MOST_RECORDED_OUTCOMES}")
    checks.text(f"{path}insurer_id", outcome.insurer_id, most=64)
    checks.text(f"{path}product_line", outcome.product_line, most=64)
    return ReplayedOrder(
        at=at or _EPOCH,
        insurer_id=outcome.insurer_id,
        outcome=None if outcome.outcome == PENDING else Outcome(outcome.outcome),
        latency_seconds=wire.seconds(outcome.latency),
        product_line=outcome.product_line,
        count=outcome.count or 1,
    )


def _moment(checks: Checks, message: Any, name: str, path: str) -> datetime | None:
    """A timestamp field; None when it is absent."""
    if not message.HasField(name):
        return None
    try:
        moment: datetime = getattr(message, name).ToDatetime(UTC)
    except (ValueError, OverflowError):
        checks.refuse(f"{path}{name}", "must be a time from year 1 to 9999")
        return None
    return moment


def answer(trip: SimulatedTrip | None, totals: Totals) -> insurer_control_pb2.SimulateBreakerResponse:
    shown = None
    if trip is not None:
        shown = insurer_control_pb2.SimulatedTrip(
            trip_time=render.timestamp(trip.at),
            insurer_id=trip.evidence.scope.insurer_id,
            product_line=trip.evidence.scope.product_line,
            evidence=render.evidence(trip.evidence),
            orders_before=trip.orders_before,
        )
    return insurer_control_pb2.SimulateBreakerResponse(
        trip=shown,
        orders=totals.orders,
        wrongly_diverted=totals.wrongly_diverted,
        orders_saved=totals.orders_saved,
        done=trip is None,
    )
