"""ReportOutcome: teams that call the insurer themselves tell what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import InvalidInput, OrderNotFound, RequestIdConflict, Violation
from sluice_server.domain.orders.contradictions import contradiction_alarm
from sluice_server.domain.orders.failures import followed_up
from sluice_server.domain.orders.history import idempotency_key, stored
from sluice_server.domain.orders.model import Order, Outcome, Submission, SubmissionKind
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.orders.told import told_by_team
from sluice_server.domain.unit_of_work import Store

FUTURE_TOLERANCE = timedelta(minutes=5)
"""How far another team's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """What came of a call that another team has made."""

    application_id: str
    insurer_id: str
    outcome: Outcome
    """TECHNICAL_FAILURE: the team is certain that nothing is insured there."""
    error_code: str = ""
    message: str = ""
    policy_number: str = ""
    """Required with SUCCESS."""
    latency_seconds: float | None = None
    occurred_at: datetime | None = None
    """When the call ended; None: now."""
    request_id: str = ""
    """Makes a repeat harmless; without one the content does."""


class ReportOutcome:
    """Records a REPORTED submission. The stored submission is the breaker's evidence, like any other."""

    def __init__(
        self, *, store: Store, clock: Clock, timing: OrderTiming, notify: Callable[[], None] = lambda: None
    ) -> None:
        self._store = store
        self._clock = clock
        self._timing = timing
        self._notify = notify

    async def __call__(self, report: OutcomeReport, context: CallContext) -> Order:
        """The order as it stands then. A repeat changes nothing, and neither does a report of what is known already;
        one that is late or contradicts is kept with its flag (``told.told_by_team``).

        Raises InvalidInput, OrderNotFound, RequestIdConflict (the request_id with other content), OrderStateRefused
        (nothing can be learned from it), ConcurrentChange.
        """
        now = self._clock.now()
        _validate(report, now)
        async with self._store.write() as uow:
            order = await uow.orders.get(report.application_id)
            if order is None:
                raise OrderNotFound(report.application_id)
            submission = _submission(report, order, now)
            if _known(order, submission):
                return order
            told = told_by_team(order, submission, now=now)
            changed = await followed_up(uow, told.order, submission.submission_id, timing=self._timing, now=now)
            if told.contradiction:
                await uow.alarms.put(contradiction_alarm(changed, submission.submission_id, now))
            await uow.orders.save(changed)
            await uow.commit()
        self._notify()
        return stored(changed)


def _submission(report: OutcomeReport, order: Order, now: datetime) -> Submission:
    finished = report.occurred_at or now
    content = "\n".join(
        (report.insurer_id, report.outcome, report.error_code, report.policy_number, str(report.occurred_at))
    )
    identity = f"{report.application_id}\n{report.request_id or content}"
    return Submission(
        # Derived, so that a repeat is recognised whichever replica it reaches.
        submission_id=f"rep-{hashlib.sha256(identity.encode()).hexdigest()[:32]}",
        application_id=report.application_id,
        insurer_id=report.insurer_id,
        product_line=order.application.product_line,
        number=len(order.submissions) + 1,
        kind=SubmissionKind.REPORTED,
        idempotency_key=idempotency_key(report.application_id, report.insurer_id),
        started_at=finished - timedelta(seconds=report.latency_seconds or 0.0),
        deadline=finished,
        finished_at=finished,
        outcome=report.outcome,
        error_code=report.error_code,
        message=report.message[:500],
        policy_number=report.policy_number,
        latency_seconds=report.latency_seconds,
    )


def _known(order: Order, reported_now: Submission) -> bool:
    """Whether the report is a repeat, or says what a final order says already."""
    for earlier in order.submissions:
        if earlier.submission_id == reported_now.submission_id:
            if _content(earlier) != _content(reported_now):
                raise RequestIdConflict(
                    "this request_id has reported another outcome of the application; use a new one for a new report"
                )
            return True
    return any(order.final and _fact(earlier) == _fact(reported_now) for earlier in order.submissions)


def _content(s: Submission) -> tuple[str, Outcome | None, str, str]:
    return (s.insurer_id, s.outcome or s.settled_outcome, s.error_code, s.policy_number)


def _fact(s: Submission) -> tuple[str, Outcome | None, str]:
    return (s.insurer_id, s.standing, s.policy_number)


def _validate(report: OutcomeReport, now: datetime) -> None:
    found: list[Violation] = []
    if report.outcome is Outcome.SUCCESS and not report.policy_number:
        found.append(Violation("policy_number", "required with SUCCESS"))
    if report.outcome is not Outcome.SUCCESS and report.policy_number:
        found.append(Violation("policy_number", "only with SUCCESS"))
    if report.latency_seconds is not None and not 0 <= report.latency_seconds < 86_400:
        found.append(Violation("latency", "must be from 0 seconds to a day"))
    if report.occurred_at is not None and report.occurred_at > now + FUTURE_TOLERANCE:
        found.append(Violation("occur_time", "lies in the future"))
    if found:
        raise InvalidInput(found)
