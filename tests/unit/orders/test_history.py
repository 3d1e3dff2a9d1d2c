"""What a state alone cannot say: who may be asked while an outcome is unknown, and what a late answer means."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sluice_server.domain.errors import OrderStateRefused
from sluice_server.domain.money import Money
from sluice_server.domain.orders.history import (
    begun,
    concluded,
    given_up,
    idempotency_key,
    inquired,
    insured_elsewhere,
    received,
    redecided,
)
from sluice_server.domain.orders.model import Order, OrderState, Outcome, Submission, SubmissionKind
from sluice_server.domain.orders.ports import SubmissionResult
from sluice_server.domain.routing.model import Application, Binding, Channel, Decision, Device, Disposition

NOW = datetime(2026, 3, 1, tzinfo=UTC)
A, B = "insurer-a", "insurer-b"
MONEY = Money(100, "CNY")
APPLICATION = Application(
    "app-1", "SCR", "screen", Device("d", "m", "phone", "b", MONEY), Channel("c"), "cust", MONEY, 12
)


def _decision(insurer_id: str, number: int = 1, disposition: Disposition = Disposition.ROUTED) -> Decision:
    return Decision(
        decision_id=f"dec-{number}",
        application_id="app-1",
        number=number,
        disposition=disposition,
        insurer_id=insurer_id,
        binding=Binding("X"),
        plan_name="p",
        plan_version=1,
        rule="r",
        factors={},
        split_key="k",
        ledger_position=None,
        candidates=(),
        traffic_version=1,
        decided_at=NOW,
    )


def _new() -> Order:
    return received(APPLICATION, "f", _decision(A), submit=True, now=NOW)


def _begin(order: Order) -> tuple[Order, Submission]:
    return begun(order, SubmissionKind.SUBMIT, deadline=NOW + timedelta(seconds=30), now=NOW)


def _called(order: Order, outcome: Outcome, policy: str = "") -> Order:
    order, submission = _begin(order)
    return concluded(order, submission.submission_id, SubmissionResult(outcome, policy_number=policy), now=NOW)


def _moved_while_calling() -> tuple[Order, str]:
    """Given up at A, of which the inquiry knew nothing, and decided for B; the id of the call to A."""
    order, submission = _begin(_new())
    order = inquired(given_up(order, now=NOW), A, None, now=NOW)
    return redecided(order, _decision(B, 2), now=NOW), submission.submission_id


@pytest.mark.parametrize("outcome", [None, Outcome.UNKNOWN])
def test_nobody_else_is_named_while_an_outcome_is_open(outcome: Outcome | None) -> None:
    order = _begin(_new())[0] if outcome is None else _called(_new(), outcome)
    with pytest.raises(OrderStateRefused):
        redecided(order, _decision(B, 2), now=NOW)
    with pytest.raises(OrderStateRefused):
        redecided(order, _decision("", 2, Disposition.REJECTED), now=NOW)


def test_nobody_else_is_called_while_an_outcome_is_open() -> None:
    unknown = _called(_new(), Outcome.UNKNOWN)
    elsewhere = replace(unknown, state=OrderState.ROUTED, decisions=(*unknown.decisions, _decision(B, 2)))
    with pytest.raises(OrderStateRefused, match="insurer-a"):
        _begin(elsewhere)


def test_the_same_insurer_may_be_called_again_with_the_same_key() -> None:
    order, submission = _begin(_called(_new(), Outcome.UNKNOWN))
    assert order.state is OrderState.SUBMITTING
    assert submission.idempotency_key == order.submissions[0].idempotency_key == idempotency_key("app-1", A)
    assert idempotency_key("app-1", B) != idempotency_key("app-1", A)


def test_a_failed_repeat_does_not_settle_the_unknown_call_before_it() -> None:
    order = _called(_called(_new(), Outcome.UNKNOWN), Outcome.TECHNICAL_FAILURE)
    assert [s.outcome for s in order.unsettled] == [Outcome.UNKNOWN]
    assert order.failed_insurers == frozenset()


def test_a_malformed_repeat_does_not_reject_what_may_be_insured() -> None:
    order = _called(_called(_new(), Outcome.UNKNOWN), Outcome.CALLER_FAULT)
    assert order.state is OrderState.ABNORMAL
    assert order.unsettled


@pytest.mark.parametrize("outcome", [Outcome.SUCCESS, Outcome.BUSINESS_REJECTION])
def test_an_answer_to_a_repeat_settles_the_unknown_call_before_it(outcome: Outcome) -> None:
    order = _called(_called(_new(), Outcome.UNKNOWN), outcome, "P-1" if outcome is Outcome.SUCCESS else "")
    assert order.final
    assert not order.unsettled
    assert order.submissions[0].outcome is Outcome.UNKNOWN
    # The same policy under the same key is no second one.
    assert order.submissions[0].policy_number == order.policy_number
    assert not any(insured_elsewhere(order, submission.submission_id) for submission in order.submissions)


def test_a_late_success_insures_an_order_that_nobody_else_was_asked_for() -> None:
    order, call = _moved_while_calling()
    late = concluded(order, call, SubmissionResult(Outcome.SUCCESS, policy_number="P-1"), now=NOW)
    assert (late.state, late.policy_number, late.insurer_id) == (OrderState.INSURED, "P-1", A)
    assert not insured_elsewhere(late, call)


def test_a_late_success_after_another_insurer_was_asked_is_kept_and_flagged() -> None:
    order, call = _moved_while_calling()
    order, _ = _begin(order)
    late = concluded(order, call, SubmissionResult(Outcome.SUCCESS, policy_number="P-1"), now=NOW)
    assert late.state is OrderState.SUBMITTING
    assert late.submissions[0].policy_number == "P-1"
    assert insured_elsewhere(late, call)


def test_a_late_success_never_changes_a_final_order_but_is_flagged() -> None:
    order, call = _moved_while_calling()
    order = _called(order, Outcome.SUCCESS, "B-1")
    late = concluded(order, call, SubmissionResult(Outcome.SUCCESS, policy_number="P-1"), now=NOW)
    assert (late.state, late.policy_number) == (OrderState.INSURED, "B-1")
    assert insured_elsewhere(late, call)


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.TECHNICAL_FAILURE, Outcome.BUSINESS_REJECTION])
def test_a_late_answer_that_insures_nothing_does_not_disturb_the_new_insurer(outcome: Outcome) -> None:
    order, call = _moved_while_calling()
    late = concluded(order, call, SubmissionResult(outcome), now=NOW)
    assert late.state is OrderState.ROUTED
    assert not late.unsettled
    assert late.submissions[0].outcome is outcome


def test_our_own_death_is_no_evidence_against_the_insurer() -> None:
    order = given_up(_begin(_new())[0], now=NOW)
    assert order.state is OrderState.ABNORMAL
    assert order.submissions[0].outcome is None
    assert order.submissions[0].finished_at is None
    assert order.unsettled


def test_an_inquiry_that_fails_changes_nothing() -> None:
    order = _called(_new(), Outcome.UNKNOWN)
    assert inquired(order, A, SubmissionResult(Outcome.UNKNOWN), now=NOW) == order


def test_an_order_that_stays_abnormal_after_an_inquiry_keeps_its_next_attempt() -> None:
    order = replace(_called(_new(), Outcome.UNKNOWN), next_attempt_at=NOW)
    assert inquired(order, A, None, now=NOW).next_attempt_at == NOW
    insured = inquired(order, A, SubmissionResult(Outcome.SUCCESS, policy_number="P"), now=NOW)
    assert insured.next_attempt_at is None


def test_long_messages_of_insurers_are_cut() -> None:
    order, submission = _begin(_new())
    ended = concluded(order, submission.submission_id, SubmissionResult(Outcome.UNKNOWN, "E", "x" * 5000), now=NOW)
    assert len(ended.submissions[0].message) == 500
