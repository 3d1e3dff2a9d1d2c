"""Orders, breakers and the rest, as the domain would make them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from sluice_server.domain.audit.event import AuditEvent
from sluice_server.domain.breaker.model import (
    Breaker,
    BreakerMode,
    BreakerPolicy,
    BreakerState,
    Evidence,
    EvidenceKind,
    Incident,
    Scope,
)
from sluice_server.domain.breaker.ports import (
    Alarm,
    Capacity,
    Insurer,
)
from sluice_server.domain.money import Money
from sluice_server.domain.orders.model import Order, OrderState, Outcome, Submission, SubmissionKind
from sluice_server.domain.routing.model import (
    Application,
    Binding,
    Candidate,
    Channel,
    Decision,
    Device,
    Disposition,
)
from sluice_server.domain.routing.ports import StoredPlan

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def application(application_id: str, *, product_line: str = "screen", product_code: str = "screen-12") -> Application:
    return Application(
        application_id=application_id,
        product_code=product_code,
        product_line=product_line,
        device=Device("dev-1", "model-1", "phone", "brand", Money(599_900, "CNY"), date(2026, 2, 28)),
        channel=Channel("channel-1", "store-1", "gold"),
        customer_ref="customer-1",
        premium=Money(12_900, "CNY"),
        term_months=12,
        attributes={"说明": "屏幕险", "colour": "black"},
    )


def decision(application_id: str, insurer_id: str = "insurer-a", *, number: int = 1, at: datetime = NOON) -> Decision:
    return Decision(
        decision_id=f"dec-{application_id}-{number}",
        application_id=application_id,
        number=number,
        disposition=Disposition.ROUTED if insurer_id else Disposition.PARKED,
        insurer_id=insurer_id,
        binding=Binding("P-1", "PLAN", "main", {"store": "store-1"}) if insurer_id else None,
        plan_name="phones",
        plan_version=3,
        rule="phones-gold",
        factors={"text": "1", "whole": 1, "yes": True, "broken": 0.1, "round": 2.0},
        split_key="customer-1",
        ledger_position=None,
        candidates=(Candidate("insurer-a", 6000, 6000), Candidate("insurer-b", 4000, 0, "CUT")),
        traffic_version=17,
        decided_at=at,
    )


def order(
    application_id: str,
    insurer_id: str = "insurer-a",
    *,
    at: datetime = NOON,
    product_line: str = "screen",
    submit: bool = True,
    state: OrderState = OrderState.ROUTED,
) -> Order:
    content = application(application_id, product_line=product_line)
    return Order(
        application=content,
        fingerprint=content.fingerprint(),
        state=state if insurer_id else OrderState.PARKED,
        decisions=(decision(application_id, insurer_id, at=at),),
        submissions=(),
        incident_id="",
        policy_number="",
        submit_requested=submit,
        attempts=0,
        next_attempt_at=None,
        created_at=at,
        updated_at=at,
        version=0,
    )


def submission(of: Order, *, at: datetime = NOON, insurer_id: str = "") -> Submission:
    return Submission(
        submission_id=f"sub-{of.application_id}-{len(of.submissions) + 1}",
        application_id=of.application_id,
        insurer_id=insurer_id or of.insurer_id,
        product_line=of.application.product_line,
        number=len(of.submissions) + 1,
        kind=SubmissionKind.SUBMIT,
        idempotency_key=f"key-{of.application_id}",
        started_at=at,
        deadline=at + timedelta(seconds=30),
    )


def submitting(of: Order, *, at: datetime) -> Order:
    """With a submission that has begun."""
    return replace(of, state=OrderState.SUBMITTING, submissions=(*of.submissions, submission(of, at=at)), updated_at=at)


def ended(of: Order, outcome: Outcome, *, at: datetime, state: OrderState) -> Order:
    """With the last submission ended."""
    last = of.submissions[-1]
    last = replace(
        last,
        finished_at=at,
        outcome=outcome,
        error_code="" if outcome is Outcome.SUCCESS else "HTTP_503",
        message="" if outcome is Outcome.SUCCESS else "maintenance",
        latency_seconds=(at - last.started_at).total_seconds(),
    )
    return replace(of, state=state, submissions=(*of.submissions[:-1], last), updated_at=at)


def stored(of: Order, times: int = 1) -> Order:
    """As it is read after ``times`` saves."""
    return replace(of, version=of.version + times)


def breaker(insurer_id: str = "insurer-a", product_line: str = "") -> Breaker:
    return Breaker(
        scope=Scope(insurer_id, product_line),
        state=BreakerState.CLOSED,
        mode=BreakerMode.ENFORCING,
        policy=BreakerPolicy(ramp_steps_basis_points=(500, 5000), backlog_count=7),
        version=1,
        state_since=NOON,
        evidence_since=after(-5),
    )


def incident(incident_id: str, insurer_id: str = "insurer-a") -> Incident:
    return Incident(
        incident_id=incident_id,
        scope=Scope(insurer_id),
        opened_at=NOON,
        evidence=Evidence(
            scope=Scope(insurer_id),
            at=NOON,
            failures=3,
            sequential_statistic=12.5,
            first_failure_at=after(-1.5),
            tripped=(EvidenceKind.SEQUENTIAL,),
        ),
        shares_before={"insurer-a": 60, "insurer-b": 40},
    )


def insurer(insurer_id: str = "insurer-a") -> Insurer:
    return Insurer(
        insurer_id=insurer_id,
        display_name="甲保险",
        description="",
        capacity=Capacity(orders_per_second=50, premium_per_day=Money(1_000_000, "CNY")),
        contact="desk-a",
        created_at=NOON,
        updated_at=NOON,
        version=1,
    )


def plan(name: str = "phones", request_id: str = "") -> StoredPlan:
    return StoredPlan(
        name=name,
        version=0,
        source="name: phones\n",
        content_hash="ab" * 32,
        activatable=True,
        warnings=("rule 3 is never reached",),
        description="first",
        created_at=NOON,
        created_by="ann",
        active=False,
        etag="",
        request_id=request_id,
    )


def audit_event(audit_id: str, *, subject: str = "insurers/insurer-a", actor: str = "ann") -> AuditEvent:
    return AuditEvent(
        audit_id=audit_id,
        at=NOON,
        actor=actor,
        actor_verified=True,
        action="CutTraffic",
        subject=subject,
        reason="maintenance",
        request_id=f"req-{audit_id}",
        trace_id="0" * 32,
        before={"state": "CLOSED", "shares": [1, 2]},
        after={"state": "OPEN"},
    )


def alarm(key: str, *, resolved_at: datetime | None = None, summary: str = "cut", at: datetime = NOON) -> Alarm:
    return Alarm(
        key=key,
        name="InsurerCut",
        severity="critical",
        summary=summary,
        labels={"insurer": "insurer-a"},
        annotations={"incident": "inc-1"},
        starts_at=at,
        resolved_at=resolved_at,
    )
