"""How fast outages are cut, how seldom anybody is cut for nothing, and what a look at everything costs.

Traces are generated from a seed and replayed by the live code (``Replay``). Beside it, on the same traces, the defaults
of two common rules: a sliding window of 100 calls that opens at half of them failed (as resilience4j documents it), and
five failures in a row (as pybreaker documents it).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sluice_server.domain.breaker.board import BreakerBoard
from sluice_server.domain.breaker.commands import new_breaker
from sluice_server.domain.breaker.model import BreakerPolicy, Scope
from sluice_server.domain.breaker.ports import BacklogCount, OutcomeRecord
from sluice_server.domain.breaker.sequential import design_test
from sluice_server.domain.breaker.simulation import Replay, ReplayedOrder
from sluice_server.domain.breaker.watch import BreakerWatch
from sluice_server.domain.orders.model import Outcome, SubmissionKind
from tests.bench.report import Row, report

SEED = 7
START = datetime(2026, 3, 1, tzinfo=UTC)
WELL_SECONDS = 600.0
SECONDS_A_YEAR = 365 * 86_400
TICKS = 20

Trace = Sequence[ReplayedOrder]


def main() -> None:
    rows = [row for name, trace, began in outages() for row in _outage_rows(name, trace, began)]
    rows += [row for name, trace, seconds in calm_times() for row in _calm_rows(name, trace, seconds)]
    rows += [row for percent in (1, 2, 5) for row in _jitter_rows(percent)]
    rows.append(Row("tick/1000x50", asyncio.run(tick_milliseconds()), "ms", goal="< 50"))
    report("breaker", rows)


def outages() -> Iterator[tuple[str, Trace, datetime]]:
    """Traces in which an outage begins, and when."""
    draw = random.Random(SEED)

    def trace(
        per_second: float, fails: Callable[[], bool | None], *, well: float = WELL_SECONDS
    ) -> tuple[Trace, datetime]:
        # Fails: True a failure, False a success, None no answer at all.
        began = START + timedelta(seconds=well)
        orders = []
        for n in range(int((well + max(600.0, 400 / per_second)) * per_second)):
            at = START + timedelta(seconds=n / per_second)
            failed: bool | None = draw.random() < 0.01 if at < began else fails()
            outcome = None if failed is None else Outcome.TECHNICAL_FAILURE if failed else Outcome.SUCCESS
            orders.append(ReplayedOrder(at, "insurer-b", outcome, 0.3))
        return orders, began

    yield "dead", *trace(20, lambda: True)
    yield "dead-200-per-second", *trace(200, lambda: True)
    yield "dead-at-night", *trace(20 / 86_400, lambda: True, well=30 * 86_400)
    yield "hanging", *trace(20, lambda: None)
    yield "failing-30-percent", *trace(20, lambda: draw.random() < 0.3)


def calm_times() -> Iterator[tuple[str, Trace, float]]:
    """Traces in which nobody is to be cut, and how long they last."""

    def trace(count: int, choose: Callable[[int], Outcome]) -> tuple[Trace, float]:
        orders = [ReplayedOrder(START + timedelta(seconds=n / 20), "insurer-b", choose(n), 0.3) for n in range(count)]
        return orders, count / 20

    yield "declines", *trace(50_000, lambda n: Outcome.BUSINESS_REJECTION if n % 5_000 > 1_000 else Outcome.SUCCESS)
    yield "caller-garbage", *trace(50_000, lambda n: Outcome.CALLER_FAULT if n % 3 else Outcome.SUCCESS)


def sluice(trace: Trace) -> list[datetime]:
    """Moments of the cuts by Sluice with its defaults."""
    return [trip.at for trip in Replay(BreakerPolicy()).run(trace)]


def window_of_100(trace: Trace) -> list[datetime]:
    """Half of the last 100 calls failed; judged from 100 calls on. A call without an answer is not seen."""
    last: deque[bool] = deque(maxlen=100)
    cuts = []
    for order in trace:
        if order.outcome in (Outcome.SUCCESS, Outcome.TECHNICAL_FAILURE):
            last.append(order.outcome is Outcome.TECHNICAL_FAILURE)
            if len(last) == 100 and sum(last) >= 50:
                cuts.append(order.at)
                last.clear()
    return cuts


def five_in_a_row(trace: Trace) -> list[datetime]:
    """Five failures without a success between them."""
    row, cuts = 0, []
    for order in trace:
        if order.outcome is Outcome.TECHNICAL_FAILURE:
            row += 1
            if row == 5:
                cuts.append(order.at)
                row = 0
        elif order.outcome is Outcome.SUCCESS:
            row = 0
    return cuts


DETECTORS = {"sluice": sluice, "window-of-100": window_of_100, "five-in-a-row": five_in_a_row}


def _outage_rows(name: str, trace: Trace, began: datetime) -> Iterator[Row]:
    for detector, cuts_of in DETECTORS.items():
        cut = next((at for at in cuts_of(trace) if at >= began), None)
        end = cut or trace[-1].at
        lost = sum(began <= order.at <= end and order.outcome is not Outcome.SUCCESS for order in trace)
        against = "" if cut else "never cut"
        yield Row(f"{name}/{detector}/orders-lost", lost, "orders", against)
        yield Row(f"{name}/{detector}/seconds-to-cut", (end - began).total_seconds(), "s", against)


def _calm_rows(name: str, trace: Trace, seconds: float) -> Iterator[Row]:
    for detector, cuts_of in DETECTORS.items():
        cuts = len(cuts_of(trace)) * SECONDS_A_YEAR / seconds
        yield Row(f"{name}/{detector}/false-cuts-per-year", cuts, "cuts", f"from {seconds / 3600:.1f} h", goal="0")


def _jitter_rows(percent: int) -> Iterator[Row]:
    """Exact: a year of 20 orders a second is too rare an event to wait for in a replay."""
    policy, rate, orders = BreakerPolicy(), percent / 100, 20 * SECONDS_A_YEAR
    test = design_test(policy.normal_failure_rate, policy.outage_failure_rate, policy.mean_orders_between_false_cuts)
    # Mean number of trials until five failures in a row (W. Feller, An Introduction to Probability Theory, XIII.7).
    five = (1 - rate**5) / (rate**5 * (1 - rate))
    exact = "exact, 20 orders/s"
    name = f"jitter-{percent}"
    yield Row(f"{name}/sluice/false-cuts-per-year", orders / test.mean_orders_to_alarm(rate), "cuts", exact, goal="0")
    yield Row(f"{name}/five-in-a-row/false-cuts-per-year", orders / five, "cuts", exact, goal="0")


async def tick_milliseconds() -> float:
    """One look at 1,000 insurers with 50 product lines each, all with traffic, some with failures: the median.

    The store's part is left out: what it answers is there already.
    """
    scopes = [Scope(f"insurer-{n}", line) for n in range(1_000) for line in ("", *(f"line-{m}" for m in range(50)))]
    clock = _Clock()
    read = _Read([new_breaker(scope, START, BreakerPolicy()) for scope in scopes], clock)
    store: Any = SimpleNamespace(read=lambda: read)
    watch = BreakerWatch(store, BreakerBoard(store, clock), clock)
    durations = []
    for _ in range(TICKS):
        clock.at += timedelta(seconds=1)
        began = time.perf_counter()
        await watch.tick()
        durations.append(time.perf_counter() - began)
    # The first one makes the book.
    return sorted(durations[1:])[TICKS // 2] * 1_000


class _Clock:
    at = START

    def now(self) -> datetime:
        return self.at


class _Read:
    """A unit of work that has everything in memory: 1,000 outcomes a second, a backlog for every product line."""

    def __init__(self, breakers: list[Any], clock: Any) -> None:
        self._breakers, self._clock = breakers, clock
        self._lines = [breaker.scope for breaker in breakers if breaker.scope.product_line]
        self.breakers = self.insurers = self.evidence = self
        self._listed = 0
        self._draw = random.Random(SEED)
        self._backlog = [BacklogCount(scope, 100, 0, None) for scope in self._lines]

    async def __aenter__(self) -> _Read:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to end."""

    async def list(self) -> Sequence[Any]:
        self._listed += 1
        return self._breakers if self._listed % 2 else []

    async def shares(self, **_: object) -> dict[str, int]:
        return {}

    async def outcomes(self, **_: object) -> Sequence[OutcomeRecord]:
        now = self._clock.now()
        return [
            OutcomeRecord(
                submission_id=f"{now.timestamp()}-{n}",
                scope=self._draw.choice(self._lines),
                kind=SubmissionKind.SUBMIT,
                outcome=Outcome.TECHNICAL_FAILURE if n % 50 == 0 else Outcome.SUCCESS,
                started_at=now - timedelta(seconds=0.3),
                finished_at=now,
                latency_seconds=0.3,
            )
            for n in range(1_000)
        ]

    async def backlog(self, **_: object) -> Sequence[BacklogCount]:
        return self._backlog


if __name__ == "__main__":
    main()
