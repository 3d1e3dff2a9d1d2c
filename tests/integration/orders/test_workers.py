"""The workers of the order room, in the running loop that the server gives them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from sluice_server.domain.errors import InsurerNotConfigured, Unavailable
from sluice_server.domain.orders.model import Order, OrderState
from sluice_server.domain.orders.reconcile import ReconcileOrder
from sluice_server.runtime.order_workers import ParkedDrainWorker, ReconciliationWorker, Rounds, each
from sluice_server.runtime.workers import Worker
from tests.integration.orders.world import A, B, C, World, application, context


@contextlib.asynccontextmanager
async def _running(worker: Worker) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    task = asyncio.create_task(worker.run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await task


async def test_reconciliation_takes_up_what_is_due_and_stops_when_told(world: World) -> None:
    world[A].script.extend(["insured-but-lost"] * 5)
    for number in range(5):
        await world.submit(application(f"app-{number}"), context())
    world.clock.move(2)
    done = 0
    all_done = asyncio.Event()

    class Counted(ReconcileOrder):
        async def __call__(self, application_id: str) -> Order | None:
            nonlocal done
            order = await super().__call__(application_id)
            done += 1
            if done == 5:
                all_done.set()
            return order

    counted = Counted(
        decisions=world.decisions,
        calls=world.calls,
        log=world.store.decision_log,
        store=world.store,
        clock=world.clock,
        timing=world.timing,
    )
    async with _running(ReconciliationWorker(counted, concurrency=2, idle_seconds=0.01)), asyncio.timeout(20):
        await all_done.wait()
    assert [(await world.get(f"app-{n}")).state for n in range(5)] == [OrderState.INSURED] * 5


async def test_the_drain_routes_and_submits(world: World) -> None:
    world.traffic.cut = {A, B, C}
    for number in range(5):
        await world.submit(application(f"app-{number}"), context())
    world.traffic.cut = set()
    world.clock.move(3)
    worker = ParkedDrainWorker(world.drain, batch=2)
    assert await worker.round()
    assert await worker.round()
    assert not await worker.round()
    assert [(await world.get(f"app-{n}")).state for n in range(5)] == [OrderState.INSURED] * 5


async def test_an_order_that_cannot_go_on_does_not_stop_the_others(world: World) -> None:
    world[A].script.append("lost")
    await world.submit(application("stuck", line="solo"), context())
    world.traffic.cut.add(A)
    for number in range(3):
        for insurer in (B, C):
            world[insurer].script.clear()
            world[insurer].script.append("insured-but-lost")
        await world.submit(application(f"app-{number}"), context())
    world.adapters.missing.add(A)
    world.clock.move(2)
    await ReconciliationWorker(world.reconcile).round()
    assert [(await world.get(f"app-{n}")).state for n in range(3)] == [OrderState.INSURED] * 3
    assert (await world.get("stuck")).state is OrderState.ABNORMAL


async def test_defects_are_raised_after_all_have_had_their_turn() -> None:
    done: list[int] = []

    async def work(item: int) -> None:
        done.append(item)
        if item == 1:
            raise ValueError("a defect")
        if item == 2:
            raise InsurerNotConfigured("no adapter")
        if item == 3:
            raise Unavailable("no store")

    with pytest.raises(ExceptionGroup) as raised:
        await each(work, range(6), concurrency=2, worker="test")
    assert [type(error) for error in raised.value.exceptions] == [ValueError]
    assert sorted(done) == list(range(6))
    with pytest.raises(Unavailable):
        await each(work, [3], concurrency=2, worker="test")


async def test_a_store_that_does_not_answer_does_not_end_a_worker() -> None:
    stopping = asyncio.Event()
    rounds = 0

    async def one() -> bool:
        nonlocal rounds
        rounds += 1
        if rounds < 3:
            raise Unavailable("no store")
        stopping.set()
        return False

    await Rounds("test", one, idle_seconds=0.001).run(stopping)
    assert rounds == 3


async def test_a_defect_leaves_the_worker_to_be_logged_and_started_again() -> None:
    async def one() -> bool:
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        await Rounds("test", one, idle_seconds=0.001).run(asyncio.Event())
