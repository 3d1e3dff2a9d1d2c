"""What is normal is learned: slowly, within bounds, outside of incidents; a product line borrows from its insurer."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_server.domain.breaker.evidence import ScopeEvidence
from sluice_server.domain.breaker.evidence_book import EvidenceBook
from sluice_server.domain.breaker.model import BreakerState, EvidenceKind, Scope
from sluice_server.domain.breaker.normal_rate import STEP, STEP_SECONDS, NormalRate
from sluice_server.domain.orders.model import Outcome
from tests.unit.breaker.builders import SCREEN, Outcomes, at, breaker

SUCCESS, FAILED = Outcome.SUCCESS, Outcome.TECHNICAL_FAILURE
FLOOR, CEILING = 0.02, 0.06
TV = Scope("insurer-b", "tv")


def feed(rate: NormalRate, failing: float, orders: int, *, per_second: float = 20.0, start: float = 0.0) -> float:
    """Evenly failing traffic; the moment after it."""
    owed = 0.0
    for n in range(orders):
        owed += failing
        failed = owed >= 1
        owed -= failed
        rate.observe(failed=failed, timestamp=start + n / per_second)
    return start + orders / per_second


def test_an_insurer_that_always_fails_a_little_gets_a_p0_of_its_own() -> None:
    rate = NormalRate(FLOOR, CEILING)
    feed(rate, 0.05, 400_000)
    assert rate.value == pytest.approx(FLOOR * STEP**4)
    assert rate.estimate == pytest.approx(0.05, rel=0.1)


def test_p0_rises_by_one_step_in_half_an_hour_however_much_traffic_there_is() -> None:
    rate = NormalRate(FLOOR, CEILING)
    feed(rate, 0.05, 300_000, per_second=300_000 / (STEP_SECONDS - 1))
    assert rate.value == FLOOR
    rate.observe(failed=False, timestamp=STEP_SECONDS)
    assert rate.value == pytest.approx(FLOOR * STEP)


def test_p0_falls_as_soon_as_the_insurer_is_better() -> None:
    rate = NormalRate(FLOOR, CEILING)
    end = feed(rate, 0.05, 400_000)
    feed(rate, 0.0, 20_000, start=end)
    assert rate.value == FLOOR


def test_a_few_orders_teach_little() -> None:
    rate = NormalRate(FLOOR, CEILING)
    feed(rate, 0.5, 10, per_second=0.001)
    assert rate.estimate < 1.5 * FLOOR


@given(st.lists(st.booleans(), max_size=300), st.floats(0.001, 0.4), st.floats(0.001, 0.4))
def test_p0_never_leaves_its_bounds(outcomes: list[bool], floor: float, ceiling: float) -> None:
    rate = NormalRate(floor, ceiling)
    for n, failed in enumerate(outcomes):
        rate.observe(failed=failed, timestamp=n * STEP_SECONDS)
        assert floor <= rate.value <= max(floor, ceiling)
    rate.bound(0.2, 0.1)
    assert rate.value == 0.2


def calm_hours(scope: ScopeEvidence, outcomes: Outcomes, failing: float, hours: float) -> float:
    draw, orders = random.Random(5), int(hours * 3600)
    for n in range(orders):
        scope.observe(outcomes(FAILED if draw.random() < failing else SUCCESS, float(n)))
    return float(orders)


def test_the_test_of_a_scope_uses_what_was_learned_and_still_cuts_a_dead_insurer() -> None:
    outcomes, scope = Outcomes(), ScopeEvidence(breaker())
    end = calm_hours(scope, outcomes, 0.05, 5)
    learned = scope.evidence(at(end)).normal_failure_rate
    assert 0.039 <= learned <= CEILING
    orders = 0
    while not scope.tripped(at(end)):
        orders += 1
        end += 1
        scope.observe(outcomes(FAILED, end))
    assert orders <= 9


def test_p0_that_is_set_is_not_learned() -> None:
    outcomes, scope = Outcomes(), ScopeEvidence(breaker(policy={"highest_normal_failure_rate": 0.02}))
    end = calm_hours(scope, outcomes, 0.05, 5)
    assert scope.evidence(at(end)).normal_failure_rate == 0.02


@pytest.mark.parametrize("state", [BreakerState.OPEN, BreakerState.RAMPING])
def test_nothing_is_learned_in_an_incident(state: BreakerState) -> None:
    outcomes, scope = Outcomes(), ScopeEvidence(breaker(state=state))
    end = calm_hours(scope, outcomes, 0.05, 3)
    assert scope.evidence(at(end)).normal_failure_rate == FLOOR


def test_an_outage_that_is_not_cut_is_not_learned() -> None:
    # METRICS_ONLY, say: the state stays CLOSED whatever the evidence.
    outcomes, scope = Outcomes(), ScopeEvidence(breaker())
    end = calm_hours(scope, outcomes, 1.0, 3)
    assert scope.evidence(at(end)).normal_failure_rate == FLOOR


def test_what_was_learned_outlasts_an_incident() -> None:
    outcomes, scope = Outcomes(), ScopeEvidence(breaker())
    end = calm_hours(scope, outcomes, 0.05, 5)
    learned = scope.evidence(at(end)).normal_failure_rate
    scope.follow(breaker(state=BreakerState.RAMPING, evidence_since=at(end)))
    assert scope.evidence(at(end)).normal_failure_rate == learned


class TestProductLines:
    @pytest.fixture
    def book(self) -> EvidenceBook:
        book = EvidenceBook()
        # The sequential test is out of the way.
        policy = {"normal_failure_rate": 0.4, "outage_failure_rate": 0.9}
        book.follow([breaker(policy=policy), breaker(SCREEN, policy=policy), breaker(TV, policy=policy)])
        return book

    @staticmethod
    def failing_part(book: EvidenceBook, part: float) -> Outcomes:
        """An hour's worth of tv orders in 30 seconds of which this part fails."""
        outcomes = Outcomes(scope=TV)
        for n in range(100):
            book.observe(outcomes(FAILED if n % 100 < 100 * part else SUCCESS, 1 + n * 0.3))
        return outcomes

    def test_a_quiet_line_trips_with_its_first_failure_while_its_insurer_fails(self, book: EvidenceBook) -> None:
        outcomes = self.failing_part(book, 0.8)
        screen = book.scopes()[SCREEN]
        assert screen.tripped(at(32)) == ()
        book.observe(outcomes(FAILED, 32, scope=SCREEN))
        assert screen.tripped(at(32)) == (EvidenceKind.FAILURE_RATE,)

    def test_its_own_successes_count_more_than_the_others_failures(self, book: EvidenceBook) -> None:
        outcomes = self.failing_part(book, 0.8)
        for n in range(3):
            book.observe(outcomes(FAILED if n == 0 else SUCCESS, 32 + n, scope=SCREEN))
        assert book.scopes()[SCREEN].tripped(at(35)) == ()

    def test_while_its_insurer_is_well_it_needs_evidence_of_its_own(self, book: EvidenceBook) -> None:
        outcomes = self.failing_part(book, 0.1)
        for n in range(4):
            book.observe(outcomes(FAILED, 32 + n, scope=SCREEN))
        assert book.scopes()[SCREEN].tripped(at(36)) == ()

    def test_its_own_failures_are_not_borrowed_back(self, book: EvidenceBook) -> None:
        outcomes = Outcomes(scope=SCREEN)
        for n in range(5):
            book.observe(outcomes(FAILED, 1 + n))
        assert book.scopes()[SCREEN].tripped(at(6)) == ()

    def test_what_the_insurer_did_before_the_window_is_not_borrowed(self, book: EvidenceBook) -> None:
        outcomes = self.failing_part(book, 0.8)
        book.observe(outcomes(FAILED, 120, scope=SCREEN))
        assert book.scopes()[SCREEN].tripped(at(120)) == ()

    def test_with_little_traffic_its_p0_is_its_insurers(self) -> None:
        whole, line = ScopeEvidence(breaker()), ScopeEvidence(breaker(SCREEN))
        line.borrow_from(whole)
        outcomes = Outcomes()
        end = calm_hours(whole, outcomes, 0.05, 5)
        for hour in range(5):
            line.observe(outcomes(SUCCESS, end + hour * STEP_SECONDS * 2))
        learned = line.evidence(at(end)).normal_failure_rate
        assert learned > FLOOR
