"""The order matters: each interceptor relies on what the ones before it have done."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from sluice_server.api.interceptors import pipeline
from sluice_server.domain.context import SystemClock


def test_interceptors_run_in_this_order() -> None:
    made = pipeline(
        clock=SystemClock(),
        registry=CollectorRegistry(),
        tracer=None,
        sample_ratio=0.0,
        max_in_flight=1,
        max_streams=1,
    )
    order = [type(interceptor).__name__ for interceptor in made.interceptors]
    assert order == ["Trace", "Log", "Measure", "Translate", "Identify", "Shed"]
