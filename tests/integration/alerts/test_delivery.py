"""The delivery worker over a real store; the platforms are fakes that fail on command, time is moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from sluice_server.alerts.delivery import AlarmDelivery, DeliverySettings, Round
from sluice_server.domain.breaker.ports import Alarm, AlarmSink
from sluice_server.domain.errors import ConcurrentChange
from sluice_server.store import SqlStore, open_store
from tests.support.alarms import NOON, HandClock, SinkInMemory, alarm


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[SqlStore]:
    async with open_store(store_url) as opened:
        yield opened


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def worker(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry, *sinks: AlarmSink, **settings: float
) -> AlarmDelivery:
    return AlarmDelivery(
        store,
        sinks,
        clock=clock,
        registry=registry,
        settings=DeliverySettings(**settings),  # type: ignore[arg-type]  # batch is given as a whole number
        random=Random(1),
    )


async def put(store: SqlStore, *alarms: Alarm) -> None:
    async with store.write() as uow:
        for each in alarms:
            await uow.alarms.put(each)
        await uow.commit()


async def test_an_alarm_is_delivered_once_to_every_platform(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry
) -> None:
    one, two = SinkInMemory("one"), SinkInMemory("two")
    delivery = worker(store, clock, registry, one, two)
    await put(store, alarm("a"), alarm("b"))
    assert await delivery.deliver() == Round(delivered=2)
    assert await delivery.deliver() == Round()
    assert sorted(one.keys) == sorted(two.keys) == ["a", "b"]
    assert one.got[0] == alarm(one.got[0].key)
    assert registry.get_sample_value("sluice_alarm_posts_total", {"sink": "one", "result": "delivered"}) == 1


async def test_a_platform_that_was_away_gets_every_alarm_when_it_is_back_and_the_others_get_none_twice(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry
) -> None:
    dead, live = SinkInMemory("dead"), SinkInMemory("live")
    dead.down = True
    delivery = worker(store, clock, registry, dead, live)
    for number in range(30):
        await put(store, alarm(f"k{number}"))
        await delivery.deliver()
        clock.forward(20)
    assert live.keys == [f"k{number}" for number in range(30)]
    assert dead.got == []
    dead.down = False
    for _ in range(3):
        clock.forward(60)
        await delivery.deliver()
    assert sorted(dead.keys) == sorted(live.keys)
    assert len(live.keys) == 30


async def test_a_dead_platform_is_left_alone_longer_and_longer(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry
) -> None:
    dead = SinkInMemory()
    dead.down = True
    delivery = worker(store, clock, registry, dead, first_rest_seconds=1, longest_rest_seconds=60)
    await put(store, alarm())
    tried_at: list[float] = []
    for second in range(400):
        before = dead.attempts
        await delivery.deliver()
        if dead.attempts > before:
            tried_at.append(second)
        clock.forward(1)
    gaps = [b - a for a, b in pairwise(tried_at)]
    assert all(1 <= gap <= 61 for gap in gaps)
    assert all(30 <= gap <= 61 for gap in gaps[6:])
    assert 8 <= len(tried_at) <= 20


async def test_a_resolution_replaces_the_undelivered_alarm(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry
) -> None:
    sink = SinkInMemory()
    sink.down = True
    delivery = worker(store, clock, registry, sink)
    await put(store, alarm())
    await delivery.deliver()
    await put(store, alarm(summary="insurer-b takes its share again", resolved_at=NOON))
    sink.down = False
    clock.forward(10)
    assert await delivery.deliver() == Round(delivered=1)
    assert [each.resolved_at for each in sink.got] == [NOON]


async def test_news_that_comes_while_the_old_is_being_delivered_is_not_lost(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry
) -> None:
    resolution = alarm(summary="back", resolved_at=NOON)

    class Slow(SinkInMemory):
        async def send(self, alarms: Sequence[Alarm]) -> None:
            if not self.posts:
                await put(store, resolution)
            await super().send(alarms)

    sink = Slow()
    delivery = worker(store, clock, registry, sink)
    await put(store, alarm())
    await delivery.deliver()
    await delivery.deliver()
    assert [each.summary for each in sink.got] == [alarm().summary, "back"]


async def test_the_same_news_is_told_once_in_the_quiet_time_and_other_news_at_once(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry
) -> None:
    sink = SinkInMemory()
    delivery = worker(store, clock, registry, sink, quiet_seconds=60)
    rounds = []
    for _ in range(5):
        await put(store, alarm(starts_at=clock.now()))
        rounds.append(await delivery.deliver())
        clock.forward(1)
    assert rounds == [Round(delivered=1)] + [Round(quiet=1)] * 4
    await put(store, alarm(state="CONFIRMED"))
    assert await delivery.deliver() == Round(delivered=1)
    clock.forward(61)
    await put(store, alarm(state="CONFIRMED"))
    assert await delivery.deliver() == Round(delivered=1)


async def test_a_platform_that_forgets_is_told_again_until_it_is_over(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry
) -> None:
    forgetful, other = SinkInMemory("forgetful", repeat_seconds=120), SinkInMemory("other")
    await put(store, alarm("lasts"), alarm("ends"))
    delivery = worker(store, clock, registry, forgetful, other)
    await delivery.deliver()
    clock.forward(121)
    await delivery.deliver()
    assert sorted(forgetful.keys) == ["ends", "ends", "lasts", "lasts"]
    await put(store, alarm("ends", summary="over", resolved_at=clock.now()))
    await delivery.deliver()
    clock.forward(121)
    # A new process knows from the store what lasts.
    await worker(store, clock, CollectorRegistry(), forgetful, other).deliver()
    assert sorted(forgetful.keys) == ["ends", "ends", "ends", "lasts", "lasts", "lasts"]
    assert sorted(other.keys) == ["ends", "ends", "lasts"]


async def test_posts_are_bounded_and_many_alarms_take_several_rounds(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry
) -> None:
    sink = SinkInMemory()
    delivery = worker(store, clock, registry, sink, batch=10)
    await put(store, *(alarm(f"k{number:02}") for number in range(25)))
    assert [(await delivery.deliver()).delivered for _ in range(4)] == [10, 10, 5, 0]
    assert [len(post) for post in sink.posts] == [10, 10, 5]


async def test_a_defect_of_one_platform_keeps_nothing_from_the_others(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry
) -> None:
    class Defective(SinkInMemory):
        async def send(self, alarms: Sequence[Alarm]) -> None:
            raise KeyError("defect")

    live = SinkInMemory("live")
    delivery = worker(store, clock, registry, Defective("defective"), live)
    await put(store, alarm())
    assert await delivery.deliver() == Round(postponed=1)
    assert live.keys == [alarm().key]
    assert registry.get_sample_value("sluice_alarm_posts_total", {"sink": "defective", "result": "failed"}) == 1


async def test_what_waits_and_for_how_long_is_measured(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry
) -> None:
    platform = SinkInMemory()
    delivery = worker(store, clock, registry, platform)

    def shown() -> tuple[float | None, float | None]:
        waiting = registry.get_sample_value("sluice_alarm_outbox_waiting")
        return waiting, registry.get_sample_value("sluice_alarm_outbox_oldest_seconds")

    platform.down = True
    await put(store, alarm("a"))
    await delivery.deliver()
    clock.forward(100)
    # News of the same alarm replace it in the outbox; it has waited all the same.
    await put(store, alarm("a", summary="news"), alarm("b"))
    await delivery.deliver()
    assert shown() == (2, 100)
    platform.down = False
    clock.forward(300)
    await delivery.deliver()
    await delivery.deliver()
    assert shown() == (0, 0)


async def test_without_a_platform_alarms_do_not_pile_up(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry
) -> None:
    delivery = worker(store, clock, registry)
    await put(store, alarm())
    assert await delivery.deliver() == Round(delivered=1)


async def test_the_worker_delivers_by_itself_and_stops_when_told(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry
) -> None:
    arrived = asyncio.Event()

    class Telling(SinkInMemory):
        async def send(self, alarms: Sequence[Alarm]) -> None:
            await super().send(alarms)
            arrived.set()

    stopping = asyncio.Event()
    task = asyncio.create_task(worker(store, clock, registry, Telling(), poll_seconds=0.01).run(stopping))
    await put(store, alarm())
    async with asyncio.timeout(20):
        await arrived.wait()
        stopping.set()
        await task


async def test_two_replicas_that_meet_do_not_end_the_worker(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry
) -> None:
    stopping = asyncio.Event()

    class Slower(AlarmDelivery):
        """Another replica commits first in its first round."""

        rounds = 0

        async def deliver(self) -> Round:
            self.rounds += 1
            if self.rounds == 1:
                raise ConcurrentChange("another transaction was faster")
            stopping.set()
            return await super().deliver()

    platform = SinkInMemory()
    settings = DeliverySettings(poll_seconds=0.001)
    delivery = Slower(store, [platform], clock=clock, registry=registry, settings=settings, random=Random(1))
    await put(store, alarm("a"))
    await asyncio.wait_for(delivery.run(stopping), 20)
    assert platform.keys == ["a"]


async def test_posts_are_limited_and_what_waits_goes_out_together(
    store: SqlStore, clock: HandClock, registry: CollectorRegistry
) -> None:
    sink = SinkInMemory()
    delivery = worker(store, clock, registry, sink, posts_per_minute=5)
    posts = []
    for second in range(180):
        await put(store, alarm(f"k{second}"), alarm("again", summary=f"news {second}"))
        await delivery.deliver()
        posts.append(len(sink.posts))
        clock.forward(1)
    assert posts[4] == 5, "the first ones go out at once"
    assert max(later - posts[start] for start, later in enumerate(posts[60:])) <= 5
    clock.forward(60)
    for _ in range(3):
        await delivery.deliver()
        clock.forward(1)
    assert {f"k{second}" for second in range(180)} <= set(sink.keys)
    assert sink.keys.count("again") <= 5 * 4
