"""The tables. Only the store knows them; everybody else sees the domain's dataclasses.

``orders`` holds what is asked about an order most often: its state and its current insurer. ``decisions`` and
``submissions`` hold its history, one row each, keyed by the order and a number. What workers and the breaker look for
is found by partial indexes that stay as small as the backlog, however many orders are stored.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TextClause,
    event,
    text,
)

from sluice_server.store.types import Digest, Identifier, Json, Sequence64, UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Conditions of the partial indexes. SQLite uses such an index only when the query repeats its condition word for word.
BACKLOG = text("finished_at IS NULL AND submit_requested")
DUE = text("next_attempt_at IS NOT NULL")
ABNORMAL = text("state IN ('ABNORMAL', 'PARKED')")
IN_INCIDENT = text("incident_id <> ''")
FINISHED = text("finished_at IS NOT NULL")
AWAITED = text("accepted_at IS NOT NULL OR outcome = 'UNKNOWN' OR settled_at IS NOT NULL")
UNDELIVERED = text("delivered_at IS NULL")
DELIVERED = text("delivered_at IS NOT NULL")
IN_USE = text("state = 'ACTIVE'")


def _partial(condition: TextClause) -> dict[str, Any]:
    return {"sqlite_where": condition, "postgresql_where": condition}


orders = Table(
    "orders",
    metadata,
    Column("order_seq", Sequence64, primary_key=True, autoincrement=True),
    Column("application_id", Identifier, nullable=False, unique=True),
    Column("fingerprint", Digest, nullable=False),
    Column("state", Text, nullable=False),
    Column("product_code", Identifier, nullable=False),
    Column("product_line", Identifier, nullable=False),
    Column("insurer_id", Identifier, nullable=False),  # in charge now; empty: nobody
    Column("decided_at", UtcTime),  # of the current decision
    Column("application", Json, nullable=False),  # what is not in a column
    Column("incident_id", Identifier, nullable=False),
    Column("policy_number", Text, nullable=False),
    Column("submit_requested", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),  # when the state became final
    Column("version", BigInteger, nullable=False),
)
Index("ix_orders_created", orders.c.created_at)
Index("ix_orders_insurer", orders.c.insurer_id, orders.c.created_at)
Index("ix_orders_product", orders.c.product_code, orders.c.created_at)
Index("ix_orders_updated", orders.c.updated_at)
Index("ix_orders_decided", orders.c.decided_at)
Index("ix_orders_backlog", orders.c.insurer_id, orders.c.product_line, orders.c.decided_at, **_partial(BACKLOG))
Index("ix_orders_due", orders.c.state, orders.c.next_attempt_at, **_partial(DUE))
Index("ix_orders_abnormal", orders.c.state, orders.c.created_at, **_partial(ABNORMAL))
Index("ix_orders_incident", orders.c.incident_id, orders.c.state, orders.c.created_at, **_partial(IN_INCIDENT))

# decisions and submissions have no foreign key to orders: the store writes them in the order's own transaction and
# deletes nothing, and the check would cost PostgreSQL as much as the insert.
decisions = Table(
    "decisions",
    metadata,
    Column("order_seq", Sequence64, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("decision_id", Identifier, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("insurer_id", Identifier, nullable=False),
    Column("plan_version", BigInteger, nullable=False),
    Column("decided_at", UtcTime, nullable=False),
    Column("content", Json, nullable=False),  # the rest of the decision
    sqlite_with_rowid=False,
)

submissions = Table(
    "submissions",
    metadata,
    Column("order_seq", Sequence64, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("submission_id", Identifier, nullable=False),
    Column("insurer_id", Identifier, nullable=False),
    Column("product_line", Identifier, nullable=False),
    Column("kind", Text, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("deadline", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("outcome", Text),
    Column("error_code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("policy_number", Text, nullable=False),
    Column("latency_seconds", Float(53)),
    Column("settled_outcome", Text),
    Column("settled_at", UtcTime),
    Column("accepted_at", UtcTime),
    Column("reference", Text),
    Column("flag", Text),
    sqlite_with_rowid=False,
)
# What an insurer may tell by a callback. Only calls that were not answered at once are in it: the others cost nothing.
Index("ix_submissions_callback", submissions.c.idempotency_key, **_partial(AWAITED))
Index("ix_submissions_finished", submissions.c.finished_at, **_partial(FINISHED))
Index("ix_submissions_insurer", submissions.c.insurer_id, submissions.c.started_at)

# How many orders were decided in each few seconds (counts.py), so that the breaker need not count the orders of half an
# hour twice a second. Every process adds to rows of its own shard: two replicas do not wait for each other's commit.
order_counts = Table(
    "order_counts",
    metadata,
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),
    Column("insurer_id", Identifier, primary_key=True),
    Column("product_line", Identifier, primary_key=True),
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Column("routed", BigInteger, nullable=False),  # orders whose current decision is of this time
    Column("submitted", BigInteger, nullable=False),  # of these, the ones that Sluice submits
    Column("finished", BigInteger, nullable=False),  # of these, the final ones
    sqlite_with_rowid=False,
)

# The last comparison of an insurer's list of policies with the store, for each day; also the claim of the process that
# makes it.
policy_reconciliations = Table(
    "policy_reconciliations",
    metadata,
    Column("insurer_id", Identifier, primary_key=True),
    Column("day", Text, primary_key=True),  # YYYY-MM-DD of the insurer's calendar
    Column("started_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("claimed_until", UtcTime),
    Column("content", Json, nullable=False),  # what it found; empty until it is finished
    Column("version", BigInteger, nullable=False),
)

plans = Table(
    "plans",
    metadata,
    Column("version", Sequence64, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("activatable", Boolean, nullable=False),
    Column("warnings", Json, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("request_id", Identifier, nullable=False),
)
Index("ix_plans_request", plans.c.request_id)

# One row, always: which plan is active. Its revision is the etag of every plan.
plan_activation = Table(
    "plan_activation",
    metadata,
    Column("only_row", Integer, primary_key=True, autoincrement=False),
    Column("version", Sequence64, ForeignKey("plans.version")),
    Column("revision", BigInteger, nullable=False),
    CheckConstraint("only_row = 1", name="only_row"),
)

# The books that replicas share (domain/routing/books.py), each locked by the commits that carry it on.
share_ledgers = Table(
    "share_ledgers",
    metadata,
    Column("plan_version", Sequence64, primary_key=True, autoincrement=False),
    Column("rule", Identifier, primary_key=True),
    Column("pages", Json, nullable=False),  # orders by insurer, in the rule's order, by page
)

insurer_use = Table(
    "insurer_use",
    metadata,
    Column("insurer_id", Identifier, primary_key=True),
    Column("content", Json, nullable=False),  # orders of the last seconds; orders and premium of the last days
)

insurers = Table(
    "insurers",
    metadata,
    Column("insurer_id", Identifier, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("capacity", Json, nullable=False),
    Column("contact", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("version", BigInteger, nullable=False),
)

breakers = Table(
    "breakers",
    metadata,
    Column("insurer_id", Identifier, primary_key=True),
    Column("product_line", Identifier, primary_key=True),  # empty: the insurer as a whole
    Column("state", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("policy", Json, nullable=False),
    Column("state_since", UtcTime, nullable=False),
    Column("evidence_since", UtcTime, nullable=False),
    Column("incident_id", Identifier, nullable=False),
    Column("ramp_step", Integer, nullable=False),
    Column("trips_in_a_row", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("incident_id", Identifier, primary_key=True),
    Column("insurer_id", Identifier, nullable=False),
    Column("product_line", Identifier, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    Column("content", Json, nullable=False),  # evidence, shares, numbers, the other dates
    Column("version", BigInteger, nullable=False),
)
Index("ix_incidents_insurer", incidents.c.insurer_id, incidents.c.incident_id)

incident_events = Table(
    "incident_events",
    metadata,
    Column("event_seq", Sequence64, primary_key=True, autoincrement=True),
    Column("incident_id", Identifier, ForeignKey("incidents.incident_id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", Identifier, nullable=False),
    Column("reason", Text, nullable=False),
    Column("details", Json, nullable=False),
)
Index("ix_incident_events_incident", incident_events.c.incident_id, incident_events.c.event_seq)

audit_events = Table(
    "audit_events",
    metadata,
    Column("sequence", Sequence64, primary_key=True, autoincrement=False),
    Column("audit_id", Identifier, nullable=False, unique=True),
    Column("at", UtcTime, nullable=False),
    Column("actor", Identifier, nullable=False),
    Column("actor_verified", Boolean, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Identifier, nullable=False),
    Column("reason", Text, nullable=False),
    Column("request_id", Identifier, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("before", Json, nullable=False),
    Column("after", Json, nullable=False),
    Column("previous_hash", Digest, nullable=False),
    Column("hash", Digest, nullable=False),
)
Index("ix_audit_events_request", audit_events.c.request_id, audit_events.c.action)
Index("ix_audit_events_subject", audit_events.c.subject, audit_events.c.sequence)
Index("ix_audit_events_actor", audit_events.c.actor, audit_events.c.sequence)


def _append_only(dialect: str, *statements: str) -> None:
    for statement in statements:
        ddl = DDL(statement)  # type: ignore[no-untyped-call]  # SQLAlchemy's constructor has no types
        event.listen(audit_events, "after_create", ddl.execute_if(dialect=dialect))


_append_only(
    "sqlite",
    "CREATE TRIGGER audit_events_keep_update BEFORE UPDATE ON audit_events "
    "BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END",
    "CREATE TRIGGER audit_events_keep_delete BEFORE DELETE ON audit_events "
    "BEGIN SELECT RAISE(ABORT, 'audit rows are never deleted'); END",
)
_append_only(
    "postgresql",
    "CREATE FUNCTION audit_events_keep() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'audit rows are never changed or deleted'; END $$",
    "CREATE TRIGGER audit_events_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_events_keep()",
)

# One row, always: the newest row of audit_events. Whoever appends locks it, so that the chain has no branches.
audit_chain = Table(
    "audit_chain",
    metadata,
    Column("only_row", Integer, primary_key=True, autoincrement=False),
    Column("sequence", Sequence64, nullable=False),
    Column("hash", Digest, nullable=False),
    CheckConstraint("only_row = 1", name="only_row"),
)

alarm_outbox = Table(
    "alarm_outbox",
    metadata,
    Column("outbox_id", Identifier, primary_key=True),
    Column("key", Text, nullable=False),
    Column("alarm", Json, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", UtcTime, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("resolved_at", UtcTime),
    Column("delivered_at", UtcTime),
)
# Of each key there is at most one that waits and one that was delivered.
Index("uq_alarm_outbox_waiting", alarm_outbox.c.key, unique=True, **_partial(UNDELIVERED))
Index("uq_alarm_outbox_delivered", alarm_outbox.c.key, unique=True, **_partial(DELIVERED))
Index("ix_alarm_outbox_due", alarm_outbox.c.next_attempt_at, **_partial(UNDELIVERED))

# The portfolio has a column of its own: lists do not read it.
risk_models = Table(
    "risk_models",
    metadata,
    Column("version", Sequence64, primary_key=True, autoincrement=False),
    Column("target", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("content", Json, nullable=False),
    Column("portfolio", Json, nullable=False),
    Column("content_hash", Digest, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Identifier, nullable=False),
    Column("request_id", Identifier, nullable=False),
    Column("activated_at", UtcTime),
    Column("activated_by", Identifier, nullable=False),
    Column("loading", Float, nullable=False),
    Column("proposal_id", Identifier, nullable=False),
    Column("revision", Sequence64, nullable=False),
)
Index("uq_risk_models_active", risk_models.c.state, unique=True, **_partial(IN_USE))

risk_model_validations = Table(
    "risk_model_validations",
    metadata,
    Column("version", Sequence64, ForeignKey("risk_models.version"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("created_at", UtcTime, nullable=False),
    Column("content", Json, nullable=False),
)

price_proposals = Table(
    "price_proposals",
    metadata,
    Column("proposal_id", Identifier, primary_key=True),
    Column("version", Sequence64, ForeignKey("risk_models.version"), nullable=False),
    Column("proposed_by", Identifier, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("request_id", Identifier, nullable=False),
    Column("content", Json, nullable=False),
)
Index("ix_price_proposals_request", price_proposals.c.request_id)

# One row, always: whoever changes models locks it.
risk_model_lock = Table(
    "risk_model_lock",
    metadata,
    Column("only_row", Integer, primary_key=True, autoincrement=False),
    CheckConstraint("only_row = 1", name="only_row"),
)
