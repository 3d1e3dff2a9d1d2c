"""What the alarm platform is told of failures, backlogs and rules without an insurer, and when it is told no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from prometheus_client import CollectorRegistry

from sluice_server.alerts.delivery import AlarmDelivery
from sluice_server.domain.breaker.model import BreakerMode
from sluice_server.domain.breaker.ports import Alarm
from sluice_server.domain.orders.decide import Decisions
from sluice_server.domain.orders.drain import DrainParked
from sluice_server.domain.orders.model import OrderState
from tests.integration.breaker.insurers import A, B, C, FixedPlan
from tests.integration.breaker.world import BreakerWorld, a_breaker_world, by, command
from tests.support.alarms import SinkInMemory

HTTP_503 = "failure/insurer-a/screen/HTTP_503"
TIMEOUT = "failure/insurer-a/screen/TIMEOUT"
OVER_SECONDS = 301.0


@pytest.fixture
async def world(store_url: str) -> AsyncIterator[BreakerWorld]:
    async with a_breaker_world(store_url) as made:
        # Failures are told here; cuts would only be in the way.
        await made.know(A, B, C, normal_failure_rate=0.4, failure_rate=1.0, minimum_volume=1_000_000)
        yield made


async def deliver(world: BreakerWorld) -> dict[str, Alarm]:
    """What waits, as delivered."""
    async with world.store.write() as uow:
        due = await uow.alarms.due(now=world.clock.now(), limit=1_000)
        for pending in due:
            await uow.alarms.delivered(pending.outbox_id, world.clock.now())
        await uow.commit()
    return {pending.alarm.key: pending.alarm for pending in due}


async def failures(world: BreakerWorld, count: int, how: str = "fail", line: str = "screen") -> None:
    world.a.next_answers.extend([how] * count)
    await world.submit(count, line=line)


async def test_failures_are_grouped_by_insurer_line_and_code_with_their_number(world: BreakerWorld) -> None:
    await failures(world, 5)
    await failures(world, 2, "lost")
    await failures(world, 1, line="tv")
    await world.tick()
    told = await deliver(world)
    assert {key: alarm.annotations["count"] for key, alarm in told.items()} == {
        HTTP_503: "5",
        TIMEOUT: "2",
        "failure/insurer-a/tv/HTTP_503": "1",
    }
    assert told[HTTP_503].summary == "insurer-a fails technically for screen: HTTP_503, 5 times since 09:00:00 UTC"
    assert told[HTTP_503].labels == {"insurer_id": A, "product_line": "screen", "error_code": "HTTP_503"}
    assert told[HTTP_503].resolved_at is None


async def test_declines_and_malformed_requests_are_no_alarm(world: BreakerWorld) -> None:
    await failures(world, 3, "decline")
    await failures(world, 3, "fault")
    await world.tick()
    assert await deliver(world) == {}


async def test_more_of_the_same_is_told_when_it_has_doubled_or_after_a_minute(world: BreakerWorld) -> None:
    numbers = []
    for count, after in ((4, 1.0), (3, 1.0), (1, 1.0), (1, 1.0), (0, 61.0), (0, 61.0)):
        await failures(world, count)
        await world.tick(after)
        alarm = (await deliver(world)).get(HTTP_503)
        numbers.append(alarm.annotations["count"] if alarm else None)
    assert numbers == ["4", None, "8", None, "9", None]


async def test_a_kind_of_failure_that_is_not_seen_any_more_is_resolved(world: BreakerWorld) -> None:
    await failures(world, 3)
    await world.tick()
    last = world.clock.now()
    await deliver(world)
    await world.tick(OVER_SECONDS - 2)
    assert await deliver(world) == {}
    await world.tick(3.0)
    resolved = (await deliver(world))[HTTP_503]
    assert resolved.resolved_at is not None
    assert last < resolved.resolved_at <= world.clock.now()
    await world.tick(60.0)
    assert await deliver(world) == {}
    # The next episode is another alarm, counted from its beginning.
    await failures(world, 1)
    await world.tick(1.0)
    again = (await deliver(world))[HTTP_503]
    assert (again.annotations["count"], again.resolved_at) == ("1", None)


async def test_what_one_replica_has_told_the_other_leaves(store_url: str, world: BreakerWorld) -> None:
    async with a_breaker_world(store_url, world.clock) as other:
        await failures(world, 4)
        await world.tick()
        assert (await deliver(world)).keys() == {HTTP_503}
        await other.tick()
        assert await deliver(world) == {}
        await failures(world, 4)
        await other.tick(1.0)
        await world.tick()
        assert (await deliver(world))[HTTP_503].annotations["count"] == "8"
        for replica in (world, other):
            await replica.tick(OVER_SECONDS)
        assert (await deliver(world))[HTTP_503].resolved_at is not None
        for replica in (world, other):
            await replica.tick(1.0)
        assert await deliver(world) == {}


async def test_what_ended_while_every_process_was_away_is_resolved_after_the_start(
    store_url: str, world: BreakerWorld
) -> None:
    await failures(world, 2)
    await world.tick()
    await deliver(world)
    world.clock.move(2 * 86_400)
    async with a_breaker_world(store_url, world.clock) as restarted:
        await restarted.tick()
        assert (await deliver(restarted))[HTTP_503].resolved_at is not None


async def test_a_restart_goes_on_counting_where_it_was(store_url: str, world: BreakerWorld) -> None:
    await failures(world, 3)
    await world.tick()
    await deliver(world)
    async with a_breaker_world(store_url, world.clock) as restarted:
        await restarted.tick()
        assert await deliver(restarted) == {}
        restarted.numbered = world.numbered
        await failures(restarted, 3)
        await restarted.tick(1.0)
        assert (await deliver(restarted))[HTTP_503].annotations["count"] == "6"


async def test_a_rule_whose_orders_wait_for_an_insurer_is_told_until_they_have_one(world: BreakerWorld) -> None:
    for insurer_id in (A, B, C):
        await world.control.cut_traffic(command(insurer_id), by())
    await deliver(world)
    await world.submit(7)
    await world.submit(2, line="tv")
    await world.tick(5.0)
    alarm = (await deliver(world))["exhausted/everything"]
    assert (alarm.severity, alarm.annotations["count"]) == ("critical", "9")
    assert alarm.annotations["product_lines"] == "screen, tv"
    assert "no insurer is left" in alarm.summary
    await world.tick(5.0)
    assert await deliver(world) == {}

    await world.control.set_breaker_mode(command(B), BreakerMode.FORCED_CLOSED, by())
    decisions = Decisions(
        plans=FixedPlan(),
        traffic=world.board,
        log=world.store.decision_log,
        store=world.store,
        clock=world.clock,
        timing=world.timing,
    )
    drain = DrainParked(
        decisions=decisions, calls=world.calls, store=world.store, clock=world.clock, timing=world.timing
    )
    world.clock.move(world.timing.parked_seconds)
    assert len((await drain(100)).routed) == 9
    await deliver(world)
    await world.tick(5.0)
    resolved = (await deliver(world))["exhausted/everything"]
    assert resolved.resolved_at == world.clock.now()
    assert "have an insurer again" in resolved.summary


async def test_an_alarm_platform_that_never_answers_holds_up_neither_orders_nor_cuts(world: BreakerWorld) -> None:
    asked = asyncio.Event()

    class Silent(SinkInMemory):
        async def send(self, alarms: Sequence[Alarm]) -> None:
            asked.set()
            await asyncio.Event().wait()

    delivery = AlarmDelivery(world.store, [Silent()], clock=world.clock, registry=CollectorRegistry())
    await failures(world, 1)
    await world.tick()
    async with asyncio.timeout(10):
        under_way = asyncio.create_task(delivery.deliver())
        await asked.wait()
        orders = await world.submit(5)
        await world.change_policy(failure_rate=0.5, minimum_volume=5)
        await world.break_a()
    assert {order.state for order in orders} == {OrderState.INSURED}
    assert not under_way.done()
    under_way.cancel()
    assert "breaker/insurer-a" in await deliver(world)
