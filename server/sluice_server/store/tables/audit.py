"""The audit trail: rows that only ever are added, each with the hash of the one before."""

from __future__ import annotations

from sqlalchemy import DDL, Boolean, CheckConstraint, Column, Index, Integer, Table, Text, event

from sluice_server.store.tables._schema import metadata
from sluice_server.store.types import Digest, Identifier, Json, Sequence64, UtcTime

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
