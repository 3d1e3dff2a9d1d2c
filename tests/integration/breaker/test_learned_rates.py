"""What is normal for an insurer outlives a restart and is the same on all replicas."""

from __future__ import annotations

import pytest

from sluice_server.domain.breaker.learned_rates import EXCHANGE_EVERY
from sluice_server.domain.breaker.model import Scope
from sluice_server.domain.breaker.normal_rate import STEP, Learned
from tests.integration.breaker.insurers import START, A, B, C
from tests.integration.breaker.world import BreakerWorld, a_breaker_world

FLOOR = 0.02
AFTER_A_MINUTE = EXCHANGE_EVERY.total_seconds() + 1.0


async def written(world: BreakerWorld) -> dict[Scope, Learned]:
    async with world.store.read() as uow:
        return dict(await uow.breakers.learned_rates())


async def write(world: BreakerWorld, learned: Learned) -> None:
    async with world.store.write() as uow:
        await uow.breakers.write_learned_rates({Scope(A): learned})
        await uow.commit()


def normal(world: BreakerWorld) -> float:
    """p0 of insurer A."""
    seen = world.watch.evidence(Scope(A))
    assert seen is not None
    return seen.normal_failure_rate


async def test_what_was_learned_is_written_when_it_has_changed_enough(world: BreakerWorld) -> None:
    await world.tick()
    await world.submit(25)
    await world.tick(AFTER_A_MINUTE)
    assert (await written(world))[Scope(A)].orders == pytest.approx(25, abs=0.1)
    await world.submit(3)
    await world.tick(AFTER_A_MINUTE)
    assert (await written(world))[Scope(A)].orders == pytest.approx(25, abs=0.1), "three more do not matter"
    await world.submit(25)
    await world.tick(AFTER_A_MINUTE)
    assert (await written(world))[Scope(A)].orders == pytest.approx(53, abs=0.3)
    assert set(await written(world)) == {Scope(A)}


async def test_a_restart_knows_what_was_normal_and_counts_nothing_twice(store_url: str) -> None:
    async with a_breaker_world(store_url) as before:
        await before.know(A, B, C)
        await before.tick()
        await before.submit(30)
        through = before.clock.now().timestamp()
        await write(before, Learned(100.0, 1_000.0, 3, START.timestamp(), through))
        before.clock.move(20)
        await before.submit(25)
    async with a_breaker_world(store_url, before.clock) as after:
        await after.tick()
        assert normal(after) == pytest.approx(FLOOR * STEP**3)
        await after.submit(1)
        await after.tick(AFTER_A_MINUTE)
        # The 30 orders before are part of what was written; 26 came after it, and old ones are slowly forgotten.
        assert (await written(after))[Scope(A)].orders == pytest.approx(1_020.8, abs=1.0)


async def test_a_replica_follows_a_step_that_another_has_taken(world: BreakerWorld) -> None:
    await world.tick()
    await world.submit(5)
    await world.tick()
    assert normal(world) == FLOOR
    later = world.clock.now().timestamp() + 30.0
    await write(world, Learned(100.0, 2_000.0, 2, later, later))
    await world.tick(AFTER_A_MINUTE)
    assert normal(world) == pytest.approx(FLOOR * STEP**2)
