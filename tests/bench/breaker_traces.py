"""Labelled traces from a seed: outages with their beginnings, and calm times in which nobody is to be cut."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sluice_server.domain.breaker.replayed_order import ReplayedOrder
from sluice_server.domain.orders.model import Outcome

SEED = 7
START = datetime(2026, 3, 1, tzinfo=UTC)
INSURER = "insurer-b"
WELL_SECONDS = 600.0
LATENCY_SECONDS = 0.3
NORMAL_FAILURES = 0.01
NEVER = "never answered"

Fails = Callable[[float], bool | str]
"""By the seconds since the outage began: a failure, a success, or NEVER."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What happens to the orders of one insurer, by their moments (for one never answered: of its beginning)."""

    name: str
    orders: list[ReplayedOrder]
    began: datetime
    """Of the outage; of the trace in calm times."""
    seconds: float
    per_second: float
    """Orders."""

    @property
    def outage(self) -> bool:
        return self.began > START


def outages() -> Iterator[Trace]:
    """Ten minutes of good times (1 % failures), then the outage."""
    draw = random.Random(SEED)

    def trace(
        name: str, per_second: float, fails: Fails, *, well: float = WELL_SECONDS, lasts: float = WELL_SECONDS
    ) -> Trace:
        orders = []
        for n in range(int((well + lasts) * per_second)):
            seconds = n / per_second - well
            failed = draw.random() < NORMAL_FAILURES if seconds < 0 else fails(seconds)
            outcome = None if failed == NEVER else Outcome.TECHNICAL_FAILURE if failed else Outcome.SUCCESS
            orders.append(ReplayedOrder(START + timedelta(seconds=n / per_second), INSURER, outcome, LATENCY_SECONDS))
        return Trace(name, orders, START + timedelta(seconds=well), well + lasts, per_second)

    day = 86_400.0
    yield trace("dead", 20, lambda _: True)
    yield trace("dead-200-per-second", 200, lambda _: True, well=120, lasts=120)
    yield trace("dead-at-night", 20 / day, lambda _: True, well=30 * day, lasts=20 * day)
    yield trace("hanging", 20, lambda _: NEVER)
    yield trace("failing-30-percent", 20, lambda _: draw.random() < 0.3)
    yield trace("slow-ramp", 20, lambda t: draw.random() < max(NORMAL_FAILURES, t / 1800), lasts=1_800)
    yield trace("flapping-90-seconds", 20, lambda t: int(t / 90) % 2 == 0, lasts=1_800)


def calm_times() -> Iterator[Trace]:
    """At 20 orders a second: what is no evidence against the insurer, in bursts."""
    draw = random.Random(SEED)

    def trace(name: str, count: int, choose: Callable[[int], Outcome]) -> Trace:
        orders = [
            ReplayedOrder(START + timedelta(seconds=n / 20), INSURER, choose(n), LATENCY_SECONDS) for n in range(count)
        ]
        return Trace(name, orders, START, count / 20, 20)

    def garbage(n: int) -> Outcome:
        # One caller of several sends nonsense for two minutes of every ten.
        if n % 12_000 < 2_400 and draw.random() < 0.7:
            return Outcome.CALLER_FAULT
        return Outcome.SUCCESS

    yield trace("declines", 48_000, lambda n: Outcome.BUSINESS_REJECTION if n % 6_000 > 1_000 else Outcome.SUCCESS)
    yield trace("caller-garbage", 48_000, garbage)
