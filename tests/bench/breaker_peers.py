"""Other circuit breakers' rules with their defaults, to be held against ours on the same traces.

pybreaker and purgatory are run as installed: they count and decide when to open. The rules of the others are stated
again from their documentation. When its open time is over a peer lets one order through and closes again if that goes
well; of this it is the replay's clock that decides, so that ten minutes need not take ten minutes.

What a peer counts is what it would see around a call over HTTP with its defaults: a technical failure is a 5xx or a
lost connection, a call without an answer ends by the caller's time-out, a declined application is a normal answer, and
a malformed request is a 4xx, which client libraries raise as an error.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import pybreaker
from purgatory import SyncCircuitBreakerFactory

from sluice_server.domain.orders.model import Outcome


class Peer(Protocol):
    """One breaker around one insurer's calls."""

    name: str
    open_seconds: float
    """After so long it tries again."""

    def observe(self, outcome: Outcome, at: datetime) -> bool:
        """A call has ended; True when the breaker opens. Begins anew after that."""
        ...


class CallError(Exception):
    """What the caller's client raises."""


def _raises(outcome: Outcome) -> bool:
    return outcome in (Outcome.TECHNICAL_FAILURE, Outcome.UNKNOWN, Outcome.CALLER_FAULT)


class PyBreaker:
    """pybreaker: opens after fail_max = 5 errors without a success between them, tries again after 60 seconds."""

    name = "pybreaker"
    open_seconds = 60.0

    def __init__(self) -> None:
        self._breaker = pybreaker.CircuitBreaker()

    def observe(self, outcome: Outcome, at: datetime) -> bool:
        with suppress(CallError, pybreaker.CircuitBreakerError):
            self._breaker.call(_call, outcome)
        if self._breaker.current_state != pybreaker.STATE_OPEN:
            return False
        self._breaker.close()
        return True


class Purgatory:
    """purgatory: opens after 5 errors without a success between them, tries again after 30 seconds."""

    name = "purgatory"
    open_seconds = 30.0

    def __init__(self) -> None:
        self._breaker = SyncCircuitBreakerFactory().get_breaker("insurer")

    def observe(self, outcome: Outcome, at: datetime) -> bool:
        with suppress(CallError), self._breaker:
            _call(outcome)
        if self._breaker.context.state != "opened":
            return False
        self._breaker = SyncCircuitBreakerFactory().get_breaker("insurer")
        return True


def _call(outcome: Outcome) -> None:
    if _raises(outcome):
        raise CallError


class Resilience4j:
    """resilience4j's CircuitBreaker with its defaults: the last 100 calls (COUNT_BASED), judged from 100 on, open at
    50 % failed or 100 % slower than 60 seconds; again after 60 seconds.

    Source: resilience4j documentation, "CircuitBreaker", table "Create and configure a CircuitBreaker"
    (failureRateThreshold 50, slidingWindowSize 100, minimumNumberOfCalls 100, slowCallRateThreshold 100,
    slowCallDurationThreshold 60000 ms, waitDurationInOpenState 60000 ms). No answer here takes 60 seconds.
    """

    name = "resilience4j"
    open_seconds = 60.0

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=100)
        self._failed = 0

    def observe(self, outcome: Outcome, at: datetime) -> bool:
        if len(self._last) == 100:
            self._failed -= self._last[0]
        self._last.append(_raises(outcome))
        self._failed += self._last[-1]
        if len(self._last) < 100 or self._failed < 50:
            return False
        self._last.clear()
        self._failed = 0
        return True


class Envoy:
    """Envoy's outlier detection with its defaults: five 5xx answers in a row eject, for 30 seconds.

    Source: Envoy documentation, config.cluster.v3.OutlierDetection (consecutive_5xx 5, enforcing_consecutive_5xx 100,
    base_ejection_time 30 s). The success-rate rule needs five hosts (success_rate_minimum_hosts 5) and the
    failure-percentage rule is not enforced by default, so with a handful of insurers this is the one that acts. A
    time-out is a local-origin failure and counts as a 5xx; a 4xx does not.
    """

    name = "envoy"
    open_seconds = 30.0

    def __init__(self) -> None:
        self._row = 0

    def observe(self, outcome: Outcome, at: datetime) -> bool:
        self._row = self._row + 1 if outcome in (Outcome.TECHNICAL_FAILURE, Outcome.UNKNOWN) else 0
        if self._row < 5:
            return False
        self._row = 0
        return True


