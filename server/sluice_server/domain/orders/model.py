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
    CALLBACK = "CALLBACK"
    """Nobody: the insurer told something of its own accord that changes nothing (``flag`` says why it is kept)."""


class ReportFlag(StrEnum):
    """Why a report is kept that did not decide its order."""

    LATE = "LATE"
    """It tells of an earlier call, when the order had gone on already; it agrees with what is known."""
    CONTRADICTING = "CONTRADICTING"
    """It cannot be true together with what is known: a person must look."""


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
    deadline: datetime
    """The call is given up by then; an outcome that is still missing some seconds later was lost with its process."""
    finished_at: datetime | None = None
    outcome: Outcome | None = None
    """How the call itself ended, as evidence for the breaker; never changed afterwards. None while it is under way,
    and for ever when the process that made it died."""
    error_code: str = ""
    """The insurer's or the transport's code: HTTP_503, TIMEOUT, CONNECTION_REFUSED …"""
    message: str = ""
    policy_number: str = ""
    latency_seconds: float | None = None
    settled_outcome: Outcome | None = None
    """What was found out later by inquiry, by a repeat with the same key or by a report. UNKNOWN: the process died, so
    that nobody heard the answer (no evidence against the insurer)."""
    settled_at: datetime | None = None
    accepted_at: datetime | None = None
    """When the insurer said that it will decide later. Until it is settled the submission is under way; ``deadline`` is
    then the moment by which the insurer should have decided, ``latency_seconds`` the time that this answer took."""
    reference: str = ""
    """What the insurer calls an accepted request, where it must be asked by that."""
    flag: ReportFlag | None = None
    """A report that decided nothing: kept to be read, left out of everything that the order's life goes by."""

    @property
    def pending(self) -> bool:
        """Accepted by the insurer, which has not decided yet."""
        return self.accepted_at is not None and self.standing is None

    @property
    def standing(self) -> Outcome | None:
        """What is known now: the settled outcome where there is one, else the call's own; None while under way."""
        return self.settled_outcome or self.outcome

    @property
    def unsettled(self) -> bool:
        """It may have been insured, or may still be: nobody else may be asked before this is known."""
        return self.flag is None and (self.standing is None or self.standing is Outcome.UNKNOWN)


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
    submit_requested: bool
    """It came by Submit: Sluice calls the insurer, and its workers finish what a call left. False: the team that asked
    for the route calls the insurer itself and reports; Sluice never submits such an order by itself."""
    attempts: int
    """How often workers have taken it up; sets the back-off."""
    next_attempt_at: datetime | None
    """From then on a worker looks after it (a worker that takes it up moves this on first: a lease). None: nobody
    needs to, because it is final or the team's turn."""
    created_at: datetime
    updated_at: datetime
    version: int
    """Counts the changes; compared and set on every write."""

    @property
    def application_id(self) -> str:
        return self.application.application_id

    @property
    def decision(self) -> Decision:
        """The decision in force."""
        return self.decisions[-1]

    @property
    def insurer_id(self) -> str:
        """The insurer in charge (that insured, when one did); empty when parked or rejected by the plan."""
        if self.state is OrderState.INSURED:
            insured = [s for s in self.submissions if s.standing is Outcome.SUCCESS]
            for submission in (*(s for s in insured if s.policy_number == self.policy_number), *reversed(insured)):
                return submission.insurer_id
        return self.decisions[-1].insurer_id if self.decisions else ""

    @property
    def last_call(self) -> Submission:
        """The last submission that counts; reports that only were kept may come after it."""
        return next(s for s in reversed(self.submissions) if s.flag is None)

    @property
    def pending(self) -> bool:
        """Its insurer has accepted it and will decide later."""
        return self.state is OrderState.SUBMITTING and self.last_call.pending

    @property
    def final(self) -> bool:
        """Nothing more will happen to it."""
        return self.state in FINAL_STATES

    @property
    def unsettled(self) -> tuple[Submission, ...]:
        """The submissions that may have been insured, or still may be."""
        return tuple(s for s in self.submissions if s.unsettled)

    @property
    def failed_insurers(self) -> frozenset[str]:
        """Insurers of whom it is certain that they failed technically and insured nothing."""
        failed = {s.insurer_id for s in self.submissions if s.standing is Outcome.TECHNICAL_FAILURE and s.flag is None}
        return frozenset(failed - {s.insurer_id for s in self.unsettled})

    @property
    def contradictions(self) -> tuple[Submission, ...]:
        """Reports that cannot be true together with the rest."""
        return tuple(s for s in self.submissions if s.flag is ReportFlag.CONTRADICTING)
