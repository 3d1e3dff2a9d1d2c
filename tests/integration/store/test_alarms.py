from __future__ import annotations

import asyncio

from sluice_server.domain.breaker.ports import Alarm, PendingAlarm
from sluice_server.store import SqlStore, open_store
from tests.integration.store.samples import after, alarm


async def put(store: SqlStore, *alarms: Alarm) -> None:
    async with store.write() as work:
        for each in alarms:
            await work.alarms.put(each)
        await work.commit()


async def due(store: SqlStore, seconds: float = 60, limit: int = 9) -> list[PendingAlarm]:
    async with store.read() as work:
        return list(await work.alarms.due(now=after(seconds), limit=limit))


async def deliver(store: SqlStore, pending: PendingAlarm, seconds: float = 1) -> None:
    async with store.write() as work:
        await work.alarms.delivered(pending.outbox_id, after(seconds))
        await work.commit()


async def active(store: SqlStore, seconds: float = 60) -> list[Alarm]:
    async with store.read() as work:
        return list(await work.alarms.active(now=after(seconds), limit=9))


async def test_a_new_alarm_is_due_at_once(store: SqlStore) -> None:
    await put(store, alarm("b", at=after(1)), alarm("a", at=after(0)))
    found = await due(store, 1)
    assert [p.alarm for p in found] == [alarm("a", at=after(0)), alarm("b", at=after(1))]
    assert [p.attempts for p in found] == [0, 0]
    assert len(await due(store, 1, limit=1)) == 1


async def test_an_alarm_of_the_same_key_replaces_the_one_that_waits(store: SqlStore) -> None:
    await put(store, alarm("a"), alarm("a", summary="newer"))
    [pending] = await due(store)
    assert pending.alarm.summary == "newer"


async def test_transactions_that_put_the_same_alarms_in_another_order_do_not_deadlock(postgres_url: str) -> None:
    both_have_put_one = asyncio.Barrier(2)

    async def write(store: SqlStore, first: str, second: str) -> None:
        async with store.write() as work:
            await work.alarms.put(alarm(first))
            await both_have_put_one.wait()
            await work.alarms.put(alarm(second))
            # Raises ConcurrentChange in the one that PostgreSQL chooses as the victim.
            await work.commit()

    async with open_store(postgres_url) as one, open_store(postgres_url) as two:
        await put(one, alarm("a"), alarm("b"))
        await asyncio.gather(write(one, "a", "b"), write(two, "b", "a"))
        assert len(await due(one)) == 2


async def test_what_was_put_is_seen_within_its_unit_of_work(store: SqlStore) -> None:
    async with store.write() as work:
        await work.alarms.put(alarm("a"))
        assert await work.alarms.latest("a") == alarm("a")
        assert [pending.alarm for pending in await work.alarms.due(now=after(60), limit=9)] == [alarm("a")]
        assert await work.alarms.waiting(limit=9) == ["a"]


async def test_a_replaced_alarm_is_not_delivered_by_the_delivery_under_way(store: SqlStore) -> None:
    await put(store, alarm("a"))
    [under_way] = await due(store)
    await put(store, alarm("a", resolved_at=after(5)))
    await deliver(store, under_way)
    [pending] = await due(store)
    assert pending.alarm.resolved_at == after(5)


async def test_a_postponed_alarm_waits_and_counts_its_attempts(store: SqlStore) -> None:
    await put(store, alarm("a"))
    [pending] = await due(store)
    async with store.write() as work:
        await work.alarms.postpone(pending.outbox_id, until=after(30), error="connection refused")
        await work.commit()
    assert await due(store, 29.9) == []
    [again] = await due(store, 30)
    assert (again.outbox_id, again.attempts, again.next_attempt_at) == (pending.outbox_id, 1, after(30))


async def test_delivered_alarms_are_active_until_they_are_resolved(store: SqlStore) -> None:
    await put(store, alarm("a"), alarm("ends by itself", resolved_at=after(50)))
    for pending in await due(store):
        await deliver(store, pending)
    assert await due(store) == []
    assert [a.key for a in await active(store, 49)] == ["a", "ends by itself"]
    assert await active(store, 50) == [alarm("a")]


async def test_an_alarm_with_news_waiting_is_not_active(store: SqlStore) -> None:
    await put(store, alarm("a"))
    [first] = await due(store)
    await deliver(store, first)
    await put(store, alarm("a", resolved_at=after(5)))
    assert await active(store, 1) == []
    [second] = await due(store)
    await deliver(store, second)
    assert await active(store, 60) == []


async def test_the_last_delivery_of_a_key_counts(store: SqlStore) -> None:
    for summary in ("first", "second"):
        await put(store, alarm("a", summary=summary))
        [pending] = await due(store)
        await deliver(store, pending)
    assert [a.summary for a in await active(store)] == ["second"]


async def test_a_second_report_of_one_delivery_changes_nothing(store: SqlStore) -> None:
    await put(store, alarm("a"))
    [pending] = await due(store)
    await deliver(store, pending)
    await deliver(store, pending)
    assert await active(store) == [alarm("a")]


async def test_the_latest_of_a_key_is_the_one_that_waits_before_the_one_that_was_delivered(store: SqlStore) -> None:
    async def latest(key: str) -> Alarm | None:
        async with store.read() as work:
            return await work.alarms.latest(key)

    assert await latest("a") is None
    await put(store, alarm("a"), alarm("b"))
    for pending in await due(store):
        await deliver(store, pending)
    assert await latest("a") == alarm("a")
    await put(store, alarm("a", summary="newer"))
    assert await latest("a") == alarm("a", summary="newer")
    assert await latest("b") == alarm("b")
