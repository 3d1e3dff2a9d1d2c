"""Whatever is done in whatever order: the store never shows what must not be."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sluice_server.domain.breaker.model import BreakerMode, BreakerState, Incident
from sluice_server.domain.errors import FailedPrecondition, PermissionDenied
from tests.integration.breaker.insurers import A, B, C
from tests.integration.breaker.world import LI, WANG, a_breaker_world, by, command

people = st.sampled_from([WANG, LI])
CUTS = {"TRIPPED", "TRIPPED_AGAIN", "CUT_MANUALLY", "RETRY_FAILED"}


class AnyOrder(RuleBasedStateMachine):
    """One insurer, two people, the watch."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._runner = asyncio.Runner()
        self._opened = a_breaker_world(f"sqlite+aiosqlite:///{Path(self._folder.name, 'store.db')}")
        self.world = self._run(self._opened.__aenter__())
        self._run(self.world.know(A, B, C, ramp_dwell_seconds=1.0, ramp_minimum_outcomes=2))

    def teardown(self) -> None:
        self._run(self._opened.__aexit__(None, None, None))
        self._runner.close()
        self._folder.cleanup()

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

    @rule(who=people)
    def somebody_cuts(self, who: str) -> None:
        self._try(self.world.control.cut_traffic(command(), by(who)))

    @rule(who=people)
    def somebody_confirms(self, who: str) -> None:
        self._try(self.world.confirm(who))

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
        self._run(self.world.board.refresh())
        breaker = self._run(self.world.breaker())
        admitted = self.world.admitted()
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


AnyOrder.TestCase.settings = settings(
    max_examples=8,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestAnyOrder = AnyOrder.TestCase
