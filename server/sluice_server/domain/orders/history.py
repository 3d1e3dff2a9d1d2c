"""What happens to an order, as pure functions from one order to the next.

Each takes the order as it was read, checks that the step is allowed, and returns the order to be saved. The rule that
nobody is insured twice lives here: while one submission is unsettled (it may have been insured), no decision may name
anybody else, and only its own insurer may be called again, with the same idempotency key.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from sluice_server.domain.construct import constructor
from sluice_server.domain.errors import OrderStateRefused
from sluice_server.domain.identity import new_id
from sluice_server.domain.orders.life import EVENT_OF_OUTCOME, OrderEvent, advance
from sluice_server.domain.orders.model import Order, OrderState, Outcome, Submission, SubmissionKind
from sluice_server.domain.orders.ports import SubmissionPending, SubmissionResult
from sluice_server.domain.routing.model import Application, Decision, Disposition

EVENT_OF_DISPOSITION = {
    Disposition.ROUTED: OrderEvent.ROUTED,
    Disposition.KEPT_LAST: OrderEvent.ROUTED,
    Disposition.PARKED: OrderEvent.PARKED,
    Disposition.REJECTED: OrderEvent.REFUSED,
}
"""What a decision means for its order."""
STATE_OF_FIRST = {
    disposition: advance(OrderState.RECEIVED, event) for disposition, event in EVENT_OF_DISPOSITION.items()
}
"""The state of an order that has just been received, after its first decision."""

_new_order = constructor(Order)

NEVER_ANSWERED = "NEVER_ANSWERED"
"""error_code of a submission whose process died before it heard the answer."""
NOTHING_KNOWN = "NOTHING_KNOWN"
"""error_code of an unknown submission of which the insurer's inquiry knew nothing."""


SETTLEMENT_OVERDUE = "SETTLEMENT_OVERDUE"
"""error_code of a submission that its insurer accepted and did not decide in the time that it has for it."""


def idempotency_key(application_id: str, insurer_id: str) -> str:
    """The key of every submission of an application to one insurer: letters and digits only, fit for any header."""
    return hashlib.sha256(f"{application_id}\n{insurer_id}".encode()).hexdigest()[:40]


def received(application: Application, fingerprint: str, decision: Decision, *, submit: bool, now: datetime) -> Order:
    """A new order with its first decision; ``submit``: it came by Submit."""
    return _new_order(
        application,
        fingerprint,
        STATE_OF_FIRST[decision.disposition],
        (decision,),
        (),
        "",
        "",
        submit,
        0,
        None,
        now,
        now,
        0,
    )


def stored(order: Order) -> Order:
    """The order as it stands in the store after ``save``: its version is one more."""
    return replace(order, version=order.version + 1)


def redecided(order: Order, decision: Decision, *, now: datetime) -> Order:
    """The order under another decision. Refused while anything may have been insured."""
    _refuse_unsettled(order)
    return replace(
        order,
        state=advance(order.state, EVENT_OF_DISPOSITION[decision.disposition]),
        decisions=(*order.decisions, decision),
        next_attempt_at=None,
        updated_at=now,
    )


def begun(order: Order, kind: SubmissionKind, *, deadline: datetime, now: datetime) -> tuple[Order, Submission]:
    """The order with a submission to the insurer in charge, to be saved before the call."""
    insurer_id = order.decision.insurer_id
    _refuse_unsettled(order, except_of=insurer_id)
    submission = Submission(
        submission_id=new_id("sub"),
        application_id=order.application_id,
        insurer_id=insurer_id,
        product_line=order.application.product_line,
        number=len(order.submissions) + 1,
        kind=kind,
        idempotency_key=idempotency_key(order.application_id, insurer_id),
        started_at=now,
        deadline=deadline,
    )
    changed = replace(
        order,
        state=advance(order.state, OrderEvent.SUBMISSION_BEGUN),
        submissions=(*order.submissions, submission),
        submit_requested=True,
        updated_at=now,
    )
    return changed, submission


