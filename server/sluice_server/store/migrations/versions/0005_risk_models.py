"""Risk models: versions, their validations, proposals of prices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sluice_server.store.types import Digest, Identifier, Json, Sequence64, UtcTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "risk_models",
        sa.Column("version", Sequence64, autoincrement=False, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("portfolio", Json(), nullable=False),
        sa.Column("content_hash", Digest(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("created_by", Identifier, nullable=False),
        sa.Column("request_id", Identifier, nullable=False),
        sa.Column("activated_at", UtcTime(), nullable=True),
        sa.Column("activated_by", Identifier, nullable=False),
        sa.Column("loading", sa.Float(), nullable=False),
        sa.Column("proposal_id", Identifier, nullable=False),
        sa.Column("revision", Sequence64, nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_risk_models")),
    )
    in_use = sa.text("state = 'ACTIVE'")
    op.create_index(
        "uq_risk_models_active", "risk_models", ["state"], unique=True, sqlite_where=in_use, postgresql_where=in_use
    )
    op.create_table(
        "risk_model_validations",
        sa.Column("version", Sequence64, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["risk_models.version"], name=op.f("fk_risk_model_validations_version")),
        sa.PrimaryKeyConstraint("version", "number", name=op.f("pk_risk_model_validations")),
    )
    op.create_table(
        "price_proposals",
        sa.Column("proposal_id", Identifier, nullable=False),
        sa.Column("version", Sequence64, nullable=False),
        sa.Column("proposed_by", Identifier, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("request_id", Identifier, nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["risk_models.version"], name=op.f("fk_price_proposals_version")),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_price_proposals")),
    )
    op.create_index("ix_price_proposals_request", "price_proposals", ["request_id"], unique=False)
    lock = op.create_table(
        "risk_model_lock",
        sa.Column("only_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.CheckConstraint("only_row = 1", name=op.f("ck_risk_model_lock_only_row")),
        sa.PrimaryKeyConstraint("only_row", name=op.f("pk_risk_model_lock")),
    )
    op.execute(sa.insert(lock).values(only_row=1))


def downgrade() -> None:
    op.drop_table("risk_model_lock")
    op.drop_table("price_proposals")
    op.drop_table("risk_model_validations")
    op.drop_table("risk_models")
