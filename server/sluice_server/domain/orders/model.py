"""订单: an application with its decisions and submissions until it is final."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sluice_server.domain.routing.model import Application, Decision


class OrderState(StrEnum):
    """Where an order is in its life."""

    RECEIVED = "RECEIVED"
    """Known, not decided yet."""
    ROUTED = "ROUTED"
    """An insurer is chosen; no submission has begun."""
    SUBMITTING = "SUBMITTING"
    """A submission is written and the insurer is being called."""
    INSURED = "INSURED"
    REJECTED = "REJECTED"
    ABNORMAL = "ABNORMAL"
    """异常单: the last submission failed technically or its outcome is unknown."""
    PARKED = "PARKED"
    """No insurer had room; routed later."""
    CANCELLED = "CANCELLED"


FINAL_STATES = frozenset({OrderState.INSURED, OrderState.REJECTED, OrderState.CANCELLED})


class Outcome(StrEnum):
    """How a submission ended."""

    SUCCESS = "SUCCESS"
    BUSINESS_REJECTION = "BUSINESS_REJECTION"
    """The insurer declined by its own rules: an answer, no failure."""
    TECHNICAL_FAILURE = "TECHNICAL_FAILURE"
    """It is certain that nothing was insured: refused connection, "unavailable" before processing …"""
    UNKNOWN = "UNKNOWN"
    """It may have been insured: time-out after sending, broken answer … Reconciled before anything else."""
    CALLER_FAULT = "CALLER_FAULT"
    """The request was malformed: no evidence against the insurer."""


class SubmissionKind(StrEnum):
    """Who made the call."""

    SUBMIT = "SUBMIT"
    """Sluice, for a caller of Submit or for a parked order."""
    RETRY = "RETRY"
    """Sluice, retrying an abnormal order."""
    REPORTED = "REPORTED"
    """Another team, told by ReportOutcome."""


@dataclass(frozen=True, slots=True)
class Submission:
    """投保请求: one call to one insurer."""

    submission_id: str
    application_id: str
    insurer_id: str
    product_line: str
    number: int
    """1 for the order's first submission."""
    kind: SubmissionKind
    idempotency_key: str
    """Sent to the insurer; the same for every submission of an application to the same insurer."""
    started_at: datetime
    finished_at: datetime | None = None
    outcome: Outcome | None = None
    """None while the call is under way (or the process that made it died)."""
    error_code: str = ""
    """The insurer's or the transport's code: HTTP_503, TIMEOUT, CONNECTION_REFUSED …"""
    message: str = ""
    policy_number: str = ""
    latency_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An application, its current decision, its history."""

    application: Application
    fingerprint: str
    """Of the application's content; decides between a replay and a conflict."""
    state: OrderState
    decisions: tuple[Decision, ...]
    submissions: tuple[Submission, ...]
    incident_id: str
    """The incident in which the order became abnormal; empty otherwise."""
    policy_number: str
    created_at: datetime
    updated_at: datetime
    version: int
    """Counts the changes; compared and set on every write."""

    @property
    def decision(self) -> Decision:
        """The decision in force."""
        return self.decisions[-1]

    @property
    def insurer_id(self) -> str:
        """The insurer in charge; empty when parked or rejected by the plan."""
        return self.decisions[-1].insurer_id if self.decisions else ""
