"""The books that replicas share: share ledgers, and what insurers with a capacity were given."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sluice_server.store.types import Identifier, Json, Sequence64

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "share_ledgers",
        sa.Column("plan_version", Sequence64, autoincrement=False, nullable=False),
        sa.Column("rule", Identifier, nullable=False),
        sa.Column("pages", Json(), nullable=False),
        sa.PrimaryKeyConstraint("plan_version", "rule", name=op.f("pk_share_ledgers")),
    )
    op.create_table(
        "insurer_use",
        sa.Column("insurer_id", Identifier, nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.PrimaryKeyConstraint("insurer_id", name=op.f("pk_insurer_use")),
    )


def downgrade() -> None:
    op.drop_table("insurer_use")
    op.drop_table("share_ledgers")
