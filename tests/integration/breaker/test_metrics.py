"""What Prometheus is told of the breakers."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from sluice_server.domain.breaker.model import BreakerMode
from sluice_server.runtime.breaker_metrics import EVIDENCE, BreakerMetrics
from tests.integration.breaker.insurers import A, B, EverythingAdmitted, application
from tests.integration.breaker.world import BreakerWorld, by, command


class Shown:
    """A registry with the metrics of one process."""

    def __init__(self, world: BreakerWorld) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(BreakerMetrics(world.board, world.watch, world.clock))

    def __call__(self, name: str, insurer_id: str = A, line: str = "", **labels: str) -> float | None:
        scope = {"insurer_id": insurer_id, "product_line": line, **labels}
        return self.registry.get_sample_value(f"sluice_breaker_{name}", scope)


@pytest.fixture
def shown(world: BreakerWorld) -> Shown:
    return Shown(world)


async def test_state_evidence_and_leaks_are_shown_by_scope(world: BreakerWorld, shown: Shown) -> None:
    await world.tick()
    await world.submit(10)
    await world.tick()
    assert shown("state", state="CLOSED", mode="ENFORCING") == 1
    assert shown("admitted_ratio") == 1
    assert (shown("outcomes"), shown("failures"), shown("sequential_ratio")) == (10, 0, 0)
    assert shown("normal_failure_rate") == 0.02
    assert shown("leaked_orders") is None

    await world.break_a()
    assert shown("state", state="OPEN", mode="ENFORCING") == 1
    assert shown("state", state="CLOSED", mode="ENFORCING") is None
    assert shown("admitted_ratio") == 0
    assert (shown("failures"), shown("leaked_orders")) == (6, 0)
    ratio = shown("sequential_ratio")
    assert ratio is not None
    assert ratio >= 1

    # A replica that has not heard of the cut.
    world.clock.move(0.5)
    await world.submitting(EverythingAdmitted())(application("late"), by("shop"))
    await world.tick()
    assert shown("leaked_orders") == 1
    assert shown("state", B, state="CLOSED", mode="ENFORCING") == 1


async def test_a_product_line_is_shown_when_there_is_something_to_show(world: BreakerWorld, shown: Shown) -> None:
    for line in ("screen", "tv"):
        await world.control.set_breaker_mode(command(line=line), BreakerMode.METRICS_ONLY, by())
        await world.control.set_breaker_mode(command(line=line), BreakerMode.ENFORCING, by())
    await world.tick()
    assert shown("admitted_ratio", line="screen") is None
    await world.submit(3, line="screen")
    await world.tick()
    assert shown("outcomes", line="screen") == 3
    assert shown("admitted_ratio", line="tv") is None
    await world.control.set_breaker_mode(command(line="tv"), BreakerMode.FORCED_OPEN, by())
    assert shown("state", line="tv", state="CLOSED", mode="FORCED_OPEN") == 1
    assert shown("admitted_ratio", line="tv") == 0


async def test_how_old_the_state_is_is_told(world: BreakerWorld, shown: Shown) -> None:
    world.clock.move(7)
    assert shown.registry.get_sample_value("sluice_breaker_read_age_seconds") == 7
    names = {family.name for family in shown.registry.collect()}
    assert {f"sluice_breaker_{name}" for name in EVIDENCE} < names
