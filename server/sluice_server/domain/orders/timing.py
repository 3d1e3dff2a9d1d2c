"""How long things may take: calls, waits, leases."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sluice_server.domain.orders.model import Order


@dataclass(frozen=True, slots=True)
class OrderTiming:
    """The order path's settings."""

    caller_margin_seconds: float = 0.25
    """A call to an insurer ends this long before the caller's deadline: time to record the outcome and to answer."""
    longest_call_seconds: float = 30.0
    """A call to an insurer lasts at most this long, whatever the caller allows (the adapter's own time-out may be
    shorter)."""
    shortest_call_seconds: float = 0.1
    """With less time than this left no call is begun; a worker makes it."""
    overdue_seconds: float = 5.0
    """A submission without an outcome this long after its deadline has lost its process."""
    first_back_off_seconds: float = 1.0
    """Wait after the first failed attempt of a worker; it doubles with each further one."""
    longest_back_off_seconds: float = 60.0
    quiet_seconds: float = 10.0
    """An insurer that knows nothing of a submission is believed only this long after the call was given up: until
    then the request may still be on its way."""
    parked_seconds: float = 2.0
    """How often a parked order is decided again."""
    recovery_seconds: float = 15.0
    """How often an order is looked at that belongs to its insurer's recovery."""
    move_orders_of_incident: bool = False
    """Whether reconciliation may send the definitely failed orders of a cut insurer to others. They are then missing
    from the retries that prove its recovery."""
    decisions_per_submit: int = 5
    """At most this many decisions within one call of Submit."""
    random: random.Random = field(default_factory=random.Random, compare=False, repr=False)
    """Where jitter comes from."""

    def call_deadline(self, now: datetime, caller_deadline: datetime | None) -> datetime | None:
        """By when a call that begins now must have ended; None when there is too little time to begin one."""
        end = now + timedelta(seconds=self.longest_call_seconds)
        if caller_deadline is not None:
            end = min(end, caller_deadline - timedelta(seconds=self.caller_margin_seconds))
        return end if end - now >= timedelta(seconds=self.shortest_call_seconds) else None

    def overdue_at(self, call_deadline: datetime) -> datetime:
        """When a submission with this deadline and without outcome has lost its process."""
        return call_deadline + timedelta(seconds=self.overdue_seconds)

    def lease_until(self, now: datetime) -> datetime:
        """By when a worker that takes an order up now has finished with it, or is dead."""
        return now + timedelta(seconds=self.longest_call_seconds + self.overdue_seconds)

    def retry_at(self, order: Order, now: datetime) -> datetime:
        """Exponential back-off on ``order.attempts`` with jitter: between half of it and all of it."""
        doubled = self.first_back_off_seconds * 2.0 ** min(order.attempts, 30)
        wait = min(self.longest_back_off_seconds, doubled)
        return now + timedelta(seconds=wait * (0.5 + self.random.random() / 2))

    def quiet_until(self, order: Order) -> datetime:
        """From then on an insurer is believed that knows nothing of the order's unsettled submissions."""
        ended = [s.finished_at or s.deadline for s in order.unsettled]
        return max(ended) + timedelta(seconds=self.quiet_seconds)
