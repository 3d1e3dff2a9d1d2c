"""Rules that warn, and the alerts that they raised."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Table, Text, text

from sluice_server.store.tables._schema import metadata, partial
from sluice_server.store.types import Identifier, Json, Sequence64, UtcTime

# Conditions of the partial indexes. SQLite uses such an index only when the query repeats its condition word for word.
LASTING = text("state IN ('PENDING', 'FIRING')")

alert_rules = Table(
    "alert_rules",
    metadata,
    Column("alert_rule_id", Identifier, primary_key=True),
    Column("version", Sequence64, nullable=False),
    Column("metric", Identifier, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("content", Json, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("updated_by", Identifier, nullable=False),
    Column("evaluated", Text, nullable=False),
    Column("problem", Text, nullable=False),
)

risk_alerts = Table(
    "risk_alerts",
    metadata,
    Column("alert_id", Identifier, primary_key=True),
    Column("alert_rule_id", Identifier, nullable=False),
    Column("group_hash", Identifier, nullable=False),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("version", Sequence64, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("content", Json, nullable=False),
)
Index("uq_risk_alerts_lasting", risk_alerts.c.alert_rule_id, risk_alerts.c.group_hash, unique=True, **partial(LASTING))
Index("ix_risk_alerts_rule", risk_alerts.c.alert_rule_id, risk_alerts.c.alert_id)
Index("ix_risk_alerts_updated", risk_alerts.c.updated_at)