def accepted(order: Order, submission_id: str, pending: SubmissionPending, *, now: datetime) -> Order:
    """The order after its insurer has said that it will decide later: still SUBMITTING, and nobody waits for the call.

    When it was told or found out meanwhile what came of it, that stands; one given up meanwhile stays ABNORMAL.
    """
    called = next(s for s in order.submissions if s.submission_id == submission_id)
    if called.outcome is not None:
        return order
    waits = order.state is OrderState.SUBMITTING and order.last_call.submission_id == submission_id
    taken = replace(
        called,
        accepted_at=now,
        latency_seconds=(now - called.started_at).total_seconds(),
        reference=pending.reference,
        deadline=now + timedelta(seconds=pending.settled_within_seconds) if waits else called.deadline,
    )
    return replace(
        order,
        submissions=tuple(taken if s.submission_id == submission_id else s for s in order.submissions),
        next_attempt_at=now + timedelta(seconds=pending.ask_after_seconds) if waits else order.next_attempt_at,
        updated_at=now,
    )


def concluded(order: Order, submission_id: str, result: SubmissionResult, *, now: datetime) -> Order:
    """The order after its call has ended, however late.

    In time, the order is SUBMITTING and follows the outcome. A result that comes after the submission was given up is
    kept on the submission, and still decides an order for which nobody else was asked meanwhile; it never changes a
    final order (``insured_elsewhere`` tells that this one has been insured twice).
    """
    called = next(s for s in order.submissions if s.submission_id == submission_id)
    ended = replace(
        called,
        finished_at=now,
        outcome=result.outcome,
        error_code=result.error_code,
        message=result.message[:500],
        policy_number=result.policy_number,
        # How fast the interface answers, not how fast the insurer decides.
        latency_seconds=called.latency_seconds if called.accepted_at else (now - called.started_at).total_seconds(),
        # Whoever gave it up did not know better; a settlement by inquiry stands unless this says SUCCESS.
        settled_outcome=None if _outweighs(result.outcome, called.settled_outcome) else called.settled_outcome,
    )
    in_time = order.state is OrderState.SUBMITTING and order.last_call.submission_id == submission_id
    changed = replace(
        order,
        submissions=tuple(ended if s.submission_id == submission_id else s for s in order.submissions),
        updated_at=now,
    )
    if in_time:
        return _follow(changed, ended, result.outcome, now=now)
    if ended.standing is not result.outcome or any(s.insurer_id != ended.insurer_id for s in changed.unsettled):
        return changed
    in_charge = order.state is OrderState.ABNORMAL and order.decision.insurer_id == ended.insurer_id
    not_final = order.state in (OrderState.ABNORMAL, OrderState.ROUTED, OrderState.PARKED)
    if in_charge or (not_final and result.outcome is Outcome.SUCCESS):
        return _follow(changed, ended, result.outcome, now=now)
    return changed


def given_up(order: Order, *, now: datetime) -> Order:
    """A SUBMITTING order whose outcome nobody will record any more: unknown, ABNORMAL.

    When its process died, the submission gets no outcome of its own, because our death is no evidence against the
    insurer. When the insurer accepted it and did not decide in time, that is its failure.
    """
    last = order.last_call
    if last.pending:
        lost = replace(last, outcome=Outcome.UNKNOWN, finished_at=now, error_code=SETTLEMENT_OVERDUE)
    else:
        lost = replace(last, settled_outcome=Outcome.UNKNOWN, settled_at=now, error_code=NEVER_ANSWERED)
    return replace(
        order,
        state=advance(order.state, OrderEvent.LOST),
        submissions=tuple(lost if s.submission_id == last.submission_id else s for s in order.submissions),
        updated_at=now,
    )


def inquired(order: Order, insurer_id: str, result: SubmissionResult | None, *, now: datetime) -> Order:
    """The order after its insurer was asked what it knows under the idempotency key.

    SUCCESS and BUSINESS_REJECTION end it; None (nothing known) settles its unknown submissions there as definite
    failures; UNKNOWN changes nothing.
    """
    if result is not None and result.outcome is Outcome.UNKNOWN:
        return order
    outcome = Outcome.TECHNICAL_FAILURE if result is None else result.outcome
    settled = _settle(
        order,
        insurer_id,
        outcome,
        now=now,
        error_code=NOTHING_KNOWN if result is None else result.error_code,
        policy_number="" if result is None else result.policy_number,
    )
    event, policy_number = _as_told(order, EVENT_OF_OUTCOME[outcome])
    state = advance(order.state, event)
    return replace(
        settled,
        state=state,
        # One that stays ABNORMAL keeps its time: the lease of the worker, which may die before its next step.
        next_attempt_at=order.next_attempt_at if state is OrderState.ABNORMAL else None,
        policy_number=result.policy_number if outcome is Outcome.SUCCESS and result else policy_number,
        updated_at=now,
    )


