from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select

from sluice_server.domain.errors import ConcurrentChange, Unavailable
from sluice_server.domain.orders.model import Order, OrderState, Outcome
from sluice_server.store import SqlStore, open_store
from sluice_server.store.engine import create_engine
from sluice_server.store.tables import orders
from tests.integration.store.samples import after, decision, ended, order, stored, submitting


async def read(store: SqlStore, application_id: str) -> Order | None:
    async with store.read() as work:
        return await work.orders.get(application_id)


async def test_a_recorded_order_is_what_every_replica_reads(store: SqlStore, replica: SqlStore) -> None:
    given = order("app-1")
    assert await store.decision_log.record(given) is given
    assert await read(replica, "app-1") == given


async def test_orders_of_every_shape_are_recorded(store: SqlStore) -> None:
    shapes = [
        order("parked", ""),
        submitting(order("begun"), at=after(1)),
        replace(order("two decisions"), decisions=(decision("x"), decision("x", "insurer-b", number=2))),
        replace(order("due"), next_attempt_at=after(1), attempts=3),
    ]
    shapes[2] = replace(
        shapes[2],
        decisions=tuple(replace(d, application_id="two decisions") for d in shapes[2].decisions),
    )
    assert await asyncio.gather(*(store.decision_log.record(each) for each in shapes)) == shapes
    for each in shapes:
        assert await read(store, each.application_id) == each


async def test_a_known_application_gives_the_stored_order(store: SqlStore) -> None:
    given = order("app-1")
    await store.decision_log.record(given)
    other = order("app-1", "insurer-b", product_line="battery")
    assert await store.decision_log.record(other) == given
    assert await read(store, "app-1") == given


async def test_of_many_calls_for_one_application_one_is_stored(store: SqlStore, replica: SqlStore) -> None:
    offers = [order("app-1", f"insurer-{number}") for number in range(20)]
    answers = await asyncio.gather(
        *(each.decision_log.record(offer) for offer, each in zip(offers, (store, replica) * 10, strict=True))
    )
    assert len({answer.insurer_id for answer in answers}) == 1
    assert await read(store, "app-1") == answers[0]


async def test_a_unit_of_work_and_the_log_do_not_store_one_application_twice(store: SqlStore) -> None:
    async with store.write() as work:
        assert await work.orders.add(order("app-1"))
        await work.commit()
    assert await store.decision_log.record(order("app-1", "insurer-b")) == order("app-1")
    await store.decision_log.record(order("app-2"))
    async with store.write() as work:
        assert not await work.orders.add(order("app-2", "insurer-b"))


async def test_many_orders_are_all_there_and_in_order(store: SqlStore) -> None:
    given = [order(f"app-{number:04}", at=after(number)) for number in range(700)]
    assert await asyncio.gather(*(store.decision_log.record(each) for each in given)) == given
    async with store.read() as work:
        found = await work.orders.exported(after=None, until=after(10_000), limit=1_000)
        assert [each.application_id for each in found] == [each.application_id for each in given]
        for each in given[::50]:
            assert await work.orders.get(each.application_id) == each


async def test_a_life_saved_in_shared_commits_is_kept(store: SqlStore) -> None:
    one = await store.decision_log.record(order("app-1"))
    two = submitting(one, at=after(1))
    await store.decision_log.save(two)
    three = ended(stored(two), Outcome.TECHNICAL_FAILURE, at=after(2), state=OrderState.ABNORMAL)
    await store.decision_log.save(three)
    four = replace(
        stored(three),
        state=OrderState.INSURED,
        decisions=(*one.decisions, decision("app-1", "insurer-b", number=2, at=after(3))),
        incident_id="inc-1",
        policy_number="POL-1",
        attempts=2,
        updated_at=after(4),
    )
    await store.decision_log.save(four)
    assert await read(store, "app-1") == stored(four)


async def test_of_two_changes_from_one_version_one_takes_place(store: SqlStore, replica: SqlStore) -> None:
    given = await store.decision_log.record(order("app-1"))
    changed = submitting(given, at=after(1))
    answers = await asyncio.gather(
        *(each.decision_log.save(changed) for each in (store, replica) * 3), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["ConcurrentChange"] * 5 + ["NoneType"]
    assert await read(store, "app-1") == stored(changed)


async def test_a_change_of_an_unknown_order_is_refused(store: SqlStore) -> None:
    with pytest.raises(ConcurrentChange):
        await store.decision_log.save(order("app-1"))


async def test_an_order_that_no_column_holds_fails_alone(store: SqlStore) -> None:
    bad = replace(order("bad"), attempts=2**70)
    answers = await asyncio.gather(
        *(store.decision_log.record(each) for each in (order("a"), bad, order("b"))), return_exceptions=True
    )
    assert [isinstance(answer, Exception) for answer in answers] == [False, True, False]
    assert await read(store, "bad") is None
    assert await read(store, "b") == order("b")


async def test_closing_keeps_what_was_asked_for_before(store_url: str) -> None:
    store = await open_store(store_url)
    calls = [asyncio.ensure_future(store.decision_log.record(order(f"app-{number}"))) for number in range(50)]
    await asyncio.sleep(0)
    await store.close()
    kept = await asyncio.gather(*calls)
    with pytest.raises(Unavailable):
        await store.decision_log.record(order("late"))
    async with open_store(store_url) as again:
        for each in kept:
            assert await read(again, each.application_id) == each


async def test_the_first_final_moment_stays(store: SqlStore, store_url: str) -> None:
    """Remarks after the end, in both ways of writing, do not move the end."""
    given = await store.decision_log.record(order("app-1"))
    final = replace(given, state=OrderState.REJECTED, updated_at=after(5))
    await store.decision_log.save(final)
    await store.decision_log.save(replace(stored(final), updated_at=after(6)))
    async with store.write() as work:
        await work.orders.save(replace(stored(final, 2), updated_at=after(7)))
        await work.commit()
    engine = create_engine(store_url)
    try:
        async with engine.connect() as connection:
            assert (await connection.execute(select(orders.c.finished_at))).scalar_one() == after(5)
    finally:
        await engine.dispose()
