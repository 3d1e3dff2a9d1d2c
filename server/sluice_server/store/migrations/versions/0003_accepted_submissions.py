"""Submissions that an insurer decides later, reports that contradict; comparisons with the insurers' lists of policies;
lists of orders by insurer and by product."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from sluice_server.store.types import Identifier, Json, Sequence64, UtcTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_AWAITED = "accepted_at IS NOT NULL OR outcome = 'UNKNOWN' OR settled_at IS NOT NULL"
_NEW = ("accepted_at", "reference", "flag")


def _partial(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        # SQLite would add the columns behind the primary key: a table other than a fresh one.
        _rebuild([*_columns(), *_new_columns()])
    else:
        for column in _new_columns():
            op.add_column("submissions", column)
    op.create_index("ix_submissions_callback", "submissions", ["idempotency_key"], unique=False, **_partial(_AWAITED))
    op.create_index("ix_orders_insurer", "orders", ["insurer_id", "created_at"], unique=False)
    op.create_index("ix_orders_product", "orders", ["product_code", "created_at"], unique=False)
    op.create_table(
        "policy_reconciliations",
        sa.Column("insurer_id", Identifier, nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.Column("claimed_until", UtcTime(), nullable=True),
        sa.Column("content", Json(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("insurer_id", "day", name=op.f("pk_policy_reconciliations")),
    )


def downgrade() -> None:
    op.drop_table("policy_reconciliations")
    op.drop_index("ix_orders_product", "orders")
    op.drop_index("ix_orders_insurer", "orders")
    op.drop_index("ix_submissions_callback", "submissions")
    if op.get_bind().dialect.name == "sqlite":
        _rebuild(_columns())
    else:
        for name in _NEW:
            op.drop_column("submissions", name)


def _rebuild(columns: list[sa.Column[Any]]) -> None:
    """The table with other columns. (A renamed one would keep the names of its constraints and indexes.)"""
    names = ", ".join(column.name for column in _columns())
    op.create_table("submissions_set_aside", *_columns())
    op.execute(f"INSERT INTO submissions_set_aside ({names}) SELECT {names} FROM submissions")  # noqa: S608 - own names
    op.drop_table("submissions")
    op.create_table(
        "submissions",
        *columns,
        sa.PrimaryKeyConstraint("order_seq", "number", name=op.f("pk_submissions")),
        sqlite_with_rowid=False,
    )
    op.execute(f"INSERT INTO submissions ({names}) SELECT {names} FROM submissions_set_aside")  # noqa: S608 - own names
    op.drop_table("submissions_set_aside")
    op.create_index(
        "ix_submissions_finished", "submissions", ["finished_at"], unique=False, **_partial("finished_at IS NOT NULL")
    )
    op.create_index("ix_submissions_insurer", "submissions", ["insurer_id", "started_at"], unique=False)


def _columns() -> list[sa.Column[Any]]:
    return [
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
    ]


def _new_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("accepted_at", UtcTime(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("flag", sa.Text(), nullable=True),
    ]
