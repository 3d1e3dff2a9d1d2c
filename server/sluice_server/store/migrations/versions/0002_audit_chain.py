"""Chain the audit trail: sequence, hashes, the head; rows can be appended only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sluice_server.domain.audit.chain import FIELDS, ChainHead, chained
from sluice_server.domain.audit.event import AuditEvent
from sluice_server.store.types import Digest, Identifier, Json, Sequence64, UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BATCH = 1_000


def upgrade() -> None:
    earlier = _set_aside()
    op.create_table(
        "audit_events",
        sa.Column("sequence", Sequence64, autoincrement=False, nullable=False),
        *_content(),
        sa.Column("previous_hash", Digest(), nullable=False),
        sa.Column("hash", Digest(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_events")),
        sa.UniqueConstraint("audit_id", name=op.f("uq_audit_events_audit_id")),
    )
    op.create_index("ix_audit_events_actor", "audit_events", ["actor", "sequence"], unique=False)
    op.create_index("ix_audit_events_request", "audit_events", ["request_id", "action"], unique=False)
    op.create_index("ix_audit_events_subject", "audit_events", ["subject", "sequence"], unique=False)
    op.create_table(
        "audit_chain",
        sa.Column("only_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", Sequence64, nullable=False),
        sa.Column("hash", Digest(), nullable=False),
        sa.CheckConstraint("only_row = 1", name=op.f("ck_audit_chain_only_row")),
        sa.PrimaryKeyConstraint("only_row", name=op.f("pk_audit_chain")),
    )
    head = _chain_rows(earlier)
    chain = sa.table("audit_chain", sa.column("only_row"), sa.column("sequence"), sa.column("hash", Digest()))
    op.execute(sa.insert(chain).values(only_row=1, sequence=head.sequence, hash=head.hash))
    op.drop_table(earlier.name)
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER audit_events_keep_update BEFORE UPDATE ON audit_events "
            "BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END"
        )
        op.execute(
            "CREATE TRIGGER audit_events_keep_delete BEFORE DELETE ON audit_events "
            "BEGIN SELECT RAISE(ABORT, 'audit rows are never deleted'); END"
        )
    else:
        op.execute(
            "CREATE FUNCTION audit_events_keep() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'audit rows are never changed or deleted'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_events_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_events_keep()"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_events_keep_update")
        op.execute("DROP TRIGGER audit_events_keep_delete")
    else:
        op.execute("DROP TRIGGER audit_events_keep ON audit_events")
        op.execute("DROP FUNCTION audit_events_keep()")
    chained_rows = _set_aside()
    op.create_table("audit_events", *_content(), sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_audit_events")))
    op.create_index("ix_audit_events_actor", "audit_events", ["actor", "audit_id"], unique=False)
    op.create_index("ix_audit_events_request", "audit_events", ["request_id", "action"], unique=False)
    op.create_index("ix_audit_events_subject", "audit_events", ["subject", "audit_id"], unique=False)
    names = ", ".join(FIELDS)
    op.execute(f"INSERT INTO audit_events ({names}) SELECT {names} FROM {chained_rows.name}")  # noqa: S608 - constants
    op.drop_table(chained_rows.name)
    op.drop_table("audit_chain")


def _content() -> list[sa.Column[object]]:
    return [
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
    ]


def _set_aside() -> sa.Table:
    """Copies the rows and drops their table. (A renamed one would keep the names of its constraints, which the new one
    needs.)"""
    names = ", ".join(FIELDS)
    copy = op.create_table("audit_events_set_aside", *_content())
    op.execute(f"INSERT INTO {copy.name} ({names}) SELECT {names} FROM audit_events")  # noqa: S608 - constants
    op.drop_table("audit_events")
    return copy


def _chain_rows(earlier: sa.Table) -> ChainHead:
    """Moves the rows over, chained in the order of their ids, which grow with time."""
    connection, head, last = op.get_bind(), ChainHead(), ""
    target = sa.Table(
        "audit_events",
        sa.MetaData(),
        sa.Column("sequence", Sequence64),
        *_content(),
        sa.Column("previous_hash", Digest()),
        sa.Column("hash", Digest()),
    )
    while True:
        page = sa.select(earlier).where(earlier.c.audit_id > last).order_by(earlier.c.audit_id).limit(_BATCH)
        rows = connection.execute(page).mappings().all()
        if not rows:
            return head
        moved = []
        for row in rows:
            event, head = chained(AuditEvent(**row), head)
            assert event.link is not None, "chained"
            link = {"sequence": head.sequence, "previous_hash": event.link.previous_hash, "hash": head.hash}
            moved.append({**row, **link})
        connection.execute(sa.insert(target), moved)
        last = rows[-1]["audit_id"]
