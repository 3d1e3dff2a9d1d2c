"""Whatever is done in whatever order: the store never shows what must not be."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from sluice_server.domain.breaker.model import Breaker, BreakerMode, BreakerState, Incident
from sluice_server.domain.errors import ConcurrentChange, FailedPrecondition, PermissionDenied
from tests.integration.breaker.insurers import A, B, C
from tests.integration.breaker.world import LI, WANG, a_breaker_world, by, command
from tests.support.postgres import Postgres

people = st.sampled_from([WANG, LI])
CUTS = {"TRIPPED", "TRIPPED_AGAIN", "CUT_MANUALLY", "RETRY_FAILED"}


class AnyOrder(RuleBasedStateMachine):
    """One insurer, two people, two replicas."""

    def database(self) -> AbstractAsyncContextManager[str]:
        """The URL of a fresh one."""
        return _a_file()

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._opened = AsyncExitStack()
        self._run(self._open(self.database()))

    async def _open(self, database: AbstractAsyncContextManager[str]) -> None:
        url = await self._opened.enter_async_context(database)
        self.world = await self._opened.enter_async_context(a_breaker_world(url))
        self.other = await self._opened.enter_async_context(a_breaker_world(url, self.world.clock))
        await self.world.know(A, B, C, ramp_dwell_seconds=1.0, ramp_minimum_outcomes=2)

    def teardown(self) -> None:
        self._run(self._opened.aclose())
        self._runner.close()

    def _run(self, work: Awaitable[Any]) -> Any:
        async def run() -> Any:
            return await work

        return self._runner.run(run())

    def _try(self, work: Awaitable[Any]) -> None:
        """A call that may be refused; a refused one changes nothing."""
        before = self._run(self.world.breaker())
        try:
            self._run(work)
        except (FailedPrecondition, PermissionDenied):
            assert self._run(self.world.breaker()) == before

    @rule(how=st.sampled_from(["success", "fail", "lost"]), count=st.integers(1, 8))
    def orders_arrive(self, how: str, count: int) -> None:
        self.world.a.answers = how
        self._run(self.world.submit(count))
        self.world.a.answers = "success"

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 40.0]))
    def the_watch_looks(self, seconds: float) -> None:
        self._run(self.world.tick(seconds))

    @rule(seconds=st.sampled_from([0.0, 2.0]))
    def both_watches_look_at_once(self, seconds: float) -> None:
        self.world.clock.move(seconds)
        self._run(asyncio.gather(self.world.watch.tick(), self.other.watch.tick()))

    @rule(who=people, there=st.booleans())
    def somebody_cuts(self, who: str, there: bool) -> None:
        self._try((self.other if there else self.world).control.cut_traffic(command(), by(who)))

    @rule(who=people, there=st.booleans())
    def somebody_confirms(self, who: str, there: bool) -> None:
        self._try((self.other if there else self.world).confirm(who))

    @rule(override=st.booleans())
    def one_confirms_while_another_restores(self, override: bool) -> None:
        """Whoever is later judges what the other has left, or is told to read again."""
        answers = self._run(
            asyncio.gather(self.world.confirm(WANG), self.other.restore(LI, override=override), return_exceptions=True)
        )
        for answer in answers:
            assert isinstance(answer, Breaker | FailedPrecondition | PermissionDenied | ConcurrentChange)

    @rule(who=people, fails=st.booleans())
    def somebody_retries(self, who: str, fails: bool) -> None:
        if fails:
            self.world.a.next_answers.append("fail")
        before = self._run(self.world.breaker())
        try:
            self._run(self.world.retry(who))
        except FailedPrecondition:
            assert self._run(self.world.breaker()) == before
        self.world.a.next_answers.clear()

    @rule(who=people, override=st.booleans())
    def somebody_restores(self, who: str, override: bool) -> None:
        self._try(self.world.restore(who, override=override))

    @rule(mode=st.sampled_from([BreakerMode.ENFORCING, BreakerMode.METRICS_ONLY]))
    def the_mode_changes(self, mode: BreakerMode) -> None:
        self._run(self.world.control.set_breaker_mode(command(), mode, by()))

    @invariant()
    def what_is_shown_is_what_is_stored(self) -> None:
        breaker = self._run(self.world.breaker())
        for replica in (self.world, self.other):
            self._run(replica.board.refresh())
            self._check_admitted(breaker, replica.admitted())

    def _check_admitted(self, breaker: Breaker, admitted: int) -> None:
        if breaker.state is BreakerState.CLOSED:
            assert (admitted, breaker.incident_id) == (10_000, "")
        elif breaker.state is BreakerState.RAMPING:
            assert 0 < admitted < 10_000
        else:
            assert admitted == 0

    @invariant()
    def at_most_one_incident_is_open_and_it_is_the_breakers(self) -> None:
        page = self._run(self.world.control.list_incidents(insurer_id=A, open_only=True, before="", limit=10))
        breaker = self._run(self.world.breaker())
        open_ids = [view.incident.incident_id for view in page.incidents]
        assert open_ids == ([breaker.incident_id] if breaker.incident_id else [])

    @invariant()
    def traffic_has_returned_only_by_two_keys_and_completed_retries(self) -> None:
        for incident_id in self._run(self.world.incident_ids()):
            _check_timeline(self._run(self.world.incident(incident_id)).incident)

    @invariant()
    def every_change_of_the_breaker_is_in_the_audit_trail(self) -> None:
        page = self._run(
            self.world.control.list_audit_events(subject="insurers/insurer-a", actor="", before="", limit=1_000)
        )
        # One row makes the insurer; the completion of retries and a cut that was not made change no breaker.
        silent = {"CreateInsurer", "breaker.retry_completed", "breaker.would_have_cut", "breaker.kept"}
        changes = [event for event in page.events if event.action not in silent]
        # A retry that goes on is in the trail without a change.
        assert len(changes) >= self._run(self.world.breaker()).version - 1


def _check_timeline(incident: Incident) -> None:
    confirmed_by, completed = "", False
    for event in incident.events:
        if event.kind in CUTS or event.kind == "RETRY_STARTED":
            completed = False
        if event.kind in CUTS:
            confirmed_by = ""
        elif event.kind == "RECOVERY_CONFIRMED":
            confirmed_by = event.actor
        elif event.kind == "RETRY_COMPLETED":
            completed = True
        elif event.kind in ("TRAFFIC_RESTORED", "OVERRIDDEN"):
            assert confirmed_by
            assert confirmed_by != event.actor
            assert completed or event.kind == "OVERRIDDEN"


@asynccontextmanager
async def _a_file() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite+aiosqlite:///{Path(folder, 'store.db')}"


@asynccontextmanager
async def _a_database(server: Postgres) -> AsyncIterator[str]:
    name = await server.create_database()
    yield server.url(name)
    await server.drop_database(name)


def _explore(machine: type[AnyOrder], examples: int) -> None:
    health = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=12, deadline=None, suppress_health_check=health),
    )


def test_whatever_is_done_in_whatever_order_on_sqlite() -> None:
    _explore(AnyOrder, 8)


def test_whatever_is_done_in_whatever_order_on_postgresql(postgres_server: Postgres) -> None:
    class OnPostgres(AnyOrder):
        def database(self) -> AbstractAsyncContextManager[str]:
            return _a_database(postgres_server)

    _explore(OnPostgres, 4)
