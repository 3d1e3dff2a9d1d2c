"""What is normal for each breaker, kept over a restart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sluice_server.store.types import Identifier

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "learned_rates",
        sa.Column("insurer_id", Identifier, nullable=False),
        sa.Column("product_line", Identifier, nullable=False),
        sa.Column("failures", sa.Float(53), nullable=False),
        sa.Column("orders", sa.Float(53), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("moved_at", sa.Float(53), nullable=False),
        sa.Column("through", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("insurer_id", "product_line", name=op.f("pk_learned_rates")),
    )


def downgrade() -> None:
    op.drop_table("learned_rates")
