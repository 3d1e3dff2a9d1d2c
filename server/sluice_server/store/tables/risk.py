"""Risk models, their validations, and proposed prices."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Float, ForeignKey, Index, Integer, Table, Text, text

from sluice_server.store.tables._schema import metadata, partial
from sluice_server.store.types import Digest, Identifier, Json, Sequence64, UtcTime

# Conditions of the partial indexes. SQLite uses such an index only when the query repeats its condition word for word.
IN_USE = text("state = 'ACTIVE'")

# The portfolio has a column of its own: lists do not read it.
risk_models = Table(
    "risk_models",
    metadata,
    Column("version", Sequence64, primary_key=True, autoincrement=False),
    Column("target", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("content", Json, nullable=False),
    Column("portfolio", Json, nullable=False),
    Column("content_hash", Digest, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Identifier, nullable=False),
    Column("request_id", Identifier, nullable=False),
    Column("activated_at", UtcTime),
    Column("activated_by", Identifier, nullable=False),
    Column("loading", Float, nullable=False),
    Column("proposal_id", Identifier, nullable=False),
    Column("revision", Sequence64, nullable=False),
)
Index("uq_risk_models_active", risk_models.c.state, unique=True, **partial(IN_USE))

risk_model_validations = Table(
    "risk_model_validations",
    metadata,
    Column("version", Sequence64, ForeignKey("risk_models.version"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("created_at", UtcTime, nullable=False),
    Column("content", Json, nullable=False),
)

price_proposals = Table(
    "price_proposals",
    metadata,
    Column("proposal_id", Identifier, primary_key=True),
    Column("version", Sequence64, ForeignKey("risk_models.version"), nullable=False),
    Column("proposed_by", Identifier, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("request_id", Identifier, nullable=False),
    Column("content", Json, nullable=False),
)
Index("ix_price_proposals_request", price_proposals.c.request_id)

# One row, always: whoever changes models locks it.
risk_model_lock = Table(
    "risk_model_lock",
    metadata,
    Column("only_row", Integer, primary_key=True, autoincrement=False),
    CheckConstraint("only_row = 1", name="only_row"),
)
