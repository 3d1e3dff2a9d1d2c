"""A process may die at any moment: whatever it was at, nobody is insured twice and nothing is lost."""

from __future__ import annotations

import contextlib
import itertools

import pytest

from sluice_server.domain.breaker.model import BreakerPolicy, BreakerState
from sluice_server.domain.errors import OrderNotFound
from sluice_server.domain.orders.model import Order, OrderState
from tests.integration.orders.mortal import Killed, Life, MortalDirectory, MortalLog, MortalStore
from tests.integration.orders.world import A, World, application, context

BEHAVIOURS = ["success", "fail", "lost", "insured-but-lost", "late"]


def _start_mortal(world: World, ends_at: int) -> Life:
    life = Life(ends_at)
    world.start_process(
        store=MortalStore(world.store, life),
        log=MortalLog(world.store.decision_log, life),
        adapters=MortalDirectory(world.adapters, life),
    )
    return life


async def _stored(world: World, application_id: str) -> Order | None:
    try:
        return await world.get(application_id)
    except OrderNotFound:
        return None


def _assert_insured_once(world: World, order: Order) -> None:
    assert order.state is OrderState.INSURED
    assert world.insured_at(order.application_id) == [order.insurer_id]
    assert world[order.insurer_id].applications[order.application_id] == order.policy_number


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
@pytest.mark.parametrize("repeated", [False, True], ids=["caller-goes-away", "caller-repeats"])
async def test_submit_may_die_anywhere(world: World, behaviour: str, repeated: bool) -> None:
    for ends_at in itertools.count(1):
        name = f"app-{ends_at}"
        world[A].script.clear()
        world[A].script.append(behaviour)
        life = _start_mortal(world, ends_at)
        with contextlib.suppress(Killed):
            await world.submit(application(name), context())
        world.start_process()
        if repeated or await _stored(world, name) is None:
            # Not acknowledged: the caller may repeat, and if nothing is stored, it must.
            if not repeated:
                assert world.insured_at(name) == []
            await world.submit(application(name), context())
        await world.settle()
        _assert_insured_once(world, await world.get(name))
        if not life.over:
            assert ends_at > 4, "the process met the world a few times"
            return


@pytest.mark.parametrize("behaviour", BEHAVIOURS[1:])
async def test_reconciliation_may_die_anywhere(world: World, behaviour: str) -> None:
    for ends_at in itertools.count(1):
        name = f"app-{ends_at}"
        world[A].script.clear()
        world[A].script.append(behaviour)
        for other in ("insurer-b", "insurer-c"):
            world[other].script.clear()
            world[other].script.append("fail")
        await world.submit(application(name), context())
        for other in ("insurer-b", "insurer-c"):
            world[other].script.clear()
        life = _start_mortal(world, ends_at)
        with contextlib.suppress(Killed):
            await world.settle()
        world.start_process()
        await world.settle()
        _assert_insured_once(world, await world.get(name))
        if not life.over:
            return


async def test_the_drain_of_parked_orders_may_die_anywhere(world: World) -> None:
    for ends_at in itertools.count(1):
        name = f"app-{ends_at}"
        world.traffic.cut = set(world.insurers)
        assert (await world.submit(application(name), context())).order.state is OrderState.PARKED
        world.traffic.cut = set()
        life = _start_mortal(world, ends_at)
        with contextlib.suppress(Killed):
            await world.settle()
        world.start_process()
        await world.settle()
        _assert_insured_once(world, await world.get(name))
        if not life.over:
            return


@pytest.mark.parametrize("behaviour", BEHAVIOURS[1:])
async def test_the_retries_of_a_recovery_may_die_anywhere_and_go_on(world: World, behaviour: str) -> None:
    incident_id = await world.trip(A, BreakerState.RETRYING)
    world.traffic.cut.clear()
    for ends_at in itertools.count(1):
        names = [f"app-{ends_at}-{number}" for number in range(3)]
        for name in names:
            world[A].script.clear()
            world[A].script.append(behaviour)
            left = (await world.submit(application(name, line="solo"), context())).order
            assert left.incident_id == incident_id
        world[A].script.clear()
        world.clock.move(60)
        life = _start_mortal(world, ends_at)
        with contextlib.suppress(Killed):
            async for _ in world.retry.retry_incident(incident_id, A, BreakerPolicy(), context()):
                continue
        world.start_process()
        steps = [s async for s in world.retry.retry_incident(incident_id, A, BreakerPolicy(), context())]
        assert not steps or steps[-1].remaining == 0
        for name in names:
            order = await world.get(name)
            _assert_insured_once(world, order)
            assert order.insurer_id == A
        if not life.over:
            return
