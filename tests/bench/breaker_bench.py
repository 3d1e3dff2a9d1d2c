"""How fast outages are cut, how seldom anybody is cut for nothing, and what a look at everything costs.

Traces come from a seed and are replayed by the live code (``Replay``); beside it the peers' rules with their defaults.
``orders-lost``: orders of the outage that met the insurer and failed. Ours stays cut until people bring it back; a peer
tries again when its open time is over, and what it loses then counts too.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.stats import binom

from sluice_server.domain.breaker.board import BreakerBoard
from sluice_server.domain.breaker.commands import new_breaker
from sluice_server.domain.breaker.evidence_source import BacklogCount, OutcomeRecord
from sluice_server.domain.breaker.model import BreakerPolicy, Scope
from sluice_server.domain.breaker.normal_rate import STEP
from sluice_server.domain.breaker.replay import Replay
from sluice_server.domain.breaker.sequential import SequentialDesign, design_test
from sluice_server.domain.breaker.watch import BreakerWatch
from sluice_server.domain.orders.model import Outcome, SubmissionKind
from sluice_server.runtime.lifecycle import tune_interpreter
from tests.bench.breaker_peers import PEERS, Call, replay
from tests.bench.breaker_traces import NORMAL_FAILURES, SEED, START, Trace, calm_times, outages
from tests.bench.report import Row, report

SECONDS_A_YEAR = 365 * 86_400
PER_SECOND = 20
CALLERS_TIMEOUT_SECONDS = 30.0
"""A call that hangs ends for a peer when its caller gives up; without a time-out it would never learn of it."""
TICKS = 20
IN_A_ROW = ("pybreaker", "purgatory", "envoy")
"""Peers that open at five failures in a row."""
_TECHNICAL = (Outcome.TECHNICAL_FAILURE, Outcome.UNKNOWN)


def main() -> None:
    # First, and with the collector as the server has it: what the traces leave behind is not the watch's.
    tune_interpreter()
    tick = Row("tick/1000x50", asyncio.run(tick_milliseconds()), "ms", "processor time", goal="< 50")
    rows = [row for trace in outages() for row in _outage_rows(trace)]
    rows += [row for trace in calm_times() for row in _calm_rows(trace)]
    rows += [row for percent in (1, 2, 5) for row in _year_rows(f"jitter-{percent}", percent / 100, PER_SECOND)]
    report("breaker", [*rows, tick])


def _outage_rows(trace: Trace) -> Iterator[Row]:
    first, lost = _ours(trace)
    results: dict[str, tuple[datetime | None, int]] = {"sluice": (first, lost)}
    calls = _calls(trace)
    for peer in PEERS:
        opened, peer_lost, _ = replay(peer(), calls, trace.began)
        results[peer.name] = opened, peer_lost
    end = trace.orders[-1].at
    seconds = {name: ((at or end) - trace.began).total_seconds() for name, (at, _) in results.items()}
    losses = {name: count for name, (_, count) in results.items()}
    for name, (at, _) in results.items():
        never = "" if at else "never cut"
        lost_note = seconds_note = never
        goal_lost = goal_seconds = ""
        if name == "sluice":
            lost_note = never or _why_not_best(losses)
            seconds_note = never or _why_not_best(seconds)
            goal_lost = "≤ 6" if trace.name.startswith("dead") else ""
            goal_seconds = "≤ grace 30 + 5" if trace.name == "hanging" else ""
        yield Row(f"{trace.name}/{name}/orders-lost", losses[name], "orders", lost_note, goal=goal_lost)
        yield Row(f"{trace.name}/{name}/seconds-to-cut", seconds[name], "s", seconds_note, goal=goal_seconds)
    # A year as it was before the outage.
    yield from _year_rows(trace.name, NORMAL_FAILURES, trace.per_second)


def _why_not_best(values: dict[str, float] | dict[str, int]) -> str:
    """What a reader must know where a peer has the better number."""
    better = sorted(name for name, value in values.items() if value < values["sluice"])
    if not better:
        return "best"
    if set(better) <= set(IN_A_ROW):
        return f"{', '.join(better)}: one order sooner, by cutting good insurers (see jitter)"
    return f"{', '.join(better)}: sooner, by cutting good insurers (see jitter, caller-garbage)"


def _calm_rows(trace: Trace) -> Iterator[Row]:
    a_year = SECONDS_A_YEAR / trace.seconds
    watched = f"from {trace.seconds / 3600:.1f} h"
    cuts = len(list(Replay(BreakerPolicy()).run(trace.orders)))
    yield Row(f"{trace.name}/sluice/false-cuts-per-year", cuts * a_year, "cuts", watched, goal="0")
    calls = _calls(trace)
    for peer in PEERS:
        _, _, openings = replay(peer(), calls, trace.began)
        yield Row(f"{trace.name}/{peer.name}/false-cuts-per-year", openings * a_year, "cuts", watched)


def _year_rows(trace: str, rate: float, per_second: float) -> Iterator[Row]:
    """A year in which so many orders fail and nothing is the matter. Of Sluice it is simulated, the event-exact way: by
    the gaps between failures (``cuts_of_a_year``); of the peers it is computed (what is rarer than once in a billion
    years is 0). The other evidence adds nothing: that half of a minute's orders fail is rarer by far."""
    test = learned_test(rate)
    orders = round(per_second * SECONDS_A_YEAR)
    exact = orders / test.mean_orders_to_alarm(rate)
    note = f"simulated by its failures; exact mean {exact:.2g}, p0 {test.normal_failure_rate:.3g}"
    name = f"{trace}/sluice/false-cuts-per-year"
    yield Row(name, cuts_of_a_year(test, rate, orders), "cuts", note, goal="0")
    # Mean number of trials until five failures in a row (W. Feller, An Introduction to Probability Theory, XIII.7).
    five = orders * rate**5 * (1 - rate) / (1 - rate**5)
    hundred = orders * float(binom.sf(49, 100, rate))
    swept = int(10 * per_second)
    sweeps = SECONDS_A_YEAR / 10 * float(binom.sf(int(0.85 * swept), swept, rate)) if swept >= 50 else 0.0
    # More than half within any part of the second from the fifth call on; counted at each call.
    ratio = SECONDS_A_YEAR * sum(float(binom.sf(n // 2, n, rate)) for n in range(5, int(per_second) + 1))
    computed = {
        **dict.fromkeys(IN_A_ROW, (five, "exact")),
        "resilience4j": (hundred, "upper bound"),
        "grpc-a50": (sweeps, "exact"),
        "sentinel": (ratio, "upper bound"),
    }
    for peer, (cuts, how) in computed.items():
        yield Row(f"{trace}/{peer}/false-cuts-per-year", cuts if cuts > 1e-9 else 0.0, "cuts", how)


def learned_test(rate: float) -> SequentialDesign:
    """The test of a scope that has always failed at this rate: p0 as it has been learned (normal_rate)."""
    policy = BreakerPolicy()
    p0 = policy.normal_failure_rate
    while rate > 1.1 * p0 and p0 < policy.highest_normal_failure_rate:
        p0 = min(p0 * STEP, policy.highest_normal_failure_rate)
    return design_test(p0, policy.outage_failure_rate, policy.mean_orders_between_false_cuts)


def cuts_of_a_year(test: SequentialDesign, rate: float, orders: int) -> int:
    """The running sum over that many orders that fail at random, every one of them.

    Only failures move it up, and after enough successes it is zero whatever was before; so the failures are drawn by
    the gaps between them, and only runs of failures near to each other are walked through.
    """
    draw = np.random.default_rng(SEED)
    zero_after = -(-(test.limit + test.failure_weight) // test.success_weight)
    least = test.failures_in_a_row
    cuts, left = 0, orders
    while left > 0:
        gaps = draw.geometric(rate, size=4_000_000) - 1
        left -= int(gaps.sum()) + gaps.size
        breaks = np.flatnonzero(gaps >= zero_after)
        for begin, end in pairwise(breaks.tolist()):
            if end - begin < least:
                continue
            value = 0
            for gap in gaps[begin:end].tolist():
                value = max(0, value - gap * test.success_weight) + test.failure_weight
                if value >= test.limit:
                    cuts, value = cuts + 1, 0
    return cuts


def _ours(trace: Trace) -> tuple[datetime | None, int]:
    """When Sluice cuts with its defaults, and the orders lost up to then."""
    cut = next((trip.at for trip in Replay(BreakerPolicy()).run(trace.orders) if trip.at >= trace.began), None)
    lost = 0
    for order in trace.orders:
        if order.outcome is not Outcome.SUCCESS and order.decided_at >= trace.began:
            lost += cut is None or order.decided_at <= cut
    return cut, lost


def _calls(trace: Trace) -> list[Call]:
    calls = []
    for order in trace.orders:
        hangs = order.outcome is None
        ends = order.at + timedelta(seconds=CALLERS_TIMEOUT_SECONDS) if hangs else order.at
        calls.append(Call(order.decided_at, ends, order.outcome or Outcome.UNKNOWN))
    return calls


async def tick_milliseconds() -> float:
    """One look at 1,000 insurers with 50 product lines each, all with traffic, some with failures: the median.

    Processor time, because nothing in it waits and the machine may be busy with other things. The store's part is left
    out: what it answers is there already.
    """
    scopes = [Scope(f"insurer-{n}", line) for n in range(1_000) for line in ("", *(f"line-{m}" for m in range(50)))]
    clock = _Clock()
    read = _Read([new_breaker(scope, START, BreakerPolicy()) for scope in scopes], clock)
    store: Any = SimpleNamespace(read=lambda: read)
    watch = BreakerWatch(store, BreakerBoard(store, clock), clock)
    durations = []
    for _ in range(TICKS):
        clock.at += timedelta(seconds=1)
        began = time.process_time()
        await watch.tick()
        durations.append(time.process_time() - began)
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
        self._draw = random.Random(SEED)
        self._backlog = [BacklogCount(scope, 100, 0, None) for scope in sorted(self._lines)]

    async def __aenter__(self) -> _Read:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to end."""

    async def changed(self, known: dict[str, int]) -> Sequence[Any]:
        return [] if known else self._breakers

    async def list(self) -> Sequence[Any]:
        return []

    async def revision(self) -> int:
        return len(self._breakers)

    async def learned_rates(self) -> dict[Scope, Any]:
        return {}

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
