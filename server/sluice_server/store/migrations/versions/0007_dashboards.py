"""Dashboards and their versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sluice_server.store.types import Identifier, Json, Sequence64, UtcTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dashboards",
        sa.Column("dashboard_id", Identifier, nullable=False),
        sa.Column("version", Sequence64, nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("dashboard_id", name=op.f("pk_dashboards")),
    )
    op.create_table(
        "dashboard_versions",
        sa.Column("dashboard_id", Identifier, nullable=False),
        sa.Column("version", Sequence64, autoincrement=False, nullable=False),
        sa.Column("owner", Identifier, nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("saved_at", UtcTime(), nullable=False),
        sa.Column("saved_by", Identifier, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dashboard_id"], ["dashboards.dashboard_id"], name=op.f("fk_dashboard_versions_dashboard_id")
        ),
        sa.PrimaryKeyConstraint("dashboard_id", "version", name=op.f("pk_dashboard_versions")),
    )


def downgrade() -> None:
    op.drop_table("dashboard_versions")
    op.drop_table("dashboards")
