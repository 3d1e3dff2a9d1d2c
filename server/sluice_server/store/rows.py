"""An order as rows and back. The same for SQLAlchemy and for the decision log, which speaks to the drivers directly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from sluice_server.domain.orders.model import (
    FINAL_STATES,
    Order,
    OrderState,
    Outcome,
    ReportFlag,
    Submission,
    SubmissionKind,
)
from sluice_server.domain.routing.frame import FirstDecision
from sluice_server.domain.routing.model import Decision, Disposition
from sluice_server.store.columns import SUBMISSION_COLUMNS
from sluice_server.store.content import APPLICATION, DECISION
from sluice_server.store.decision_text import first_decision_text
from sluice_server.store.types import json_text, to_microseconds

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Codec:
    """How a driver wants its values."""

    time: Callable[[datetime], Any]
    json: Callable[[object], Any]
    digest: Callable[[str], Any]


def _as_it_is(value: Any) -> Any:
    return value


SQLALCHEMY = Codec(time=_as_it_is, json=_as_it_is, digest=_as_it_is)
"""The column types convert."""
SQLITE3 = Codec(time=to_microseconds, json=json_text, digest=bytes.fromhex)
ASYNCPG = Codec(time=_as_it_is, json=json_text, digest=bytes.fromhex)


def order_row(order: Order, codec: Codec) -> Row:
    """In the order of ``columns.ORDER_COLUMNS``."""
    time = codec.time
    application = order.application
    updated_at = time(order.updated_at)
    return (
        application.application_id,
        codec.digest(order.fingerprint),
        order.state.value,
        application.product_code,
        application.product_line,
        order.insurer_id,
        time(order.decisions[-1].decided_at) if order.decisions else None,
        codec.json(APPLICATION.encode(application)),
        order.incident_id,
        order.policy_number,
        order.submit_requested,
        order.attempts,
        None if order.next_attempt_at is None else time(order.next_attempt_at),
        time(order.created_at),
        updated_at,
        updated_at if order.final else None,
        order.version,
    )


def is_first(order: Order) -> bool:
    """Whether ``columns.FIRST_COLUMNS`` say all there is to say about a new order."""
    decisions, at = order.decisions, order.created_at
    return (
        len(decisions) == 1
        and not order.submissions
        and decisions[0].number == 1
        and decisions[0].decided_at is at
        and order.updated_at is at
        and order.version == 0
        and order.attempts == 0
        and not order.incident_id
        and not order.policy_number
    )


def first_row(order: Order, codec: Codec) -> Row:
    """In the order of ``columns.FIRST_COLUMNS``. The codec is a driver's: JSON goes there as text."""
    application, decision, next_attempt_at = order.application, order.decisions[0], order.next_attempt_at
    return (
        application.application_id,
        codec.digest(order.fingerprint),
        order.state.value,
        application.product_code,
        application.product_line,
        decision.insurer_id,
        application.content().decode(),
        order.submit_requested,
        None if next_attempt_at is None else codec.time(next_attempt_at),
        codec.time(order.created_at),
        order.state in FINAL_STATES,
        decision.decision_id,
        decision.disposition.value,
        decision.plan_version,
        json_text(DECISION.encode(decision)),
    )


def first_decision_row(first: FirstDecision, codec: Codec) -> Row:
    """The same of an order that a first decision in the short form begins, by Route."""
    application, frame = first.application, first.frame
    return (
        application.application_id,
        application.digest(),
        _ROUTED_STATE,
        application.product_code,
        application.product_line,
        frame.insurer_id,
        application.content().decode(),
        False,
        None,
        codec.time(first.decided_at),
        False,
        first.decision_id,
        _ROUTED,
        frame.plan_version,
        first_decision_text(first),
    )


_ROUTED_STATE, _ROUTED = OrderState.ROUTED.value, Disposition.ROUTED.value


