"""Replicas: a cut is seen everywhere at once, rules over all insurers hold whoever cuts, old news are not routed by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from sluice_server.domain.breaker.automatic import KEPT, AutomaticChanges
from sluice_server.domain.breaker.board import BreakerBoard
from sluice_server.domain.breaker.control import Confirmation
from sluice_server.domain.breaker.model import BreakerMode, BreakerState, Evidence, EvidenceKind, Scope
from sluice_server.domain.errors import Unavailable
from sluice_server.runtime.workers import Worker
from sluice_server.store.engine import create_engine
from sluice_server.store.notices import BREAKERS, PostgresNotices
from tests.integration.breaker.insurers import A, B, C
from tests.integration.breaker.world import BreakerWorld, a_breaker_world, by, command

NEVER = 3600.0
WITHIN_SECONDS = 1.0


@asynccontextmanager
async def running(*workers: Worker) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    tasks = [asyncio.create_task(worker.run(stopping)) for worker in workers]
    yield
    stopping.set()
    await asyncio.gather(*tasks)


async def until_admitted(board: BreakerBoard, part: int) -> None:
    """Waits, without looking again and again, until the board shows it; TimeoutError after a second."""
    async with asyncio.timeout(WITHIN_SECONDS):
        revision = board.revision
        while board.snapshot().admission(A, "screen").admitted_basis_points != part:
            revision = await board.changed(revision)


def evidence(world: BreakerWorld, insurer_id: str) -> Evidence:
    return Evidence(Scope(insurer_id), world.clock.now(), tripped=(EvidenceKind.SEQUENTIAL,))


@pytest.mark.parametrize("what", ["cut", "forced"])
async def test_a_poll_shows_another_replicas_cut_within_a_second(store_url: str, what: str) -> None:
    async with a_breaker_world(store_url) as one, a_breaker_world(store_url, one.clock) as two:
        await one.know(A, B, C)
        async with running(two.board):
            await until_admitted(two.board, 10_000)
            if what == "cut":
                await one.control.cut_traffic(command(), by())
            else:
                await one.control.set_breaker_mode(command(), BreakerMode.FORCED_OPEN, by())
            await until_admitted(two.board, 0)


async def test_a_changed_policy_is_in_force_on_another_replica_within_a_second(store_url: str) -> None:
    async with a_breaker_world(store_url) as one, a_breaker_world(store_url, one.clock) as two:
        await one.know(A, B, C)
        await two.board.refresh()
        async with running(two.board, two.watch), asyncio.timeout(WITHIN_SECONDS):
            revision = two.board.revision
            await one.change_policy(slow_seconds=3.0)
            while two.board.breakers[Scope(A)].policy.slow_seconds != 3.0:
                revision = await two.board.changed(revision)


class TestNotices:
    @pytest.fixture
    async def database(self, postgres_url: str) -> AsyncIterator[AsyncEngine]:
        engine = create_engine(postgres_url)
        yield engine
        await engine.dispose()

    @pytest.fixture
    async def one(self, postgres_url: str) -> AsyncIterator[BreakerWorld]:
        async with a_breaker_world(postgres_url) as made:
            await made.know(A, B, C)
            yield made

    @pytest.fixture
    async def two(self, postgres_url: str, one: BreakerWorld) -> AsyncIterator[BreakerWorld]:
        async with a_breaker_world(postgres_url, one.clock) as made:
            yield made

    @staticmethod
    def listening(world: BreakerWorld) -> tuple[BreakerBoard, PostgresNotices]:
        """A board whose poll never comes, so that only notices move it."""
        board = BreakerBoard(world.store, world.clock, refresh_seconds=NEVER)
        notices = world.store.notices({BREAKERS: board.notify})
        assert notices is not None
        return board, notices

    async def test_a_cut_is_heard_without_a_poll(self, one: BreakerWorld, two: BreakerWorld) -> None:
        board, notices = self.listening(two)
        async with running(board, notices):
            await notices.listening.wait()
            await one.control.cut_traffic(command(), by())
            await until_admitted(board, 0)

    async def test_a_change_that_is_not_committed_is_not_heard(self, one: BreakerWorld, two: BreakerWorld) -> None:
        board, notices = self.listening(two)
        async with running(board, notices):
            await notices.listening.wait()
            async with one.store.write() as uow:
                breaker = await uow.breakers.get(Scope(A))
                assert breaker is not None
                await uow.breakers.save(breaker)
            revision = board.revision
            await one.control.cut_traffic(command(), by())
            await until_admitted(board, 0)
            assert board.revision <= revision + 1

    async def test_a_lost_connection_is_opened_again_and_what_was_missed_is_read(
        self, one: BreakerWorld, two: BreakerWorld, database: AsyncEngine
    ) -> None:
        board, notices = self.listening(two)
        async with running(board, notices):
            await notices.listening.wait()
            notices.listening.clear()
            async with database.connect() as connection:
                others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
                assert (await connection.execute(text(others))).scalar_one()
            await one.control.cut_traffic(command(), by())
            async with asyncio.timeout(10):
                await notices.listening.wait()
            await until_admitted(board, 0)


async def test_sqlite_offers_no_notices(sqlite_url: str) -> None:
    async with a_breaker_world(sqlite_url) as world:
        assert world.store.notices({}) is None


async def test_two_replicas_that_cut_two_insurers_at_one_instant_leave_one(store_url: str) -> None:
    """Only A and B take traffic; each replica has judged one of them, on the same state of the store."""
    async with a_breaker_world(store_url) as one, a_breaker_world(store_url, one.clock) as two:
        await one.know(A, B, C)
        await one.control.cut_traffic(command(C), by())
        for _ in range(5):
            async with one.store.read() as uow:
                breakers = await uow.breakers.list()
            judged = {breaker.scope.insurer_id: breaker for breaker in breakers}
            await asyncio.gather(
                *(
                    AutomaticChanges(world.store, world.clock).trip(judged[name], evidence(world, name), breakers)
                    for world, name in ((one, A), (two, B))
                )
            )
            states = {name: (await one.breaker(name)).state for name in (A, B)}
            assert sorted(states.values()) == [BreakerState.CLOSED, BreakerState.OPEN]
            (cut,) = [name for name, state in states.items() if state is BreakerState.OPEN]
            # And back, for the next turn.
            told = {"insurer_id": cut}
            await one.control.confirm_recovery(command(**told), _confirmation(), by())
            await one.control.restore_traffic(command(**told), by("li.na"), override=True)
            await one.change_policy(cut, ramp_dwell_seconds=0.0, ramp_minimum_outcomes=1)
            await _close(one, cut)


async def test_a_trip_waits_for_the_cut_of_another_replica_and_then_keeps_the_last(postgres_url: str) -> None:
    async with a_breaker_world(postgres_url) as one, a_breaker_world(postgres_url, one.clock) as two:
        await one.know(A, B)
        async with one.store.read() as uow:
            breakers = await uow.breakers.list()
        async with one.store.write() as uow:
            await uow.breakers.serialise_cuts()
            changes = AutomaticChanges(two.store, two.clock)
            tripping = asyncio.create_task(changes.trip(breakers[1], evidence(two, B), breakers))
            await _until_somebody_waits_for_a_lock(postgres_url)
            assert not tripping.done()
            await uow.breakers.save(replace(breakers[0], state=BreakerState.OPEN))
            await uow.commit()
        assert not await tripping
        assert (await one.breaker(B)).state is BreakerState.CLOSED
        # The next look says why.
        await changes.trip(breakers[1], evidence(two, B), [await one.breaker(A), breakers[1]])
        (row,) = await one.audit(KEPT)
        assert "only insurer" in row.reason


async def test_an_old_state_is_routed_by_for_its_time_and_no_longer(sqlite_url: str) -> None:
    async with a_breaker_world(sqlite_url) as world:
        await world.know(A)
        await world.control.cut_traffic(command(), by())
        away = _Away(world)
        board = BreakerBoard(away.store, world.clock, lasts_seconds=30.0)
        assert board.snapshot().admission(A, "screen").admitted_basis_points == 10_000, "nothing was read yet"
        await board.refresh()
        away.gone = True
        for _ in range(30):
            world.clock.move(1.0)
            with pytest.raises(Unavailable):
                await board.refresh()
            assert board.snapshot().admission(A, "screen").admitted_basis_points == 0
            assert board.not_ready_because() == ""
        world.clock.move(0.001)
        with pytest.raises(Unavailable, match="30 seconds ago"):
            board.snapshot()
        assert "30 seconds ago" in board.not_ready_because()
        away.gone = False
        await board.refresh()
        assert board.snapshot().admission(A, "screen").admitted_basis_points == 0
        assert board.not_ready_because() == ""


class _Away:
    """A store that can be unreachable."""

    def __init__(self, world: BreakerWorld) -> None:
        self.gone = False
        self.store: Any = SimpleNamespace(read=self._read)
        self._world = world

    def _read(self) -> Any:
        if self.gone:
            raise Unavailable("away")
        return self._world.store.read()


def _confirmation() -> Confirmation:
    return Confirmation("desk", "ticket")


async def _close(world: BreakerWorld, insurer_id: str) -> None:
    changes = AutomaticChanges(world.store, world.clock)
    while (ramping := await world.breaker(insurer_id)).state is BreakerState.RAMPING:
        world.clock.move(1.0)
        assert await changes.step(ramping)


async def _until_somebody_waits_for_a_lock(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    try:
        async with asyncio.timeout(10), engine.connect() as connection:
            while not (await connection.execute(waiting)).scalar_one():
                await connection.rollback()
                # PostgreSQL tells nobody when a session begins to wait.
                await asyncio.sleep(0.02)
    finally:
        await engine.dispose()
