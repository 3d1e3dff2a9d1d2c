"""Whatever happens in whatever order: nobody is insured twice, nothing is lost, the ledgers and the store agree."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sluice_server.domain.breaker.model import BreakerPolicy, BreakerState
from sluice_server.domain.orders.model import OrderState, Outcome
from sluice_server.domain.orders.ports import OrderFilter
from tests.integration.orders.mortal import Killed, Life, MortalDirectory, MortalLog, MortalStore
from tests.integration.orders.world import A, B, C, World, a_world, application, context

T = TypeVar("T")
BEHAVIOURS = st.sampled_from(["success", "decline", "fault", "fail", "lost", "insured-but-lost", "late", "defect"])
INSURERS = st.sampled_from([A, B, C])
APPLICATIONS = st.integers(0, 5)
LINES = ("screen", "screen", "solo", "kept", "screen", "refused")


class Orders(RuleBasedStateMachine):
    """Callers, insurers, breakers, workers and deaths, interleaved at will."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.exit = contextlib.AsyncExitStack()
        self.folder = tempfile.TemporaryDirectory()
        self.acknowledged: set[str] = set()
        self.world: World

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize()
    def open(self) -> None:
        url = f"sqlite+aiosqlite:///{Path(self.folder.name) / 'store.db'}"
        self.world = self.run(self.exit.enter_async_context(a_world(url)))

    @rule(insurer=INSURERS, behaviours=st.lists(BEHAVIOURS, min_size=1, max_size=3))
    def insurers_will_behave_like_this(self, insurer: str, behaviours: list[str]) -> None:
        self.world[insurer].script.extend(behaviours)

    @rule(insurer=INSURERS)
    def the_next_inquiry_fails(self, insurer: str) -> None:
        self.world[insurer].inquiries_fail += 1

    @rule(number=APPLICATIONS, seconds=st.sampled_from([0.05, 1.0, 60.0]))
    def somebody_submits(self, number: int, seconds: float) -> None:
        self.run(self._submit(number, seconds))
        self.acknowledged.add(f"app-{number}")

    @rule(number=APPLICATIONS, behaviour=BEHAVIOURS, seconds=st.sampled_from([0.0, 1.5, 9.0]))
    def somebody_submits_and_the_insurer_misbehaves(self, number: int, behaviour: str, seconds: float) -> None:
        for insurer in self.world.insurers.values():
            insurer.script.appendleft(behaviour)
        self.somebody_submits(number, 60)
        self.time_passes_and_workers_work(seconds)

    @rule(number=APPLICATIONS)
    def two_submit_at_once(self, number: int) -> None:
        async def both() -> None:
            await asyncio.gather(self._submit(number, 60), self._submit(number, 60))

        self.run(both())
        self.acknowledged.add(f"app-{number}")

    @rule(number=APPLICATIONS)
    def the_caller_goes_away_while_the_insurer_works(self, number: int) -> None:
        async def leave() -> None:
            for insurer in self.world.insurers.values():
                insurer.entered.clear()
                insurer.hold()
            call = asyncio.create_task(self._submit(number, 60))
            entered = [asyncio.create_task(i.entered.wait()) for i in self.world.insurers.values()]
            await asyncio.wait([call, *entered], return_when=asyncio.FIRST_COMPLETED)
            call.cancel()
            for insurer in self.world.insurers.values():
                insurer.release()
            await asyncio.gather(call, return_exceptions=True)
            for waiting in entered:
                waiting.cancel()
            await self.world.calls.drain()

        self.run(leave())

    @rule(number=APPLICATIONS, ends_at=st.integers(1, 12))
    def the_process_dies_while_it_submits(self, number: int, ends_at: int) -> None:
        self._mortal(ends_at)
        with contextlib.suppress(Killed):
            self.run(self._submit(number, 60))
        self.world.start_process()

    @rule(ends_at=st.integers(1, 25))
    def the_process_dies_while_its_workers_work(self, ends_at: int) -> None:
        self._mortal(ends_at)
        with contextlib.suppress(Killed):
            self.run(self.world.run_due())
        self.world.start_process()

    @rule(seconds=st.sampled_from([0.5, 3.0, 12.0, 45.0]))
    def time_passes_and_workers_work(self, seconds: float) -> None:
        self.world.clock.move(seconds)
        self.run(self.world.run_due())

    @rule(insurer=INSURERS)
    def an_insurer_is_cut_or_comes_back(self, insurer: str) -> None:
        self.world.traffic.cut ^= {insurer}

    @rule(insurer=INSURERS)
    def a_breaker_trips(self, insurer: str) -> None:
        self.run(self.world.trip_again(insurer))

    @rule(insurer=INSURERS)
    def a_recovery_retries(self, insurer: str) -> None:
        async def retry() -> None:
            incident_id = await self.world.open_incident(insurer)
            if incident_id:
                await self.world.move_breaker(insurer, BreakerState.RETRYING)
                steps = self.world.retry.retry_incident(incident_id, insurer, BreakerPolicy(), context())
                if [s async for s in steps if s.stops]:
                    await self.world.move_breaker(insurer, BreakerState.OPEN)
                else:
                    await self.world.move_breaker(insurer, BreakerState.CLOSED)

        self.run(retry())

    @invariant()
    def nobody_is_insured_twice(self) -> None:
        for number in range(6):
            assert len(self.world.insured_at(f"app-{number}")) <= 1

    @invariant()
    def what_is_acknowledged_is_stored_and_every_unfinished_order_will_be_looked_after(self) -> None:
        page = self.run(self.world.list(OrderFilter(), 100))
        assert {order.application_id for order in page.orders} >= self.acknowledged
        for order in page.orders:
            assert order.final == (order.next_attempt_at is None), order

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.run(self._heal_and_compare())
        finally:
            self.run(self.exit.aclose())
            self.runner.close()
            self.folder.cleanup()

    async def _heal_and_compare(self) -> None:
        world = self.world
        for insurer in world.insurers.values():
            insurer.script.clear()
            insurer.inquiries_fail = 0
            if await world.open_incident(insurer.name):
                await world.move_breaker(insurer.name, BreakerState.CLOSED)
        world.traffic.cut.clear()
        world.clock.move(120)
        await world.settle()
        for insurer in world.insurers.values():
            insurer.arrive()
        for listed in (await world.list(OrderFilter(), 100)).orders:
            order = await world.get(listed.application_id)
            assert order.final
            ledgers = world.insured_at(order.application_id)
            if order.state is OrderState.INSURED:
                assert ledgers == [order.insurer_id]
                assert world[order.insurer_id].applications[order.application_id] == order.policy_number
            else:
                assert ledgers == []
            assert not [s for s in order.submissions if s.standing is Outcome.SUCCESS] or ledgers
            for insurer_id in (A, B, C):
                assert len({s.idempotency_key for s in order.submissions if s.insurer_id == insurer_id}) <= 1

    async def _submit(self, number: int, seconds: float) -> None:
        world = self.world
        wanted = application(f"app-{number}", line=LINES[number])
        await world.submit(wanted, context(world.clock, seconds=seconds))

    def _mortal(self, ends_at: int) -> None:
        life = Life(ends_at)
        self.world.start_process(
            store=MortalStore(self.world.store, life),
            log=MortalLog(self.world.store.decision_log, life),
            adapters=MortalDirectory(self.world.adapters, life),
        )


TestOrders = Orders.TestCase
TestOrders.settings = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
