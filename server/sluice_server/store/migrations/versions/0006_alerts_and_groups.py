"""Alert rules and their alerts; searches for risk groups and what they found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sluice_server.store.types import Identifier, Json, Sequence64, UtcTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_rules",
        sa.Column("alert_rule_id", Identifier, nullable=False),
        sa.Column("version", Sequence64, nullable=False),
        sa.Column("metric", Identifier, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("updated_by", Identifier, nullable=False),
        sa.Column("evaluated", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alert_rule_id", name=op.f("pk_alert_rules")),
    )
    op.create_table(
        "risk_alerts",
        sa.Column("alert_id", Identifier, nullable=False),
        sa.Column("alert_rule_id", Identifier, nullable=False),
        sa.Column("group_hash", Identifier, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("version", Sequence64, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_risk_alerts")),
    )
    lasting = sa.text("state IN ('PENDING', 'FIRING')")
    op.create_index(
        "uq_risk_alerts_lasting",
        "risk_alerts",
        ["alert_rule_id", "group_hash"],
        unique=True,
        sqlite_where=lasting,
        postgresql_where=lasting,
    )
    op.create_index("ix_risk_alerts_rule", "risk_alerts", ["alert_rule_id", "alert_id"], unique=False)
    op.create_index("ix_risk_alerts_updated", "risk_alerts", ["updated_at"], unique=False)
    op.create_table(
        "risk_group_runs",
        sa.Column("data_version", Sequence64, autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("claimed_at", UtcTime(), nullable=False),
        sa.Column("claimed_by", Identifier, nullable=False),
        sa.Column("content", Json(), nullable=True),
        sa.PrimaryKeyConstraint("data_version", name=op.f("pk_risk_group_runs")),
    )
    op.create_table(
        "risk_groups",
        sa.Column("risk_group_id", Identifier, nullable=False),
        sa.Column("data_version", Sequence64, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.ForeignKeyConstraint(
            ["data_version"], ["risk_group_runs.data_version"], name=op.f("fk_risk_groups_data_version")
        ),
        sa.PrimaryKeyConstraint("risk_group_id", name=op.f("pk_risk_groups")),
    )
    op.create_index("ix_risk_groups_data_version", "risk_groups", ["data_version"], unique=False)


def downgrade() -> None:
    op.drop_table("risk_groups")
    op.drop_table("risk_group_runs")
    op.drop_table("risk_alerts")
    op.drop_table("alert_rules")