def change_row(order: Order, codec: Codec) -> Row:
    """In the order of ``columns.CHANGEABLE_COLUMNS``."""
    time = codec.time
    updated_at = time(order.updated_at)
    return (
        order.state.value,
        order.insurer_id,
        time(order.decisions[-1].decided_at) if order.decisions else None,
        order.incident_id,
        order.policy_number,
        order.submit_requested,
        order.attempts,
        None if order.next_attempt_at is None else time(order.next_attempt_at),
        updated_at,
        updated_at if order.final else None,
    )


def decision_row(decision: Decision, codec: Codec) -> Row:
    """In the order of ``columns.DECISION_COLUMNS``."""
    return (
        decision.number,
        decision.decision_id,
        decision.disposition.value,
        decision.insurer_id,
        decision.plan_version,
        codec.time(decision.decided_at),
        codec.json(DECISION.encode(decision)),
    )


def submission_row(submission: Submission, codec: Codec) -> Row:
    """In the order of ``columns.SUBMISSION_COLUMNS``."""
    time = codec.time
    return (
        submission.number,
        submission.submission_id,
        submission.insurer_id,
        submission.product_line,
        submission.kind.value,
        submission.idempotency_key,
        time(submission.started_at),
        time(submission.deadline),
        None if submission.finished_at is None else time(submission.finished_at),
        None if submission.outcome is None else submission.outcome.value,
        submission.error_code,
        submission.message,
        submission.policy_number,
        submission.latency_seconds,
        None if submission.settled_outcome is None else submission.settled_outcome.value,
        None if submission.settled_at is None else time(submission.settled_at),
        None if submission.accepted_at is None else time(submission.accepted_at),
        submission.reference or None,
        None if submission.flag is None else submission.flag.value,
    )


def order_of(row: RowMapping, decisions: Iterable[Decision], submissions: Iterable[Submission]) -> Order:
    """The order of a row of ``orders`` and its history, each by number."""
    application = APPLICATION.decode(
        row["application"],
        application_id=row["application_id"],
        product_code=row["product_code"],
        product_line=row["product_line"],
    )
    return Order(
        application=application,
        fingerprint=row["fingerprint"],
        state=OrderState(row["state"]),
        decisions=tuple(decisions),
        submissions=tuple(submissions),
        incident_id=row["incident_id"],
        policy_number=row["policy_number"],
        submit_requested=row["submit_requested"],
        attempts=row["attempts"],
        next_attempt_at=row["next_attempt_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        version=row["version"],
    )


def decision_of(row: RowMapping, application_id: str) -> Decision:
    """The decision of a row of ``decisions``."""
    return DECISION.decode(
        row["content"],
        decision_id=row["decision_id"],
        application_id=application_id,
        number=row["number"],
        disposition=row["disposition"],
        insurer_id=row["insurer_id"],
        plan_version=row["plan_version"],
        decided_at=row["decided_at"],
    )


def submission_of(row: RowMapping, application_id: str) -> Submission:
    """The submission of a row of ``submissions``."""
    return Submission(
        application_id=application_id,
        kind=SubmissionKind(row["kind"]),
        outcome=_outcome(row["outcome"]),
        settled_outcome=_outcome(row["settled_outcome"]),
        reference=row["reference"] or "",
        flag=None if row["flag"] is None else ReportFlag(row["flag"]),
        **{name: row[name] for name in _PLAIN_SUBMISSION_COLUMNS},
    )


def named(columns: Sequence[str], row: Row) -> dict[str, Any]:
    """The row by column."""
    return dict(zip(columns, row, strict=True))


_CONVERTED = frozenset({"kind", "outcome", "settled_outcome", "reference", "flag"})
_PLAIN_SUBMISSION_COLUMNS = tuple(c for c in SUBMISSION_COLUMNS if c not in _CONVERTED)


def _outcome(value: str | None) -> Outcome | None:
    return None if value is None else Outcome(value)
