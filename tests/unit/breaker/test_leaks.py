"""Submissions that went to a cut insurer."""

from __future__ import annotations

from sluice_server.domain.breaker.leaks import LeakCount, cut_intervals
from sluice_server.domain.breaker.model import BreakerState, Evidence, Incident, IncidentEvent, IncidentEventKind
from sluice_server.domain.orders.model import Outcome, SubmissionKind
from tests.unit.breaker.builders import B, Outcomes, at, breaker

K = IncidentEventKind


def incident(*events: tuple[IncidentEventKind, float]) -> Incident:
    lines = tuple(IncidentEvent(kind, at(seconds), "sluice") for kind, seconds in events)
    return Incident("inc-1", B, at(events[0][1]), Evidence(B, at(0)), {}, events=lines)


def test_a_cut_lasts_until_traffic_returns_and_begins_again_with_the_next_trip() -> None:
    timeline = incident(
        (K.TRIPPED, 10),
        (K.RECOVERY_CONFIRMED, 20),
        (K.RETRY_FAILED, 30),
        (K.TRAFFIC_RESTORED, 40),
        (K.RAMP_STEP, 45),
        (K.TRIPPED_AGAIN, 50),
    )
    assert cut_intervals(timeline) == [(at(10), at(40)), (at(50), None)]


def test_what_began_after_the_cut_is_counted_once_and_retries_are_not() -> None:
    outcomes, leaks = Outcomes(), LeakCount()
    opened = breaker(state=BreakerState.OPEN, incident_id="inc-1", trips_in_a_row=1)
    assert not leaks.knows(opened)
    leaks.learn(opened, incident((K.TRIPPED, 10)))
    assert leaks.knows(opened)
    leaked = outcomes(Outcome.SUCCESS, 12)
    for record in (
        outcomes(Outcome.TECHNICAL_FAILURE, 12, latency=5.0),
        leaked,
        leaked,
        outcomes(Outcome.SUCCESS, 13, kind=SubmissionKind.RETRY),
    ):
        leaks.observe(record)
    assert leaks.of("inc-1") == 1


def test_a_further_trip_is_learned_anew() -> None:
    leaks = LeakCount()
    opened = breaker(state=BreakerState.OPEN, incident_id="inc-1", trips_in_a_row=1)
    leaks.learn(opened, incident((K.TRIPPED, 10)))
    assert not leaks.knows(breaker(state=BreakerState.RAMPING, incident_id="inc-1", trips_in_a_row=1))
    assert not leaks.knows(breaker(state=BreakerState.OPEN, incident_id="inc-1", trips_in_a_row=2))
