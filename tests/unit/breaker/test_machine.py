"""The transition table, explored whole."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import pytest

from sluice_server.domain.breaker.machine import (
    MAXIMUM_HOLD_FACTOR,
    TRANSITIONS,
    BreakerEvent,
    Facts,
    admission,
    advance,
    hold_until,
    next_state,
    steps_left,
)
from sluice_server.domain.breaker.model import BreakerMode, BreakerPolicy, BreakerState
from sluice_server.domain.errors import AbnormalOrdersRemain, FailedPrecondition, IllegalTransition
from tests.unit.breaker.builders import at, breaker

S, E = BreakerState, BreakerEvent

ALL_FACTS = [
    Facts(confirmed, hold, completed, abnormal, steps)
    for confirmed, hold, completed, abnormal, steps in itertools.product(
        (False, True), (0.0, 5.0), (False, True), (0, 3), (0, 1)
    )
]
EVERYTHING = list(itertools.product(S, E, ALL_FACTS))
CUT = (S.OPEN, S.CONFIRMED, S.RETRYING)


def refusal(state: BreakerState, event: BreakerEvent, facts: Facts) -> FailedPrecondition | None:
    """Why the event is refused; None where it is not."""
    try:
        next_state(state, event, facts)
    except FailedPrecondition as refused:
        return refused
    return None


def outcome_of(state: BreakerState, event: BreakerEvent, facts: Facts) -> BreakerState | None:
    """The next state; None where it is refused."""
    return None if refusal(state, event, facts) else next_state(state, event, facts)


def test_every_refusal_says_the_state_and_where_the_event_is_possible() -> None:
    refusals = [(case, refused) for case in EVERYTHING if (refused := refusal(*case))]
    assert len(refusals) > 100
    for (state, event, facts), refused in refusals:
        assert refused.metadata["state"] == state
        if isinstance(refused, AbnormalOrdersRemain):
            assert refused.metadata["abnormal_orders"] == str(facts.abnormal_orders) == "3"
        else:
            assert isinstance(refused, IllegalTransition)
            assert refused.metadata["event"] == event
            assert set(refused.metadata["allowed_states"].split(",")) == set(TRANSITIONS[event])


def test_traffic_returns_only_by_restore_or_override_and_closed_is_reached_only_by_the_end_of_the_ramp() -> None:
    for state, event, facts in EVERYTHING:
        after = outcome_of(state, event, facts)
        if after is None or after is state:
            continue
        if after is S.CLOSED:
            assert (state, event, facts.steps_left) == (S.RAMPING, E.RAMP_DONE, 0)
        if after is S.RAMPING:
            assert facts.confirmed
            if event is E.RESTORE:
                assert (state, facts.retries_completed, facts.abnormal_orders) == (S.RETRYING, True, 0)
            else:
                assert event is E.OVERRIDE
                assert state in (S.CONFIRMED, S.RETRYING)


def test_no_path_leads_from_open_to_closed_without_confirmation_and_retries_or_override() -> None:
    """Walks every path whose facts are what happened on it: who has confirmed, which retries are completed."""
    start = (S.OPEN, False, False, False)
    reached, todo = {start}, [start]
    closed = set()
    while todo:
        state, confirmed, completed, overridden = todo.pop()
        for event, abnormal, steps in itertools.product(E, (0, 3), (0, 1)):
            facts = Facts(confirmed, 0.0, completed, abnormal, steps)
            after = outcome_of(state, event, facts)
            if after is None:
                continue
            now = (
                after,
                after is not S.OPEN and (confirmed or event is E.CONFIRM),
                after is not S.OPEN and (completed or event is E.RETRY_COMPLETED) and event is not E.START_RETRY,
                after is not S.OPEN and (overridden or event is E.OVERRIDE),
            )
            if after is S.CLOSED:
                closed.add(now)
            elif now not in reached:
                reached.add(now)
                todo.append(now)
    assert closed, "there is a way back"
    for _, confirmed, completed, overridden in closed:
        assert confirmed
        assert completed or overridden
    assert {state for state, *_ in reached} == set(S) - {S.CLOSED}


@dataclass(frozen=True)
class _World:
    """A breaker as stored, with what has happened since its cut, and what two replicas have read of it."""

    stored: BreakerState
    confirmed: bool = False
    completed: bool = False
    overridden: bool = False
    cuts: int = 0
    read: tuple[bool | None, ...] = (None, None)
    """Of each replica: whether its reading is still what is stored; None for one that has read nothing."""


def _reads(world: _World, replica: int) -> _World:
    return replace(world, read=tuple(True if n == replica else seen for n, seen in enumerate(world.read)))


def _writes(world: _World, replica: int, event: BreakerEvent, abnormal: int, steps: int) -> _World | None:
    """Compare and set; None where the event is refused. A reading that is old writes nothing."""
    facts = Facts(world.confirmed, 0.0, world.completed, abnormal, steps)
    if outcome_of(world.stored, event, facts) is None:
        return None
    if not world.read[replica]:
        return world
    before = breaker(state=world.stored, incident_id="inc-1" if world.stored is not S.CLOSED else "")
    after = advance(before, event, facts, at(1), incident_id="inc-1")
    # The completion of the retries changes no state, but it is written and compared all the same.
    if after is before and event is not E.RETRY_COMPLETED:
        return world
    cut = after.state is S.OPEN
    return _World(
        after.state,
        not cut and after.state is not S.CLOSED and (world.confirmed or event is E.CONFIRM),
        not cut and (world.completed or event is E.RETRY_COMPLETED) and event is not E.START_RETRY,
        not cut and (world.overridden or event is E.OVERRIDE),
        min(2, world.cuts + 1) if cut else 0 if after.state is S.CLOSED else world.cuts,
        (False, False),
    )


def test_two_replicas_in_whatever_order_leave_nothing_but_what_one_could_have_done() -> None:
    """Every interleaving of two that read, judge and write: whoever has read what is not stored any more writes
    nothing, so one outage is one cut, and no two halves of two recoveries make a whole."""
    start = _World(S.CLOSED)
    reached, todo = {start}, [start]
    while todo:
        world = todo.pop()
        after = [_reads(world, replica) for replica in (0, 1)]
        for replica, event, abnormal, steps in itertools.product((0, 1), E, (0, 3), (0, 1)):
            if world.read[replica] is None:
                continue
            written = _writes(world, replica, event, abnormal, steps)
            if written is None:
                continue
            if not world.read[replica]:
                assert written is world
            if written.cuts > world.cuts:
                # A trip is recorded once: who has read the same before it is told that it was too late.
                assert written.read == (False, False)
                assert world.stored in (S.CLOSED, S.RAMPING, S.RETRYING)
            if written.stored is S.RAMPING and world.stored is not S.RAMPING:
                assert world.confirmed
                assert world.completed or written.overridden
            if written.stored is S.CLOSED and world.stored is not S.CLOSED:
                assert world.stored is S.RAMPING
            after.append(written)
        for each in after:
            if each not in reached:
                reached.add(each)
                todo.append(each)
    assert {world.stored for world in reached} == set(S)
    assert len(reached) > 50


def test_a_repeated_event_changes_nothing() -> None:
    for state, event, facts in EVERYTHING:
        after = outcome_of(state, event, facts)
        if after is None:
            continue
        again = outcome_of(after, event, facts)
        # A step, done again, is the next step; all others either change nothing or are refused.
        assert again in (after, None)


def test_a_trip_cuts_where_traffic_flows_and_never_disturbs_a_recovery() -> None:
    for state in S:
        after = next_state(state, E.TRIP, Facts())
        assert after is (S.OPEN if state in (S.CLOSED, S.RAMPING) else state)


@pytest.mark.parametrize("state", CUT)
@pytest.mark.parametrize("mode", [BreakerMode.ENFORCING, BreakerMode.METRICS_ONLY])
def test_no_traffic_while_cut(state: BreakerState, mode: BreakerMode) -> None:
    admitted = admission(breaker(state=state, mode=mode))
    assert admitted.admitted_basis_points == 0
    assert state in admitted.reason


@pytest.mark.parametrize("state", S)
def test_forced_modes_hold_whatever_the_state(state: BreakerState) -> None:
    assert admission(breaker(state=state, mode=BreakerMode.FORCED_OPEN)).admitted_basis_points == 0
    assert admission(breaker(state=state, mode=BreakerMode.FORCED_CLOSED)).admitted_basis_points == 10_000


def test_the_ramp_admits_its_steps_one_after_the_other() -> None:
    ramping = breaker(state=S.RAMPING, incident_id="inc-1")
    shares = []
    while ramping.state is S.RAMPING:
        shares.append(admission(ramping).admitted_basis_points)
        left = steps_left(ramping)
        ramping = advance(ramping, E.STEP if left else E.RAMP_DONE, Facts(steps_left=left), at(10))
    assert shares == list(BreakerPolicy().ramp_steps_basis_points)
    assert (ramping.state, ramping.incident_id, ramping.trips_in_a_row) == (S.CLOSED, "", 0)


def test_fewer_steps_than_before_leave_the_last_one_in_force() -> None:
    ramping = breaker(state=S.RAMPING, ramp_step=2, policy={"ramp_steps_basis_points": (1000,)})
    assert admission(ramping).admitted_basis_points == 1000
    assert steps_left(ramping) == 0


def test_the_first_cut_names_its_incident_and_a_further_one_keeps_it() -> None:
    opened = advance(breaker(), E.TRIP, Facts(), at(5), incident_id="inc-1")
    assert (opened.incident_id, opened.trips_in_a_row, opened.state_since) == ("inc-1", 1, at(5))
    ramping = replace(opened, state=S.RAMPING)
    again = advance(ramping, E.TRIP, Facts(), at(9), incident_id="inc-2")
    assert (again.incident_id, again.trips_in_a_row) == ("inc-1", 2)


def test_evidence_begins_anew_when_traffic_returns() -> None:
    retrying = breaker(state=S.RETRYING, incident_id="inc-1")
    ramping = advance(retrying, E.RESTORE, Facts(confirmed=True, retries_completed=True), at(50))
    assert ramping.evidence_since == at(50)


def test_an_event_that_changes_nothing_gives_back_the_very_same_breaker() -> None:
    opened = breaker(state=S.OPEN)
    assert advance(opened, E.TRIP, Facts(), at(1)) is opened


def test_the_hold_time_doubles_with_every_trip_in_a_row_up_to_a_limit() -> None:
    def hold(trips: int) -> float:
        opened = breaker(state=S.OPEN, trips_in_a_row=trips, policy={"hold_seconds": 10.0})
        return (hold_until(opened) - opened.state_since).total_seconds()

    assert [hold(trips) for trips in (1, 2, 3)] == [10.0, 20.0, 40.0]
    assert hold(50) == 10.0 * MAXIMUM_HOLD_FACTOR


def test_the_version_is_left_to_the_store() -> None:
    opened = advance(breaker(), E.TRIP, Facts(), at(5), incident_id="inc-1")
    assert opened.version == breaker().version
