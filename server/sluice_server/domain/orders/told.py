"""What is told about an order from outside: by a team that calls the insurer itself, or by an insurer by itself.

Such news comes twice, late, out of order, and wrong. Pure functions: they say what an order becomes by it. What decides
nothing is kept with a flag; what is known already changes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from sluice_server.domain.errors import OrderStateRefused
from sluice_server.domain.orders.history import concluded, idempotency_key, inquired, reported
from sluice_server.domain.orders.life import OrderEvent, advance
from sluice_server.domain.orders.model import Order, OrderState, Outcome, ReportFlag, Submission, SubmissionKind
from sluice_server.domain.orders.ports import SubmissionResult


@dataclass(frozen=True, slots=True)
class Told:
    """What the news makes of an order."""

    order: Order
    """As it is to be saved; the order itself when nothing changes."""
    submission_id: str = ""
    """The submission that has ended or was kept by it; empty: nothing was."""
    contradiction: bool = False
    """Whether it cannot be true together with what is known, so that a person must look."""


def told_by_team(order: Order, report: Submission, *, now: datetime) -> Told:
    """After ReportOutcome. ``report`` is a REPORTED submission that the order does not have yet.

    Raises OrderStateRefused when nothing can be learned from it: another outcome than SUCCESS of an order that Sluice
    submits itself, or of an insurer that had nothing to do with it.
    """
    assert report.outcome is not None, "a report has an outcome"
    mine = _of(order, report.insurer_id)
    in_charge = report.insurer_id == order.decision.insurer_id
    teams_turn = not order.submit_requested and order.state in (OrderState.ROUTED, OrderState.ABNORMAL)
    if report.outcome is Outcome.SUCCESS:
        if order.final or order.state is OrderState.SUBMITTING:
            return _kept(order, report, ReportFlag.CONTRADICTING, now=now)
        if in_charge and teams_turn:
            return Told(reported(order, report, now=now), report.submission_id)
        return _insured(order, report, now=now)
    if any(s.started_at > (report.finished_at or now) for s in mine):
        return _kept(order, report, ReportFlag.LATE, now=now)
    if order.final:
        if not mine and not any(d.insurer_id == report.insurer_id for d in order.decisions):
            raise _refused(order, f"is {order.state} and was never given to {report.insurer_id!r}: nothing to report")
        insured = order.state is OrderState.INSURED and order.insurer_id == report.insurer_id
        contradicts = insured and report.outcome is not Outcome.UNKNOWN
        return _kept(order, report, ReportFlag.CONTRADICTING if contradicts else ReportFlag.LATE, now=now)
    if not teams_turn:
        raise _refused(order, f"is {order.state} and Sluice itself submits it: nothing to report", "ABNORMAL, ROUTED")
    if in_charge:
        return Told(reported(order, report, now=now), report.submission_id)
    if any(d.insurer_id == report.insurer_id for d in order.decisions):
        return _kept(order, report, ReportFlag.LATE, now=now)
    raise _refused(order, f"was routed to {order.decision.insurer_id!r}, not to {report.insurer_id!r}")


def told_by_insurer(order: Order, insurer_id: str, result: SubmissionResult, *, now: datetime) -> Told:
    """After a callback with SUCCESS, BUSINESS_REJECTION or TECHNICAL_FAILURE (its own word that it insured nothing).

    Callbacks carry the idempotency key alone, which all calls to one insurer share. So a failure that is told while
    there was more than one call may be that of an earlier one: it is not believed, the insurer is asked instead.
    """
    mine = _of(order, insurer_id)
    if _known(order, mine, result):
        return Told(order)
    failed = result.outcome is Outcome.TECHNICAL_FAILURE
    open_calls = [s for s in mine if s.unsettled]
    if open_calls and failed and len(mine) > 1:
        if order.state is OrderState.SUBMITTING and not order.pending:
            return Told(order)  # its call is under way and will answer by itself
        return Told(replace(order, next_attempt_at=now) if order.submit_requested else order)
    if open_calls and order.state is OrderState.SUBMITTING and order.last_call.insurer_id == insurer_id:
        called = order.last_call
        return Told(concluded(order, called.submission_id, result, now=now), called.submission_id)
    if open_calls and order.state is OrderState.ABNORMAL:
        settled = inquired(order, insurer_id, result, now=now)
        return Told(replace(settled, next_attempt_at=None if settled.final else now), open_calls[-1].submission_id)
    report = _callback(order, insurer_id, result, now)
    if any(s.submission_id == report.submission_id for s in order.submissions):
        return Told(order)
    if result.outcome is Outcome.SUCCESS:
        if order.final or order.state is OrderState.SUBMITTING:
            return _kept(order, report, ReportFlag.CONTRADICTING, now=now)
        return _insured(order, report, now=now)
    insured = any(s.standing is Outcome.SUCCESS for s in mine)
    return _kept(order, report, ReportFlag.CONTRADICTING if insured else ReportFlag.LATE, now=now)


def _of(order: Order, insurer_id: str) -> list[Submission]:
    return [s for s in order.submissions if s.insurer_id == insurer_id and s.flag is None]


def _known(order: Order, mine: list[Submission], result: SubmissionResult) -> bool:
    """Whether a call to this insurer is known to have ended like this."""
    if result.outcome is Outcome.SUCCESS:
        return any(s.standing is Outcome.SUCCESS and s.policy_number == result.policy_number for s in mine)
    if any(s.unsettled for s in mine):
        return False
    if result.outcome is Outcome.TECHNICAL_FAILURE and order.state is OrderState.INSURED and len(mine) > 1:
        return True  # of an earlier call with the same key, told late
    return any(s.standing is result.outcome for s in mine)


def _insured(order: Order, report: Submission, *, now: datetime) -> Told:
    """Somebody has insured what was waiting here: so nobody else may. A contradiction all the same, because it is not
    the one who was to do it, or not in the way agreed."""
    kept = replace(report, flag=ReportFlag.CONTRADICTING, outcome=None, settled_outcome=Outcome.SUCCESS, settled_at=now)
    changed = replace(
        order,
        state=advance(order.state, OrderEvent.SUCCEEDED),
        submissions=(*order.submissions, kept),
        policy_number=report.policy_number,
        next_attempt_at=None,
        updated_at=now,
    )
    return Told(changed, report.submission_id, contradiction=True)


def _kept(order: Order, report: Submission, flag: ReportFlag, *, now: datetime) -> Told:
    contradicts = flag is ReportFlag.CONTRADICTING
    if contradicts:
        # No evidence for the breaker: one of the two is wrong, and nobody knows which.
        report = replace(report, outcome=None, settled_outcome=report.standing, settled_at=now)
    changed = replace(order, submissions=(*order.submissions, replace(report, flag=flag)), updated_at=now)
    return Told(changed, report.submission_id, contradiction=contradicts)


def _callback(order: Order, insurer_id: str, result: SubmissionResult, now: datetime) -> Submission:
    key = idempotency_key(order.application_id, insurer_id)
    identity = "\n".join((key, result.outcome, result.policy_number))
    return Submission(
        # Derived, so that a repeat is recognised whichever replica it reaches.
        submission_id=f"cbk-{hashlib.sha256(identity.encode()).hexdigest()[:32]}",
        application_id=order.application_id,
        insurer_id=insurer_id,
        product_line=order.application.product_line,
        number=len(order.submissions) + 1,
        kind=SubmissionKind.CALLBACK,
        idempotency_key=key,
        started_at=now,
        deadline=now,
        finished_at=now,
        # No call has ended by it, so that it is no evidence for the breaker.
        settled_outcome=result.outcome,
        settled_at=now,
        error_code=result.error_code,
        message=result.message[:500],
        policy_number=result.policy_number,
    )


def _refused(order: Order, why: str, allowed_states: str = "") -> OrderStateRefused:
    metadata = {"allowed_states": allowed_states} if allowed_states else {}
    return OrderStateRefused(
        f"application {order.application_id!r} {why}",
        subject=f"orders/{order.application_id}",
        state=order.state.value,
        **metadata,
    )
