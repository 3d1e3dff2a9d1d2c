"""Prometheus metrics of served calls."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from sluice_server.api.context import ServerCall
from sluice_server.api.interceptors.pipeline import Hooks, Method

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(slots=True)
class _Tally:
    """One method's calls. Only the event loop counts, so plain numbers do; the library's take a lock for each."""

    timed: bool
    running: int = 0
    served: int = 0
    failed: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """By status and reason."""
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_SECONDS) + 1))


class Measure(Collector):
    """Counts calls by method, status and reason, and times the unary ones (a stream's length says nothing)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tallies: dict[str, _Tally] = {}
        registry.register(self)

    def around(self, method: Method) -> Hooks:
        tally = self._tallies[method.name] = _Tally(timed=not method.streaming)
        ok, now, buckets = grpc.StatusCode.OK, time.perf_counter, tally.buckets

        def enter(call: ServerCall) -> None:
            tally.running += 1

        def leave(call: ServerCall) -> None:
            tally.running -= 1
            if call.code is ok:
                tally.served += 1
            else:
                tally.failed[call.code.name, call.reason] += 1
            if tally.timed:
                took = now() - call.started
                tally.seconds += took
                buckets[bisect_left(BUCKETS_SECONDS, took)] += 1

        return Hooks(enter=enter, leave=leave)

    def collect(self) -> Iterator[Metric]:
        """For Prometheus."""
        calls = CounterMetricFamily("sluice_rpc_calls", "Finished calls.", labels=("method", "code", "reason"))
        seconds = HistogramMetricFamily(
            "sluice_rpc_seconds", "Time from a unary call's arrival to its answer, in seconds.", labels=("method",)
        )
        running = GaugeMetricFamily("sluice_rpc_running", "Calls being served now.", labels=("method",))
        for method, tally in tuple(self._tallies.items()):
            running.add_metric((method,), tally.running)
            if tally.served:
                calls.add_metric((method, grpc.StatusCode.OK.name, ""), tally.served)
            for (code, reason), count in tuple(tally.failed.items()):
                calls.add_metric((method, code, reason), count)
            if tally.timed:
                seconds.add_metric((method,), _cumulative(tally.buckets), tally.seconds)
        yield from (calls, seconds, running)

    def describe(self) -> Iterator[Metric]:
        """Its names, so that a second registration is refused; there are no methods yet."""
        yield from self.collect()


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    """As Prometheus wants them: how many took at most so long."""
    bounds = [*(str(bound) for bound in BUCKETS_SECONDS), "+Inf"]
    return [(bound, float(sum(buckets[: place + 1]))) for place, bound in enumerate(bounds)]
