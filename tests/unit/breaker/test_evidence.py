"""What counts as evidence, and what trips."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_server.domain.breaker.backlog import BacklogCounts
from sluice_server.domain.breaker.evidence import ScopeEvidence
from sluice_server.domain.breaker.evidence_book import EvidenceBook
from sluice_server.domain.breaker.evidence_source import BacklogCount
from sluice_server.domain.breaker.model import BreakerState, EvidenceKind, Scope
from sluice_server.domain.orders.model import Outcome, SubmissionKind
from tests.unit.breaker.builders import B, Outcomes, at, breaker

SUCCESS, FAILED = Outcome.SUCCESS, Outcome.TECHNICAL_FAILURE
SCREEN = Scope("insurer-b", "screen")


@pytest.fixture
def outcomes() -> Outcomes:
    return Outcomes()


def test_a_dead_insurer_trips_with_its_sixth_order_whatever_went_before(outcomes: Outcomes) -> None:
    scope = ScopeEvidence(breaker())
    for n in range(1_000):
        scope.observe(outcomes(SUCCESS, n * 0.05))
    for n in range(5):
        scope.observe(outcomes(FAILED, 50 + n))
        assert scope.evidence(at(50 + n)).tripped == ()
    scope.observe(outcomes(FAILED, 56))
    seen = scope.evidence(at(56))
    assert seen.tripped == (EvidenceKind.SEQUENTIAL,)
    assert seen.orders_since_first_failure == 6
    assert seen.first_failure_at == at(50 - 0.2)


def test_jitter_of_two_percent_never_trips(outcomes: Outcomes) -> None:
    scope, draw = ScopeEvidence(breaker()), random.Random(3)
    for n in range(100_000):
        seconds = n / 20
        scope.observe(outcomes(FAILED if draw.random() < 0.02 else SUCCESS, seconds))
        if n % 20 == 0:
            assert scope.evidence(at(seconds)).tripped == ()


@pytest.mark.parametrize("outcome", [Outcome.BUSINESS_REJECTION, Outcome.CALLER_FAULT])
def test_an_answer_that_says_nothing_about_the_interface_is_no_evidence(outcomes: Outcomes, outcome: Outcome) -> None:
    scope = ScopeEvidence(breaker())
    for n in range(500):
        scope.observe(outcomes(outcome, n * 0.01, latency=60.0))
    seen = scope.evidence(at(5))
    assert (seen.outcomes, seen.failures, seen.slow, seen.tripped) == (0, 0, 0, ())


def test_unknown_outcomes_count_as_failures(outcomes: Outcomes) -> None:
    scope = ScopeEvidence(breaker())
    for n in range(6):
        scope.observe(outcomes(Outcome.UNKNOWN, 1 + n))
    assert EvidenceKind.SEQUENTIAL in scope.evidence(at(6)).tripped


def test_retried_orders_are_no_evidence_of_the_normal_stream(outcomes: Outcomes) -> None:
    scope = ScopeEvidence(breaker())
    for n in range(50):
        scope.observe(outcomes(FAILED, n * 0.1, kind=SubmissionKind.RETRY))
    assert scope.evidence(at(5)).tripped == ()


def test_what_began_before_traffic_returned_is_void(outcomes: Outcomes) -> None:
    scope = ScopeEvidence(breaker(evidence_since=at(100)))
    for n in range(20):
        scope.observe(outcomes(FAILED, 101, latency=2.0 + n))
    assert scope.evidence(at(102)).outcomes == 0


def test_evidence_is_forgotten_when_traffic_returns(outcomes: Outcomes) -> None:
    scope = ScopeEvidence(breaker())
    for n in range(10):
        scope.observe(outcomes(FAILED, n))
    scope.follow(breaker(state=BreakerState.RAMPING, evidence_since=at(20), state_since=at(20)))
    seen = scope.evidence(at(20))
    assert (seen.outcomes, seen.sequential_statistic, seen.tripped) == (0, 0.0, ())


def test_half_of_the_outcomes_failing_trips_the_rate_from_the_minimum_volume_on(outcomes: Outcomes) -> None:
    # A sequential test that will not trip, so that the rate is alone.
    policy = {"normal_failure_rate": 0.49, "outage_failure_rate": 0.99}
    scope = ScopeEvidence(breaker(policy=policy))
    for n in range(19):
        scope.observe(outcomes(FAILED if n % 2 == 0 else SUCCESS, 1 + n * 0.05))
    assert scope.evidence(at(2)).tripped == ()
    scope.observe(outcomes(SUCCESS, 2))
    assert scope.evidence(at(2)).tripped == (EvidenceKind.FAILURE_RATE,)
    assert scope.evidence(at(63)).outcomes == 0, "the window has slid on"


def test_slow_answers_trip_also_when_they_succeed(outcomes: Outcomes) -> None:
    scope = ScopeEvidence(breaker())
    for n in range(20):
        scope.observe(outcomes(SUCCESS, 20 + n, latency=10.5 if n < 16 else 0.1))
    assert scope.evidence(at(40)).tripped == (EvidenceKind.SLOW_RATE,)


@pytest.mark.parametrize(
    ("orders", "unfinished", "trips"),
    [(60, 19, False), (60, 20, True), (67, 20, False), (20, 20, True), (0, 0, False)],
)
def test_backlog_needs_the_count_and_the_ratio(orders: int, unfinished: int, trips: bool) -> None:
    scope = ScopeEvidence(breaker())
    scope.set_backlog(BacklogCount(B, orders, unfinished, at(0) if unfinished else None))
    seen = scope.evidence(at(90))
    assert (EvidenceKind.BACKLOG in seen.tripped) is trips
    assert seen.oldest_unfinished_seconds == (90 if unfinished else 0)


def test_orders_without_any_answer_trip_like_failures_in_a_row() -> None:
    scope = ScopeEvidence(breaker())
    scope.set_silence(BacklogCount(B, 5, 5, at(10)))
    assert scope.evidence(at(50)).tripped == ()
    scope.set_silence(BacklogCount(B, 6, 6, at(10)))
    seen = scope.evidence(at(50))
    assert seen.tripped == (EvidenceKind.SEQUENTIAL,)
    assert (seen.orders_since_first_failure, seen.first_failure_at) == (6, at(10))


def test_while_ramping_two_failures_among_few_trip_and_one_does_not(outcomes: Outcomes) -> None:
    scope = ScopeEvidence(breaker(state=BreakerState.RAMPING))
    for n in range(4):
        scope.observe(outcomes(SUCCESS, n + 1))
    scope.observe(outcomes(FAILED, 5))
    assert scope.evidence(at(5)).tripped == ()
    scope.observe(outcomes(FAILED, 6))
    assert scope.evidence(at(6)).tripped == (EvidenceKind.FAILURE_RATE,)


def test_a_step_counts_its_own_outcomes(outcomes: Outcomes) -> None:
    ramping = breaker(state=BreakerState.RAMPING)
    scope = ScopeEvidence(ramping)
    for n in range(3):
        scope.observe(outcomes(SUCCESS, n + 1))
    assert scope.step_outcomes == 3
    scope.follow(replace(ramping, ramp_step=1, state_since=at(10)))
    assert scope.step_outcomes == 0
    scope.observe(outcomes(SUCCESS, 9.9))
    scope.observe(outcomes(SUCCESS, 10.1))
    assert scope.step_outcomes == 1


def test_a_changed_threshold_holds_at_once_and_keeps_what_was_seen(outcomes: Outcomes) -> None:
    scope = ScopeEvidence(breaker())
    for n in range(10):
        scope.observe(outcomes(FAILED if n in (0, 5) else SUCCESS, 1 + n * 0.1))
    assert scope.evidence(at(2)).tripped == ()
    scope.follow(breaker(policy={"minimum_volume": 10, "failure_rate": 0.2}))
    assert scope.evidence(at(2)).tripped == (EvidenceKind.FAILURE_RATE,)


def test_an_outcome_counts_for_its_product_line_and_its_insurer_and_nobody_else(outcomes: Outcomes) -> None:
    book = EvidenceBook()
    book.follow([breaker(), breaker(SCREEN), breaker(Scope("insurer-b", "tv")), breaker(Scope("insurer-a"))])
    book.observe(outcomes(FAILED, 1))
    book.observe(outcomes(FAILED, 1, scope=Scope("insurer-z", "screen")))
    failures = {str(scope): known.evidence(at(1)).failures for scope, known in book.scopes().items()}
    assert failures == {"insurer-b": 1, "insurer-b/screen": 1, "insurer-b/tv": 0, "insurer-a": 0}


def test_the_backlog_of_an_insurer_is_that_of_all_its_product_lines() -> None:
    counts = BacklogCounts(
        [
            BacklogCount(Scope("insurer-a", "tv"), 100, 50, at(1)),
            BacklogCount(SCREEN, 10, 2, at(5)),
            BacklogCount(Scope("insurer-b", "tv"), 7, 1, at(3)),
        ]
    )
    assert counts.of(B) == BacklogCount(B, 17, 3, at(3))
    assert counts.of(SCREEN) == BacklogCount(SCREEN, 10, 2, at(5))
    assert counts.of(B, without={"screen"}) == BacklogCount(B, 7, 1, at(3))
    assert counts.of(Scope("insurer-c")) is None
    assert counts.of(Scope("insurer-a", "screen")) is None


@given(
    st.lists(
        st.tuples(st.floats(1, 300), st.sampled_from(list(Outcome))),
        max_size=80,
    ),
    st.floats(0, 60),
)
def test_the_window_holds_what_ended_in_it_to_the_second(events: list[tuple[float, Outcome]], after: float) -> None:
    outcomes, scope = Outcomes(), ScopeEvidence(breaker())
    # Nearly in order, as records of several replicas come.
    for seconds, outcome in sorted(events, key=lambda event: event[0] // 3):
        scope.observe(outcomes(outcome, seconds))
    now = max((seconds for seconds, _ in events), default=1.0) + after
    seen = scope.evidence(at(now))
    contrasting = [(s, o) for s, o in events if o in (SUCCESS, FAILED, Outcome.UNKNOWN)]
    surely = [o for s, o in contrasting if s > now - 60 + 1e-3]
    perhaps = [o for s, o in contrasting if s >= now - 61]
    assert len(surely) <= seen.outcomes <= len(perhaps)
    assert sum(o is not SUCCESS for o in surely) <= seen.failures <= sum(o is not SUCCESS for o in perhaps)


def test_memory_does_not_grow_with_time(outcomes: Outcomes) -> None:
    scope = ScopeEvidence(breaker())
    for n in range(10_000):
        scope.observe(outcomes(SUCCESS, n))
        scope.evidence(at(n))
    assert len(scope._window) <= 62