def reported(order: Order, submission: Submission, *, now: datetime) -> Order:
    """The order after another team told what came of its call to the insurer in charge.

    A team's TECHNICAL_FAILURE says that nothing is insured there, so it settles what was unknown before.
    """
    assert submission.outcome is not None, "a report has an outcome"
    changed = replace(order, submissions=(*order.submissions, submission), updated_at=now)
    if submission.outcome is not Outcome.UNKNOWN:
        changed = _settle(
            changed, submission.insurer_id, submission.outcome, now=now, policy_number=submission.policy_number
        )
    return _follow(changed, submission, submission.outcome, now=now)


def insured_elsewhere(order: Order, submission_id: str) -> bool:
    """Whether this submission insured what another insurer has insured too, or is being asked to; or the same one under
    another number."""
    called = next(s for s in order.submissions if s.submission_id == submission_id)
    if called.standing is not Outcome.SUCCESS:
        return False
    return any(
        (other.insurer_id != called.insurer_id and (other.standing is Outcome.SUCCESS or other.unsettled))
        or (other.standing is Outcome.SUCCESS and other.policy_number != called.policy_number)
        for other in order.submissions
        if other.submission_id != called.submission_id
    )


def _follow(order: Order, submission: Submission, outcome: Outcome, *, now: datetime) -> Order:
    """The order's state after a submission that is already among its submissions has ended like this."""
    changed = order
    if outcome in (Outcome.SUCCESS, Outcome.BUSINESS_REJECTION):
        # The insurer's word under the same key: it tells of the earlier calls too.
        changed = _settle(order, submission.insurer_id, outcome, now=now, policy_number=submission.policy_number)
    event = EVENT_OF_OUTCOME[outcome]
    if event is OrderEvent.DECLINED and changed.unsettled:
        event = OrderEvent.LOST  # a malformed repeat says nothing about the call before it
    event, policy_number = _as_told(order, event)
    return replace(
        changed,
        state=advance(order.state, event),
        policy_number=submission.policy_number if outcome is Outcome.SUCCESS else policy_number,
        next_attempt_at=None,
        updated_at=now,
    )


def _as_told(order: Order, event: OrderEvent) -> tuple[OrderEvent, str]:
    """What the end of a call means for an order of which somebody has told, while it was being submitted, that it is
    insured elsewhere: unless this call insured it too, that is how it ends, because nobody else may insure it now."""
    for submission in order.contradictions:
        if submission.standing is Outcome.SUCCESS and event is not OrderEvent.SUCCEEDED:
            return OrderEvent.SUCCEEDED, submission.policy_number
    return event, order.policy_number


def _settle(
    order: Order,
    insurer_id: str,
    outcome: Outcome,
    *,
    now: datetime,
    error_code: str | None = None,
    policy_number: str | None = None,
) -> Order:
    """Every unsettled submission to this insurer gets the outcome that was found out."""
    return replace(
        order,
        submissions=tuple(
            replace(
                s,
                settled_outcome=outcome,
                settled_at=now,
                error_code=s.error_code or error_code or "",
                policy_number=s.policy_number if policy_number is None else policy_number,
            )
            if s.insurer_id == insurer_id and s.unsettled
            else s
            for s in order.submissions
        ),
    )


def _outweighs(late: Outcome, settled: Outcome | None) -> bool:
    return settled is None or settled is Outcome.UNKNOWN or late is Outcome.SUCCESS


def _refuse_unsettled(order: Order, *, except_of: str = "") -> None:
    for submission in order.unsettled:
        if submission.insurer_id != except_of:
            raise OrderStateRefused(
                f"application {order.application_id!r} may be insured by {submission.insurer_id!r} already; "
                "its outcome must be known before anybody else is asked",
                subject=f"orders/{order.application_id}",
                state=order.state.value,
            )
