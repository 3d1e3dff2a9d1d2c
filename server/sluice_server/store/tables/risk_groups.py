"""Searches for risk groups, one for each data version, and what they found."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, Table, Text

from sluice_server.store.tables._schema import metadata
from sluice_server.store.types import Identifier, Json, Sequence64, UtcTime

risk_group_runs = Table(
    "risk_group_runs",
    metadata,
    Column("data_version", Sequence64, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("claimed_at", UtcTime, nullable=False),
    Column("claimed_by", Identifier, nullable=False),
    Column("content", Json),
)

risk_groups = Table(
    "risk_groups",
    metadata,
    Column("risk_group_id", Identifier, primary_key=True),
    Column("data_version", Sequence64, ForeignKey("risk_group_runs.data_version"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("content", Json, nullable=False),
)
