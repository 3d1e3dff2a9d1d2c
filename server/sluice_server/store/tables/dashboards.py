"""Dashboards: one row for each, and every version that was ever saved."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Table, Text

from sluice_server.store.tables._schema import metadata
from sluice_server.store.types import Identifier, Json, Sequence64, UtcTime

dashboards = Table(
    "dashboards",
    metadata,
    Column("dashboard_id", Identifier, primary_key=True),
    Column("version", Sequence64, nullable=False),
    Column("deleted", Boolean, nullable=False),
)

dashboard_versions = Table(
    "dashboard_versions",
    metadata,
    Column("dashboard_id", Identifier, ForeignKey("dashboards.dashboard_id"), primary_key=True),
    Column("version", Sequence64, primary_key=True, autoincrement=False),
    Column("owner", Identifier, nullable=False),
    Column("content", Json, nullable=False),
    Column("saved_at", UtcTime, nullable=False),
    Column("saved_by", Identifier, nullable=False),
    Column("reason", Text, nullable=False),
)
