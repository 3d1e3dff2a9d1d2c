"""Alarms on their way to the alarm platforms."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text, text

from sluice_server.store.tables._schema import metadata, partial
from sluice_server.store.types import Identifier, Json, UtcTime

# Conditions of the partial indexes. SQLite uses such an index only when the query repeats its condition word for word.
UNDELIVERED = text("delivered_at IS NULL")
DELIVERED = text("delivered_at IS NOT NULL")

alarm_outbox = Table(
    "alarm_outbox",
    metadata,
    Column("outbox_id", Identifier, primary_key=True),
    Column("key", Text, nullable=False),
    Column("alarm", Json, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", UtcTime, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("resolved_at", UtcTime),
    Column("delivered_at", UtcTime),
)
# Of each key there is at most one that waits and one that was delivered.
Index("uq_alarm_outbox_waiting", alarm_outbox.c.key, unique=True, **partial(UNDELIVERED))
Index("uq_alarm_outbox_delivered", alarm_outbox.c.key, unique=True, **partial(DELIVERED))
Index("ix_alarm_outbox_due", alarm_outbox.c.next_attempt_at, **partial(UNDELIVERED))