class GrpcA50:
    """gRPC's outlier detection, failure-percentage algorithm with its defaults: each 10 seconds those are ejected of
    whose calls in that interval, if at least 50, more than 85 % failed; for 30 seconds.

    Source: gRFC A50, "gRPC xDS Outlier Detection Support" (interval 10 s, base_ejection_time 30 s,
    failure_percentage_ejection: threshold 85, request_volume 50). Its minimum of five hosts is left out in its favour:
    with three insurers it would never act. Every status but OK is a failure.
    """

    name = "grpc-a50"
    open_seconds = 30.0

    def __init__(self) -> None:
        self._sweep: datetime | None = None
        self._calls = self._failed = 0

    def observe(self, outcome: Outcome, at: datetime) -> bool:
        opens = False
        if self._sweep is None:
            self._sweep = at + timedelta(seconds=10)
        elif at >= self._sweep:
            opens = self._calls >= 50 and self._failed > 0.85 * self._calls
            self._calls = self._failed = 0
            self._sweep = at + timedelta(seconds=10)
        self._calls += 1
        self._failed += _raises(outcome)
        return opens


class Sentinel:
    """Sentinel's circuit breaking by error ratio: within one second at least 5 calls, more than half of them failed;
    again after 10 seconds.

    Source: Sentinel documentation, "Circuit Breaking" (minRequestAmount 5, statIntervalMs 1000). The ratio and the
    recovery time have no default; 0.5 and 10 s are those of its examples.
    """

    name = "sentinel"
    open_seconds = 10.0

    def __init__(self) -> None:
        self._second = 0
        self._calls = self._failed = 0

    def observe(self, outcome: Outcome, at: datetime) -> bool:
        second = int(at.timestamp())
        if second != self._second:
            self._second, self._calls, self._failed = second, 0, 0
        self._calls += 1
        self._failed += _raises(outcome)
        if self._calls < 5 or self._failed <= 0.5 * self._calls:
            return False
        self._calls = self._failed = 0
        return True


PEERS: tuple[type[Peer], ...] = (PyBreaker, Purgatory, Resilience4j, Envoy, GrpcA50, Sentinel)


@dataclass(frozen=True, slots=True)
class Call:
    """One order as a peer meets it."""

    begins: datetime
    ends: datetime
    outcome: Outcome


def replay(peer: Peer, calls: list[Call], began: datetime) -> tuple[datetime | None, int, int]:
    """The first opening from ``began`` on, the orders lost from then on, and how often it opened in all.

    ``calls`` by their beginnings. An order that meets an open breaker goes elsewhere and is not lost.
    """
    first: datetime | None = None
    lost = openings = 0
    open_until: datetime | None = None
    probing = False
    under_way: list[Call] = []
    under_way_at = 0

    def end(call: Call) -> None:
        nonlocal first, openings, open_until, probing
        if probing:
            probing = False
            if _raises(call.outcome):
                open_until = call.ends + timedelta(seconds=peer.open_seconds)
            return
        if open_until is None and peer.observe(call.outcome, call.ends):
            openings += 1
            open_until = call.ends + timedelta(seconds=peer.open_seconds)
            if first is None and call.ends >= began:
                first = call.ends

    for call in calls:
        # All calls of a trace last equally long while it is well and while it is not: they end nearly in order.
        while under_way_at < len(under_way) and under_way[under_way_at].ends <= call.begins:
            end(under_way[under_way_at])
            under_way_at += 1
        if probing or (open_until is not None and call.begins < open_until):
            continue
        if open_until is not None:
            open_until, probing = None, True
        if call.begins >= began and call.outcome in (Outcome.TECHNICAL_FAILURE, Outcome.UNKNOWN):
            lost += 1
        under_way.append(call)
    for call in under_way[under_way_at:]:
        end(call)
    return first, lost, openings
