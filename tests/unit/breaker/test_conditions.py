"""When lasting conditions begin and end."""

from __future__ import annotations

import pytest

from sluice_server.domain.breaker.conditions import MOST_KINDS, BacklogGrowth, FailureKinds
from sluice_server.domain.breaker.evidence_source import BacklogCount, OutcomeRecord
from sluice_server.domain.breaker.standing_alarms import Condition
from sluice_server.domain.orders.model import Outcome, SubmissionKind
from tests.unit.breaker.builders import SCREEN, B, at, breaker

KEY = "backlog/insurer-b/screen"


def failure(seconds: float, code: str = "HTTP_503") -> OutcomeRecord:
    moment = at(seconds)
    outcome = Outcome.TECHNICAL_FAILURE
    return OutcomeRecord("sub-1", SCREEN, SubmissionKind.RETRY, outcome, moment, moment, 0.1, code)


def test_codes_that_an_insurer_invents_do_not_grow_without_bound() -> None:
    kinds = FailureKinds()
    for n in range(3 * MOST_KINDS):
        kinds.observe(failure(1.0, f"CODE_{n}"))
    conditions = kinds.conditions(at(2))
    assert len(conditions) == MOST_KINDS + 1
    assert conditions["failure/insurer-b/screen/OTHER"].count == 2 * MOST_KINDS


def test_failures_that_come_late_and_out_of_order_are_one_episode() -> None:
    kinds = FailureKinds()
    for seconds in (10.0, 8.0, 12.0, 11.0):
        kinds.observe(failure(seconds))
    (condition,) = kinds.conditions(at(13)).values()
    assert (condition.count, condition.began_at, condition.ended_at) == (4, at(8), None)
    (ended,) = kinds.conditions(at(313)).values()
    assert ended.ended_at == at(312)
    assert kinds.conditions(at(314)) == {}


class Line:
    """One product line whose backlog is read every second."""

    def __init__(self) -> None:
        self._growth = BacklogGrowth()
        self._second = 0

    def read(self, *unfinished: int) -> Condition | None:
        """The condition after the last of these readings."""
        found: Condition | None = None
        for number in unfinished:
            self._second += 1
            oldest = at(0) if number else None
            counts = [BacklogCount(SCREEN, 100, number, oldest)]
            found = self._growth.conditions(counts, {B: breaker()}, at(self._second)).get(KEY)
        return found


def test_a_backlog_that_grows_is_told_before_it_cuts() -> None:
    line = Line()
    assert line.read(0, 2, 4, 8) is None
    condition = line.read(10)
    assert condition is not None
    assert (condition.count, condition.ended_at) == (10, None)
    assert condition.summary == "10 orders of insurer-b/screen are unfinished, growing since 09:00:05 UTC"


def test_a_backlog_that_is_always_there_is_not_told() -> None:
    line = Line()
    growing = line.read(12)
    assert growing is not None, "nothing is known before it, so it has grown"
    assert line.read(4) is not None
    # It comes slowly from below the least, and stays.
    assert line.read(*[8] * 90, *[11] * 90) is None


@pytest.mark.parametrize(("left", "over"), [(6, False), (5, True), (0, True)])
def test_it_is_over_when_a_quarter_of_the_policys_count_is_left(left: int, over: bool) -> None:
    line = Line()
    line.read(0, 20)
    condition = line.read(left)
    assert condition is not None
    assert (condition.ended_at is not None) is over
    assert condition.count == 20
    assert (line.read(left) is None) is over


def test_a_scope_without_a_breaker_has_no_backlog_to_tell() -> None:
    assert BacklogGrowth().conditions([BacklogCount(SCREEN, 50, 40, at(0))], {}, at(1)) == {}
