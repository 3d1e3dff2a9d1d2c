"""Plans, which of them is active, and the books of shares and capacities."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text

from sluice_server.store.tables._schema import metadata
from sluice_server.store.types import Identifier, Json, Sequence64, UtcTime

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
