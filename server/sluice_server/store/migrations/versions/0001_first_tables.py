"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from sluice_server.store.types import Digest, Identifier, Json, Sequence64, UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _partial(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "alarm_outbox",
        sa.Column("outbox_id", Identifier, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("alarm", Json(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", UtcTime(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("resolved_at", UtcTime(), nullable=True),
        sa.Column("delivered_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("outbox_id", name=op.f("pk_alarm_outbox")),
    )
    op.create_index(
        "ix_alarm_outbox_due", "alarm_outbox", ["next_attempt_at"], unique=False, **_partial("delivered_at IS NULL")
    )
    op.create_index(
        "uq_alarm_outbox_delivered", "alarm_outbox", ["key"], unique=True, **_partial("delivered_at IS NOT NULL")
    )
    op.create_index("uq_alarm_outbox_waiting", "alarm_outbox", ["key"], unique=True, **_partial("delivered_at IS NULL"))
    op.create_table(
        "audit_events",
        sa.Column("audit_id", Identifier, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("actor", Identifier, nullable=False),
        sa.Column("actor_verified", sa.Boolean(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", Identifier, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("request_id", Identifier, nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("before", Json(), nullable=False),
        sa.Column("after", Json(), nullable=False),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_audit_events")),
    )
    op.create_index("ix_audit_events_actor", "audit_events", ["actor", "audit_id"], unique=False)
    op.create_index("ix_audit_events_request", "audit_events", ["request_id", "action"], unique=False)
    op.create_index("ix_audit_events_subject", "audit_events", ["subject", "audit_id"], unique=False)
    op.create_table(
        "breakers",
        sa.Column("insurer_id", Identifier, nullable=False),
        sa.Column("product_line", Identifier, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("policy", Json(), nullable=False),
        sa.Column("state_since", UtcTime(), nullable=False),
        sa.Column("evidence_since", UtcTime(), nullable=False),
        sa.Column("incident_id", Identifier, nullable=False),
        sa.Column("ramp_step", sa.Integer(), nullable=False),
        sa.Column("trips_in_a_row", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("insurer_id", "product_line", name=op.f("pk_breakers")),
    )
    op.create_table(
        "decisions",
        sa.Column("order_seq", Sequence64, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("decision_id", Identifier, nullable=False),
        sa.Column("disposition", sa.Text(), nullable=False),
        sa.Column("insurer_id", Identifier, nullable=False),
        sa.Column("plan_version", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", UtcTime(), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.PrimaryKeyConstraint("order_seq", "number", name=op.f("pk_decisions")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "incidents",
        sa.Column("incident_id", Identifier, nullable=False),
        sa.Column("insurer_id", Identifier, nullable=False),
        sa.Column("product_line", Identifier, nullable=False),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("closed_at", UtcTime(), nullable=True),
        sa.Column("content", Json(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_incidents")),
    )
    op.create_index("ix_incidents_insurer", "incidents", ["insurer_id", "incident_id"], unique=False)
    op.create_table(
        "insurers",
        sa.Column("insurer_id", Identifier, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("capacity", Json(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("insurer_id", name=op.f("pk_insurers")),
    )
    op.create_table(
        "order_counts",
        sa.Column("bucket", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("insurer_id", Identifier, nullable=False),
        sa.Column("product_line", Identifier, nullable=False),
        sa.Column("shard", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("routed", sa.BigInteger(), nullable=False),
        sa.Column("submitted", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "insurer_id", "product_line", "shard", name=op.f("pk_order_counts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "orders",
        sa.Column("order_seq", Sequence64, autoincrement=True, nullable=False),
        sa.Column("application_id", Identifier, nullable=False),
        sa.Column("fingerprint", Digest(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("product_code", Identifier, nullable=False),
        sa.Column("product_line", Identifier, nullable=False),
        sa.Column("insurer_id", Identifier, nullable=False),
        sa.Column("decided_at", UtcTime(), nullable=True),
        sa.Column("application", Json(), nullable=False),
        sa.Column("incident_id", Identifier, nullable=False),
        sa.Column("policy_number", sa.Text(), nullable=False),
        sa.Column("submit_requested", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", UtcTime(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("order_seq", name=op.f("pk_orders")),
        sa.UniqueConstraint("application_id", name=op.f("uq_orders_application_id")),
    )
    op.create_index(
        "ix_orders_abnormal",
        "orders",
        ["state", "created_at"],
        unique=False,
        **_partial("state IN ('ABNORMAL', 'PARKED')"),
    )
    op.create_index(
        "ix_orders_backlog",
        "orders",
        ["insurer_id", "product_line", "decided_at"],
        unique=False,
        **_partial("finished_at IS NULL AND submit_requested"),
    )
    op.create_index("ix_orders_created", "orders", ["created_at"], unique=False)
    op.create_index("ix_orders_decided", "orders", ["decided_at"], unique=False)
    op.create_index(
        "ix_orders_due", "orders", ["state", "next_attempt_at"], unique=False, **_partial("next_attempt_at IS NOT NULL")
    )
    op.create_index(
        "ix_orders_incident",
        "orders",
        ["incident_id", "state", "created_at"],
        unique=False,
        **_partial("incident_id <> ''"),
    )
    op.create_index("ix_orders_updated", "orders", ["updated_at"], unique=False)
    op.create_table(
        "plans",
        sa.Column("version", Sequence64, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("activatable", sa.Boolean(), nullable=False),
        sa.Column("warnings", Json(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("request_id", Identifier, nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_plans")),
    )
    op.create_index("ix_plans_request", "plans", ["request_id"], unique=False)
    op.create_table(
        "submissions",
        sa.Column("order_seq", Sequence64, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("submission_id", Identifier, nullable=False),
        sa.Column("insurer_id", Identifier, nullable=False),
        sa.Column("product_line", Identifier, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("deadline", UtcTime(), nullable=False),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("policy_number", sa.Text(), nullable=False),
        sa.Column("latency_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("settled_outcome", sa.Text(), nullable=True),
        sa.Column("settled_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("order_seq", "number", name=op.f("pk_submissions")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_submissions_finished", "submissions", ["finished_at"], unique=False, **_partial("finished_at IS NOT NULL")
    )
    op.create_index("ix_submissions_insurer", "submissions", ["insurer_id", "started_at"], unique=False)
    op.create_table(
        "incident_events",
        sa.Column("event_seq", Sequence64, autoincrement=True, nullable=False),
        sa.Column("incident_id", Identifier, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("actor", Identifier, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("details", Json(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.incident_id"], name=op.f("fk_incident_events_incident_id")
        ),
        sa.PrimaryKeyConstraint("event_seq", name=op.f("pk_incident_events")),
    )
    op.create_index("ix_incident_events_incident", "incident_events", ["incident_id", "event_seq"], unique=False)
    op.create_table(
        "plan_activation",
        sa.Column("only_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", Sequence64, nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("only_row = 1", name=op.f("ck_plan_activation_only_row")),
        sa.ForeignKeyConstraint(["version"], ["plans.version"], name=op.f("fk_plan_activation_version")),
        sa.PrimaryKeyConstraint("only_row", name=op.f("pk_plan_activation")),
    )
    # The one row that says which plan is active: none yet.
    op.execute("INSERT INTO plan_activation (only_row, version, revision) VALUES (1, NULL, 0)")


def downgrade() -> None:
    op.drop_table("plan_activation")
    op.drop_table("incident_events")
    op.drop_table("submissions")
    op.drop_table("plans")
    op.drop_table("orders")
    op.drop_table("order_counts")
    op.drop_table("insurers")
    op.drop_table("incidents")
    op.drop_table("decisions")
    op.drop_table("breakers")
    op.drop_table("audit_events")
    op.drop_table("alarm_outbox")
