"""What the breakers say and see, for Prometheus: read from memory when it is asked for, nothing is kept beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sluice_server.domain.breaker.board import BreakerBoard
from sluice_server.domain.breaker.machine import admission
from sluice_server.domain.breaker.model import Breaker, BreakerMode, BreakerState, Evidence, Scope
from sluice_server.domain.breaker.watch import BreakerWatch
from sluice_server.domain.context import Clock

SCOPE = ("insurer_id", "product_line")
EVIDENCE: Mapping[str, tuple[str, Callable[[Evidence], float]]] = {
    "orders": ("Orders decided within the backlog window.", lambda seen: seen.orders),
    "backlog": ("Of these unfinished past the grace.", lambda seen: seen.backlog),
    "oldest_unfinished_seconds": ("Age of the oldest of these.", lambda seen: seen.oldest_unfinished_seconds),
    "outcomes": ("Contrasting outcomes within the rate window.", lambda seen: seen.outcomes),
    "failures": ("Of these technical failures and unknown outcomes.", lambda seen: seen.failures),
    "slow": ("Of these slow answers.", lambda seen: seen.slow),
    "sequential_ratio": (
        "The sequential test's statistic over its limit: 1 trips.",
        lambda seen: seen.sequential_statistic / seen.sequential_limit if seen.sequential_limit else 0.0,
    ),
    "normal_failure_rate": ("p0 of the sequential test: learned, or set.", lambda seen: seen.normal_failure_rate),
}


class BreakerMetrics(Collector):
    """``sluice_breaker_…`` by insurer and product line ("" for the insurer as a whole).

    A product line of which nothing is seen and that does what breakers do by default is left out: there may be tens of
    thousands of them.
    """

    def __init__(self, board: BreakerBoard, watch: BreakerWatch, clock: Clock) -> None:
        self._board, self._watch, self._clock = board, watch, clock

    def describe(self) -> list[GaugeMetricFamily]:
        """The names, without looking at anything: the registry asks for them at the start."""
        return list(self._families().values())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families = self._families()
        for scope, breaker in sorted(self._board.breakers.items()):
            seen = self._board.evidence(scope)
            if _is_worth_showing(breaker, seen):
                self._add(families, breaker, seen)
        if self._board.refreshed_at is not None:
            age = (self._clock.now() - self._board.refreshed_at).total_seconds()
            families["read_age_seconds"].add_metric((), max(0.0, age))
        yield from families.values()

    def _add(self, families: Mapping[str, GaugeMetricFamily], breaker: Breaker, seen: Evidence | None) -> None:
        labels = _labels(breaker.scope)
        families["state"].add_metric((*labels, breaker.state, breaker.mode), 1.0)
        families["admitted_ratio"].add_metric(labels, admission(breaker).admitted_basis_points / 10_000)
        if breaker.incident_id:
            families["leaked_orders"].add_metric(labels, self._watch.leaked(breaker))
        if seen is not None:
            for name, (_, value) in EVIDENCE.items():
                families[name].add_metric(labels, value(seen))

    def _families(self) -> dict[str, GaugeMetricFamily]:
        def family(name: str, text: str, labels: tuple[str, ...] = SCOPE) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"sluice_breaker_{name}", text, labels=labels)

        return {
            "state": family("state", "1 for the state and the mode that it is in.", (*SCOPE, "state", "mode")),
            "admitted_ratio": family("admitted_ratio", "Part of its normal share that the breaker lets through."),
            "leaked_orders": family("leaked_orders", "Submissions of the open incident that began after the cut."),
            "read_age_seconds": family("read_age_seconds", "How long ago the breakers were read from the store.", ()),
            **{name: family(name, text) for name, (text, _) in EVIDENCE.items()},
        }


def _labels(scope: Scope) -> tuple[str, str]:
    return scope.insurer_id, scope.product_line


def _is_worth_showing(breaker: Breaker, seen: Evidence | None) -> bool:
    if not breaker.scope.product_line or breaker.state is not BreakerState.CLOSED:
        return True
    return breaker.mode is not BreakerMode.ENFORCING or (seen is not None and bool(seen.orders or seen.outcomes))
